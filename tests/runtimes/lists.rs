//! Variables that are lists of flags: the user's literal is extended at its end, or left alone; ours are recomputed.

use serde_json::{Value, json};

use crate::trial::{Trial, annotated, pod, pod_with, policy};

const OPTED_IN: &str = "{runtimes: [java, node, deno, erlang], optIn: [JAVA_TOOL_OPTIONS, NODE_OPTIONS, DENO_V8_FLAGS, \
    ERL_AFLAGS]}";

const HEAP: &str = "-XX:MaxRAMPercentage=75.0";
const CPUS: &str = "-XX:ActiveProcessorCount=2";

#[test]
fn a_list_is_extended_or_left_alone() {
    let literal = |name: &str, value: &str| json!({"env": [{"name": name, "value": value}]});
    let java = "JAVA_TOOL_OPTIONS";
    let two = |other: &str, value: &str| json!({"env": [{"name": other, "value": value}, {"name": java, "value": "-javaagent:a.jar"}]});
    let args = |word: &str| json!({"args": ["-jar", word]});
    let secret = json!({"secretKeyRef": {"name": "settings", "key": "key"}});
    check(&[
        ("nothing there", json!({}), "NODE_OPTIONS", "--max-old-space-size=1536"),
        (
            "another flag of node's",
            literal("NODE_OPTIONS", "--require ./x.js"),
            "NODE_OPTIONS",
            "--require ./x.js --max-old-space-size=1536",
        ),
        ("an empty text", literal("NODE_OPTIONS", ""), "NODE_OPTIONS", "--max-old-space-size=1536"),
        (
            "a flag of V8's",
            literal("DENO_V8_FLAGS", "--jitless"),
            "DENO_V8_FLAGS",
            "--jitless,--max-old-space-size=1536",
        ),
        ("another of Erlang's", literal("ERL_AFLAGS", "-kernel a 1"), "ERL_AFLAGS", "-kernel a 1 +S 2:2"),
        ("an agent of Java's", literal(java, "-javaagent:a.jar"), java, &format!("-javaagent:a.jar {HEAP} {CPUS}")),
        ("the heap already", literal(java, "-Xmx512m"), java, &format!("-Xmx512m {CPUS}")),
        (
            "the heap in percent",
            literal(java, "-XX:MaxRAMPercentage=50"),
            java,
            &format!("-XX:MaxRAMPercentage=50 {CPUS}"),
        ),
        (
            "the first heap",
            literal(java, "-XX:InitialRAMPercentage=9"),
            java,
            &format!("-XX:InitialRAMPercentage=9 {CPUS}"),
        ),
        (
            "the processors",
            literal(java, "-XX:ActiveProcessorCount=3"),
            java,
            &format!("-XX:ActiveProcessorCount=3 {HEAP}"),
        ),
        ("both", literal(java, "-Xmx9m -XX:ActiveProcessorCount=3"), java, "- conflicting-word"),
        ("node's heap", literal("NODE_OPTIONS", "--max-old-space-size=9"), "NODE_OPTIONS", "- conflicting-word"),
        ("with underscores", literal("NODE_OPTIONS", "--max_old_space_size=9"), "NODE_OPTIONS", "- conflicting-word"),
        ("Erlang's schedulers", literal("ERL_AFLAGS", "+S 3:3"), "ERL_AFLAGS", "- conflicting-word"),
        ("the heap in args", args("-Xmx512m"), java, CPUS),
        ("the processors in args", args("-XX:ActiveProcessorCount=3"), java, HEAP),
        (
            "the heap in the launcher's variable",
            two("JDK_JAVA_OPTIONS", "-Xmx1g"),
            java,
            &format!("-javaagent:a.jar {CPUS}"),
        ),
        ("the heap in the last word", two("_JAVA_OPTIONS", "-Xmx1g"), java, &format!("-javaagent:a.jar {CPUS}")),
        ("the heap by convention", two("JAVA_OPTS", "-Xmx1g"), java, &format!("-javaagent:a.jar {CPUS}")),
        ("no heap by convention", two("JAVA_OPTS", "-ea"), java, &format!("-javaagent:a.jar {HEAP} {CPUS}")),
        ("who knows by convention", two("JAVA_OPTS", "$(MORE)"), java, "- conflict"),
        ("a reference", literal("NODE_OPTIONS", "$(MORE) --a"), "NODE_OPTIONS", "- not-literal"),
        (
            "from a Secret",
            json!({"env": [{"name": "NODE_OPTIONS", "valueFrom": secret}]}),
            "NODE_OPTIONS",
            "- not-literal",
        ),
        (
            "twice",
            json!({"env": [{"name": "NODE_OPTIONS", "value": "--a"}, {"name": "NODE_OPTIONS", "value": "--b"}]}),
            "NODE_OPTIONS",
            "- not-literal",
        ),
        ("envFrom", json!({"envFrom": [{"secretRef": {"name": "a"}}]}), "NODE_OPTIONS", "- env-from"),
        (
            "a text that hides envFrom",
            json!({"envFrom": [{"secretRef": {"name": "a"}}], "env": [{"name": "NODE_OPTIONS", "value": "--a"}]}),
            "NODE_OPTIONS",
            "--a --max-old-space-size=1536",
        ),
        (
            "envFrom may hold the heap",
            json!({"envFrom": [{"secretRef": {"name": "a"}}], "env": [{"name": java, "value": "-ea"}]}),
            java,
            "- env-from",
        ),
    ]);
}

/// Another webhook changed the limits between two calls: only what we added follows.
#[test]
fn our_own_part_follows_the_limits_and_the_users_stays() {
    let rows = [
        ("NODE_OPTIONS", "", "--max-old-space-size=384"),
        ("NODE_OPTIONS", "--require ./x.js ", "--require ./x.js  --max-old-space-size=384"),
        ("DENO_V8_FLAGS", "--jitless", "--jitless,--max-old-space-size=384"),
        ("ERL_AFLAGS", "-kernel a 1", "-kernel a 1 +S 4:4"),
        ("JAVA_TOOL_OPTIONS", "", "-XX:MaxRAMPercentage=65.0 -XX:ActiveProcessorCount=4"),
        ("JAVA_TOOL_OPTIONS", "-ea", "-ea -XX:MaxRAMPercentage=65.0 -XX:ActiveProcessorCount=4"),
        // The user's own flags look like ours.
        ("JAVA_TOOL_OPTIONS", "-XX:MaxRAMPercentage=75.0", "-XX:MaxRAMPercentage=75.0 -XX:ActiveProcessorCount=4"),
        ("JAVA_TOOL_OPTIONS", CPUS, "-XX:ActiveProcessorCount=2 -XX:MaxRAMPercentage=65.0"),
    ];
    for (variable, users, expected) in rows {
        let fields = if users.is_empty() { json!({}) } else { json!({"env": [{"name": variable, "value": users}]}) };
        let first = Trial::of(&policy(OPTED_IN), &pod_with("2", "2Gi", &fields));
        let again = Trial::of(&policy(OPTED_IN), &first.pod);
        assert_eq!((again.fate(variable), &again.pod), ("- already-injected".into(), &first.pod), "{users}");
        let third = Trial::of(&policy(OPTED_IN), &resized(first.pod));
        assert_eq!(third.fate(variable), expected, "{users}");
        let fourth = Trial::of(&policy(OPTED_IN), &third.pod);
        assert_eq!((fourth.fate(variable), fourth.pod), ("- already-injected".into(), third.pod), "{users}");
    }
}

#[test]
fn our_own_numbers_follow_the_limits() {
    let settings = "{runtimes: [go, rust, python], values: Literal}";
    let first = Trial::of(&policy(settings), &pod("2", "2Gi"));
    let second = Trial::of(&policy(settings), &resized(first.pod));
    let changed: Vec<_> = second.injected.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(
        changed,
        [
            "GOMAXPROCS=4",
            "GOMEMLIMIT=483183820",
            "NUMBA_NUM_THREADS=4",
            "OMP_NUM_THREADS=4",
            "PYTHON_CPU_COUNT=4",
            "RAYON_NUM_THREADS=4",
            "TOKIO_WORKER_THREADS=4",
        ]
    );
}

/// A literal that nobody recorded, or that was changed since, is the user's.
#[test]
fn only_recorded_values_are_ours() {
    let first = Trial::of(&policy("{values: Literal}"), &pod("2", "2Gi"));
    let mut touched = resized(first.pod.clone());
    touched["spec"]["containers"][0]["env"][0]["value"] = json!("3");
    assert_eq!(Trial::of(&policy("{values: Literal}"), &touched).fate("GOMAXPROCS"), "- user-set");
    let unrecorded = annotated(resized(first.pod), &[("podfit.dev/injected", "{}")]);
    assert_eq!(Trial::of(&policy("{values: Literal}"), &unrecorded).fate("GOMAXPROCS"), "- user-set");
}

fn resized(mut pod: Value) -> Value {
    pod["spec"]["containers"][0]["resources"]["limits"] = json!({"cpu": "4", "memory": "512Mi"});
    pod
}

fn check(rows: &[(&str, Value, &str, &str)]) {
    for (name, fields, variable, expected) in rows {
        let trial = Trial::of(&policy(OPTED_IN), &pod_with("2", "2Gi", fields));
        assert_eq!(trial.fate(variable), *expected, "{name}: {fields}");
        let again = Trial::of(&policy(OPTED_IN), &trial.pod);
        assert_eq!(again.pod, trial.pod, "{name}, twice");
    }
}
