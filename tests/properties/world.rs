//! What all properties ask podfit, and the cases that they ask it about.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::civil::{Date, date};
use podfit::{
    admission::{self, Answer, Phase},
    fitting::Pod,
    patch,
    policy::{Mode, PolicySet, Rulebook, Subject},
    review::review,
    verdict::Verdict,
    workload::{Kind, Workload},
};
use proptest::{
    collection::vec,
    prelude::{ProptestConfig, Strategy, any},
    test_runner::RngSeed,
};
use serde_json::Value;

use super::{
    choices::Choices,
    pods, policies,
    request::{NAMESPACE, review_body},
};

pub const TODAY: Date = date(2026, 11, 22);

/// The same cases on every run, so that a failure is there for everybody; `PROPTEST_RNG_SEED` and `PROPTEST_CASES` ask for
/// others and more. No failure is persisted: the case is printed whole, and becomes a named row elsewhere.
pub fn config() -> ProptestConfig {
    let given = ProptestConfig::default();
    let or = |name: &str, given, ours| if std::env::var_os(name).is_some() { given } else { ours };
    ProptestConfig {
        cases: or("PROPTEST_CASES", given.cases, 128),
        rng_seed: if given.rng_seed == RngSeed::Random { RngSeed::Fixed(2_026) } else { given.rng_seed },
        failure_persistence: None,
        max_shrink_iters: 20_000,
        ..given
    }
}

/// A Pod, and the policies that it is judged under.
pub struct Case {
    pub pod: Value,
    pub texts: Vec<String>,
    pub policies: PolicySet,
}

pub fn cases() -> impl Strategy<Value = Case> {
    choices(1_400).prop_map(|mut choices| case(&mut choices))
}

pub fn choices(most: usize) -> impl Strategy<Value = Choices> + use<> {
    vec(any::<u8>(), 0..most).prop_map(Choices::new)
}

pub fn case(choices: &mut Choices) -> Case {
    let texts = policies::policy_texts(choices);
    Case { pod: pods::pod(choices), policies: policies::compile(&texts), texts }
}

impl fmt::Debug for Case {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "{:#}", self.pod)?;
        self.texts.iter().try_for_each(|text| writeln!(formatter, "---\n{text}"))
    }
}

/// Judges an object; nothing where it does not decode.
pub fn judged<T>(
    policies: &PolicySet,
    kind: Kind,
    json: &str,
    read: impl FnOnce(&Verdict<'_>, &Pod<'_>) -> T,
) -> Option<T> {
    let workload = Workload::decode(kind, json).ok()?;
    let pod = Pod::read(&workload);
    let verdict = review(&policies.in_force(&subject(&pod)), &pod, TODAY);
    Some(read(&verdict, &pod))
}

/// The patch of a Pod as the operations that the API server decodes; nothing where the Pod does not decode.
pub fn patch_of(policies: &PolicySet, json: &str) -> Option<Vec<Value>> {
    judged(policies, Kind::Pod, json, |verdict, pod| {
        patch::to_json(verdict, pod).map(|patch| serde_json::from_str(&patch).unwrap()).unwrap_or_default()
    })
}

/// The patch applied by an independent implementation.
pub fn patched(object: &Value, operations: &[Value]) -> Value {
    let patch: json_patch::Patch = serde_json::from_value(Value::from(operations)).unwrap();
    let mut tree = object.clone();
    json_patch::patch(&mut tree, &patch).unwrap();
    tree
}

/// What a verdict says apart from injections, which a patch takes away.
pub fn told(verdict: &Verdict<'_>) -> Vec<String> {
    let findings = verdict.findings.iter().filter(|finding| finding.mode != Mode::Inject);
    findings.map(|finding| format!("{:?} {:?} {}", finding.mode, finding.place, finding.message())).collect()
}

pub fn answer(phase: Phase, request: &Value, policies: &PolicySet) -> Answer {
    answer_body(phase, review_body(request).to_string().as_bytes(), policies)
}

pub fn answer_body(phase: Phase, body: &[u8], policies: &PolicySet) -> Answer {
    let rulebook = Rulebook::unwatched(policies.clone());
    admission::answer(phase, body, &admission::Settings { rulebook: &rulebook, today: TODAY })
}

/// The decoded patch of an answer's response, if it has one.
pub fn patch_in(response: &Value) -> Option<Vec<Value>> {
    let bytes = STANDARD.decode(response["patch"].as_str()?).unwrap();
    Some(serde_json::from_slice(&bytes).unwrap())
}

pub fn subject<'p>(pod: &'p Pod<'p>) -> Subject<'p> {
    Subject { namespace: NAMESPACE, namespace_labels: None, pod_labels: &pod.workload.pod_metadata().labels }
}
