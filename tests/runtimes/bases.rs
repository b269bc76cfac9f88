//! What values are computed from: limits, requests, the Pod's own limits, processes; live or literal.

use serde_json::{Value, json};

use crate::trial::{Trial, annotated, pod, pod_with, policy};

const REQUESTS: &str = "{runtimes: [go, rust, python, dotnet], cpuFrom: LimitsElseRequests}";

#[test]
fn requests_where_there_is_no_limit() {
    let requested = |request: &str| json!({"resources": {"requests": {"cpu": request}}});
    let rows = [
        ("a quarter of a core", REQUESTS, requested("250m"), "GOMAXPROCS", "2"),
        ("rounded up", REQUESTS, requested("600m"), "GOMAXPROCS", "3"),
        ("the smallest", REQUESTS, requested("100m"), "GOMAXPROCS", "2"),
        ("there to be scheduled", REQUESTS, requested("99m"), "GOMAXPROCS", "- request-too-small"),
        ("half of that", REQUESTS, requested("50m"), "GOMAXPROCS", "- request-too-small"),
        ("none", REQUESTS, json!({"resources": {}}), "GOMAXPROCS", "- no-limit"),
        ("zero", REQUESTS, requested("0"), "GOMAXPROCS", "- no-limit"),
        ("threads", REQUESTS, requested("600m"), "TOKIO_WORKER_THREADS", "3"),
        ("Python", REQUESTS, requested("600m"), "PYTHON_CPU_COUNT", "3"),
        (".NET has no limit to count by", REQUESTS, requested("600m"), "DOTNET_PROCESSOR_COUNT", "3"),
        ("too many", REQUESTS, requested("16250m"), "GOMAXPROCS", "- above-cap"),
        ("a limit is there", REQUESTS, limits_and_request("5", "600m"), "GOMAXPROCS", "5"),
        (
            "memory has no request to go by",
            REQUESTS,
            json!({"resources": {"requests": {"memory": "1Gi"}}}),
            "GOMEMLIMIT",
            "- no-limit",
        ),
        ("requests alone", "{cpuFrom: Requests}", limits_and_request("5", "600m"), "GOMAXPROCS", "3"),
        ("never above the limit", "{cpuFrom: Requests}", limits_and_request("2500m", "2"), "GOMAXPROCS", "3"),
        ("never above one core", "{cpuFrom: Requests}", limits_and_request("500m", "500m"), "GOMAXPROCS", "1"),
        ("as the API server makes them", "{cpuFrom: Requests}", limits("3"), "GOMAXPROCS", "3"),
        ("twice a core", "{cpuFrom: Requests, requestFactor: 2}", limits_and_request("9", "1500m"), "GOMAXPROCS", "3"),
        ("limits alone", "{cpuFrom: Limits}", requested("600m"), "GOMAXPROCS", "- no-limit"),
    ];
    for (name, settings, fields, variable, expected) in rows {
        let trial = Trial::of(&policy(settings), &pod_with("-", "-", &fields));
        assert_eq!(trial.fate(variable), expected, "{name}");
    }
}

#[test]
fn the_limits_of_the_pod_itself() {
    let mut own = pod("-", "-");
    own["spec"]["resources"] = json!({"limits": {"cpu": "2500m", "memory": "2Gi"}});
    let alone = Trial::of(&policy("{}"), &own);
    assert_eq!((alone.fate("GOMAXPROCS"), alone.fate("GOMEMLIMIT")), ("3".into(), "1932735283".into()));
    let mut shared = own.clone();
    shared["spec"]["containers"]
        .as_array_mut()
        .unwrap()
        .push(json!({"name": "web", "image": "registry.example/web:1"}));
    assert_eq!(Trial::of(&policy("{}"), &shared).fate("GOMAXPROCS"), "- pod-limit-shared");
    let mut sidecar = own.clone();
    sidecar["spec"]["initContainers"] = json!([{"name": "mesh", "image": "mesh:1", "restartPolicy": "Always"}]);
    assert_eq!(Trial::of(&policy("{}"), &sidecar).fate("GOMEMLIMIT"), "- pod-limit-shared");
    sidecar["spec"]["initContainers"] = json!([{"name": "migrate", "image": "migrate:1"}]);
    assert_eq!(Trial::of(&policy("{}"), &sidecar).fate("GOMEMLIMIT"), "1932735283");
}

#[test]
fn processes_share_what_rounds_down() {
    let rows = [
        ("4", "TOKIO_WORKER_THREADS", "2"),
        ("4", "OMP_NUM_THREADS", "2"),
        ("4", "GOMAXPROCS", "8"),
        ("4", "PYTHON_CPU_COUNT", "8"),
        ("3", "OMP_NUM_THREADS", "2"),
        ("100", "OMP_NUM_THREADS", "1"),
        ("api=2", "OMP_NUM_THREADS", "4"),
        ("0", "OMP_NUM_THREADS", "8"),
        ("many", "OMP_NUM_THREADS", "8"),
    ];
    for (processes, variable, expected) in rows {
        let pod = annotated(pod("8", "2Gi"), &[("podfit.dev/processes", processes)]);
        let trial = Trial::of(&policy("{runtimes: [go, rust, python]}"), &pod);
        assert_eq!(trial.fate(variable), expected, "{processes} {variable}");
    }
}

/// Live where the kubelet rounds as the variable does, and the number it makes is one that the variable may have.
#[test]
fn live_and_literal() {
    let restart = json!({"resizePolicy": [{"resourceName": "memory", "restartPolicy": "RestartContainer"}]});
    let rows = [
        ("above one core", "1001m", "1Gi", json!({}), "GOMAXPROCS", "limits.cpu/1"),
        ("up to one core", "1", "1Gi", json!({}), "GOMAXPROCS", "2"),
        ("Python has no minimum of two", "500m", "1Gi", json!({}), "PYTHON_CPU_COUNT", "limits.cpu/1"),
        ("down is no way the kubelet rounds", "4", "1Gi", json!({}), "TOKIO_WORKER_THREADS", "4"),
        ("memory, literal", "4", "1Gi", json!({}), "GOMEMLIMIT", "966367641"),
        ("memory that restarts", "4", "1Gi", restart.clone(), "GOMEMLIMIT", "$(PODFIT_MEMORY_LIMIT_MI)000000"),
        ("its helper", "4", "1Gi", restart.clone(), "PODFIT_MEMORY_LIMIT_MI", "limits.memory/1Mi"),
        ("the smallest", "4", "32Mi", restart.clone(), "GOMEMLIMIT", "$(PODFIT_MEMORY_LIMIT_MI)000000"),
        ("too small for the rounding", "4", "33554431", restart, "GOMEMLIMIT", "30198987"),
        ("flags", "4", "1Gi", json!({}), "JAVA_TOOL_OPTIONS", "-XX:MaxRAMPercentage=75.0 -XX:ActiveProcessorCount=4"),
    ];
    let settings = "{runtimes: [go, rust, python, java], optIn: [JAVA_TOOL_OPTIONS]}";
    for (name, cpu, memory, fields, variable, expected) in rows {
        let trial = Trial::of(&policy(settings), &pod_with(cpu, memory, &fields));
        let env = trial.pod["spec"]["containers"][0]["env"].as_array().unwrap().clone();
        let found = env.iter().find(|found| found["name"] == variable).map(written).unwrap();
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn memory_that_is_not_the_runtimes() {
    let volumes = json!([
        {"name": "scratch", "emptyDir": {"medium": "Memory", "sizeLimit": "256Mi"}},
        {"name": "disk", "emptyDir": {"sizeLimit": "512Mi"}},
        {"name": "large", "emptyDir": {"medium": "Memory", "sizeLimit": "600Mi"}},
    ]);
    let rows = [
        ("on disk", "{}", vec!["disk"], "966367641"),
        ("in memory", "{}", vec!["scratch"], "724775731"),
        ("under half is left", "{}", vec!["large"], "- below-minimum"),
        ("more headroom", "{headroomPercent: 20}", vec![], "858993459"),
        ("half", "{headroomPercent: 50}", vec![], "536870912"),
    ];
    for (name, settings, mounts, expected) in rows {
        let mounts: Vec<_> = mounts.iter().map(|name| json!({"name": name, "mountPath": "/mnt"})).collect();
        let mut pod = pod_with("2", "1Gi", &json!({"volumeMounts": mounts}));
        pod["spec"]["volumes"] = volumes.clone();
        assert_eq!(Trial::of(&policy(settings), &pod).fate("GOMEMLIMIT"), expected, "{name}");
    }
}

/// The policy's own variables, by the same arithmetic.
#[test]
fn variables_of_the_platform() {
    let rows = [
        ("{name: A, from: cpu}", "1500m", "2"),
        ("{name: A, from: cpu, rounding: Down}", "1500m", "1"),
        ("{name: A, from: cpu, rounding: Down}", "999m", "- below-minimum"),
        ("{name: A, from: cpu, rounding: Down, min: 1}", "999m", "1"),
        ("{name: A, from: cpu, multiply: \"2\"}", "1500m", "3"),
        ("{name: A, from: cpu, multiply: \"0.5\", rounding: Up}", "3", "2"),
        ("{name: A, from: cpu, max: 4}", "100", "4"),
        ("{name: A, from: cpu}", "100", "- above-cap"),
        ("{name: A, from: cpu, format: \"-j{}\"}", "4", "-j4"),
        ("{name: A, from: memory, multiply: \"0.5\", rounding: Down, format: \"{}B\"}", "1", "536870912B"),
        ("{name: A, from: cpu}", "-", "- no-limit"),
    ];
    for (variable, cpu, expected) in rows {
        let trial = Trial::of(&policy(&format!("{{variables: [{variable}]}}")), &pod(cpu, "1Gi"));
        assert_eq!(trial.fate("A"), expected, "{variable} {cpu}");
    }
    let own = policy("{variables: [{name: GOMAXPROCS, from: cpu, max: 3}]}");
    let trial = Trial::of(&own, &pod("4", "1Gi"));
    assert_eq!(trial.fate("GOMAXPROCS"), "3", "the policy's own takes the place of the catalogue's");
    assert_eq!(Trial::of(&own, &trial.pod).pod, trial.pod, "twice");
    let requested = pod_with("-", "-", &json!({"resources": {"limits": {"cpu": "3"}, "requests": {"cpu": "1"}}}));
    let trial =
        Trial::of(&policy("{cpuFrom: Requests, variables: [{name: A, from: cpu, multiply: \"2\"}]}"), &requested);
    assert_eq!(trial.fate("A"), "6", "twice the three cores that four workers per requested core may have");
}

#[test]
fn windows_is_left_alone() {
    let mut windows = pod("2", "1Gi");
    windows["spec"]["os"] = json!({"name": "windows"});
    assert_eq!(Trial::of(&policy("{}"), &windows).fate("GOMAXPROCS"), "- windows");
}

fn limits(cpu: &str) -> Value {
    json!({"resources": {"limits": {"cpu": cpu}}})
}

fn limits_and_request(limit: &str, request: &str) -> Value {
    json!({"resources": {"limits": {"cpu": limit}, "requests": {"cpu": request}}})
}

/// A variable's value as it stands in the Pod.
fn written(variable: &Value) -> String {
    let field = &variable["valueFrom"]["resourceFieldRef"];
    match (variable["value"].as_str(), field["resource"].as_str()) {
        (Some(value), _) => value.to_owned(),
        (None, Some(resource)) => format!("{resource}/{}", field["divisor"].as_str().unwrap()),
        _ => variable.to_string(),
    }
}
