//! Everything that talks to an API server (feature `cluster`). `cli/serve.rs`, `cli/scan.rs` and `cli/explain.rs` call it; the
//! server knows nothing of it.

pub mod certificates;
mod client;
mod list;
pub mod reports;
pub mod scan;
pub mod uninstall;

pub use client::{Cluster, ConnectError, Failure};
pub use scan::Namespaces;

/// The name of everything that an installation consists of, but for what has a longer one.
pub const NAME: &str = "podfit";
