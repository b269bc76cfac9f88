//! The pages of docs/ whose commands need a cluster are followed, word for word, and print what the pages say.

use std::{fs, path::Path, process::Stdio};

use super::{Case, Needs, case, governance};
use crate::{blocks, suite::Suite};

pub const CASES: &[Case] = &[case("the_pages_about_a_cluster_can_be_followed", Needs::LocalAlone, follow)];

fn follow(suite: &Suite) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    governance::with_policies_of_the_cluster(suite, || {
        for entry in fs::read_dir(root.join("docs")).unwrap() {
            let page = entry.unwrap().path();
            let Ok(text) = fs::read_to_string(&page) else { continue };
            let run = blocks::rewritten(&text, "console cluster", |block| run(suite, root, block));
            if std::env::var_os("PODFIT_UPDATE_DOCUMENTATION").is_some() {
                fs::write(&page, run).unwrap();
            } else {
                assert_eq!(text, run, "{} does not say what its commands print", page.display());
            }
        }
    });
}

fn run(suite: &Suite, root: &Path, block: &str) -> String {
    let podfit = Path::new(env!("CARGO_BIN_EXE_podfit")).parent().unwrap();
    let kubectl = suite.cluster.kubectl_path().parent().unwrap();
    blocks::run(
        block,
        &[podfit, kubectl],
        |command| command,
        |printed| aged(&printed),
        |bash| {
            bash.current_dir(root).env("KUBECONFIG", suite.cluster.kubeconfig()).stdin(Stdio::null());
        },
    )
}

/// In a table of kubectl, the age of everything is the same.
fn aged(printed: &str) -> String {
    let lines = printed.split_inclusive('\n').map(|line| match line.trim_end().rsplit_once(' ') {
        Some((before, age)) if is_age(age) => format!("{before} 5s\n"),
        _ => line.to_owned(),
    });
    lines.collect()
}

fn is_age(word: &str) -> bool {
    word.strip_suffix('s').is_some_and(|seconds| seconds.parse::<u32>().is_ok())
}
