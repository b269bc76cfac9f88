//! The annotation `podfit.dev/injected`: what podfit put into each container, with policy and source. It is how a second
//! call knows our own literals, and how people see where a value comes from. Owned by podfit, rewritten whole.

use std::{borrow::Cow, collections::BTreeMap};

use serde::{Deserialize, Serialize};

use crate::{
    object::{Container, Env},
    runtimes::{Basis, MEMORY_HELPER},
    verdict::{Change, Edit, Source},
    workload::Workload,
};

pub const INJECTED: &str = "podfit.dev/injected";

/// By container, then by variable or probe.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Injected<'a>(#[serde(borrow)] BTreeMap<Cow<'a, str>, BTreeMap<Cow<'a, str>, Record<'a>>>);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Record<'a> {
    /// Of a literal only.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    value: Option<Cow<'a, str>>,
    /// Bytes of the user's own text, which ours was put behind.
    #[serde(default, skip_serializing_if = "is_zero")]
    kept: usize,
    #[serde(borrow)]
    source: Cow<'a, str>,
    #[serde(borrow)]
    policy: Cow<'a, str>,
}

impl<'a> Injected<'a> {
    /// What the annotation says; an unreadable one says nothing, for only podfit writes it.
    pub fn read(workload: &'a Workload<'_>) -> Self {
        let text = workload.pod_metadata().annotation(INJECTED);
        text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    }

    /// Whether a variable is a literal of ours: recorded for that container with exactly its present value.
    pub fn is_our_literal(&self, container: &str, variable: &Env<'_>) -> bool {
        let record = self.record(container, variable.name.as_str());
        let recorded = record.and_then(|record| record.value.as_deref());
        recorded.is_some() && !variable.value_from.0 && recorded == variable.value.as_ref().map(|value| value.as_str())
    }

    /// Bytes at the front of a literal of ours that are the user's.
    pub fn kept(&self, container: &str, variable: &str) -> usize {
        self.record(container, variable).map_or(0, |record| record.kept)
    }

    pub fn names(&self, container: &str, subject: &str) -> bool {
        self.record(container, subject).is_some()
    }

    /// What was computed from a resource's limit in a container, and whether it is live.
    pub fn computed_from(&self, container: &str, basis: Basis) -> impl Iterator<Item = (&str, bool)> {
        let sources = [format!("limits.{}=", basis.resource()), format!("spec.resources.limits.{}=", basis.resource())];
        let records = self.0.get(container).into_iter().flatten();
        let of_limit =
            records.filter(move |(_, record)| sources.iter().any(|source| record.source.starts_with(source)));
        // The live ceiling is a literal that refers to its live helper.
        of_limit.map(|(name, record)| {
            (name.as_ref(), record.value.as_ref().is_none_or(|value| value.contains(MEMORY_HELPER)))
        })
    }

    /// The annotation's text after the edits, with what stands of the earlier record.
    pub fn rewritten<'e>(&'e self, workload: &'e Workload<'_>, edits: impl Iterator<Item = &'e Edit<'e>>) -> String {
        let mut next = Injected(BTreeMap::new());
        for at in workload.containers() {
            if let Some(records) = self.0.get(at.name()) {
                let standing = records.iter().filter(|(subject, _)| still_there(at.container, subject));
                let records = standing.map(|(subject, record)| (subject.clone(), record.clone())).collect();
                next.0.insert(Cow::Borrowed(at.name()), records);
            }
        }
        for edit in edits {
            let Some(container) = workload.container_at(edit.place) else { continue };
            let kept = self.kept_by(&edit.change, container);
            let container = container.name.as_str();
            let (subject, value) = subject_and_value(&edit.change);
            let record = Record {
                value,
                kept,
                source: edit.origin.basis.to_string().into(),
                policy: Cow::Borrowed(edit.origin.policy),
            };
            next.0.entry(Cow::Borrowed(container)).or_default().insert(subject, record);
        }
        next.0.retain(|_, records| !records.is_empty());
        // A map of texts always serialises.
        serde_json::to_string(&next).unwrap_or_default()
    }

    /// What stays of a literal that an edit extends: all of the user's, or what stayed when we extended it first.
    fn kept_by(&self, change: &Change<'_>, container: &Container<'_>) -> usize {
        let Change::Variable { name, replaces: Some(index), .. } = change else { return 0 };
        let env = container.env.iter().flat_map(|env| env.indexed());
        let standing = env.filter(|(of, _)| of == index).find_map(|(_, variable)| {
            let is_ours = self.is_our_literal(container.name.as_str(), variable);
            (!is_ours).then(|| variable.value.as_ref().map_or(0, |value| value.as_str().len()))
        });
        standing.unwrap_or_else(|| self.kept(container.name.as_str(), name))
    }

    fn record(&self, container: &str, subject: &str) -> Option<&Record<'a>> {
        self.0.get(container)?.get(subject)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

fn still_there(container: &Container<'_>, subject: &str) -> bool {
    match subject {
        "readinessProbe" => container.readiness_probe.0,
        "livenessProbe" => container.liveness_probe.0,
        "startupProbe" => container.startup_probe.0,
        "limits.cpu" | "limits.memory" | "resizePolicy.cpu" | "resizePolicy.memory" => true,
        name => container.env.iter().flat_map(|env| env.iter()).any(|variable| variable.name.as_str() == name),
    }
}

fn subject_and_value<'e>(change: &'e Change<'_>) -> (Cow<'e, str>, Option<Cow<'e, str>>) {
    match change {
        Change::Variable { name, source: Source::Literal(value), .. } => {
            (Cow::Borrowed(name), Some(Cow::Borrowed(value.as_str())))
        }
        Change::Variable { name, .. } => (Cow::Borrowed(name), None),
        Change::Probe { kind, .. } => (Cow::Borrowed(kind.field()), None),
        Change::Limit { basis, default, .. } => {
            (format!("limits.{}", basis.resource()).into(), Some(Cow::Borrowed(default.limit_text.as_str())))
        }
        Change::RestartOnResize { basis } => (format!("resizePolicy.{}", basis.resource()).into(), None),
    }
}
