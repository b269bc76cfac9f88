//! `--write-reports`: objects in namespaces with failures, none elsewhere.

use serde_json::{Value, json};

use crate::{
    Printed, StandIn, scan, shop,
    stand_in::{Denied, Items},
};

const OPEN: &str = "/apis/openreports.io/v1alpha1/reports";
const POLICY: &str = "/apis/wgpolicyk8s.io/v1alpha2/policyreports";

/// With the CRDs of these paths.
fn stand_in(paths: &[&str]) -> StandIn {
    let mut world = shop();
    for path in paths {
        world.collections.insert((*path).to_owned(), Items::Kept(Vec::new()));
    }
    StandIn::start(world)
}

fn kept(stand_in: &StandIn, path: &str) -> Vec<Value> {
    let mut kept = Vec::new();
    stand_in.change(|world| kept.clone_from(world.kept(path)));
    kept
}

fn namespaces(kept: &[Value]) -> Vec<&str> {
    kept.iter().map(|it| it["metadata"]["namespace"].as_str().unwrap()).collect()
}

fn write(stand_in: &StandIn, arguments: &[&str]) -> Printed {
    scan(stand_in, &[&["--write-reports"], arguments].concat())
}

#[test]
fn one_object_for_each_namespace_with_failures() {
    for (paths, path) in [(&[POLICY][..], POLICY), (&[OPEN], OPEN), (&[POLICY, OPEN], OPEN)] {
        let stand_in = stand_in(paths);
        let printed = write(&stand_in, &[]);
        let kept = kept(&stand_in, path);
        assert_eq!((printed.code, namespaces(&kept)), (1, vec!["bank", "shop"]), "{paths:?}");
        let kind = kept[0]["kind"].as_str().unwrap();
        assert_eq!(printed.told(), [format!("note: {kind} objects named podfit: 2 written")], "{paths:?}");
    }
}

#[test]
fn an_object_says_what_fails() {
    let stand_in = stand_in(&[OPEN]);
    write(&stand_in, &["-n", "bank"]);
    let message = "container \"ledger\" uses the image \"vendor.example/ledger\", which has no tag, so \"latest\" is implied; \
                   write a fixed tag or a digest";
    let expected = json!({
        "apiVersion": "openreports.io/v1alpha1",
        "kind": "Report",
        "metadata": {"name": "podfit", "namespace": "bank", "labels": {"app.kubernetes.io/managed-by": "podfit"}},
        "summary": {"pass": 0, "fail": 1, "warn": 0, "error": 0, "skip": 0},
        "results": [{
            "source": "podfit", "policy": "default", "rule": "image-tag", "result": "fail", "scored": true,
            "severity": "high", "message": message,
            "resources": [{"apiVersion": "v1", "kind": "Pod", "namespace": "bank", "name": "ledger"}],
            "properties": {"mode": "Deny", "reason": "image has no fixed tag", "pods": "1", "container": "ledger"},
        }],
    });
    assert_eq!(kept(&stand_in, OPEN), [expected]);
}

#[test]
fn ours_go_where_nothing_fails_any_more() {
    let stand_in = stand_in(&[POLICY]);
    let report = |namespace: &str, name: &str, by: &str| {
        json!({"apiVersion": "wgpolicyk8s.io/v1alpha2", "kind": "PolicyReport",
            "metadata": {"name": name, "namespace": namespace, "labels": {"app.kubernetes.io/managed-by": by}}})
    };
    stand_in.change(|world| {
        world.kept(POLICY).push(report("kube-system", "podfit", "podfit"));
        world.kept(POLICY).push(report("kube-system", "another", "podfit"));
        world.kept(POLICY).push(report("playground", "podfit", "ann"));
    });
    let printed = write(&stand_in, &[]);
    assert_eq!(
        printed.told(),
        ["note: PolicyReport objects named podfit: 2 written, 1 deleted, where nothing fails any more"]
    );
    assert_eq!(namespaces(&kept(&stand_in, POLICY)), ["kube-system", "playground", "bank", "shop"]);
}

#[test]
fn nothing_is_touched_where_the_scan_is_incomplete() {
    let stand_in = stand_in(&[OPEN]);
    write(&stand_in, &[]);
    stand_in.change(|world| {
        world.denied = vec![
            Denied { plural: "pods", scope: None },
            Denied { plural: "pods", scope: Some("bank") },
            Denied { plural: "pods", scope: Some("shop") },
        ];
    });
    let printed = write(&stand_in, &[]);
    assert_eq!(printed.code, 2);
    let note = "note: Report objects named podfit: 2 left as they were, where the scan is incomplete";
    assert_eq!(printed.told()[0], note);
    assert_eq!(namespaces(&kept(&stand_in, OPEN)), ["bank", "shop"]);
}

#[test]
fn without_rights_it_is_an_error() {
    let stand_in = stand_in(&[OPEN]);
    stand_in.change(|world| world.denied = vec![Denied { plural: "reports", scope: Some("bank") }]);
    let printed = write(&stand_in, &[]);
    assert_eq!((printed.code, printed.told()[2]), (2, "--> /apis/openreports.io/v1alpha1/namespaces/bank/reports"));
}

#[test]
fn without_a_crd_nothing_is_scanned() {
    let stand_in = stand_in(&[]);
    let printed = crate::podfit(&stand_in.kubeconfig(), &["scan", "--write-reports"]);
    let expected = "error: --write-reports: this cluster knows neither openreports.io/v1alpha1 Report nor \
                    wgpolicyk8s.io/v1alpha2 PolicyReport; install the CRDs of one of them, such as those of \
                    github.com/openreports/reports-api\n";
    assert_eq!((printed.code, printed.output.as_str(), printed.error.as_str()), (2, "", expected));
    assert!(stand_in.requests().iter().all(|request| !request.contains("/pods")));
}
