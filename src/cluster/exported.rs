//! What `podfit export` has printed and somebody has installed. `cli/export.rs` compares it with what would be printed now.

use k8s_openapi::api::admissionregistration::v1::{ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding};
use kube::{
    Api,
    api::{ApiResource, DynamicObject, ListParams},
};
use serde_json::{Value, json};

use super::{
    Cluster,
    client::{Call, Failure},
};

/// The policies and bindings with a label, whole: a newer API server's fields count too.
///
/// # Errors
/// Where either list cannot be had.
pub async fn installed(cluster: &Cluster, label: &str) -> Result<Vec<Value>, Failure> {
    let kinds = [
        (ApiResource::erase::<ValidatingAdmissionPolicy>(&()), "validatingadmissionpolicies"),
        (ApiResource::erase::<ValidatingAdmissionPolicyBinding>(&()), "validatingadmissionpolicybindings"),
    ];
    let mut installed = Vec::new();
    for (kind, resource) in kinds {
        let objects: Api<DynamicObject> = Api::all_with(cluster.client.clone(), &kind);
        let listed = objects.list(&ListParams::default().labels(label)).await;
        let listed = listed.map_err(|error| Call::of("list", resource, "").failed(error))?;
        // Items of a list do not say what they are.
        installed.extend(listed.items.into_iter().map(|object| {
            json!({"kind": kind.kind, "metadata": {"name": object.metadata.name}, "spec": object.data["spec"]})
        }));
    }
    Ok(installed)
}
