//! The counters of a family, each at a place of its own: a look into the family by labels costs more than all else of a count,
//! and a review counts a dozen times. `metrics.rs` keeps what reviews count in them.

use std::{fmt::Debug, hash::Hash, sync::OnceLock};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};

#[derive(Debug)]
pub(super) struct Places<S, const COUNT: usize> {
    family: Family<S, Counter>,
    counters: [OnceLock<Counter>; COUNT],
}

impl<S, const COUNT: usize> Places<S, COUNT>
where
    S: Clone + Debug + Eq + Hash + Send + Sync + EncodeLabelSet + 'static,
{
    pub(super) fn new() -> Self {
        Self { family: Family::default(), counters: [const { OnceLock::new() }; COUNT] }
    }

    pub(super) fn register(&self, registry: &mut Registry, name: &str, help: &str) {
        registry.register(name, help, self.family.clone());
    }

    /// From the first call on it is on the page. A place always has the same labels.
    pub(super) fn at(&self, place: usize, labels: impl FnOnce() -> S) -> &Counter {
        self.counters[place].get_or_init(|| self.family.get_or_create_owned(&labels()))
    }

    /// Nothing was counted at a place that nobody asked for.
    pub(super) fn counted(&self, place: usize) -> u64 {
        self.counters[place].get().map_or(0, |counter| counter.get())
    }
}
