//! The rulebook in force, and its parts: policies of files (the server's reloader writes them), policies and namespaces of the
//! cluster (`cluster` writes them). Reading it waits for nobody.

use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use arc_swap::{ArcSwap, Guard};

use crate::policy::{Labels, Policy, PolicySet, Rulebook};

pub struct Book {
    current: ArcSwap<Rulebook>,
    parts: Mutex<Parts>,
}

/// What is not part of the rulebook as such.
#[derive(Default)]
struct Parts {
    files: Vec<Arc<Policy>>,
    cluster: Vec<Arc<Policy>>,
    /// Why the cluster has not told yet.
    trouble: Option<String>,
    taken: u64,
    refused: u64,
}

impl Book {
    /// Of files alone.
    pub fn of(files: PolicySet) -> Self {
        Self::begin(Rulebook::unwatched(files))
    }

    /// With namespaces, and maybe policies, that the cluster has still to tell.
    pub fn awaiting(files: PolicySet) -> Self {
        Self::begin(Rulebook::awaited(files))
    }

    fn begin(rulebook: Rulebook) -> Self {
        let files = rulebook.policies().policies().to_vec();
        Self { current: ArcSwap::from_pointee(rulebook), parts: Mutex::new(Parts { files, ..Parts::default() }) }
    }

    pub fn load(&self) -> Guard<Arc<Rulebook>> {
        self.current.load()
    }

    /// Why it does not hold yet what was asked for; nothing once it does, and then for good.
    pub fn unready(&self) -> Option<String> {
        if !self.load().is_awaited() {
            return None;
        }
        let trouble = self.parts().trouble.clone();
        Some(trouble.unwrap_or_else(|| "policies and namespaces of the cluster are not read yet".to_owned()))
    }

    /// Shown by `unready`.
    pub fn trouble(&self, why: Option<String>) {
        self.parts().trouble = why;
    }

    /// Whether a policy of a file has this name: it wins over one of the cluster.
    pub fn is_taken(&self, name: &str) -> bool {
        self.parts().files.iter().any(|policy| policy.name == name)
    }

    /// Anew, those of files.
    pub fn set_files(&self, files: &PolicySet) {
        let mut parts = self.parts();
        parts.files = files.policies().to_vec();
        self.set_policies(&parts);
    }

    /// Anew, those of the cluster, each name once. What did not change is to be the same `Arc`: it is not compiled again.
    pub fn set_cluster(&self, cluster: Vec<Arc<Policy>>) {
        let mut parts = self.parts();
        parts.cluster = cluster;
        self.set_policies(&parts);
    }

    /// Anew, all namespaces of the cluster.
    pub fn set_namespaces(&self, namespaces: Vec<(String, Labels)>) {
        let _one_writer = self.parts();
        self.swap(self.load().with_namespaces(namespaces));
    }

    /// One namespace that is new or changed, or (no labels) gone.
    pub fn change_namespace(&self, name: String, labels: Option<Labels>) {
        let _one_writer = self.parts();
        self.swap(self.load().with_changed([(name, labels)]));
    }

    /// Objects of the cluster that were taken or refused, for the metrics.
    pub fn count_changes(&self, taken: u64, refused: u64) {
        let mut parts = self.parts();
        parts.taken += taken;
        parts.refused += refused;
    }

    /// Those counted since the last time: taken and refused.
    pub fn counted_changes(&self) -> (u64, u64) {
        let mut parts = self.parts();
        (mem::take(&mut parts.taken), mem::take(&mut parts.refused))
    }

    fn set_policies(&self, parts: &Parts) {
        let is_free = |policy: &&Arc<Policy>| parts.files.iter().all(|file| file.name != policy.name);
        let all = parts.files.iter().chain(parts.cluster.iter().filter(is_free)).cloned().collect();
        self.swap(self.load().with_policies(PolicySet::sorted(all)));
    }

    fn swap(&self, next: Rulebook) {
        self.current.store(Arc::new(next));
    }

    /// Whoever changes a part holds it until the rulebook is swapped, so that no change is lost.
    fn parts(&self) -> MutexGuard<'_, Parts> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
