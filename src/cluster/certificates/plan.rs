//! What is to be done next, from what is seen. Pure: no clock, no API server. The keeper asks it at every look.

use std::time::Duration;

use jiff::Timestamp;

use super::{
    Periods,
    held::{Held, Leaf, Signing},
};

/// Each but the first two is one write of the Secret. Between two of them everything is looked at again, because another
/// replica may have been faster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Rest,
    /// Nothing that we could do helps, or not yet; for a person to read.
    Wait(String),
    /// A CA and a leaf, out of nothing.
    Make,
    /// What this process remembers of the Secret.
    Restore,
    /// A leaf of the same CA.
    Renew,
    /// The next CA, to be trusted beside the one that signs.
    Announce,
    /// The next CA signs from now on.
    Switch,
    /// The previous CA is trusted no more.
    Retire,
}

/// What a person has asked for by annotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rotate {
    Leaf,
    Authority,
}

/// All that a step depends on.
#[derive(Debug)]
pub(super) struct Seen<'a> {
    pub(super) held: &'a Held,
    pub(super) asked: Option<Rotate>,
    /// What this process has last seen whole in the Secret.
    pub(super) remembered: Option<&'a Held>,
    /// Whether every configuration holds the bundle.
    pub(super) trusted: bool,
    /// Whether some configuration holds any bundle.
    pub(super) bundled: bool,
    /// For how long Secret and configurations have looked as they do.
    pub(super) unchanged: Duration,
}

pub(super) fn plan(now: Timestamp, seen: &Seen<'_>, periods: &Periods) -> Step {
    let Some(signing) = seen.held.signing.as_ref().filter(|signing| now < signing.validity.until) else {
        return without_authority(now, seen, periods);
    };
    if signing.key.is_none() && remembers_key_of(signing, seen) {
        return Step::Restore;
    }
    match (seen.asked, signing.key.is_some()) {
        (Some(Rotate::Authority), _) if seen.held.next.is_none() => return Step::Announce,
        (Some(Rotate::Leaf), true) => return Step::Renew,
        _ => {}
    }
    match seen.held.leaf.as_ref().filter(|leaf| now < leaf.validity.until) {
        None if signing.key.is_none() => without_authority(now, seen, periods),
        None => Step::Renew,
        Some(leaf) => with_leaf(now, seen, periods, signing, leaf),
    }
}

fn with_leaf(now: Timestamp, seen: &Seen<'_>, periods: &Periods, signing: &Signing, leaf: &Leaf) -> Step {
    let settled = |period| seen.trusted && seen.unchanged >= period;
    // By a CA that has not begun nobody can call us: waiting for the overlap would only make that longer.
    if now < signing.validity.from && seen.held.next.is_some() && seen.trusted {
        return Step::Switch;
    }
    let begins = leaf.validity.from.max(signing.validity.from);
    if now < begins {
        return Step::Wait(format!(
            "the certificate begins only at {begins} by the API server's clock: a clock is wrong, or was"
        ));
    }
    if signing.key.is_some() && leaf.validity.is_due(now) {
        return Step::Renew;
    }
    match (&seen.held.next, &seen.held.previous) {
        (Some(_), _) if settled(periods.overlap) => Step::Switch,
        (None, _) if signing.key.is_none() || signing.validity.is_due(now) => Step::Announce,
        (None, Some(_)) if settled(periods.retirement) => Step::Retire,
        _ => Step::Rest,
    }
}

/// Somebody has deleted or broken the Secret, or nobody has made it. Whoever remembers it writes it back, so that what is
/// trusted and served stays so; who does not, as after a restart, leaves the others the time to.
fn without_authority(now: Timestamp, seen: &Seen<'_>, periods: &Periods) -> Step {
    let remembered = seen.remembered.and_then(|held| held.signing.as_ref());
    let holds = |signing: &Signing| signing.validity.from <= now && now < signing.validity.until;
    if remembered.is_some_and(|signing| signing.key.is_some() && holds(signing)) {
        Step::Restore
    } else if seen.bundled && seen.unchanged < periods.patience {
        Step::Wait("another replica may still write back what it remembers".to_owned())
    } else {
        Step::Make
    }
}

fn remembers_key_of(signing: &Signing, seen: &Seen<'_>) -> bool {
    let remembered = seen.remembered.and_then(|held| held.signing.as_ref());
    remembered.is_some_and(|other| other.key.is_some() && other.certificate == signing.certificate)
}

#[cfg(test)]
mod tests;
