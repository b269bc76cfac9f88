//! What one review costs, step by step and whole. Every measured answer is checked once, so that no error path is measured.

use std::{hint::black_box, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use criterion::{
    BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main, measurement::WallTime,
};
use jiff::civil::{Date, date};
use podfit::{
    admission::{Decision, Phase, Settings, answer},
    fitting::Pod,
    manifest, patch,
    policy::{DEFAULT_POLICY, Labels, Policy, PolicySet, Rulebook, compile},
    review::review,
    runtimes,
    workload::{Kind, Workload},
};
use serde_json::{Value, json};

mod bodies;

const TODAY: Date = date(2026, 6, 1);
const CONTAINERS: [usize; 3] = [1, 4, 20];

criterion_group!(benches, head, decode, object, whole, every_runtime, patches, look_up, compiling);
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
    let rulebook = default_rulebook();
    let repaired = |containers| repaired(bodies::plain(containers), &rulebook);
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
    let rulebook = rulebook(&DEFAULT_POLICY.replace("runtimes: [go]", &list));
    let body = bodies::plain(12);
    let mut group = criterion.benchmark_group("every runtime");
    let mut measure = |phase: Phase, body: &Value, expected| {
        let id = BenchmarkId::from_parameter(phase.as_str());
        measure_under(&rulebook, &mut group, id, phase, &bodies::bytes(body), expected);
    };
    measure(Phase::Mutate, &body, Decision::Patched);
    measure(Phase::Validate, &repaired(body, &rulebook), Decision::Allowed);
}

/// Edits to JSON Patch bytes.
fn patches(criterion: &mut Criterion) {
    let rulebook = default_rulebook();
    let mut group = criterion.benchmark_group("patch");
    for containers in CONTAINERS {
        let object = bodies::plain(containers)["request"]["object"].to_string();
        let workload = Workload::decode(Kind::Pod, &object).expect("a Pod decodes");
        let pod = Pod::read(&workload);
        let in_force = rulebook.at("shop").in_force(&workload.pod_metadata().labels);
        let verdict = review(&in_force, &pod, TODAY);
        group.bench_function(BenchmarkId::from_parameter(containers), |bencher| {
            bencher.iter(|| patch::to_json(black_box(&verdict), &pod));
        });
    }
}

/// A thousand policies and ten thousand namespaces: every team has a policy of its own labels, and one hundred hold for all.
fn look_up(criterion: &mut Criterion) {
    let rulebook = governed(&policies("Warn"));
    let mut group = criterion.benchmark_group("look-up");
    let pod_labels = Labels::from([("app".to_owned(), "api".to_owned())]);
    group.bench_function("1000 policies, 10000 namespaces", |bencher| {
        let mut index = 0;
        bencher.iter(|| {
            index = (index + 7919) % 10_000;
            black_box(rulebook.at(&namespace(index)).in_force(&pod_labels)).matched
        });
    });
}

/// What a change of one policy costs: one of a team, and one that holds everywhere.
fn compiling(criterion: &mut Criterion) {
    let policies = policies("Warn");
    let rulebook = governed(&policies);
    let mut group = criterion.benchmark_group("change");
    group.sample_size(10);
    for (name, index) in [("a team's policy", 999), ("a policy for all", 0)] {
        let mut changed = policies.clone();
        changed[index] = Arc::new(policy(index, "Audit"));
        let changed = PolicySet::sorted(changed);
        group.bench_function(name, |bencher| bencher.iter(|| black_box(rulebook.with_policies(changed.clone()))));
    }
    group.bench_function("everything", |bencher| bencher.iter(|| black_box(governed(&policies))));
}

fn governed(policies: &[Arc<Policy>]) -> Rulebook {
    let labels = |index: usize| Labels::from([("team".to_owned(), format!("team-{}", index % 900))]);
    let namespaces = (0..10_000).map(|index| (namespace(index), labels(index)));
    Rulebook::awaited(PolicySet::sorted(policies.to_vec())).with_namespaces(namespaces)
}

fn namespace(index: usize) -> String {
    format!("namespace-{index}")
}

fn policies(mode: &str) -> Vec<Arc<Policy>> {
    (0..1_000).map(|index| Arc::new(policy(index, mode))).collect()
}

fn policy(index: usize, mode: &str) -> Policy {
    let chosen = if index < 100 {
        "{podSelector: {matchLabels: {tier: special}}}".to_owned()
    } else {
        format!("{{namespaceSelector: {{matchLabels: {{team: team-{}}}}}}}", index - 100)
    };
    let text = format!(
        "{{apiVersion: podfit.dev/v1alpha1, kind: SizingPolicy, metadata: {{name: policy-{index}}}, spec: {{match: {chosen}, \
         imageTag: {{mode: {mode}}}, probes: {{}}}}}}"
    );
    let document = manifest::read(&text).remove(0).expect("YAML");
    compile(&document.node).expect("a policy")
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
    measure_under(&default_rulebook(), group, id, phase, bytes, expected);
}

fn measure_under(
    rulebook: &Rulebook,
    group: &mut BenchmarkGroup<'_, WallTime>,
    id: BenchmarkId,
    phase: Phase,
    bytes: &[u8],
    expected: Decision,
) {
    let settings = Settings { rulebook, today: TODAY };
    let once = answer(phase, bytes, &settings);
    assert_eq!(once.record.decision, expected, "{}", once.record.message);
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function(id, |bencher| bencher.iter(|| answer(phase, black_box(bytes), &settings)));
}

fn sizes() -> [Value; 3] {
    [bodies::plain(1), bodies::meshed(), bodies::crowded()]
}

/// What `/validate` sees of a Pod that `/mutate` has patched.
fn repaired(mut body: Value, rulebook: &Rulebook) -> Value {
    let settings = Settings { rulebook, today: TODAY };
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

fn default_rulebook() -> Rulebook {
    rulebook(DEFAULT_POLICY)
}

fn rulebook(text: &str) -> Rulebook {
    let policies = manifest::read(text).into_iter().map(|document| {
        let document = document.expect("the policy is YAML");
        compile(&document.node).expect("the policy compiles")
    });
    Rulebook::unwatched(PolicySet::new(policies.collect()).expect("one policy has one name"))
}
