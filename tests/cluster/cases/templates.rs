//! Workloads are warned of what their Pods would be refused for; `templates: Deny` refuses them.

use serde_json::{Value, json};

use super::{Case, Needs, case};
use crate::{
    pods::{bad_container, good_container, with, workload},
    suite::Suite,
};

pub const CASES: &[Case] = &[
    case("every_kind_of_workload_is_warned", Needs::Any, kinds),
    case("kubectl_shows_the_warnings_of_a_template", Needs::Any, kubectl),
    case("a_template_is_denied_where_the_policy_says_so", Needs::Any, denied),
];

fn kinds(suite: &Suite) {
    let namespace = suite.namespace("templates");
    for (resource, object) in every_kind(&bad_container()) {
        let answer = suite.cluster.create(&namespace.path(resource), &object);
        println!("{resource} {} {:?}", answer.code, answer.warnings);
    }
    for (resource, object) in every_kind(&good_container()) {
        let renamed = with(object, &json!({"metadata": {"name": "good"}}));
        let answer = suite.cluster.create(&namespace.path(resource), &renamed);
        assert_eq!((answer.code, answer.warnings), (201, vec![]), "{resource}");
    }
}

fn every_kind(container: &Value) -> Vec<(&'static str, Value)> {
    let pod = |restart: &str| json!({"restartPolicy": restart, "containers": [container]});
    let labels = json!({"app": "web"});
    let template = |restart: &str| json!({"metadata": {"labels": labels}, "spec": pod(restart)});
    let object = |version: &str, kind: &str, rest: Value| {
        with(json!({"apiVersion": version, "kind": kind, "metadata": {"name": "web"}}), &rest)
    };
    let job = json!({"template": {"spec": pod("Never")}});
    vec![
        ("deployments", workload("Deployment", "web", container.clone())),
        ("replicasets", workload("ReplicaSet", "other", container.clone())),
        ("statefulsets", workload("StatefulSet", "web", container.clone())),
        ("daemonsets", workload("DaemonSet", "web", container.clone())),
        (
            "replicationcontrollers",
            object("v1", "ReplicationController", json!({"spec": {"template": template("Always")}})),
        ),
        ("podtemplates", object("v1", "PodTemplate", json!({"template": template("Always")}))),
        ("jobs", object("batch/v1", "Job", json!({"spec": job}))),
        (
            "cronjobs",
            object("batch/v1", "CronJob", json!({"spec": {"schedule": "0 4 * * *", "jobTemplate": {"spec": job}}})),
        ),
    ]
}

fn kubectl(suite: &Suite) {
    let namespace = suite.namespace("templates");
    let manifest = workload("Deployment", "web", bad_container()).to_string();
    for more in [&["--dry-run=server"][..], &[], &["--warnings-as-errors"]] {
        let arguments = [&["apply", "-n", &namespace.name, "-f", "-"], more].concat();
        println!("{:?}", suite.cluster.kubectl(&arguments, &manifest));
    }
}

fn denied(suite: &Suite) {
    let namespace = suite.namespace("strict");
    let answer = suite.cluster.create(&namespace.path("deployments"), &workload("Deployment", "web", bad_container()));
    println!("{} {} {:?}", answer.code, answer.message(), answer.warnings);
    let blank = with(good_container(), &json!({"image": " "}));
    let answer = suite.cluster.create(&namespace.path("deployments"), &workload("Deployment", "blank", blank));
    println!("{} {} {:?}", answer.code, answer.message(), answer.warnings);
}
