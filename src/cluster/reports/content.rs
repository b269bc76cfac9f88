//! What a report of a namespace says. Pure; `reports` writes it.

use serde_json::{Value, json};

use super::ReportKind;
use crate::{
    cluster::NAME,
    policy::Mode,
    report::{ReportedFinding, count},
};

/// With its limits, one object stays under what etcd takes (1.5 MiB).
const MAX_RESULTS: usize = 1_000;
const MAX_MESSAGE_CHARACTERS: usize = 400;

/// The label that makes an object ours, and the selector of it.
pub(super) struct ManagedBy {
    pub(super) key: &'static str,
    pub(super) value: &'static str,
    pub(super) selector: &'static str,
}

pub(super) const MANAGED_BY: ManagedBy =
    ManagedBy { key: "app.kubernetes.io/managed-by", value: NAME, selector: "app.kubernetes.io/managed-by=podfit" };

/// The object of a namespace, the strictest findings first.
pub(super) fn content(kind: ReportKind, namespace: &str, findings: &[&ReportedFinding]) -> Value {
    let number = |wanted| findings.iter().filter(|finding| outcome(finding.mode) == Some(wanted)).count();
    let listed = if findings.len() > MAX_RESULTS { MAX_RESULTS - 1 } else { findings.len() };
    let mut results: Vec<Value> = findings[..listed].iter().map(|finding| result(finding)).collect();
    if let Some(rest) = findings.get(listed).map(|first| rest(first, findings.len() - listed, namespace)) {
        results.push(rest);
    }
    json!({
        "apiVersion": kind.api_version(),
        "kind": kind.kind(),
        "metadata": {"name": NAME, "namespace": namespace, "labels": {MANAGED_BY.key: MANAGED_BY.value}},
        "summary": {"pass": 0, "fail": number("fail"), "warn": number("warn"), "error": 0, "skip": 0},
        "results": results,
    })
}

/// What these kinds call it. A policy that does not refuse is one that is not scored.
pub(super) fn outcome(mode: Mode) -> Option<&'static str> {
    match mode {
        Mode::Deny => Some("fail"),
        Mode::Warn | Mode::Audit => Some("warn"),
        Mode::Inject | Mode::Disabled => None,
    }
}

fn severity(mode: Mode) -> &'static str {
    match mode {
        Mode::Deny => "high",
        Mode::Warn => "medium",
        Mode::Audit | Mode::Inject | Mode::Disabled => "low",
    }
}

fn result(finding: &ReportedFinding) -> Value {
    let message: String = finding.message.chars().take(MAX_MESSAGE_CHARACTERS).collect();
    let mut properties = json!({
        "mode": finding.mode.as_str(),
        "reason": finding.reason,
        "pods": finding.pods.unwrap_or_default().to_string(),
    });
    if let Some(container) = &finding.container {
        properties["container"] = json!(container);
    }
    json!({
        "source": NAME,
        "policy": finding.policy,
        "rule": finding.rule.id(),
        "result": outcome(finding.mode),
        "scored": finding.mode == Mode::Deny,
        "severity": severity(finding.mode),
        "message": message,
        "resources": [finding.object],
        "properties": properties,
    })
}

/// As strict as the strictest that it stands for.
fn rest(first: &ReportedFinding, number: usize, namespace: &str) -> Value {
    json!({
        "source": NAME,
        "policy": first.policy,
        "result": outcome(first.mode),
        "scored": first.mode == Mode::Deny,
        "severity": severity(first.mode),
        "message": format!("{} more; `podfit scan --namespace {namespace}` lists them", count(number, "finding")),
        "resources": [{"apiVersion": "v1", "kind": "Namespace", "name": namespace}],
    })
}
