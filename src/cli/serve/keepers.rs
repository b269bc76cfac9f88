//! `--self-managed-certs`, `--policies-from-cluster`, `--watch-namespaces`: runs the keepers of `cluster` beside the server.

use std::{convert::Infallible, sync::Arc};

use anyhow::{Context, Result};
use tokio::{sync::watch, task::JoinHandle};

use crate::{
    certs::Kept,
    cluster::{
        Cluster, Governance,
        certificates::{self, Periods},
        uninstall::Installation,
    },
    policies::Book,
    server::FromCluster,
};

/// The last policies stay in force, and reviews are answered: ending the process would make a bug an outage.
async fn told(keeper: JoinHandle<Infallible>) {
    let Err(failure) = keeper.await;
    tracing::error!(%failure, "the cluster's policies and namespaces are followed no more; this is a bug");
}

/// With the one client of the API server that all of them share.
pub(super) struct Keepers {
    cluster: Cluster,
    /// Only who keeps certificates has written to the webhook configurations, and so takes them away.
    installation: Option<Installation>,
}

impl Keepers {
    /// # Errors
    ///
    /// Where there is no cluster to be asked. An API server that is away is waited for, beside the server.
    pub(super) async fn connect(flag: &'static str) -> Result<Self> {
        Ok(Self { cluster: Cluster::connect().await.context(flag)?, installation: None })
    }

    pub(super) fn keep_certificates(&mut self) -> watch::Receiver<Kept> {
        let (keeper, kept) = watch::channel(Kept::default());
        tokio::spawn(certificates::keep(self.cluster.clone(), Periods::default(), keeper));
        let installation = Installation::of(self.cluster.clone());
        tokio::spawn(installation.clone().note());
        self.installation = Some(installation);
        kept
    }

    pub(super) fn keep_book(&self, book: Arc<Book>, from: FromCluster) {
        let governance = Governance::of(self.cluster.clone(), book);
        match from {
            FromCluster::Nothing => {}
            FromCluster::Namespaces => drop(tokio::spawn(told(tokio::spawn(governance.keep_namespaces())))),
            FromCluster::Policies => drop(tokio::spawn(told(tokio::spawn(governance.keep_policies())))),
        }
    }

    /// At SIGTERM.
    pub(super) async fn clean_up(self) {
        if let Some(installation) = self.installation {
            installation.clean_up().await;
        }
    }
}
