//! The annotation `podfit.dev/injected`: what podfit put into each container, with policy and source. It is how a second
//! call knows our own literals, and how people see where a value comes from. Owned by podfit, rewritten whole.

use std::{borrow::Cow, collections::BTreeMap};

use serde::{Deserialize, Serialize};

use crate::{
    object::{Container, Env},
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

    pub fn names(&self, container: &str, subject: &str) -> bool {
        self.record(container, subject).is_some()
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
            let container = workload.container_at(edit.place).map_or("", |container| container.name.as_str());
            let (subject, value) = subject_and_value(&edit.change);
            let record = Record {
                value,
                source: edit.origin.basis.to_string().into(),
                policy: Cow::Borrowed(edit.origin.policy),
            };
            next.0.entry(Cow::Borrowed(container)).or_default().insert(subject, record);
        }
        next.0.retain(|_, records| !records.is_empty());
        // A map of texts always serialises.
        serde_json::to_string(&next).unwrap_or_default()
    }

    fn record(&self, container: &str, subject: &str) -> Option<&Record<'a>> {
        self.0.get(container)?.get(subject)
    }
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
