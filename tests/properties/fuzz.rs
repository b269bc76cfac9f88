//! The checks of `fuzz/`, asked of mutants without instrumentation: of the same ones on every machine, or of as many as
//! `PODFIT_FUZZ_SECONDS` allows. `PODFIT_FUZZ_SEED` repeats a failure, whose input is left in the folder for temporary files. A
//! file put into `tests/corpus/` is a seed, and tried as it is first.

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    time::{Duration, Instant},
};

use podfit::policy;
use serde_json::Value;

use super::{
    checks::TARGETS,
    choices::Random,
    mutation::mutated,
    pods, policies,
    request::{request, review_body},
    yaml,
};

#[test]
fn any_body_gets_an_answer() {
    let mut seeds = corpus("bodies");
    seeds.extend(generated(60, body));
    fuzz("review", 12_000, &seeds);
}

#[test]
fn any_policy_compiles_or_is_refused() {
    let mut seeds = corpus("policies");
    seeds.push(policy::DEFAULT_POLICY.as_bytes().to_vec());
    seeds.extend(generated(20, |random| policies::policy_texts(&mut random.choices()).join("---\n")));
    fuzz("policy", 3_000, &seeds);
}

#[test]
fn any_manifest_is_read_or_refused() {
    let mut seeds = corpus("manifests");
    seeds.extend(corpus("policies"));
    seeds.extend(generated(20, |random| yaml::text(&pods::pod(&mut random.choices()))));
    fuzz("manifest", 1_500, &seeds);
}

#[test]
fn any_text_is_a_value_or_none() {
    let quantities = ["1.5Gi", "1E999999", "-0.000000001n", "99999999999999999999999999999999999999e-30"];
    fuzz("quantity", 20_000, &quantities.map(|seed| seed.as_bytes().to_vec()));
    let images = ["registry:5000/a/b:1@sha256:0", "a.b_c/app:1"];
    fuzz("image", 20_000, &images.map(|seed| seed.as_bytes().to_vec()));
}

/// Tries all seeds, then so many mutants of them, or as many as the time allows.
fn fuzz(name: &str, mutants: u64, seeds: &[Vec<u8>]) {
    let (_, check) = TARGETS.into_iter().find(|(target, _)| *target == name).unwrap();
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let seconds = number("PODFIT_FUZZ_SECONDS");
    let first = number("PODFIT_FUZZ_SEED").unwrap_or(1);
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
    let mut seed = first;
    let goes_on = |seed| match seconds {
        Some(seconds) => began.elapsed() < Duration::from_secs(seconds),
        None => seed < first + mutants,
    };
    while goes_on(seed) {
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

fn body(random: &mut Random) -> String {
    let (group, kind, object) = if random.below(4) == 0 {
        pods::workload(&mut random.choices())
    } else {
        ("", "Pod", pods::pod(&mut random.choices()))
    };
    let old = if random.below(2) == 0 { Value::Null } else { pods::pod(&mut random.choices()) };
    let operation = if old.is_null() { "CREATE" } else { "UPDATE" };
    let request = request(group, kind, operation, &object, &old);
    review_body(&request).to_string()
}
