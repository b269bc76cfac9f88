//! Stand-in for the command line: `serve` and `certs`.

pub mod certs;
pub mod serve;
