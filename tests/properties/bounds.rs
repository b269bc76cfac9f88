//! Bodies that are meant to hurt: as large as the server takes them, of the worst shapes. Each is answered, in bounded time
//! and memory, debug build and busy machine allowed for.

use std::time::{Duration, Instant};

use podfit::{admission::Phase, manifest, policy};
use serde_json::{Value, json};

use super::{
    policies,
    world::{answer_body, request},
};

/// The server's own bound on a body.
const LARGEST: usize = 8 << 20;
const LONGEST: Duration = Duration::from_secs(20);
/// Answers do not grow with what they complain about; the longest is a patch of 1,000 containers.
const LARGEST_ANSWER: usize = 4 << 20;

#[test]
fn hostile_bodies_are_answered() {
    let policies = policies::compile(&[include_str!("../corpus/policies/everything.yaml").to_owned()]);
    for (name, body) in bodies() {
        assert!(body.len() <= LARGEST, "{name} is {} bytes long", body.len());
        for phase in [Phase::Mutate, Phase::Validate] {
            let began = Instant::now();
            let answer = answer_body(phase, body.as_bytes(), &policies);
            let (took, size) = (began.elapsed(), answer.body.len());
            assert!(took < LONGEST, "{name}: {phase:?} took {took:?}");
            assert!(size <= LARGEST_ANSWER, "{name}: {phase:?} answered {size} bytes");
            assert!(answer.record.message.len() < 10_000, "{name}: {phase:?} logs {:?}", answer.record.message);
            serde_json::from_slice::<Value>(&answer.body).unwrap();
        }
    }
    #[cfg(target_os = "linux")]
    assert!(peak_memory() < 1 << 30, "{} bytes at the peak", peak_memory());
}

#[test]
fn hostile_texts_are_read_or_refused() {
    let texts = [
        ("open lists", "[".repeat(1 << 20)),
        ("open maps", "{a: ".repeat(1 << 18)),
        ("nested list items", "- ".repeat(1 << 18)),
        ("deep block maps", lines(1_000, |depth| format!("{}a:", " ".repeat(depth)))),
        ("doubling aliases", doubling_aliases()),
        ("many documents", "---\na: 1\n".repeat(20_000)),
        ("one long line", format!("a: {}", "x".repeat(1 << 20))),
        ("many keys", lines(50_000, |index| format!("k{index}: 1"))),
        ("open quotes", "\"".repeat((1 << 18) + 1)),
    ];
    for (name, text) in texts {
        let began = Instant::now();
        for document in manifest::read(&text).into_iter().flatten() {
            drop(policy::compile(&document.node));
        }
        drop(manifest::apply(&text, &[]));
        assert!(began.elapsed() < LONGEST, "{name} took {:?}", began.elapsed());
    }
}

fn bodies() -> Vec<(&'static str, String)> {
    let much = LARGEST - (32 << 10);
    let filled = |open: &str, element: &str, close: &str| {
        let count = (much - open.len() - close.len()) / (element.len() + 1);
        format!("{open}{}{close}", vec![element; count].join(","))
    };
    let annotated = |key: &str, value: &str| with_metadata(&json!({"annotations": {key: value}}));
    vec![
        ("open lists", "[".repeat(much)),
        ("open maps", r#"{"a":"#.repeat(much / 5)),
        ("open lists in the object", around(&format!(r#"{{"spec":{}"#, "[".repeat(much)))),
        ("open lists in an unread field", around(&format!(r#"{{"x":{}"#, "[".repeat(much)))),
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
        ("a long name", pod_with(&[json!({"name": "\"".repeat(much / 2)})])),
        ("a long image", pod_with(&[json!({"name": "a", "image": "a/".repeat(much / 2)})])),
        ("a long quantity", pod_with(&[json!({"name": "a", "resources": {"limits": {"cpu": "9".repeat(1 << 20)}}})])),
        (
            "a long exponent",
            pod_with(&[json!({"name": "a", "resources": {"limits": {"cpu": format!("1e{}", "9".repeat(1 << 20))}}})]),
        ),
        (
            "a long key, twice",
            around(&format!(r#"{{"metadata":{{"labels":{{"{0}":"","{0}":""}}}}}}"#, "k".repeat(much / 2))),
        ),
        ("a long text in place of a list", around(&format!(r#"{{"spec":{{"containers":"{}"}}}}"#, "t".repeat(much)))),
        ("a long annotation", annotated("podfit.dev/injected", &"[".repeat(much))),
        ("many wishes for nobody", annotated("podfit.dev/skip", &"nobody=all,".repeat(much / 11))),
        ("many wishes", annotated("podfit.dev/skip", &"GOMAXPROCZ,".repeat(much / 11))),
        ("many wishes that nobody knows", annotated("podfit.dev/runtimes", &"x,".repeat(much / 2))),
        ("10,000 containers and many annotations", many_annotations(10_000, 80_000)),
        ("1,000 containers and many annotations", many_annotations(1_000, 20_000)),
        ("repeated keys", around(&filled("{", r#""spec":{}"#, "}"))),
        ("repeated unread keys", around(&filled("{", r#""x":{}"#, "}"))),
        (
            "a long uid",
            format!(
                r#"{{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{{"uid":"{}""#,
                "u".repeat(much)
            ),
        ),
        ("white space", " ".repeat(LARGEST)),
    ]
}

fn review(request: &Value) -> String {
    json!({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": request}).to_string()
}

/// A review whose object is any text.
fn around(object: &str) -> String {
    review(&request("", "Pod", "CREATE", &json!("OBJECT"), &Value::Null)).replacen(r#""OBJECT""#, object, 1)
}

fn pod_with(containers: &[Value]) -> String {
    review(&request("", "Pod", "CREATE", &json!({"metadata": {}, "spec": {"containers": containers}}), &Value::Null))
}

fn with_metadata(metadata: &Value) -> String {
    let containers = named_containers(100);
    let object = json!({"metadata": metadata, "spec": {"containers": containers}});
    review(&request("", "Pod", "CREATE", &object, &Value::Null))
}

fn named_containers(count: usize) -> Vec<Value> {
    (0..count).map(|index| json!({"name": format!("container-{index}"), "image": format!("app-{index}")})).collect()
}

fn update_of(containers: &[Value]) -> String {
    let object = json!({"metadata": {}, "spec": {"containers": containers}});
    review(&request("", "Pod", "UPDATE", &object, &object))
}

fn mounts_times_volumes(count: usize) -> String {
    let names = || (0..count).map(|index| format!("volume-{index}"));
    let volumes: Vec<_> = names().map(|name| json!({"name": name, "emptyDir": {"medium": "Memory"}})).collect();
    let mounts: Vec<_> = names().map(|name| json!({"name": name})).collect();
    let limits = json!({"limits": {"cpu": "1", "memory": "1Gi"}});
    let container = json!({"name": "a", "resources": limits, "volumeMounts": mounts});
    let object = json!({"metadata": {}, "spec": {"volumes": volumes, "containers": [container]}});
    review(&request("", "Pod", "CREATE", &object, &Value::Null))
}

fn many_annotations(containers: usize, count: usize) -> String {
    let annotations: Value =
        (0..count).map(|index| (format!("instrumentation.opentelemetry.io/inject-{index}"), json!("x"))).collect();
    let object =
        json!({"metadata": {"annotations": annotations}, "spec": {"containers": named_containers(containers)}});
    review(&request("", "Pod", "CREATE", &object, &Value::Null))
}

fn lines(count: usize, line: impl Fn(usize) -> String) -> String {
    (0..count).map(line).collect::<Vec<_>>().join("\n")
}

fn doubling_aliases() -> String {
    lines(40, |index| match index {
        0 => "a0: &a0 [x, x]".to_owned(),
        _ => format!("a{index}: &a{index} [*a{0}, *a{0}]", index - 1),
    })
}

#[cfg(target_os = "linux")]
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}
