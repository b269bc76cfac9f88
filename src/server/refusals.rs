//! The last refusals, for the dashboard: names, rules and reasons, nothing else of a request. `webhook.rs` notes them. A
//! review that refuses nothing never comes near the lock.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;

use crate::{admission::Record, policy::Mode, rules::Rule};

/// A name is 512 bytes at most, so that all together take less than 100 KiB.
const MOST: usize = 50;

/// The newest first.
#[derive(Default)]
pub(super) struct Refusals(Mutex<VecDeque<Refusal>>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) latest: Timestamp,
    pub(super) times: u64,
    pub(super) refused: Refused,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) namespace: String,
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) causes: Vec<(Rule, &'static str)>,
}

impl Refusals {
    /// A controller tries again and again: what is refused alike is one refusal, however often.
    pub(super) fn note(&self, record: Record, now: Timestamp) {
        let refused = Refused::of(record);
        let mut kept = self.lock();
        let known = kept.iter().position(|refusal| refusal.refused == refused);
        let times = known.and_then(|index| kept.remove(index)).map_or(0, |refusal| refusal.times);
        kept.truncate(MOST - 1);
        kept.push_front(Refusal { latest: now, times: times + 1, refused });
    }

    pub(super) fn newest_first(&self) -> Vec<Refusal> {
        self.lock().iter().cloned().collect()
    }

    /// A panic of another holder leaves a list that is as good as before.
    fn lock(&self) -> MutexGuard<'_, VecDeque<Refusal>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Refused {
    fn of(record: Record) -> Self {
        let denied = record.findings.iter().filter(|(_, mode, _)| *mode == Mode::Deny);
        let mut causes: Vec<_> = denied.map(|&(rule, _, reason)| (rule, reason)).collect();
        causes.sort_unstable();
        causes.dedup();
        Self { namespace: record.namespace, kind: record.kind, name: record.name, causes }
    }
}

#[cfg(test)]
mod tests {
    use smallvec::SmallVec;

    use super::*;
    use crate::admission::{Decision, Operation, Phase};

    #[test]
    fn the_last_ones_are_kept_and_those_alike_are_one() {
        let refusals = Refusals::default();
        let at = |second| Timestamp::from_second(second).unwrap();
        for (second, name) in [(1, "a"), (2, "b"), (4, "a")] {
            refusals.note(record(name), at(second));
        }
        let causes = vec![(Rule::ResourceLimits, "no CPU"), (Rule::ImageTag, "no tag")];
        let refused = |name: &str| Refused {
            namespace: "shop".to_owned(),
            kind: "Pod".to_owned(),
            name: name.to_owned(),
            causes: causes.clone(),
        };
        let expected = [
            Refusal { latest: at(4), times: 2, refused: refused("a") },
            Refusal { latest: at(2), times: 1, refused: refused("b") },
        ];
        assert_eq!(refusals.newest_first(), expected);

        for number in 0..100 {
            refusals.note(record(&number.to_string()), at(5));
        }
        let kept = refusals.newest_first();
        let name = |refusal: Option<&Refusal>| refusal.map(|refusal| refusal.refused.name.clone());
        assert_eq!((kept.len(), name(kept.first()), name(kept.last())), (50, Some("99".into()), Some("50".into())));
    }

    fn record(name: &str) -> Record {
        let tag = (Rule::ImageTag, Mode::Deny, "no tag");
        Record {
            phase: Phase::Validate,
            operation: Operation::Create,
            decision: Decision::Denied,
            uid: "1".to_owned(),
            namespace: "shop".to_owned(),
            name: name.to_owned(),
            kind: "Pod".to_owned(),
            user: "ann".to_owned(),
            findings: vec![
                tag,
                (Rule::ResourceLimits, Mode::Deny, "no CPU"),
                (Rule::Probes, Mode::Warn, "no probe"),
                tag,
            ],
            injections: SmallVec::new(),
            skips: SmallVec::new(),
            message: "the image \"secret\"".to_owned(),
        }
    }
}
