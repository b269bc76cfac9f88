//! Annotations of a Pod: one on each line of the text, the user's and our own record, on a Pod that every rule looks at.

use serde_json::{Map, Value, json};

use super::review;

const KEYS: [&str; 11] = [
    "podfit.dev/runtimes",
    "podfit.dev/opt-in",
    "podfit.dev/skip",
    "podfit.dev/probes",
    "podfit.dev/processes",
    "podfit.dev/injected",
    "instrumentation.opentelemetry.io/inject-java",
    "instrumentation.opentelemetry.io/container-names",
    "instrumentation.opentelemetry.io/java-container-names",
    "admission.datadoghq.com/python-lib.version",
    "sidecar.istio.io/status",
];

/// # Panics
/// Where an answer to the Pod breaks a promise.
pub fn check(text: &[u8]) {
    let Ok(text) = std::str::from_utf8(text) else { return };
    let written = KEYS.iter().zip(text.split('\n')).filter(|(_, value)| !value.is_empty());
    let annotations: Map<String, Value> = written.map(|(key, value)| ((*key).to_owned(), Value::from(value))).collect();
    let review = json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
            "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "namespace": "shop",
            "operation": "CREATE",
            "userInfo": {"username": "ann"},
            "object": {"metadata": {"name": "web", "annotations": annotations}, "spec": spec()},
        },
    });
    review::check(review.to_string().as_bytes());
}

/// With variables as podfit writes them, so that a record of them can be true.
fn spec() -> Value {
    let limits = json!({"limits": {"cpu": "2500m", "memory": "1Gi"}});
    let env = json!([
        {"name": "GOMAXPROCS", "value": "2"},
        {"name": "GOMEMLIMIT", "value": "900000000"},
        {"name": "NODE_OPTIONS", "value": "--max-old-space-size=700"},
        {"name": "JAVA_TOOL_OPTIONS", "value": "-Xss1m"},
    ]);
    let ports = json!([{"name": "http", "containerPort": 8080}, {"name": "grpc", "containerPort": 9090}]);
    json!({"containers": [
        {"name": "app", "image": "app:1", "resources": limits, "env": env, "ports": ports},
        {"name": "java", "image": "eclipse-temurin:21", "resources": limits, "ports": [{"containerPort": 80}]},
        {"name": "worker", "image": "python:3.13", "command": ["gunicorn"], "resources": limits},
    ]})
}
