//! Everything that talks to an API server (feature `cluster`). `cli/serve.rs` calls it; the server knows nothing of it.

pub mod certificates;
mod client;
pub mod exported;
pub mod uninstall;

pub use client::{Cluster, ConnectError, Failure};

/// The name of everything that an installation consists of, but for what has a longer one.
pub const NAME: &str = "podfit";
