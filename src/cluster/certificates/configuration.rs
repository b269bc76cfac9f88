//! The two webhook configurations, as far as they concern certificates: `caBundle` of our webhooks, and an owner, so that
//! they go when the namespace goes. Reading and repairing are pure; the calls are at the end. The keeper calls it.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use json_patch::{
    AddOperation, Patch as JsonPatch, PatchOperation, ReplaceOperation,
    jsonptr::{PointerBuf, Token},
};
use k8s_openapi::{
    api::{
        admissionregistration::v1::{MutatingWebhookConfiguration, ValidatingWebhookConfiguration},
        core::v1::Namespace,
    },
    apimachinery::pkg::apis::meta::v1::OwnerReference,
};
use kube::{
    Api, ResourceExt as _,
    api::{ApiResource, DynamicObject, Patch, PatchParams},
};
use serde_json::{Value, json};

use crate::cluster::{
    Cluster, NAME,
    client::{Call, Failure},
};

/// Ours by name: somebody may have put another webhook beside them.
const OUR_WEBHOOKS: &str = ".podfit.dev";

/// One of the two kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Mutating,
    Validating,
}

/// The namespace that we run in: with it, the configurations are garbage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) name: String,
    pub(super) uid: String,
}

impl Kind {
    pub const ALL: [Self; 2] = [Self::Mutating, Self::Validating];

    pub(in crate::cluster) fn resource(self) -> &'static str {
        match self {
            Self::Mutating => "mutatingwebhookconfigurations",
            Self::Validating => "validatingwebhookconfigurations",
        }
    }

    pub(in crate::cluster) fn api(self, cluster: &Cluster) -> Api<DynamicObject> {
        let resource = match self {
            Self::Mutating => ApiResource::erase::<MutatingWebhookConfiguration>(&()),
            Self::Validating => ApiResource::erase::<ValidatingWebhookConfiguration>(&()),
        };
        Api::all_with(cluster.client.clone(), &resource)
    }
}

/// The bundles of our webhooks, each as it stands in the object.
fn bundles(configuration: &DynamicObject) -> impl Iterator<Item = (usize, Option<&str>)> {
    let webhooks = configuration.data.get("webhooks").and_then(Value::as_array).into_iter().flatten();
    let ours = webhooks.enumerate().filter(|(_, webhook)| {
        webhook.get("name").and_then(Value::as_str).is_some_and(|name| name.ends_with(OUR_WEBHOOKS))
    });
    ours.map(|(index, webhook)| (index, webhook.pointer("/clientConfig/caBundle").and_then(Value::as_str)))
}

pub(super) fn has_bundle(configuration: &DynamicObject) -> bool {
    bundles(configuration).any(|(_, bundle)| bundle.is_some_and(|bundle| !bundle.is_empty()))
}

pub(super) fn trusts(configuration: &DynamicObject, bundle: &[&str]) -> bool {
    let wanted = encoded(bundle);
    bundles(configuration).all(|(_, bundle)| bundle == Some(wanted.as_str()))
}

/// What makes it as it is to be; none where it is so. With the version that was read, so that a list which has changed
/// meanwhile is a conflict and no patch of the wrong webhook.
pub(super) fn repair(configuration: &DynamicObject, bundle: &[&str], owner: Option<&Owner>) -> Option<JsonPatch> {
    let wanted = encoded(bundle);
    let stale = bundles(configuration).filter(|(_, bundle)| *bundle != Some(wanted.as_str()));
    let mut edits: Vec<_> = stale
        .map(|(index, _)| {
            let path = pointer(&["webhooks", &index.to_string(), "clientConfig", "caBundle"]);
            PatchOperation::Add(AddOperation { path, value: json!(wanted) })
        })
        .collect();
    edits.extend(owner.and_then(|owner| adopt(configuration, owner)));
    if edits.is_empty() {
        return None;
    }
    let version = json!(configuration.resource_version());
    let path = pointer(&["metadata", "resourceVersion"]);
    edits.insert(0, PatchOperation::Replace(ReplaceOperation { path, value: version }));
    Some(JsonPatch(edits))
}

/// An owner of our name with another uid is a namespace that is gone; the garbage collector would take us with it.
fn adopt(configuration: &DynamicObject, owner: &Owner) -> Option<PatchOperation> {
    let owners = configuration.owner_references();
    if owners.iter().any(|other| other.uid == owner.uid) {
        return None;
    }
    // Without blockOwnerDeletion: to set it one must be allowed to change the namespace's finalizers.
    let is_gone = |other: &&OwnerReference| other.kind == "Namespace" && other.name == owner.name;
    let mut owners: Vec<_> = owners.iter().filter(|other| !is_gone(other)).map(|other| json!(other)).collect();
    owners.push(json!({"apiVersion": "v1", "kind": "Namespace", "name": owner.name, "uid": owner.uid}));
    Some(PatchOperation::Add(AddOperation { path: pointer(&["metadata", "ownerReferences"]), value: json!(owners) }))
}

fn pointer(tokens: &[&str]) -> PointerBuf {
    PointerBuf::from_tokens(tokens.iter().map(|token| Token::new(*token)))
}

fn encoded(bundle: &[&str]) -> String {
    STANDARD.encode(bundle.concat())
}

pub(super) async fn read(cluster: &Cluster, kind: Kind) -> Result<Option<DynamicObject>, Failure> {
    let found = kind.api(cluster).get_opt(NAME).await;
    found.map_err(|error| Call::of("get", kind.resource(), NAME).failed(error))
}

pub(super) async fn patch(cluster: &Cluster, kind: Kind, patch: JsonPatch) -> Result<DynamicObject, Failure> {
    let patched = kind.api(cluster).patch(NAME, &PatchParams::default(), &Patch::<()>::Json(patch)).await;
    patched.map_err(|error| Call::of("patch", kind.resource(), NAME).failed(error))
}

pub(super) async fn owner(cluster: &Cluster) -> Result<Owner, Failure> {
    let name = cluster.namespace.clone();
    let namespace = Api::<Namespace>::all(cluster.client.clone()).get(&name).await;
    let namespace = namespace.map_err(|error| Call::of("get", "namespaces", &name).failed(error))?;
    Ok(Owner { uid: namespace.uid().unwrap_or_default(), name })
}

#[cfg(test)]
mod tests;
