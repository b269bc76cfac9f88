//! The objects that cases send: as short as a person would write them.

use serde_json::{Value, json};

/// Limits and a fixed tag: nothing to deny.
pub fn good_container(name: &str) -> Value {
    json!({"name": name, "image": "example.com/app:1", "resources": {"limits": {"cpu": "2", "memory": "256Mi"}}})
}

/// Everything that can be denied in one container.
pub fn bad_container(name: &str) -> Value {
    json!({"name": name, "image": "example.com/app"})
}

pub fn pod(name: &str, container: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {"containers": [container]}})
}

/// A workload of the group `apps` around a template.
pub fn workload(kind: &str, name: &str, container: Value) -> Value {
    let labels = json!({"app": name});
    json!({"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name}, "spec": {
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
    }})
}

/// With changes laid over it, as a JSON merge patch does.
pub fn with(mut object: Value, changes: &Value) -> Value {
    json_patch::merge(&mut object, changes);
    object
}
