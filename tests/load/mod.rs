//! A child process, and reviews sent to it as the API server sends them: what `benches/server` and the soak suite share.

pub mod client;
#[path = "../cluster/process.rs"]
pub mod process;
pub mod review;
