//! Where policies come from: files (here), later the cluster. The command line, the tests and the server's reloader call this.

pub mod file;

pub use file::{PolicyError, PolicyMistake, Source, Texts, compile, load, load_default};
