//! What a scan knows of namespaces: their labels, which selectors ask for.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{
    cluster::{
        Cluster,
        client::Failure,
        list::{List, Resource},
    },
    object::{self, Metadata},
    policy::Labels,
};

/// Whoever may label a namespace takes it out of podfit's sight: the webhook configurations of `deploy/` say so.
const IGNORE: (&str, &str) = ("podfit.dev/ignore", "true");

#[derive(Debug, Default)]
pub struct Namespaces {
    labels: BTreeMap<String, Labels>,
}

/// An object of which only the metadata is read.
#[derive(Deserialize)]
pub(in crate::cluster) struct Described<'a> {
    #[serde(borrow, default)]
    pub(in crate::cluster) metadata: Metadata<'a>,
}

impl Namespaces {
    /// All of them, or the one that is named; that one must be there.
    ///
    /// # Errors
    /// Where the API server does not tell.
    pub async fn read(cluster: &Cluster, only: Option<&str>) -> Result<Self, Failure> {
        let list = List::of(Resource::NAMESPACES, None).metadata();
        let mut namespaces = Self::default();
        match only {
            Some(name) => {
                let text = cluster.get_text(&list, name).await?;
                namespaces.add(&text.ok_or_else(|| list.is_absent(name))?);
            }
            None => {
                cluster.list(&list, |page| page.items.iter().for_each(|item| namespaces.add(item.get()))).await?;
            }
        }
        Ok(namespaces)
    }

    fn add(&mut self, json: &str) {
        let Ok(Described { metadata }) = object::decode(json) else { return };
        let name = metadata.name.map(|name| name.as_str().to_owned()).unwrap_or_default();
        let labels = metadata.labels.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        self.labels.insert(name, labels);
    }

    pub fn labels(&self, namespace: &str) -> Option<&Labels> {
        self.labels.get(namespace)
    }

    pub(super) fn is_ignored(&self, namespace: &str) -> bool {
        let label = self.labels(namespace).and_then(|labels| labels.get(IGNORE.0));
        label.is_some_and(|value| value == IGNORE.1)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.labels.keys().map(String::as_str)
    }
}
