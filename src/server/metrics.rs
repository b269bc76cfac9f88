//! What is counted. Every label value is the `as_str` of an enum (hence `&'static str`): none comes from a request.

use std::{fmt, sync::atomic::AtomicU64, time::Duration};

use jiff::Timestamp;
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram, info::Info},
    registry::Registry,
};

use super::log::LostLines;
use crate::{
    admission::{Decision, Operation, Phase, Record},
    policy::Mode,
    rules::Rule,
    verdict::SkipReason,
};

mod places;
mod read;

use places::Places;

/// Seconds: 10 µs to 2.6 s, by factors of four. A usual review takes some 20 µs.
const BUCKETS: [f64; 10] = [1e-5, 4e-5, 1.6e-4, 6.4e-4, 2.56e-3, 1.024e-2, 4.096e-2, 0.163_84, 0.655_36, 2.621_44];

pub(super) struct Metrics {
    registry: Registry,
    reviews: Places<ReviewLabels, { Phase::ALL.len() * Operation::ALL.len() * Decision::ALL.len() }>,
    /// By phase.
    duration: [Histogram; Phase::ALL.len()],
    findings: Places<FindingLabels, { Rule::ALL.len() * Mode::ALL.len() }>,
    injections: Places<RuleLabels, { Rule::ALL.len() }>,
    skipped: Places<SkipLabels, { Rule::ALL.len() * SkipReason::ALL.len() }>,
    in_flight: Gauge,
    not_after: Gauge<f64, AtomicU64>,
    policy_reloads: Family<ResultLabels, Counter>,
    certificate_reloads: Family<ResultLabels, Counter>,
    policies: Gauge,
    exemptions: Family<StateLabels, Gauge>,
}

type Durations = Family<PhaseLabels, Histogram, fn() -> Histogram>;

/// How a changed file ended.
#[derive(Debug, Clone, Copy)]
pub(super) enum Reload {
    Taken,
    Refused,
}

/// What is in force today.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) policies: usize,
    pub(super) active: usize,
    pub(super) expiring: usize,
    pub(super) expired: usize,
}

/// A review is in flight for as long as this lives.
pub(super) struct InFlight<'a>(&'a Gauge);

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReviewLabels {
    phase: &'static str,
    operation: &'static str,
    decision: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PhaseLabels {
    phase: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FindingLabels {
    rule: &'static str,
    mode: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RuleLabels {
    rule: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SkipLabels {
    rule: &'static str,
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabels {
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabels {
    state: &'static str,
}

impl Metrics {
    pub(super) fn new(lost_lines: &LostLines) -> Self {
        let duration = Durations::new_with_constructor(|| Histogram::new(BUCKETS));
        let of_phase = |phase: Phase| duration.get_or_create_owned(&PhaseLabels { phase: phase.as_str() });
        let mut metrics = Self {
            registry: Registry::with_prefix("podfit"),
            reviews: Places::new(),
            duration: Phase::ALL.map(of_phase),
            findings: Places::new(),
            injections: Places::new(),
            skipped: Places::new(),
            in_flight: Gauge::default(),
            not_after: Gauge::default(),
            policy_reloads: Family::default(),
            certificate_reloads: Family::default(),
            policies: Gauge::default(),
            exemptions: Family::default(),
        };
        metrics.register(lost_lines, duration);
        metrics.start_at_zero();
        metrics
    }

    pub(super) fn begin(&self) -> InFlight<'_> {
        self.in_flight.inc();
        InFlight(&self.in_flight)
    }

    /// One review that was judged, and how long judging it took: decoding and encoding too, waiting for its body not.
    pub(super) fn review(&self, record: &Record, took: Duration) {
        self.decision(record.phase, record.operation, record.decision);
        self.duration[record.phase as usize].observe(took.as_secs_f64());
        for (rule, mode, _) in &record.findings {
            self.finding(*rule, *mode).inc();
        }
        for rule in &record.injections {
            self.injection(*rule).inc();
        }
        for (rule, reason) in &record.skips {
            self.skip(*rule, *reason).inc();
        }
    }

    /// One review answered, also where its body never came to be judged.
    pub(super) fn decision(&self, phase: Phase, operation: Operation, decision: Decision) {
        self.reviewed(phase, operation, decision).inc();
    }

    fn reviewed(&self, phase: Phase, operation: Operation, decision: Decision) -> &Counter {
        let labels =
            || ReviewLabels { phase: phase.as_str(), operation: operation.as_str(), decision: decision.as_str() };
        self.reviews.at(place_of_review(phase, operation, decision), labels)
    }

    fn finding(&self, rule: Rule, mode: Mode) -> &Counter {
        let labels = || FindingLabels { rule: rule.id(), mode: mode.as_str() };
        self.findings.at(place_of_finding(rule, mode), labels)
    }

    fn injection(&self, rule: Rule) -> &Counter {
        self.injections.at(rule as usize, || RuleLabels { rule: rule.id() })
    }

    fn skip(&self, rule: Rule, reason: SkipReason) -> &Counter {
        let labels = || SkipLabels { rule: rule.id(), reason: reason.as_str() };
        self.skipped.at(place_of_skip(rule, reason), labels)
    }

    pub(super) fn policy_reloads(&self, result: Reload) {
        self.policy_reloads.get_or_create(&ResultLabels { result: result.as_str() }).inc();
    }

    /// Objects that were taken and refused since the last call.
    pub(super) fn policies_of_cluster(&self, taken: u64, refused: u64) {
        for (result, count) in [(Reload::Taken, taken), (Reload::Refused, refused)] {
            self.policy_reloads.get_or_create(&ResultLabels { result: result.as_str() }).inc_by(count);
        }
    }

    pub(super) fn certificate_reloads(&self, result: Reload) {
        self.certificate_reloads.get_or_create(&ResultLabels { result: result.as_str() }).inc();
    }

    /// Without a certificate its end is 1970, so that the alarm on it rings.
    pub(super) fn in_force(&self, tally: &Tally, certificate_not_after: Option<Timestamp>) {
        let gauge = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.policies.set(gauge(tally.policies));
        self.exemptions.get_or_create(&StateLabels { state: "active" }).set(gauge(tally.active));
        self.exemptions.get_or_create(&StateLabels { state: "expiring" }).set(gauge(tally.expiring));
        self.exemptions.get_or_create(&StateLabels { state: "expired" }).set(gauge(tally.expired));
        let not_after = certificate_not_after.unwrap_or(Timestamp::UNIX_EPOCH);
        self.not_after.set(not_after.as_duration().as_secs_f64());
    }

    /// The page of `/metrics`, in the `OpenMetrics` text that Prometheus asks for.
    ///
    /// # Errors
    ///
    /// Never in practice: writing to a `String` does not fail.
    pub(super) fn page(&self) -> Result<String, fmt::Error> {
        let mut page = String::with_capacity(16 << 10);
        encode(&mut page, &self.registry)?;
        Ok(page)
    }

    /// The library appends `_total` to counters and `_info` to infos.
    fn register(&mut self, lost_lines: &LostLines, duration: Durations) {
        let it = &mut self.registry;
        self.reviews.register(it, "reviews", "Reviews answered");
        it.register("review_duration_seconds", "Time to judge one review", duration);
        self.findings.register(it, "findings", "Findings by rule and mode");
        self.injections.register(it, "injections", "Injections made");
        self.skipped.register(it, "skipped", "Injections that must not be made, by reason");
        it.register("in_flight_reviews", "Reviews being read or judged", self.in_flight.clone());
        it.register(
            "certificate_not_after_seconds",
            "End of the certificate's validity, Unix time",
            self.not_after.clone(),
        );
        it.register("policy_reloads", "Changed policies, by what became of them", self.policy_reloads.clone());
        it.register(
            "certificate_reloads",
            "Changed certificates, by what became of them",
            self.certificate_reloads.clone(),
        );
        it.register("policies", "Policies in force", self.policies.clone());
        it.register("exemptions", "Exemptions of the policies in force", self.exemptions.clone());
        it.register("log_lines_lost", "Log lines that the sink did not take in time", lost_lines.counter());
        it.register("build", "This build", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
    }

    /// A series that appears with its first event hides that event from `rate()`.
    fn start_at_zero(&self) {
        for phase in Phase::ALL {
            for decision in [Decision::Allowed, Decision::Warned, Decision::Denied, Decision::Failed] {
                self.reviewed(phase, Operation::Create, decision);
            }
        }
        for rule in Rule::ALL {
            self.injection(rule);
            for mode in [Mode::Deny, Mode::Warn, Mode::Audit] {
                self.finding(rule, mode);
            }
        }
        for result in [Reload::Taken, Reload::Refused] {
            let labels = ResultLabels { result: result.as_str() };
            drop(self.policy_reloads.get_or_create(&labels));
            drop(self.certificate_reloads.get_or_create(&labels));
        }
    }
}

fn place_of_review(phase: Phase, operation: Operation, decision: Decision) -> usize {
    (phase as usize * Operation::ALL.len() + operation as usize) * Decision::ALL.len() + decision as usize
}

fn place_of_finding(rule: Rule, mode: Mode) -> usize {
    rule as usize * Mode::ALL.len() + mode as usize
}

fn place_of_skip(rule: Rule, reason: SkipReason) -> usize {
    rule as usize * SkipReason::ALL.len() + reason as usize
}

impl Reload {
    pub(super) fn of<T, E>(outcome: &Result<T, E>) -> Self {
        if outcome.is_ok() { Self::Taken } else { Self::Refused }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::Refused => "refused",
        }
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_counts_at_its_own_place() {
        fn in_order<T, const COUNT: usize>(all: [T; COUNT], place: fn(T) -> usize) {
            assert!(all.map(place).into_iter().eq(0..COUNT));
        }
        in_order(Phase::ALL, |it| it as usize);
        in_order(Operation::ALL, |it| it as usize);
        in_order(Decision::ALL, |it| it as usize);
        in_order(Rule::ALL, |it| it as usize);
        in_order(Mode::ALL, |it| it as usize);
        in_order(SkipReason::ALL, |it| it as usize);
    }

    #[test]
    fn every_event_is_one_line_of_the_page() {
        let metrics = Metrics::new(&LostLines::default());
        let _in_flight = metrics.begin();
        metrics.skip(Rule::Probes, SkipReason::Batch).inc();
        metrics.decision(Phase::Validate, Operation::Create, Decision::Denied);
        metrics.policy_reloads(Reload::Refused);
        metrics.in_force(&Tally { policies: 2, active: 3, expiring: 1, expired: 4 }, None);
        let page = metrics.page().unwrap();
        for line in [
            r#"podfit_skipped_total{rule="probes",reason="batch"} 1"#,
            r#"podfit_reviews_total{phase="validate",operation="CREATE",decision="denied"} 1"#,
            r#"podfit_policy_reloads_total{result="refused"} 1"#,
            "podfit_policies 2",
            r#"podfit_exemptions{state="active"} 3"#,
            r#"podfit_exemptions{state="expiring"} 1"#,
            r#"podfit_exemptions{state="expired"} 4"#,
            "podfit_in_flight_reviews 1",
            "podfit_certificate_not_after_seconds 0.0",
        ] {
            assert!(page.lines().any(|found| found == line), "{line}\n{page}");
        }
    }
}
