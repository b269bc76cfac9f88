//! `resource-limits` in CEL: on Pods, on their resizing and, where the policy refuses templates, on those.

use super::{
    Judgement,
    cel::{self, Variable},
};
use crate::{
    policy::{Basis, DefaultLimit, ResourceLimits},
    rules::resource_limits::example,
};

pub fn judge(settings: &ResourceLimits, judgement: &Judgement<'_>) -> Vec<Variable> {
    let resources = [
        (Basis::Cpu, settings.require_cpu, settings.cpu_default.as_ref()),
        (Basis::Memory, settings.require_memory, settings.memory_default.as_ref()),
    ];
    let mut variables = Vec::new();
    let mut lists = Vec::new();
    for (basis, _, default) in resources.into_iter().filter(|(_, required, _)| *required) {
        let limited = Limited { settings, judgement, basis, default };
        variables.extend(limited.variables());
        lists.push(limited.words());
    }
    if lists.is_empty() {
        lists.push("[]".to_owned());
    }
    variables.push(judgement.conclusion("request.?subResource.orValue('') != 'ephemeralcontainers'", &lists));
    variables
}

/// One resource that containers must have a limit of.
struct Limited<'l> {
    settings: &'l ResourceLimits,
    judgement: &'l Judgement<'l>,
    basis: Basis,
    default: Option<&'l DefaultLimit>,
}

impl Limited<'_> {
    /// Such as `withoutCpu`: the containers that are new in lacking it.
    fn variables(&self) -> [Variable; 2] {
        let (now, before) = (self.name(), format!("{}Before", self.name()));
        let lacks = self.lacks();
        let of = |list: &str, pod: &str, condition: &str| {
            let satisfied = if self.settings.pod_level_accepted {
                format!("{}\n? []\n: ", is_positive(&self.of_pod(pod, "limits")))
            } else {
                String::new()
            };
            format!("{satisfied}variables.{list}.filter(c, {condition})")
        };
        let new = format!("{lacks}{}\n    && !(c.of.name in variables.{before})", self.is_left());
        [
            Variable::new(&before, format!("{}.map(c, c.of.name)", of("containersBefore", "before", &lacks))),
            Variable::new(now, of("containers", "pod", &new)),
        ]
    }

    fn name(&self) -> &'static str {
        match self.basis {
            Basis::Cpu => "withoutCpu",
            Basis::Memory => "withoutMemory",
        }
    }

    fn lacks(&self) -> String {
        let kinds = if self.settings.init_containers {
            "!(c.kind in ['ephemeral container', 'volume'])"
        } else {
            "c.kind in ['container', 'sidecar']"
        };
        let limit = is_positive(&self.own("limits"));
        format!("{kinds}\n    && !{limit}{}", self.judgement.exemptions.none_covers())
    }

    /// A template is judged as the Pod that it would make: what a default repairs is not missing, and where a default may not
    /// repair, the API would refuse the result.
    fn is_left(&self) -> String {
        let Some(default) = self.default.filter(|_| self.judgement.ground.judges_templates()) else {
            return String::new();
        };
        let (limit, request) = (self.own("limits"), self.own("requests"));
        let [pod_limit, pod_request] = ["limits", "requests"].map(|amounts| self.of_pod("pod", amounts));
        let amount = format!("quantity({})", cel::quoted(&default.limit_text));
        let repaired = [
            "request.kind.kind != 'Pod'".to_owned(),
            format!("!{limit}.hasValue()"),
            format!("quantity({request}.orValue('0')).compareTo({amount}) <= 0"),
            format!("(!{} || {amount}.compareTo(quantity({pod_limit}.orValue('0'))) <= 0)", is_positive(&pod_limit)),
            format!("({request}.hasValue() || !{})", is_positive(&pod_request)),
        ];
        format!("\n    && !({})", repaired.join(" && "))
    }

    /// Of the container, as an optional.
    fn own(&self, amounts: &str) -> String {
        format!("c.of.?resources.?{amounts}.?{}", self.basis.resource())
    }

    /// Of the Pod's own `spec.resources`, as an optional.
    fn of_pod(&self, pod: &str, amounts: &str) -> String {
        format!("variables.{pod}.?spec.?resources.?{amounts}.?{}", self.basis.resource())
    }

    fn words(&self) -> String {
        let (resource, word, example) = (self.basis.resource(), self.basis.word(), example(self.basis));
        format!(
            "variables.{}.map(c, c.kind + ' \"' + c.of.name + '\" has '\n    \
             + ({limit}.hasValue()\n      \
             ? 'the {word} limit ' + {limit}.value() + ', which means no limit; write an amount {example}'\n      \
             : 'no {word} limit; set resources.limits.{resource}, {example}')\n    \
             + {})",
            self.name(),
            self.judgement.signature(),
            limit = self.own("limits"),
        )
    }
}

/// Zero, and what is no more than a suffix, means no limit.
fn is_positive(amount: &str) -> String {
    format!("quantity({amount}.orValue('0')).isGreaterThan(quantity('0'))")
}
