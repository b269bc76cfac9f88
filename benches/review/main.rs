//! What one review costs, step by step and whole. Every measured answer is checked once, so that no error path is measured.

use std::hint::black_box;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use criterion::{
    BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main, measurement::WallTime,
};
use jiff::civil::{Date, date};
use podfit::{
    admission::{Decision, Phase, Settings, answer},
    fitting::Pod,
    manifest, patch,
    policy::{DEFAULT_POLICY, PolicySet, compile},
    review::{Context, review},
    runtimes,
    workload::{Kind, Workload},
};
use serde_json::{Value, json};

mod bodies;

const TODAY: Date = date(2026, 6, 1);
const CONTAINERS: [usize; 3] = [1, 4, 20];

criterion_group!(benches, head, decode, object, whole, every_runtime, patches);
criterion_main!(benches);

/// A namespace that no policy matches: answered from the head alone, so the size of the object must not matter.
fn head(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("head");
    for mut body in sizes() {
        body["request"]["namespace"] = json!("kube-system");
        measure(&mut group, Phase::Validate, &body, Decision::Unmatched);
    }
}

/// A Pod on its way out: head and object are decoded, then there is nothing to judge.
fn decode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decode");
    for mut body in sizes() {
        body["request"]["object"]["metadata"]["deletionTimestamp"] = json!("2026-05-14T09:26:53Z");
        measure(&mut group, Phase::Validate, &body, Decision::Ignored);
    }
}

/// The object alone, as the command line and scan decode it.
fn object(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("object");
    for body in sizes() {
        let json = body["request"]["object"].to_string();
        group.throughput(Throughput::Bytes(json.len() as u64));
        group.bench_function(kilobytes(json.len()), |bencher| {
            bencher.iter(|| Workload::decode(Kind::Pod, black_box(&json)).expect("a Pod decodes"));
        });
    }
}

/// Body bytes to answer bytes: as users send them, as they stand after our patch, and refused.
fn whole(criterion: &mut Criterion) {
    let policies = default_policies();
    let repaired = |containers| repaired(bodies::plain(containers), &policies);
    let refused = |containers| careless(bodies::plain(containers));
    let mut group = criterion.benchmark_group("mutate");
    for containers in CONTAINERS {
        measure_whole(&mut group, Phase::Mutate, containers, &bodies::plain(containers), Decision::Patched);
    }
    group.finish();
    let mut group = criterion.benchmark_group("validate");
    for containers in CONTAINERS {
        measure_whole(&mut group, Phase::Validate, containers, &repaired(containers), Decision::Allowed);
    }
    group.finish();
    let mut group = criterion.benchmark_group("refuse");
    for containers in CONTAINERS {
        measure_whole(&mut group, Phase::Validate, containers, &refused(containers), Decision::Denied);
    }
}

/// Twelve containers under a policy that names every runtime of the catalogue: the most that a sane Pod costs.
fn every_runtime(criterion: &mut Criterion) {
    let list = format!("runtimes: [{}]", runtimes::names());
    let policies = policies(&DEFAULT_POLICY.replace("runtimes: [go]", &list));
    let body = bodies::plain(12);
    let mut group = criterion.benchmark_group("every runtime");
    let mut measure = |phase: Phase, body: &Value, expected| {
        let id = BenchmarkId::from_parameter(phase.as_str());
        measure_under(&policies, &mut group, id, phase, &bodies::bytes(body), expected);
    };
    measure(Phase::Mutate, &body, Decision::Patched);
    measure(Phase::Validate, &repaired(body, &policies), Decision::Allowed);
}

/// Edits to JSON Patch bytes.
fn patches(criterion: &mut Criterion) {
    let policies = default_policies();
    let context = Context { namespace: "shop", labels: None, today: TODAY };
    let mut group = criterion.benchmark_group("patch");
    for containers in CONTAINERS {
        let object = bodies::plain(containers)["request"]["object"].to_string();
        let workload = Workload::decode(Kind::Pod, &object).expect("a Pod decodes");
        let pod = Pod::read(&workload);
        let verdict = review(&policies, &pod, &context);
        group.bench_function(BenchmarkId::from_parameter(containers), |bencher| {
            bencher.iter(|| patch::to_json(black_box(&verdict), &pod));
        });
    }
}

fn measure(group: &mut BenchmarkGroup<'_, WallTime>, phase: Phase, body: &Value, expected: Decision) {
    let bytes = bodies::bytes(body);
    measure_bytes(group, kilobytes(bytes.len()), phase, &bytes, expected);
}

fn kilobytes(bytes: usize) -> BenchmarkId {
    BenchmarkId::from_parameter(format!("{}KB", (bytes + 500) / 1000))
}

fn measure_whole(
    group: &mut BenchmarkGroup<'_, WallTime>,
    phase: Phase,
    containers: usize,
    body: &Value,
    expected: Decision,
) {
    measure_bytes(group, BenchmarkId::from_parameter(containers), phase, &bodies::bytes(body), expected);
}

fn measure_bytes(
    group: &mut BenchmarkGroup<'_, WallTime>,
    id: BenchmarkId,
    phase: Phase,
    bytes: &[u8],
    expected: Decision,
) {
    measure_under(&default_policies(), group, id, phase, bytes, expected);
}

fn measure_under(
    policies: &PolicySet,
    group: &mut BenchmarkGroup<'_, WallTime>,
    id: BenchmarkId,
    phase: Phase,
    bytes: &[u8],
    expected: Decision,
) {
    let settings = Settings { policies, namespaces: None, today: TODAY };
    let once = answer(phase, bytes, &settings);
    assert_eq!(once.record.decision, expected, "{}", once.record.message);
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function(id, |bencher| bencher.iter(|| answer(phase, black_box(bytes), &settings)));
}

fn sizes() -> [Value; 3] {
    [bodies::plain(1), bodies::meshed(), bodies::crowded()]
}

/// What `/validate` sees of a Pod that `/mutate` has patched.
fn repaired(mut body: Value, policies: &PolicySet) -> Value {
    let settings = Settings { policies, namespaces: None, today: TODAY };
    let answer = answer(Phase::Mutate, &bodies::bytes(&body), &settings);
    let answer: Value = serde_json::from_slice(&answer.body).expect("an answer is JSON");
    let patch = answer["response"]["patch"].as_str().expect("a plain Pod is patched");
    let patch = STANDARD.decode(patch).expect("a patch is base64");
    let patch: json_patch::Patch = serde_json::from_slice(&patch).expect("a patch is JSON");
    json_patch::patch(&mut body["request"]["object"], &patch).expect("a patch applies");
    body
}

/// No tag and no limits.
fn careless(mut body: Value) -> Value {
    for container in body["request"]["object"]["spec"]["containers"].as_array_mut().expect("a Pod has containers") {
        container["image"] = json!("registry.example/shop/web");
        container["resources"] = json!({});
    }
    body
}

fn default_policies() -> PolicySet {
    policies(DEFAULT_POLICY)
}

fn policies(text: &str) -> PolicySet {
    let policies = manifest::read(text).into_iter().map(|document| {
        let document = document.expect("the policy is YAML");
        compile(&document.node).expect("the policy compiles")
    });
    PolicySet::new(policies.collect()).expect("one policy has one name")
}
