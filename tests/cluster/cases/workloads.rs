//! From a workload to its Pods: the real controllers make them, and podfit repairs them on their way.

use serde_json::{Value, json};

use super::{Case, Needs, case};
use crate::{
    cluster::wait_for,
    pods::{bad_container, difference, with, workload},
    suite::{Namespace, Suite},
};

pub const CASES: &[Case] = &[
    case("a_deployment_makes_pods_with_everything_injected", Needs::Any, deployment),
    case("an_event_of_the_replica_set_tells_why_there_are_no_pods", Needs::Any, event),
];

fn deployment(suite: &Suite) {
    let namespace = suite.namespace("fitted");
    let container = json!({
        "name": "app", "image": "example.com/app:1", "ports": [{"name": "http", "containerPort": 8080}],
        "env": [{"name": "PLACE", "value": "$(POD_NAMESPACE)/$(POD_NAME)"}],
    });
    let deployment = with(workload("Deployment", "web", container), &json!({"spec": {"replicas": 2}}));
    let created = suite.cluster.create(&namespace.path("deployments"), &deployment);
    assert_eq!(created.warnings, [""; 0]);
    let template = created.object()["spec"]["template"].clone();

    for pod in pods_of(&namespace, 2) {
        let metadata = &pod["metadata"];
        assert_eq!(metadata["ownerReferences"][0]["kind"], "ReplicaSet");
        assert!(metadata["name"].as_str().unwrap().starts_with(metadata["generateName"].as_str().unwrap()));
        let only = |pod: &Value| json!({"spec": {"containers": pod["spec"]["containers"]}, "metadata": {"annotations": pod["metadata"]["annotations"]}});
        let without_token = with(only(&pod), &json!({"spec": {}}));
        println!("{:#}", difference(&only(&template), &without_token));
    }
}

fn event(suite: &Suite) {
    let namespace = suite.namespace("denials");
    suite.cluster.create(&namespace.path("replicasets"), &workload("ReplicaSet", "web", bad_container())).object();
    let message = wait_for("the Event", || {
        let events = suite.cluster.get(&namespace.path("events")).object();
        let events = events["items"].as_array().unwrap().clone();
        let event = events.into_iter().find(|event| event["reason"] == "FailedCreate")?;
        Some(event["message"].as_str().unwrap().to_owned())
    });
    println!("{message}");
}

/// The Pods of a namespace, once there are as many.
fn pods_of(namespace: &Namespace<'_>, count: usize) -> Vec<Value> {
    wait_for("the Pods", || {
        let list = namespace.cluster.get(&namespace.path("pods")).object();
        let pods = list["items"].as_array().unwrap();
        (pods.len() == count).then(|| pods.clone())
    })
}
