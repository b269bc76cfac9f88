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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{report::ObjectName, rules::Rule};

    fn finding(mode: Mode, message: &str) -> ReportedFinding {
        ReportedFinding {
            rule: Rule::ImageTag,
            reason: "image has no fixed tag",
            mode,
            policy_mode: None,
            policy: "default".into(),
            file: None,
            span: None,
            object: ObjectName {
                api_version: "apps/v1".into(),
                kind: "Deployment".into(),
                namespace: Some("shop".into()),
                name: "api".into(),
            },
            container: Some("app".into()),
            pointer: "/spec/containers/0/image".into(),
            pods: Some(3),
            message: message.into(),
        }
    }

    #[test]
    fn modes_are_told_in_the_words_of_these_kinds() {
        let rows = [
            (Mode::Deny, json!(["fail", true, "high"])),
            (Mode::Warn, json!(["warn", false, "medium"])),
            (Mode::Audit, json!(["warn", false, "low"])),
        ];
        for (mode, expected) in rows {
            let told = result(&finding(mode, "no"));
            assert_eq!(json!([told["result"], told["scored"], told["severity"]]), expected, "{mode:?}");
        }
    }

    #[test]
    fn an_object_holds_a_thousand_results_and_counts_all() {
        let (denied, warned) = (finding(Mode::Deny, &"é".repeat(500)), finding(Mode::Warn, "no"));
        let rows = [
            (999, 1, 1_000, None),
            (999, 2, 1_000, Some(("2 findings", "warn"))),
            (1_100, 5, 1_000, Some(("106 findings", "fail"))),
        ];
        for (denials, warnings, length, rest) in rows {
            let findings = [vec![&denied; denials], vec![&warned; warnings]].concat();
            let told = content(ReportKind::PolicyReport, "shop", &findings);
            let results = told["results"].as_array().unwrap();
            let last = rest.map(|(number, outcome)| {
                (json!(format!("{number} more; `podfit scan --namespace shop` lists them")), json!(outcome))
            });
            let found = rest.map(|_| (results[999]["message"].clone(), results[999]["result"].clone()));
            assert_eq!((results.len(), found), (length, last), "{denials}, {warnings}");
            assert_eq!(json!([told["summary"]["fail"], told["summary"]["warn"]]), json!([denials, warnings]));
            assert_eq!(results[0]["message"], "é".repeat(MAX_MESSAGE_CHARACTERS));
        }
    }
}
