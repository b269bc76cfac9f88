//! `podfit scan` and `podfit explain --pod` against a stand-in for an API server.

#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "stand_in/mod.rs"]
mod stand_in;

#[allow(dead_code)] // the bench uses the rest
#[path = "../benches/review/bodies.rs"]
mod bodies;
#[path = "scan/figures.rs"]
mod figures;
#[path = "scan/pages.rs"]
mod pages;
#[path = "scan/peak.rs"]
mod peak;
#[path = "scan/reports.rs"]
mod reports;
#[path = "scan/rights.rs"]
mod rights;

use std::{fs, path::Path, process::Command};

use serde_json::Value;
use stand_in::{Denied, StandIn, World, shop};

/// What a command printed.
#[derive(Debug)]
struct Printed {
    code: i32,
    output: String,
    error: String,
}

impl Printed {
    fn json(&self) -> Value {
        serde_json::from_str(&self.output).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Notes and errors of a text, with the path of the API behind an error.
    fn told(&self) -> Vec<&str> {
        let is_told = |line: &&str| ["note: ", "error: ", "--> "].iter().any(|start| line.starts_with(start));
        self.output.lines().filter(is_told).filter(|line| !line.starts_with("note: Pods passed over: ")).collect()
    }
}

fn podfit(kubeconfig: &Path, arguments: &[&str]) -> Printed {
    let mut command = Command::new(env!("CARGO_BIN_EXE_podfit"));
    let output = command.args(arguments).env("KUBECONFIG", kubeconfig).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Printed { code: output.status.code().unwrap(), output: text(output.stdout), error: text(output.stderr) }
}

fn scan(stand_in: &StandIn, arguments: &[&str]) -> Printed {
    let printed = podfit(&stand_in.kubeconfig(), &[&["scan"], arguments].concat());
    assert_eq!(printed.error, "", "nothing is told beside the report where nobody looks");
    printed
}

/// A policy in a file of the stand-in's folder.
fn policy(stand_in: &StandIn, spec: &str) -> String {
    let path = stand_in.folder().join("policy.yaml");
    let head = "apiVersion: podfit.dev/v1alpha1\nkind: SizingPolicy\nmetadata: {name: trial}\n";
    fs::write(&path, format!("{head}spec: {spec}\n")).unwrap();
    path.display().to_string()
}

#[test]
fn findings_are_told_by_namespace_and_owner() {
    let stand_in = StandIn::start(shop());
    let printed = scan(&stand_in, &[]);
    insta::assert_snapshot!(printed.output);
    assert_eq!(printed.code, 1);
}

#[test]
fn programs_read_the_same_report_with_numbers_of_pods() {
    let stand_in = StandIn::start(shop());
    let printed = scan(&stand_in, &["-n", "shop", "-o", "json"]);
    insta::assert_snapshot!(printed.output);
    for (format, part) in [
        ("sarif", "\"fullyQualifiedName\": \"shop/Deployment/api\""),
        ("junit", "<testsuite name=\"Deployment shop/api\" tests=\"5\" failures=\"2\""),
        ("html", "\"pods\":\"2 Pods\""),
        ("github", "::error title=image-tag%3A image has no fixed tag::Deployment shop/api: container \"api\" uses"),
    ] {
        let printed = scan(&stand_in, &["-n", "shop", "-o", format]);
        assert!(printed.output.contains(part), "{format}: {}", printed.output);
        assert_eq!(printed.code, 1, "{format}");
    }
}

#[test]
fn a_namespace_restricts_it_and_must_be_there() {
    let stand_in = StandIn::start(shop());
    let printed = scan(&stand_in, &["-n", "bank", "-o", "json"]);
    let summary = serde_json::json!({"objects": 1, "pods": 1, "deny": 1, "warn": 0, "audit": 0, "inject": 4, "exempted": 0,
        "skipped": 1});
    assert_eq!((printed.code, &printed.json()["summary"]), (1, &summary));

    let printed = scan(&stand_in, &["-n", "bnak"]);
    let expected = ["error: get namespaces/bnak: there is none", "--> /api/v1/namespaces/bnak"];
    assert_eq!((printed.code, printed.told()), (2, expected.to_vec()));
}

#[test]
fn labels_of_namespaces_are_the_clusters() {
    let stand_in = StandIn::start(shop());
    let policy = policy(&stand_in, "{match: {namespaceSelector: {matchLabels: {team: bank}}}, imageTag: {mode: Warn}}");
    let printed = scan(&stand_in, &["--policy", &policy, "-o", "json"]);
    let report = printed.json();
    let owners: Vec<_> =
        report["findings"].as_array().unwrap().iter().map(|it| it["object"]["name"].as_str().unwrap()).collect();
    assert_eq!((printed.code, owners), (0, vec!["ledger"]));
    assert_eq!(scan(&stand_in, &["--policy", &policy, "--fail-on", "warn"]).code, 1);
}

#[test]
fn policies_of_the_cluster_are_used_where_none_are_given() {
    let mut world = shop();
    let policy = |name: &str, spec: Value| serde_json::json!({"apiVersion": "podfit.dev/v1alpha1", "kind": "SizingPolicy", "metadata": {"name": name}, "spec": spec});
    world.add(policy("images", serde_json::json!({"imageTag": {"mode": "Warn"}})));
    world.add(policy("mistaken", serde_json::json!({"imageTag": {"mode": "Refuse"}})));
    let stand_in = StandIn::start(world);
    let printed = scan(&stand_in, &[]);
    let mistake = "spec.imageTag.mode: must be Deny, Warn, Audit or Disabled, not `Refuse`";
    let expected = [
        format!("note: SizingPolicy mistaken is out of force: {mistake}"),
        "note: under 1 SizingPolicy object of the cluster".to_owned(),
    ];
    assert_eq!((printed.code, printed.told()), (0, expected.iter().map(String::as_str).collect()));
    assert!(printed.output.ends_with("3 Pods of 3 owners: 3 warnings; 3 passed over\n"), "{}", printed.output);

    let given = self::policy(&stand_in, "{imageTag: {}}");
    assert_eq!(scan(&stand_in, &["--policy", &given]).told(), Vec::<&str>::new());

    let printed = podfit(&stand_in.kubeconfig(), &["explain", "--pod", "bank/ledger"]);
    assert!(printed.output.contains("image-tag        Warn      policy images\n"), "{}", printed.output);

    stand_in.change(|world| world.denied = vec![Denied { plural: "sizingpolicies", scope: None }]);
    let printed = scan(&stand_in, &[]);
    assert!(printed.told()[0].ends_with("allows it; so the embedded policy is used"), "{}", printed.output);
    assert_eq!(printed.code, 1);
}

#[test]
fn exemptions_are_told_with_who_relies_on_them() {
    let stand_in = StandIn::start(shop());
    let exemptions = "
      - {reason: vendor chart, rules: [image-tag], match: {images: ['vendor.example/*']}}
      - {reason: moving, expires: 2026-12-06, rules: [image-tag, resource-limits], match: {namespaces: [shop]}}
      - {reason: nobody, expires: 2026-11-25, rules: [image-tag], match: {containers: [none]}}
      - {reason: not yet, expires: 2027-11-25, rules: [image-tag], match: {containers: [none]}}
      - {reason: gone, expires: 2026-11-23, rules: [image-tag], match: {containers: ['*']}}";
    let policy = policy(&stand_in, &format!("\n  imageTag: {{}}\n  resourceLimits: {{}}\n  exemptions:{exemptions}"));
    let printed = scan(&stand_in, &["--policy", &policy, "--today", "2026-11-24"]);
    let expected = [
        "note: policy trial: the exemption \"vendor chart\"; it spares 1 Pod of 1 owner",
        "note: policy trial: the exemption \"moving\" expires soon: 2026-12-06 is its last day; it spares 2 Pods of 2 owners",
        "note: policy trial: the exemption \"nobody\" expires soon: 2026-11-25 is its last day; it spares nobody",
        "note: policy trial: the exemption \"gone\" has expired on 2026-11-23 and exempts nothing",
    ];
    assert_eq!((printed.code, printed.told()), (0, expected.to_vec()));
    assert!(
        printed.output.ends_with("3 Pods of 3 owners: nothing to do; 4 exempted, 3 passed over\n"),
        "{}",
        printed.output
    );
}

#[test]
fn an_api_server_that_is_away_is_an_error() {
    let stand_in = StandIn::start(World::empty());
    let kubeconfig = stand_in.folder().join("nowhere");
    // Nobody listens on it: it is our own, of a connection to somebody else.
    let connection = std::net::TcpStream::connect(stand_in.address()).unwrap();
    let nowhere = connection.local_addr().unwrap().to_string();
    let text = fs::read_to_string(stand_in.kubeconfig()).unwrap().replace(&stand_in.address().to_string(), &nowhere);
    fs::write(&kubeconfig, text).unwrap();
    let printed = podfit(&kubeconfig, &["scan"]);
    let expected = "error: API server not reached to list sizingpolicies.podfit.dev: ";
    assert!(printed.error.starts_with(expected), "{printed:?}");
    assert_eq!((printed.code, printed.output.as_str()), (2, ""));

    let policy = policy(&stand_in, "{imageTag: {}}");
    let printed = podfit(&kubeconfig, &["scan", "--policy", &policy]);
    assert!(printed.output.starts_with("error: API server not reached to list namespaces: "), "{printed:?}");
    assert_eq!(printed.code, 2);

    let printed = podfit(&stand_in.folder().join("none"), &["scan"]);
    assert!(printed.error.starts_with("error: no cluster to ask: neither a kubeconfig"), "{printed:?}");
    assert_eq!((printed.code, printed.output.as_str()), (2, ""));
}

#[test]
fn every_policy_that_does_not_govern_is_told_why() {
    let stand_in = StandIn::start(shop());
    let policies = [
        ("high", "{priority: 7, match: {namespaceSelector: {matchLabels: {team: shop}}}, imageTag: {mode: Warn}}"),
        ("low", "{priority: -1, imageTag: {}, probes: {}, resourceLimits: {}}"),
        ("a-tie", "{resourceLimits: {mode: Audit}}"),
        ("b-tie", "{resourceLimits: {}, probes: {mode: Disabled}}"),
        ("bank", "{match: {namespaces: [bank]}, imageTag: {}}"),
        ("excluded", "{match: {excludeNamespaces: [sh*]}, imageTag: {}}"),
        ("labels", "{match: {namespaceSelector: {matchLabels: {team: bank}}}, imageTag: {}}"),
        ("pods", "{match: {podSelector: {matchLabels: {app: web}}}, imageTag: {}}"),
        ("only-exempts", "{exemptions: [{reason: r, rules: [probes], match: {containers: ['*']}}]}"),
    ];
    let folder = stand_in.folder().join("policies");
    fs::create_dir(&folder).unwrap();
    for (name, spec) in policies {
        let head = "apiVersion: podfit.dev/v1alpha1, kind: SizingPolicy";
        fs::write(folder.join(format!("{name}.yaml")), format!("{{{head}, metadata: {{name: {name}}}, spec: {spec}}}"))
            .unwrap();
    }
    let arguments = ["explain", "--pod", "shop/api-6d4cf56db6-q7r5t", "--policy", folder.to_str().unwrap()];
    let printed = podfit(&stand_in.kubeconfig(), &arguments);
    let governors = printed.output.split("  container ").next().unwrap();
    insta::assert_snapshot!(governors);
}

#[test]
fn a_running_pod_is_explained() {
    let stand_in = StandIn::start(shop());
    let explain = |pod: &str| podfit(&stand_in.kubeconfig(), &["explain", "--pod", pod]);
    let printed = explain("shop/api-6d4cf56db6-q7r5t");
    insta::assert_snapshot!(printed.output);
    assert_eq!((printed.code, printed.error.as_str()), (0, ""));

    let rows = [
        ("shop/none", "error: there is no Pod shop/none\n"),
        ("api", "error: invalid value 'api' for '--pod <NAMESPACE/NAME>': write NAMESPACE/NAME"),
    ];
    for (pod, expected) in rows {
        let printed = explain(pod);
        assert!(printed.error.starts_with(expected), "{printed:?}");
        assert_eq!(printed.code, 2, "{pod}");
    }
}
