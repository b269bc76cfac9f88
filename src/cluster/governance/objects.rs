//! The `SizingPolicy` objects of the cluster, compiled: what of them is in force, and what the others are wrong in.

use std::{collections::BTreeMap, sync::Arc};

use kube::{
    Api,
    api::{ApiResource, DynamicObject, GroupVersionKind},
};
use serde_json::Value;

use crate::{
    cluster::Cluster,
    policies::{Book, object},
    policy::{self, API_VERSION, KIND, Policy},
};

/// By name. What has not changed stays the same `Arc`, so that nothing is compiled twice.
#[derive(Default)]
pub(super) struct Objects {
    known: Option<BTreeMap<String, Arc<Object>>>,
    taken: u64,
    refused: u64,
    has_changed: bool,
}

#[derive(Debug)]
pub(super) struct Object {
    pub(super) name: String,
    pub(super) generation: i64,
    pub(super) compiled: Result<Arc<Policy>, String>,
    /// As it stands in the cluster.
    pub(super) status: Value,
    pub(super) spec: Value,
}

pub(super) fn resource() -> ApiResource {
    let (group, version) = API_VERSION.split_once('/').unwrap_or_default();
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, KIND), policy::PLURAL)
}

/// For watches.
pub(super) fn api(cluster: &Cluster) -> Api<DynamicObject> {
    Api::all_with(cluster.watching.clone(), &resource())
}

impl Objects {
    /// Whether they were listed at least once.
    pub(super) fn are_known(&self) -> bool {
        self.known.is_some()
    }

    pub(super) fn replace(&mut self, all: Vec<DynamicObject>) {
        let mut before = self.known.replace(BTreeMap::new()).unwrap_or_default();
        for object in all {
            if let Some(same) = object.metadata.name.as_ref().and_then(|name| before.remove_entry(name)) {
                self.map().insert(same.0, same.1);
            }
            self.change(object);
        }
        self.has_changed |= !before.is_empty();
    }

    pub(super) fn change(&mut self, object: DynamicObject) {
        let name = object.metadata.name.unwrap_or_default();
        let mut data = object.data;
        let (spec, status) = (data["spec"].take(), data["status"].take());
        let before = self.map().get(&name).filter(|before| before.spec == spec);
        let compiled = match before {
            Some(before) => before.compiled.clone(),
            None => self.compile(&name, &spec),
        };
        let generation = object.metadata.generation.unwrap_or_default();
        self.map().insert(name.clone(), Arc::new(Object { name, generation, compiled, status, spec }));
    }

    pub(super) fn forget(&mut self, name: &str) {
        self.map().remove(name);
        self.taken += 1;
        self.has_changed = true;
    }

    pub(super) fn in_force(&self) -> Vec<Arc<Policy>> {
        self.all().filter_map(|object| object.compiled.clone().ok()).collect()
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<Object>> {
        self.known.iter().flat_map(BTreeMap::values)
    }

    /// Whether another policy is in force than the last time this was asked; a status that is written changes none.
    pub(super) fn have_changed(&mut self) -> bool {
        std::mem::take(&mut self.has_changed)
    }

    /// For the metrics: how many changes were taken and refused since the last time.
    pub(super) fn count_changes(&mut self, book: &Book) {
        book.count_changes(std::mem::take(&mut self.taken), std::mem::take(&mut self.refused));
    }

    fn compile(&mut self, name: &str, spec: &Value) -> Result<Arc<Policy>, String> {
        self.has_changed = true;
        let compiled = object::compile(name, spec);
        match &compiled {
            Ok(_) => self.taken += 1,
            Err(mistakes) => {
                self.refused += 1;
                tracing::warn!(policy = name, reason = %mistakes, "this SizingPolicy has mistakes, and is out of force");
            }
        }
        compiled.map(Arc::new)
    }

    fn map(&mut self) -> &mut BTreeMap<String, Arc<Object>> {
        self.known.get_or_insert_default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_mistaken_object_is_out_of_force_and_the_others_are_not() {
        let mut objects = Objects::default();
        objects.replace(vec![object("one", &json!({"imageTag": {}})), object("two", &json!({"imageTags": {}}))]);
        assert_eq!(names(&objects), ["one"]);
        objects.change(object("two", &json!({"imageTag": {"mode": "Warn"}})));
        assert_eq!(names(&objects), ["one", "two"]);
        objects.change(object("one", &json!({"imageTag": {"mode": "off"}})));
        assert_eq!(names(&objects), ["two"]);
        objects.forget("two");
        assert_eq!(names(&objects), Vec::<String>::new());
    }

    #[test]
    fn what_has_not_changed_is_not_compiled_again() {
        let mut objects = Objects::default();
        let same = object("same", &json!({"imageTag": {}}));
        objects.replace(vec![same.clone(), object("gone", &json!({}))]);
        let before = objects.in_force();
        let mut other_status = same;
        other_status.data["status"] = json!({"observedGeneration": 1});
        objects.replace(vec![other_status, object("new", &json!({}))]);
        let after = objects.in_force();
        let same_again = after.iter().find(|policy| policy.name == "same").unwrap();
        assert!(before.iter().any(|policy| Arc::ptr_eq(policy, same_again)));
        assert_eq!(names(&objects), ["new", "same"]);
    }

    fn object(name: &str, spec: &Value) -> DynamicObject {
        DynamicObject::new(name, &resource()).data(json!({"spec": spec}))
    }

    fn names(objects: &Objects) -> Vec<String> {
        objects.in_force().iter().map(|policy| policy.name.clone()).collect()
    }
}
