//! The request of a review. The soak suite sends it too, about the hostile bodies.

use serde_json::{Value, json};

pub const NAMESPACE: &str = "default";

/// The body that a request comes in.
pub fn review_body(request: &Value) -> Value {
    json!({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": request})
}

/// About an object, as kube-apiserver writes it.
pub fn request(group: &str, kind: &str, operation: &str, object: &Value, old_object: &Value) -> Value {
    json!({
        "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
        "kind": {"group": group, "version": "v1", "kind": kind},
        "resource": {"group": group, "version": "v1", "resource": "any"},
        "name": "web",
        "namespace": NAMESPACE,
        "operation": operation,
        "userInfo": {"username": "ann", "groups": ["system:authenticated"]},
        "object": object,
        "oldObject": old_object,
        "dryRun": false,
        "options": {},
    })
}
