//! What the stand-in has, and a small cluster to begin with.

use std::collections::BTreeMap;

use podfit::manifest;
use serde_json::{Value, json};

/// Writes the text of the item with this index behind others.
pub type Make = Box<dyn Fn(usize, &mut String) + Send>;

pub enum Items {
    Kept(Vec<Value>),
    /// Too many to be kept; listed in the whole cluster only.
    Made {
        count: usize,
        make: Make,
    },
}

/// What the caller may not do: with a namespace, only there; without, everywhere but in single namespaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denied {
    pub plural: &'static str,
    pub scope: Option<&'static str>,
}

/// The next token that is shown has expired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expiry {
    WithToken,
    WithoutToken,
}

#[derive(Default)]
pub struct World {
    /// By path, such as `/apis/apps/v1/deployments`.
    pub collections: BTreeMap<String, Items>,
    pub denied: Vec<Denied>,
    pub expiry: Option<Expiry>,
}

impl Denied {
    pub fn holds(&self, plural: &str, namespace: Option<&str>) -> bool {
        self.plural == plural && self.scope == namespace
    }
}

/// What a scan asks for.
const SCANNED: [&str; 8] = [
    "/api/v1/namespaces",
    "/api/v1/pods",
    "/apis/apps/v1/daemonsets",
    "/apis/apps/v1/deployments",
    "/apis/apps/v1/replicasets",
    "/apis/apps/v1/statefulsets",
    "/apis/batch/v1/cronjobs",
    "/apis/batch/v1/jobs",
];

impl World {
    /// A cluster with nothing in it.
    pub fn empty() -> Self {
        let collections = SCANNED.map(|path| (path.to_owned(), Items::Kept(Vec::new())));
        Self { collections: collections.into_iter().collect(), ..Self::default() }
    }

    /// One with these manifests.
    pub fn of(manifests: &str) -> Self {
        let mut world = Self::empty();
        for document in manifest::read(manifests) {
            let document = document.unwrap();
            for object in document.objects() {
                world.add(serde_json::from_str(&object.json).unwrap());
            }
        }
        world
    }

    pub fn add(&mut self, object: Value) {
        let api_version = object["apiVersion"].as_str().unwrap();
        let group = if api_version == "v1" { "/api/v1".to_owned() } else { format!("/apis/{api_version}") };
        let kind = object["kind"].as_str().unwrap().to_lowercase();
        let plural = kind.strip_suffix('y').map_or(format!("{kind}s"), |stem| format!("{stem}ies"));
        self.kept(&format!("{group}/{plural}")).push(object);
    }

    pub fn kept(&mut self, path: &str) -> &mut Vec<Value> {
        let items = self.collections.entry(path.to_owned()).or_insert_with(|| Items::Kept(Vec::new()));
        match items {
            Items::Kept(kept) => kept,
            Items::Made { .. } => panic!("{path} is made"),
        }
    }

    pub fn find(&mut self, path: &str, namespace: Option<&str>, name: &str) -> Option<Value> {
        self.kept(path).iter().find(|object| is_at(object, namespace, name)).cloned()
    }

    pub fn remove(&mut self, path: &str, namespace: Option<&str>, name: &str) -> Option<Value> {
        let index = self.kept(path).iter().position(|object| is_at(object, namespace, name))?;
        Some(self.kept(path).remove(index))
    }

    pub fn apply(&mut self, path: &str, namespace: &str, name: &str, mut object: Value) -> Value {
        object["metadata"]["namespace"] = json!(namespace);
        self.remove(path, Some(namespace), name);
        self.kept(path).push(object.clone());
        object
    }
}

fn is_at(object: &Value, namespace: Option<&str>, name: &str) -> bool {
    object["metadata"]["name"] == name && object["metadata"]["namespace"].as_str() == namespace
}

/// The cluster of the documentation.
pub fn shop() -> World {
    World::of(include_str!("shop.yaml"))
}
