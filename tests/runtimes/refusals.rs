//! What is not injected, and why: the user has decided, something works against it, the version does not know it, nothing
//! names the runtime.

use serde_json::{Value, json};

use crate::trial::{Trial, annotated, pod, pod_with, policy};

/// Everything by policy, so that only the row's own reason can stop a variable.
const NAMED: &str = "{runtimes: [go, rust, python, java, node, deno, dotnet, erlang, nginx, julia, build], \
    optIn: [JAVA_TOOL_OPTIONS, NODE_OPTIONS, DENO_V8_FLAGS, DOTNET_GCHeapHardLimit, ERL_AFLAGS, MALLOC_ARENA_MAX, \
    JULIA_NUM_THREADS, CARGO_BUILD_JOBS], values: Literal}";

#[test]
fn what_the_user_decided_stays() {
    let literal = |name: &str, value: &str| json!({"env": [{"name": name, "value": value}]});
    let from_secret = |name: &str| json!({"env": [{"name": name, "valueFrom": {"secretKeyRef": {"name": "settings", "key": "key"}}}]});
    let env_from = |prefix: Value| json!({"envFrom": [{"prefix": prefix, "configMapRef": {"name": "settings"}}]});
    let memory = |limit: &str| json!({"resources": {"limits": {"cpu": "2", "memory": limit}}});
    check(&[
        ("GOMEMLIMIT is off", literal("GOMEMLIMIT", "off"), "GOMEMLIMIT", "- user-set"),
        ("GOMAXPROCS from a Secret", from_secret("GOMAXPROCS"), "GOMAXPROCS", "- user-set"),
        ("GOMAXPROCS is empty", literal("GOMAXPROCS", ""), "GOMAXPROCS", "- user-set"),
        ("GOMAXPROCS without a value", json!({"env": [{"name": "GOMAXPROCS"}]}), "GOMAXPROCS", "- user-set"),
        ("another case is another variable", literal("gomaxprocs", "1"), "GOMAXPROCS", "2"),
        ("envFrom may hold GOMAXPROCS", env_from(Value::Null), "GOMAXPROCS", "- env-from"),
        ("envFrom with a prefix that begins it", env_from(json!("GO")), "GOMAXPROCS", "- env-from"),
        ("envFrom with the whole name", env_from(json!("GOMAXPROCS")), "GOMAXPROCS", "- env-from"),
        ("envFrom with a prefix that does not", env_from(json!("GOMAXPROCS_")), "GOMAXPROCS", "2"),
        ("envFrom may hold what works against it", env_from(json!("AUTO")), "GOMEMLIMIT", "- env-from"),
        ("envFrom may hold one of a family", env_from(json!("BPL_JVM_HEAD_")), "JAVA_TOOL_OPTIONS", "- env-from"),
        ("envFrom may hold the flags elsewhere", env_from(json!("JDK_")), "JAVA_TOOL_OPTIONS", "- env-from"),
        ("automemlimit", literal("AUTOMEMLIMIT", "0.8"), "GOMEMLIMIT", "- conflict"),
        ("its GOMAXPROCS all the same", literal("AUTOMEMLIMIT", "0.8"), "GOMAXPROCS", "2"),
        ("an older name of rayon's", literal("RAYON_RS_NUM_CPUS", "3"), "RAYON_NUM_THREADS", "- conflict"),
        ("OpenMP's own limit", literal("OMP_THREAD_LIMIT", "3"), "OMP_NUM_THREADS", "- conflict"),
        ("OpenBLAS told already", literal("OPENBLAS_NUM_THREADS", "3"), "OMP_NUM_THREADS", "- conflict"),
        ("MKL told already", literal("MKL_NUM_THREADS", "3"), "OMP_NUM_THREADS", "- conflict"),
        ("numexpr told already", literal("NUMEXPR_NUM_THREADS", "3"), "OMP_NUM_THREADS", "- conflict"),
        ("OpenBLAS by OpenMP's", literal("OMP_NUM_THREADS", "3"), "OPENBLAS_NUM_THREADS", "- conflict"),
        ("OpenBLAS by its older name", literal("GOTO_NUM_THREADS", "3"), "OPENBLAS_NUM_THREADS", "- conflict"),
        ("OpenBLAS by ours", json!({}), "OPENBLAS_NUM_THREADS", "- covered"),
        ("MKL by ours", json!({}), "MKL_NUM_THREADS", "- covered"),
        ("malloc's newer spelling", literal("GLIBC_TUNABLES", ""), "MALLOC_ARENA_MAX", "- conflict"),
        ("another malloc", literal("LD_PRELOAD", "libjemalloc.so.2"), "MALLOC_ARENA_MAX", "- conflict"),
        ("Paketo's launcher", literal("BPL_JVM_HEAD_ROOM", "5"), "JAVA_TOOL_OPTIONS", "- conflict"),
        (".NET by its older name", literal("COMPlus_GCHeapHardLimit", "1"), "DOTNET_GCHeapHardLimit", "- conflict"),
        (".NET by percent", literal("DOTNET_GCHeapHardLimitPercent", "4B"), "DOTNET_GCHeapHardLimit", "- conflict"),
        (".NET at its largest", memory("8Ti"), "DOTNET_GCHeapHardLimit", "0x60000000000"),
        (".NET where it would not start", memory("8193Gi"), "DOTNET_GCHeapHardLimit", "- runtime-knows"),
        ("processors are .NET's own matter", json!({}), "DOTNET_PROCESSOR_COUNT", "- runtime-knows"),
        ("Erlang's other flags", literal("ERL_FLAGS", "-name a"), "ERL_AFLAGS", "- conflict"),
        ("make's jobs", literal("MAKEFLAGS", "-j3"), "CARGO_BUILD_JOBS", "- conflict"),
    ]);
}

#[test]
fn words_of_the_container_work_against_a_variable() {
    let command = |words: &[&str]| json!({"command": words});
    let image = |image: &str| json!({"image": image});
    check(&[
        ("torchrun", command(&["torchrun", "--nproc-per-node=4", "a.py"]), "OMP_NUM_THREADS", "- conflicting-word"),
        ("its path", command(&["/opt/bin/torchrun", "a.py"]), "NUMBA_NUM_THREADS", "- conflicting-word"),
        ("its module", command(&["python", "-m", "torch.distributed.run"]), "OMP_NUM_THREADS", "- conflicting-word"),
        ("Dask", command(&["dask-worker", "tcp://a:8786"]), "OMP_NUM_THREADS", "- conflicting-word"),
        ("Dask's program", command(&["dask", "worker", "tcp://a:8786"]), "OPENBLAS_NUM_THREADS", "- conflicting-word"),
        ("Ray in a script", command(&["sh", "-c", "ray start --block"]), "OMP_NUM_THREADS", "- conflicting-word"),
        ("Ray in args", json!({"args": ["ray", "start"]}), "OMP_NUM_THREADS", "- conflicting-word"),
        ("Spark", command(&["/opt/spark/bin/spark-submit", "a.py"]), "MKL_NUM_THREADS", "- conflicting-word"),
        ("Ray by its image", image("rayproject/ray:2.9.0"), "OMP_NUM_THREADS", "- conflicting-word"),
        ("Ray by an image of its", image("rayproject/ray-ml:2.9.0"), "OMP_NUM_THREADS", "- conflicting-word"),
        ("Spark by its image", image("apache/spark-py:3.5.0"), "OMP_NUM_THREADS", "- conflicting-word"),
        ("a rayon is no ray", command(&["rayon", "--arrays"]), "OMP_NUM_THREADS", "2"),
        ("an array is no ray", image("registry.example/array:1"), "OMP_NUM_THREADS", "2"),
        ("the CPU count all the same", command(&["torchrun", "a.py"]), "PYTHON_CPU_COUNT", "2"),
        ("node's own flag", command(&["node", "--max-old-space-size=99", "a"]), "NODE_OPTIONS", "- conflicting-word"),
        ("with underscores", command(&["node", "--max_old_space_size=99"]), "NODE_OPTIONS", "- conflicting-word"),
        ("in a script", command(&["sh", "-c", "node --max-heap-size=99"]), "NODE_OPTIONS", "- conflicting-word"),
        ("in percent", command(&["node", "--max-old-space-size-percentage=9"]), "NODE_OPTIONS", "- conflicting-word"),
        ("deno's own flags", command(&["deno", "run", "--v8-flags=--a"]), "DENO_V8_FLAGS", "- conflicting-word"),
        ("erl's own flag", json!({"args": ["+S", "4"]}), "ERL_AFLAGS", "- conflicting-word"),
        ("julia's threads", command(&["julia", "-t4", "a.jl"]), "JULIA_NUM_THREADS", "- conflicting-word"),
        ("julia's threads in full", command(&["julia", "--threads", "4"]), "JULIA_NUM_THREADS", "- conflicting-word"),
        ("cargo's jobs", command(&["cargo", "build", "-j", "3"]), "CARGO_BUILD_JOBS", "- conflicting-word"),
    ]);
}

#[test]
fn a_version_that_does_not_know_a_variable_is_not_told() {
    let image = |image: &str| json!({"image": image});
    check(&[
        ("3.12", image("python:3.12"), "PYTHON_CPU_COUNT", "- version-too-old"),
        (
            "3.9 on Debian",
            image("docker.io/library/python:3.9.19-slim-bookworm"),
            "PYTHON_CPU_COUNT",
            "- version-too-old",
        ),
        ("a mirror", image("registry.example:5000/mirror/python:3.11"), "PYTHON_CPU_COUNT", "- version-too-old"),
        ("2", image("python:2"), "PYTHON_CPU_COUNT", "- version-too-old"),
        (
            "a tag beside a digest",
            image(&format!("python:3.12@sha256:{:064}", 0)),
            "PYTHON_CPU_COUNT",
            "- version-too-old",
        ),
        ("3.13", image("python:3.13"), "PYTHON_CPU_COUNT", "2"),
        ("3.14 before its release", image("python:3.14.0rc1-alpine"), "PYTHON_CPU_COUNT", "2"),
        ("3 may be any", image("python:3"), "PYTHON_CPU_COUNT", "2"),
        ("slim may be any", image("python:slim"), "PYTHON_CPU_COUNT", "2"),
        ("OpenMP has no version", image("python:3.9"), "OMP_NUM_THREADS", "2"),
        ("a folder is no image of Python's", image("registry.example/python/worker:1.4"), "PYTHON_CPU_COUNT", "2"),
        ("another's version", image("registry.example/python-operator:0.1"), "PYTHON_CPU_COUNT", "2"),
        ("Java 8 before update 191", image("openjdk:8u181-jdk"), "JAVA_TOOL_OPTIONS", "- version-too-old"),
        ("Java 7", image("openjdk:7-jre"), "JAVA_TOOL_OPTIONS", "- version-too-old"),
        ("Java 9", image("openjdk:9"), "JAVA_TOOL_OPTIONS", "- version-too-old"),
        ("Java 8 since update 191", image("eclipse-temurin:8u392-b08-jre"), "JAVA_TOOL_OPTIONS", JAVA),
        ("Java 8 of any update", image("eclipse-temurin:8"), "JAVA_TOOL_OPTIONS", JAVA),
        ("Java 10", image("openjdk:10"), "JAVA_TOOL_OPTIONS", JAVA),
        ("Java 21", image("eclipse-temurin:21-jre-alpine"), "JAVA_TOOL_OPTIONS", JAVA),
        ("Tomcat 9 is no Java 9", image("tomcat:9.0.83-jdk17"), "JAVA_TOOL_OPTIONS", JAVA),
        (".NET 5", image("mcr.microsoft.com/dotnet/aspnet:5.0"), "DOTNET_GCHeapHardLimit", "- version-too-old"),
        (".NET 8", image("mcr.microsoft.com/dotnet/aspnet:8.0"), "DOTNET_GCHeapHardLimit", "0x60000000"),
    ]);
}

#[test]
fn nothing_but_go_is_injected_into_a_pod_that_names_no_runtime() {
    let default = policy("{}");
    let opted_in = policy("{optIn: [NODE_OPTIONS, JAVA_TOOL_OPTIONS, ERL_AFLAGS, DENO_V8_FLAGS, JULIA_NUM_THREADS]}");
    for policy in [default, opted_in] {
        let trial = Trial::of(&policy, &pod("2", "2Gi"));
        let injected: Vec<_> = trial.injected.keys().map(String::as_str).collect();
        assert_eq!((injected, trial.skipped.len()), (vec!["GOMAXPROCS", "GOMEMLIMIT"], 0));
    }
}

/// Where nothing tells that a program has it, its own name in the policy is enough.
#[test]
fn arenas_are_for_every_container_once_the_policy_names_them() {
    let trial = Trial::of(&policy("{optIn: [MALLOC_ARENA_MAX]}"), &pod("2", "2Gi"));
    assert_eq!(trial.fate("MALLOC_ARENA_MAX"), "16");
}

#[test]
fn annotations_and_policies_switch_variables_off() {
    let rows = [
        ("{}", "GOMEMLIMIT", "GOMEMLIMIT", "- annotation"),
        ("{}", "all", "GOMAXPROCS", "- annotation"),
        ("{}", "runtime-sizing", "GOMAXPROCS", "- annotation"),
        ("{}", "api=GOMAXPROCS", "GOMAXPROCS", "- annotation"),
        (
            "{runtimes: [dotnet], optIn: [DOTNET_GCHeapHardLimit]}",
            "DOTNET_GCHeapHardLimit",
            "DOTNET_GCHeapHardLimit",
            "- annotation",
        ),
        ("{skip: [GOMAXPROCS]}", "probes", "GOMAXPROCS", "- policy"),
        ("{}", "GOMEMLIMIT", "GOMAXPROCS", "2"),
    ];
    for (settings, skip, variable, expected) in rows {
        let trial = Trial::of(&policy(settings), &annotated(pod("2", "2Gi"), &[("podfit.dev/skip", skip)]));
        assert_eq!(trial.fate(variable), expected, "{settings} skip {skip}");
    }
}

/// Asked for by annotation: a warning, unless nothing is lost.
#[test]
fn only_what_was_asked_for_and_cannot_be_had_is_warned_about() {
    let rows: [(&str, &str, Value, &[&str]); 5] = [
        ("podfit.dev/runtimes", "python,dotnet", json!({}), &[]),
        ("podfit.dev/runtimes", "python", json!({"image": "python:3.12"}), &["PYTHON_CPU_COUNT"]),
        ("podfit.dev/runtimes", "rust", json!({"env": [{"name": "RAYON_NUM_THREADS", "value": "1"}]}), &[]),
        ("podfit.dev/runtimes", "go", json!({"env": [{"name": "AUTOMEMLIMIT", "value": "0.9"}]}), &["GOMEMLIMIT"]),
        ("podfit.dev/opt-in", "NODE_OPTIONS", json!({"resources": {"limits": {"memory": "64Mi"}}}), &["NODE_OPTIONS"]),
    ];
    for (key, value, fields, warned) in rows {
        let trial = Trial::of(&policy("{}"), &annotated(pod_with("2", "2Gi", &fields), &[(key, value)]));
        assert_eq!(trial.warned, warned, "{value} {fields}");
    }
}

const JAVA: &str = "-XX:MaxRAMPercentage=75.0 -XX:ActiveProcessorCount=2";

fn check(rows: &[(&str, Value, &str, &str)]) {
    let policy = policy(NAMED);
    for (name, fields, variable, expected) in rows {
        let trial = Trial::of(&policy, &pod_with("2", "2Gi", fields));
        assert_eq!(trial.fate(variable), *expected, "{name}: {fields}");
    }
}
