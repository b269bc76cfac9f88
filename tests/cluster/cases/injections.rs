//! What podfit injects, as it is stored: after the API server's defaults, its validation and its other admission plugins.

use serde_json::{Value, json};

use super::{Case, Needs, case, workloads::PLAIN};
use crate::{
    pods::{difference, environment, good_container, pod, with, workload},
    suite::{Namespace, Suite},
};

pub const CASES: &[Case] = &[
    case("values_by_limit", Needs::Any, values),
    case("limits_come_from_a_limit_range_first", Needs::Any, limit_range),
    case("fields_that_podfit_does_not_know_survive", Needs::Any, unknown),
    case("resize_policies_are_added_where_the_api_takes_them", Needs::Any, resize_policies),
    case("what_the_user_set_stays", Needs::Any, user_set),
    case("a_dry_run_shows_what_would_be_injected", Needs::Any, dry_run),
];

fn values(suite: &Suite) {
    let namespace = suite.namespace("values");
    let limits = |cpu: &str, memory: &str| json!({"resources": {"limits": {"cpu": cpu, "memory": memory}}});
    for (name, container, of_pod, expected) in [
        ("small", limits("250m", "100M"), json!({}), &["GOMAXPROCS=2", "GOMEMLIMIT=90000000"][..]),
        ("rounded-up", limits("1500m", "64Mi"), json!({}), &["GOMAXPROCS<-limits.cpu/1", "GOMEMLIMIT=60397977"]),
        ("too-little-memory", limits("1", "8Mi"), json!({}), &["GOMAXPROCS=2"]),
        ("absurd", limits("1E999999", "1e40"), json!({}), &["GOMEMLIMIT=8301034833169298226"]),
        ("of-the-pod", json!({"resources": null}), limits("1500m", "100M"), &["GOMAXPROCS=2", "GOMEMLIMIT=90000000"]),
    ] {
        let made = create(&namespace, &with(pod(name, with(good_container(), &container)), &json!({"spec": of_pod})));
        assert_eq!(environment(&made)[2..], *expected, "{name}");
    }
}

/// What podfit changed in a Pod that was created, against the Pod that the API server makes without podfit. All else is as it
/// was: fields that podfit does not know, and the order of what the user wrote.
fn injected(suite: &Suite, namespace: &Namespace<'_>, pod: &Value) -> Value {
    let unfitted = suite.cluster.create("/api/v1/namespaces/kube-public/pods?dryRun=All", pod).object();
    let fitted = suite.cluster.create(&namespace.path("pods"), pod).object();
    difference(&unfitted, &fitted)
}

/// Its first container.
fn create(namespace: &Namespace<'_>, pod: &Value) -> Value {
    namespace.cluster.create(&namespace.path("pods"), pod).object()["spec"]["containers"][0].clone()
}

/// The in-tree plugin runs before the webhooks, so that a Pod has its limits when podfit sees it; a template has not.
fn limit_range(suite: &Suite) {
    let namespace = suite.namespace("ranged");
    let range = json!({
        "apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "defaults"},
        "spec": {"limits": [{"type": "Container", "default": {"cpu": "1500m", "memory": "128Mi"}}]},
    });
    suite.cluster.create(&namespace.path("limitranges"), &range).object();
    let bare = with(good_container(), &json!({"resources": null}));
    let deployment = suite.cluster.create(&namespace.path("deployments"), &workload("Deployment", "web", bare.clone()));
    assert_eq!((deployment.code, deployment.warnings.len()), (201, 2), "{:?}", deployment.warnings);
    let made = create(&namespace, &pod("web", bare));
    assert_eq!(made["resources"]["limits"], json!({"cpu": "1500m", "memory": "128Mi"}));
    assert_eq!(environment(&made)[2..], ["GOMAXPROCS<-limits.cpu/1", "GOMEMLIMIT=120795955"]);
}

/// Newer than the Kubernetes that podfit's own types are of, and none of it podfit's to read.
fn unknown(suite: &Suite) {
    let namespace = suite.namespace("unknown");
    let key =
        json!({"name": "KEY", "valueFrom": {"configMapKeyRef": {"name": "keys", "key": "key", "optional": true}}});
    let container = json!({
        "env": [key],
        "volumeMounts": [{"name": "keys", "mountPath": "/keys", "recursiveReadOnly": "Disabled", "readOnly": true}],
        "lifecycle": {"stopSignal": "SIGUSR1"},
        "securityContext": {"procMount": "Default", "appArmorProfile": {"type": "RuntimeDefault"}},
    });
    let spread = json!({"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway", "matchLabelKeys": ["hash"],
        "labelSelector": {"matchLabels": {"app": "web"}}});
    let spec = json!({"spec": {
        "os": {"name": "linux"},
        "hostnameOverride": "web.example.com",
        "volumes": [{"name": "keys", "emptyDir": {}}, {"name": "model", "image": {"reference": "example.com/model:7"}}],
        "securityContext": {"supplementalGroupsPolicy": "Strict"},
        "topologySpreadConstraints": [spread],
    }});
    let sent = with(pod("web", with(good_container(), &container)), &spec);
    let field = |path: &str| json!({"fieldRef": {"apiVersion": "v1", "fieldPath": path}});
    let of = |source: &str| json!({"source": source, "policy": "default"});
    let expected = json!({
        "/spec/containers/0/env": [
            {"name": "POD_NAME", "valueFrom": field("metadata.name")},
            {"name": "POD_NAMESPACE", "valueFrom": field("metadata.namespace")},
            {"name": "GOMAXPROCS", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu", "divisor": "1"}}},
            {"name": "GOMEMLIMIT", "value": "241591910"},
            key,
        ],
        "/annotations/podfit.dev/injected": {"app": {
            "POD_NAME": of("metadata.name"),
            "POD_NAMESPACE": of("metadata.namespace"),
            "GOMAXPROCS": of("limits.cpu=2"),
            "GOMEMLIMIT": {"value": "241591910", "source": "limits.memory=256Mi", "policy": "default"},
        }},
    });
    assert_eq!(injected(suite, &namespace, &sent), expected);
}

fn resize_policies(suite: &Suite) {
    let namespace = suite.namespace("restart");
    let of = |resource: &str| json!({"resourceName": resource, "restartPolicy": "RestartContainer"});
    let memory = json!({"resizePolicy": [of("memory")]});
    let live = [
        "GOMAXPROCS<-limits.cpu/1",
        "PODFIT_MEMORY_LIMIT_MI<-limits.memory/1Mi",
        "GOMEMLIMIT=$(PODFIT_MEMORY_LIMIT_MI)000000",
    ];
    for (name, container, restart, policies, variables) in [
        ("always", json!({}), "Always", json!([of("cpu"), of("memory")]), &live[..]),
        ("on-failure", json!({}), "OnFailure", json!([of("cpu"), of("memory")]), &live),
        // With which the API server takes no other policy than NotRequired.
        ("never", json!({}), "Never", Value::Null, &PLAIN[2..]),
        ("chosen", memory, "Always", json!([of("memory")]), &live),
    ] {
        let sent = with(pod(name, with(good_container(), &container)), &json!({"spec": {"restartPolicy": restart}}));
        let made = create(&namespace, &sent);
        assert_eq!(made["resizePolicy"], policies, "{name}");
        assert_eq!(environment(&made)[2..], *variables, "{name}");
    }
}

fn user_set(suite: &Suite) {
    let namespace = suite.namespace("values");
    let secret = json!([{"secretRef": {"name": "any", "optional": true}}]);
    let prefixed = json!([{"prefix": "APP_", "secretRef": {"name": "any", "optional": true}}]);
    for (name, container, expected) in [
        (
            "literal",
            json!({"env": [{"name": "POD_NAME", "value": "x"}, {"name": "GOMAXPROCS", "value": "7"}]}),
            &["POD_NAMESPACE<-metadata.namespace", "GOMEMLIMIT=241591910", "POD_NAME=x", "GOMAXPROCS=7"][..],
        ),
        ("env-from", json!({"envFrom": secret}), &PLAIN[..2]),
        ("env-from-with-prefix", json!({"envFrom": prefixed}), &PLAIN),
        ("null", json!({"env": null}), &PLAIN),
        ("empty", json!({"env": []}), &PLAIN),
    ] {
        let made = create(&namespace, &pod(name, with(good_container(), &container)));
        assert_eq!(environment(&made), expected, "{name}");
    }
}

fn dry_run(suite: &Suite) {
    let namespace = suite.namespace("values");
    let manifest = pod("web", good_container()).to_string();
    let arguments = ["create", "--dry-run=server", "-o", "json", "-n", &namespace.name, "-f", "-"];
    let shown: Value = serde_json::from_str(&suite.cluster.kubectl(&arguments, &manifest).output).unwrap();
    assert_eq!(environment(&shown["spec"]["containers"][0]), PLAIN);
    assert_eq!(suite.cluster.get(&format!("{}/web", namespace.path("pods"))).code, 404);
}
