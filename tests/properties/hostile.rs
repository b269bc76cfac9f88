//! Bodies of the worst shapes, as large as the server takes them. `bounds.rs` has the library judge them, `tests/soak` the server.

use serde_json::{Value, json};

use super::request::{request, review_body};

/// The server's own bound on a body.
pub const LARGEST: usize = 8 << 20;
/// With room for what stands around it.
const MUCH: usize = LARGEST - (32 << 10);

pub fn bodies() -> Vec<(&'static str, Vec<u8>)> {
    let texts = texts().into_iter().map(|(name, text)| (name, text.into_bytes()));
    let secret = around(&format!(r#"{{"metadata":{{"name":"{}"}}}}"#, "x".repeat(LARGEST / 2)));
    let at = secret.len() / 2;
    texts
        .chain([
            ("no UTF-8", vec![0xff; LARGEST]),
            ("no UTF-8 in a name", [&secret.as_bytes()[..at], b"\xff", &secret.as_bytes()[at..]].concat()),
        ])
        .collect()
}

fn texts() -> Vec<(&'static str, String)> {
    let filled = |open: &str, element: &str, close: &str| {
        let count = (MUCH - open.len() - close.len()) / (element.len() + 1);
        format!("{open}{}{close}", vec![element; count].join(","))
    };
    let annotated = |key: &str, value: &str| with_metadata(&json!({"annotations": {key: value}}));
    vec![
        ("open lists", "[".repeat(MUCH)),
        ("open maps", r#"{"a":"#.repeat(MUCH / 5)),
        ("open lists in the object", around(&format!(r#"{{"spec":{}"#, "[".repeat(MUCH)))),
        ("open lists in an unread field", around(&format!(r#"{{"x":{}"#, "[".repeat(MUCH)))),
        ("a million nulls", around(&filled(r#"{"spec":{"containers":["#, "null", "]}}"))),
        ("a million nulls in an unread field", around(&filled(r#"{"x":["#, "null", "]}"))),
        ("10,000 containers", pod_with(&vec![json!({"name": "a"}); 10_000])),
        ("10,001 containers", pod_with(&vec![json!({"name": "a"}); 10_001])),
        ("1,000 containers", pod_with(&named_containers(1_000))),
        ("10,000 containers before and after", update_of(&named_containers(10_000))),
        ("100,001 env entries", pod_with(&[json!({"name": "a", "env": vec![json!({"name": "A"}); 100_001]})])),
        ("99,000 env entries", pod_with(&[json!({"name": "a", "env": vec![json!({"name": "GOMAXPROCS"}); 99_000]})])),
        ("99,000 env sources", pod_with(&[json!({"name": "a", "envFrom": vec![json!({"prefix": "GO_"}); 99_000]})])),
        ("mounts times volumes", mounts_times_volumes(40_000)),
        ("a long name", pod_with(&[json!({"name": "\"".repeat(MUCH / 2)})])),
        ("a long image", pod_with(&[json!({"name": "a", "image": "a/".repeat(MUCH / 2)})])),
        ("a long quantity", pod_with(&[json!({"name": "a", "resources": {"limits": {"cpu": "9".repeat(1 << 20)}}})])),
        (
            "a long exponent",
            pod_with(&[json!({"name": "a", "resources": {"limits": {"cpu": format!("1e{}", "9".repeat(1 << 20))}}})]),
        ),
        (
            "a long key, twice",
            around(&format!(r#"{{"metadata":{{"labels":{{"{0}":"","{0}":""}}}}}}"#, "k".repeat(MUCH / 2))),
        ),
        ("a long text in place of a list", around(&format!(r#"{{"spec":{{"containers":"{}"}}}}"#, "t".repeat(MUCH)))),
        ("a long annotation", annotated("podfit.dev/injected", &"[".repeat(MUCH))),
        ("many wishes for nobody", annotated("podfit.dev/skip", &"nobody=all,".repeat(MUCH / 11))),
        ("many wishes", annotated("podfit.dev/skip", &"GOMAXPROCZ,".repeat(MUCH / 11))),
        ("many wishes that nobody knows", annotated("podfit.dev/runtimes", &"x,".repeat(MUCH / 2))),
        ("10,000 containers and many annotations", many_annotations(10_000, 80_000)),
        ("1,000 containers and many annotations", many_annotations(1_000, 20_000)),
        ("repeated keys", around(&filled("{", r#""spec":{}"#, "}"))),
        ("repeated unread keys", around(&filled("{", r#""x":{}"#, "}"))),
        (
            "a long uid",
            format!(
                r#"{{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{{"uid":"{}""#,
                "u".repeat(MUCH)
            ),
        ),
        ("white space", " ".repeat(LARGEST)),
        ("a long name of escapes", around(&filled_text(r#"{"spec":{"containers":[{"name":""#, r"\u0041", r#""}]}}"#))),
        (
            "a long bare number",
            around(&filled_text(r#"{"spec":{"containers":[{"resources":{"limits":{"cpu":"#, "9", "}}}]}}")),
        ),
        ("open lists in the labels", around(&filled_text(r#"{"metadata":{"labels":{"a":"#, "[", "}}}"))),
        ("many labels", around(&numbered(r#"{"metadata":{"labels":{"#, r#":"""#, "}}}"))),
        ("many annotations", around(&numbered(r#"{"metadata":{"annotations":{"#, r#":"""#, "}}}"))),
        ("many unknown keys", around(&numbered(r#"{"spec":{"containers":[{"#, ":0", "}]}}"))),
        (
            "many groups",
            pod_with(&[json!({"name": "a"})]).replace(r#""system:authenticated""#, &vec![r#""g""#; MUCH / 4].join(",")),
        ),
        ("a long user", pod_with(&[json!({"name": "a"})]).replace(r#""ann""#, &format!("\"{}\"", "u".repeat(MUCH)))),
    ]
}

/// Of one text again and again.
fn filled_text(open: &str, text: &str, close: &str) -> String {
    format!("{open}{}{close}", text.repeat((MUCH - open.len() - close.len()) / text.len()))
}

/// Of keys that differ, with the same value.
fn numbered(open: &str, value: &str, close: &str) -> String {
    let count = MUCH / (10 + value.len());
    let keys: Vec<_> = (0..count).map(|index| format!("\"{index:07}\"{value}")).collect();
    format!("{open}{}{close}", keys.join(","))
}

/// About a Pod.
fn review(operation: &str, object: &Value, old_object: &Value) -> String {
    let request = request("", "Pod", operation, object, old_object);
    review_body(&request).to_string()
}

/// A review whose object is any text.
fn around(object: &str) -> String {
    review("CREATE", &json!("OBJECT"), &Value::Null).replacen(r#""OBJECT""#, object, 1)
}

fn pod_with(containers: &[Value]) -> String {
    review("CREATE", &json!({"metadata": {}, "spec": {"containers": containers}}), &Value::Null)
}

fn with_metadata(metadata: &Value) -> String {
    let containers = named_containers(100);
    let object = json!({"metadata": metadata, "spec": {"containers": containers}});
    review("CREATE", &object, &Value::Null)
}

fn named_containers(count: usize) -> Vec<Value> {
    (0..count).map(|index| json!({"name": format!("container-{index}"), "image": format!("app-{index}")})).collect()
}

fn update_of(containers: &[Value]) -> String {
    let object = json!({"metadata": {}, "spec": {"containers": containers}});
    review("UPDATE", &object, &object)
}

fn mounts_times_volumes(count: usize) -> String {
    let names = || (0..count).map(|index| format!("volume-{index}"));
    let volumes: Vec<_> = names().map(|name| json!({"name": name, "emptyDir": {"medium": "Memory"}})).collect();
    let mounts: Vec<_> = names().map(|name| json!({"name": name})).collect();
    let limits = json!({"limits": {"cpu": "1", "memory": "1Gi"}});
    let container = json!({"name": "a", "resources": limits, "volumeMounts": mounts});
    let object = json!({"metadata": {}, "spec": {"volumes": volumes, "containers": [container]}});
    review("CREATE", &object, &Value::Null)
}

fn many_annotations(containers: usize, count: usize) -> String {
    let annotations: Value =
        (0..count).map(|index| (format!("instrumentation.opentelemetry.io/inject-{index}"), json!("x"))).collect();
    let object =
        json!({"metadata": {"annotations": annotations}, "spec": {"containers": named_containers(containers)}});
    review("CREATE", &object, &Value::Null)
}
