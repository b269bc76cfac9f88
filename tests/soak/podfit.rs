//! podfit as a process: started on ports that it chooses itself, read through the kernel and its own metrics, gone when dropped.

use std::{
    collections::BTreeMap,
    env,
    fs::{self, File},
    io::{self, Read},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, ChildStderr, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use podfit::certs::{LOCAL_HOSTS, Pair, make_pair};
use tempfile::TempDir;

use crate::client::{self, Client};

const PODFIT_PROGRAM: &str = "PODFIT_PROGRAM";
/// What is not so by then never will be.
const PATIENCE: Duration = Duration::from_secs(30);

pub struct Podfit {
    pub webhook: SocketAddr,
    pub admin: SocketAddr,
    pub client: Client,
    /// With `tls.crt` and `tls.key`, `log` where the log is a file, and whatever a case puts there.
    pub folder: TempDir,
    child: Child,
}

/// How a case starts it. The folder may hold what the arguments name.
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
            folder: TempDir::new().unwrap(),
            pair: make_pair(&LOCAL_HOSTS, 2).unwrap(),
            arguments: &[],
            environment: &[],
            open_files: 8192,
        }
    }
}

impl Podfit {
    pub fn start() -> Self {
        Self::with(Start::default())
    }

    /// Its log is a file of its folder.
    pub fn with(start: Start<'_>) -> Self {
        let log = start.folder.path().join("log");
        let child = start.spawn(File::create(&log).unwrap().into());
        wait_for("the first line of the log", || fs::read_to_string(&log).unwrap().contains('\n').then_some(()));
        let log = fs::read_to_string(&log).unwrap();
        Self::of(start, child, log.lines().next().unwrap())
    }

    /// Its log is a pipe, of which the first line is read.
    pub fn with_pipe(start: Start<'_>) -> (Self, ChildStderr) {
        let mut child = start.spawn(Stdio::piped());
        let mut pipe = child.stderr.take().unwrap();
        let mut line = Vec::new();
        while !line.ends_with(b"\n") {
            let mut byte = [0];
            assert_eq!(pipe.read(&mut byte).unwrap(), 1, "{}", String::from_utf8_lossy(&line));
            line.push(byte[0]);
        }
        (Self::of(start, child, &String::from_utf8(line).unwrap()), pipe)
    }

    fn of(start: Start<'_>, child: Child, first_line: &str) -> Self {
        let line: serde_json::Value = serde_json::from_str(first_line).unwrap_or_else(|_| panic!("{first_line}"));
        let address = |key: &str| {
            let text = line[key].as_str().and_then(|text| text.split("//").nth(1)).unwrap_or_default();
            let address = text.split(' ').next().unwrap_or_default();
            address.parse().unwrap_or_else(|_| panic!("no address of {key}: {first_line}"))
        };
        let client = Client::trusting(&[&start.pair.ca]);
        Self { webhook: address("webhook"), admin: address("admin"), client, folder: start.folder, child }
    }

    pub fn readings(&self) -> Readings {
        let status = fs::read_to_string(self.proc("status")).unwrap();
        let kibibytes = |what: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(what)).unwrap();
            line.trim().trim_end_matches(" kB").parse().unwrap()
        };
        Readings {
            memory: kibibytes("VmRSS:"),
            peak: kibibytes("VmHWM:"),
            descriptors: fs::read_dir(self.proc("fd")).unwrap().count(),
        }
    }

    pub fn forget_peak(&self) {
        fs::write(self.proc("clear_refs"), "5").unwrap();
    }

    pub async fn metrics(&self) -> Page {
        let page = client::get(self.admin, "/metrics").await.unwrap();
        Page::read(&String::from_utf8(page.body).unwrap())
    }

    /// Status and text of a page of the admin port.
    pub async fn admin(&self, path: &str) -> (u16, String) {
        let answer = client::get(self.admin, path).await.unwrap();
        (answer.status, String::from_utf8(answer.body).unwrap())
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    /// `TERM`, `STOP`, ...
    pub fn signal(&self, name: &str) {
        run("kill", &["-s", name, &self.child.id().to_string()]);
    }

    /// Of the running process; soft and hard.
    pub fn limit_open_files(&self, number: usize) {
        run("prlimit", &["--pid", &self.child.id().to_string(), &format!("--nofile={number}:8192")]);
    }

    /// By a signal.
    pub fn is_stopped(&self) -> bool {
        fs::read_to_string(self.proc("stat")).unwrap().contains(") T ")
    }

    /// Replaces its certificate, and then the key.
    pub fn place(&self, pair: &Pair) {
        place(self.folder.path(), pair);
    }

    /// How it ended.
    pub fn wait(&mut self) -> ExitStatus {
        wait_for("the end of podfit", || self.child.try_wait().unwrap())
    }

    fn proc(&self, file: &str) -> PathBuf {
        Path::new("/proc").join(self.child.id().to_string()).join(file)
    }
}

impl Start<'_> {
    /// `setpriv` lets the kernel end podfit with the thread of its case, however that ends.
    fn spawn(&self, log: Stdio) -> Child {
        place(self.folder.path(), &self.pair);
        let program = env::var_os(PODFIT_PROGRAM).unwrap_or_else(|| env!("CARGO_BIN_EXE_podfit").into());
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--", "prlimit"]);
        command.arg(format!("--nofile={0}:{0}", self.open_files)).arg("--").arg(program);
        command.args(["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--log-format", "json"]);
        command.args(["--tls-cert", "tls.crt", "--tls-key", "tls.key"]).args(self.arguments);
        command.envs(self.environment.iter().copied()).current_dir(self.folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        command.spawn().unwrap_or_else(|error| panic!("start podfit by setpriv and prlimit: {error}"))
    }
}

impl Drop for Podfit {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            println!("the end of the log of podfit:\n{}", lines[lines.len().saturating_sub(10)..].join("\n"));
        }
    }
}

impl Page {
    fn read(text: &str) -> Self {
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        Self(
            samples
                .map(|line| line.rsplit_once(' ').unwrap())
                .map(|(name, value)| (name.to_owned(), value.parse().unwrap()))
                .collect(),
        )
    }

    /// Nothing counted is zero.
    pub fn sample(&self, name: &str) -> f64 {
        self.0.get(name).copied().unwrap_or_default()
    }

    pub fn count(&self, name: &str) -> u64 {
        self.sample(name) as u64
    }

    /// Samples of a metric by their labels, without zeros.
    pub fn labelled(&self, metric: &str) -> BTreeMap<String, u64> {
        let samples =
            self.0.iter().filter_map(|(name, value)| Some((name.strip_prefix(metric)?.to_owned(), *value as u64)));
        samples.filter(|(_, value)| *value > 0).collect()
    }
}

fn place(folder: &Path, pair: &Pair) {
    replace(&folder.join("tls.crt"), &pair.certificate);
    replace(&folder.join("tls.key"), &pair.key);
}

/// Other processes never see half of it.
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

fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
}

/// An error of a client whom the server has closed on.
pub fn is_closed(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionAborted
    )
}
