//! What the server is told, resolved. `cli/serve.rs` makes it of flags and environment.

use std::path::PathBuf;

use tokio::sync::watch;

use super::{Bounds, Policies};
use crate::certs::Kept;

pub struct Settings {
    pub policies: Policies,
    pub certificate: CertificateFrom,
    /// PEM file; clients of the webhook port must then show a certificate of one of these CAs.
    pub client_ca: Option<PathBuf>,
    pub bounds: Bounds,
}

#[derive(Debug)]
pub enum CertificateFrom {
    /// PEM files, looked at again while serving.
    Files { certificate: PathBuf, key: PathBuf },
    /// A pair for localhost, made at the start; its CA is written to `ca_out`.
    ThrowAway { ca_out: Option<PathBuf> },
    /// Whatever a keeper puts in, as it comes; none yet at the start.
    Kept(watch::Receiver<Kept>),
}

impl CertificateFrom {
    pub(super) fn as_str(&self) -> &'static str {
        match self {
            Self::Files { .. } => "files",
            Self::ThrowAway { .. } => "throw-away",
            Self::Kept(_) => "self-managed",
        }
    }
}

/// What the cluster adds to the policies of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FromCluster {
    Nothing,
    /// Labels of namespaces.
    Namespaces,
    /// Those, and `SizingPolicy` objects.
    Policies,
}
