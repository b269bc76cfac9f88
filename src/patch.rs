//! A patch: RFC 6902 operations made of a verdict's edits, merged per container. Only `add` to a parent that exists, and
//! `replace` of a literal that is ours: where a patch does not apply, the API server answers 500 to its user whatever the
//! failurePolicy. `/mutate` writes it as bytes; the command line applies it to a manifest.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    fitting::Pod,
    injected::{INJECTED, MAX_ANNOTATIONS_BYTES},
    json::{push_escaped, push_number, push_text},
    object::{Amounts, Container, Pairs},
    pointer,
    policy::{Basis, ProbeKind},
    verdict::{Change, Check, Edit, PortReference, Source, Verdict},
};

/// What an operation with its line of the record takes, mostly.
const OPERATION_BYTES: usize = 256;
/// What the longest pointer of a container takes, of a CronJob's.
const POINTER_BYTES: usize = 64;

/// One operation; `value` is JSON text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    pub kind: OperationKind,
    pub pointer: String,
    pub value: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OperationKind {
    Add,
    Replace,
}

impl OperationKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Replace => "replace",
        }
    }
}

/// A verdict's edits as a JSON Patch document, its operations in the order in which they apply; nothing where there is
/// nothing to do. Written straight to text: a patch may have hundreds of operations.
pub fn to_json(verdict: &Verdict<'_>, pod: &Pod<'_>) -> Option<String> {
    let mut edits: Vec<&Edit<'_>> = Vec::with_capacity(verdict.findings.len());
    edits.extend(verdict.edits());
    if edits.is_empty() {
        return None;
    }
    let mut json = String::with_capacity((edits.len() + 1) * OPERATION_BYTES);
    json.push('[');
    let mut base = String::with_capacity(POINTER_BYTES);
    // Edits come container by container: a run of one place is one container's.
    for edits in edits.chunk_by(|one, next| one.place == next.place) {
        let Some(container) = pod.workload.container_at(edits[0].place) else { continue };
        base.clear();
        base.push_str(pod.workload.prefix());
        edits[0].place.push(&mut base);
        let mut writer = Writer { json: &mut json, base: &base, container, edits };
        writer.limits();
        writer.variables();
        writer.probes();
        writer.resize_policy();
    }
    if json.len() == 1 {
        return None;
    }
    annotation(&mut json, &edits, pod);
    json.push(']');
    Some(json)
}

/// The same operations one by one, for manifests.
///
/// # Panics
/// Where `to_json` has written no JSON: a bug.
pub fn operations(verdict: &Verdict<'_>, pod: &Pod<'_>) -> Vec<Operation> {
    #[derive(Deserialize)]
    struct Written {
        op: OperationKind,
        path: String,
        value: Box<RawValue>,
    }
    let written = to_json(verdict, pod).map(|json| serde_json::from_str::<Vec<Written>>(&json));
    let written = written.transpose().expect("what was just written is JSON").unwrap_or_default();
    let operation = |Written { op, path, value }| Operation { kind: op, pointer: path, value: value.get().to_owned() };
    written.into_iter().map(operation).collect()
}

/// Writes the operations of one container. No pointer of ours has a character that JSON escapes.
struct Writer<'w, 'a> {
    json: &'w mut String,
    base: &'w str,
    container: &'w Container<'w>,
    edits: &'w [&'w Edit<'a>],
}

impl Writer<'_, '_> {
    /// Begins an operation on a field of the container; its value and a `}` are to follow.
    fn begin(&mut self, kind: OperationKind, field: &str, token: Option<Token>) {
        begin(self.json, kind);
        self.json.push_str(self.base);
        self.json.push_str(field);
        match token {
            Some(Token::Index(index)) => {
                self.json.push('/');
                push_number(self.json, index);
            }
            Some(Token::Resource(basis)) => {
                self.json.push('/');
                self.json.push_str(basis.resource());
            }
            None => {}
        }
        self.json.push_str(r#"","value":"#);
    }

    fn add(&mut self, field: &str, token: Option<Token>) {
        self.begin(OperationKind::Add, field, token);
    }

    /// Limits and the requests that go with them, below the nearest parent that exists.
    fn limits(&mut self) {
        let mut limits: Vec<(Basis, &str)> = Vec::new();
        let mut requests: Vec<(Basis, &str)> = Vec::new();
        for edit in self.edits {
            if let Change::Limit { basis, default, with_request } = &edit.change {
                limits.push((*basis, &default.limit_text));
                if *with_request {
                    requests.push((*basis, &default.request_text));
                }
            }
        }
        if limits.is_empty() {
            return;
        }
        let Some(resources) = &self.container.resources else {
            self.add("/resources", None);
            self.json.push_str(r#"{"limits":"#);
            push_amounts(self.json, &limits);
            if !requests.is_empty() {
                self.json.push_str(r#","requests":"#);
                push_amounts(self.json, &requests);
            }
            self.json.push_str("}}");
            return;
        };
        self.amounts("/resources/limits", resources.limits.as_ref(), &limits);
        self.amounts("/resources/requests", resources.requests.as_ref(), &requests);
    }

    fn amounts(&mut self, field: &str, present: Option<&Amounts<'_>>, new: &[(Basis, &str)]) {
        match present {
            _ if new.is_empty() => {}
            None => {
                self.add(field, None);
                push_amounts(self.json, new);
                self.json.push('}');
            }
            Some(_) => {
                for (basis, text) in new {
                    self.add(field, Some(Token::Resource(*basis)));
                    push_text(self.json, text);
                    self.json.push('}');
                }
            }
        }
    }

    /// Our own stale literals in place, then the new ones in front, so that the user's `$(POD_NAME)` resolves.
    fn variables(&mut self) {
        for edit in self.edits {
            let Change::Variable { name, source, replaces: Some(index) } = &edit.change else { continue };
            self.begin(OperationKind::Replace, "/env", Some(Token::Index(*index)));
            push_variable(self.json, name, source);
            self.json.push('}');
        }
        let new = self.edits.iter().filter_map(|edit| match &edit.change {
            Change::Variable { name, source, replaces: None } => Some((name.as_ref(), source)),
            _ => None,
        });
        if self.container.env.is_some() {
            for (index, (name, source)) in new.enumerate() {
                self.add("/env", Some(Token::Index(index)));
                push_variable(self.json, name, source);
                self.json.push('}');
            }
        } else {
            self.whole_list("/env", new, |json, (name, source)| push_variable(json, name, source));
        }
    }

    /// One operation for a list that is not there yet, unless nothing is to stand in it.
    fn whole_list<T>(&mut self, field: &str, items: impl Iterator<Item = T>, push: impl Fn(&mut String, T)) {
        let mut items = items.peekable();
        if items.peek().is_none() {
            return;
        }
        self.add(field, None);
        for (index, item) in items.enumerate() {
            self.json.push(if index > 0 { ',' } else { '[' });
            push(self.json, item);
        }
        self.json.push_str("]}");
    }

    fn probes(&mut self) {
        for edit in self.edits {
            if let Change::Probe { kind, check } = &edit.change {
                begin(self.json, OperationKind::Add);
                for part in [self.base, "/", kind.field(), r#"","value":"#] {
                    self.json.push_str(part);
                }
                push_probe(self.json, *kind, check);
                self.json.push('}');
            }
        }
    }

    fn resize_policy(&mut self) {
        let resources = self.edits.iter().filter_map(|edit| match edit.change {
            Change::RestartOnResize { basis } => Some(basis),
            _ => None,
        });
        if self.container.resize_policy.is_some() {
            for (index, basis) in resources.enumerate() {
                self.add("/resizePolicy", Some(Token::Index(index)));
                push_resize_policy(self.json, basis);
                self.json.push('}');
            }
        } else {
            self.whole_list("/resizePolicy", resources, push_resize_policy);
        }
    }
}

/// What stands behind a field in a pointer.
#[derive(Clone, Copy)]
enum Token {
    Index(usize),
    Resource(Basis),
}

/// Up to the pointer.
fn begin(json: &mut String, kind: OperationKind) {
    if json.len() > 1 {
        json.push(',');
    }
    json.push_str(match kind {
        OperationKind::Add => r#"{"op":"add","path":""#,
        OperationKind::Replace => r#"{"op":"replace","path":""#,
    });
}

fn push_amounts(json: &mut String, amounts: &[(Basis, &str)]) {
    for (index, (basis, text)) in amounts.iter().enumerate() {
        json.push(if index > 0 { ',' } else { '{' });
        push_text(json, basis.resource());
        json.push(':');
        push_text(json, text);
    }
    json.push('}');
}

fn push_resize_policy(json: &mut String, basis: Basis) {
    json.push_str(r#"{"resourceName":"#);
    push_text(json, basis.resource());
    json.push_str(r#","restartPolicy":"RestartContainer"}"#);
}

fn push_variable(json: &mut String, name: &str, source: &Source<'_>) {
    json.push_str(r#"{"name":""#);
    push_escaped(json, name);
    match source {
        Source::Literal(value) => {
            json.push_str(r#"","value":""#);
            push_escaped(json, value);
            json.push_str(r#""}"#);
        }
        Source::FieldPath(path) => {
            json.push_str(r#"","valueFrom":{"fieldRef":{"fieldPath":""#);
            push_escaped(json, path);
            json.push_str(r#""}}}"#);
        }
        Source::Limit { basis, divisor } => {
            json.push_str(r#"","valueFrom":{"resourceFieldRef":{"resource":"limits."#);
            json.push_str(basis.resource());
            json.push_str(r#"","divisor":""#);
            push_escaped(json, divisor);
            json.push_str(r#""}}}"#);
        }
    }
}

fn push_probe(json: &mut String, kind: ProbeKind, check: &Check<'_>) {
    match check {
        Check::Http { path, port, https } => {
            json.push_str(r#"{"httpGet":{"path":"#);
            push_text(json, path);
            json.push_str(r#","port":"#);
            push_port(json, *port);
            json.push_str(if *https { r#","scheme":"HTTPS"}"# } else { "}" });
        }
        Check::Tcp { port } => {
            json.push_str(r#"{"tcpSocket":{"port":"#);
            push_port(json, *port);
            json.push('}');
        }
        Check::Grpc { port } => {
            json.push_str(r#"{"grpc":{"port":"#);
            push_number(json, usize::from(*port));
            json.push('}');
        }
    }
    let ProbeNumbers { period_seconds, timeout_seconds, failure_threshold } = kind.numbers();
    let numbers = [
        ("periodSeconds", period_seconds),
        ("timeoutSeconds", timeout_seconds),
        ("failureThreshold", failure_threshold),
    ];
    for (field, number) in numbers {
        json.push(',');
        push_text(json, field);
        json.push(':');
        push_number(json, usize::from(number));
    }
    json.push('}');
}

fn push_port(json: &mut String, port: PortReference<'_>) {
    match port {
        PortReference::Number(number) => push_number(json, usize::from(number)),
        PortReference::Name(name) => push_text(json, name),
    }
}

/// Explicit numbers of a probe, so that nothing depends on what the API server takes for default.
struct ProbeNumbers {
    period_seconds: u16,
    timeout_seconds: u16,
    failure_threshold: u16,
}

impl ProbeKind {
    fn numbers(self) -> ProbeNumbers {
        let (period_seconds, timeout_seconds, failure_threshold) = match self {
            Self::Readiness => (10, 2, 3),
            Self::Liveness => (10, 5, 6),
            Self::Startup => (10, 5, 60),
        };
        ProbeNumbers { period_seconds, timeout_seconds, failure_threshold }
    }
}

/// Appends the record of what was injected, unless all annotations together would be too large for the API.
fn annotation(json: &mut String, edits: &[&Edit<'_>], pod: &Pod<'_>) {
    let annotations = pod.workload.pod_metadata().annotations.as_ref();
    let before = json.len();
    begin(json, OperationKind::Add);
    json.push_str(pod.workload.prefix());
    let closing = if annotations.is_some() {
        json.push_str("/metadata/annotations");
        pointer::push(json, INJECTED);
        json.push_str(r#"","value":"#);
        "}"
    } else if pod.workload.has_pod_metadata() {
        json.push_str(r#"/metadata/annotations","value":{"podfit.dev/injected":"#);
        "}}"
    } else {
        json.push_str(r#"/metadata","value":{"annotations":{"podfit.dev/injected":"#);
        "}}}"
    };
    let record = json.len();
    let is_written = pod.injected.push_rewritten(json, pod.workload, edits);
    // As a JSON string it is longer than as a text, so that only a near miss asks for more.
    let surely_fits = || {
        let present = annotations.map_or(0, Pairs::size_at_most);
        present + INJECTED.len() + json.len() - record <= MAX_ANNOTATIONS_BYTES
    };
    let fits = || {
        let old = |all: &Pairs<'_>| all.get(INJECTED).map_or(0, |old| old.len() + INJECTED.len());
        let others = annotations.map_or(0, |all| all.size() - old(all));
        others + INJECTED.len() + unescaped_length(&json[record..]) <= MAX_ANNOTATIONS_BYTES
    };
    if is_written && (surely_fits() || fits()) {
        json.push_str(closing);
    } else {
        json.truncate(before);
    }
}

/// Bytes of the text that a JSON string stands for.
fn unescaped_length(json: &str) -> usize {
    serde_json::from_str::<String>(json).map_or(json.len(), |text| text.len())
}
