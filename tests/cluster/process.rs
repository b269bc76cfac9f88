//! A program of the control plane, or podfit: started with its output in a file, and gone when dropped.

use std::{
    fs::{self, File},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, ChildStderr, Command, Stdio},
};

pub struct Process {
    pub name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// `setpriv` lets the kernel end the program with us, however we end. It is the thread that counts, so that what
    /// outlives a case is started by the main thread.
    pub fn start(
        name: &str,
        program: &Path,
        arguments: &[String],
        environment: &[(&str, &str)],
        folder: &Path,
    ) -> Self {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--"]).arg(program).args(arguments).envs(environment.iter().copied());
        Self::run(name, command, folder)
    }

    pub fn run(name: &str, mut command: Command, folder: &Path) -> Self {
        let log = folder.join(format!("{name}.log"));
        let file = File::create(&log).unwrap();
        command.stderr(file.try_clone().unwrap());
        Self::spawn(name, command, log, file)
    }

    /// With its standard error for the caller to read.
    #[allow(dead_code)] // the soak suite does
    pub fn piped(name: &str, mut command: Command, folder: &Path) -> (Self, ChildStderr) {
        let log = folder.join(format!("{name}.log"));
        let file = File::create(&log).unwrap();
        command.stderr(Stdio::piped());
        let mut process = Self::spawn(name, command, log, file);
        let pipe = process.child.stderr.take().unwrap();
        (process, pipe)
    }

    fn spawn(name: &str, mut command: Command, log: PathBuf, output: File) -> Self {
        command.stdin(Stdio::null()).stdout(output);
        let child = command.spawn().unwrap_or_else(|error| panic!("start {name}, {command:?}: {error}"));
        Self { name: name.to_owned(), child, log }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Of the kernel's account of it, in KiB: `VmRSS`, `VmHWM`.
    pub fn kibibytes(&self, what: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(&format!("{what}:"))).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    pub fn terminate(&self) {
        self.signal("TERM");
    }

    pub fn signal(&self, name: &str) {
        let status = Command::new("sh").args(["-c", "kill -s \"$0\" \"$1\"", name, &self.id().to_string()]).status();
        assert!(status.unwrap().success(), "SIG{name} to {}", self.name);
    }

    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Its exit code, once it has ended.
    pub fn exit_code(&mut self) -> Option<i32> {
        self.child.try_wait().unwrap().map(|status| status.code().unwrap_or(-1))
    }

    /// Panics with the end of the log if the program has ended, which none does by itself.
    pub fn check_alive(&mut self) {
        if let Some(code) = self.exit_code() {
            panic!("{} ended with code {code}:\n{}", self.name, self.tail());
        }
    }

    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap()).into_owned()
    }

    pub fn tail(&self) -> String {
        let log = self.log();
        let lines: Vec<String> = log.lines().map(|line| line.chars().take(300).collect()).collect();
        lines[lines.len().saturating_sub(10)..].join("\n")
    }
}

/// Bound all at once, so that they differ.
pub fn free_ports<const N: usize>() -> [u16; N] {
    let listeners = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
