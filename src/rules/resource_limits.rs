//! `resource-limits`: every container has a positive CPU and memory limit.
//!
//! Looks at: `resources.limits` of containers, sidecars and (unless the policy says otherwise) init containers; ephemeral
//! containers cannot have any. A limit in the Pod's own `spec.resources` satisfies the rule unless `podLevel: Ignore`.
//! Asks: a limit above zero for each resource in `require`; zero, `Mi` and the like are no limits to the kubelet.
//! Fix: the policy's own `defaults` with their `defaultRequests`, where it names some.
//! Exempt: by policy, per container.
//! Why: a container without limits takes what the node has, and no runtime can be fitted to nothing.

use std::borrow::Cow;

use crate::{
    fitting::{Amount, Fitting, Report},
    policy::{Basis, DefaultLimit, Governed, Mode, ResourceLimits},
    rules::Rule,
    runtimes::Signal,
    verdict::{Change, Edit, Field, Finding, Origin, OriginBasis, SkipReason, Verdict, quoted},
    workload::ContainerKind,
};

pub fn judge<'a>(governed: &Governed<'a, ResourceLimits>, fitting: &mut Fitting<'a>, verdict: &mut Verdict<'a>) {
    let settings = governed.settings;
    if !is_looked_at(settings, fitting.at.kind) {
        return;
    }
    // Defaults are injected whatever the mode.
    let is_required = |required: bool| required && settings.mode != Mode::Disabled;
    let mut report = Report { rule: Rule::ResourceLimits, mode: settings.mode, policy: governed.policy, verdict };
    let resources = [
        (Basis::Cpu, settings.require_cpu, &settings.cpu_default),
        (Basis::Memory, settings.require_memory, &settings.memory_default),
    ];
    for (basis, required, default) in resources {
        let satisfied =
            fitting.own_limit(basis).is_some() || (settings.pod_level_accepted && fitting.pod_limit(basis).is_some());
        if !satisfied {
            missing(basis, is_required(required), default.as_ref(), fitting, &mut report);
        }
    }
}

fn is_looked_at(settings: &ResourceLimits, kind: ContainerKind) -> bool {
    match kind {
        ContainerKind::Regular | ContainerKind::Sidecar => true,
        ContainerKind::Init => settings.init_containers,
        ContainerKind::Ephemeral => false,
    }
}

fn missing<'a>(
    basis: Basis,
    required: bool,
    default: Option<&'a DefaultLimit>,
    fitting: &mut Fitting<'a>,
    report: &mut Report<'_, 'a>,
) {
    if let Some(default) = default.filter(|default| may_repair(basis, default, fitting, report)) {
        let mut finding = finding(basis, fitting, report);
        finding.mode = Mode::Inject;
        if !required {
            // Nobody asks for it: where it is missing all the same, that is no reason to refuse.
            finding.policy_mode = Mode::Inject;
        }
        finding.edits.push(Edit {
            place: fitting.at.place(),
            change: Change::Limit { basis, default, with_request: request(fitting, basis).is_none() },
            origin: Origin { policy: &report.policy.name, basis: OriginBasis::PolicyDefault, signal: Signal::Policy },
        });
        report.push(finding);
        fitting.repair_limit(basis, default);
    } else if required {
        let finding = finding(basis, fitting, report);
        report.push(finding);
    }
}

/// Not where the API would refuse the result: a limit below the container's own request, a limit above the Pod's own, a
/// request beside the Pod's own, which bounds the sum of all; and not over what the user wrote, even where it is a zero.
fn may_repair<'a>(basis: Basis, default: &'a DefaultLimit, fitting: &Fitting<'a>, report: &mut Report<'_, 'a>) -> bool {
    let subject = || Cow::Owned(format!("limits.{}", basis.resource()));
    if let Some(text) = request(fitting, basis).filter(|(quantity, _)| quantity.is_none_or(|q| q > default.limit)) {
        report.skip(fitting, subject(), SkipReason::LimitBelowRequest, Cow::Borrowed(text.1), false);
        return false;
    }
    let above_pod = fitting.pod_limit(basis).is_some_and(|Amount { quantity, .. }| default.limit > quantity);
    let beside_pod = request(fitting, basis).is_none() && fitting.has_pod_request(basis);
    if above_pod || beside_pod {
        report.skip(fitting, subject(), SkipReason::PodLevel, Cow::Borrowed(basis.word()), false);
        return false;
    }
    if !fitting.pod.is_small_enough() {
        return false;
    }
    given(fitting, basis).is_none()
}

type GivenText<'a> = Option<(Option<crate::quantity::Quantity>, &'a str)>;

fn given<'a>(fitting: &Fitting<'a>, basis: Basis) -> GivenText<'a> {
    amount(fitting.at.container.resources.as_ref()?.limits.as_ref()?, basis)
}

fn request<'a>(fitting: &Fitting<'a>, basis: Basis) -> GivenText<'a> {
    amount(fitting.at.container.resources.as_ref()?.requests.as_ref()?, basis)
}

fn amount<'a>(amounts: &'a crate::object::Amounts<'a>, basis: Basis) -> GivenText<'a> {
    let given = match basis {
        Basis::Cpu => amounts.cpu.as_ref()?,
        Basis::Memory => amounts.memory.as_ref()?,
    };
    Some((given.value, given.text.as_ref()))
}

fn finding<'a>(basis: Basis, fitting: &Fitting<'a>, report: &Report<'_, 'a>) -> Finding<'a> {
    let (resource, word) = (basis.resource(), basis.word());
    let (reason, problem) = match given(fitting, basis) {
        None => (no_limit(basis), format!("has no {word} limit; set resources.limits.{resource}, {}", example(basis))),
        Some((None, text)) => (
            "limit is no quantity",
            format!("has the {word} limit {}, which is no quantity; write an amount {}", shown(text), example(basis)),
        ),
        Some((Some(_), text)) => (
            no_limit(basis),
            format!("has the {word} limit {}, which means no limit; write an amount {}", shown(text), example(basis)),
        ),
    };
    Finding {
        value: Cow::Borrowed(resource),
        problem: format!("{} {} {problem}", fitting.at.kind.as_str(), quoted(fitting.at.name())),
        ..report.finding(fitting, Field::limit(basis), reason)
    }
}

fn no_limit(basis: Basis) -> &'static str {
    match basis {
        Basis::Cpu => "container has no CPU limit",
        Basis::Memory => "container has no memory limit",
    }
}

/// What to write instead.
pub fn example(basis: Basis) -> &'static str {
    match basis {
        Basis::Cpu => "such as 500m",
        Basis::Memory => "such as 256Mi",
    }
}

/// A quantity is at most some dozen characters; anything longer is not worth repeating.
fn shown(text: &str) -> String {
    text.chars().take(40).collect::<String>().escape_debug().to_string()
}
