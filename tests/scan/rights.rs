//! What may not be read: it is an error where the judgement is not whole without it, and the rest is judged.

use crate::{Printed, StandIn, policy, scan, shop, stand_in::Denied};

const PODS: Denied = Denied { plural: "pods", scope: None };
const NAMESPACES: Denied = Denied { plural: "namespaces", scope: None };

/// The owners that were judged.
fn owners(stand_in: &StandIn) -> Vec<String> {
    let report = scan(stand_in, &["-o", "json"]).json();
    let name = |it: &serde_json::Value| format!("{}/{}", it["kind"].as_str().unwrap(), it["name"].as_str().unwrap());
    report["objects"].as_array().unwrap().iter().map(name).collect()
}

fn denied(denied: &[Denied]) -> StandIn {
    let mut world = shop();
    world.denied = denied.to_vec();
    StandIn::start(world)
}

const TELLS: &str = "docs/scan.md has a ClusterRole that allows it";
const WHOLE: [&str; 3] = ["Pod/ledger", "CronJob/report", "Deployment/api"];

#[test]
fn what_may_not_be_listed_is_said_and_the_rest_is_judged() {
    let pods_at = |scope: &str| {
        format!("pods is forbidden: User \"ann\" cannot list resource \"pods\" in API group \"\" {scope}")
    };
    let in_apps = |plural: &str| {
        let scope = "in API group \"apps\" at the cluster scope";
        format!("{plural}.apps is forbidden: User \"ann\" cannot list resource \"{plural}\" {scope}")
    };
    let namespaces = "namespaces is forbidden: User \"ann\" cannot list resource \"namespaces\" in API group \"\" at the cluster scope";
    let rows = [
        (
            "Pods of one namespace",
            denied(&[PODS, Denied { plural: "pods", scope: Some("bank") }]),
            vec![
                format!(
                    "error: not allowed to list pods in namespace bank: {}; {TELLS}",
                    pods_at("in the namespace \"bank\"")
                ),
                "--> /api/v1/namespaces/bank/pods".to_owned(),
            ],
            &WHOLE[1..],
            2,
        ),
        (
            "Pods of the cluster, and which namespaces there are",
            denied(&[PODS, NAMESPACES]),
            vec![
                format!(
                    "note: not allowed to list namespaces: {namespaces}; {TELLS}; so namespaces labelled podfit.dev/ignore=true are judged too"
                ),
                format!("error: not allowed to list pods: {}; {TELLS}", pods_at("at the cluster scope")),
                "--> /api/v1/pods".to_owned(),
            ],
            &[],
            2,
        ),
        (
            "ReplicaSets",
            denied(&[Denied { plural: "replicasets", scope: None }]),
            vec![format!(
                "note: not allowed to list replicasets.apps: {}; {TELLS}; so Pods are told by their ReplicaSet",
                in_apps("replicasets")
            )],
            &["Pod/ledger", "CronJob/report", "Deployment/api", "ReplicaSet/api-6d4cf56db6"],
            1,
        ),
        (
            "DaemonSets",
            denied(&[Denied { plural: "daemonsets", scope: None }]),
            vec![
                format!("error: not allowed to list daemonsets.apps: {}; {TELLS}", in_apps("daemonsets")),
                "--> /apis/apps/v1/daemonsets".to_owned(),
            ],
            &WHOLE,
            2,
        ),
        (
            "namespaces, whose labels no policy asks for",
            denied(&[NAMESPACES]),
            vec![format!(
                "note: not allowed to list namespaces: {namespaces}; {TELLS}; so namespaces labelled podfit.dev/ignore=true are judged too"
            )],
            &["Pod/ledger", "Pod/trial", "CronJob/report", "Deployment/api"],
            1,
        ),
    ];
    for (name, stand_in, expected, judged, code) in rows {
        let printed = scan(&stand_in, &[]);
        assert_eq!((printed.code, printed.told()), (code, expected.iter().map(String::as_str).collect()), "{name}");
        assert_eq!(owners(&stand_in), judged, "{name}");
    }
}

#[test]
fn labels_that_a_policy_asks_for_must_be_readable() {
    let stand_in = denied(&[NAMESPACES]);
    let policy = policy(&stand_in, "{match: {namespaceSelector: {matchLabels: {team: bank}}}, imageTag: {}}");
    let printed: Printed = scan(&stand_in, &["--policy", &policy]);
    assert_eq!((printed.code, printed.told()[1]), (2, "--> /api/v1/namespaces"));
}

#[test]
fn one_namespace_needs_no_rights_in_others() {
    let stand_in = denied(&[PODS, NAMESPACES]);
    let printed = scan(&stand_in, &["-n", "bank"]);
    assert!(
        printed.output.ends_with("1 Pod of 1 owner: 1 denied finding, 4 injections; 1 skipped\n"),
        "{}",
        printed.output
    );
    assert_eq!(printed.code, 1);
}
