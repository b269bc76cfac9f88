//! The objects that cases send, as short as a person would write them, and what podfit made of a Pod.

use serde_json::{Value, json};

/// Limits and a fixed tag: nothing to deny.
pub fn good_container() -> Value {
    json!({"name": "app", "image": "example.com/app:1", "resources": {"limits": {"cpu": "2", "memory": "256Mi"}}})
}

/// Everything that can be denied in one container.
pub fn bad_container() -> Value {
    json!({"name": "app", "image": "example.com/app"})
}

/// No token is mounted, whose volume has another name each time.
pub fn pod(name: &str, container: Value) -> Value {
    let containers = Value::Array(vec![container]);
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
        "spec": {"automountServiceAccountToken": false, "containers": containers}})
}

/// A workload of the group `apps` around a template.
pub fn workload(kind: &str, name: &str, container: Value) -> Value {
    let (labels, containers) = (json!({"app": name}), Value::Array(vec![container]));
    json!({"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name}, "spec": {
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": {"containers": containers}},
    }})
}

/// With changes laid over it, as a JSON merge patch does.
pub fn with(mut object: Value, changes: &Value) -> Value {
    json_patch::merge(&mut object, changes);
    object
}

/// Of spec and annotations: each place that differs with what it is now.
pub fn difference(old: &Value, new: &Value) -> Value {
    let part = |pod: &Value| json!({"spec": pod["spec"], "annotations": annotations(pod)});
    let mut found = serde_json::Map::new();
    differ("", &part(old), &part(new), &mut found);
    Value::Object(found)
}

fn differ(at: &str, old: &Value, new: &Value, found: &mut serde_json::Map<String, Value>) {
    match (old, new) {
        (Value::Object(before), Value::Object(after)) => {
            let gone = before.keys().filter(|key| !after.contains_key(*key));
            for key in after.keys().chain(gone) {
                differ(&format!("{at}/{key}"), &old[key], &new[key], found);
            }
        }
        (Value::Array(before), Value::Array(after)) if before.len() == after.len() => {
            for (index, (before, after)) in before.iter().zip(after).enumerate() {
                differ(&format!("{at}/{index}"), before, after, found);
            }
        }
        _ if old != new => {
            found.insert(at.to_owned(), new.clone());
        }
        _ => {}
    }
}

/// The environment of a container in short: `NAME=value`, `NAME<-field`, `NAME<-resource/divisor`.
pub fn environment(container: &Value) -> Vec<String> {
    let variables = container["env"].as_array().map(Vec::as_slice).unwrap_or_default();
    variables.iter().map(|variable| format!("{}{}", text(&variable["name"]), source(variable))).collect()
}

fn source(variable: &Value) -> String {
    match &variable["valueFrom"] {
        Value::Null => format!("={}", text(&variable["value"])),
        from if from["fieldRef"].is_object() => format!("<-{}", text(&from["fieldRef"]["fieldPath"])),
        from if from["resourceFieldRef"].is_object() => {
            format!("<-{}/{}", text(&from["resourceFieldRef"]["resource"]), text(&from["resourceFieldRef"]["divisor"]))
        }
        from => format!("<-{from}"),
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// Our record is JSON in a string: here as JSON.
pub fn annotations(pod: &Value) -> Value {
    let mut annotations = pod["metadata"]["annotations"].clone();
    if let Some(Value::String(text)) = annotations.get_mut("podfit.dev/injected").map(Value::take) {
        annotations["podfit.dev/injected"] = serde_json::from_str(&text).unwrap();
    }
    if annotations.is_null() { json!({}) } else { annotations }
}
