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

/// As it was read.
#[derive(Debug)]
pub(in crate::cluster) struct Configuration {
    object: DynamicObject,
    ours: Vec<Webhook>,
}

/// One of our webhooks.
#[derive(Debug)]
struct Webhook {
    index: usize,
    /// As it stands in the object, in base64.
    bundle: Option<String>,
}

impl Configuration {
    pub(super) fn of(object: DynamicObject, namespace: &str) -> Self {
        let webhooks = object.data.get("webhooks").and_then(Value::as_array).into_iter().flatten().enumerate();
        let ours = webhooks.filter(|(_, webhook)| calls_us(webhook, namespace));
        let ours = ours.map(|(index, webhook)| {
            let bundle = webhook.pointer("/clientConfig/caBundle").and_then(Value::as_str);
            Webhook { index, bundle: bundle.map(ToOwned::to_owned) }
        });
        Self { ours: ours.collect(), object }
    }

    /// Whether any of its webhooks is ours: by name there is one per cluster, but podfit may run in another namespace too, or
    /// on a laptop.
    pub(in crate::cluster) fn calls_us(&self) -> bool {
        !self.ours.is_empty()
    }

    pub(super) fn has_bundle(&self) -> bool {
        self.ours.iter().any(|webhook| webhook.bundle.as_ref().is_some_and(|bundle| !bundle.is_empty()))
    }

    pub(super) fn trusts(&self, bundle: &[&str]) -> bool {
        let wanted = encoded(bundle);
        self.ours.iter().all(|webhook| webhook.bundle.as_ref() == Some(&wanted))
    }

    /// What makes it as it is to be; none where it is so. With the version that was read, so that a list which has changed
    /// meanwhile is a conflict and no patch of the wrong webhook.
    pub(super) fn repair(&self, bundle: &[&str], owner: Option<&Owner>) -> Option<JsonPatch> {
        let wanted = encoded(bundle);
        let stale = self.ours.iter().filter(|webhook| webhook.bundle.as_ref() != Some(&wanted));
        let mut edits: Vec<_> = stale
            .map(|webhook| {
                let path = pointer(&["webhooks", &webhook.index.to_string(), "clientConfig", "caBundle"]);
                PatchOperation::Add(AddOperation { path, value: json!(wanted) })
            })
            .collect();
        edits.extend(owner.and_then(|owner| adopt(&self.object, owner)));
        if edits.is_empty() {
            return None;
        }
        let path = pointer(&["metadata", "resourceVersion"]);
        let value = json!(self.object.resource_version());
        edits.insert(0, PatchOperation::Replace(ReplaceOperation { path, value }));
        Some(JsonPatch(edits))
    }
}

fn calls_us(webhook: &Value, namespace: &str) -> bool {
    let is_named_so = webhook.get("name").and_then(Value::as_str).is_some_and(|name| name.ends_with(OUR_WEBHOOKS));
    let service = webhook.pointer("/clientConfig/service/namespace").and_then(Value::as_str);
    is_named_so && service.is_none_or(|service| service == namespace)
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

pub(in crate::cluster) async fn read(cluster: &Cluster, kind: Kind) -> Result<Option<Configuration>, Failure> {
    let found = kind.api(cluster).get_opt(NAME).await;
    let found = found.map_err(|error| Call::of("get", kind.resource(), NAME).failed(error))?;
    Ok(found.map(|object| Configuration::of(object, &cluster.namespace)))
}

pub(super) async fn patch(cluster: &Cluster, kind: Kind, patch: JsonPatch) -> Result<Configuration, Failure> {
    let parameters = PatchParams { field_manager: Some(NAME.to_owned()), ..PatchParams::default() };
    let patched = kind.api(cluster).patch(NAME, &parameters, &Patch::<()>::Json(patch)).await;
    let patched = patched.map_err(|error| Call::of("patch", kind.resource(), NAME).failed(error))?;
    Ok(Configuration::of(patched, &cluster.namespace))
}

pub(super) async fn owner(cluster: &Cluster) -> Result<Owner, Failure> {
    let name = cluster.namespace.clone();
    let namespace = Api::<Namespace>::all(cluster.client.clone()).get(&name).await;
    let namespace = namespace.map_err(|error| Call::of("get", "namespaces", &name).failed(error))?;
    Ok(Owner { uid: namespace.uid().unwrap_or_default(), name })
}

#[cfg(test)]
mod tests;
