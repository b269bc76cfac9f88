//! `podfit export --check` against a real API server, and the overlay that runs it there.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use serde_json::json;

use crate::{
    Bench,
    cluster::{path, wait_for},
    exported::GROUP,
    plane,
    pods::{bad_container, good_container, pod},
    process,
};

const DEPLOY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy");
const POLICY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/policies/default.yaml");
const ALL: &str = "validatingadmissionpolicies,validatingadmissionpolicybindings";

/// As printed, changed by hand, and with more than the policy asks for.
pub fn differences(bench: &Bench) {
    let kubectl = |arguments: &[&str], input: &str| {
        let printed = bench.cluster().kubectl(arguments, input);
        assert_eq!(printed.code, 0, "{}", printed.error);
    };
    let policy = "ValidatingAdmissionPolicy/podfit-default";
    let binding = "ValidatingAdmissionPolicyBinding/podfit-default";
    assert_eq!(check(bench), (1, format!("{policy}: is not installed\n{binding}: is not installed\n")));
    let exported = podfit(&["export", "--policy", POLICY], None);
    kubectl(&["apply", "-f", "-"], &String::from_utf8(exported.stdout).unwrap());
    assert_eq!(check(bench), (0, "2 objects are installed as they are exported\n".to_owned()));
    no_warnings(bench);
    let milder = r#"{"spec": {"validationActions": ["Warn"], "matchResources": {"objectSelector": {"matchLabels": {"a": "b"}}}}}"#;
    kubectl(&["patch", "validatingadmissionpolicybinding", "podfit-default", "--type=merge", "-p", milder], "");
    let places = ["spec.validationActions[0]", "spec.matchResources.objectSelector"];
    let changed = places.map(|place| format!("{binding}: {place} differs\n"));
    assert_eq!(check(bench), (1, changed.concat()));
    kubectl(&["delete", "validatingadmissionpolicybinding", "podfit-default"], "");
    let stricter = podfit(&["export", "--policy", &format!("{DEPLOY}/policies/strict.yaml")], None);
    kubectl(&["apply", "-f", "-"], &String::from_utf8(stricter.stdout).unwrap());
    let rest = ["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"]
        .map(|kind| format!("{kind}/podfit-strict: is installed, and no policy asks for it\n"));
    assert_eq!(check(bench), (1, format!("{binding}: is not installed\n{}", rest.concat())));
    kubectl(&["delete", ALL, "--selector=podfit.dev/exported"], "");
}

/// The API server checks the expressions against the types of what they judge.
fn no_warnings(bench: &Bench) {
    let path = format!("{GROUP}/validatingadmissionpolicies/podfit-default");
    let status = wait_for("the check of types", || {
        let status = bench.cluster().get(&path).object()["status"].clone();
        (!status["observedGeneration"].is_null()).then_some(status)
    });
    assert_eq!(status["typeChecking"]["expressionWarnings"], json!(null));
}

pub fn unknown(bench: &Bench) {
    let folder = tempfile::tempdir().unwrap();
    let ca = bench.plane.folder().join("ca.crt");
    let [closed] = process::free_ports();
    let token = account_token(bench, "default", "default");
    for (server, token, message) in [
        (
            format!("https://127.0.0.1:{closed}"),
            "any",
            "error: --check: API server not reached to list validatingadmissionpolicies: ",
        ),
        (bench.plane.server.clone(), &token, "error: --check: not allowed to list validatingadmissionpolicies: "),
    ] {
        let kubeconfig = folder.path().join("kubeconfig");
        fs::write(&kubeconfig, plane::kubeconfig(&ca, &server, token, "default")).unwrap();
        let output = podfit(&["export", "--check"], Some(&kubeconfig));
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.starts_with(message), "{error}");
        assert_eq!((output.status.code(), output.stdout), (Some(2), Vec::new()));
    }
}

/// As it is shipped, with no podfit running: `/validate` fails open, the API server refuses, and the account of the CronJob may
/// look at what it compares.
pub fn overlay(bench: &Bench) {
    let cluster = bench.cluster();
    let applied = cluster.kubectl(&["apply", "-k", &format!("{DEPLOY}/overlays/backstop")], "");
    assert_eq!(applied.code, 0, "{}", applied.error);
    let pods = format!("{}?dryRun=All", path("pods", "default"));
    // A policy of an earlier case refuses until the API server has heard that it is gone.
    let refused = wait_for("a refusal", || {
        let answer = cluster.create(&pods, &pod("web", bad_container()));
        (answer.code == 403 && answer.message().contains("podfit-default")).then_some(answer)
    });
    assert_eq!(refused.message(), REFUSAL);
    cluster.create(&pods, &pod("web", good_container())).object();

    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = folder.path().join("kubeconfig");
    let token = account_token(bench, "podfit-system", "podfit-backstop");
    let ca = bench.plane.folder().join("ca.crt");
    fs::write(&kubeconfig, plane::kubeconfig(&ca, &bench.plane.server, &token, "podfit-system")).unwrap();
    let policies = cluster.get(&format!("{}/podfit-policy", path("configmaps", "podfit-system"))).object();
    for (name, policy) in policies["data"].as_object().unwrap() {
        fs::write(folder.path().join(name), policy.as_str().unwrap()).unwrap();
    }
    let policies = folder.path().to_str().unwrap();
    let output = podfit(&["export", "--check", "--policy", policies], Some(&kubeconfig));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "2 objects are installed as they are exported\n");
    assert_eq!(output.status.code(), Some(0));
}

/// Everything that is wrong, in the words of `/validate`.
const REFUSAL: &str = "pods \"web\" is forbidden: ValidatingAdmissionPolicy 'podfit-default' with binding 'podfit-default' denied \
    request: container \"app\" has no CPU limit; set resources.limits.cpu, such as 500m [rule resource-limits, policy default] \
    container \"app\" has no memory limit; set resources.limits.memory, such as 256Mi [rule resource-limits, policy default] \
    container \"app\" uses the image \"example.com/app\", which has no tag, so \"latest\" is implied; write a fixed tag or a \
    digest [rule image-tag, policy default]";

/// Exit status and output, as the administrator.
fn check(bench: &Bench) -> (i32, String) {
    let output = podfit(&["export", "--check", "--policy", POLICY], Some(bench.cluster().kubeconfig()));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
}

fn podfit(arguments: &[&str], kubeconfig: Option<&Path>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_podfit"));
    command.args(arguments).envs(kubeconfig.map(|path| ("KUBECONFIG", path))).output().unwrap()
}

fn account_token(bench: &Bench, namespace: &str, account: &str) -> String {
    let request = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}});
    let path = format!("{}/{account}/token", path("serviceaccounts", namespace));
    bench.cluster().create(&path, &request).object()["status"]["token"].as_str().unwrap().to_owned()
}
