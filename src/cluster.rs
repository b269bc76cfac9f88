//! Everything that talks to an API server (feature `cluster`). `cli/serve.rs`, `cli/scan.rs` and `cli/explain.rs` call it; the
//! server knows nothing of it.

pub mod certificates;
mod client;
pub mod exported;
mod governance;
mod list;
pub mod policies;
pub mod reports;
mod said;
pub mod scan;
pub mod uninstall;

pub use client::{Cluster, ConnectError, Failure};
pub use governance::Governance;
pub use scan::Namespaces;

/// The name of everything that an installation consists of, but for what has a longer one.
pub const NAME: &str = "podfit";
