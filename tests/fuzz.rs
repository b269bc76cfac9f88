//! Every file of the corpus that `just fuzz` has found, replayed: in a moment and without its instrumentation.

#![allow(clippy::panic, clippy::unwrap_used, reason = "checks panic where a promise is broken")]

#[path = "../fuzz/src/lib.rs"]
mod checks;

use std::{
    fs,
    panic::catch_unwind,
    path::{Path, PathBuf},
};

#[test]
fn every_file_of_the_corpus_keeps_the_promises() {
    let mut broken = Vec::new();
    for (name, check) in checks::TARGETS {
        let files = corpus(name);
        assert!(!files.is_empty(), "{name} has no corpus");
        broken.extend(files.into_iter().filter(|file| {
            let bytes = fs::read(file).expect("the corpus can be read");
            catch_unwind(|| check(&bytes)).is_err()
        }));
    }
    assert!(broken.is_empty(), "promises are broken by {broken:#?}");
}

/// A check that no target asks would be replayed for ever and never searched.
#[test]
fn every_check_has_a_target() {
    let manifest = include_str!("../fuzz/Cargo.toml");
    let targets: Vec<&str> =
        manifest.split("[[bin]]\nname = \"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert_eq!(targets, checks::TARGETS.map(|(name, _)| name));
}

fn corpus(name: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
    let entries = fs::read_dir(folder).expect("each target has a folder");
    entries.map(|entry| entry.expect("the folder can be read").path()).collect()
}
