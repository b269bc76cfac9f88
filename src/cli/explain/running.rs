//! `podfit explain --pod`: the page of a Pod as it runs.

use std::{
    io::{self, Write},
    str::FromStr,
};

use anyhow::Context as _;

use super::{Explained, Outcome, page};
use crate::{
    cli::{connect, judge::JudgeArguments},
    cluster::{Cluster, Failure, Namespaces},
    fitting::Pod,
    policy::Labels,
    review::{Context, review},
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
    labels: Result<Option<Labels>, Failure>,
}

impl PodName {
    pub(super) fn explain(&self, judge: &JudgeArguments, output: &mut dyn Write) -> anyhow::Result<Outcome> {
        let policies = judge.policies()?;
        let found = connect::ask(async |cluster| self.find(cluster).await)?;
        if let (Err(failure), true) = (&found.labels, policies.needs_namespace_labels()) {
            writeln!(io::stderr(), "note: {failure}; so no namespaceSelector matches")?;
        }
        let workload = Workload::decode(Kind::Pod, &found.json).context("the Pod cannot be read")?;
        let labels = found.labels.ok().flatten().or_else(|| judge.namespace_labels());
        let context = Context { namespace: &self.namespace, labels: labels.as_ref(), today: judge.today() };
        let pod = Pod::read(&workload);
        let verdict = review(&policies, &pod, &context);
        let heading = format!("Pod {}/{}  (in the cluster)", self.namespace, self.name);
        let explained = Explained { policies: &policies, pod: &pod, verdict: &verdict, context: &context };
        output.write_all(page(&heading, &explained).as_bytes())?;
        output.flush()?;
        Ok(Outcome::NothingDenied)
    }

    async fn find(&self, cluster: &Cluster) -> anyhow::Result<Found> {
        let json = cluster.pod(&self.namespace, &self.name).await?;
        let json = json.with_context(|| format!("there is no Pod {}/{}", self.namespace, self.name))?;
        let namespaces = Namespaces::read(cluster, Some(&self.namespace)).await;
        let labels = namespaces.map(|namespaces| namespaces.labels(&self.namespace).cloned());
        Ok(Found { json, labels })
    }
}
