//! What `deploy/` installs. Programs that a bare machine does not have (helm, kubectl) are looked for in the folder of the
//! control plane's programs and on the PATH; without them their tests say what they left out.

#![allow(clippy::panic)]

mod backstop;
mod chart;
mod kubectl;
mod manifests;
mod monitoring;

use std::{
    env, fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use podfit::manifest;
use serde_json::Value;

/// The folders that `kubectl apply -k` takes.
const KUSTOMIZATIONS: [&str; 6] = [
    "base",
    "overlays/kind",
    "overlays/cert-manager",
    "overlays/high-availability",
    "overlays/cluster-policies",
    "overlays/backstop",
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy")
}

/// Where the program is; where it is nowhere, says that the check of something was left out.
fn program(name: &str, check: &str) -> Option<PathBuf> {
    let folders = ["PODFIT_CONTROL_PLANE", "KUBEBUILDER_ASSETS"].into_iter().filter_map(env::var_os).map(PathBuf::from);
    let path = env::var_os("PATH").unwrap_or_default();
    let found = folders.chain(env::split_paths(&path)).map(|folder| folder.join(name)).find(|path| path.is_file());
    if found.is_none() {
        // Past the capture of tests that pass: what was not checked must not go unseen.
        let line = format!("deploy: left out: {check} (no {name} on the PATH)\n");
        std::io::stderr().write_all(line.as_bytes()).expect("standard error takes a line");
    }
    found
}

/// The command with the folder of a found program first on its PATH.
fn with_program(command: &str, program: &Path) -> Command {
    let mut folders = vec![program.parent().expect("a program is in a folder").to_owned()];
    folders.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
    let mut command = Command::new(command);
    command.env("PATH", env::join_paths(folders).expect("folders without colons"));
    command
}

fn podfit(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_podfit")).args(arguments).output().expect("podfit runs")
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn objects(yaml: &str) -> Vec<Value> {
    let documents = manifest::read(yaml).into_iter().map(|document| document.expect("manifests are YAML"));
    documents.map(|document| serde_json::from_str(&document.json).expect("JSON of our own")).collect()
}

fn of_kind<'a>(objects: &'a [Value], kind: &str) -> Vec<&'a Value> {
    objects.iter().filter(|object| object["kind"] == kind).collect()
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).expect("output is text")
}
