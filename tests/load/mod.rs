//! A server of reviews as a child process, and load on it as the API server makes it: what `benches/server` and the soak
//! suite share.

pub mod client;
pub mod crowd;
#[path = "../cluster/process.rs"]
pub mod process;
pub mod review;
pub mod server;
