//! JSON for programs, in the shape that version 1 promises. `report` calls this.

use std::io;

use serde::Serialize;
use serde_json::value::RawValue;

use super::{JudgedObject, ObjectName, Report, ReportedError, ReportedFinding, Summary};
use crate::patch::Operation;

pub fn write(report: &Report, output: &mut dyn io::Write) -> io::Result<()> {
    let document = Document {
        version: 1,
        summary: report.summary(),
        objects: report.objects.iter().map(Object::of).collect::<io::Result<_>>()?,
        findings: report.findings.iter().map(Finding::of).collect(),
        errors: report.errors.iter().map(Error::of).collect(),
    };
    serde_json::to_writer_pretty(&mut *output, &document)?;
    writeln!(output)
}

#[derive(Serialize)]
struct Document<'a> {
    version: u8,
    summary: Summary,
    objects: Vec<Object<'a>>,
    findings: Vec<Finding<'a>>,
    errors: Vec<Error<'a>>,
}

#[derive(Serialize)]
struct Object<'a> {
    #[serde(flatten)]
    name: &'a ObjectName,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pods: Option<usize>,
    patch: Vec<Step<'a>>,
}

#[derive(Serialize)]
struct Step<'a> {
    op: &'static str,
    path: &'a str,
    value: &'a RawValue,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Finding<'a> {
    rule: &'static str,
    reason: &'static str,
    mode: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy_mode: Option<&'static str>,
    policy: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<usize>,
    object: &'a ObjectName,
    #[serde(skip_serializing_if = "Option::is_none")]
    container: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pods: Option<usize>,
    pointer: &'a str,
    message: &'a str,
}

#[derive(Serialize)]
struct Error<'a> {
    file: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    message: &'a str,
}

impl<'a> Object<'a> {
    fn of(judged: &'a JudgedObject) -> io::Result<Self> {
        let patch = judged.patch.iter().map(Step::of).collect::<io::Result<_>>()?;
        Ok(Self { name: &judged.object, file: judged.file.as_deref(), pods: judged.pods, patch })
    }
}

impl<'a> Step<'a> {
    fn of(operation: &'a Operation) -> io::Result<Self> {
        let value = serde_json::from_str(&operation.value)?;
        Ok(Self { op: operation.kind.as_str(), path: &operation.pointer, value })
    }
}

impl<'a> Finding<'a> {
    fn of(finding: &'a ReportedFinding) -> Self {
        Self {
            rule: finding.rule.id(),
            reason: finding.reason,
            mode: finding.mode.as_str(),
            policy_mode: finding.policy_mode.map(crate::policy::Mode::as_str),
            policy: &finding.policy,
            file: finding.file.as_deref(),
            line: finding.span.map(|span| span.start.line),
            column: finding.span.map(|span| span.start.column),
            object: &finding.object,
            container: finding.container.as_deref(),
            pods: finding.pods,
            pointer: &finding.pointer,
            message: &finding.message,
        }
    }
}

impl<'a> Error<'a> {
    fn of(error: &'a ReportedError) -> Self {
        Self { file: &error.file, line: error.place.map(|(line, _)| line), message: &error.message }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    #[test]
    fn the_whole_report_has_the_promised_shape() {
        insta::assert_snapshot!(json(&fixture::report()));
    }

    #[test]
    fn an_empty_report_has_every_part() {
        let expected = serde_json::json!({
            "version": 1,
            "summary":
                {"objects": 0, "deny": 0, "warn": 0, "audit": 0, "inject": 0, "exempted": 0, "skipped": 0},
            "objects": [],
            "findings": [],
            "errors": [],
        });
        assert_eq!(json(&Report::default()), format!("{expected:#}\n"));
    }

    #[test]
    fn a_value_that_is_no_json_is_an_error() {
        let mut report = fixture::report();
        report.objects[0].patch[0].value = "{".into();
        assert!(write(&report, &mut Vec::new()).is_err());
    }

    fn json(report: &Report) -> String {
        let mut output = Vec::new();
        write(report, &mut output).unwrap();
        String::from_utf8(output).unwrap()
    }
}
