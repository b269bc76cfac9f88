//! For commands that ask an API server: the connection, and something to wait on it with.

use std::{ops::AsyncFnOnce, path::Path};

use anyhow::Context as _;
use tokio::runtime::Runtime;

use super::judge;
use crate::{
    cluster::{Cluster, Failure, policies::Installed},
    policy::PolicySet,
    report::count,
};

/// Asks the cluster of the kubeconfig, or the one that this Pod is in.
pub(super) fn ask<T>(ask: impl AsyncFnOnce(&Cluster) -> anyhow::Result<T>) -> anyhow::Result<T> {
    // Whoever makes a TLS configuration without naming a provider gets this one. It is set already only in tests.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = Runtime::new().context("start the runtime")?;
    runtime.block_on(async {
        let cluster = Cluster::connect_for_lists().await.context("no cluster to ask")?;
        ask(&cluster).await
    })
}

/// The policies of a file or folder; else those of the cluster, or the embedded one where it has none. With what is to be said of
/// that choice.
pub(super) async fn policies(cluster: &Cluster, path: Option<&Path>) -> anyhow::Result<(PolicySet, Vec<String>)> {
    if path.is_some() {
        return Ok((judge::policies(path)?, Vec::new()));
    }
    let installed = match cluster.policies().await {
        Ok(installed) => installed,
        Err(failure @ Failure::Denied { .. }) => {
            return Ok((judge::policies(None)?, vec![format!("{}; so the embedded policy is used", failure.told())]));
        }
        Err(failure) => anyhow::bail!(failure.told()),
    };
    let Installed { policies, mistaken } = installed;
    let mut notes: Vec<String> =
        mistaken.iter().map(|(name, why)| format!("SizingPolicy {name} is out of force: {why}")).collect();
    if policies.is_empty() {
        return Ok((judge::policies(None)?, notes));
    }
    notes.push(format!("under {} of the cluster", count(policies.len(), "SizingPolicy object")));
    Ok((PolicySet::new(policies)?, notes))
}
