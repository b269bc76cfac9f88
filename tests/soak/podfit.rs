//! podfit as a process: started as it is shipped, on ports that it chooses itself, and read through the kernel and its metrics.

use std::{
    collections::BTreeMap,
    env, fs,
    io::Read,
    net::SocketAddr,
    path::Path,
    process::{ChildStderr, Command},
    thread,
    time::{Duration, Instant},
};

use podfit::certs::{LOCAL_HOSTS, Pair, make_pair};
use tempfile::TempDir;

use crate::{
    client::{self, Link},
    load::{client::Client, process::Process},
};

const PODFIT_PROGRAM: &str = "PODFIT_PROGRAM";
/// What is not so by then never will be.
const PATIENCE: Duration = Duration::from_secs(30);

pub struct Podfit {
    pub webhook: SocketAddr,
    pub client: Client,
    /// With `tls.crt` and `tls.key`, and whatever a case puts there.
    pub folder: TempDir,
    pub process: Process,
    admin: SocketAddr,
}

/// How a case starts it: in this folder, which may hold what the arguments name.
pub struct Start<'a> {
    pub folder: TempDir,
    pub pair: Pair,
    pub arguments: &'a [&'a str],
    pub environment: &'a [(&'a str, &'a str)],
    /// Soft and hard.
    pub open_files: usize,
}

/// What the kernel says of a process.
#[derive(Debug, Clone, Copy)]
pub struct Readings {
    /// Resident, in KiB.
    pub memory: u64,
    /// The most that was resident since the last `forget_peak`, in KiB.
    pub peak: u64,
    pub descriptors: usize,
}

/// A page of `/metrics`: samples by name and labels.
pub struct Page(BTreeMap<String, f64>);

impl Default for Start<'_> {
    fn default() -> Self {
        Self {
            folder: TempDir::with_prefix("podfit-soak-").unwrap(),
            pair: make_pair(&LOCAL_HOSTS, 2).unwrap(),
            arguments: &[],
            environment: &[],
            open_files: 8192,
        }
    }
}

impl Start<'_> {
    /// `setpriv` lets the kernel end podfit with the thread of its case, however that ends.
    fn command(&self) -> Command {
        place(self.folder.path(), &self.pair);
        let program = env::var_os(PODFIT_PROGRAM).unwrap_or_else(|| env!("CARGO_BIN_EXE_podfit").into());
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--", "prlimit"]);
        command.arg(format!("--nofile={0}:{0}", self.open_files)).arg("--").arg(fs::canonicalize(program).unwrap());
        command.args(["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--log-format", "json"]);
        command.args(["--tls-cert", "tls.crt", "--tls-key", "tls.key"]).args(self.arguments);
        command.envs(shipped_environment()).envs(self.environment.iter().copied()).current_dir(self.folder.path());
        command
    }
}

/// How the image tells the allocator to give memory back.
fn shipped_environment() -> Option<(&'static str, &'static str)> {
    const DOCKERFILE: &str = include_str!("../../Dockerfile");
    let settings = DOCKERFILE.lines().filter_map(|line| line.strip_prefix("ENV ")).flat_map(str::split_whitespace);
    settings.filter_map(|setting| setting.split_once('=')).find(|(name, _)| *name == "GLIBC_TUNABLES")
}

impl Podfit {
    pub fn start() -> Self {
        Self::with(Start::default())
    }

    pub fn with(start: Start<'_>) -> Self {
        let mut process = Process::run("podfit", start.command(), start.folder.path());
        let line = wait_for("the first line of the log", || {
            process.check_alive();
            process.log().split_once('\n').map(|(line, _)| line.to_owned())
        });
        Self::of(start, process, &line)
    }

    /// Its log is a pipe, of which the first line is read.
    pub fn with_pipe(start: Start<'_>) -> (Self, ChildStderr) {
        let (process, mut pipe) = Process::piped("podfit", start.command(), start.folder.path());
        let mut line = Vec::new();
        while !line.ends_with(b"\n") {
            let mut byte = [0];
            assert_eq!(pipe.read(&mut byte).unwrap(), 1, "{}", String::from_utf8_lossy(&line));
            line.push(byte[0]);
        }
        (Self::of(start, process, &String::from_utf8(line).unwrap()), pipe)
    }

    fn of(start: Start<'_>, process: Process, first_line: &str) -> Self {
        let line: serde_json::Value = serde_json::from_str(first_line).unwrap_or_else(|_| panic!("{first_line}"));
        let address = |key: &str| {
            let text = line[key].as_str().and_then(|text| text.split("//").nth(1)).unwrap_or_default();
            let address = text.split(' ').next().unwrap_or_default();
            address.parse().unwrap_or_else(|_| panic!("no address of {key}: {first_line}"))
        };
        let webhook = address("webhook");
        let client = Client::new(webhook, &start.pair.ca);
        Self { webhook, admin: address("admin"), client, folder: start.folder, process }
    }

    pub async fn connect(&self) -> Link {
        Link::connect(&self.client).await.unwrap()
    }

    pub fn readings(&self) -> Readings {
        Readings {
            memory: self.process.kibibytes("VmRSS"),
            peak: self.process.kibibytes("VmHWM"),
            descriptors: fs::read_dir(format!("/proc/{}/fd", self.process.id())).unwrap().count(),
        }
    }

    /// From here on the peak is another.
    pub fn forget_peak(&self) {
        fs::write(format!("/proc/{}/clear_refs", self.process.id()), "5").unwrap();
    }

    /// By a signal.
    pub fn is_stopped(&self) -> bool {
        fs::read_to_string(format!("/proc/{}/stat", self.process.id())).unwrap().contains(") T ")
    }

    /// Soft, of the running process.
    pub fn limit_open_files(&self, number: usize) {
        let limit = format!("--nofile={number}:");
        let status = Command::new("prlimit").args(["--pid", &self.process.id().to_string(), &limit]).status();
        assert!(status.unwrap().success(), "prlimit {limit}");
    }

    pub async fn metrics(&self) -> Page {
        Page::read(&self.admin("/metrics").await.1)
    }

    /// Status and text of a page of the admin port.
    pub async fn admin(&self, path: &str) -> (u16, String) {
        let answer = client::get(self.admin, path).await.unwrap();
        (answer.status, answer.text().to_owned())
    }

    /// Replaces its certificate, and then the key.
    pub fn place(&self, pair: &Pair) {
        place(self.folder.path(), pair);
    }

    /// SIGTERM, and how it ends.
    pub fn terminate(&mut self) {
        self.process.terminate();
        assert_eq!(wait_for("the end of podfit", || self.process.exit_code()), 0);
    }
}

impl Drop for Podfit {
    fn drop(&mut self) {
        if thread::panicking() {
            println!("the end of the log of podfit:\n{}", self.process.tail());
        }
    }
}

impl Page {
    fn read(text: &str) -> Self {
        let samples = text.lines().filter(|line| !line.starts_with('#')).map(|line| line.rsplit_once(' ').unwrap());
        Self(samples.map(|(name, value)| (name.to_owned(), value.parse().unwrap())).collect())
    }

    /// Of a sample; nothing counted is zero.
    pub fn count(&self, name: &str) -> u64 {
        self.0.get(name).map_or(0, |value| whole(*value))
    }

    /// Samples of a metric by their labels.
    pub fn counts(&self, metric: &str) -> BTreeMap<String, u64> {
        let samples = self.0.iter().filter_map(|(name, value)| Some((name.strip_prefix(metric)?, value)));
        samples.map(|(labels, value)| (labels.to_owned(), whole(*value))).collect()
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // counters are whole
fn whole(value: f64) -> u64 {
    value as u64
}

fn place(folder: &Path, pair: &Pair) {
    replace(&folder.join("tls.crt"), &pair.certificate);
    replace(&folder.join("tls.key"), &pair.key);
}

/// Nobody ever sees half of it.
pub fn replace(path: &Path, text: &str) {
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    fs::write(&new, text).unwrap();
    fs::rename(&new, path).unwrap();
}

/// Asks until there is an answer.
pub fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(began.elapsed() < PATIENCE, "waited for {what}");
        thread::sleep(Duration::from_millis(5));
    }
}
