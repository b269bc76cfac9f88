//! The judgement: every rule over every container of a workload, under the policies in force. Server, command line, scan
//! and tests call this one function; it reads nothing but its arguments.

use std::borrow::Cow;

use jiff::civil::Date;

use crate::{
    injected::Injected,
    object::{Amounts, Env, EnvSource, Given},
    policy::{Basis, DefaultLimit, InForce, Labels, Mode, Policy, PolicySet, Subject},
    quantity::Quantity,
    rules::{Rule, image_tag, pod_identity, probes, resource_limits, runtime_sizing},
    verdict::{Exempted, Field, Finding, OriginBasis, Skip, SkipReason, Verdict},
    wishes::Wishes,
    workload::{ContainerAt, ContainerKind, Workload},
};

/// Above this number of containers nothing is injected: a patch of that size helps nobody.
pub const MAX_INJECTED_CONTAINERS: usize = 1_000;

/// What a judgement needs to know beside the object.
#[derive(Debug, Clone, Copy)]
pub struct Context<'c> {
    pub namespace: &'c str,
    /// Of the namespace; unknown ones match no selector.
    pub labels: Option<&'c Labels>,
    /// Exemptions expire by it, in UTC.
    pub today: Date,
}

/// What is read once per workload, before any container.
pub struct Pod<'a> {
    pub workload: &'a Workload<'a>,
    pub wishes: Wishes<'a>,
    pub injected: Injected<'a>,
    /// Regular containers and sidecars: with exactly one, a limit of the Pod is that container's own.
    long_running: usize,
    pub regular: usize,
    containers: usize,
}

impl<'a> Pod<'a> {
    pub fn read(workload: &'a Workload<'a>) -> Self {
        let count = |wanted: fn(ContainerKind) -> bool| workload.containers().filter(|at| wanted(at.kind)).count();
        Self {
            workload,
            wishes: Wishes::read(workload),
            injected: Injected::read(workload),
            long_running: count(ContainerKind::is_long_running),
            regular: count(|kind| kind == ContainerKind::Regular),
            containers: workload.container_count(),
        }
    }

    pub fn is_small_enough(&self) -> bool {
        self.containers <= MAX_INJECTED_CONTAINERS
    }
}

/// Judges a workload: all findings, skips and used exemptions, in the order of containers and rules.
pub fn review<'a>(policies: &'a PolicySet, pod: &'a Pod<'a>, context: &Context<'_>) -> Verdict<'a> {
    let labels = &pod.workload.pod_metadata().labels;
    let subject = Subject { namespace: context.namespace, namespace_labels: context.labels, pod_labels: labels };
    let in_force = policies.in_force(&subject);
    let mut verdict = Verdict { matched: in_force.matched, ..Verdict::default() };
    if !in_force.matched {
        return verdict;
    }
    verdict.notes.clone_from(&pod.wishes.notes);
    for at in pod.workload.containers() {
        let mut fitting = Fitting::new(pod, at);
        for rule in Rule::ALL {
            look(rule, &in_force, context.today, &mut fitting, &mut verdict);
        }
    }
    if let Some(governed) = &in_force.image_tag {
        image_tag::judge_volumes(governed, pod.workload, &mut verdict);
    }
    verdict
}

/// One rule on one container; where an exemption covers it, its findings, skips and repairs are taken back.
fn look<'a>(rule: Rule, in_force: &InForce<'a>, today: Date, fitting: &mut Fitting<'a>, verdict: &mut Verdict<'a>) {
    let at = fitting.at;
    let exemption = in_force.exemptions.iter().find(|(_, exemption)| {
        exemption.rules.contains(&rule) && exemption.covers(today, at.name(), at.image())
    });
    let Some((policy, exemption)) = exemption else {
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

fn judge<'a>(rule: Rule, in_force: &InForce<'a>, fitting: &mut Fitting<'a>, verdict: &mut Verdict<'a>) {
    match rule {
        Rule::ResourceLimits => with(&in_force.resource_limits, |governed| resource_limits::judge(governed, fitting, verdict)),
        Rule::ImageTag => with(&in_force.image_tag, |governed| image_tag::judge(governed, fitting, verdict)),
        Rule::PodIdentity => with(&in_force.pod_identity, |governed| pod_identity::judge(governed, fitting, verdict)),
        Rule::RuntimeSizing => with(&in_force.runtime_sizing, |governed| runtime_sizing::judge(governed, fitting, verdict)),
        Rule::Probes => with(&in_force.probes, |governed| probes::judge(governed, fitting, verdict)),
    }
}

fn with<T>(governed: &Option<T>, judge: impl FnOnce(&T)) {
    if let Some(governed) = governed {
        judge(governed);
    }
}

/// A container as the rules before have repaired it.
#[derive(Clone)]
pub struct Fitting<'a> {
    pub pod: &'a Pod<'a>,
    pub at: ContainerAt<'a, 'a>,
    /// A default of the policy that is being injected, by resource.
    cpu_default: Option<&'a DefaultLimit>,
    memory_default: Option<&'a DefaultLimit>,
    /// Variables that are being injected.
    added: Vec<Cow<'a, str>>,
}

/// A limit or request that values are computed from.
#[derive(Debug, Clone)]
pub struct Amount<'a> {
    pub quantity: Quantity,
    pub origin: OriginBasis<'a>,
}

/// Whether a name is free in a container's environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing<'a> {
    Free,
    /// Recorded as a literal of ours, at this index, with this value.
    Ours { index: usize, value: &'a str },
    /// Recorded as ours, but no literal: nothing to compute anew.
    OursLive,
    Users,
}

impl<'a> Fitting<'a> {
    fn new(pod: &'a Pod<'a>, at: ContainerAt<'a, 'a>) -> Self {
        Self { pod, at, cpu_default: None, memory_default: None, added: Vec::new() }
    }

    pub fn repair_limit(&mut self, basis: Basis, default: &'a DefaultLimit) {
        match basis {
            Basis::Cpu => self.cpu_default = Some(default),
            Basis::Memory => self.memory_default = Some(default),
        }
    }

    /// The container's own positive limit, or the policy's default that is being injected.
    pub fn own_limit(&self, basis: Basis) -> Option<Amount<'a>> {
        let limits = self.at.container.resources.as_ref().and_then(|resources| resources.limits.as_ref());
        if let Some((quantity, text)) = positive(limits, basis) {
            return Some(Amount { quantity, origin: OriginBasis::Limit { basis, text } });
        }
        let default = match basis {
            Basis::Cpu => self.cpu_default,
            Basis::Memory => self.memory_default,
        };
        default.map(|default| Amount {
            quantity: default.limit,
            origin: OriginBasis::Limit { basis, text: &default.limit_text },
        })
    }

    /// A positive limit in the Pod's own `spec.resources`.
    pub fn pod_limit(&self, basis: Basis) -> Option<Amount<'a>> {
        let (quantity, text) = positive(self.pod.workload.spec.resources.limits.as_ref(), basis)?;
        Some(Amount { quantity, origin: OriginBasis::PodLimit { basis, text } })
    }

    pub fn cpu_request(&self) -> Option<(Quantity, &'a str)> {
        let resources = self.at.container.resources.as_ref()?;
        positive(resources.requests.as_ref(), Basis::Cpu)
    }

    /// Whether the Pod's limit belongs to one long-running container alone.
    pub fn is_pod_limit_unshared(&self) -> bool {
        self.pod.long_running == 1
    }

    pub fn env(&self) -> impl Iterator<Item = (usize, &'a Env<'a>)> {
        self.at.container.env.iter().flat_map(|env| env.indexed())
    }

    /// Names are compared without case on Windows, as its environment is.
    pub fn standing(&self, name: &str) -> Standing<'a> {
        let windows = self.pod.workload.spec.is_windows();
        let same = |other: &str| if windows { other.eq_ignore_ascii_case(name) } else { other == name };
        if self.added.iter().any(|added| same(added)) {
            return Standing::Users;
        }
        let mut found = self.env().filter(|(_, variable)| same(variable.name.as_str()));
        let (Some((index, variable)), None) = (found.next(), found.next()) else {
            return if self.env().any(|(_, variable)| same(variable.name.as_str())) { Standing::Users } else { Standing::Free };
        };
        let container = self.at.name();
        match &variable.value {
            Some(value) if self.pod.injected.is_our_literal(container, variable) => {
                Standing::Ours { index, value: value.as_str() }
            }
            None if variable.value_from.0 && self.pod.injected.names(container, name) => Standing::OursLive,
            _ => Standing::Users,
        }
    }

    /// The first envFrom source that could supply a name: its prefix, empty for a source without one.
    pub fn env_from_for(&self, name: &str) -> Option<&'a str> {
        let prefix = |source: &'a EnvSource<'a>| source.prefix.as_ref().map_or("", |prefix| prefix.as_str());
        self.at.container.env_from.iter().map(prefix).find(|prefix| name.starts_with(prefix))
    }

    pub fn add_variable(&mut self, name: Cow<'a, str>) {
        self.added.push(name);
    }
}

fn positive<'a>(amounts: Option<&'a Amounts<'a>>, basis: Basis) -> Option<(Quantity, &'a str)> {
    let given: &'a Given<'a> = match basis {
        Basis::Cpu => amounts?.cpu.as_ref()?,
        Basis::Memory => amounts?.memory.as_ref()?,
    };
    Some((given.positive()?, given.text.as_ref()))
}

/// Writes one rule's findings and skips about one container into the verdict.
pub struct Report<'r, 'a> {
    pub rule: Rule,
    pub mode: Mode,
    pub policy: &'a Policy,
    pub verdict: &'r mut Verdict<'a>,
}

impl<'a> Report<'_, 'a> {
    /// A finding about a container in the policy's mode, for the rule to fill in.
    pub fn finding(&self, fitting: &Fitting<'a>, field: Field, reason: &'static str) -> Finding<'a> {
        Finding {
            rule: self.rule,
            policy: &self.policy.name,
            policy_mode: self.mode,
            mode: spared(self.mode, fitting.pod.workload),
            templates: self.policy.templates,
            place: fitting.at.place(),
            field,
            container: Some(fitting.at.name()),
            reason,
            value: Cow::Borrowed(""),
            problem: String::new(),
            edits: Vec::new(),
        }
    }

    pub fn push(&mut self, finding: Finding<'a>) {
        self.verdict.findings.push(finding);
    }

    pub fn skip(&mut self, fitting: &Fitting<'a>, subject: Cow<'a, str>, reason: SkipReason, about: Cow<'a, str>, asked: bool) {
        let (place, container) = (fitting.at.place(), fitting.at.name());
        let policy = self.policy.name.as_str();
        self.verdict.skips.push(Skip { rule: self.rule, policy, place, container, subject, reason, about, asked });
    }
}

/// A node's critical DaemonSet is warned about, never denied.
pub fn spared(mode: Mode, workload: &Workload<'_>) -> Mode {
    if mode == Mode::Deny && workload.is_node_critical() { Mode::Warn } else { mode }
}
