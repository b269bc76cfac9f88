//! What was counted, read back for the dashboard: the same counters that `/metrics` shows.

use super::{Metrics, place_of_finding, place_of_review, place_of_skip};
use crate::{
    admission::{Decision, Operation, Phase},
    policy::Mode,
    rules::Rule,
    verdict::SkipReason,
};

impl Metrics {
    pub(in crate::server) fn findings_of(&self, rule: Rule, mode: Mode) -> u64 {
        self.findings.counted(place_of_finding(rule, mode))
    }

    pub(in crate::server) fn injections_of(&self, rule: Rule) -> u64 {
        self.injections.counted(rule as usize)
    }

    pub(in crate::server) fn skips_of(&self, rule: Rule, reason: SkipReason) -> u64 {
        self.skipped.counted(place_of_skip(rule, reason))
    }

    pub(in crate::server) fn in_flight(&self) -> i64 {
        self.in_flight.get()
    }

    /// Of all operations.
    pub(in crate::server) fn reviews_of(&self, phase: Phase, decision: Decision) -> u64 {
        let of = |operation: Operation| self.reviews.counted(place_of_review(phase, operation, decision));
        Operation::ALL.into_iter().map(of).sum()
    }
}
