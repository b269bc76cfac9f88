//! The judgement: every rule over every container of a workload, under the policies in force. Server, command line, scan
//! and tests call this one function; it reads nothing but its arguments.

use std::{borrow::Cow, fmt::Write as _};

use jiff::civil::Date;

use crate::{
    fitting::{Fitting, MAX_INJECTED_CONTAINERS, Pod},
    policy::{Exemption, Governed, ImageTag, InForce},
    rules::{Rule, image_tag, pod_identity, probes, resource_limits, runtime_sizing},
    verdict::{Exempted, Skip, SkipReason, Verdict},
    workload::{Place, Workload},
};

/// Findings about image volumes that are told one by one: an object may have tens of thousands, and a finding is larger than
/// what it is about.
const MAX_VOLUMES_TOLD: usize = 1_000;

/// What most containers bring, for as many as most Pods have: room that is made once.
const FINDINGS_OF_A_CONTAINER: usize = 4;
const FEW_CONTAINERS: usize = 4;

/// Judges a workload under what it is held to: all findings, skips and used exemptions, in the order of containers and rules.
/// Exemptions expire by `today`, in UTC.
pub fn review<'a>(in_force: &InForce<'a>, pod: &'a Pod<'a>, today: Date) -> Verdict<'a> {
    let mut verdict = Verdict { matched: in_force.matched, ..Verdict::default() };
    if !in_force.matched {
        return verdict;
    }
    verdict.notes.clone_from(&pod.wishes.notes);
    let is_small_enough = pod.is_small_enough();
    let containers = pod.workload.container_count();
    verdict.findings.reserve(FINDINGS_OF_A_CONTAINER * containers.min(FEW_CONTAINERS));
    let mut others = containers.saturating_sub(1);
    for at in pod.workload.containers() {
        let mut fitting = Fitting::new(pod, at);
        for rule in Rule::ALL.into_iter().filter(|rule| is_small_enough || !rule.is_injecting()) {
            look(rule, in_force, today, &mut fitting, &mut verdict);
        }
        if others > 0 {
            // Containers of a Pod are alike: what the first has brought, each of the others will.
            verdict.findings.reserve(verdict.findings.len() * others);
            verdict.skips.reserve(verdict.skips.len() * others);
            others = 0;
        }
    }
    if !is_small_enough {
        verdict.skips.push(too_many_containers());
    }
    if let Some(governed) = &in_force.image_tag {
        look_at_volumes(governed, in_force, today, pod.workload, &mut verdict);
    }
    verdict
}

/// One skip for the whole Pod: one per variable would be ten thousands.
fn too_many_containers<'a>() -> Skip<'a> {
    Skip {
        rule: Rule::RuntimeSizing,
        policy: "",
        place: Place::Pod,
        container: "",
        subject: Cow::Borrowed("injections"),
        reason: SkipReason::TooManyContainers,
        about: Cow::Owned(MAX_INJECTED_CONTAINERS.to_string()),
        asked: false,
    }
}

/// One rule on one container; where an exemption covers it, its findings, skips and repairs are taken back.
fn look<'a>(rule: Rule, in_force: &InForce<'a>, today: Date, fitting: &mut Fitting<'a>, verdict: &mut Verdict<'a>) {
    let at = fitting.at;
    let Some((policy, exemption)) = in_force.exemption(rule, today, at.name(), at.image()) else {
        return judge(rule, in_force, fitting, verdict);
    };
    let (findings, skips) = (verdict.findings.len(), verdict.skips.len());
    judge(rule, in_force, &mut fitting.clone(), verdict);
    if verdict.findings.len() > findings {
        verdict.exempted.push(Exempted { rule, container: at.name(), policy: &policy.name, reason: &exemption.reason });
    }
    verdict.findings.truncate(findings);
    verdict.skips.truncate(skips);
}

/// Image volumes have no container: an exemption that names containers does not cover them.
fn look_at_volumes<'a>(
    governed: &Governed<'a, ImageTag>,
    in_force: &InForce<'a>,
    today: Date,
    workload: &'a Workload<'a>,
    verdict: &mut Verdict<'a>,
) {
    let (mut told, mut untold) = (0, 0);
    for finding in image_tag::of_volumes(governed, workload) {
        let container = finding.container.unwrap_or_default();
        match in_force.exemption(finding.rule, today, "", &finding.value) {
            Some((policy, Exemption { reason, .. })) => {
                verdict.exempted.push(Exempted { rule: finding.rule, container, policy: &policy.name, reason });
            }
            // Those of a template are compared with what was there before: each counts.
            None if told < MAX_VOLUMES_TOLD || workload.kind.is_template() => {
                told += 1;
                verdict.findings.push(finding);
            }
            None => untold += 1,
        }
    }
    if let (Some(last), 1..) = (verdict.findings.last_mut(), untold) {
        let _ = write!(last.problem, " (and {untold} more volumes)");
    }
}

fn judge<'a>(rule: Rule, in_force: &InForce<'a>, fitting: &mut Fitting<'a>, verdict: &mut Verdict<'a>) {
    match rule {
        Rule::ResourceLimits => {
            in_force.resource_limits.iter().for_each(|governed| resource_limits::judge(governed, fitting, verdict));
        }
        Rule::ImageTag => in_force.image_tag.iter().for_each(|governed| image_tag::judge(governed, fitting, verdict)),
        Rule::PodIdentity => {
            in_force.pod_identity.iter().for_each(|governed| pod_identity::judge(governed, fitting, verdict));
        }
        Rule::RuntimeSizing => {
            in_force.runtime_sizing.iter().for_each(|governed| runtime_sizing::judge(governed, fitting, verdict));
        }
        Rule::Probes => in_force.probes.iter().for_each(|governed| probes::judge(governed, fitting, verdict)),
    }
}
