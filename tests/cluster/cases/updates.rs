//! What is old stays as it is: updates of Pods and workloads that were there before podfit.

use serde_json::{Value, json};

use super::{Case, Needs, case, workloads::PLAIN};
use crate::{
    cluster::wait_for,
    pods::{bad_container, environment, good_container, pod, with, workload},
    suite::{Namespace, Suite},
};

pub const CASES: &[Case] = &[
    case("an_old_bad_pod_is_never_blocked", Needs::Any, old_pod),
    case("an_update_to_latest_is_denied", Needs::Any, to_latest),
    case("an_old_bad_replica_set_scales", Needs::Any, replica_set),
    case("an_old_bad_deployment_scales_and_rolls", Needs::Any, deployment),
    case("debug_containers_need_no_limits_but_a_tag", Needs::Any, debug),
    case("a_resize_to_zero_is_denied_and_a_stale_value_told", Needs::Any, resize),
    case("what_was_injected_survives_the_next_apply", Needs::Any, apply),
];

/// As podfit would find it on its first day: a label exempts it, and is gone when this returns.
fn old(suite: &Suite, namespace: &Namespace<'_>, resource: &str, object: Value) -> String {
    let labelled = |value: Value| {
        let labels = json!({"labels": {"before": value}});
        if resource == "pods" {
            json!({"metadata": labels})
        } else {
            json!({"spec": {"template": {"metadata": labels}}})
        }
    };
    let created = suite.cluster.create(&namespace.path(resource), &with(object, &labelled(json!("podfit")))).object();
    let path = format!("{}/{}", namespace.path(resource), created["metadata"]["name"].as_str().unwrap());
    suite.cluster.patch(&path, &labelled(Value::Null)).object();
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
    let release =
        ["-n", &namespace.name, "patch", "pod", "web", "--type=merge", "-p", r#"{"metadata":{"finalizers":null}}"#];
    assert_eq!(suite.cluster.kubectl(&release, "").error, "");
    wait_for("the end of the Pod", || (suite.cluster.get(&path).code == 404).then_some(()));
}

fn to_latest(suite: &Suite) {
    let namespace = suite.namespace("updates");
    suite.cluster.create(&namespace.path("pods"), &pod("web", good_container())).object();
    let set = |image: &str| {
        suite.cluster.kubectl(&["-n", &namespace.name, "set", "image", "pod/web", &format!("app={image}")], "")
    };
    assert_eq!(set("example.com/app:2").error, "");
    let refused = "error: failed to patch image update to pod template: admission webhook \"validate.podfit.dev\" denied the \
        request: container \"app\" uses the image \"example.com/app:latest\", whose tag \"latest\" is not fixed; write a fixed tag \
        or a digest [rule image-tag, policy default]\n";
    let printed = set("example.com/app:latest");
    assert_eq!((printed.code, printed.error.as_str()), (1, refused));
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
    // Of no version: its controller writes the status meanwhile.
    let fewer = json!({"metadata": {"resourceVersion": null}, "spec": {"replicas": 1}});
    let scale = suite.cluster.get(&format!("{path}/scale")).object();
    suite.cluster.replace(&format!("{path}/scale"), &with(scale, &fewer)).object();
}

/// Its controller scales and annotates the old `ReplicaSet`s, bad as they are: a refusal would freeze the rollout.
fn deployment(suite: &Suite) {
    let namespace = suite.namespace("strict");
    let path = old(suite, &namespace, "deployments", workload("Deployment", "web", bad_container()));
    scale_and_annotate(suite, &path);
    let better = json!({"spec": {"template": {"spec": {"containers": [good_container()]}}}});
    let answer = suite.cluster.patch(&path, &better);
    assert_eq!((answer.code, answer.warnings), (200, vec![]));
    wait_for("the ReplicaSet of the last revision beside the old ones", || {
        let sets = suite.cluster.get(&namespace.path("replicasets")).object();
        let mut revisions: Vec<(String, u64)> = sets["items"].as_array().unwrap().iter().map(revision).collect();
        revisions.sort();
        let last = revisions.pop()?;
        let images = revisions.iter().all(|(_, replicas)| *replicas <= 1);
        (last == ("3".to_owned(), 1) && revisions.len() == 2 && images).then_some(())
    });
}

fn revision(set: &Value) -> (String, u64) {
    let number = &set["metadata"]["annotations"]["deployment.kubernetes.io/revision"];
    (number.as_str().unwrap_or_default().to_owned(), set["spec"]["replicas"].as_u64().unwrap())
}

fn debug(suite: &Suite) {
    let namespace = suite.namespace("updates");
    let path = old(suite, &namespace, "pods", pod("web", bad_container()));
    let debug = |image: &str| {
        let image = format!("--image={image}");
        let arguments =
            ["-n", &namespace.name, "debug", "web", &image, "--container=look", "--profile=general", "--", "true"];
        suite.cluster.kubectl(&arguments, "").error
    };
    let refused = "Error from server (Forbidden): admission webhook \"validate.podfit.dev\" denied the request: ephemeral \
        container \"look\" uses the image \"busybox\", which has no tag, so \"latest\" is implied; write a fixed tag or a digest \
        [rule image-tag, policy default]\n";
    assert_eq!(debug("busybox"), refused);
    assert_eq!(debug("busybox:1.36"), "");
    let containers = suite.cluster.get(&path).object()["spec"]["ephemeralContainers"].clone();
    let images: Vec<&Value> = containers.as_array().unwrap().iter().map(|container| &container["image"]).collect();
    assert_eq!(images, ["busybox:1.36"]);
}

fn resize(suite: &Suite) {
    let namespace = suite.namespace("updates");
    let requests = json!({"resources": {"requests": {"cpu": "100m", "memory": "64Mi"}}});
    suite.cluster.create(&namespace.path("pods"), &pod("web", with(good_container(), &requests))).object();
    let path = format!("{}/web/resize", namespace.path("pods"));
    let resize = |resources: Value| {
        let change = json!({"spec": {"containers": [{"name": "app", "resources": resources}]}});
        suite.cluster.patch(&path, &change)
    };
    let cpu = resize(json!({"limits": {"cpu": "4"}}));
    assert_eq!(cpu.warnings, ["container \"app\": GOMAXPROCS stale until a restart (resizePolicy RestartContainer)"]);
    let memory = resize(json!({"limits": {"memory": "512Mi"}}));
    assert_eq!(memory.warnings, ["container \"app\": GOMEMLIMIT stale for the Pod's life (recreate it)"]);
    let zero = resize(json!({"limits": {"cpu": "0"}, "requests": {"cpu": "0"}}));
    let refused = "admission webhook \"validate.podfit.dev\" denied the request: container \"app\" has the CPU limit 0, which \
        means no limit; write an amount such as 500m [rule resource-limits, policy default]";
    assert_eq!((zero.code, zero.message()), (403, refused));
    assert_eq!(memory.object()["spec"]["containers"][0]["resources"]["limits"], json!({"cpu": "4", "memory": "512Mi"}));
}

fn apply(suite: &Suite) {
    let namespace = suite.namespace("updates");
    for (name, how) in [("web", &["--server-side"][..]), ("plain", &[])] {
        let first = apply_as(suite, &namespace, name, how, good_container());
        let again = apply_as(suite, &namespace, name, how, good_container());
        let changed =
            apply_as(suite, &namespace, name, how, with(good_container(), &json!({"image": "example.com/app:2"})));
        assert_eq!([first, again, changed], [""; 3]);
        let pod = suite.cluster.get(&format!("{}/{name}", namespace.path("pods"))).object();
        let container = &pod["spec"]["containers"][0];
        assert_eq!(
            (container["image"].as_str(), environment(container)),
            (Some("example.com/app:2"), PLAIN.map(Into::into).into())
        );
    }
}

/// What kubectl complains of.
fn apply_as(suite: &Suite, namespace: &Namespace<'_>, name: &str, how: &[&str], container: Value) -> String {
    let arguments = [&["apply", "-n", &namespace.name, "-f", "-"], how].concat();
    suite.cluster.kubectl(&arguments, &pod(name, container).to_string()).error
}
