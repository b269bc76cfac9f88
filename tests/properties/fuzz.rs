//! No panic on any input, and an answer that the API server understands to every body. Runs for some seconds, or for
//! `PODFIT_FUZZ_SECONDS`; `PODFIT_FUZZ_SEED` repeats a failure, whose input is left in the folder for temporary files. A file
//! put into `tests/corpus/` is a seed, and tried as it is first.

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    time::{Duration, Instant},
};

use podfit::{
    admission::Phase,
    image::Image,
    manifest,
    patch::{Operation, OperationKind},
    policy::{self, PolicySet},
    quantity::Quantity,
};
use serde_json::{Value, json};

use super::{
    choices::Random,
    mutation::mutated,
    pods, policies, strict,
    world::{answer_body, patch_in, request},
    yaml,
};

#[test]
fn any_body_gets_an_answer() {
    let policies = all_policies();
    let mut seeds = corpus("bodies");
    seeds.extend(generated(60, body));
    fuzz("body", 5, &seeds, |body| {
        for policies in &policies {
            for phase in [Phase::Mutate, Phase::Validate] {
                check_answer(phase, body, policies);
            }
        }
    });
}

#[test]
fn any_policy_compiles_or_is_refused() {
    let mut seeds = corpus("policies");
    seeds.push(policy::DEFAULT_POLICY.as_bytes().to_vec());
    seeds.extend(generated(20, |random| policies::policy_texts(&mut random.choices()).join("---\n")));
    fuzz("policy", 2, &seeds, |text| {
        let Ok(text) = std::str::from_utf8(text) else { return };
        for document in manifest::read(text).into_iter().flatten() {
            if let Err(mistakes) = policy::compile(&document.node) {
                assert!(!mistakes.is_empty(), "refused without a reason");
                for mistake in mistakes {
                    assert!(text.get(mistake.span.start.offset..mistake.span.end.offset).is_some(), "{mistake:?}");
                }
            }
        }
    });
}

#[test]
fn any_manifest_is_read_or_refused() {
    let mut seeds = corpus("manifests");
    seeds.extend(corpus("policies"));
    seeds.extend(generated(20, |random| yaml::text(&pods::pod(&mut random.choices()))));
    let patches = vec![vec![
        add("/metadata/annotations", r#"{"podfit.dev/injected":"{}"}"#),
        add("/spec/containers/0/env/0", r#"{"name":"POD_NAME","value":"x"}"#),
    ]];
    fuzz("manifest", 2, &seeds, |text| {
        let Ok(text) = std::str::from_utf8(text) else { return };
        for document in manifest::read(text).into_iter().flatten() {
            serde_json::from_str::<serde::de::IgnoredAny>(&document.json).unwrap();
            assert!(text.get(document.range.clone()).is_some());
            for object in document.objects() {
                let span = document.locate(&format!("{}/spec/containers/0/image", object.pointer_prefix));
                assert!(text.get(span.start.offset..span.end.offset).is_some(), "{span:?}");
            }
        }
        drop(manifest::apply(text, &patches));
    });
}

#[test]
fn any_text_is_a_value_or_none() {
    let seeds = [
        "1.5Gi",
        "1E999999",
        "-0.000000001n",
        "99999999999999999999999999999999999999e-30",
        "registry:5000/a/b:1@sha256:0",
    ];
    let seeds: Vec<_> = seeds.map(|seed| seed.as_bytes().to_vec()).into();
    fuzz("value", 1, &seeds, |text| {
        let text = String::from_utf8_lossy(text);
        if let Ok(quantity) = Quantity::parse(&text) {
            assert!(quantity.millis() >= quantity.units(), "{text:?}");
            assert_eq!(quantity.is_positive(), quantity.units() > 0, "{text:?}");
        }
        if let Ok(image) = Image::parse(&text) {
            let normalised = image.normalised();
            let again = Image::parse(&normalised).unwrap();
            assert_eq!((again.normalised(), again.tag, again.digest), (normalised.clone(), image.tag, image.digest));
        }
    });
}

/// Tries all seeds, then mutants of them until the time is over.
fn fuzz(name: &str, seconds: u64, seeds: &[Vec<u8>], check: impl Fn(&[u8])) {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let seconds = number("PODFIT_FUZZ_SECONDS").unwrap_or(seconds);
    let first = number("PODFIT_FUZZ_SEED");
    let guarded = |input: &[u8], told: &str| {
        if catch_unwind(AssertUnwindSafe(|| check(input))).is_err() {
            let path = std::env::temp_dir().join(format!("podfit-fuzz-{name}"));
            fs::write(&path, input).unwrap();
            panic!("{told} fails; the {name} is in {}", path.display());
        }
    };
    for (index, seed) in seeds.iter().enumerate() {
        guarded(seed, &format!("seed file or generated seed {index}"));
    }
    let began = Instant::now();
    let mut seed = first.unwrap_or(1);
    while began.elapsed() < Duration::from_secs(seconds) {
        let mut random = Random(seed);
        let input = match random.below(20) {
            0 => {
                let count = random.below(300);
                random.bytes(count)
            }
            _ => mutated(random.pick::<Vec<u8>>(seeds), seeds, &mut random),
        };
        guarded(&input, &format!("PODFIT_FUZZ_SEED={seed}"));
        seed += 1;
    }
}

fn corpus(folder: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(folder);
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

fn generated(count: u64, make: impl Fn(&mut Random) -> String) -> impl Iterator<Item = Vec<u8>> {
    (0..count).map(move |seed| make(&mut Random(seed)).into_bytes())
}

/// The embedded default, and one that injects, asks and forbids all there is.
fn all_policies() -> [PolicySet; 2] {
    let everything = String::from_utf8(corpus("policies").remove(0)).unwrap();
    [policies::compile(&[policy::DEFAULT_POLICY.to_owned()]), policies::compile(&[everything])]
}

fn body(random: &mut Random) -> String {
    let (group, kind, object) = if random.below(4) == 0 {
        pods::workload(&mut random.choices())
    } else {
        ("", "Pod", pods::pod(&mut random.choices()))
    };
    let old = if random.below(2) == 0 { Value::Null } else { pods::pod(&mut random.choices()) };
    let operation = if old.is_null() { "CREATE" } else { "UPDATE" };
    let request = request(group, kind, operation, &object, &old);
    json!({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": request}).to_string()
}

fn add(pointer: &str, value: &str) -> Operation {
    Operation { kind: OperationKind::Add, pointer: pointer.to_owned(), value: value.to_owned() }
}

/// What the API server asks of an answer (its own words: `VerifyAdmissionResponse`), and of a patch.
fn check_answer(phase: Phase, body: &[u8], policies: &PolicySet) {
    let answer = answer_body(phase, body, policies);
    let answered: Value = serde_json::from_slice(&answer.body).unwrap();
    match answer.status {
        200 => {}
        400 | 500 => {
            assert!(answer.status == 400 || phase == Phase::Validate, "/mutate never fails");
            assert_eq!((&answered["kind"], &answered["code"]), (&json!("Status"), &json!(answer.status)));
            return;
        }
        other => panic!("status {other}"),
    }
    assert_eq!(
        (&answered["kind"], &answered["apiVersion"]),
        (&json!("AdmissionReview"), &json!("admission.k8s.io/v1"))
    );
    let response = &answered["response"];
    assert!(response["uid"].as_str().is_some_and(|uid| !uid.is_empty()));
    assert_eq!(response.get("patch").is_some(), response.get("patchType").is_some());
    for warning in response["warnings"].as_array().into_iter().flatten() {
        let warning = warning.as_str().unwrap();
        assert!(warning.chars().count() <= 256 && !warning.contains(char::is_control), "{warning:?}");
    }
    match (phase, &response["allowed"]) {
        (_, Value::Bool(true)) => {}
        (Phase::Validate, Value::Bool(false)) => {
            let status = &response["status"];
            let message = status["message"].as_str().unwrap();
            assert_eq!((&status["code"], &status["reason"]), (&json!(403), &json!("Forbidden")));
            assert!(
                !message.is_empty() && message.len() <= 2_000 && !message.contains(char::is_control),
                "{message:?}"
            );
        }
        other => panic!("allowed: {other:?}"),
    }
    let Some(operations) = patch_in(response) else { return };
    assert!(phase == Phase::Mutate && !operations.is_empty());
    // What nests deeper than our oracle can read, or repeats keys that podfit does not read, has no patch to compare.
    let Ok(review) = serde_json::from_slice::<Value>(body) else { return };
    strict::apply(&review["request"]["object"], &operations).unwrap();
}
