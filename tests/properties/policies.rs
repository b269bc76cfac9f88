//! Policies with any setting at any value that the schema accepts. They take the road of a file: text, tree, `compile`.

use podfit::{
    manifest,
    policy::{self, Policy, PolicySet},
};
use serde_json::{Map, Value, json};

use super::{choices::Choices, yaml};

/// One to three policies, the embedded default among them now and then.
pub fn policy_texts(choices: &mut Choices) -> Vec<String> {
    let mut texts = Vec::new();
    for name in ["one", "two", "three"].into_iter().take(1 + choices.below(3)) {
        texts.push(yaml::text(&document(name, choices)));
    }
    if choices.chance(25) {
        texts.push(policy::DEFAULT_POLICY.to_owned());
    }
    texts
}

pub fn compile(texts: &[String]) -> PolicySet {
    let policies: Vec<Policy> = texts
        .iter()
        .flat_map(|text| manifest::read(text))
        .map(|document| policy::compile(&document.unwrap().node).unwrap_or_else(|mistakes| panic!("{mistakes:#?}")))
        .collect();
    PolicySet::new(policies).unwrap()
}

type Members = Map<String, Value>;
type Make = fn(&mut Choices) -> Value;

fn document(name: &str, choices: &mut Choices) -> Value {
    json!({
        "apiVersion": policy::API_VERSION,
        "kind": policy::KIND,
        "metadata": {"name": name},
        "spec": spec(choices),
    })
}

fn object(fill: impl FnOnce(&mut Members)) -> Value {
    let mut members = Members::new();
    fill(&mut members);
    members.into()
}

/// A setting: its default, or one of the values.
fn set(members: &mut Members, key: &str, choices: &mut Choices, values: &[Value]) {
    if choices.chance(50) {
        members.insert(key.to_owned(), choices.pick(values).clone());
    }
}

fn flags() -> [Value; 2] {
    [json!(true), json!(false)]
}

fn spec(choices: &mut Choices) -> Value {
    object(|spec| {
        set(spec, "priority", choices, &[json!(1), json!(-5), json!(100)]);
        set(spec, "templates", choices, &["Deny", "Warn", "Audit", "Disabled"].map(Value::from));
        if choices.chance(15) {
            let none = json!({"podSelector": {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["batch"]}]}});
            spec.insert("match".to_owned(), choices.pick(&[json!({"namespaces": ["def*"]}), none]).clone());
        }
        let rules: [(&str, Make); 5] = [
            ("resourceLimits", resource_limits),
            ("imageTag", image_tag),
            ("podIdentity", pod_identity),
            ("runtimeSizing", runtime_sizing),
            ("probes", probes),
        ];
        for (key, rule) in rules {
            if !choices.chance(20) {
                spec.insert(key.to_owned(), rule(choices));
            }
        }
        if choices.chance(25) {
            spec.insert("exemptions".to_owned(), json!([exemption(choices)]));
        }
    })
}

fn judging_mode(members: &mut Members, choices: &mut Choices) {
    set(members, "mode", choices, &["Deny", "Warn", "Audit", "Disabled"].map(Value::from));
}

/// Mostly `Inject`: there is more to get wrong.
fn injecting_mode(members: &mut Members, choices: &mut Choices) {
    if choices.chance(25) {
        set(members, "mode", choices, &["Warn", "Deny", "Audit", "Disabled"].map(Value::from));
    }
}

fn resource_limits(choices: &mut Choices) -> Value {
    object(|rule| {
        judging_mode(rule, choices);
        set(rule, "require", choices, &[json!(["cpu"]), json!(["memory"]), json!(["memory", "cpu"]), json!([])]);
        set(rule, "initContainers", choices, &flags());
        set(rule, "podLevel", choices, &["Accept", "Ignore"].map(Value::from));
        if choices.chance(60) {
            let amounts = [
                (json!({"cpu": "500m", "memory": "256Mi"}), json!({"cpu": "100m", "memory": "64Mi"})),
                (json!({"memory": 268_435_456}), json!({"memory": "0"})),
                (json!({"cpu": 2}), json!({"cpu": "1.5"})),
                (json!({"cpu": "3", "memory": "8Mi"}), json!({"cpu": 3, "memory": "8Mi"})),
            ];
            let (limits, requests) = choices.pick(&amounts).clone();
            rule.insert("defaults".to_owned(), limits);
            rule.insert("defaultRequests".to_owned(), requests);
        }
    })
}

fn image_tag(choices: &mut Choices) -> Value {
    object(|rule| {
        judging_mode(rule, choices);
        set(rule, "forbidden", choices, &[json!(["latest", "dev-*"]), json!(["*"]), json!([])]);
        set(rule, "requireDigest", choices, &flags());
    })
}

fn pod_identity(choices: &mut Choices) -> Value {
    object(|rule| {
        injecting_mode(rule, choices);
        let odd = json!({"HEAP": "metadata.labels['app']", "GOMAXPROCS": "status.podIP", "NODE": "spec.nodeName"});
        set(
            rule,
            "variables",
            choices,
            &[json!({"NODE_NAME": "spec.nodeName", "POD_NAME": "metadata.uid"}), json!({}), odd],
        );
        set(rule, "envFrom", choices, &["Skip", "Inject"].map(Value::from));
    })
}

fn runtime_sizing(choices: &mut Choices) -> Value {
    object(|rule| {
        injecting_mode(rule, choices);
        set(rule, "runtimes", choices, &[json!(["go", "rust"]), json!(["rust"]), json!([])]);
        set(rule, "detect", choices, &flags());
        set(rule, "skip", choices, &[json!(["GOMAXPROCS"]), json!([])]);
        set(rule, "values", choices, &["Auto", "Literal"].map(Value::from));
        set(rule, "cpuFrom", choices, &["Limits", "LimitsElseRequests", "Requests"].map(Value::from));
        set(rule, "requestFactor", choices, &[json!(1), json!(4), json!(1000)]);
        set(rule, "skipAbove", choices, &[json!(1), json!(64), json!(1_024)]);
        set(rule, "headroomPercent", choices, &[json!(0), json!(10), json!(11), json!(50), json!(99)]);
        set(rule, "envFrom", choices, &["Inject", "Skip"].map(Value::from));
        set(rule, "resizePolicy", choices, &["Restart", "Leave"].map(Value::from));
        if choices.chance(50) {
            let variables = choices.some(&platform_variables());
            rule.insert("variables".to_owned(), variables.into());
        }
    })
}

fn platform_variables() -> [Value; 4] {
    [
        json!({"name": "WORKERS", "from": "cpu"}),
        json!({"name": "HEAP", "from": "memory", "multiply": "0.75", "rounding": "Down", "format": "-Xmx{}"}),
        json!({"name": "LOG_LEVEL", "from": "cpu", "multiply": 2.5, "min": 3, "max": 9}),
        json!({"name": "TOKIO_WORKER_THREADS", "from": "cpu", "rounding": "Down", "min": 0, "format": "\"{}\" $(POD_NAME)"}),
    ]
}

fn probes(choices: &mut Choices) -> Value {
    object(|rule| {
        injecting_mode(rule, choices);
        set(rule, "tcpReadiness", choices, &flags());
        set(rule, "httpPorts", choices, &[json!(["http"]), json!([8080, "web"]), json!([])]);
        let http = json!({"readinessPath": "/ready?a=\"b\"", "livenessPath": "/live", "startup": false});
        set(rule, "http", choices, &[http, json!({})]);
        set(rule, "require", choices, &[json!(["readiness", "liveness", "startup"]), json!([])]);
    })
}

fn exemption(choices: &mut Choices) -> Value {
    object(|exemption| {
        exemption.insert("reason".to_owned(), json!("ticket 123"));
        set(exemption, "expires", choices, &["2020-01-01", "2099-12-31"].map(Value::from));
        let ids = ["image-tag", "resource-limits", "pod-identity", "runtime-sizing", "probes"];
        let mut rules = choices.some(&ids);
        if rules.is_empty() {
            rules.push("image-tag");
        }
        exemption.insert("rules".to_owned(), json!(rules));
        let matches =
            [json!({"containers": ["app"]}), json!({"images": ["vendor.example/*"]}), json!({"namespaces": ["*"]})];
        exemption.insert("match".to_owned(), choices.pick(&matches).clone());
    })
}
