//! What kubectl makes of us: the kustomizations, and `kubectl podfit`; and the script for kind where there is no kind.

use std::{collections::BTreeSet, env, os::unix::fs::symlink, path::PathBuf, process::Command};

use serde_json::Value;

use super::{KUSTOMIZATIONS, folder, objects, program, stdout, text, with_program};

#[test]
fn kustomize_builds_every_folder_with_the_webhook_configurations_last() {
    let Some(kubectl) = program("kubectl", "kubectl kustomize") else { return };
    for kustomization in KUSTOMIZATIONS {
        let path = folder().join(kustomization);
        let output = with_program("kubectl", &kubectl).arg("kustomize").arg(&path).output().expect("kubectl runs");
        let built = objects(&stdout(&output));
        let crd = path.join("crd.yaml");
        let crd = if crd.exists() { objects(&text(&crd)) } else { Vec::new() };
        let rendered = [crd, objects(&text(&path.join("podfit.yaml")))].concat();
        assert_eq!(names(&built), names(&rendered), "{kustomization}");
        let last: Vec<_> = built.iter().rev().take(2).map(|object| object["kind"].clone()).collect();
        assert_eq!(last, ["ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"], "{kustomization}");
    }
}

#[test]
fn kubectl_finds_the_plugin() {
    let Some(kubectl) = program("kubectl", "kubectl podfit") else { return };
    let plugins = tempfile::tempdir().expect("a folder of our own");
    let plugin = plugins.path().join("kubectl-podfit");
    symlink(env!("CARGO_BIN_EXE_podfit"), &plugin).expect("a link of our own");
    let output = with_program(kubectl.to_str().expect("a path of text"), &plugin).args(["podfit", "rules"]).output();
    assert_eq!(stdout(&output.expect("kubectl runs")), stdout(&super::podfit(&["rules"])));
}

#[test]
fn without_its_programs_the_script_for_kind_says_which() {
    let script = folder().join("kind.sh");
    for (arguments, message) in [
        (vec!["up"], "deploy/kind.sh: kind is not on the PATH: install it (see kind.sigs.k8s.io)\n"),
        (vec!["down"], "deploy/kind.sh: kind is not on the PATH: install it (see kind.sigs.k8s.io)\n"),
        (vec![], "deploy/kind.sh up | down\n"),
    ] {
        let bare = tempfile::tempdir().expect("a folder of our own");
        symlink(which("dirname"), bare.path().join("dirname")).expect("a link of our own");
        let mut command = Command::new(which("bash"));
        let output = command.arg(&script).args(&arguments).env("PATH", bare.path()).output().expect("bash runs");
        assert_eq!(String::from_utf8_lossy(&output.stderr), message, "{arguments:?}");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    }
}

fn names(objects: &[Value]) -> BTreeSet<String> {
    objects.iter().map(|object| format!("{} {}", object["kind"], object["metadata"]["name"])).collect()
}

fn which(name: &str) -> PathBuf {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut found = env::split_paths(&path).map(|folder| folder.join(name));
    found.find(|path| path.is_file()).unwrap_or_else(|| panic!("no {name} on the PATH"))
}
