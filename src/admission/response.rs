//! What goes back: an AdmissionReview response, written directly, or a Status for what is no review or a fault of ours.

use std::{fmt::Write as _, sync::LazyLock};

use base64::engine::{Engine as _, Simd, general_purpose::PAD};
use smallvec::SmallVec;

use super::{Answer, Decision, Phase, Record, head::Head};
use crate::{
    json::push_text,
    pointer,
    policy::Mode,
    rules::Rule,
    verdict::{Finding, Verdict},
    workload::Workload,
};

/// Findings named in a denial, and its length in bytes; what is more is counted.
const MAX_NAMED_FINDINGS: usize = 20;
const MAX_DENIAL_BYTES: usize = 2_000;
const MAX_CAUSES: usize = 100;
/// The API server drops what is more, and cuts at 256 once its budget is used up.
pub const MAX_WARNINGS: usize = 20;
const MAX_WARNING_CHARACTERS: usize = 256;
/// A name in the log: twice what the API lets a name be.
const MAX_RECORDED_BYTES: usize = 512;
/// What an answer takes, mostly, but for its patch.
const USUAL_BYTES: usize = 512;
const USUAL_AUDIT_BYTES: usize = 256;
/// An audit annotation is for grouping, not for reading.
const MAX_AUDIT_WORDS: usize = 200;
const MAX_AUDIT_BYTES: usize = 4_000;

pub struct Response<'r> {
    phase: Phase,
    head: &'r Head<'r>,
    decision: Decision,
    /// The object's own name, where the request has none.
    pub name: Option<String>,
    /// A JSON Patch document.
    pub patch: Option<String>,
    pub denial: Option<Denial>,
    pub warnings: Vec<String>,
    pub audit: Vec<(&'static str, String)>,
}

impl<'r> Response<'r> {
    pub fn new(phase: Phase, head: &'r Head<'r>, decision: Decision) -> Self {
        let (name, patch, denial) = (None, None, None);
        Self { phase, head, decision, name, patch, denial, warnings: Vec::new(), audit: Vec::new() }
    }

    pub fn allowed(phase: Phase, head: &'r Head<'r>, decision: Decision) -> Answer {
        Self::new(phase, head, decision).write()
    }

    pub fn write(self) -> Answer {
        let of_patch = self.patch.as_ref().map_or(0, |patch| base64_length(patch));
        let mut json = String::with_capacity(USUAL_BYTES + of_patch);
        json.push_str(r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","response":{"uid":"#);
        push_text(&mut json, &self.head.uid);
        json.push_str(if self.denial.is_none() { r#","allowed":true"# } else { r#","allowed":false"# });
        if let Some(denial) = &self.denial {
            denial.push(&mut json, self.name.as_deref().unwrap_or_default(), &self.head.kind);
        }
        push_warnings(&mut json, &self.warnings);
        push_audit(&mut json, &self.audit);
        let mut body = json.into_bytes();
        if let Some(patch) = &self.patch {
            push_patch(&mut body, patch);
        }
        body.extend_from_slice(b"}}");
        Answer { status: 200, body, record: self.record() }
    }

    fn record(self) -> Record {
        let message = match self.denial {
            Some(denial) => denial.message,
            None => cut(clean(self.warnings.join("; ")), MAX_DENIAL_BYTES),
        };
        Record {
            phase: self.phase,
            operation: self.head.operation,
            decision: self.decision,
            uid: recorded(&self.head.uid),
            namespace: recorded(&self.head.namespace),
            name: recorded(self.name.as_deref().unwrap_or(&self.head.name)),
            kind: recorded(&self.head.kind),
            user: recorded(self.head.user()),
            findings: Vec::new(),
            injections: SmallVec::new(),
            skips: SmallVec::new(),
            message,
        }
    }
}

/// Why a request is refused: one line for people, a cause per finding for programs.
pub struct Denial {
    message: String,
    causes: Vec<Cause>,
}

struct Cause {
    reason: &'static str,
    message: String,
    field: String,
}

impl Denial {
    pub fn of(findings: &[&Finding<'_>], object: &Workload<'_>) -> Self {
        let cause = |finding: &&Finding<'_>| Cause {
            reason: cause_reason(finding.rule),
            message: cut(finding.message(), MAX_DENIAL_BYTES),
            field: pointer::field_path(&finding.pointer(object)),
        };
        Self { message: message(findings), causes: findings.iter().take(MAX_CAUSES).map(cause).collect() }
    }

    fn push(&self, json: &mut String, name: &str, kind: &str) {
        json.push_str(r#","status":{"status":"Failure","code":403,"reason":"Forbidden","message":"#);
        push_text(json, &self.message);
        json.push_str(r#","details":{"name":"#);
        push_text(json, name);
        json.push_str(r#","kind":"#);
        push_text(json, kind);
        json.push_str(r#","causes":["#);
        for (index, cause) in self.causes.iter().enumerate() {
            let _ = write!(json, r#"{}{{"reason":"{}","message":"#, if index > 0 { "," } else { "" }, cause.reason);
            push_text(json, &cause.message);
            json.push_str(r#","field":"#);
            push_text(json, &cause.field);
            json.push('}');
        }
        json.push_str("]}}");
    }
}

fn cause_reason(rule: Rule) -> &'static str {
    match rule {
        Rule::ImageTag => "FieldValueForbidden",
        _ => "FieldValueRequired",
    }
}

/// All findings on one line, numbered where there are several; as many as fit, then how many more there are.
fn message(findings: &[&Finding<'_>]) -> String {
    if let [only] = findings {
        return cut(in_full(only), MAX_DENIAL_BYTES);
    }
    let mut message = String::new();
    for (index, finding) in findings.iter().enumerate() {
        let item = format!("({}) {}", index + 1, in_full(finding));
        // Room for "and 10000 more" is kept free.
        let is_full = index == MAX_NAMED_FINDINGS || message.len() + item.len() + 24 > MAX_DENIAL_BYTES;
        if is_full {
            let _ = write!(message, " and {} more", findings.len() - index);
            break;
        }
        if index > 0 {
            message.push(' ');
        }
        message.push_str(&item);
    }
    message
}

fn in_full(finding: &Finding<'_>) -> String {
    clean(format!("{} [rule {}, policy {}]", finding.message(), finding.rule.id(), finding.policy))
}

/// A warning: at most 120 characters where possible, so without the policy. A template's has the field first, as the API
/// server writes its own, since a manifest may hold several templates.
pub fn in_brief(finding: &Finding<'_>, object: &Workload<'_>) -> String {
    let brief = format!("{} [{}]", finding.message(), finding.rule.id());
    if object.kind.is_template() {
        format!("{}: {brief}", pointer::field_path(&finding.pointer(object)))
    } else {
        brief
    }
}

/// Of a text when it is in base64.
fn base64_length(patch: &str) -> usize {
    patch.len().div_ceil(3) * 4
}

/// In base64, written where it belongs: a patch is the most of an answer, and was an eighth of a review's cost while it was
/// encoded byte by byte.
fn push_patch(body: &mut Vec<u8>, patch: &str) {
    static BASE64: LazyLock<Simd> = LazyLock::new(|| Simd::standard(PAD));
    const BEFORE: &[u8] = br#","patchType":"JSONPatch","patch":""#;
    let length = base64_length(patch);
    // Warnings may have taken the room that was made for it.
    body.reserve_exact(BEFORE.len() + length + br#""}}"#.len());
    body.extend_from_slice(BEFORE);
    let start = body.len();
    body.resize(start + length, 0);
    let written = BASE64.encode_slice(patch, &mut body[start..]);
    // Its place was made as long as it is.
    assert_eq!(written.ok(), Some(length), "the length of a patch in base64");
    body.push(b'"');
}

fn push_warnings(json: &mut String, warnings: &[String]) {
    if warnings.is_empty() {
        return;
    }
    json.push_str(r#","warnings":["#);
    let mut written: Vec<String> = Vec::new();
    for warning in warnings {
        let warning: String = clean(warning.clone()).chars().take(MAX_WARNING_CHARACTERS).collect();
        if written.len() == MAX_WARNINGS || written.contains(&warning) {
            continue;
        }
        if !written.is_empty() {
            json.push(',');
        }
        push_text(json, &warning);
        written.push(warning);
    }
    json.push(']');
}

fn push_audit(json: &mut String, audit: &[(&'static str, String)]) {
    if audit.is_empty() {
        return;
    }
    json.push_str(r#","auditAnnotations":{"#);
    for (index, (key, value)) in audit.iter().enumerate() {
        if index > 0 {
            json.push(',');
        }
        push_text(json, key);
        json.push(':');
        push_text(json, value);
    }
    json.push('}');
}

/// Findings and used exemptions, as `rule/container` words; the same for the same object, since the first value wins.
pub fn audit_annotations(verdict: &Verdict<'_>) -> Vec<(&'static str, String)> {
    let findings = verdict.findings.iter().filter(|finding| finding.mode >= Mode::Audit);
    let findings = findings.map(|f| [f.mode.as_str(), ":", f.rule.id(), "/", f.container.unwrap_or_default()]);
    let exempted = verdict.exempted.iter().map(|e| [e.rule.id(), "/", e.container, " by ", e.policy]);
    [("findings", join(findings)), ("exempted", join(exempted))]
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .collect()
}

/// Each word, in its parts, once where it stands several times in a row.
fn join<'w>(words: impl Iterator<Item = [&'w str; 5]>) -> String {
    let mut words = words.peekable();
    // Where there is nothing to say, nothing is allocated.
    let mut text = String::with_capacity(if words.peek().is_some() { USUAL_AUDIT_BYTES } else { 0 });
    let (mut last, mut count) = (None, 0);
    for word in words {
        if last == Some(word) {
            continue;
        }
        if count == MAX_AUDIT_WORDS {
            break;
        }
        if count > 0 {
            text.push(' ');
        }
        for part in word {
            text.push_str(part);
        }
        (last, count) = (Some(word), count + 1);
    }
    cut(clean(text), MAX_AUDIT_BYTES)
}

/// A control character would make the API server drop the whole warning.
fn clean(text: String) -> String {
    // The first byte of U+0080 to U+00BF, of which the first half are control characters, too.
    if !text.bytes().any(|byte| byte < b' ' || byte == 0x7f || byte == 0xc2) {
        return text;
    }
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}

fn cut(mut text: String, bytes: usize) -> String {
    text.truncate(text.floor_char_boundary(bytes));
    text
}

fn recorded(text: &str) -> String {
    text[..text.floor_char_boundary(MAX_RECORDED_BYTES)].to_owned()
}

/// A `Status` of the Kubernetes API: the API server takes its message as the detail of a failed call.
pub fn status_body(code: u16, reason: &str, message: &str) -> Vec<u8> {
    let mut json = String::from(r#"{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"#);
    push_text(&mut json, reason);
    json.push_str(r#","message":"#);
    push_text(&mut json, &clean(message.to_owned()));
    let _ = write!(json, r#","code":{code}}}"#);
    json.into_bytes()
}
