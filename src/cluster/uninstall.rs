//! When podfit is being uninstalled, its webhook configurations must not outlive it: with `failurePolicy: Fail` nobody
//! could make a Pod any more. `cli/serve.rs` asks at SIGTERM.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use k8s_openapi::api::{apps::v1::Deployment, core::v1::Namespace};
use kube::{Api, api::DeleteParams};
use serde::de::DeserializeOwned;
use tokio::time::{sleep, timeout};
use tracing::{debug, info, warn};

use super::{
    Cluster, NAME,
    certificates::{Kind, configuration},
    client::{Call, Failure},
};

/// Within the time that reviews are still answered after SIGTERM.
const LONGEST: Duration = Duration::from_secs(3);

/// Before an API server that did not answer is asked again.
const PAUSE: Duration = Duration::from_secs(5);

/// What is being uninstalled, if it is.
#[derive(Clone)]
pub struct Installation {
    cluster: Cluster,
    /// Who runs on a laptop, or under another name, has no Deployment of ours, and so cannot lose it.
    had_deployment: Arc<AtomicBool>,
}

impl Installation {
    pub fn of(cluster: Cluster) -> Self {
        Self { cluster, had_deployment: Arc::default() }
    }

    /// Looks for our Deployment until there is an answer. To be called while starting.
    pub async fn note(self) {
        loop {
            match self.deployment().await {
                Ok(state) => return self.had_deployment.store(state == State::There, Ordering::Relaxed),
                Err(failure) => debug!(reason = %failure, "look for our Deployment"),
            }
            sleep(PAUSE).await;
        }
    }

    /// Deletes both configurations if our namespace ends, or our Deployment is gone or ends; else nothing. A Pod that is
    /// only replaced leaves them.
    pub async fn clean_up(self) {
        let Ok(outcome) = timeout(LONGEST, self.clean_up_if_uninstalled()).await else {
            return warn!("not known in time whether podfit is being uninstalled; its webhook configurations stay");
        };
        if let Err(failure) = outcome {
            warn!(reason = %failure, "not known whether podfit is being uninstalled, or its webhook configurations stay");
        }
    }

    async fn clean_up_if_uninstalled(&self) -> Result<(), Failure> {
        let Some(why) = self.uninstalled().await? else { return Ok(()) };
        info!(why, "podfit is being uninstalled");
        for kind in Kind::ALL {
            self.delete(kind).await?;
        }
        Ok(())
    }

    /// Either answer may be denied where the other is clear, because roles are deleted too.
    async fn uninstalled(&self) -> Result<Option<&'static str>, Failure> {
        let namespaces = Api::<Namespace>::all(self.cluster.client.clone());
        let namespace = state(namespaces, Call::of("get", "namespaces", &self.cluster.namespace)).await;
        if matches!(namespace, Ok(State::Ending | State::Absent)) {
            return Ok(Some("its namespace ends"));
        }
        if !self.had_deployment.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let ends = self.deployment().await? != State::There;
        Ok(ends.then_some("its Deployment is gone"))
    }

    async fn deployment(&self) -> Result<State, Failure> {
        let deployments = Api::<Deployment>::namespaced(self.cluster.client.clone(), &self.cluster.namespace);
        state(deployments, Call::of("get", "deployments.apps", NAME).within(&self.cluster.namespace)).await
    }

    async fn delete(&self, kind: Kind) -> Result<(), Failure> {
        if !configuration::read(&self.cluster, kind).await?.is_some_and(|found| found.calls_us()) {
            return Ok(());
        }
        match kind.api(&self.cluster).delete(NAME, &DeleteParams::default()).await {
            Ok(_) => info!(configuration = %format!("{}/{NAME}", kind.resource()), "deleted"),
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            Err(error) => return Err(Call::of("delete", kind.resource(), NAME).failed(error)),
        }
        Ok(())
    }
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    There,
    Ending,
    Absent,
}

async fn state<K>(api: Api<K>, call: Call) -> Result<State, Failure>
where
    K: kube::Resource + Clone + fmt::Debug + DeserializeOwned,
{
    match api.get_opt(&call.name).await {
        Ok(None) => Ok(State::Absent),
        Ok(Some(object)) if object.meta().deletion_timestamp.is_some() => Ok(State::Ending),
        Ok(Some(_)) => Ok(State::There),
        Err(error) => Err(call.failed(error)),
    }
}
