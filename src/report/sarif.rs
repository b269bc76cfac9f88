//! SARIF 2.1.0 for code scanning. `report` calls this.
//! <https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>

use std::{collections::HashMap, fmt::Write as _, io};

use serde::Serialize;

use super::{Report, ReportedError, ReportedFinding, in_repository};
use crate::{policy::Mode, rules::Rule};

const SCHEMA: &str = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

pub fn write(report: &Report, output: &mut dyn io::Write) -> io::Result<()> {
    let mut seen = HashMap::new();
    let results = report.findings.iter().map(|finding| SarifResult::of(finding, &mut seen)).collect();
    let errors = report.errors.iter().map(Notification::of_error);
    let notes = report.notes.iter().map(|note| Notification { level: "note", message: text(note), locations: vec![] });
    let invocation = Invocation {
        execution_successful: report.errors.is_empty(),
        tool_execution_notifications: errors.chain(notes).collect(),
    };
    let driver = Driver {
        name: "podfit",
        version: env!("CARGO_PKG_VERSION"),
        rules: Rule::ALL.into_iter().map(ReportingDescriptor::of).collect(),
    };
    let run = Run {
        tool: Tool { driver },
        invocations: [invocation],
        results,
        // Positions count characters, not UTF-16 units.
        column_kind: "unicodeCodePoints",
    };
    serde_json::to_writer_pretty(&mut *output, &Log { schema: SCHEMA, version: "2.1.0", runs: [run] })?;
    writeln!(output)
}

#[derive(Serialize)]
struct Log<'a> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Run<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Run<'a> {
    tool: Tool,
    invocations: [Invocation<'a>; 1],
    results: Vec<SarifResult<'a>>,
    column_kind: &'static str,
}

#[derive(Serialize)]
struct Tool {
    driver: Driver,
}

#[derive(Serialize)]
struct Driver {
    name: &'static str,
    version: &'static str,
    rules: Vec<ReportingDescriptor>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ReportingDescriptor {
    id: &'static str,
    short_description: Message<String>,
    full_description: Message<String>,
    help: Message<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Invocation<'a> {
    execution_successful: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_execution_notifications: Vec<Notification<'a>>,
}

#[derive(Serialize)]
struct Notification<'a> {
    level: &'static str,
    message: Message<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    locations: Vec<Location>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SarifResult<'a> {
    rule_id: &'static str,
    rule_index: usize,
    kind: &'static str,
    level: &'static str,
    message: Message<&'a str>,
    locations: [Location; 1],
    partial_fingerprints: PartialFingerprints,
    properties: Properties<'a>,
}

#[derive(Serialize)]
struct Message<T> {
    text: T,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Location {
    #[serde(skip_serializing_if = "Option::is_none")]
    physical_location: Option<PhysicalLocation>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    logical_locations: Vec<LogicalLocation>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PhysicalLocation {
    artifact_location: ArtifactLocation,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<Region>,
}

#[derive(Serialize)]
struct ArtifactLocation {
    uri: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    start_line: usize,
    start_column: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_line: Option<usize>,
    /// The column behind the last character.
    #[serde(skip_serializing_if = "Option::is_none")]
    end_column: Option<usize>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LogicalLocation {
    name: String,
    fully_qualified_name: String,
    kind: &'static str,
}

#[derive(Serialize)]
struct PartialFingerprints {
    #[serde(rename = "podfitFinding/v1")]
    finding: String,
}

#[derive(Serialize)]
struct Properties<'a> {
    mode: &'static str,
    policy: &'a str,
    pointer: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pods: Option<usize>,
}

impl ReportingDescriptor {
    fn of(rule: Rule) -> Self {
        let mut summary = rule.summary().to_owned();
        if let Some(first) = summary.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        let page = rule.page();
        let (_, body) = page.split_once("\n\n").unwrap_or_default();
        Self {
            id: rule.id(),
            short_description: text(summary),
            full_description: text(body.into()),
            help: text(body.into()),
        }
    }
}

impl<'a> Notification<'a> {
    fn of_error(error: &'a ReportedError) -> Self {
        let region = error.place.map(|(start_line, start_column)| Region {
            start_line,
            start_column,
            end_line: None,
            end_column: None,
        });
        let physical = physical(Some(&error.file), region);
        let location =
            physical.map(|physical| Location { physical_location: Some(physical), logical_locations: vec![] });
        Self { level: "error", message: text(&error.message), locations: location.into_iter().collect() }
    }
}

impl<'a> SarifResult<'a> {
    fn of(finding: &'a ReportedFinding, seen: &mut HashMap<u64, usize>) -> Self {
        let (kind, level) = match finding.mode {
            Mode::Deny => ("fail", "error"),
            Mode::Warn => ("fail", "warning"),
            Mode::Audit => ("fail", "note"),
            Mode::Inject | Mode::Disabled => ("informational", "none"),
        };
        Self {
            rule_id: finding.rule.id(),
            rule_index: finding.rule as usize,
            kind,
            level,
            message: text(&finding.message),
            locations: [location(finding)],
            partial_fingerprints: PartialFingerprints { finding: fingerprint(finding, seen) },
            properties: Properties {
                mode: finding.mode.as_str(),
                policy: &finding.policy,
                pointer: &finding.pointer,
                pods: finding.pods,
            },
        }
    }
}

fn text<T>(text: T) -> Message<T> {
    Message { text }
}

fn location(finding: &ReportedFinding) -> Location {
    let region = finding.span.map(|span| Region {
        start_line: span.start.line,
        start_column: span.start.column,
        end_line: Some(span.end.line),
        end_column: Some(span.end.column),
    });
    let object = &finding.object;
    let namespace = object.namespace.as_deref().unwrap_or_default();
    let object_path = format!("{namespace}/{}/{}", object.kind, object.name);
    let container = finding.container.as_ref().map(|name| LogicalLocation {
        name: name.clone(),
        fully_qualified_name: format!("{object_path}/{name}"),
        kind: "member",
    });
    let object = LogicalLocation { name: object.name.clone(), fully_qualified_name: object_path, kind: "resource" };
    Location {
        physical_location: physical(finding.file.as_deref(), region),
        logical_locations: [object].into_iter().chain(container).collect(),
    }
}

fn physical(file: Option<&str>, region: Option<Region>) -> Option<PhysicalLocation> {
    let uri = uri(&in_repository(file)?);
    Some(PhysicalLocation { artifact_location: ArtifactLocation { uri }, region })
}

/// A relative reference as RFC 3986 has it; an absolute path becomes a `file` URI.
fn uri(file: &str) -> String {
    let mut uri = String::from(if file.starts_with('/') { "file://" } else { "" });
    for byte in file.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => uri.push(char::from(byte)),
            // Writing to a String cannot fail.
            _ => drop(write!(uri, "%{byte:02X}")),
        }
    }
    uri
}

/// The same for a finding as long as its file, object, container, rule and reason are, wherever it stands; a number tells
/// those apart which share all that. FNV-1a, since the hash must never change.
fn fingerprint(finding: &ReportedFinding, seen: &mut HashMap<u64, usize>) -> String {
    let file = in_repository(finding.file.as_deref()).unwrap_or_default();
    let parts = [
        &file,
        finding.rule.id(),
        &finding.object.kind,
        finding.object.namespace.as_deref().unwrap_or_default(),
        &finding.object.name,
        finding.container.as_deref().unwrap_or_default(),
        finding.reason,
    ]
    .join("\0");
    let step = |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = parts.bytes().fold(0xcbf2_9ce4_8422_2325, step);
    let number = seen.entry(hash).and_modify(|number| *number += 1).or_insert(1);
    format!("{hash:016x}:{number}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    #[test]
    fn the_whole_log_is_as_code_scanning_reads_it() {
        let mut output = Vec::new();
        write(&fixture::report(), &mut output).unwrap();
        let log = String::from_utf8(output).unwrap();
        let version = concat!("\"version\": \"", env!("CARGO_PKG_VERSION"), "\"");
        insta::assert_snapshot!(log.replace(version, "\"version\": \"(this one)\""));
    }

    #[test]
    fn files_become_uris() {
        let rows = [
            ("relative", "deploy/api.yaml", "deploy/api.yaml"),
            ("above", "../api.yaml", "../api.yaml"),
            ("absolute", "/srv/api.yaml", "file:///srv/api.yaml"),
            ("odd names", "größe 100%#?:a.yaml", "gr%C3%B6%C3%9Fe%20100%25%23%3F%3Aa.yaml"),
        ];
        for (name, file, expected) in rows {
            assert_eq!(uri(file), expected, "{name}");
        }
    }

    #[test]
    fn fingerprints_outlive_a_move_within_the_file() {
        let findings = fixture::report().findings;
        let prints = |findings: &[ReportedFinding]| {
            let mut seen = HashMap::new();
            findings.iter().map(|finding| fingerprint(finding, &mut seen)).collect::<Vec<_>>()
        };
        let mut moved = fixture::report().findings;
        for finding in &mut moved {
            finding.span = None;
            finding.pointer.clear();
        }
        assert_eq!(prints(&moved), prints(&findings));
        let mut unique = prints(&findings);
        unique.sort_unstable();
        unique.dedup();
        assert_eq!(unique.len(), findings.len());
    }
}
