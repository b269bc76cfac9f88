//! `podfit explain --pod`: the page of a Pod as it runs.

use std::{
    io::{self, Write},
    str::FromStr,
};

use anyhow::{Context as _, anyhow};

use super::{Explained, Outcome, page};
use crate::{
    cli::{connect, judge::JudgeArguments},
    cluster::{Cluster, Namespaces},
    fitting::Pod,
    policy::{Labels, PolicySet, Subject},
    review::review,
    workload::{Kind, Workload},
};

#[derive(Debug, Clone)]
pub(super) struct PodName {
    namespace: String,
    name: String,
}

impl FromStr for PodName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('/') {
            Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() && !name.contains('/') => {
                Ok(Self { namespace: namespace.to_owned(), name: name.to_owned() })
            }
            _ => Err("write NAMESPACE/NAME"),
        }
    }
}

/// What the cluster knows of it.
struct Found {
    json: String,
    policies: PolicySet,
    labels: Option<Labels>,
    notes: Vec<String>,
}

impl PodName {
    pub(super) fn explain(&self, judge: &JudgeArguments, output: &mut dyn Write) -> anyhow::Result<Outcome> {
        let Found { json, policies, labels, notes } = connect::ask(async |cluster| self.find(cluster, judge).await)?;
        for note in notes {
            writeln!(io::stderr(), "note: {note}")?;
        }
        let workload = Workload::decode(Kind::Pod, &json).context("the Pod cannot be read")?;
        let pod_labels = &workload.metadata.labels;
        let subject = Subject { namespace: &self.namespace, namespace_labels: labels.as_ref(), pod_labels };
        let in_force = policies.in_force(&subject);
        let pod = Pod::read(&workload);
        let verdict = review(&in_force, &pod, judge.today());
        let heading = format!("Pod {}/{}  (in the cluster)", self.namespace, self.name);
        let explained =
            Explained { policies: &policies, pod: &pod, verdict: &verdict, subject: &subject, in_force: &in_force };
        output.write_all(page(&heading, &explained).as_bytes())?;
        output.flush()?;
        Ok(Outcome::NothingDenied)
    }

    async fn find(&self, cluster: &Cluster, judge: &JudgeArguments) -> anyhow::Result<Found> {
        let (policies, mut notes) = connect::policies(cluster, judge.policy()).await?;
        let json = cluster.pod(&self.namespace, &self.name).await.map_err(|failure| anyhow!(failure.told()))?;
        let json = json.with_context(|| format!("there is no Pod {}/{}", self.namespace, self.name))?;
        let labels = match Namespaces::read(cluster, Some(&self.namespace)).await {
            Ok(namespaces) => namespaces.labels(&self.namespace).cloned(),
            Err(failure) => {
                if policies.needs_namespace_labels() {
                    notes.push(format!(
                        "{}; so the labels of the namespace are those of --namespace-labels",
                        failure.told()
                    ));
                }
                judge.namespace_labels()
            }
        };
        Ok(Found { json, policies, labels, notes })
    }
}
