//! What gives a runtime away, what nearly does, and which of several signals counts.

use serde_json::{Value, json};

use crate::trial::{Trial, annotated, pod_with, policy};

/// One variable per runtime that a Pod can be found to have, opted in where its tier asks.
const TELLING: [(&str, &str); 10] = [
    ("rust", "TOKIO_WORKER_THREADS"),
    ("python", "PYTHON_CPU_COUNT"),
    ("java", "JAVA_TOOL_OPTIONS"),
    ("node", "NODE_OPTIONS"),
    ("deno", "DENO_V8_FLAGS"),
    ("dotnet", "DOTNET_GCHeapHardLimit"),
    ("erlang", "ERL_AFLAGS"),
    ("nginx", "NGINX_ENTRYPOINT_WORKER_PROCESSES_AUTOTUNE"),
    ("julia", "JULIA_NUM_THREADS"),
    ("build", "CARGO_BUILD_JOBS"),
];

const OPTED_IN: &str = "{runtimes: [], optIn: [JAVA_TOOL_OPTIONS, NODE_OPTIONS, DENO_V8_FLAGS, DOTNET_GCHeapHardLimit, \
    ERL_AFLAGS, NGINX_ENTRYPOINT_WORKER_PROCESSES_AUTOTUNE, JULIA_NUM_THREADS, CARGO_BUILD_JOBS]}";

#[test]
fn programs() {
    let command = |words: &[&str]| json!({"command": words});
    let args = |words: &[&str]| json!({"args": words});
    check(&[
        ("java", command(&["java", "-jar", "app.jar"]), "java: the command java"),
        ("its path", command(&["/opt/java/bin/java", "-jar", "app.jar"]), "java: the command java"),
        ("its argument", command(&["java"]), "java: the command java"),
        ("python with its version", command(&["python3.13", "app.py"]), "python: the command python3.13"),
        ("gunicorn", command(&["gunicorn", "app:app"]), "python: the command gunicorn"),
        ("npm", command(&["npm", "start"]), "node: the command npm"),
        ("deno", command(&["deno", "run", "app.ts"]), "deno: the command deno"),
        ("dotnet", command(&["dotnet", "app.dll"]), "dotnet: the command dotnet"),
        ("mix", command(&["mix", "phx.server"]), "erlang: the command mix"),
        ("nginx", command(&["nginx", "-g", "daemon off;"]), "nginx: the command nginx"),
        ("julia", command(&["julia", "app.jl"]), "julia: the command julia"),
        (
            "cargo builds, and runs Rust",
            command(&["cargo", "test"]),
            "rust: the command cargo, build: the command cargo",
        ),
        ("args with a program", args(&["python", "app.py"]), "python: the command python"),
        ("args with a program and options", args(&["java", "-jar", "app.jar"]), "java: the command java"),
        ("a sub-command of a storage driver", args(&["node", "--endpoint=unix:///csi.sock"]), "-"),
        ("a lone sub-command", args(&["node"]), "-"),
        ("options alone", args(&["--java", "java"]), "-"),
        ("not the first word", command(&["server", "node"]), "-"),
        ("not a part of a word", command(&["node-exporter", "--path=/"]), "-"),
        ("not a script of that name", command(&["./python.sh"]), "-"),
        ("not another's version", command(&["java2wsdl"]), "-"),
    ]);
}

#[test]
fn scripts_and_wrappers() {
    let command = |words: &[&str]| json!({"command": words});
    check(&[
        ("a script", command(&["sh", "-c", "python app.py"]), "python: the command python"),
        ("a script in args", json!({"command": ["/bin/sh"], "args": ["-c", "node app.js"]}), "node: the command node"),
        ("a script in args alone", json!({"args": ["sh", "-c", "node app.js"]}), "node: the command node"),
        ("exec", command(&["/bin/bash", "-c", "exec java -jar app.jar"]), "java: the command java"),
        ("options together", command(&["bash", "-euc", "exec java -jar app.jar"]), "java: the command java"),
        ("options apart", command(&["bash", "-e", "-c", "java -jar app.jar"]), "java: the command java"),
        ("long options", command(&["bash", "--norc", "-c", "java -jar app.jar"]), "java: the command java"),
        ("behind a folder", command(&["sh", "-c", "cd /app && exec java -jar app.jar"]), "java: the command java"),
        (
            "on a line of its own",
            command(&["sh", "-c", "set -e\nmigrate;\n  julia app.jl"]),
            "julia: the command julia",
        ),
        ("behind others", command(&["sh", "-c", "set -e; sleep 1 || true; node app.js"]), "node: the command node"),
        ("assignments", command(&["sh", "-c", "NODE=1 MODE='a java b' python app.py"]), "python: the command python"),
        ("quotes", command(&["sh", "-c", "\"/opt/my java/bin/java\" -jar app.jar"]), "java: the command java"),
        ("words in quotes are no programs", command(&["sh", "-c", "echo 'a; java b' && ./server"]), "-"),
        ("an argument is no program", command(&["sh", "-c", "./server --runtime node"]), "-"),
        ("a script without text", command(&["sh", "-c"]), "-"),
        ("a script file", command(&["sh", "java.sh"]), "-"),
        ("a quote left open", command(&["sh", "-c", "'java"]), "-"),
        ("tini", command(&["/sbin/tini", "--", "python", "app.py"]), "python: the command python"),
        ("dumb-init", command(&["dumb-init", "node", "app.js"]), "node: the command node"),
        ("env", command(&["/usr/bin/env", "-i", "A=1", "java", "-jar", "app.jar"]), "java: the command java"),
        ("tini and a script", command(&["tini", "-g", "--", "sh", "-c", "exec node app.js"]), "node: the command node"),
        (
            "instrumented",
            command(&["opentelemetry-instrument", "./app"]),
            "python: the command opentelemetry-instrument",
        ),
    ]);
}

#[test]
fn variables() {
    let env = |names: &[&str]| {
        let env: Vec<_> = names.iter().map(|name| json!({"name": name, "value": "1"})).collect();
        json!({"env": env})
    };
    check(&[
        ("Rust's log", env(&["RUST_LOG"]), "rust: the variable RUST_LOG"),
        ("Django", env(&["DJANGO_SETTINGS_MODULE"]), "python: the variable DJANGO_SETTINGS_MODULE"),
        ("Spring", env(&["SPRING_DATASOURCE_URL"]), "java: the variable SPRING_DATASOURCE_URL"),
        ("node", env(&["NODE_ENV"]), "node: the variable NODE_ENV"),
        ("ASP.NET", env(&["ASPNETCORE_URLS"]), "dotnet: the variable ASPNETCORE_URLS"),
        ("an Erlang release", env(&["RELEASE_COOKIE"]), "erlang: the variable RELEASE_COOKIE"),
        ("two runtimes", env(&["NODE_ENV", "RUST_LOG"]), "rust: the variable RUST_LOG, node: the variable NODE_ENV"),
        ("the node's name", env(&["NODE_NAME", "NODE_IP"]), "-"),
        ("a word that begins alike", env(&["JAVA", "SPRING", "PYTHON", "RUST_LOGS"]), "-"),
    ]);
}

#[test]
fn images() {
    let image = |image: &str| json!({"image": image});
    check(&[
        ("python", image("python:3.13-slim"), "python: the image component python"),
        ("in full", image("docker.io/library/node:24"), "node: the image component node"),
        ("a mirror", image("registry.example:5000/mirror/node:24"), "node: the image component node"),
        ("a folder", image("mcr.microsoft.com/dotnet/runtime:8.0"), "dotnet: the image component dotnet"),
        ("by digest", image(&format!("eclipse-temurin@sha256:{:064}", 0)), "java: the image component eclipse-temurin"),
        ("a product", image("tomcat:10"), "java: the image component tomcat"),
        (
            "nginx without root",
            image("nginxinc/nginx-unprivileged:1.27"),
            "nginx: the image component nginx-unprivileged",
        ),
        ("a program for nodes", image("quay.io/prometheus/node-exporter:v1.8.2"), "-"),
        ("an operator", image("registry.example/python-operator:1"), "-"),
        ("another language", image("registry.example/javascript:1"), "-"),
        ("a registry", image("python.example/api:1"), "-"),
        ("a registry that is a word", image("python:5000/api:1"), "-"),
        ("a tag", image("registry.example/api:python"), "-"),
        ("unreadable", image("Python:3.13"), "-"),
    ]);
}

/// A name, annotations, what is found.
type Row<'a> = (&'a str, Vec<(String, &'a str)>, String);

#[test]
fn instrumentation() {
    let otel = |language: &str| format!("instrumentation.opentelemetry.io/inject-{language}");
    let datadog = |language: &str| format!("admission.datadoghq.com/{language}-lib.version");
    let names = "instrumentation.opentelemetry.io/container-names".to_owned();
    let python_names = "instrumentation.opentelemetry.io/python-container-names".to_owned();
    let by_otel = "an OpenTelemetry annotation";
    let rows: Vec<Row> = vec![
        ("python", vec![(otel("python"), "true")], format!("python: {by_otel}")),
        ("by the name of a resource", vec![(otel("java"), "observability/java")], format!("java: {by_otel}")),
        ("nodejs", vec![(otel("nodejs"), "true")], format!("node: {by_otel}")),
        ("dotnet", vec![(otel("dotnet"), "true")], format!("dotnet: {by_otel}")),
        ("switched off", vec![(otel("python"), "false")], "-".into()),
        ("the SDK alone is no language", vec![(otel("sdk"), "true")], "-".into()),
        ("all of them tell nothing", vec![(otel("java"), "true"), (otel("python"), "true")], "-".into()),
        ("one of them off", vec![(otel("java"), "false"), (otel("python"), "true")], format!("python: {by_otel}")),
        ("one of them unknown", vec![(otel("nginx"), "true"), (otel("python"), "true")], "-".into()),
        ("this container", vec![(otel("python"), "true"), (names.clone(), "web,api")], format!("python: {by_otel}")),
        ("another container", vec![(otel("python"), "true"), (names, "web")], "-".into()),
        (
            "another container for Python",
            vec![(otel("python"), "true"), (otel("java"), "true"), (python_names, "web")],
            format!("java: {by_otel}"),
        ),
        ("Datadog", vec![(datadog("python"), "v2")], "python: a Datadog annotation".into()),
        ("JavaScript", vec![(datadog("js"), "v5")], "node: a Datadog annotation".into()),
        ("Datadog for this container", vec![(datadog("api.java"), "v1")], "java: a Datadog annotation".into()),
        ("Datadog for another container", vec![(datadog("web.java"), "v1")], "-".into()),
        ("both, agreed", vec![(datadog("java"), "v1"), (otel("java"), "true")], String::from("java")),
    ];
    for (name, annotations, expected) in rows {
        let annotations: Vec<_> = annotations.iter().map(|(key, value)| (key.as_str(), *value)).collect();
        let found = found(&annotated(pod_with("2", "2Gi", &json!({})), &annotations));
        assert!(if expected == "java" { found.starts_with("java: ") } else { found == expected }, "{name}: {found}");
    }
}

/// Our annotation, instrumentation, program, variables, image: the first class with an answer decides.
#[test]
fn the_strongest_class_of_signals_decides() {
    let mut pod = pod_with(
        "2",
        "2Gi",
        &json!({"image": "node:24", "env": [{"name": "RAILS_ENV", "value": "test"}], "command": ["java", "-jar", "a"]}),
    );
    pod =
        annotated(pod, &[("podfit.dev/runtimes", "rust"), ("instrumentation.opentelemetry.io/inject-python", "true")]);
    let ruby = policy("{runtimes: [], optIn: [JAVA_TOOL_OPTIONS, NODE_OPTIONS, MALLOC_ARENA_MAX]}");
    let mut order = Vec::new();
    let mut strip: Vec<fn(&mut Value)> = vec![
        |pod| drop(pod["metadata"]["annotations"].as_object_mut().unwrap().remove("podfit.dev/runtimes")),
        |pod| drop(pod["metadata"].as_object_mut().unwrap().remove("annotations")),
        |pod| drop(pod["spec"]["containers"][0].as_object_mut().unwrap().remove("command")),
        |pod| drop(pod["spec"]["containers"][0].as_object_mut().unwrap().remove("env")),
    ];
    strip.reverse();
    loop {
        let signals = Trial::of(&ruby, &pod).signals;
        order.push(signals.into_values().find(|signal| signal != "the policy").unwrap());
        let Some(strip) = strip.pop() else { break };
        strip(&mut pod);
    }
    assert_eq!(
        order,
        [
            "the Pod's annotation",
            "an OpenTelemetry annotation",
            "the command java",
            "the variable RAILS_ENV",
            "the image component node",
        ]
    );
}

#[test]
fn switched_off_detection_finds_nothing() {
    let off = policy("{detect: false}");
    let trial = Trial::of(&off, &pod_with("2", "2Gi", &json!({"image": "python:3.13"})));
    assert_eq!(trial.injected.into_keys().collect::<Vec<_>>(), ["GOMAXPROCS", "GOMEMLIMIT"]);
}

/// A guess is not enough for threads that other programs set for themselves.
#[test]
fn a_detected_runtime_gets_its_own_variables_only() {
    let trial = Trial::of(&policy("{}"), &pod_with("2", "2Gi", &json!({"command": ["python", "a.py"]})));
    assert_eq!(trial.injected.into_keys().collect::<Vec<_>>(), ["GOMAXPROCS", "GOMEMLIMIT", "PYTHON_CPU_COUNT"]);
}

/// What we put there is no word of the user's: a second look finds what the first one found.
#[test]
fn our_own_variables_are_no_signals() {
    let named = annotated(pod_with("2", "2Gi", &json!({})), &[("podfit.dev/runtimes", "rust")]);
    let first = Trial::of(&policy("{runtimes: []}"), &named);
    let mut later = first.pod.clone();
    later["metadata"]["annotations"].as_object_mut().unwrap().remove("podfit.dev/runtimes");
    let second = Trial::of(&policy("{runtimes: []}"), &later);
    assert_eq!((second.pod, second.skipped.len()), (later, 0));
}

fn check(rows: &[(&str, Value, &str)]) {
    for (name, fields, expected) in rows {
        assert_eq!(found(&pod_with("2", "2Gi", fields)), *expected, "{name}: {fields}");
    }
}

/// The runtimes found in a Pod, each with its signal.
fn found(pod: &Value) -> String {
    let signals = Trial::of(&policy(OPTED_IN), pod).signals;
    let told = TELLING.iter().filter_map(|(runtime, variable)| Some(format!("{runtime}: {}", signals.get(*variable)?)));
    let told: Vec<_> = told.collect();
    if told.is_empty() { "-".to_owned() } else { told.join(", ") }
}
