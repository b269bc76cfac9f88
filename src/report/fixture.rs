//! A report with one of each: the formats' tests write it.

use std::collections::BTreeMap;

use super::{JudgedObject, ObjectName, Report, ReportedError, ReportedFinding};
use crate::{
    node::{Position, Span},
    patch::{Operation, OperationKind},
    policy::Mode,
    rules::Rule,
};

const API: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: api, namespace: shop}
spec:
  template:
    spec:
      containers:
      - name: app   # größer
        image: registry.example/api:latest
      - name: side
        image: registry.example/side:1
";
const AGENT: &str = "{\"kind\": \"DaemonSet\", \"spec\": {\"image\": \"agent\"}}\r\n";
const BROKEN: &str = "kind: Pod\nmetadata:\n\tname: x\n";

pub fn report() -> Report {
    let api = object("Deployment", "api");
    let agent = ObjectName { namespace: None, ..object("DaemonSet", "agent") };
    let listed = object("Pod", "from-cluster");
    let judged = |object: &ObjectName, file: Option<&str>, patch| JudgedObject {
        object: object.clone(),
        file: file.map(String::from),
        pods: None,
        patch,
    };
    Report {
        objects: vec![
            judged(&api, Some("./deploy/the api.yaml"), patch()),
            judged(&agent, Some("-"), Vec::new()),
            judged(&listed, None, Vec::new()),
        ],
        findings: findings(&api, &agent, &listed),
        errors: vec![
            ReportedError {
                file: "deploy/broken.yaml".into(),
                place: Some((3, 1)),
                message: "a tab cannot indent".into(),
            },
            ReportedError { file: "deploy/gone.yaml".into(), place: None, message: "No such file\u{1b}[31m".into() },
        ],
        counted: BTreeMap::new(),
        pods: None,
        exempted: 1,
        skipped: 2,
        passed_over: 1,
        notes: vec!["the exemption \"vendor chart\" of policy default has expired on 2026-01-31".into()],
        sources: BTreeMap::from([
            ("./deploy/the api.yaml".into(), API.into()),
            ("-".into(), AGENT.into()),
            ("deploy/broken.yaml".into(), BROKEN.into()),
        ]),
    }
}

pub fn object(kind: &str, name: &str) -> ObjectName {
    ObjectName {
        api_version: String::from(if kind == "Pod" { "v1" } else { "apps/v1" }),
        kind: kind.into(),
        namespace: Some("shop".into()),
        name: name.into(),
    }
}

fn findings(api: &ObjectName, agent: &ObjectName, listed: &ObjectName) -> Vec<ReportedFinding> {
    let (app, image) = (("app", "name: app"), ("app", "registry.example/api:latest"));
    let side = ("side", "name: side");
    let row = |rule, reason, mode, (container, at): (&str, &str), field: &str, message: &str| ReportedFinding {
        rule,
        reason,
        mode,
        policy_mode: None,
        policy: "default".into(),
        file: Some("./deploy/the api.yaml".into()),
        span: Some(span(API, at)),
        object: api.clone(),
        container: Some(container.into()),
        pointer: format!("/spec/template/spec/containers/{}{field}", usize::from(container == "side")),
        pods: None,
        message: format!("container {container:?} {message}"),
    };
    let limits = |reason, mode, at, field, message| row(Rule::ResourceLimits, reason, mode, at, field, message);
    let tag = |mode, at, message| row(Rule::ImageTag, "image has no fixed tag", mode, at, "/image", message);
    let identity =
        |at, message| row(Rule::PodIdentity, "container does not know its Pod", Mode::Inject, at, "/env", message);
    let no_cpu = "has no cpu limit; set resources.limits.cpu";
    let latest = "uses the image \"registry.example/api:latest\", whose tag \"latest\" is not fixed; write a fixed tag \
                  or a digest";
    let no_tag = "uses the image \"agent\", which has no tag, so \"latest\" is implied; write a fixed tag or a digest";
    let odd = "has the image \"<a%:b>\u{1b}[2J\n\": it holds 5 % characters, that no image has";
    let memory = "gets limits.memory = 256Mi (from policy default)";
    vec![
        limits("container has no CPU limit", Mode::Deny, app, "/resources/limits/cpu", no_cpu),
        tag(Mode::Deny, image, latest),
        identity(app, "gets POD_NAME = metadata.name (downward API)"),
        identity(app, "gets POD_NAMESPACE = metadata.namespace (downward API)"),
        ReportedFinding {
            policy_mode: Some(Mode::Deny),
            ..limits("container has no memory limit", Mode::Inject, side, "/resources/limits/memory", memory)
        },
        identity(side, "gets POD_NAME = metadata.name (downward API)"),
        ReportedFinding {
            policy_mode: Some(Mode::Deny),
            file: Some("-".into()),
            span: Some(span(AGENT, "\"agent\"")),
            object: agent.clone(),
            ..tag(Mode::Warn, ("agent", "name: app"), no_tag)
        },
        ReportedFinding {
            reason: "image is no image reference",
            policy: "team & co".into(),
            file: None,
            span: None,
            object: listed.clone(),
            ..tag(Mode::Audit, ("odd", "name: app"), odd)
        },
    ]
}

fn patch() -> Vec<Operation> {
    vec![
        Operation {
            kind: OperationKind::Add,
            pointer: "/spec/template/spec/containers/0/env".into(),
            value: r#"[{"name":"POD_NAME","valueFrom":{"fieldRef":{"fieldPath":"metadata.name"}}}]"#.into(),
        },
        Operation {
            kind: OperationKind::Replace,
            pointer: "/spec/template/spec/containers/1/resources/limits/memory".into(),
            value: r#""256Mi""#.into(),
        },
    ]
}

/// The first place of a text.
fn span(source: &str, text: &str) -> Span {
    let offset = source.find(text).unwrap();
    Span { start: position(source, offset), end: position(source, offset + text.len()) }
}

fn position(source: &str, offset: usize) -> Position {
    let before = &source[..offset];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    Position { offset, line: before.matches('\n').count() + 1, column: before[line_start..].chars().count() + 1 }
}
