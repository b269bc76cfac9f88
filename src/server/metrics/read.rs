//! What was counted, read back for the dashboard: the same counters that `/metrics` shows.

use super::{FindingLabels, Metrics, ReviewLabels, SkipLabels};
use crate::{
    admission::{Decision, Operation, Phase},
    policy::Mode,
    rules::Rule,
    verdict::SkipReason,
};

impl Metrics {
    pub(in crate::server) fn findings_of(&self, rule: Rule, mode: Mode) -> u64 {
        let labels = FindingLabels { rule: rule.id(), mode: mode.as_str() };
        self.findings.get(&labels).map_or(0, |counter| counter.get())
    }

    pub(in crate::server) fn injections_of(&self, rule: Rule) -> u64 {
        self.injections[rule as usize].get()
    }

    pub(in crate::server) fn skips_of(&self, rule: Rule, reason: SkipReason) -> u64 {
        let labels = SkipLabels { rule: rule.id(), reason: reason.as_str() };
        self.skipped.get(&labels).map_or(0, |counter| counter.get())
    }

    pub(in crate::server) fn in_flight(&self) -> i64 {
        self.in_flight.get()
    }

    /// Of all operations.
    pub(in crate::server) fn reviews_of(&self, phase: Phase, decision: Decision) -> u64 {
        let of = |operation: Operation| {
            let (phase, operation, decision) = (phase.as_str(), operation.as_str(), decision.as_str());
            let labels = ReviewLabels { phase, operation, decision };
            self.reviews.get(&labels).map_or(0, |counter| counter.get())
        };
        Operation::ALL.into_iter().map(of).sum()
    }
}
