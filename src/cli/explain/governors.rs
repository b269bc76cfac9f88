//! Which policy governs each rule of an object, and why every other one does not.

use super::{Explained, Row};
use crate::{
    policy::{InForce, Mode, Policy},
    rules::Rule,
};

pub(super) fn rows(explained: &Explained<'_, '_>) -> Vec<Row> {
    let in_force = explained.in_force;
    let mut rows: Vec<Row> = Rule::ALL.into_iter().map(|rule| of_rule(rule, in_force)).collect();
    for policy in explained.policies.policies() {
        match policy.selector.mismatch(explained.subject) {
            Some(mismatch) => rows.push(of_policy(policy, "no match", mismatch.to_string())),
            None => rows.extend(defeat(policy, in_force)),
        }
    }
    rows
}

fn of_rule(rule: Rule, in_force: &InForce<'_>) -> Row {
    let (value, why) = match governor(rule, in_force) {
        Some((policy, mode)) => (mode.as_str(), format!("policy {}", policy.name)),
        None => (Mode::Disabled.as_str(), "no matching policy names it".to_owned()),
    };
    Row { subject: rule.id().to_owned(), value: value.to_owned(), why }
}

/// A policy that matches may still have nothing to say: another comes first in rules that both name.
fn defeat(policy: &Policy, in_force: &InForce<'_>) -> Option<Row> {
    if policy.rules().next().is_none() {
        return Some(of_policy(policy, "matches", "it names no rule".to_owned()));
    }
    let mut lost: Vec<(&Policy, Vec<&str>)> = Vec::new();
    for rule in policy.rules() {
        let Some((winner, _)) = governor(rule, in_force).filter(|(winner, _)| winner.name != policy.name) else {
            continue;
        };
        match lost.iter_mut().find(|(known, _)| known.name == winner.name) {
            Some((_, rules)) => rules.push(rule.id()),
            None => lost.push((winner, vec![rule.id()])),
        }
    }
    let told = lost.iter().map(|(winner, rules)| format!("{}: {}", before(winner, policy), rules.join(", ")));
    let told: Vec<String> = told.collect();
    (!told.is_empty()).then(|| of_policy(policy, "outranked", told.join("; ")))
}

fn before(winner: &Policy, policy: &Policy) -> String {
    if winner.priority == policy.priority {
        return format!("policy {} has the same priority, {}, and the first name", winner.name, winner.priority);
    }
    format!("policy {} has priority {}, this one {}", winner.name, winner.priority, policy.priority)
}

fn of_policy(policy: &Policy, value: &str, why: String) -> Row {
    Row { subject: format!("policy {}", policy.name), value: value.to_owned(), why }
}

fn governor<'p>(rule: Rule, in_force: &InForce<'p>) -> Option<(&'p Policy, Mode)> {
    match rule {
        Rule::ResourceLimits => in_force.resource_limits.map(|governed| (governed.policy, governed.settings.mode)),
        Rule::ImageTag => in_force.image_tag.map(|governed| (governed.policy, governed.settings.mode)),
        Rule::PodIdentity => in_force.pod_identity.map(|governed| (governed.policy, governed.settings.mode)),
        Rule::RuntimeSizing => in_force.runtime_sizing.map(|governed| (governed.policy, governed.settings.mode)),
        Rule::Probes => in_force.probes.map(|governed| (governed.policy, governed.settings.mode)),
    }
}
