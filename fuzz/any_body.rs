//! What must hold of the answers to any body at all. The fuzz target calls this for hours, `tests/fuzz.rs` for a second.

use std::sync::LazyLock;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::civil::date;
use podfit::{
    admission::{Answer, Phase, Settings, answer},
    manifest,
    policy::{DEFAULT_POLICY, PolicySet, Rulebook, compile},
};
use serde_json::Value;

/// # Panics
/// Where an answer is not what kube-apiserver takes, a patch does not apply, or a second review finds more to patch.
pub fn check(body: &[u8]) {
    let mutated = review(Phase::Mutate, body);
    let validated = review(Phase::Validate, body);
    assert!(matches!(mutated.status, 200 | 400), "mutate: {}", mutated.status);
    assert!(matches!(validated.status, 200 | 400 | 500), "validate: {}", validated.status);
    assert_eq!(mutated.status == 400, validated.status == 400, "both read the same head");
    let uid = &mutated.record.uid;
    if let Some(response) = response(&validated, uid) {
        assert_eq!(response.get("patch"), None, "validate never patches");
    }
    let Some(response) = response(&mutated, uid) else { return };
    assert_eq!(response["allowed"], true, "mutate never denies");
    if let Some(patch) = response.get("patch") {
        assert_eq!(response["patchType"], "JSONPatch");
        if let Some(patched) = patched(body, patch) {
            let again = review(Phase::Mutate, patched.to_string().as_bytes());
            let answer: Value = serde_json::from_slice(&again.body).expect("an answer is JSON");
            assert_eq!(answer["response"].get("patch"), None, "a second review finds nothing to patch");
        }
    }
}

fn review(phase: Phase, body: &[u8]) -> Answer {
    answer(phase, body, &Settings { rulebook: &RULEBOOK, today: date(2026, 6, 1) })
}

/// The response of a review that was answered; any other body is a `Status`.
fn response(answer: &Answer, uid: &str) -> Option<Value> {
    let mut body: Value = serde_json::from_slice(&answer.body).expect("an answer is JSON");
    if answer.status != 200 {
        assert_eq!(body["kind"], "Status");
        return None;
    }
    assert_eq!((&body["apiVersion"], &body["kind"]), (&"admission.k8s.io/v1".into(), &"AdmissionReview".into()));
    assert_eq!(body["response"]["uid"], uid);
    Some(body["response"].take())
}

/// The review with its patch applied, as kube-apiserver applies it; nothing where the body nests deeper than `Value` goes.
fn patched(body: &[u8], patch: &Value) -> Option<Value> {
    let mut review: Value = serde_json::from_slice(body).ok()?;
    let patch = STANDARD.decode(patch.as_str().expect("a patch is text")).expect("a patch is base64");
    let patch: json_patch::Patch = serde_json::from_slice(&patch).expect("a patch is JSON Patch");
    json_patch::patch(&mut review["request"]["object"], &patch).expect("a patch applies");
    Some(review)
}

static RULEBOOK: LazyLock<Rulebook> = LazyLock::new(|| {
    let policies = manifest::read(DEFAULT_POLICY).into_iter().map(|document| {
        let document = document.expect("the default policy is YAML");
        compile(&document.node).expect("the default policy compiles")
    });
    Rulebook::unwatched(PolicySet::new(policies.collect()).expect("one policy has one name"))
});
