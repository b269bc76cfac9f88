//! What a scan says of exemptions: who relies on them, and which end soon or have ended.

use jiff::civil::Date;

use super::fold::Fold;
use crate::{
    policy::{Exemption, Policy, PolicySet},
    report::{count, expired_exemptions},
};

/// Time enough to act, or to ask for more.
const SOON_DAYS: i32 = 30;

pub(super) fn notes(policies: &PolicySet, today: Date, fold: &Fold) -> Vec<String> {
    let all = policies.policies().iter().flat_map(|policy| policy.exemptions.iter().map(move |it| (policy, it)));
    let in_force = all.filter(|(_, exemption)| !exemption.is_expired(today));
    let mut notes: Vec<String> =
        in_force.filter_map(|(policy, exemption)| note(policy, exemption, today, fold)).collect();
    notes.extend(expired_exemptions(policies, today));
    notes
}

/// Nothing of an exemption that nobody needs and that does not end soon.
fn note(policy: &Policy, exemption: &Exemption, today: Date, fold: &Fold) -> Option<String> {
    let (pods, owners) = fold.relying(&policy.name, &exemption.reason);
    let until = match exemption.expires {
        None if owners == 0 => return None,
        None => String::new(),
        Some(last) => {
            let days = today.until(last).map_or(i32::MAX, |span| span.get_days());
            match days {
                days if days > SOON_DAYS && owners == 0 => return None,
                days if days > SOON_DAYS => format!(" is valid until {last}"),
                0 => format!(" expires today ({last})"),
                days => format!(" expires in {} ({last})", count(days.unsigned_abs() as usize, "day")),
            }
        }
    };
    let whom = match (pods, owners) {
        (_, 0) => "nobody".to_owned(),
        (0, owners) => format!("{} without Pods", count(owners, "owner")),
        (pods, owners) => format!("{} of {}", count(pods, "Pod"), count(owners, "owner")),
    };
    Some(format!("policy {}: the exemption {:?}{until}; it spares {whom}", policy.name, exemption.reason))
}
