//! What one replica of 100m CPU and 32Mi carries: a control group of that size around the server, with the image's settings of
//! the allocator. Needs leave to make such a group.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

use tokio::runtime::Runtime;

use crate::{
    CONNECTIONS, cases,
    crowd::Crowd,
    programs::{BOTH, Programs, Which, client},
    table::{Row, mebibytes},
};

const MEMORY_BYTES: u64 = 32 << 20;
/// Of 100 ms: 100m CPU.
const CPU_MICROSECONDS: u64 = 10_000;
const REVIEWS: u64 = 4_000;

/// A control group: one folder, or one for each controller.
pub struct Group(Vec<Controller>);

struct Controller {
    folder: PathBuf,
    /// Of the most memory that the group has had.
    peak: Option<&'static str>,
}

struct Figures {
    pods_per_second: f64,
    /// Where the kernel tells.
    most_kibibytes: Option<u64>,
}

pub fn rows(programs: &Programs, runtime: &Runtime) -> Vec<Row> {
    let Some(figures) = BOTH.map(|which| measure(programs, runtime, which)).into_iter().collect::<Option<Vec<_>>>()
    else {
        let nothing = || "left out: no control group can be made here".to_owned();
        return vec![Row { what: "in 100m CPU and 32Mi".to_owned(), bare: nothing(), podfit: nothing() }];
    };
    let row = |what: &str, figure: fn(&Figures) -> String| Row {
        what: format!("in 100m CPU and 32Mi: {what}"),
        bare: figure(&figures[0]),
        podfit: figure(&figures[1]),
    };
    vec![
        row("Pods a second, each by `/mutate` and `/validate`", |it| format!("{:.0}", it.pods_per_second)),
        row("the most memory that is charged to it", |it| it.most_kibibytes.map_or_else(String::new, mebibytes)),
    ]
}

fn measure(programs: &Programs, runtime: &Runtime, which: Which) -> Option<Figures> {
    let name = if which == Which::Podfit { "podfit" } else { "bare" };
    let group = Group::make(&format!("{name}-bench-{}", std::process::id()))?;
    let server = programs.start_in(which, &group);
    let client = client(&server);
    let took = runtime.block_on(async {
        let cases = cases::all(&crate::programs::client(&programs.start(Which::Podfit))).await;
        let mut crowd = Crowd::connect(&client, CONNECTIONS).await;
        let [mutate, validate] = [cases[0].ask(which, &client).await, cases[1].ask(which, &client).await];
        let start = Instant::now();
        crowd.closed(&mutate, REVIEWS).await;
        crowd.closed(&validate, REVIEWS).await;
        start.elapsed()
    });
    #[expect(clippy::cast_precision_loss, reason = "a count of thousands")]
    let pods_per_second = REVIEWS as f64 / took.as_secs_f64();
    let most_kibibytes = group.peak();
    drop(server);
    Some(Figures { pods_per_second, most_kibibytes })
}

impl Group {
    /// By the second version of control groups or the first; none where neither can be.
    fn make(name: &str) -> Option<Self> {
        let root = Path::new("/sys/fs/cgroup");
        let (memory, cpu) = (MEMORY_BYTES.to_string(), CPU_MICROSECONDS.to_string());
        let controller = |folder: PathBuf, peak, settings: &[(&str, &str)]| {
            fs::create_dir(&folder).ok()?;
            // Removed again also where a setting is refused.
            let controller = Controller { folder, peak };
            settings.iter().try_for_each(|(file, text)| fs::write(controller.folder.join(file), text)).ok()?;
            Some(controller)
        };
        if root.join("cgroup.controllers").exists() {
            let settings = [("memory.max", memory.as_str()), ("cpu.max", &format!("{cpu} 100000"))];
            return Some(Self(vec![controller(root.join(name), Some("memory.peak"), &settings)?]));
        }
        let (memory_folder, cpu_folder) = (root.join("memory").join(name), root.join("cpu").join(name));
        let memory =
            controller(memory_folder, Some("memory.max_usage_in_bytes"), &[("memory.limit_in_bytes", &memory)])?;
        let cpu = controller(cpu_folder, None, &[("cpu.cfs_period_us", "100000"), ("cpu.cfs_quota_us", &cpu)])?;
        Some(Self(vec![memory, cpu]))
    }

    /// A shell that joins the group and becomes the program.
    pub fn arguments(&self, program: &Path, arguments: &[String]) -> Vec<String> {
        let join = |it: &Controller| format!("echo $$ > {}/cgroup.procs && ", it.folder.display());
        let joined = self.0.iter().map(join).collect::<Vec<_>>().concat();
        let settings =
            include_str!("../../Dockerfile").lines().find_map(|line| line.strip_prefix("ENV GLIBC_TUNABLES="));
        let script = format!("{joined}export GLIBC_TUNABLES={} && exec \"$@\"", settings.unwrap());
        let program = program.display().to_string();
        [vec!["-c".to_owned(), script, "sh".to_owned(), program], arguments.to_vec()].concat()
    }

    fn peak(&self) -> Option<u64> {
        let bytes = self.0.iter().find_map(|it| fs::read_to_string(it.folder.join(it.peak?)).ok())?;
        Some(bytes.trim().parse::<u64>().unwrap() >> 10)
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        // A group ends with its last process, which may take a moment: what is left of it is empty then.
        let _ = fs::remove_dir(&self.folder);
    }
}
