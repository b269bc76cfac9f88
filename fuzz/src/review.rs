//! Bodies of `/mutate` and `/validate`: what the API server asks of an answer (its own words: `VerifyAdmissionResponse`), and
//! what the contract does.

use std::{collections::BTreeMap, sync::LazyLock};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use podfit::{
    admission::{Answer, Decision, Phase, Settings, answer, fault},
    policy::{DEFAULT_POLICY, Rulebook},
};
use serde_json::Value;

use super::{EVERYTHING, TODAY, policies, strict};

/// The embedded policy, and one under which every rule has something to say everywhere.
static RULEBOOKS: LazyLock<[Rulebook; 2]> =
    LazyLock::new(|| [DEFAULT_POLICY, EVERYTHING].map(|text| Rulebook::unwatched(policies(text))));

/// # Panics
/// Where an answer breaks a promise.
pub fn check(body: &[u8]) {
    for rulebook in RULEBOOKS.iter() {
        check_under(rulebook, body);
    }
    if asks_for_a_malformed_pod(body) {
        let [_, everything] = &*RULEBOOKS;
        assert_ne!(ask(Phase::Validate, body, everything).status, 200, "allowed although it does not decode");
    }
    for phase in [Phase::Mutate, Phase::Validate] {
        let fault = fault(phase, body);
        assert!(response(phase, &fault).is_none_or(|response| phase == Phase::Mutate && response["allowed"] == true));
    }
}

/// # Panics
/// Where an answer under these policies breaks a promise.
pub fn check_under(rulebook: &Rulebook, body: &[u8]) {
    let mutated = ask(Phase::Mutate, body, rulebook);
    let validated = ask(Phase::Validate, body, rulebook);
    check_other_reader(Phase::Mutate, body, rulebook, &mutated);
    check_other_reader(Phase::Validate, body, rulebook, &validated);
    assert!(matches!(mutated.status, 200 | 400), "mutate: {}", mutated.status);
    // Where the head settles the answer, what stands behind it is not read, and may be anything.
    let is_settled = matches!(mutated.record.decision, Decision::Ignored | Decision::Unmatched);
    assert!(is_settled || (mutated.status == 400) == (validated.status == 400), "both read the same head");
    assert!(mutated.status == 200 || validated.status == 400, "both read the same head");
    if let Some(response) = response(Phase::Validate, &validated) {
        assert_eq!(response.get("patch"), None, "validate never patches");
        check_verdict(&response);
    }
    let Some(response) = response(Phase::Mutate, &mutated) else { return };
    assert_eq!(response["allowed"], true, "mutate never denies");
    let Some(operations) = patch_in(&response) else { return };
    assert!(!operations.is_empty(), "a patch of nothing");
    // What nests deeper than `Value` goes has no tree to compare.
    let Ok(mut review) = serde_json::from_slice::<Value>(body) else { return };
    let patched = check_patch(&review["request"]["object"], &operations);
    review["request"]["object"] = patched;
    let again = ask(Phase::Mutate, review.to_string().as_bytes(), rulebook);
    let again = self::response(Phase::Mutate, &again).expect("a patched review is a review");
    assert_eq!(patch_in(&again), None, "a second review finds something to patch");
}

/// A space in front leaves the body to `serde_json`, whose answer must be that of the reader of compact JSON.
fn check_other_reader(phase: Phase, body: &[u8], rulebook: &Rulebook, answer: &Answer) {
    let other = ask(phase, &[b" ", body].concat(), rulebook);
    assert_eq!((other.status, other.record.decision), (answer.status, answer.record.decision));
    // What does not decode is told with its column.
    if !matches!(answer.record.decision, Decision::Failed | Decision::Invalid) {
        assert_eq!(String::from_utf8_lossy(&other.body), String::from_utf8_lossy(&answer.body));
        assert_eq!(format!("{:?}", other.record), format!("{:?}", answer.record));
    }
}

fn ask(phase: Phase, body: &[u8], rulebook: &Rulebook) -> Answer {
    answer(phase, body, &Settings { rulebook, today: TODAY })
}

/// The response of a review that was answered; any other body is a `Status`.
fn response(phase: Phase, answer: &Answer) -> Option<Value> {
    let mut body: Value = serde_json::from_slice(&answer.body).expect("an answer is JSON");
    if answer.status != 200 {
        assert!(answer.status == 400 || (answer.status, phase) == (500, Phase::Validate), "status {}", answer.status);
        assert_eq!((&body["kind"], &body["code"]), (&"Status".into(), &answer.status.into()));
        return None;
    }
    assert_eq!((&body["apiVersion"], &body["kind"]), (&"admission.k8s.io/v1".into(), &"AdmissionReview".into()));
    let response = body["response"].take();
    assert_eq!(response["uid"], answer.record.uid);
    assert_ne!(response["uid"], "", "no uid");
    assert_eq!(response.get("patch").is_some(), response.get("patchType").is_some());
    for warning in response["warnings"].as_array().into_iter().flatten() {
        let warning = warning.as_str().expect("a warning is text");
        assert!(warning.chars().count() <= 256 && !warning.contains(char::is_control), "{warning:?}");
    }
    Some(response)
}

fn check_verdict(response: &Value) {
    let status = &response["status"];
    match &response["allowed"] {
        Value::Bool(true) => {}
        Value::Bool(false) => {
            let message = status["message"].as_str().expect("a denial says why");
            assert_eq!((&status["code"], &status["reason"]), (&403.into(), &"Forbidden".into()));
            assert!(!message.is_empty() && message.len() <= 2_000, "{} bytes", message.len());
            assert!(!message.contains(char::is_control), "{message:?}");
        }
        other => panic!("allowed: {other}"),
    }
}

fn patch_in(response: &Value) -> Option<Vec<Value>> {
    let patch = response.get("patch")?;
    assert_eq!(response["patchType"], "JSONPatch");
    let bytes = STANDARD.decode(patch.as_str().expect("a patch is text")).expect("a patch is base64");
    Some(serde_json::from_slice(&bytes).expect("a patch is a list"))
}

/// The object with its patch, by the API server's library and by the strict one, which keep what the user wrote.
fn check_patch(object: &Value, operations: &[Value]) -> Value {
    let patch: json_patch::Patch = serde_json::from_value(operations.into()).expect("a patch is JSON Patch");
    let mut patched = object.clone();
    json_patch::patch(&mut patched, &patch).expect("a patch applies");
    let applied = strict::apply(object, operations).unwrap_or_else(|why| panic!("{why}"));
    assert_eq!(applied.tree, patched);
    // As text: the order of keys counts.
    assert_eq!(applied.undone().to_string(), object.to_string(), "what the user wrote stays");
    for list in ["initContainers", "containers", "ephemeralContainers"] {
        let before = object["spec"][list].as_array().into_iter().flatten();
        let after = patched["spec"][list].as_array().into_iter().flatten();
        before.zip(after).for_each(|(before, after)| check_names(&names(before), &names(after)));
    }
    patched
}

fn names(container: &Value) -> BTreeMap<&str, usize> {
    let mut names = BTreeMap::new();
    for variable in container["env"].as_array().into_iter().flatten() {
        *names.entry(variable["name"].as_str().unwrap_or_default()).or_default() += 1;
    }
    names
}

fn check_names(before: &BTreeMap<&str, usize>, after: &BTreeMap<&str, usize>) {
    for (name, count) in after {
        assert!(before.get(name) == Some(count) || (!before.contains_key(name) && *count == 1), "{name} twice");
    }
}

/// Whether a body asks for a new Pod whose fields have types that podfit cannot read. Told from the tree, by nothing of
/// podfit's own: such a Pod must never be allowed by accident.
fn asks_for_a_malformed_pod(body: &[u8]) -> bool {
    let Ok(review) = serde_json::from_slice::<Value>(body) else { return false };
    let request = &review["request"];
    let is_empty = |value: &Value| value.is_null() || value == "";
    let asks_for_a_pod = request["kind"]["kind"] == "Pod"
        && is_empty(&request["kind"]["group"])
        && request["operation"] == "CREATE"
        && is_empty(&request["subResource"])
        && !request["object"].is_null();
    asks_for_a_pod && !is_readable_pod(&request["object"])
}

fn is_readable_pod(pod: &Value) -> bool {
    let spec = &pod["spec"];
    is_map(pod)
        && is_map(&pod["metadata"])
        && is_map(&pod["metadata"]["annotations"])
        && is_map(spec)
        && ["initContainers", "containers", "ephemeralContainers"].iter().all(|list| {
            is_list(&spec[*list]) && spec[*list].as_array().into_iter().flatten().all(is_readable_container)
        })
}

fn is_readable_container(container: &Value) -> bool {
    let resources = &container["resources"];
    is_map(container)
        && is_text(&container["name"])
        && is_text(&container["image"])
        && is_map(resources)
        && is_map(&resources["limits"])
        && is_text(&resources["limits"]["cpu"])
        && is_text(&resources["limits"]["memory"])
        && is_list(&container["env"])
        && container["env"]
            .as_array()
            .into_iter()
            .flatten()
            .all(|variable| is_map(variable) && is_text(&variable["name"]))
}

fn is_map(value: &Value) -> bool {
    value.is_object() || value.is_null()
}

fn is_list(value: &Value) -> bool {
    value.is_array() || value.is_null()
}

/// Numbers too, as people write them.
fn is_text(value: &Value) -> bool {
    value.is_string() || value.is_number() || value.is_null()
}
