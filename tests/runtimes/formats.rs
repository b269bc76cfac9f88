//! For any limits and any policy, every value that is injected has the form that its runtime accepts, and no number is above
//! the limit that it comes from.

use std::{collections::BTreeSet, ops::RangeInclusive, sync::LazyLock};

use podfit::{policy::PolicySet, quantity::Quantity, runtimes};
use proptest::prelude::*;
use serde_json::json;

use crate::trial::{Trial, annotated, pod_with, policy};

/// Every policy that changes how values are computed, with every variable switched on.
static POLICIES: LazyLock<Vec<PolicySet>> = LazyLock::new(|| {
    let runtimes = runtimes::names();
    // Two runtimes may share a variable.
    let opt_in: BTreeSet<_> =
        runtimes::variables().map(|variable| variable.name).filter(|name| runtimes::is_opt_in(name)).collect();
    let opt_in = Vec::from_iter(opt_in).join(", ");
    let everything = format!("runtimes: [{runtimes}], optIn: [{opt_in}]");
    let mut policies = Vec::new();
    for form in ["Auto", "Literal"] {
        for basis in ["Limits", "LimitsElseRequests", "Requests"] {
            for rest in
                ["", ", skip: [OMP_NUM_THREADS], headroomPercent: 50", ", skipAbove: 1024, resizePolicy: Restart"]
            {
                policies.push(policy(&format!("{{{everything}, values: {form}, cpuFrom: {basis}{rest}}}")));
            }
        }
    }
    policies
});

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(600) })]

    #[test]
    fn every_value_is_one_that_its_runtime_takes(
        which in any::<prop::sample::Index>(),
        cpu in cpu(),
        request in cpu(),
        memory in memory(),
        processes in 1_u32..200,
    ) {
        let mut resources = json!({});
        for (list, resource, amount) in [("limits", "cpu", &cpu), ("requests", "cpu", &request), ("limits", "memory", &memory)] {
            if let Some(amount) = amount {
                resources[list][resource] = json!(amount);
            }
        }
        let pod = pod_with("-", "-", &json!({"resources": resources}));
        let pod = annotated(pod, &[("podfit.dev/processes", &processes.to_string())]);
        let trial = Trial::of(which.get(&POLICIES), &pod);
        let cpu = cpu.map(|cpu| Quantity::parse(&cpu).unwrap()).filter(|cpu| cpu.is_positive());
        let memory = memory.map(|memory| Quantity::parse(&memory).unwrap()).map_or(0, Quantity::units);
        for (name, value) in &trial.injected {
            // Requests alone are no ceiling.
            let cores = cpu.map_or(u64::MAX, |cpu| cpu.millis().div_ceil(1000));
            if let Err(fault) = accepts(name, value, cores, memory) {
                prop_assert!(false, "{name}={value}: {fault}, {pod}");
            }
        }
    }
}

/// As people write them: every unit, fractions, exponents, nothing.
fn cpu() -> impl Strategy<Value = Option<String>> {
    prop_oneof![
        1 => Just(None),
        1 => Just(Some("0".to_owned())),
        4 => (0_u32..4_000).prop_map(|millis| Some(format!("{millis}m"))),
        4 => (0_u32..200_000).prop_map(|millis| Some(format!("{millis}m"))),
        2 => (0_u32..70, 0_u32..1000).prop_map(|(cores, thousandths)| Some(format!("{cores}.{thousandths:03}"))),
        1 => any::<u64>().prop_map(|cores| Some(cores.to_string())),
        1 => (0_u32..1_000_000).prop_map(|micros| Some(format!("{micros}u"))),
    ]
}

fn memory() -> impl Strategy<Value = Option<String>> {
    prop_oneof![
        1 => Just(None),
        4 => (0_u64..5000, prop::sample::select(vec!["Ki", "Mi", "Gi", "M", "G", "Ti", "Ei"]))
            .prop_map(|(amount, unit)| Some(format!("{amount}{unit}"))),
        2 => (0_u64..(4 << 30)).prop_map(|bytes| Some(bytes.to_string())),
        1 => any::<u64>().prop_map(|bytes| Some(bytes.to_string())),
        1 => (0_u64..u64::from(u32::MAX)).prop_map(|thousands| Some(format!("{thousands}000000m"))),
        1 => (1_u32..999, 3_u32..18).prop_map(|(digits, exponent)| Some(format!("{digits}e{exponent}"))),
    ]
}

/// The form of section 9 of the catalogue, by hand, and the bound.
fn accepts(name: &str, value: &str, cores: u64, memory: u64) -> Result<(), String> {
    let count = |text: &str, range: RangeInclusive<u64>| {
        let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
        let number: u64 = text.parse().map_err(|_| format!("{text} is no number"))?;
        let fits = is_plain && range.contains(&number);
        if fits { Ok(()) } else { Err(format!("{text} is not in {range:?}")) }
    };
    let mebibytes = |text: &str| {
        let number = text.strip_prefix("--max-old-space-size=").ok_or("another flag")?;
        count(number, 64..=(memory >> 20) * 3 / 4)
    };
    match name {
        "GOMAXPROCS" => count(value, 1..=cores.max(2)),
        "TOKIO_WORKER_THREADS"
        | "RAYON_NUM_THREADS"
        | "OMP_NUM_THREADS"
        | "OPENBLAS_NUM_THREADS"
        | "MKL_NUM_THREADS"
        | "NUMBA_NUM_THREADS"
        | "PYTHON_CPU_COUNT"
        | "JULIA_NUM_THREADS"
        | "CARGO_BUILD_JOBS" => count(value, 1..=cores),
        "DOTNET_PROCESSOR_COUNT" => count(value, 1..=cores.min(65_535)),
        "MALLOC_ARENA_MAX" => count(value, 8..=cores.saturating_mul(8)),
        "GOMEMLIMIT" => count(value, (memory / 2)..=memory),
        "PODFIT_MEMORY_LIMIT_MI" => count(value, 32..=memory.div_ceil(1 << 20)),
        "NGINX_ENTRYPOINT_WORKER_PROCESSES_AUTOTUNE" => count(value, 1..=1),
        "NODE_OPTIONS" | "DENO_V8_FLAGS" => mebibytes(value),
        "DOTNET_GCHeapHardLimit" => {
            let digits = value.strip_prefix("0x").ok_or("not hexadecimal")?;
            let heap = u128::from_str_radix(digits, 16).map_err(|error| error.to_string())?;
            let is_lower = digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
            if is_lower && (20 << 20..=u128::from(memory).min(6 << 40)).contains(&heap) {
                Ok(())
            } else {
                Err("out of bounds".into())
            }
        }
        "ERL_AFLAGS" => {
            let (all, online) = value.strip_prefix("+S ").and_then(|pair| pair.split_once(':')).ok_or("no pair")?;
            if all == online { count(all, 1..=cores) } else { Err("two numbers".into()) }
        }
        "JAVA_TOOL_OPTIONS" => value.split(' ').try_for_each(|flag| match flag.split_once('=') {
            Some(("-XX:MaxRAMPercentage", "75.0" | "65.0")) => Ok(()),
            Some(("-XX:ActiveProcessorCount", number)) => count(number, 1..=cores),
            _ => Err(format!("{flag} is no flag of ours")),
        }),
        _ => Err("no variable of the catalogue".into()),
    }
}
