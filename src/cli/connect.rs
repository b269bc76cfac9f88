//! For commands that ask an API server: the connection, and something to wait on it with.

use std::ops::AsyncFnOnce;

use anyhow::Context as _;
use tokio::runtime::Runtime;

use crate::cluster::Cluster;

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
