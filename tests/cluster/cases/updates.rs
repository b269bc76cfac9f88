//! What is old stays as it is: updates of Pods and workloads that were there before podfit.

use serde_json::{Value, json};

use super::{Case, Needs, case};
use crate::{
    cluster::{Call, wait_for},
    pods::{bad_container, good_container, pod, with, workload},
    suite::{Namespace, Suite},
};

pub const CASES: &[Case] = &[
    case("an_old_bad_pod_is_never_blocked", Needs::Any, old_pod),
    case("an_update_to_latest_is_denied", Needs::Any, to_latest),
    case("an_old_bad_replica_set_scales", Needs::Any, replica_set),
    case("an_old_bad_deployment_rolls_and_scales", Needs::Any, deployment),
    case("debug_containers_need_no_limits_but_a_tag", Needs::Any, debug),
    case("a_resize_to_zero_is_denied_and_a_stale_value_told", Needs::Any, resize),
    case("a_pod_may_be_applied_again", Needs::Any, apply),
];

/// As podfit would find it on its first day: the label exempts it, and is gone when this returns.
fn old(suite: &Suite, namespace: &Namespace<'_>, resource: &str, object: Value) -> String {
    let labels = json!({"metadata": {"labels": {"before": "podfit"}}});
    let created = suite.cluster.create(&namespace.path(resource), &with(object, &labels)).object();
    let path = format!("{}/{}", namespace.path(resource), created["metadata"]["name"].as_str().unwrap());
    suite.cluster.patch(&path, &json!({"metadata": {"labels": {"before": null}}})).object();
    path
}

fn old_pod(suite: &Suite) {
    let namespace = suite.namespace("updates");
    let finalizers = json!({"metadata": {"finalizers": ["example.com/last-will"]}});
    let path = old(suite, &namespace, "pods", with(pod("web", bad_container()), &finalizers));
    for (what, patch) in [
        ("a label", json!({"metadata": {"labels": {"team": "shop"}}})),
        ("an annotation", json!({"metadata": {"annotations": {"note": "x"}}})),
        ("the deadline", json!({"spec": {"activeDeadlineSeconds": 3600}})),
    ] {
        let answer = suite.cluster.patch(&path, &patch);
        assert_eq!((answer.code, answer.warnings), (200, vec![]), "{what}");
    }
    let status = json!({"status": {"phase": "Running"}});
    suite.cluster.patch(&format!("{path}/status"), &status).object();
    let deleting = suite.cluster.delete(&path).object();
    assert!(deleting["metadata"]["deletionTimestamp"].is_string());
    suite.cluster.patch(&path, &json!({"metadata": {"$patch": "merge", "finalizers": null}})).object();
    wait_for("the end of the Pod", || (suite.cluster.get(&path).code == 404).then_some(()));
}

fn to_latest(suite: &Suite) {
    let namespace = suite.namespace("updates");
    suite.cluster.create(&namespace.path("pods"), &pod("web", good_container())).object();
    let set = |image: &str| {
        suite.cluster.kubectl(&["-n", &namespace.name, "set", "image", "pod/web", &format!("app={image}")], "")
    };
    assert_eq!(set("example.com/app:2").error, "");
    println!("{:?}", set("example.com/app:latest"));
}

fn replica_set(suite: &Suite) {
    let namespace = suite.namespace("strict");
    let path = old(suite, &namespace, "replicasets", workload("ReplicaSet", "web", bad_container()));
    scale_and_annotate(suite, &path);
}

fn scale_and_annotate(suite: &Suite, path: &str) {
    for patch in [json!({"spec": {"replicas": 3}}), json!({"metadata": {"annotations": {"note": "x"}}})] {
        let answer = suite.cluster.patch(path, &patch);
        assert_eq!((answer.code, answer.warnings), (200, vec![]), "{patch}");
    }
    let scale = suite.cluster.get(&format!("{path}/scale")).object();
    suite.cluster.replace(&format!("{path}/scale"), &with(scale, &json!({"spec": {"replicas": 1}}))).object();
}

/// The controller that scales the old ReplicaSet is asked for leave as anyone: a refusal would freeze the rollout.
fn deployment(suite: &Suite) {
    let namespace = suite.namespace("strict");
    let path = old(suite, &namespace, "deployments", workload("Deployment", "web", bad_container()));
    scale_and_annotate(suite, &path);
    let better = json!({"spec": {"template": {"spec": {"containers": [good_container()]}}}});
    let answer = suite.cluster.patch(&path, &better);
    assert_eq!((answer.code, answer.warnings), (200, vec![]));
    wait_for("the new ReplicaSet beside the old one", || {
        let sets = suite.cluster.get(&namespace.path("replicasets")).object();
        let revisions =
            sets["items"].as_array().unwrap().iter().map(|set| {
                set["metadata"]["annotations"]["deployment.kubernetes.io/revision"].as_str().map(str::to_owned)
            });
        let mut revisions: Vec<_> = revisions.collect();
        revisions.sort();
        (revisions == [Some("1".to_owned()), Some("2".to_owned())]).then_some(())
    });
}

fn debug(suite: &Suite) {
    let namespace = suite.namespace("updates");
    let path = old(suite, &namespace, "pods", pod("web", bad_container()));
    let debug = |image: &str| {
        let image = format!("--image={image}");
        let arguments = ["-n", &namespace.name, "debug", "web", &image, "--container=look", "--", "true"];
        suite.cluster.kubectl(&arguments, "")
    };
    println!("{:?}", debug("busybox"));
    println!("{:?}", debug("busybox:1.36"));
    let containers = suite.cluster.get(&path).object()["spec"]["ephemeralContainers"].clone();
    assert_eq!(containers.as_array().unwrap().len(), 1, "{containers:#}");
}

fn resize(suite: &Suite) {
    let namespace = suite.namespace("updates");
    let requests = json!({"resources": {"requests": {"cpu": "100m", "memory": "64Mi"}}});
    suite.cluster.create(&namespace.path("pods"), &pod("web", with(good_container(), &requests))).object();
    let path = format!("{}/web", namespace.path("pods"));
    let resize = |resources: Value| {
        let patch = json!({"spec": {"containers": [{"name": "app", "resources": resources}]}});
        suite.cluster.patch(&format!("{path}/resize"), &patch)
    };
    println!("{:?}", resize(json!({"limits": {"cpu": "4"}})).warnings);
    println!("{:?}", resize(json!({"limits": {"memory": "512Mi"}})).warnings);
    let zero = resize(json!({"limits": {"cpu": "0"}, "requests": {"cpu": "0"}}));
    println!("{} {}", zero.code, zero.message());
    let plain = suite
        .cluster
        .patch(&path, &json!({"spec": {"containers": [{"name": "app", "resources": {"limits": {"cpu": "3"}}}]}}));
    println!("{} {}", plain.code, plain.message());
}

/// What podfit injected belongs to nobody who applies, so that nobody removes it.
fn apply(suite: &Suite) {
    let namespace = suite.namespace("updates");
    let manifest = pod("web", good_container()).to_string();
    for arguments in [&["apply", "--server-side"][..], &["apply", "--server-side"]] {
        let arguments = [arguments, &["-n", &namespace.name, "-f", "-"]].concat();
        println!("{:?}", suite.cluster.kubectl(&arguments, &manifest));
    }
    let other = pod("plain", good_container()).to_string();
    for _ in 0..2 {
        println!("{:?}", suite.cluster.kubectl(&["apply", "-n", &namespace.name, "-f", "-"], &other));
    }
    let call = Call { path: format!("{}/web", namespace.path("pods")), ..Call::default() };
    println!("{:#}", suite.cluster.call(call).object());
}
