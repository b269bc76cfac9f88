//! Who makes a Pod: not the ReplicaSet or the Job that it names, but the Deployment or the CronJob behind that one.

use std::collections::HashMap;

use super::namespaces::Described;
use crate::{
    cluster::{
        Cluster,
        client::Failure,
        list::{List, Page, Resource},
    },
    object,
    report::ObjectName,
    workload::Workload,
};

/// Kinds that stand between a Pod and who makes it.
const BETWEEN: [(&str, &str, Resource); 2] = [
    ("apps", "ReplicaSet", Resource { group: "/apis/apps/v1", plural: "replicasets", name: "replicasets.apps" }),
    ("batch", "Job", Resource { group: "/apis/batch/v1", plural: "jobs", name: "jobs.batch" }),
];

/// The owners of those between. There are many more of these than of their owners, so a kind is kept once.
#[derive(Debug, Default)]
pub(super) struct Owners {
    kinds: Vec<Kind>,
    owners: HashMap<Box<str>, (usize, Box<str>)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Kind {
    api_version: String,
    kind: String,
}

impl Owners {
    /// With the lists that did not come, and the kinds that are told as owners instead.
    pub(super) async fn read(cluster: &Cluster, namespace: Option<&str>) -> (Self, Vec<(&'static str, List, Failure)>) {
        let mut owners = Self::default();
        let mut failures = Vec::new();
        for (_, kind, resource) in BETWEEN {
            let list = List::of(resource, namespace).metadata();
            let take = |page: &Page<'_>| page.items.iter().for_each(|item| owners.add(kind, item.get()));
            let listed = cluster.list(&list, take).await;
            failures.extend(listed.err().map(|failure| (kind, list, failure)));
        }
        (owners, failures)
    }

    fn add(&mut self, kind: &str, json: &str) {
        let Ok(Described { metadata }) = object::decode(json) else { return };
        let (Some(owner), Some(name)) = (metadata.controller(), &metadata.name) else { return };
        let namespace = metadata.namespace.as_ref().map_or("", |namespace| namespace.as_str());
        let index = self.index(owner.api_version.as_str(), owner.kind.as_str());
        self.owners.insert(key(kind, namespace, name.as_str()), (index, owner.name.as_str().into()));
    }

    fn index(&mut self, api_version: &str, kind: &str) -> usize {
        let found = self.kinds.iter().position(|it| it.api_version == api_version && it.kind == kind);
        found.unwrap_or_else(|| {
            self.kinds.push(Kind { api_version: api_version.to_owned(), kind: kind.to_owned() });
            self.kinds.len() - 1
        })
    }

    /// Who makes this Pod; the Pod itself where nobody does.
    pub(super) fn of(&self, pod: &Workload<'_>, namespace: &str) -> ObjectName {
        let of = |api_version: &str, kind: &str, name: &str| ObjectName {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            namespace: Some(namespace.to_owned()),
            name: name.to_owned(),
        };
        let Some(owner) = pod.metadata.controller() else { return of("v1", "Pod", &pod.name()) };
        let (api_version, kind, name) = (owner.api_version.as_str(), owner.kind.as_str(), owner.name.as_str());
        let group = api_version.split_once('/').map_or("", |(group, _)| group);
        let is_between = BETWEEN.iter().any(|between| (between.0, between.1) == (group, kind));
        match is_between.then(|| self.owners.get(&key(kind, namespace, name))).flatten() {
            Some((index, name)) => of(&self.kinds[*index].api_version, &self.kinds[*index].kind, name),
            None => of(api_version, kind, name),
        }
    }
}

fn key(kind: &str, namespace: &str, name: &str) -> Box<str> {
    format!("{kind}/{namespace}/{name}").into_boxed_str()
}
