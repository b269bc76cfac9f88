//! What podfit injects, as it is stored: after the API server's defaults, its validation and its other admission plugins.

use serde_json::{Value, json};

use super::{Case, Needs, case};
use crate::{
    pods::{good_container, injected, pod, with, workload},
    suite::Suite,
};

pub const CASES: &[Case] = &[
    case("values_by_limit", Needs::Any, values),
    case("limits_come_from_a_limit_range_first", Needs::Any, limit_range),
    case("fields_that_podfit_does_not_know_survive", Needs::Any, unknown),
    case("resize_policies", Needs::Any, resize_policies),
    case("a_dry_run_shows_what_would_be_injected", Needs::Any, dry_run),
];

fn values(suite: &Suite) {
    let namespace = suite.namespace("values");
    for (name, cpu, memory) in [("small", "250m", "100M"), ("ceiling", "1500m", "64Mi"), ("tiny", "1", "8Mi")] {
        let limits = json!({"resources": {"limits": {"cpu": cpu, "memory": memory}}});
        println!("{name} {:#}", injected(suite, &namespace, &pod(name, with(good_container(), &limits))));
    }
    let of_pod = json!({"spec": {"resources": {"limits": {"cpu": "1500m", "memory": "100M"}}}});
    let bare = with(good_container(), &json!({"resources": null}));
    println!("pod-level {:#}", injected(suite, &namespace, &with(pod("of-pod", bare), &of_pod)));
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
    println!("{:?}", deployment.warnings);
    println!("{:#}", injected(suite, &namespace, &pod("web", bare)));
}

/// Newer than the oldest Kubernetes that podfit's own types are of; none of it is podfit's to read.
fn unknown(suite: &Suite) {
    let namespace = suite.namespace("unknown");
    let container = json!({
        "restartPolicy": "Never",
        "restartPolicyRules": [{"action": "Restart", "exitCodes": {"operator": "In", "values": [42]}}],
        "env": [{"name": "KEY", "valueFrom": {"fileKeyRef": {"volumeName": "keys", "path": "keys.env", "key": "KEY"}}}],
        "volumeMounts": [{"name": "keys", "mountPath": "/keys", "recursiveReadOnly": "Disabled", "readOnly": true}],
        "lifecycle": {"stopSignal": "SIGUSR1"},
    });
    let spec = json!({"spec": {
        "os": {"name": "linux"},
        "hostnameOverride": "web.example.com",
        "volumes": [{"name": "keys", "emptyDir": {}}, {"name": "model", "image": {"reference": "example.com/model:7"}}],
        "securityContext": {"supplementalGroupsPolicy": "Strict"},
        "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway", "matchLabelKeys": ["hash"], "labelSelector": {"matchLabels": {"app": "web"}}}],
    }});
    println!("{:#}", injected(suite, &namespace, &with(pod("web", with(good_container(), &container)), &spec)));
}

fn resize_policies(suite: &Suite) {
    let namespace = suite.namespace("restart");
    println!("{:#}", injected(suite, &namespace, &pod("always", good_container())));
    let never = json!({"spec": {"restartPolicy": "Never"}});
    println!("{:#}", injected(suite, &namespace, &with(pod("never", good_container()), &never)));
    let chosen = json!({"resizePolicy": [{"resourceName": "memory", "restartPolicy": "RestartContainer"}]});
    println!("{:#}", injected(suite, &namespace, &pod("chosen", with(good_container(), &chosen))));
}

fn dry_run(suite: &Suite) {
    let namespace = suite.namespace("values");
    let manifest = pod("web", good_container()).to_string();
    let arguments = ["create", "--dry-run=server", "-o", "json", "-n", &namespace.name, "-f", "-"];
    let printed = suite.cluster.kubectl(&arguments, &manifest);
    let shown: Value = serde_json::from_str(&printed.output).unwrap();
    println!("{:#}", shown["spec"]["containers"][0]["env"]);
    assert_eq!(suite.cluster.get(&format!("{}/web", namespace.path("pods"))).code, 404);
}
