//! What people and programs read of a judgement of manifests or of a cluster: one model, and a file per format below
//! `report/`. `check` and the scan fill it; formats only write. Policy tests have a model of their own, in `suites`.

use std::{borrow::Cow, collections::BTreeMap, fmt, io};

use excerpt::Excerpt;
use jiff::civil::Date;
use serde::Serialize;

use crate::{
    node::Span,
    patch::Operation,
    policy::{Mode, PolicySet},
    rules::Rule,
};

mod excerpt;
#[cfg(test)]
mod fixture;
mod github;
pub mod html;
mod json;
mod junit;
mod owners;
mod sarif;
mod suites;
mod text;

pub use suites::{Failure, TestReport, TestResult, Tested, TestedFile};

/// Everything that one run has to say, in the order of input, document, container, rule.
#[derive(Debug, Default)]
pub struct Report {
    pub objects: Vec<JudgedObject>,
    pub findings: Vec<ReportedFinding>,
    /// Findings that are counted only: the injections of a scan, and what is beyond the bound of its list.
    pub counted: BTreeMap<Mode, usize>,
    /// Of a scan: the Pods that were judged. Its objects are their owners.
    pub pods: Option<usize>,
    pub errors: Vec<ReportedError>,
    /// Findings that exemptions have taken away, and injections that must not be made.
    pub exempted: usize,
    pub skipped: usize,
    /// Documents that are no Kubernetes objects, and objects that are no workloads.
    pub passed_over: usize,
    /// What is said beside: expired exemptions, labels that are not known, annotations that cannot be read.
    pub notes: Vec<String>,
    /// The text of each file by its name, for excerpts.
    pub sources: BTreeMap<String, String>,
}

/// A workload that was judged.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectName {
    pub api_version: String,
    pub kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    pub name: String,
}

#[derive(Debug)]
pub struct JudgedObject {
    pub object: ObjectName,
    /// `-` is standard input; none for objects of a cluster.
    pub file: Option<String>,
    /// Of a scan: those of this owner that were judged.
    pub pods: Option<usize>,
    pub patch: Vec<Operation>,
}

#[derive(Debug)]
pub struct ReportedFinding {
    pub rule: Rule,
    pub reason: &'static str,
    pub mode: Mode,
    /// The policy's own mode where it differs.
    pub policy_mode: Option<Mode>,
    pub policy: String,
    /// As of the object.
    pub file: Option<String>,
    /// Where the field stands, or the nearest thing above it.
    pub span: Option<Span>,
    pub object: ObjectName,
    /// The container's or volume's name.
    pub container: Option<String>,
    /// From the object's root; of a scan, from the Pod's.
    pub pointer: String,
    /// Of a scan: how many Pods of the owner have it. None have what only the owner's template has.
    pub pods: Option<usize>,
    /// One line: what is wrong and what to write instead, or what is injected.
    pub message: String,
}

/// What could not be judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportedError {
    pub file: String,
    /// Line and column, from 1.
    pub place: Option<(usize, usize)>,
    pub message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Summary {
    pub objects: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pods: Option<usize>,
    pub deny: usize,
    pub warn: usize,
    pub audit: usize,
    pub inject: usize,
    pub exempted: usize,
    pub skipped: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    Text,
    Json,
    Sarif,
    Junit,
    Github,
    Html,
}

/// How a text is shown.
#[derive(Debug, Clone, Copy)]
pub struct Appearance {
    pub colour: bool,
}

impl Report {
    pub fn summary(&self) -> Summary {
        let listed = |mode| self.findings.iter().filter(|finding| finding.mode == mode).count();
        let of = |mode| listed(mode) + self.counted.get(&mode).copied().unwrap_or_default();
        Summary {
            objects: self.objects.len(),
            pods: self.pods,
            deny: of(Mode::Deny),
            warn: of(Mode::Warn),
            audit: of(Mode::Audit),
            inject: of(Mode::Inject),
            exempted: self.exempted,
            skipped: self.skipped,
        }
    }

    /// Writes the errors alone, as text.
    ///
    /// # Errors
    /// Where the output cannot be written.
    pub fn write_errors(&self, appearance: Appearance, output: &mut dyn io::Write) -> io::Result<()> {
        text::write_errors(self, appearance, output)
    }

    /// Writes the report in a format.
    ///
    /// # Errors
    /// Where the output cannot be written.
    pub fn write(&self, format: Format, appearance: Appearance, output: &mut dyn io::Write) -> io::Result<()> {
        match format {
            Format::Text if self.pods.is_some() => owners::write(self, appearance, output),
            Format::Text => text::write(self, appearance, output),
            Format::Json => json::write(self, output),
            Format::Sarif => sarif::write(self, output),
            Format::Junit => junit::write(self, output),
            Format::Github => github::write(self, output),
            Format::Html => html::write(self, output),
        }
    }

    /// The line that a finding is about, where its text is known.
    fn excerpt(&self, finding: &ReportedFinding) -> Option<Excerpt<'_>> {
        let source = self.sources.get(finding.file.as_ref()?)?;
        Excerpt::of_span(source, finding.span?)
    }

    /// The last line for people: `3 objects: 2 denied findings, 1 warning, 4 injections; 1 exempted, 2 skipped`.
    pub(crate) fn headline(&self) -> String {
        let summary = self.summary();
        let findings = [
            (summary.deny, "denied finding"),
            (summary.warn, "warning"),
            (summary.audit, "audit finding"),
            (summary.inject, "injection"),
        ];
        let said = findings.iter().filter(|(number, _)| *number > 0).map(|(number, word)| count(*number, word));
        let said = said.collect::<Vec<_>>().join(", ");
        let objects = match self.pods {
            Some(pods) => format!("{} of {}", count(pods, "Pod"), count(self.objects.len(), "owner")),
            None => count(self.objects.len(), "object"),
        };
        let mut headline = match (self.objects.len(), said.as_str()) {
            (0, "") => String::from("no objects judged"),
            (_, "") => format!("{objects}: nothing to do"),
            (_, said) => format!("{objects}: {said}"),
        };
        let aside = [(self.exempted, "exempted"), (self.skipped, "skipped"), (self.passed_over, "passed over")];
        let aside = aside.iter().filter(|(number, _)| *number > 0).map(|(number, word)| format!("{number} {word}"));
        let errors = (!self.errors.is_empty()).then(|| count(self.errors.len(), "error"));
        for part in [aside.collect::<Vec<_>>().join(", "), errors.unwrap_or_default()] {
            if !part.is_empty() {
                headline.push_str("; ");
                headline.push_str(&part);
            }
        }
        headline
    }
}

/// An expired exemption exempts nothing, and says so until it is removed.
pub fn expired_exemptions(policies: &PolicySet, today: Date) -> Vec<String> {
    let all = policies.policies().iter().flat_map(|policy| policy.exemptions.iter().map(move |it| (policy, it)));
    let expired = all.filter(|(_, exemption)| exemption.is_expired(today));
    expired
        .map(|(policy, exemption)| {
            let day = exemption.expires.map(|day| day.to_string()).unwrap_or_default();
            format!(
                "policy {}: the exemption {:?} has expired on {day} and exempts nothing",
                policy.name, exemption.reason
            )
        })
        .collect()
}

impl ReportedFinding {
    /// `policy default`, or `policy default says Deny` where that differs from the finding's mode.
    fn policy_says(&self) -> String {
        match self.policy_mode {
            Some(mode) => format!("policy {} says {}", self.policy, mode.as_str()),
            None => format!("policy {}", self.policy),
        }
    }

    /// What an injection's message says besides its container.
    fn edits(&self) -> &str {
        let prefix = format!("container {:?} gets ", self.container.as_deref().unwrap_or_default());
        self.message.strip_prefix(&prefix).unwrap_or(&self.message)
    }
}

/// What is wrong, and what to write instead.
fn problem_and_help(message: &str) -> (&str, Option<&str>) {
    message.rsplit_once("; ").map_or((message, None), |(problem, help)| (problem, Some(help)))
}

impl fmt::Display for ObjectName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(formatter, "{} {namespace}/{}", self.kind, self.name),
            None => write!(formatter, "{} {}", self.kind, self.name),
        }
    }
}

pub(crate) fn count(number: usize, word: &str) -> String {
    format!("{number} {word}{}", if number == 1 { "" } else { "s" })
}

/// What standard input is called.
const STANDARD_INPUT: &str = "-";

fn file_name(file: &str) -> String {
    if file == STANDARD_INPUT { "<stdin>".to_owned() } else { visible(file).into_owned() }
}

/// A file as CI systems want it: as the repository names it, with `/` between its parts. None for standard input.
fn in_repository(file: Option<&str>) -> Option<Cow<'_, str>> {
    let file = file.filter(|file| *file != STANDARD_INPUT)?;
    let file = file.strip_prefix("./").unwrap_or(file);
    Some(match std::path::MAIN_SEPARATOR {
        '/' => Cow::Borrowed(file),
        separator => Cow::Owned(file.replace(separator, "/")),
    })
}

/// A text of a manifest in one line, without what a terminal or a log would act on. Characters are replaced one by one,
/// so that columns still hold.
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(is_acted_on) {
        return Cow::Borrowed(text);
    }
    let shown = |character| match character {
        '\n' | '\u{2028}' | '\u{2029}' => ' ',
        other if is_acted_on(other) => char::REPLACEMENT_CHARACTER,
        other => other,
    };
    Cow::Owned(text.chars().map(shown).collect())
}

/// Control characters, the 8-bit ones too (U+009B starts an escape sequence), line separators, and those that change the
/// direction of writing, with which a text reads as what it is not.
fn is_acted_on(character: char) -> bool {
    let turns =
        matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    turns || (character.is_control() && character != '\t')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_headline_counts_what_is_there() {
        let object = |name: &str| JudgedObject {
            object: fixture::object("Pod", name),
            file: None,
            pods: None,
            patch: Vec::new(),
        };
        let error = ReportedError { file: "a".into(), place: None, message: "no".into() };
        let rows = [
            ("nothing at all", Report::default(), "no objects judged"),
            (
                "only other documents",
                Report { passed_over: 2, ..Report::default() },
                "no objects judged; 2 passed over",
            ),
            ("all is well", Report { objects: vec![object("a")], ..Report::default() }, "1 object: nothing to do"),
            (
                "well but for an error",
                Report {
                    objects: vec![object("a"), object("b")],
                    skipped: 1,
                    errors: vec![error],
                    ..Report::default()
                },
                "2 objects: nothing to do; 1 skipped; 1 error",
            ),
            (
                "everything",
                fixture::report(),
                "3 objects: 2 denied findings, 1 warning, 1 audit finding, 4 injections; 1 exempted, 2 skipped, \
                 1 passed over; 2 errors",
            ),
        ];
        for (name, report, expected) in rows {
            assert_eq!(report.headline(), expected, "{name}");
        }
    }

    #[test]
    fn untrusted_text_is_made_visible() {
        let rows = [
            ("plain", "näme\t\"x\"", "näme\t\"x\""),
            ("escape sequence", "\u{1b}[31mred", "\u{fffd}[31mred"),
            ("8-bit escape sequence", "\u{9b}31mred", "\u{fffd}31mred"),
            ("lines", "one\r\ntwo\u{2028}three", "one\u{fffd} two three"),
            ("direction", "\u{202e}latest", "\u{fffd}latest"),
        ];
        for (name, text, expected) in rows {
            assert_eq!(visible(text), expected, "{name}");
        }
    }
}
