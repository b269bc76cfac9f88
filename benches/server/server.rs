//! podfit, or another server of reviews, as a process with ports and a certificate of its own, and what the kernel says of it.

use std::{
    fs,
    io::{self, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use podfit::certs::{LOCAL_HOSTS, make_pair};
use tempfile::TempDir;

use crate::load::process::{Process, free_ports};

/// Of the kernel's clock of a process's CPU time: Linux shows it to programs in hundredths of a second everywhere.
const TICK: Duration = Duration::from_millis(10);
const START: Duration = Duration::from_secs(30);

/// Ports that were free, and a certificate, for a server that is to be started.
pub struct Site {
    pub webhook: SocketAddr,
    pub admin: SocketAddr,
    /// The CA of the certificate, PEM.
    pub ca: String,
    folder: TempDir,
}

pub struct Server {
    pub process: Process,
    pub site: Site,
}

impl Site {
    pub fn new() -> Self {
        let folder = TempDir::with_prefix("podfit-load-").unwrap();
        let pair = make_pair(&LOCAL_HOSTS, 2).unwrap();
        fs::write(folder.path().join("tls.crt"), &pair.certificate).unwrap();
        fs::write(folder.path().join("tls.key"), &pair.key).unwrap();
        let [webhook, admin] = free_ports().map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        Self { webhook, admin, ca: pair.ca, folder }
    }

    /// In its folder: `tls.crt` and `tls.key` are there.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The arguments of a podfit on the ports of this site, with its own throw-away certificate.
    pub fn serve(&self) -> Vec<String> {
        let (webhook, admin) = (self.webhook.to_string(), self.admin.to_string());
        ["serve", "--listen", &webhook, "--admin-listen", &admin].map(str::to_owned).to_vec()
    }

    /// The same with the certificate of this site.
    pub fn serve_with_files(&self) -> Vec<String> {
        let [certificate, key] = ["tls.crt", "tls.key"].map(|name| self.file(name).display().to_string());
        [self.serve(), ["--tls-cert", &certificate, "--tls-key", &key].map(str::to_owned).to_vec()].concat()
    }

    /// Without waiting for it. It ends with us.
    pub fn start(self, name: &str, program: &Path, arguments: &[String]) -> Server {
        let process = Process::start(name, program, arguments, &[], self.folder.path());
        Server { process, site: self }
    }

    /// The same with no program before it, whose start would count. It ends when dropped.
    pub fn start_directly(self, name: &str, program: &Path, arguments: &[String]) -> Server {
        let mut command = Command::new(program);
        command.args(arguments);
        Server { process: Process::run(name, command, self.folder.path()), site: self }
    }
}

impl Server {
    /// `podfit serve` with certificate files, once it is ready.
    pub fn podfit(program: &Path) -> Self {
        let site = Site::new();
        let arguments = site.serve_with_files();
        site.start("podfit", program, &arguments).once(Self::is_ready)
    }

    /// Once it is so.
    pub fn once(mut self, is_so: impl Fn(&Self) -> bool) -> Self {
        let start = Instant::now();
        while !is_so(&self) {
            self.process.check_alive();
            assert!(start.elapsed() < START, "{} does not come up:\n{}", self.process.name, self.process.tail());
            thread::sleep(Duration::from_millis(5));
        }
        self
    }

    pub fn is_ready(&self) -> bool {
        self.admin("/readyz").is_ok_and(|answer| answer.starts_with("HTTP/1.1 200 "))
    }

    /// Head and body of what the admin port answers.
    pub fn admin(&self, path: &str) -> io::Result<String> {
        let mut stream = TcpStream::connect(self.site.admin)?;
        stream.set_read_timeout(Some(START))?;
        write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    /// User and system time of all its threads, those that ended too.
    pub fn cpu(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.process.id())).unwrap();
        // The name of the program stands in parentheses, and may hold spaces.
        let (_, fields) = stat.rsplit_once(')').unwrap();
        let ticks: u32 = fields.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u32>().unwrap()).sum();
        TICK * ticks
    }
}
