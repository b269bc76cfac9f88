//! Pods and templates as people, other webhooks and attackers write them: every field that podfit reads in every shape,
//! unknown fields and nulls in between.

use serde_json::{Map, Value, json};

use super::choices::Choices;

/// Stands in what may be secret (env values, annotations, unknown fields), and must never be told.
pub const SECRET: &str = "s3cr3t";

type Members = Map<String, Value>;

pub fn pod(choices: &mut Choices) -> Value {
    let mut pod = template(choices);
    let members = pod.as_object_mut().unwrap();
    members.insert("apiVersion".to_owned(), json!("v1"));
    members.insert("kind".to_owned(), json!("Pod"));
    finished(pod, choices)
}

/// Group, kind and object of a template's owner.
pub fn workload(choices: &mut Choices) -> (&'static str, &'static str, Value) {
    let template = template(choices);
    let (group, kind) = *choices.pick(&[
        ("apps", "Deployment"),
        ("apps", "StatefulSet"),
        ("apps", "DaemonSet"),
        ("apps", "ReplicaSet"),
        ("", "ReplicationController"),
        ("batch", "Job"),
        ("batch", "CronJob"),
        ("", "PodTemplate"),
    ]);
    let mut object = match kind {
        "CronJob" => json!({"spec": {"schedule": "@daily", "jobTemplate": {"spec": {"template": template}}}}),
        "PodTemplate" => json!({"template": template}),
        _ => json!({"spec": {"replicas": 2, "template": template}}),
    };
    let mut metadata = json!({"name": "owner"});
    if choices.chance(10) {
        metadata["ownerReferences"] = json!([{"kind": "Deployment", "controller": true}]);
    }
    object["metadata"] = metadata;
    object["kind"] = json!(kind);
    (group, kind, finished(object, choices))
}

/// The same tree with the keys of every map in another order.
pub fn shuffled(value: &Value, choices: &mut Choices) -> Value {
    match value {
        Value::Array(items) => items.iter().map(|item| shuffled(item, choices)).collect(),
        Value::Object(members) => {
            let mut left: Vec<_> = members.iter().collect();
            let mut mixed = Members::new();
            while !left.is_empty() {
                let (key, value) = left.remove(choices.below(left.len()));
                mixed.insert(key.clone(), shuffled(value, choices));
            }
            mixed.into()
        }
        plain => plain.clone(),
    }
}

fn finished(mut object: Value, choices: &mut Choices) -> Value {
    if choices.chance(50) {
        sprinkle(&mut object, choices);
    }
    if choices.chance(30) { shuffled(&object, choices) } else { object }
}

/// Unknown fields in maps and nulls in lists. Maps of texts alone are left as they are: there it would be a wrong type.
fn sprinkle(value: &mut Value, choices: &mut Choices) {
    match value {
        Value::Array(items) => {
            for item in items.iter_mut() {
                sprinkle(item, choices);
            }
            if choices.chance(4) {
                items.insert(choices.below(items.len() + 1), Value::Null);
            }
        }
        Value::Object(members) => {
            for (key, member) in members.iter_mut() {
                if !matches!(key.as_str(), "annotations" | "labels" | "nodeSelector") {
                    sprinkle(member, choices);
                }
            }
            if choices.chance(15) {
                let unknown = [
                    json!(null),
                    json!(SECRET),
                    json!({"env": [{"name": "GOMAXPROCS", "value": SECRET}], "~/": 1.50}),
                    json!([[], {}, null, -0.0, 18_446_744_073_709_551_615_u64, "\u{0}\u{7f}\u{2028}é"]),
                ];
                members.insert("x-unknown/~\"".to_owned(), choices.pick(&unknown).clone());
            }
        }
        _ => {}
    }
}

/// Absent, `null` or given.
fn maybe(members: &mut Members, key: &str, choices: &mut Choices, value: impl FnOnce(&mut Choices) -> Value) {
    match choices.below(10) {
        0..4 => {}
        4 => drop(members.insert(key.to_owned(), Value::Null)),
        _ => drop(members.insert(key.to_owned(), value(choices))),
    }
}

fn list(choices: &mut Choices, most: usize, mut element: impl FnMut(&mut Choices) -> Value) -> Value {
    (0..choices.below(most + 1)).map(|_| element(choices)).collect()
}

fn object(fill: impl FnOnce(&mut Members)) -> Value {
    let mut members = Members::new();
    fill(&mut members);
    members.into()
}

fn template(choices: &mut Choices) -> Value {
    let spec = spec(choices);
    object(|members| {
        if !choices.chance(3) {
            members.insert("metadata".to_owned(), metadata(&spec, choices));
        }
        members.insert("spec".to_owned(), spec);
    })
}

fn spec(choices: &mut Choices) -> Value {
    object(|spec| {
        for (key, names, least) in [
            ("initContainers", &["init", "mesh", ""], 0),
            ("containers", &["app", "worker", "app"], 1),
            ("ephemeralContainers", &["debugger", "", "app"], 0),
        ] {
            let count = least + if choices.chance(40) { choices.below(4 - least) } else { 0 };
            if count > 0 || choices.chance(10) {
                let containers = names.iter().take(count).map(|name| container(name, choices)).collect();
                spec.insert(key.to_owned(), containers);
            }
        }
        maybe(spec, "volumes", choices, |choices| list(choices, 3, volume));
        if choices.chance(25) {
            spec.insert("resources".to_owned(), resources(choices));
        }
        if choices.chance(50) {
            maybe(spec, "restartPolicy", choices, |choices| json!(choices.pick(&["Always", "", "Never", "OnFailure"])));
        }
        if choices.chance(10) {
            maybe(spec, "hostNetwork", choices, |choices| json!(choices.chance(50)));
        }
        if choices.chance(10) {
            maybe(spec, "os", choices, |choices| json!({"name": choices.pick(&["linux", "windows"])}));
            maybe(spec, "nodeSelector", choices, |_| json!({"kubernetes.io/os": "windows"}));
        }
        if choices.chance(10) {
            spec.insert("priorityClassName".to_owned(), json!("system-node-critical"));
        }
    })
}

fn container(name: &str, choices: &mut Choices) -> Value {
    object(|container| {
        container.insert("name".to_owned(), json!(name));
        maybe(container, "image", choices, |choices| json!(choices.pick(&IMAGES)));
        if choices.chance(20) {
            maybe(container, "command", choices, |choices| list(choices, 3, word));
            maybe(container, "args", choices, |choices| list(choices, 3, word));
        }
        maybe(container, "env", choices, |choices| list(choices, 5, variable));
        if choices.chance(30) {
            maybe(container, "envFrom", choices, |choices| list(choices, 2, env_source));
        }
        maybe(container, "resources", choices, resources);
        if choices.chance(30) {
            maybe(container, "resizePolicy", choices, |choices| list(choices, 2, resize_policy));
        }
        maybe(container, "ports", choices, |choices| list(choices, 2, port));
        maybe(container, "volumeMounts", choices, |choices| {
            list(choices, 2, |choices| json!({"name": choices.pick(&["scratch", "cache"]), "mountPath": "/m"}))
        });
        if choices.chance(20) {
            maybe(container, "restartPolicy", choices, |_| json!("Always"));
        }
        for probe in ["readinessProbe", "livenessProbe", "startupProbe"] {
            if choices.chance(15) {
                maybe(container, probe, choices, |choices| {
                    choices
                        .pick(&[json!({"grpc": {"port": 9}}), json!({}), json!({"exec": {"command": [SECRET]}})])
                        .clone()
                });
            }
        }
    })
}

const IMAGES: [&str; 20] = [
    "registry.example/app:1.2",
    "nginx",
    "nginx:latest",
    "golang:1.25",
    "rust:1.95",
    "registry:5000/app",
    "registry:5000/team/rust/app:7",
    "app:latest@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "app@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "app@sha256:abc",
    "docker://nginx:1",
    "Nginx:1",
    " nginx",
    "",
    "a//b",
    "[::1]:5000/app:1",
    "vendor.example/legacy:latest",
    "nginx:",
    "line\nbreak\u{1b}[31m:1",
    "日本語:latest",
];

fn word(choices: &mut Choices) -> Value {
    json!(choices.pick(&["/usr/bin/cargo", "sh", "-c", "exec go run .", "A=b cargo run", "", SECRET, "$(POD_NAME)"]))
}

const VARIABLES: [&str; 18] = [
    "LOG_LEVEL",
    "POD_NAME",
    "POD_NAMESPACE",
    "pod_name",
    "GOMAXPROCS",
    "GOMEMLIMIT",
    "PODFIT_MEMORY_LIMIT_MI",
    "AUTOMEMLIMIT",
    "TOKIO_WORKER_THREADS",
    "RAYON_NUM_THREADS",
    "RAYON_RS_NUM_CPUS",
    "RUST_LOG",
    "GOGC",
    "NODE_NAME",
    "WORKERS",
    "HEAP",
    "",
    "A B;C",
];

const VALUES: [&str; 9] =
    ["4", "2", "0", "", SECRET, "$(POD_NAME)-s3cr3t", "$(PODFIT_MEMORY_LIMIT_MI)000000", "241591910", "\u{0}\"\\\n"];

fn variable(choices: &mut Choices) -> Value {
    object(|variable| {
        let name = *choices.pick(&VARIABLES);
        if !choices.chance(2) {
            variable.insert("name".to_owned(), json!(name));
        }
        match choices.below(10) {
            0..6 => drop(variable.insert("value".to_owned(), json!(choices.pick(&VALUES)))),
            6 => drop(variable.insert("valueFrom".to_owned(), json!({"secretKeyRef": {"name": SECRET, "key": "k"}}))),
            7 => {
                let reference = json!({"resourceFieldRef": {"resource": "limits.memory", "divisor": "1Mi"}});
                variable.insert("valueFrom".to_owned(), reference);
            }
            8 => {
                variable.insert("value".to_owned(), json!(3));
                maybe(variable, "valueFrom", choices, |_| json!({"fileKeyRef": {"path": SECRET}}));
            }
            _ => maybe(variable, "value", choices, |_| Value::Null),
        }
    })
}

fn env_source(choices: &mut Choices) -> Value {
    object(|source| {
        source.insert("configMapRef".to_owned(), json!({"name": "settings"}));
        maybe(source, "prefix", choices, |choices| {
            json!(choices.pick(&["GO", "", "POD_", "PODFIT_", "X_", "AUTO", "T"]))
        });
    })
}

fn resources(choices: &mut Choices) -> Value {
    object(|resources| {
        maybe(resources, "limits", choices, amounts);
        maybe(resources, "requests", choices, amounts);
        maybe(resources, "claims", choices, |_| json!([]));
    })
}

fn amounts(choices: &mut Choices) -> Value {
    object(|amounts| {
        maybe(amounts, "cpu", choices, |choices| if choices.chance(20) { odd_amount(choices) } else { cpu(choices) });
        maybe(
            amounts,
            "memory",
            choices,
            |choices| {
                if choices.chance(20) { odd_amount(choices) } else { memory(choices) }
            },
        );
        maybe(amounts, "ephemeral-storage", choices, |_| json!("1Gi"));
    })
}

fn cpu(choices: &mut Choices) -> Value {
    let given = ["1", "500m", "2", "1500m", "250m", "64", "64001m", "100", "50m", "100m", "3", ".5", "5.", "+1", "1e1"];
    if choices.chance(10) {
        choices.pick(&[json!(1), json!(0.5), json!(8)]).clone()
    } else {
        json!(choices.pick(&given))
    }
}

fn memory(choices: &mut Choices) -> Value {
    let given = ["256Mi", "100M", "1Gi", "16Mi", "15Mi", "32Mi", "33554431", "1.5Gi", "8Ei", "1e9", "64Mi", "20000001"];
    if choices.chance(10) {
        choices.pick(&[json!(268_435_456), json!(1e9), json!(67_108_864.5)]).clone()
    } else {
        json!(choices.pick(&given))
    }
}

fn odd_amount(choices: &mut Choices) -> Value {
    let given = [
        "0",
        "0m",
        "Mi",
        "m",
        "-1",
        "",
        "1K",
        " 1",
        "1,5",
        "0x10",
        "1E999999",
        "1e40",
        "1e-40",
        "1e4294967296",
        "128m",
        "1n",
        "9Ei",
        "10E",
        "99999999999999999999999999999999999999999999",
        "many",
        "1.2.3",
        "-0",
    ];
    if choices.chance(10) { json!(0) } else { json!(choices.pick(&given)) }
}

fn resize_policy(choices: &mut Choices) -> Value {
    json!({
        "resourceName": choices.pick(&["memory", "cpu"]),
        "restartPolicy": choices.pick(&["RestartContainer", "NotRequired"]),
    })
}

fn port(choices: &mut Choices) -> Value {
    object(|port| {
        maybe(port, "name", choices, |choices| json!(choices.pick(&["http", "https", "web", "metrics", ""])));
        maybe(port, "containerPort", choices, |choices| json!(choices.pick(&[8080, 443, 0, 65_535, 70_000])));
        maybe(port, "protocol", choices, |choices| json!(choices.pick(&["TCP", "UDP", ""])));
    })
}

fn volume(choices: &mut Choices) -> Value {
    object(|volume| {
        volume.insert("name".to_owned(), json!(choices.pick(&["scratch", "cache", "model"])));
        if choices.chance(50) {
            volume.insert(
                "emptyDir".to_owned(),
                object(|directory| {
                    maybe(directory, "medium", choices, |choices| json!(choices.pick(&["Memory", ""])));
                    maybe(directory, "sizeLimit", choices, |choices| {
                        if choices.chance(20) { odd_amount(choices) } else { memory(choices) }
                    });
                }),
            );
        } else {
            maybe(volume, "image", choices, |choices| json!({"reference": choices.pick(&IMAGES)}));
        }
    })
}

const ANNOTATIONS: [(&str, &[&str]); 13] = [
    ("example.com/note", &[SECRET, "", "{\"s3cr3t\": 1}"]),
    ("podfit.dev/runtimes", &["go", "rust", "app=rust,worker=go", "go,s3cr3t", "nobody=go", "app=", "=go"]),
    ("podfit.dev/opt-in", &["NODE_OPTIONS", "app=MALLOC_ARENA_MAX", SECRET]),
    ("podfit.dev/skip", &["GOMEMLIMIT", "all", "app=GOMAXPROCS,probes", "pod-identity", "runtime-sizing", SECRET]),
    (
        "podfit.dev/probes",
        &["http", "none", "app=https:8080", "tcp:web", "grpc:9", "http:s3cr3t", "app=tcp:70000", "http:"],
    ),
    ("podfit.dev/processes", &["4", "\"2\"", "app=3", "0", "s3cr3t", "99999999999999999999"]),
    ("instrumentation.opentelemetry.io/inject-go", &["true", "false"]),
    ("instrumentation.opentelemetry.io/inject-java", &["true"]),
    ("instrumentation.opentelemetry.io/container-names", &["app, worker", "nobody"]),
    ("admission.datadoghq.com/java-lib.version", &["v1"]),
    ("admission.datadoghq.com/app.python-lib.version", &["v2"]),
    ("sidecar.istio.io/status", &["{}"]),
    ("kubernetes.io/config.mirror", &["abc"]),
];

fn metadata(spec: &Value, choices: &mut Choices) -> Value {
    object(|metadata| {
        maybe(metadata, "name", choices, |choices| json!(choices.pick(&["web", "web-7d4b9c-x2x5z", ""])));
        maybe(metadata, "generateName", choices, |_| json!("web-7d4b9c-"));
        maybe(metadata, "namespace", choices, |_| json!("default"));
        maybe(metadata, "labels", choices, |choices| json!({"app": choices.pick(&["web", "batch"])}));
        maybe(metadata, "annotations", choices, |choices| annotations(spec, choices));
        if choices.chance(30) {
            maybe(metadata, "ownerReferences", choices, |choices| {
                let kind = choices.pick(&["ReplicaSet", "Job", "StatefulSet", "DaemonSet"]);
                json!([{"apiVersion": "v1", "kind": kind, "controller": choices.chance(80)}])
            });
        }
        if choices.chance(3) {
            maybe(metadata, "deletionTimestamp", choices, |_| json!("2026-11-22T00:00:00Z"));
        }
    })
}

fn annotations(spec: &Value, choices: &mut Choices) -> Value {
    object(|annotations| {
        for _ in 0..choices.below(5) {
            let (key, values) = choices.pick(&ANNOTATIONS);
            annotations.insert((*key).to_owned(), json!(choices.pick(values)));
        }
        if choices.chance(30) {
            annotations.insert("podfit.dev/injected".to_owned(), json!(injected(spec, choices)));
        }
    })
}

/// Records of the variables that are there, some right and some forged, or garbage.
fn injected(spec: &Value, choices: &mut Choices) -> String {
    if choices.chance(15) {
        return (*choices.pick(&[
            "",
            "{}",
            "null",
            SECRET,
            r#"{"app": 1}"#,
            r#"{"app":{"GOMAXPROCS":{"value":"4"}}}"#,
        ]))
        .to_owned();
    }
    let mut records = Members::new();
    let lists = ["initContainers", "containers"].into_iter().filter_map(|key| spec[key].as_array());
    for container in lists.flatten() {
        let mut record = Members::new();
        for variable in container["env"].as_array().into_iter().flatten() {
            if choices.chance(30) {
                continue;
            }
            let right = variable["value"].as_str().filter(|_| choices.chance(80));
            let value =
                right.map_or_else(|| choices.pick(&[json!(null), json!("7"), json!(SECRET)]).clone(), Value::from);
            let name = variable["name"].as_str().unwrap_or_default().to_owned();
            record.insert(name, json!({"value": value, "source": "limits.cpu=1", "policy": "default"}));
        }
        if choices.chance(10) {
            record.insert("readinessProbe".to_owned(), json!({"source": "port 1", "policy": SECRET}));
        }
        records.insert(container["name"].as_str().unwrap_or_default().to_owned(), record.into());
    }
    Value::from(records).to_string()
}
