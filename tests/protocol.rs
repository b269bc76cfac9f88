//! The AdmissionReview envelope, whatever a Pod says: what is no review, what is not ours, what does not decode, how a denial
//! and its warnings look, and bounds. Judgements themselves stand in `tests/cases/`.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::{Duration, Instant};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::civil::date;
use podfit::{
    admission::{self, Answer, Decision, Phase, Settings},
    manifest, policies,
    policy::{self, PolicySet, Rulebook},
};
use serde_json::{Map, Value, json};

const PHASES: [Phase; 2] = [Phase::Mutate, Phase::Validate];
const UID: &str = "705ab4f5-6393-11e8-b7cc-42010a800002";

#[test]
fn what_is_no_review_is_a_bad_request() {
    let pod = careless();
    let without = |key: &str| {
        let mut review = review_of(&pod);
        review["request"].as_object_mut().unwrap().shift_remove(key);
        review.to_string()
    };
    let with = |pointer: &str, value: Value| {
        let mut review = review_of(&pod);
        *review.pointer_mut(pointer).unwrap() = value;
        review.to_string()
    };
    let whole = review_of(&pod).to_string();
    let rows: Vec<(&str, Vec<u8>)> = vec![
        ("nothing", Vec::new()),
        ("blanks", b" \n".to_vec()),
        ("no JSON", b"kind: AdmissionReview".to_vec()),
        ("no UTF-8", b"{\"kind\":\"\xff\"}".to_vec()),
        ("a list", b"[]".to_vec()),
        ("null", b"null".to_vec()),
        ("nothing inside", b"{}".to_vec()),
        ("another version", with("/apiVersion", json!("admission.k8s.io/v2")).into()),
        ("the beta version", with("/apiVersion", json!("admission.k8s.io/v1beta1")).into()),
        ("another kind", with("/kind", json!("AdmissionRequest")).into()),
        ("no request", json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}).to_string().into()),
        ("null for a request", with("/request", Value::Null).into()),
        ("a text for a request", with("/request", json!("x")).into()),
        ("an empty uid", with("/request/uid", json!("")).into()),
        ("no uid", without("uid").into()),
        ("a map for a uid", with("/request/uid", json!({})).into()),
        ("a cut head", whole[..120].into()),
        ("the uid twice", whole.replacen("\"uid\"", "\"uid\":\"other\",\"uid\"", 1).into()),
        ("the operation twice", whole.replacen("\"operation\"", "\"operation\":\"DELETE\",\"operation\"", 1).into()),
        ("the namespace twice", whole.replacen("\"namespace\"", "\"namespace\":\"x\",\"namespace\"", 1).into()),
        ("the version twice", whole.replacen("\"apiVersion\"", "\"apiVersion\":\"x\",\"apiVersion\"", 1).into()),
    ];
    for (name, body) in rows {
        for phase in PHASES {
            let answer = answer_bytes(phase, &body, &default_policies());
            assert_eq!(answer.status, 400, "{name}: {}", text(&answer));
            assert_eq!(answer.record.decision, Decision::Invalid, "{name}");
            let status = json_of(&answer);
            assert_eq!((&status["kind"], &status["code"]), (&json!("Status"), &json!(400)), "{name}");
            assert_eq!(status["reason"], "BadRequest", "{name}");
            assert_eq!(status.get("response"), None, "{name}");
        }
    }
}

#[test]
fn the_head_of_the_first_review_on_a_thread_is_read() {
    let body = review_of(&careless()).to_string();
    let answer = std::thread::spawn(move || answer(Phase::Validate, &body)).join().unwrap();
    assert_eq!((answer.status, answer.record.decision), (200, Decision::Denied));
}

#[test]
fn keys_in_any_order_mean_the_same() {
    let pod = careless();
    let review = review_of(&pod);
    let expected = text(&answer(Phase::Validate, &review.to_string()));
    assert!(expected.contains("\"allowed\":false"), "{expected}");
    let request = review["request"].as_object().unwrap();
    // Each key of the request in turn at the end, behind the object; then all reversed, then sorted.
    let mut orders: Vec<Vec<&String>> = Vec::new();
    for last in request.keys() {
        orders.push(request.keys().filter(|key| *key != last).chain([last]).collect());
    }
    orders.push(request.keys().rev().collect());
    let mut sorted: Vec<_> = request.keys().collect();
    sorted.sort();
    orders.push(sorted);
    for order in orders {
        let request: Map<String, Value> = order.iter().map(|key| ((*key).clone(), request[*key].clone())).collect();
        let reviews = [
            json!({"apiVersion": review["apiVersion"], "kind": review["kind"], "request": request}),
            json!({"request": request, "kind": review["kind"], "apiVersion": review["apiVersion"]}),
        ];
        for review in reviews {
            assert_eq!(text(&answer(Phase::Validate, &review.to_string())), expected, "{order:?}");
        }
    }
}

#[test]
fn a_late_sub_resource_or_operation_counts() {
    for (key, value) in [("subResource", "status"), ("operation", "DELETE"), ("namespace", "kube-system")] {
        let mut review = review_of(&careless());
        let request = review["request"].as_object_mut().unwrap();
        request.shift_remove(key);
        request.insert(key.into(), value.into());
        assert_allowed(&answer(Phase::Validate, &review.to_string()), key);
    }
}

/// Also where it is written in another way than kube-apiserver's, from there on.
#[test]
fn what_stands_behind_a_late_sub_resource_counts() {
    let mut review = review_of(&careless());
    review["request"]["subResource"] = json!("status");
    let review = review.to_string();
    let open = review.strip_suffix('}').unwrap();
    for (end, expected) in [("}", 200), (" }", 200), (r#","apiVersion":"v2"}"#, 400), (r#", "apiVersion":"v2"}"#, 400)]
    {
        let answer = answer(Phase::Validate, &format!("{open}{end}"));
        assert_eq!(answer.status, expected, "{end}");
    }
}

/// Before or behind all that tells what the object is: two objects could be read as either.
#[test]
fn two_objects_do_not_decode() {
    let whole = review_of(&careless()).to_string();
    let (head, object) = whole.split_at(whole.find("\"object\"").unwrap());
    let early = whole.replacen("\"uid\"", "\"object\":{},\"object\":{},\"uid\"", 1);
    let rows = [
        ("behind", format!("{head}\"object\":{{}},{object}")),
        ("before", early.clone()),
        ("old ones before", early.replace("\"object\":{}", "\"oldObject\":{}")),
    ];
    for (name, body) in rows {
        let mutate = answer(Phase::Mutate, &body);
        assert_eq!((mutate.status, mutate.record.decision), (200, Decision::Failed), "{name}");
        let validate = answer(Phase::Validate, &body);
        assert_eq!((validate.status, validate.record.decision), (500, Decision::Failed), "{name}");
    }
}

#[test]
fn the_uid_comes_back_as_it_was() {
    for uid in [UID, "a\"b\\c", "\u{1}\n\t", "é\u{1f980}", "</script>", &"x".repeat(10_000)] {
        let mut review = review_of(&careless());
        review["request"]["uid"] = json!(uid);
        for phase in PHASES {
            let answer = json_of(&answer(phase, &review.to_string()));
            assert_eq!(answer["response"]["uid"], uid);
            assert_eq!(
                (&answer["apiVersion"], &answer["kind"]),
                (&json!("admission.k8s.io/v1"), &json!("AdmissionReview"))
            );
        }
    }
}

#[test]
fn what_does_not_decode_is_decided_by_phase() {
    let rows = [
        ("a map for containers", r#"{"spec":{"containers":{}}}"#),
        ("a list", "[]"),
        ("a list for the spec", r#"{"spec":[]}"#),
        ("a list for a container", r#"{"spec":{"containers":[[]]}}"#),
        ("a text for the spec", r#"{"spec":"x"}"#),
        ("a number for annotations", r#"{"metadata":{"annotations":{"a":{}}},"spec":{}}"#),
        ("a key twice", r#"{"spec":{"containers":[{"name":"a","image":"a:1","image":"a:2"}]}}"#),
        ("the spec twice", r#"{"spec":{},"spec":{}}"#),
        ("an annotation twice", r#"{"metadata":{"annotations":{"a":"1","a":"2"}}}"#),
        (
            "more containers than the bound",
            &format!(r#"{{"spec":{{"containers":[{}]}}}}"#, vec!["{}"; 10_001].join(",")),
        ),
    ];
    for (name, object) in rows {
        let body = with_object(object);
        let mutate = answer(Phase::Mutate, &body);
        assert_eq!(mutate.record.decision, Decision::Failed, "{name}");
        assert_allowed(&mutate, name);
        let validate = answer(Phase::Validate, &body);
        assert_eq!((validate.status, validate.record.decision), (500, Decision::Failed), "{name}");
        let status = json_of(&validate);
        assert_eq!((&status["kind"], &status["code"]), (&json!("Status"), &json!(500)), "{name}");
        assert_eq!(status.get("response"), None, "{name}");
    }
}

#[test]
fn a_body_that_breaks_off_is_never_allowed_by_validate() {
    let body = review_of(&careless()).to_string();
    for end in (0..body.len()).filter(|end| body.is_char_boundary(*end)) {
        let answer = answer(Phase::Validate, &body[..end]);
        assert!(matches!(answer.status, 400 | 500), "{end}: {}", text(&answer));
    }
}

#[test]
fn what_is_not_ours_is_allowed() {
    let kind = |group: &str, kind: &str| json!({"group": group, "version": "v1", "kind": kind});
    let rows = [
        ("DELETE", json!({"operation": "DELETE", "object": null, "oldObject": careless()})),
        ("CONNECT", json!({"operation": "CONNECT", "kind": kind("", "PodExecOptions"), "subResource": "exec"})),
        ("another operation", json!({"operation": "PATCH"})),
        ("no object", json!({"object": null})),
        ("a binding", json!({"kind": kind("", "Binding"), "subResource": "binding"})),
        ("an eviction", json!({"kind": kind("policy", "Eviction"), "subResource": "eviction"})),
        ("the status", json!({"operation": "UPDATE", "subResource": "status"})),
        ("a scale", json!({"operation": "UPDATE", "kind": kind("autoscaling", "Scale"), "subResource": "scale"})),
        ("a ConfigMap", json!({"kind": kind("", "ConfigMap")})),
        ("a Pod of another group", json!({"kind": kind("example.com", "Pod")})),
        ("a Deployment of no group", json!({"kind": kind("", "Deployment")})),
        ("an ephemeral container at creation", json!({"subResource": "ephemeralcontainers"})),
    ];
    for (name, changes) in rows {
        let mut review = review_of(&careless());
        review["request"].as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        for phase in PHASES {
            let answer = answer(phase, &review.to_string());
            assert_eq!(answer.record.decision, Decision::Ignored, "{name}");
            assert_allowed(&answer, name);
        }
    }
}

#[test]
fn another_version_of_a_known_kind_is_judged() {
    let mut review = review_of(&careless());
    review["request"]["kind"]["version"] = json!("v2");
    assert_eq!(answer(Phase::Validate, &review.to_string()).record.decision, Decision::Denied);
}

#[test]
fn an_injection_that_is_missing_in_the_end_is_audited_only() {
    let pod = json!({"metadata": {"name": "web"}, "spec": {"containers": [
        {"name": "app", "image": "app:1", "resources": {"limits": {"cpu": "1", "memory": "1Gi"}}}]}});
    let response = json_of(&answer(Phase::Validate, &review_of(&pod).to_string()))["response"].clone();
    let audit = json!({"findings": "Audit:pod-identity/app Audit:runtime-sizing/app"});
    assert_eq!(response, json!({"uid": UID, "allowed": true, "auditAnnotations": audit}));
}

#[test]
fn a_denial_is_one_line_with_causes() {
    let response = json_of(&answer(Phase::Validate, &review_of(&careless()).to_string()))["response"].clone();
    let message = "(1) container \"app\" has no CPU limit; set resources.limits.cpu, such as 500m [rule resource-limits, policy default] \
         (2) container \"app\" has no memory limit; set resources.limits.memory, such as 256Mi [rule resource-limits, policy default] \
         (3) container \"app\" uses the image \"app\", which has no tag, so \"latest\" is implied; write a fixed tag or a \
         digest [rule image-tag, policy default]";
    let expected = json!({
        "uid": UID,
        "allowed": false,
        "status": {
            "status": "Failure",
            "code": 403,
            "reason": "Forbidden",
            "message": message,
            "details": {"name": "web", "kind": "Pod", "causes": [
                {"reason": "FieldValueRequired", "message": "container \"app\" has no CPU limit; set resources.limits.cpu, such as 500m", "field": "spec.containers[0].resources.limits.cpu"},
                {"reason": "FieldValueRequired", "message": "container \"app\" has no memory limit; set resources.limits.memory, such as 256Mi", "field": "spec.containers[0].resources.limits.memory"},
                {"reason": "FieldValueForbidden", "message": "container \"app\" uses the image \"app\", which has no tag, so \"latest\" is implied; write a fixed tag or a digest", "field": "spec.containers[0].image"},
            ]},
        },
        "auditAnnotations": {"findings": "Deny:resource-limits/app Deny:image-tag/app Audit:pod-identity/app"},
    });
    assert_eq!(response, expected);
}

#[test]
fn a_long_denial_names_the_first_and_counts_the_rest() {
    let policies = policies_of("{podIdentity: {mode: Deny, variables: {A: spec.nodeName}}}");
    let containers = |count: usize, name: &str| -> Value {
        (0..count).map(|index| json!({"name": format!("{name}{index}")})).collect()
    };
    let long = "n".repeat(200);
    for (name, count, prefix, end) in [
        ("all of them", 20, "", None),
        ("by number", 21, "", Some(" and 1 more")),
        ("by length", 20, long.as_str(), Some(" more")),
        ("many", 900, "", Some(" and 880 more")),
    ] {
        let pod = json!({"metadata": {"name": "web"}, "spec": {"containers": containers(count, prefix)}});
        let response =
            json_of(&answer_under(Phase::Validate, &review_of(&pod).to_string(), &policies))["response"].clone();
        let message = response["status"]["message"].as_str().unwrap();
        assert!(message.len() <= 2_000, "{name}: {} bytes", message.len());
        assert!(!message.contains(char::is_control), "{name}");
        assert_eq!(end.is_some(), message.ends_with(" more"), "{name}: {message}");
        if let Some(end) = end {
            assert!(message.ends_with(end), "{name}: {message}");
        }
        let causes = response["status"]["details"]["causes"].as_array().unwrap();
        assert_eq!(causes.len(), count.min(100), "{name}");
    }
}

#[test]
fn warnings_are_few_short_and_clean() {
    let policies = policies_of("{imageTag: {mode: Warn}, resourceLimits: {mode: Warn}}");
    let image = format!("{}\n\u{7f}\u{85}\u{1b}[31m:latest", "x".repeat(400));
    let containers: Value = (0..30).map(|index| json!({"name": format!("c{index}\n"), "image": image})).collect();
    let pod = json!({"metadata": {"name": "web"}, "spec": {"containers": containers}});
    let response = json_of(&answer_under(Phase::Validate, &review_of(&pod).to_string(), &policies))["response"].clone();
    let warnings = response["warnings"].as_array().unwrap();
    assert_eq!((response["allowed"].as_bool(), warnings.len()), (Some(true), 20));
    for warning in warnings {
        let warning = warning.as_str().unwrap();
        assert!(warning.chars().count() <= 256 && !warning.contains(char::is_control), "{warning:?}");
    }
}

#[test]
fn nothing_that_a_pod_holds_is_told() {
    let secret = "s3cr3t";
    let pod = json!({
        "metadata": {"name": "web", "labels": {"l": secret}, "annotations": {
            "a": secret, "podfit.dev/runtimes": secret, "podfit.dev/opt-in": secret, "podfit.dev/skip": secret,
            "podfit.dev/probes": secret, "podfit.dev/processes": secret, "podfit.dev/injected": secret,
        }},
        "spec": {"containers": [{
            "name": "app", "image": "app", "command": [secret], "args": [secret], "workingDir": secret,
            "env": [{"name": "PASSWORD", "value": secret}, {"name": "GOMAXPROCS", "value": secret}],
            "envFrom": [{"prefix": "X", "secretRef": {"name": secret}}],
            "resources": {"limits": {"cpu": "2"}},
        }]},
    });
    for phase in PHASES {
        let answer = answer(phase, &review_of(&pod).to_string());
        let body = json_of(&answer);
        let patch = body["response"]["patch"].as_str().map(|patch| STANDARD.decode(patch).unwrap()).unwrap_or_default();
        let record = format!("{:?}", answer.record);
        for told in [&body.to_string(), &String::from_utf8(patch).unwrap(), &record] {
            assert!(!told.contains(secret), "{told}");
        }
    }
    let undecodable = with_object(&format!(r#"{{"spec":{{"containers":"{secret}"}}}}"#));
    for phase in PHASES {
        let answer = answer(phase, &undecodable);
        assert!(!text(&answer).contains(secret), "{}", text(&answer));
        assert!(!answer.record.message.contains(secret), "{}", answer.record.message);
    }
}

#[test]
fn huge_bodies_are_judged_in_time() {
    let depth = 10_000;
    let deep = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let wide = "x".repeat(6 << 20);
    let rows = [
        ("depth where nobody reads", format!(r#"{{"metadata":{{"name":"web"}},"x":{deep},"spec":{{"y":{deep},"containers":[{{"name":"app","image":"app","z":{deep}}}]}}}}"#)),
        ("6 MiB of managedFields", format!(r#"{{"metadata":{{"name":"web","managedFields":["{wide}"]}},"spec":{{"containers":[{{"name":"app","image":"app"}}]}}}}"#)),
        ("6 MiB of an annotation", format!(r#"{{"metadata":{{"name":"web","annotations":{{"a":"{wide}"}}}},"spec":{{"containers":[{{"name":"app","image":"app"}}]}}}}"#)),
        ("an absurd quantity", r#"{"spec":{"containers":[{"name":"app","image":"app","resources":{"limits":{"cpu":"1E999999","memory":"1e40"}}}]}}"#.to_owned()),
        ("10,000 containers", format!(r#"{{"spec":{{"containers":[{}]}}}}"#, vec![r#"{"name":"a","image":"app"}"#; 10_000].join(","))),
    ];
    for (name, object) in rows {
        let body = with_object(&object);
        let start = Instant::now();
        let mutate = answer(Phase::Mutate, &body);
        assert_ne!(mutate.record.decision, Decision::Failed, "{name}: {}", mutate.record.message);
        let validate = answer(Phase::Validate, &body);
        assert_eq!(validate.record.decision, Decision::Denied, "{name}: {}", validate.record.message);
        assert!(start.elapsed() < Duration::from_secs(5), "{name}: {:?}", start.elapsed());
    }
}

#[test]
fn above_a_thousand_containers_nothing_is_injected() {
    let policies = policies_of("{podIdentity: {variables: {POD_NAME: metadata.name}}}");
    for (count, decision) in [(1_000, Decision::Patched), (1_001, Decision::Allowed)] {
        let containers: Value = (0..count).map(|index| json!({"name": format!("c{index}")})).collect();
        let pod = json!({"metadata": {"name": "web"}, "spec": {"containers": containers}});
        let answer = answer_under(Phase::Mutate, &review_of(&pod).to_string(), &policies);
        assert_eq!((answer.record.decision, answer.record.skips.len()), (decision, count % 1_000), "{count}");
    }
}

#[test]
fn the_record_is_left_out_where_annotations_would_be_too_many() {
    let policies = policies_of("{podIdentity: {variables: {POD_NAME: metadata.name}}}");
    for (bytes, operations) in [(262_000, 2), (262_144, 1)] {
        let pod = json!({"metadata": {"annotations": {"a": "x".repeat(bytes - 1)}}, "spec": {"containers": [{"name": "app"}]}});
        let answer = json_of(&answer_under(Phase::Mutate, &review_of(&pod).to_string(), &policies));
        let patch = STANDARD.decode(answer["response"]["patch"].as_str().unwrap()).unwrap();
        let patch: Vec<Value> = serde_json::from_slice(&patch).unwrap();
        assert_eq!(patch.len(), operations, "{bytes}");
    }
}

fn careless() -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}, "spec": {"containers": [{"name": "app", "image": "app"}]}})
}

/// As kube-apiserver writes it, key by key.
fn review_of(object: &Value) -> Value {
    let kind = json!({"group": "", "version": "v1", "kind": "Pod"});
    let resource = json!({"group": "", "version": "v1", "resource": "pods"});
    json!({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": {
        "uid": UID, "kind": kind, "resource": resource, "requestKind": kind, "requestResource": resource, "name": "web",
        "namespace": "shop", "operation": "CREATE", "userInfo": {"username": "ann", "groups": ["system:authenticated"]},
        "object": object, "oldObject": null, "dryRun": false, "options": {"kind": "CreateOptions"},
    }})
}

/// Text that `Value` would not hold: repeated keys, great depth.
fn with_object(object: &str) -> String {
    review_of(&json!("OBJECT")).to_string().replacen("\"OBJECT\"", object, 1)
}

fn answer(phase: Phase, body: &str) -> Answer {
    answer_under(phase, body, &default_policies())
}

fn answer_under(phase: Phase, body: &str, policies: &PolicySet) -> Answer {
    answer_bytes(phase, body.as_bytes(), policies)
}

fn answer_bytes(phase: Phase, body: &[u8], policies: &PolicySet) -> Answer {
    admission::answer(
        phase,
        body,
        &Settings { rulebook: &Rulebook::unwatched(policies.clone()), today: date(2026, 11, 22) },
    )
}

fn default_policies() -> PolicySet {
    policies::load_default().unwrap()
}

fn policies_of(spec: &str) -> PolicySet {
    let text =
        format!("{{apiVersion: podfit.dev/v1alpha1, kind: SizingPolicy, metadata: {{name: case}}, spec: {spec}}}");
    let document = manifest::read(&text).remove(0).unwrap();
    PolicySet::new(vec![policy::compile(&document.node).unwrap()]).unwrap()
}

fn text(answer: &Answer) -> String {
    String::from_utf8(answer.body.clone()).unwrap()
}

fn json_of(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.body).unwrap()
}

fn assert_allowed(answer: &Answer, name: &str) {
    assert_eq!(answer.status, 200, "{name}");
    assert_eq!(json_of(answer)["response"], json!({"uid": UID, "allowed": true}), "{name}");
}

/// A default that nobody requires is audited where it is missing, not refused: it may be our own outage.
#[test]
fn a_missing_default_that_nobody_requires_refuses_nothing() {
    let policy = "{apiVersion: podfit.dev/v1alpha1, kind: SizingPolicy, metadata: {name: case}, spec: {resourceLimits: \
                  {require: [cpu], defaults: {memory: 256Mi}, defaultRequests: {memory: 128Mi}}}}";
    let node = podfit::manifest::read(policy).remove(0).expect("YAML").node;
    let policies =
        podfit::policy::PolicySet::new(vec![podfit::policy::compile(&node).expect("a policy")]).expect("one");
    let rulebook = Rulebook::unwatched(policies);
    let settings = Settings { rulebook: &rulebook, today: date(2026, 11, 22) };
    let body = br#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"u","kind":{"group":"","kind":"Pod"},
        "namespace":"shop","operation":"CREATE","userInfo":{"username":"ann"},
        "object":{"spec":{"containers":[{"name":"app","image":"app:1","resources":{"limits":{"cpu":"1"}}}]}}}}"#;
    let answer = podfit::admission::answer(podfit::admission::Phase::Validate, body, &settings);
    let expected = r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","response":{"uid":"u","allowed":true,"auditAnnotations":{"findings":"Audit:resource-limits/app"}}}"#;
    assert_eq!(String::from_utf8_lossy(&answer.body), expected);
}
