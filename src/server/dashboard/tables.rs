//! The tables of the dashboard. A class of a mode colours its numbers, where they are not zero.

use std::sync::Arc;

use jiff::{Timestamp, civil::Date};
use maud::{Markup, html};

use super::{shown, words};
use crate::{
    admission::{Decision, Phase},
    policy::{Exemption, Mode, Policy, Standing},
    report::{
        html::{class, word},
        visible,
    },
    rules::Rule,
    server::{metrics::Metrics, refusals::Refusal},
    verdict::SkipReason,
};

/// A cluster may have a thousand; `/metrics` counts them all.
const MOST_POLICIES: usize = 100;

pub(super) fn refusals(refusals: &[Refusal], now: Timestamp) -> Markup {
    if refusals.is_empty() {
        return html! { p.nothing { "None since the start." } };
    }
    html! {
        table.stacked {
            thead { tr { th scope="col" { "When" } th scope="col" { "Object" } th scope="col" { "Why" } } }
            tbody {
                @for Refusal { latest, times, refused } in refusals {
                    tr {
                        td data-label="When" {
                            time datetime=(latest) title=(shown(*latest)) { (words(now.duration_since(*latest))) " ago" }
                            @if *times > 1 { small { " " (times) " times" } }
                        }
                        td data-label="Object" {
                            (visible(&refused.kind)) " " b { (visible(&refused.namespace)) "/" (visible(&refused.name)) }
                        }
                        td data-label="Why" {
                            @for (rule, reason) in &refused.causes { p { (reason) " " small { (rule.id()) } } }
                        }
                    }
                }
            }
        }
    }
}

pub(super) fn findings(metrics: &Metrics) -> Markup {
    let modes = [Mode::Deny, Mode::Warn, Mode::Audit];
    html! {
        table {
            thead {
                tr {
                    th scope="col" { "Rule" }
                    @for mode in modes.into_iter().chain([Mode::Inject]) { th.amount scope="col" { (word(mode)) } }
                }
            }
            tbody {
                @for rule in Rule::ALL {
                    tr {
                        th scope="row" { (rule.id()) }
                        @for mode in modes { (amount(metrics.findings_of(rule, mode), class(mode))) }
                        (amount(metrics.injections_of(rule), class(Mode::Inject)))
                    }
                }
            }
        }
    }
}

/// What has come, and what an operator looks for even where it has not.
pub(super) fn reviews(metrics: &Metrics) -> Markup {
    let phases = [Phase::Mutate, Phase::Validate];
    let usual = [Decision::Allowed, Decision::Patched, Decision::Warned, Decision::Denied, Decision::Failed];
    let rows = Decision::ALL.map(|decision| (decision, phases.map(|phase| metrics.reviews_of(phase, decision))));
    let rows = rows.into_iter().filter(|(decision, amounts)| usual.contains(decision) || *amounts != [0, 0]);
    html! {
        table {
            thead {
                tr { th scope="col" { "Decision" } @for phase in phases { th.amount scope="col" { "/" (phase.as_str()) } } }
            }
            tbody {
                @for (decision, amounts) in rows {
                    tr {
                        th scope="row" { (decision.as_str()) }
                        @for number in amounts { (amount(number, class_of(decision))) }
                    }
                }
            }
        }
    }
}

fn class_of(decision: Decision) -> &'static str {
    match decision {
        Decision::Denied | Decision::Failed | Decision::Invalid => class(Mode::Deny),
        Decision::Warned => class(Mode::Warn),
        Decision::Patched => class(Mode::Inject),
        _ => "",
    }
}

pub(super) fn policies(policies: &[Arc<Policy>], today: Date) -> Markup {
    html! {
        table.stacked {
            thead {
                tr {
                    @for name in ["Policy", "Priority", "Rules it names", "Exemptions"] { th scope="col" { (name) } }
                }
            }
            tbody {
                @for policy in policies.iter().take(MOST_POLICIES) {
                    tr {
                        th scope="row" { b { (visible(&policy.name)) } }
                        td data-label="Priority" { (policy.priority) }
                        td.listed data-label="Rules" {
                            @for (rule, mode) in Rule::ALL.iter().filter_map(|rule| Some((rule, policy.mode(*rule)?))) {
                                p { (rule.id()) " " span class={ "mode " (class(mode)) } { (mode.as_str()) } }
                            }
                        }
                        td data-label="Exemptions" { (exemptions(&policy.exemptions, today)) }
                    }
                }
            }
        }
        @if policies.len() > MOST_POLICIES { p.nothing { "and " (policies.len() - MOST_POLICIES) " more" } }
    }
}

fn exemptions(exemptions: &[Exemption], today: Date) -> Markup {
    let of = |standing| exemptions.iter().filter(move |exemption| exemption.standing(today) == standing);
    let next = of(Standing::Expiring).filter_map(|exemption| exemption.expires).min();
    let expired = of(Standing::Expired).count();
    html! {
        p { (of(Standing::Active).count()) " active" }
        @if let Some(next) = next { p.mode.warn { (of(Standing::Expiring).count()) " expiring, the first on " (next) } }
        @if expired > 0 { p.mode.deny { (expired) " expired" } }
    }
}

pub(super) fn skips(metrics: &Metrics) -> Markup {
    let all = Rule::ALL.into_iter().flat_map(|rule| SkipReason::ALL.map(|reason| (rule, reason)));
    let counted = all.map(|(rule, reason)| (rule, reason, metrics.skips_of(rule, reason)));
    let rows: Vec<_> = counted.filter(|(.., number)| *number > 0).collect();
    if rows.is_empty() {
        return html! { p.nothing { "None since the start." } };
    }
    html! {
        table {
            thead { tr { th scope="col" { "Rule" } th scope="col" { "Reason" } th.amount scope="col" { "Skipped" } } }
            tbody {
                @for (rule, reason, number) in rows {
                    tr { td { (rule.id()) } td { (reason.as_str()) } (amount(number, "")) }
                }
            }
        }
    }
}

fn amount(number: u64, class: &str) -> Markup {
    html! { td class={ "amount " (if number == 0 { "zero" } else { class }) } { (number) } }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn exemptions_are_told_by_how_long_they_hold() {
        let today = date(2026, 11, 24);
        let (ended, last_day, soon, later) =
            (date(2026, 11, 23), date(2026, 11, 24), date(2026, 12, 7), date(2027, 1, 31));
        for (name, expires, said) in [
            ("none", &[][..], "<p>0 active</p>"),
            ("for ever and for long", &[None, Some(later)], "<p>2 active</p>"),
            ("ended", &[Some(ended)], "<p>0 active</p><p class=\"mode deny\">1 expired</p>"),
            (
                "of each",
                &[None, Some(later), Some(soon), Some(last_day), Some(ended)],
                "<p>2 active</p><p class=\"mode warn\">2 expiring, the first on 2026-11-24</p>\
                 <p class=\"mode deny\">1 expired</p>",
            ),
        ] {
            let exemptions: Vec<_> = expires.iter().map(|expires| exemption(*expires)).collect();
            assert_eq!(super::exemptions(&exemptions, today).into_string(), said, "{name}");
        }
    }

    fn exemption(expires: Option<Date>) -> Exemption {
        Exemption {
            reason: "ticket".to_owned(),
            expires,
            rules: vec![Rule::ImageTag],
            namespaces: None,
            pod_selector: None,
            containers: None,
            images: None,
        }
    }
}
