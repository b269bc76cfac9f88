//! From a workload to its Pods: the real controllers make them, and podfit repairs them on their way.

use serde_json::{Value, json};

use super::{Case, Needs, case};
use crate::{
    cluster::wait_for,
    pods::{annotations, bad_container, environment, good_container, with, workload},
    suite::{Namespace, Suite},
};

pub const CASES: &[Case] = &[
    case("a_deployment_makes_pods_with_everything_injected", Needs::Any, deployment),
    case("a_job_makes_pods_without_probes", Needs::Any, job),
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
    let template = created.object()["spec"]["template"]["spec"]["containers"][0].clone();

    for pod in pods_of(&namespace, 2) {
        let metadata = &pod["metadata"];
        assert_eq!(metadata["ownerReferences"][0]["kind"], "ReplicaSet");
        assert!(metadata["name"].as_str().unwrap().starts_with(metadata["generateName"].as_str().unwrap()));
        let container = &pod["spec"]["containers"][0];
        assert_eq!(without(container, &INJECTED), without(&template, &INJECTED), "all else is the template's");
        assert_eq!(environment(container), ENVIRONMENT);
        for (field, value) in injected_fields() {
            assert_eq!(container[field], value, "{field}");
        }
        assert_eq!(annotations(&pod), json!({"podfit.dev/injected": {"app": record()}}));
    }
}

/// Beside the token of the service account, which the API server mounts.
const INJECTED: [&str; 7] =
    ["env", "resources", "resizePolicy", "livenessProbe", "readinessProbe", "startupProbe", "volumeMounts"];

const ENVIRONMENT: [&str; 6] = [
    "POD_NAME<-metadata.name",
    "POD_NAMESPACE<-metadata.namespace",
    "GOMAXPROCS=2",
    "PODFIT_MEMORY_LIMIT_MI<-limits.memory/1Mi",
    "GOMEMLIMIT=$(PODFIT_MEMORY_LIMIT_MI)000000",
    "PLACE=$(POD_NAMESPACE)/$(POD_NAME)",
];

fn injected_fields() -> [(&'static str, Value); 5] {
    let probe = |path: &str, period: u32, timeout: u32, failures: u32| {
        json!({
            "httpGet": {"path": path, "port": "http", "scheme": "HTTP"},
            "periodSeconds": period, "timeoutSeconds": timeout, "successThreshold": 1, "failureThreshold": failures,
        })
    };
    [
        (
            "resources",
            json!({"limits": {"cpu": "500m", "memory": "256Mi"}, "requests": {"cpu": "100m", "memory": "128Mi"}}),
        ),
        (
            "resizePolicy",
            json!([
                {"resourceName": "cpu", "restartPolicy": "RestartContainer"},
                {"resourceName": "memory", "restartPolicy": "RestartContainer"},
            ]),
        ),
        ("readinessProbe", probe("/readyz", 10, 2, 3)),
        ("livenessProbe", probe("/healthz", 10, 5, 6)),
        ("startupProbe", probe("/healthz", 10, 5, 60)),
    ]
}

fn record() -> Value {
    let of = |source: &str| json!({"source": source, "policy": "fitted"});
    let valued = |value: &str, source: &str| json!({"value": value, "source": source, "policy": "fitted"});
    let identity = |source: &str| json!({"source": source, "policy": "default"});
    json!({
        "POD_NAME": identity("metadata.name"),
        "POD_NAMESPACE": identity("metadata.namespace"),
        "GOMAXPROCS": valued("2", "limits.cpu=500m"),
        "PODFIT_MEMORY_LIMIT_MI": of("limits.memory=256Mi"),
        "GOMEMLIMIT": valued("$(PODFIT_MEMORY_LIMIT_MI)000000", "limits.memory=256Mi"),
        "limits.cpu": valued("500m", "policy default"),
        "limits.memory": valued("256Mi", "policy default"),
        "resizePolicy.cpu": of("policy default"),
        "resizePolicy.memory": of("policy default"),
        "readinessProbe": of("port http"),
        "livenessProbe": of("port http"),
        "startupProbe": of("port http"),
    })
}

fn without(container: &Value, fields: &[&str]) -> Value {
    let mut container = container.clone();
    container.as_object_mut().unwrap().retain(|field, _| !fields.contains(&field.as_str()));
    container
}

/// The API server refuses `RestartContainer` in a Pod that never restarts.
fn job(suite: &Suite) {
    let namespace = suite.namespace("fitted");
    let ports = with(good_container(), &json!({"ports": [{"name": "http", "containerPort": 8080}]}));
    let job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "once"},
        "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [ports]}}}});
    suite.cluster.create(&namespace.path("jobs"), &job).object();
    let container = pods_of(&namespace, 1)[0]["spec"]["containers"][0].clone();
    assert_eq!(environment(&container), PLAIN);
    for field in ["resizePolicy", "livenessProbe", "readinessProbe", "startupProbe"] {
        assert_eq!(container[field], Value::Null, "{field}");
    }
}

/// What the default policy gives to the good container.
pub const PLAIN: [&str; 4] = [
    "POD_NAME<-metadata.name",
    "POD_NAMESPACE<-metadata.namespace",
    "GOMAXPROCS<-limits.cpu/1",
    "GOMEMLIMIT=241591910",
];

fn event(suite: &Suite) {
    let namespace = suite.namespace("denials");
    suite.cluster.create(&namespace.path("replicasets"), &workload("ReplicaSet", "web", bad_container())).object();
    let message = wait_for("the Event", || {
        let events = suite.cluster.get(&namespace.path("events")).object();
        let events = events["items"].as_array().unwrap().clone();
        let event = events.into_iter().find(|event| event["reason"] == "FailedCreate")?;
        Some(event["message"].as_str().unwrap().to_owned())
    });
    assert_eq!(message, format!("Error creating: {}", super::denials::DENIAL));
}

/// The Pods of a namespace, once there are as many.
fn pods_of(namespace: &Namespace<'_>, count: usize) -> Vec<Value> {
    wait_for("the Pods", || {
        let list = namespace.cluster.get(&namespace.path("pods")).object();
        let pods = list["items"].as_array().unwrap();
        (pods.len() == count).then(|| pods.clone())
    })
}
