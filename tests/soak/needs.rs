//! What a case needs of the machine beside podfit. Where it is missing the case is left out, by name.

use std::{
    fs,
    path::{Path, PathBuf},
    process,
    process::Command,
    sync::LazyLock,
};

#[derive(Clone, Copy)]
pub enum Needs {
    Nothing,
    /// So many open files at once in this process.
    OpenFiles(usize),
    /// The library that gives a process another clock.
    Faketime,
}

impl Needs {
    /// What is missing, if anything.
    pub fn missing(self) -> Option<&'static str> {
        match self {
            Self::OpenFiles(number) if number > *OPEN_FILES => Some("the hard limit of open files is too low"),
            Self::Faketime if faketime().is_none() => Some("no libfaketime"),
            _ => None,
        }
    }
}

/// Where Debian's and Fedora's packages put it.
pub fn faketime() -> Option<PathBuf> {
    let folders = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64"].map(Path::new);
    folders.iter().map(|folder| folder.join("faketime/libfaketimeMT.so.1")).find(|path| path.exists())
}

/// The crowds of all cases are open files of this process, and the usual soft limit is 1,024.
pub fn raise_open_files() {
    let limit = format!("--nofile={0}:{0}", *OPEN_FILES);
    let status = Command::new("prlimit").args(["--pid", &process::id().to_string(), &limit]).status();
    assert!(status.is_ok_and(|status| status.success()), "prlimit (util-linux) raises the limit of open files");
}

/// The hard limit.
static OPEN_FILES: LazyLock<usize> = LazyLock::new(|| {
    let limits = fs::read_to_string("/proc/self/limits").unwrap();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap_or(usize::MAX)
});
