//! What a scan says of exemptions: who relies on them, and which end soon or have ended.

use jiff::civil::Date;

use super::fold::Fold;
use crate::{
    policy::{Exemption, Policy, PolicySet, Standing},
    report::{count, expired_exemptions},
};

pub(super) fn notes(policies: &PolicySet, today: Date, fold: &Fold) -> Vec<String> {
    let all = policies.policies().iter().flat_map(|policy| policy.exemptions.iter().map(move |it| (policy, it)));
    let mut notes: Vec<String> = all.filter_map(|(policy, exemption)| note(policy, exemption, today, fold)).collect();
    notes.extend(expired_exemptions(policies, today));
    notes
}

/// Nothing of an exemption that nobody needs and that does not end soon.
fn note(policy: &Policy, exemption: &Exemption, today: Date, fold: &Fold) -> Option<String> {
    let (pods, owners) = fold.relying(&policy.name, &exemption.reason);
    let until = match (exemption.standing(today), exemption.expires) {
        (Standing::Expired, _) => return None,
        (Standing::Active, _) if owners == 0 => return None,
        (Standing::Active, None) => String::new(),
        (Standing::Active, Some(last)) => format!(" is valid until {last}"),
        (Standing::Expiring, last) => format!(" expires soon: {} is its last day", last.unwrap_or(today)),
    };
    let whom = match (pods, owners) {
        (_, 0) => "nobody".to_owned(),
        (0, owners) => format!("{} without Pods", count(owners, "owner")),
        (pods, owners) => format!("{} of {}", count(pods, "Pod"), count(owners, "owner")),
    };
    Some(format!("policy {}: the exemption {:?}{until}; it spares {whom}", policy.name, exemption.reason))
}
