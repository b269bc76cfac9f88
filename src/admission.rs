//! Stand-in for the AdmissionReview envelope: the types and functions that the server calls.

use jiff::civil::Date;
use serde::Deserialize;

use crate::{
    policy::{Mode, PolicySet},
    rules::Rule,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    Mutate,
    Validate,
}

impl Phase {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mutate => "mutate",
            Self::Validate => "validate",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    Create,
    Update,
    Delete,
    Connect,
    Other,
}

impl Operation {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "CREATE",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
            Self::Connect => "CONNECT",
            Self::Other => "other",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    Allowed,
    Patched,
    Warned,
    Denied,
    Unmatched,
    Exempt,
    Ignored,
    Failed,
    Invalid,
}

impl Decision {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Patched => "patched",
            Self::Warned => "warned",
            Self::Denied => "denied",
            Self::Unmatched => "unmatched",
            Self::Exempt => "exempt",
            Self::Ignored => "ignored",
            Self::Failed => "failed",
            Self::Invalid => "invalid",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SkipReason {
    UserSet,
}

impl SkipReason {
    pub fn as_str(self) -> &'static str {
        "user-set"
    }
}

pub trait NamespaceLabels {}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
    pub record: Record,
}

#[derive(Debug)]
pub struct Record {
    pub phase: Phase,
    pub operation: Operation,
    pub decision: Decision,
    pub uid: String,
    pub namespace: String,
    pub name: String,
    pub kind: String,
    pub user: String,
    pub findings: Vec<(Rule, Mode)>,
    pub injections: Vec<Rule>,
    pub skips: Vec<(Rule, SkipReason)>,
    pub message: String,
    pub error: Option<String>,
}

#[derive(Deserialize)]
struct Review {
    request: Request,
}

#[derive(Deserialize)]
struct Request {
    uid: String,
    #[serde(default)]
    name: String,
}

pub fn answer(
    phase: Phase,
    body: &[u8],
    _policies: &PolicySet,
    _namespaces: Option<&dyn NamespaceLabels>,
    _today: Date,
) -> Answer {
    let Ok(Review { request }) = serde_json::from_slice::<Review>(body) else {
        return Answer {
            status: 400,
            body: b"no AdmissionReview\n".to_vec(),
            record: record(phase, Decision::Invalid, String::new(), String::new()),
        };
    };
    let body = serde_json::json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": {"uid": request.uid, "allowed": true}});
    Answer {
        status: 200,
        body: body.to_string().into_bytes(),
        record: record(phase, Decision::Allowed, request.uid, request.name),
    }
}

pub fn failure(phase: Phase, _body: &[u8], why: &str) -> Answer {
    let status = if phase == Phase::Mutate { 200 } else { 500 };
    let mut record = record(phase, Decision::Failed, String::new(), String::new());
    record.error = Some(why.to_owned());
    Answer { status, body: b"{}".to_vec(), record }
}

fn record(phase: Phase, decision: Decision, uid: String, name: String) -> Record {
    Record {
        phase,
        operation: Operation::Create,
        decision,
        uid,
        namespace: "default".to_owned(),
        name,
        kind: "Pod".to_owned(),
        user: "nobody".to_owned(),
        findings: Vec::new(),
        injections: Vec::new(),
        skips: Vec::new(),
        message: String::new(),
        error: None,
    }
}
