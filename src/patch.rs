//! A patch: RFC 6902 operations made of a verdict's edits, merged per container. Only `add` to a parent that exists, and
//! `replace` of a literal that is ours: where a patch does not apply, the API server answers 500 to its user whatever the
//! failurePolicy. `/mutate` writes it as bytes; the command line applies it to a manifest.

use std::fmt::Write as _;

use crate::{
    fitting::Pod,
    injected::INJECTED,
    json::push_text,
    object::{Amounts, Container},
    pointer,
    policy::{Basis, ProbeKind},
    verdict::{Change, Check, Edit, PortReference, Source, Verdict},
};

/// All annotations of an object together, by the API's own rule; ours is left out where they would be more.
const MAX_ANNOTATIONS_BYTES: usize = 256 << 10;

/// One operation; `value` is JSON text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    pub kind: OperationKind,
    pub pointer: String,
    pub value: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

/// The operations that make a verdict's edits, in the order in which they apply; none where there is nothing to do.
pub fn operations(verdict: &Verdict<'_>, pod: &Pod<'_>) -> Vec<Operation> {
    let edits: Vec<&Edit<'_>> = verdict.edits().collect();
    let mut operations = Vec::with_capacity(edits.len() + 1);
    // Edits come container by container: a run of one place is one container's.
    for edits in edits.chunk_by(|one, next| one.place == next.place) {
        let Some(container) = pod.workload.container_at(edits[0].place) else { continue };
        let mut base = String::from(pod.workload.prefix());
        edits[0].place.push(&mut base);
        let mut writer = Writer { base, container, edits, operations: &mut operations };
        writer.limits();
        writer.variables();
        writer.probes();
        writer.resize_policy();
    }
    if !operations.is_empty() {
        operations.extend(annotation(verdict, pod));
    }
    operations
}

/// The operations as a JSON Patch document.
pub fn to_json(operations: &[Operation]) -> String {
    let size: usize = operations.iter().map(|operation| operation.pointer.len() + operation.value.len() + 48).sum();
    let mut json = String::with_capacity(size + 2);
    json.push('[');
    for (index, operation) in operations.iter().enumerate() {
        if index > 0 {
            json.push(',');
        }
        json.push_str(r#"{"op":""#);
        json.push_str(operation.kind.as_str());
        json.push_str(r#"","path":"#);
        push_text(&mut json, &operation.pointer);
        json.push_str(r#","value":"#);
        json.push_str(&operation.value);
        json.push('}');
    }
    json.push(']');
    json
}

/// Writes the operations of one container.
struct Writer<'w, 'a> {
    base: String,
    container: &'w Container<'w>,
    edits: &'w [&'w Edit<'a>],
    operations: &'w mut Vec<Operation>,
}

impl Writer<'_, '_> {
    fn add(&mut self, field: &str, value: String) {
        self.push(OperationKind::Add, field, value);
    }

    fn push(&mut self, kind: OperationKind, field: &str, value: String) {
        let mut pointer = String::with_capacity(self.base.len() + field.len());
        pointer.push_str(&self.base);
        pointer.push_str(field);
        self.operations.push(Operation { kind, pointer, value });
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
            let mut value = format!(r#"{{"limits":{}"#, amounts(&limits));
            if !requests.is_empty() {
                value.push_str(r#","requests":"#);
                value.push_str(&amounts(&requests));
            }
            value.push('}');
            return self.add("/resources", value);
        };
        self.amounts("limits", resources.limits.as_ref(), &limits);
        self.amounts("requests", resources.requests.as_ref(), &requests);
    }

    fn amounts(&mut self, field: &str, present: Option<&Amounts<'_>>, new: &[(Basis, &str)]) {
        match present {
            _ if new.is_empty() => {}
            None => self.add(&format!("/resources/{field}"), amounts(new)),
            Some(_) => {
                for (basis, text) in new {
                    self.add(&format!("/resources/{field}/{}", basis.resource()), json_text(text));
                }
            }
        }
    }

    /// Our own stale literals in place, then the new ones in front, so that the user's `$(POD_NAME)` resolves.
    fn variables(&mut self) {
        let has_list = self.container.env.is_some();
        let mut list = String::with_capacity(if has_list { 0 } else { 96 * self.edits.len() });
        let mut added = 0;
        for edit in self.edits {
            let Change::Variable { name, source, replaces: Some(index) } = &edit.change else { continue };
            self.push(OperationKind::Replace, &format!("/env/{index}"), variable(name, source));
        }
        for edit in self.edits {
            let Change::Variable { name, source, replaces: None } = &edit.change else { continue };
            if has_list {
                self.add(&format!("/env/{added}"), variable(name, source));
            } else {
                list.push(if added > 0 { ',' } else { '[' });
                push_variable(&mut list, name, source);
            }
            added += 1;
        }
        if !list.is_empty() {
            list.push(']');
            self.add("/env", list);
        }
    }

    fn probes(&mut self) {
        for edit in self.edits {
            if let Change::Probe { kind, check } = &edit.change {
                self.add(&format!("/{}", kind.field()), probe(*kind, check));
            }
        }
    }

    fn resize_policy(&mut self) {
        let policies: Vec<String> = self
            .edits
            .iter()
            .filter_map(|edit| match edit.change {
                Change::RestartOnResize { basis } => {
                    Some(format!(r#"{{"resourceName":"{}","restartPolicy":"RestartContainer"}}"#, basis.resource()))
                }
                _ => None,
            })
            .collect();
        match &self.container.resize_policy {
            _ if policies.is_empty() => {}
            None => self.add("/resizePolicy", format!("[{}]", policies.join(","))),
            Some(_) => {
                for (index, policy) in policies.into_iter().enumerate() {
                    self.add(&format!("/resizePolicy/{index}"), policy);
                }
            }
        }
    }
}

fn amounts(amounts: &[(Basis, &str)]) -> String {
    let members: Vec<String> =
        amounts.iter().map(|(basis, text)| format!(r#""{}":{}"#, basis.resource(), json_text(text))).collect();
    format!("{{{}}}", members.join(","))
}

fn json_text(text: &str) -> String {
    let mut json = String::with_capacity(text.len() + 2);
    push_text(&mut json, text);
    json
}

fn variable(name: &str, source: &Source<'_>) -> String {
    let mut json = String::with_capacity(128);
    push_variable(&mut json, name, source);
    json
}

fn push_variable(json: &mut String, name: &str, source: &Source<'_>) {
    json.push_str(r#"{"name":"#);
    push_text(json, name);
    match source {
        Source::Literal(value) => {
            json.push_str(r#","value":"#);
            push_text(json, value);
            json.push('}');
        }
        Source::FieldPath(path) => {
            json.push_str(r#","valueFrom":{"fieldRef":{"fieldPath":"#);
            push_text(json, path);
            json.push_str("}}}");
        }
        Source::Limit { basis, divisor } => {
            let resource = basis.resource();
            // Writing to a String cannot fail.
            let _ = write!(
                json,
                r#","valueFrom":{{"resourceFieldRef":{{"resource":"limits.{resource}","divisor":"{divisor}"}}}}}}"#
            );
        }
    }
}

fn probe(kind: ProbeKind, check: &Check<'_>) -> String {
    let numbers = kind.numbers();
    let mut json = String::with_capacity(128);
    json.push('{');
    match check {
        Check::Http { path, port, https } => {
            json.push_str(r#""httpGet":{"path":"#);
            push_text(&mut json, path);
            json.push_str(r#","port":"#);
            push_port(&mut json, *port);
            json.push_str(if *https { r#","scheme":"HTTPS"}"# } else { "}" });
        }
        Check::Tcp { port } => {
            json.push_str(r#""tcpSocket":{"port":"#);
            push_port(&mut json, *port);
            json.push('}');
        }
        Check::Grpc { port } => {
            let _ = write!(json, r#""grpc":{{"port":{port}}}"#);
        }
    }
    let _ = write!(
        json,
        r#","periodSeconds":{},"timeoutSeconds":{},"failureThreshold":{}}}"#,
        numbers.period_seconds, numbers.timeout_seconds, numbers.failure_threshold
    );
    json
}

fn push_port(json: &mut String, port: PortReference<'_>) {
    match port {
        PortReference::Number(number) => {
            let _ = write!(json, "{number}");
        }
        PortReference::Name(name) => push_text(json, name),
    }
}

/// Explicit numbers of a probe, so that nothing depends on what the API server takes for default.
pub struct ProbeNumbers {
    pub period_seconds: u32,
    pub timeout_seconds: u32,
    pub failure_threshold: u32,
}

impl ProbeKind {
    pub fn numbers(self) -> ProbeNumbers {
        let (period_seconds, timeout_seconds, failure_threshold) = match self {
            Self::Readiness => (10, 2, 3),
            Self::Liveness => (10, 5, 6),
            Self::Startup => (10, 5, 60),
        };
        ProbeNumbers { period_seconds, timeout_seconds, failure_threshold }
    }
}

/// The record of what was injected, unless all annotations together would be too large for the API.
fn annotation(verdict: &Verdict<'_>, pod: &Pod<'_>) -> Option<Operation> {
    let annotations = pod.workload.pod_metadata().annotations.as_ref();
    let record = pod.injected.rewritten(pod.workload, verdict.edits());
    let present =
        annotations.map_or(0, |all| all.size() - all.get(INJECTED).map_or(0, |old| old.len() + INJECTED.len()));
    let fits = |length: usize| present + INJECTED.len() + length <= MAX_ANNOTATIONS_BYTES;
    // As a JSON string it is longer than as a text, so that only a near miss asks for more.
    if !fits(record.len()) && !fits(unescaped_length(&record)) {
        return None;
    }
    let mut pointer = String::from(pod.workload.prefix());
    pointer.push_str("/metadata/annotations");
    let value = record;
    if annotations.is_some() {
        pointer::push(&mut pointer, INJECTED);
        return Some(Operation { kind: OperationKind::Add, pointer, value });
    }
    let value = format!("{{{}:{value}}}", json_text(INJECTED));
    if pod.workload.has_pod_metadata() {
        return Some(Operation { kind: OperationKind::Add, pointer, value });
    }
    pointer.truncate(pointer.len() - "/annotations".len());
    Some(Operation { kind: OperationKind::Add, pointer, value: format!(r#"{{"annotations":{value}}}"#) })
}

/// Bytes of the text that a JSON string stands for.
fn unescaped_length(json: &str) -> usize {
    serde_json::from_str::<String>(json).map_or(json.len(), |text| text.len())
}
