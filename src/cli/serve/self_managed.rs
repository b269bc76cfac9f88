//! `--self-managed-certs`: runs the keeper of `cluster` beside the server, and hands what it finds to it.

use anyhow::{Context, Result};
use tokio::sync::watch;

use crate::{
    certs::Kept,
    cluster::{
        Cluster,
        certificates::{self, Periods},
        uninstall::Installation,
    },
};

pub(super) struct SelfManaged(Installation);

impl SelfManaged {
    /// Starts it. An API server that is away is waited for, beside the server.
    pub(super) async fn start() -> Result<(Self, watch::Receiver<Kept>)> {
        let cluster = Cluster::connect().await.context("--self-managed-certs (PODFIT_SELF_MANAGED_CERTS)")?;
        let installation = Installation::of(cluster.clone());
        let (keeper, kept) = watch::channel(Kept::default());
        tokio::spawn(certificates::keep(cluster, Periods::default(), keeper));
        tokio::spawn(installation.clone().note());
        Ok((Self(installation), kept))
    }

    /// At SIGTERM.
    pub(super) async fn clean_up(self) {
        self.0.clean_up().await;
    }
}
