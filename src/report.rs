//! What people and programs read of a judgement of manifests: one model, and a file per format below `report/`. `check` (and
//! later `scan`) fills it; formats only write.

use std::{collections::BTreeMap, io};

use crate::{node::Span, patch::Operation, policy::Mode, rules::Rule};

mod github;
mod json;
mod junit;
mod sarif;
mod text;

/// Everything that one run has to say, in the order of input, document, container, rule.
#[derive(Debug, Default)]
pub struct Report {
    pub objects: Vec<JudgedObject>,
    pub findings: Vec<ReportedFinding>,
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectName {
    pub api_version: String,
    pub kind: String,
    pub namespace: Option<String>,
    pub name: String,
}

#[derive(Debug)]
pub struct JudgedObject {
    pub object: ObjectName,
    /// None for standard input and for objects of a cluster.
    pub file: Option<String>,
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
    pub file: Option<String>,
    /// Where the field stands, or the nearest thing above it.
    pub span: Option<Span>,
    pub object: ObjectName,
    /// The container's or volume's name.
    pub container: Option<String>,
    /// From the object's root.
    pub pointer: String,
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

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    pub objects: usize,
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
}

/// How a text is shown.
#[derive(Debug, Clone, Copy)]
pub struct Appearance {
    pub colour: bool,
}

impl Report {
    pub fn summary(&self) -> Summary {
        let of = |mode| self.findings.iter().filter(|finding| finding.mode == mode).count();
        Summary {
            objects: self.objects.len(),
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
        text::write(self, appearance, output)
    }

    /// Writes the report in a format.
    ///
    /// # Errors
    /// Where the output cannot be written.
    pub fn write(&self, format: Format, appearance: Appearance, output: &mut dyn io::Write) -> io::Result<()> {
        match format {
            Format::Text => text::write(self, appearance, output),
            Format::Json => json::write(self, output),
            Format::Sarif => sarif::write(self, output),
            Format::Junit => junit::write(self, output),
            Format::Github => github::write(self, output),
        }
    }
}
