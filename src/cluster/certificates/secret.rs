//! The Secret: read, made where there is none, written by compare-and-swap. The keeper calls it.

use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, ResourceExt as _,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::json;

use super::{
    held::{Data, KEYS},
    plan::Rotate,
};
use crate::cluster::{
    Cluster, NAME,
    client::{Call, Failure},
};

pub const SECRET: &str = "podfit-certificates";

/// Not `kubernetes.io/tls`: cert-manager and others look for those, and whoever made one has meant something else.
pub const TYPE: &str = "podfit.dev/certificates";

/// For a person: `leaf` or `ca`. The step that it asks for takes it away.
pub const ROTATE: &str = "podfit.dev/rotate";

pub(super) struct Secrets {
    api: Api<Secret>,
    namespace: String,
}

impl Secrets {
    pub(super) fn of(cluster: &Cluster) -> Self {
        let namespace = cluster.namespace.clone();
        Self { api: Api::namespaced(cluster.client.clone(), &namespace), namespace }
    }

    /// Empty where there was none. By server-side apply, because the authorization of its `create` knows the name, that of
    /// POST does not; of two replicas both succeed.
    pub(super) async fn read_or_create(&self) -> Result<Secret, Failure> {
        let found = self.api.get_opt(SECRET).await.map_err(|error| self.call("get").failed(error))?;
        if let Some(secret) = found {
            return Ok(secret);
        }
        let empty = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": SECRET}, "type": TYPE});
        let created = self.api.patch(SECRET, &PatchParams::apply(NAME), &Patch::Apply(empty)).await;
        created.map_err(|error| self.call("create").failed(error))
    }

    /// The version that was read goes with it, so that what another replica has written since is a conflict.
    pub(super) async fn write(&self, mut secret: Secret, data: Data) -> Result<(), Failure> {
        let all = secret.data.get_or_insert_default();
        all.retain(|key, _| !KEYS.contains(&key.as_str()));
        all.extend(data);
        secret.annotations_mut().remove(ROTATE);
        let parameters = PostParams { field_manager: Some(NAME.to_owned()), ..PostParams::default() };
        let written = self.api.replace(SECRET, &parameters, &secret).await;
        written.map(drop).map_err(|error| self.call("update").failed(error))
    }

    fn call(&self, verb: &'static str) -> Call {
        Call::of(verb, "secrets", SECRET).within(&self.namespace)
    }
}

pub(super) fn is_ours(secret: &Secret) -> bool {
    secret.type_.as_deref() == Some(TYPE)
}

pub(super) fn rotate(secret: &Secret) -> Result<Option<Rotate>, String> {
    match secret.annotations().get(ROTATE).map(String::as_str) {
        None => Ok(None),
        Some("leaf") => Ok(Some(Rotate::Leaf)),
        Some("ca") => Ok(Some(Rotate::Authority)),
        Some(other) => Err(format!("annotation {ROTATE}: write leaf or ca, not {other}")),
    }
}
