//! Where policies come from: files (here), and the cluster, which writes its part of the [`Book`]. The command line, the tests
//! and the server's reloader call this.

mod book;
pub mod file;
pub mod object;

pub use book::Book;
pub use file::{PolicyError, PolicyMistake, Source, Texts, compile, load, load_default};
