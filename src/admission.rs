//! The AdmissionReview envelope (admission.k8s.io/v1) and the straight line of one review: `answer` takes body bytes and
//! gives body bytes. The server calls it; it reads nothing but its arguments and never waits.

use jiff::civil::Date;
use serde_json::value::RawValue;
use smallvec::SmallVec;

use crate::{
    fitting::{self, Pod},
    injected::{INJECTED, Injected},
    patch,
    policy::{InForce, Mode, Rulebook},
    resize,
    review::review,
    rules::Rule,
    verdict::{Finding, SkipReason, Verdict},
    workload::{Kind, Workload},
};

mod head;
mod lean;
mod response;

use head::{Head, Reading};
use lean::Lean;
use response::Response;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    Mutate,
    Validate,
}

impl Phase {
    /// In the order in which they are declared, as `Rule::ALL`.
    pub const ALL: [Self; 2] = [Self::Mutate, Self::Validate];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mutate => "mutate",
            Self::Validate => "validate",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Operation {
    Create,
    Update,
    Delete,
    Connect,
    #[default]
    Other,
}

impl Operation {
    pub const ALL: [Self; 5] = [Self::Create, Self::Update, Self::Delete, Self::Connect, Self::Other];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "CREATE",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
            Self::Connect => "CONNECT",
            Self::Other => "OTHER",
        }
    }
}

/// What became of a review: the metric's label and the log's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Decision {
    /// Looked at, nothing to say.
    Allowed,
    Patched,
    Warned,
    Denied,
    /// No policy matches.
    Unmatched,
    /// An exemption or a Pod of the node itself.
    Exempt,
    /// Not ours to judge: another kind, sub-resource or operation, no object, an object on its way out.
    Ignored,
    /// What its namespace is held to is not known yet.
    Deferred,
    /// A known kind that does not decode, or a fault of ours.
    Failed,
    /// No review at all.
    Invalid,
}

impl Decision {
    pub const ALL: [Self; 10] = [
        Self::Allowed,
        Self::Patched,
        Self::Warned,
        Self::Denied,
        Self::Unmatched,
        Self::Exempt,
        Self::Ignored,
        Self::Deferred,
        Self::Failed,
        Self::Invalid,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Patched => "patched",
            Self::Warned => "warned",
            Self::Denied => "denied",
            Self::Unmatched => "unmatched",
            Self::Exempt => "exempt",
            Self::Ignored => "ignored",
            Self::Deferred => "deferred",
            Self::Failed => "failed",
            Self::Invalid => "invalid",
        }
    }
}

/// An HTTP answer, and what is counted and logged of it.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
    pub record: Record,
}

/// What the log line and the metrics say of a review: names, rules and reasons only.
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
    /// Each with its reason.
    pub findings: Vec<(Rule, Mode, &'static str)>,
    pub injections: SmallVec<[Rule; 16]>,
    pub skips: SmallVec<[(Rule, SkipReason); 16]>,
    /// The denial, the warnings or the failure, on one line.
    pub message: String,
}

/// What a review is judged under.
#[derive(Clone, Copy)]
pub struct Settings<'s> {
    pub rulebook: &'s Rulebook,
    pub today: Date,
}

/// Answers one review.
pub fn answer(phase: Phase, body: &[u8], settings: &Settings<'_>) -> Answer {
    let text = match simdutf8::compat::from_utf8(body) {
        Ok(text) => text,
        Err(error) => return invalid(phase, &error.to_string()),
    };
    if let Some(Lean { body, injected }) = lean::lean(text)
        && let Ok(answer) = judge(phase, &body, injected, settings)
    {
        return answer;
    }
    judge(phase, text, None, settings).unwrap_or_else(|unread| unread)
}

/// An error is the answer to a body that does not decode, or whose record was not the Pod's.
#[expect(clippy::result_large_err, reason = "both are answers, and one is made per review")]
fn judge<'b>(
    phase: Phase,
    body: &'b str,
    injected: Option<Injected<'b>>,
    settings: &Settings<'_>,
) -> Result<Answer, Answer> {
    let choose = |head: &Head<'_>| {
        let scope = Scope::of(phase, head).ok_or(Decision::Ignored)?;
        let is_open = head.namespace.is_empty() || settings.rulebook.at(&head.namespace).may_match();
        if is_open { Ok(scope) } else { Err(Decision::Unmatched) }
    };
    let (head, reading) = head::read(body, &choose).map_err(|why| invalid(phase, &why))?;
    let (scope, object, old_object) = match reading {
        Reading::Settled(decision) => return Ok(Response::allowed(phase, &head, decision)),
        Reading::Whole { object: None, .. } => {
            return Ok(Response::allowed(phase, &head, Decision::Ignored));
        }
        Reading::Whole { scope, object: Some(object), old_object } => (scope, object, old_object),
        Reading::Broken { scope, error } => {
            let why = format!("the {} does not decode: {}", scope.kind.as_str(), head::without_value(&error));
            return Err(failure(phase, &head, &why));
        }
    };
    if let Some(decision) = spared(&head, &object) {
        return Ok(Response::allowed(phase, &head, decision));
    }
    // API servers before 1.24 leave it to the object.
    let of_object = object.metadata.namespace.as_ref().map_or("", |namespace| namespace.as_str());
    let namespace = if head.namespace.is_empty() { of_object } else { &head.namespace };
    let here = settings.rulebook.at(namespace);
    if phase == Phase::Validate && here.is_unknown() {
        return Ok(deferred(phase, &head, namespace));
    }
    let in_force = here.in_force(&object.pod_metadata().labels);
    let pod = match injected {
        None => Pod::read(&object),
        // The only record of the body was this Pod's.
        Some(injected) if object.pod_metadata().annotation(INJECTED) == Some("") => Pod::with_record(&object, injected),
        Some(_) => return Err(failure(phase, &head, "the record is not the Pod's")),
    };
    Ok(match phase {
        Phase::Mutate => mutation(&head, &review(&in_force, &pod, settings.today), &pod),
        Phase::Validate => validation(&head, scope, &pod, old_object, &in_force, settings.today),
    })
}

/// The answer to a panic while judging: the uid is read again, since nothing of the first try is left.
pub fn fault(phase: Phase, body: &[u8]) -> Answer {
    let text = std::str::from_utf8(body).map_err(|error| error.to_string());
    match text.and_then(|text| head::read(text, &|_| Err(Decision::Failed))) {
        Ok((head, _)) => failure(phase, &head, "podfit failed while judging; this is a bug"),
        Err(why) => invalid(phase, &why),
    }
}

/// What of a request is judged.
#[derive(Clone, Copy)]
pub struct Scope {
    kind: Kind,
    /// None: all.
    only: Option<&'static [Rule]>,
}

impl Scope {
    /// Nothing for what is not ours: deletion, status, scale, bindings, other kinds.
    fn of(phase: Phase, head: &Head<'_>) -> Option<Self> {
        let kind = Kind::of(&head.group, &head.kind)?;
        let all = Self { kind, only: None };
        let of_update = Self { kind, only: Some(&[Rule::ResourceLimits, Rule::ImageTag]) };
        match (phase, kind, head.operation, head.sub_resource.as_ref()) {
            (_, Kind::Pod, Operation::Create, "") => Some(all),
            (Phase::Mutate, ..) => None,
            (_, Kind::Pod, Operation::Update, "ephemeralcontainers") => {
                Some(Self { kind, only: Some(&[Rule::ImageTag]) })
            }
            (_, Kind::Pod, Operation::Update, "resize") => Some(Self { kind, only: Some(&[Rule::ResourceLimits]) }),
            (_, _, Operation::Update, "") => Some(of_update),
            (_, _, Operation::Create, "") => Some(all),
            _ => None,
        }
    }

    /// Drops what this request is not judged for, and gives each finding the mode of the answer.
    fn narrow(self, verdict: &mut Verdict<'_>, object: &Workload<'_>) {
        verdict.findings.retain_mut(|finding| {
            finding.mode = admission_mode(finding, object);
            finding.mode != Mode::Disabled && self.only.is_none_or(|rules| rules.contains(&finding.rule))
        });
    }
}

/// The mode of a finding in an admission answer. An injection that is missing in the final Pod may be our own outage, so it is
/// audited; a missing limit stays what the policy says, although a default would have repaired it.
pub fn admission_mode(finding: &Finding<'_>, object: &Workload<'_>) -> Mode {
    if object.kind.is_template() {
        return if finding.mode == Mode::Inject { Mode::Disabled } else { finding.mode.min(finding.templates) };
    }
    match (finding.mode, finding.policy_mode) {
        (Mode::Inject, Mode::Inject) => Mode::Audit,
        (Mode::Inject, policy_mode) => fitting::spared(policy_mode, object),
        (mode, _) => mode,
    }
}

/// Objects that are never judged, whatever they hold.
fn spared(head: &Head<'_>, object: &Workload<'_>) -> Option<Decision> {
    let metadata = &object.metadata;
    if object.is_mirror() && head.is_node() {
        return Some(Decision::Exempt);
    }
    let is_owned = object.kind.is_template() && metadata.controller_kind().is_some();
    (metadata.deletion.0 || is_owned).then_some(Decision::Ignored)
}

/// Keeps what is new since the old object; an old object that is missing or does not decode cannot be compared with.
fn ratchet<'a>(
    verdict: &mut Verdict<'_>,
    old: Option<&'a RawValue>,
    new: &Workload<'a>,
    in_force: &InForce<'_>,
    today: Date,
) -> Result<(), &'static str> {
    let old = old.ok_or("an UPDATE without oldObject cannot be compared, so it is allowed")?;
    let old = Workload::decode(new.kind, old.get());
    let mut old = old.map_err(|_| "oldObject does not decode, so the UPDATE is allowed")?;
    old.take_labels_of(new);
    let pod = Pod::read(&old);
    verdict.new_since(&review(in_force, &pod, today));
    Ok(())
}

fn mutation(head: &Head<'_>, verdict: &Verdict<'_>, pod: &Pod<'_>) -> Answer {
    let patch = patch::to_json(verdict, pod);
    let decision = if patch.is_none() { undisturbed(verdict) } else { Decision::Patched };
    let mut response = Response::new(Phase::Mutate, head, decision);
    response.patch = patch;
    response.warnings = warnings_of_wishes(verdict);
    let mut answer = response.write();
    answer.record.injections = verdict.findings.iter().filter(|f| f.mode == Mode::Inject).map(|f| f.rule).collect();
    answer.record.skips = verdict.skips.iter().map(|skip| (skip.rule, skip.reason)).collect();
    answer
}

fn validation<'a>(
    head: &Head<'_>,
    scope: Scope,
    pod: &'a Pod<'a>,
    old_object: Option<&RawValue>,
    in_force: &InForce<'a>,
    today: Date,
) -> Answer {
    let mut verdict = review(in_force, pod, today);
    scope.narrow(&mut verdict, pod.workload);
    if head.operation == Operation::Update
        && !verdict.findings.is_empty()
        && let Err(why) = ratchet(&mut verdict, old_object, pod.workload, in_force, today)
    {
        return Response::allowed(Phase::Validate, head, Decision::Failed).saying(why);
    }
    let mut warnings = if scope.only.is_none() { warnings_of_wishes(&verdict) } else { Vec::new() };
    if head.sub_resource == "resize" {
        warnings.extend(warnings_of_resize(old_object, pod));
    }
    told(head, pod.workload, &verdict, warnings)
}

/// `others`: warnings beside those of the findings.
fn told(head: &Head<'_>, object: &Workload<'_>, verdict: &Verdict<'_>, others: Vec<String>) -> Answer {
    let of = |mode| verdict.findings.iter().filter(move |finding| finding.mode == mode);
    let brief = |finding: &Finding<'_>| response::in_brief(finding, object);
    let mut warnings: Vec<String> = of(Mode::Warn).take(response::MAX_WARNINGS).map(brief).collect();
    warnings.extend(others);
    let denied: Vec<&Finding<'_>> = of(Mode::Deny).collect();
    let decision = match (denied.is_empty(), warnings.is_empty()) {
        (false, _) => Decision::Denied,
        (true, false) => Decision::Warned,
        (true, true) => undisturbed(verdict),
    };
    let mut response = Response::new(Phase::Validate, head, decision);
    response.name = Some(object.name());
    response.denial = (!denied.is_empty()).then(|| response::Denial::of(&denied, object));
    response.warnings = warnings;
    response.audit = response::audit_annotations(verdict);
    let mut answer = response.write();
    let recorded = verdict.findings.iter().map(|finding| (finding.rule, finding.mode, finding.reason));
    answer.record.findings = recorded.collect();
    answer
}

/// The decision where nothing was done.
fn undisturbed(verdict: &Verdict<'_>) -> Decision {
    match (verdict.matched, verdict.exempted.is_empty()) {
        (false, _) => Decision::Unmatched,
        (true, false) => Decision::Exempt,
        (true, true) => Decision::Allowed,
    }
}

/// What the user asked for by annotation and did not get, and what could not be read of it.
fn warnings_of_wishes(verdict: &Verdict<'_>) -> Vec<String> {
    let skips = verdict.skips.iter().filter(|skip| skip.is_warning());
    let skips = skips
        .map(|skip| format!("container {:?} gets no {}: {skip} [{}]", skip.container, skip.subject, skip.rule.id()));
    verdict.notes.iter().cloned().chain(skips).collect()
}

/// Without an old object there is nothing to compare with, and nothing to warn of.
fn warnings_of_resize(old: Option<&RawValue>, pod: &Pod<'_>) -> Vec<String> {
    let old = old.and_then(|old| Workload::decode(Kind::Pod, old.get()).ok());
    old.map(|old| resize::warnings(&old, pod)).unwrap_or_default()
}

/// `/mutate` allows without a patch; `/validate` fails, so that the installed failurePolicy decides.
fn failure(phase: Phase, head: &Head<'_>, why: &str) -> Answer {
    match phase {
        Phase::Mutate => Response::allowed(phase, head, Decision::Failed).saying(why),
        Phase::Validate => {
            let mut answer = Response::allowed(phase, head, Decision::Failed).saying(why);
            answer.status = 500;
            answer.body = response::status_body(500, "InternalError", why);
            answer
        }
    }
}

/// The API server asks again; who watches the namespaces hears of a new one within moments.
fn deferred(phase: Phase, head: &Head<'_>, namespace: &str) -> Answer {
    let why = format!("the labels of namespace {namespace:?} are not known yet, and a policy selects by them");
    let mut answer = Response::allowed(phase, head, Decision::Deferred).saying(why.as_str());
    answer.status = 503;
    answer.body = response::status_body(503, "ServiceUnavailable", &why);
    answer
}

fn invalid(phase: Phase, why: &str) -> Answer {
    let message = format!("this is no AdmissionReview of admission.k8s.io/v1: {why}");
    Answer {
        status: 400,
        body: response::status_body(400, "BadRequest", &message),
        record: Record::invalid(phase, message),
    }
}

impl Record {
    fn invalid(phase: Phase, message: String) -> Self {
        Self {
            phase,
            operation: Operation::Other,
            decision: Decision::Invalid,
            uid: String::new(),
            namespace: String::new(),
            name: String::new(),
            kind: String::new(),
            user: String::new(),
            findings: Vec::new(),
            injections: SmallVec::new(),
            skips: SmallVec::new(),
            message,
        }
    }
}

impl Answer {
    fn saying(mut self, message: impl Into<String>) -> Self {
        self.record.message = message.into();
        self
    }
}
