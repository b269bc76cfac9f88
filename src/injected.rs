//! The annotation `podfit.dev/injected`: what podfit put into each container, with policy and source. It is how a second
//! call knows our own literals, and how people see where a value comes from. Owned by podfit, rewritten whole.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use serde::{Deserialize, Deserializer};

use crate::{
    json::NestedJson,
    object::{Container, Env, Text},
    runtimes::{Basis, MEMORY_HELPER},
    verdict::{Change, Edit, Source},
    workload::Workload,
};

mod written;

pub const INJECTED: &str = "podfit.dev/injected";

/// What the API server allows all annotations of an object together, in bytes (`TotalAnnotationSizeLimitB`).
pub const MAX_ANNOTATIONS_BYTES: usize = 256 << 10;

/// By container.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(transparent)]
pub struct Injected<'a>(#[serde(borrow)] Sorted<'a, Records<'a>>);

/// Of one container, by variable or probe.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(transparent)]
pub struct Records<'a>(#[serde(borrow)] Sorted<'a, Record<'a>>);

static NO_RECORDS: Records<'static> = Records(Sorted(Vec::new()));

/// By name, each once.
#[derive(Debug, Clone, PartialEq)]
struct Sorted<'a, T>(Vec<(Name<'a>, T)>);

/// Of a container, variable or probe, in the order of its text. Most differ in their beginnings, which are one number to compare.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Name<'a> {
    beginning: u64,
    text: Cow<'a, str>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Record<'a> {
    /// Of a literal only.
    #[serde(borrow, default)]
    value: Option<Text<'a>>,
    /// Bytes of the user's own text, which ours was put behind.
    #[serde(default)]
    kept: usize,
    #[serde(borrow)]
    source: Text<'a>,
    #[serde(borrow)]
    policy: Text<'a>,
}

/// A record to be written: small, since it is sorted.
struct Line<'e> {
    /// The index of its name among all, sorted.
    container: usize,
    subject: Name<'e>,
    of: LineOf<'e>,
}

enum LineOf<'e> {
    Record(&'e Record<'e>),
    Edit { edit: &'e Edit<'e>, kept: usize },
}

impl<'a> Injected<'a> {
    /// What the annotation says; an unreadable one says nothing, for only podfit writes it, and never one larger than an object
    /// may hold.
    pub fn read(workload: &'a Workload<'_>) -> Self {
        let Some(annotations) = &workload.pod_metadata().annotations else { return Self::default() };
        let text = annotations.get(INJECTED).filter(|text| text.len() <= MAX_ANNOTATIONS_BYTES);
        text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    }

    /// What stands in the JSON string that a text goes on with, up to its end, and the text from there: only a record that is
    /// written as podfit writes it, with no text that is escaped in it.
    pub fn read_as_written(text: &str) -> Option<(Injected<'_>, &str)> {
        // With its escapes it is longer than what the bound is meant for: what is left out here is read the other way.
        let fits = |rest: &str| text.len() - rest.len() <= MAX_ANNOTATIONS_BYTES;
        written::read(text).filter(|(_, rest)| rest.starts_with('"') && fits(rest))
    }

    /// Of two containers of one name, which the API server refuses, a record does not tell whose it is: what stands is the
    /// user's.
    pub fn forget_shared_names(&mut self, workload: &Workload<'_>) {
        if self.is_empty() {
            return;
        }
        let (mut seen, mut shared) = (BTreeSet::new(), BTreeSet::new());
        for at in workload.containers() {
            if !seen.insert(at.name()) {
                shared.insert(at.name());
            }
        }
        self.0.0.retain(|(name, _)| !shared.contains(name.as_str()));
    }

    fn is_empty(&self) -> bool {
        self.0.0.is_empty()
    }

    pub fn of(&self, container: &str) -> &Records<'a> {
        self.0.get(container).unwrap_or(&NO_RECORDS)
    }

    /// What was computed from a resource's limit in a container, and whether it is live.
    pub fn computed_from(&self, container: &str, basis: Basis) -> impl Iterator<Item = (&str, bool)> {
        let sources = [format!("limits.{}=", basis.resource()), format!("spec.resources.limits.{}=", basis.resource())];
        let of_limit = self.of(container).0.iter().filter(move |(_, record)| {
            sources.iter().any(|source| record.source.as_str().starts_with(source.as_str()))
        });
        // The live ceiling is a literal that refers to its live helper.
        of_limit.map(|(name, record)| {
            (name.as_str(), record.value.as_ref().is_none_or(|value| value.as_str().contains(MEMORY_HELPER)))
        })
    }

    /// Appends the annotation after the edits, with what stands of the earlier record: as the JSON string that a patch
    /// holds, since escaping a whole record afterwards costs more than writing it. Nothing is appended, and said so, where the
    /// names alone are more than an object may hold: escaped twice they are four times as long.
    pub fn push_rewritten<'e>(&'e self, json: &mut String, workload: &'e Workload<'_>, edits: &[&'e Edit<'e>]) -> bool {
        let mut names: Vec<&str> = workload.containers().map(|at| at.name()).collect();
        names.sort_unstable();
        names.dedup();
        let mut lines = self.lines(&names, workload, edits);
        lines.sort_by_key(|line| line.container);
        let written =
            lines.chunk_by(|one, next| one.container == next.container).map(|lines| names[lines[0].container].len());
        if written.sum::<usize>() > MAX_ANNOTATIONS_BYTES {
            return false;
        }
        json.reserve(lines.len() * 112);
        let mut json = NestedJson::begin(json);
        json.raw("{");
        for (index, lines) in lines.chunk_by_mut(|one, next| one.container == next.container).enumerate() {
            json.raw(if index > 0 { r#"},\""# } else { r#"\""# });
            json.text(names[lines[0].container]);
            json.raw(r#"\":{"#);
            lines.sort_by(|one, next| one.subject.cmp(&next.subject));
            for (index, same) in lines.chunk_by(|one, next| one.subject == next.subject).enumerate() {
                json.raw(if index > 0 { r#",\""# } else { r#"\""# });
                // Of two records of one subject the last is the edit's.
                same[same.len() - 1].push(&mut json);
            }
        }
        json.raw("}}");
        json.end();
        true
    }

    /// What stands of each container, and then the edits.
    fn lines<'e>(&'e self, names: &[&str], workload: &'e Workload<'_>, edits: &[&'e Edit<'e>]) -> Vec<Line<'e>> {
        let index_of = |name: &str| names.binary_search(&name).ok();
        let mut lines = Vec::with_capacity(edits.len());
        for at in workload.containers().filter(|_| !self.is_empty()) {
            let Some(container) = index_of(at.name()) else { continue };
            let records =
                self.of(at.name()).0.iter().filter(|(subject, _)| still_there(at.container, subject.as_str()));
            lines.extend(records.map(|(subject, record)| Line {
                container,
                subject: Name::from(subject.as_str()),
                of: LineOf::Record(record),
            }));
        }
        // Edits come container by container.
        for edits in edits.chunk_by(|one, next| one.place == next.place) {
            let Some(container) = workload.container_at(edits[0].place) else { continue };
            let Some(index) = index_of(container.name.as_str()) else { continue };
            lines.extend(edits.iter().map(|edit| Line {
                container: index,
                subject: Name::from(subject(&edit.change)),
                of: LineOf::Edit { edit, kept: self.kept_by(&edit.change, container) },
            }));
        }
        lines
    }

    /// What stays of a literal that an edit extends: all of the user's, or what stayed when we extended it first.
    fn kept_by(&self, change: &Change<'_>, container: &Container<'_>) -> usize {
        let Change::Variable { name, replaces: Some(index), .. } = change else { return 0 };
        let records = self.of(container.name.as_str());
        let standing = container.env.as_ref().and_then(|env| env.0.get(*index)?.as_ref());
        match standing.filter(|variable| !records.holds_literal(variable)) {
            Some(variable) => variable.value.as_ref().map_or(0, |value| value.as_str().len()),
            None => records.kept(name),
        }
    }
}

impl<'a, T> Sorted<'a, T> {
    fn iter(&self) -> impl Iterator<Item = &(Name<'a>, T)> {
        self.0.iter()
    }

    fn get(&self, name: &str) -> Option<&T> {
        let name = Name::from(name);
        let index = self.0.binary_search_by(|(candidate, _)| candidate.cmp(&name)).ok()?;
        Some(&self.0[index].1)
    }
}

impl<T> Default for Sorted<'_, T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

/// Of a name that stands twice, the last is taken.
impl<'de: 'a, 'a, T: Deserialize<'de>> Deserialize<'de> for Sorted<'a, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let by_name = BTreeMap::<Text<'de>, T>::deserialize(deserializer)?;
        Ok(Self(by_name.into_iter().map(|(Text(name), value)| (name.into(), value)).collect()))
    }
}

impl Records<'_> {
    /// Whether a variable is a literal of ours: recorded with exactly its present value.
    pub fn holds_literal(&self, variable: &Env<'_>) -> bool {
        let record = self.0.get(variable.name.as_str());
        let recorded = record.and_then(|record| record.value.as_ref()).map(|value| value.as_str());
        recorded.is_some() && !variable.value_from.0 && recorded == variable.value.as_ref().map(|value| value.as_str())
    }

    /// Bytes at the front of a literal of ours that are the user's.
    pub fn kept(&self, variable: &str) -> usize {
        self.0.get(variable).map_or(0, |record| record.kept)
    }

    /// What is recorded of a variable or probe: its value where that is a literal, its source, its policy.
    pub fn recorded(&self, subject: &str) -> Option<(Option<&str>, &str, &str)> {
        let record = self.0.get(subject)?;
        Some((record.value.as_ref().map(Text::as_str), record.source.as_str(), record.policy.as_str()))
    }

    pub fn names(&self, subject: &str) -> bool {
        self.0.get(subject).is_some()
    }
}

impl<'a> From<Cow<'a, str>> for Name<'a> {
    fn from(text: Cow<'a, str>) -> Self {
        let bytes = text.as_bytes();
        let beginning = bytes.first_chunk().copied().unwrap_or_else(|| {
            let mut short = [0; 8];
            short[..bytes.len()].copy_from_slice(bytes);
            short
        });
        Self { beginning: u64::from_be_bytes(beginning), text }
    }
}

impl<'a> From<&'a str> for Name<'a> {
    fn from(text: &'a str) -> Self {
        Cow::Borrowed(text).into()
    }
}

impl Name<'_> {
    fn as_str(&self) -> &str {
        &self.text
    }
}

impl Line<'_> {
    fn push(&self, json: &mut NestedJson<'_>) {
        let (value, kept, policy) = match self.of {
            LineOf::Record(record) => (record.value.as_ref().map(Text::as_str), record.kept, record.policy.as_str()),
            LineOf::Edit { edit, kept } => (value(&edit.change), kept, edit.origin.policy),
        };
        json.text(self.subject.as_str());
        if let Some(value) = value {
            json.raw(r#"\":{\"value\":\""#);
            json.text(value);
            if kept > 0 {
                json.raw(&format!(r#"\",\"kept\":{kept},\"source\":\""#));
            } else {
                json.raw(r#"\",\"source\":\""#);
            }
        } else {
            json.raw(r#"\":{\"source\":\""#);
        }
        match self.of {
            LineOf::Record(record) => json.text(record.source.as_str()),
            LineOf::Edit { edit, .. } => edit.origin.basis.parts(&mut |part| json.text(part)),
        }
        json.raw(r#"\",\"policy\":\""#);
        json.text(policy);
        json.raw(r#"\"}"#);
    }
}

fn subject<'e>(change: &'e Change<'_>) -> &'e str {
    match change {
        Change::Variable { name, .. } => name,
        Change::Probe { kind, .. } => kind.field(),
        Change::Limit { basis: Basis::Cpu, .. } => "limits.cpu",
        Change::Limit { basis: Basis::Memory, .. } => "limits.memory",
        Change::RestartOnResize { basis: Basis::Cpu } => "resizePolicy.cpu",
        Change::RestartOnResize { basis: Basis::Memory } => "resizePolicy.memory",
    }
}

fn value<'e>(change: &'e Change<'_>) -> Option<&'e str> {
    match change {
        Change::Variable { source: Source::Literal(value), .. } => Some(value),
        Change::Limit { default, .. } => Some(&default.limit_text),
        _ => None,
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text() -> impl Strategy<Value = String> {
        let character = prop::sample::select(vec!['\0', 'a', 'b', 'ü']);
        prop::collection::vec(character, 0..12).prop_map(String::from_iter)
    }

    proptest! {
        #[test]
        fn names_are_in_the_order_of_their_texts(one in text(), other in text()) {
            prop_assert_eq!(Name::from(one.as_str()).cmp(&Name::from(other.as_str())), one.cmp(&other));
        }
    }
}
