//! `podfit certs DIR --host NAME...`: a CA and a server pair, for laptops and kind.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

use crate::certs::{LOCAL_HOSTS, Pair, make_pair};

const DAYS: u32 = 365;

/// Writes ca.crt, tls.crt and tls.key into a folder: a CA and a server pair for laptops and kind.
///
/// The pair is valid for a year. Files that are there already are never replaced: remove them first. The key of the CA
/// is not kept.
#[derive(Debug, clap::Args)]
pub struct Certs {
    /// Folder, made if it is not there
    dir: PathBuf,

    /// DNS name or IP address of the server; for a Service NAME.NAMESPACE.svc
    #[arg(long = "host", value_name = "NAME", num_args = 1.., default_values = LOCAL_HOSTS)]
    hosts: Vec<String>,
}

impl Certs {
    /// Writes the three files, or none.
    ///
    /// # Errors
    ///
    /// Where one of them is there, a host is no name, or the folder cannot be written.
    pub fn run(self) -> Result<()> {
        let Pair { ca, certificate, key } =
            make_pair(&self.hosts, DAYS).with_context(|| format!("--host {}", self.hosts.join(" ")))?;
        let files = [("ca.crt", ca, 0o644), ("tls.crt", certificate, 0o644), ("tls.key", key, 0o600)];
        fs::create_dir_all(&self.dir).with_context(|| format!("create {}", self.dir.display()))?;
        for path in files.iter().map(|(name, ..)| self.dir.join(name)) {
            if path.symlink_metadata().is_ok() {
                bail!("{} is there already; remove it to make a new pair", path.display());
            }
        }
        for (name, pem, mode) in files {
            let path = self.dir.join(name);
            create(&path, &pem, mode).with_context(|| format!("write {}", path.display()))?;
        }
        Ok(())
    }
}

fn create(path: &Path, pem: &str, mode: u32) -> std::io::Result<()> {
    OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?.write_all(pem.as_bytes())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn three_files_are_written_and_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let certs = || Certs { dir: folder.path().join("new"), hosts: vec!["podfit.podfit.svc".to_owned()] };
        certs().run().unwrap();
        for (name, mode) in [("ca.crt", 0o644), ("tls.crt", 0o644), ("tls.key", 0o600)] {
            let metadata = fs::metadata(folder.path().join("new").join(name)).unwrap();
            assert_eq!(metadata.permissions().mode() & 0o777, mode, "{name}");
        }
        let message = certs().run().unwrap_err().to_string();
        assert!(message.ends_with("ca.crt is there already; remove it to make a new pair"), "{message}");
    }
}
