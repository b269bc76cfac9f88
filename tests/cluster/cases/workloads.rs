//! From a workload to its Pods: the real controllers make them, and podfit repairs them on their way.

use serde_json::{Value, json};

use super::{Case, Needs, case};
use crate::{
    cluster::wait_for,
    pods::{with, workload},
    suite::{Namespace, Suite},
};

pub const CASES: &[Case] = &[case("a_deployment_makes_pods_with_everything_injected", Needs::Any, everything)];

fn everything(suite: &Suite) {
    let namespace = suite.namespace("fitted");
    let container = json!({"name": "app", "image": "example.com/go-service:1", "ports": [{"name": "http", "containerPort": 8080}],
        "env": [{"name": "PLACE", "value": "$(POD_NAMESPACE)/$(POD_NAME)"}]});
    let deployment = with(workload("Deployment", "web", container), &json!({"spec": {"replicas": 2}}));
    let created = suite.cluster.create(&namespace.path("deployments"), &deployment);
    assert_eq!(created.warnings, [""; 0]);
    created.object();

    let pods = pods_of(&namespace, 2);
    for pod in &pods {
        let metadata = &pod["metadata"];
        assert_eq!(metadata["ownerReferences"][0]["kind"], "ReplicaSet");
        assert!(metadata["name"].as_str().unwrap().starts_with(metadata["generateName"].as_str().unwrap()));
        println!("{pod:#}");
    }
}

/// The Pods of a namespace, once there are as many.
fn pods_of(namespace: &Namespace<'_>, count: usize) -> Vec<Value> {
    wait_for("the Pods", || {
        let list = namespace.cluster.get(&namespace.path("pods")).object();
        let pods = list["items"].as_array().unwrap();
        (pods.len() == count).then(|| pods.clone())
    })
}
