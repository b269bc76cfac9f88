use jiff::civil::date;
use proptest::prelude::*;

use super::*;
use crate::{
    manifest,
    node::{Entry, Position, Span, Value},
};

#[test]
fn the_default_policy_is_the_contract() {
    let text = |text: &str| text.to_owned();
    let expected = Policy {
        name: text("default"),
        priority: 0,
        selector: Selector {
            namespaces: vec![],
            exclude_namespaces: patterns(&["kube-system", "kube-public", "kube-node-lease"]),
            namespace_selector: LabelSelector::default(),
            pod_selector: LabelSelector::default(),
        },
        templates: Mode::Warn,
        resource_limits: Some(ResourceLimits {
            mode: Mode::Deny,
            require_cpu: true,
            require_memory: true,
            init_containers: true,
            pod_level_accepted: true,
            cpu_default: None,
            memory_default: None,
        }),
        image_tag: Some(ImageTag { mode: Mode::Deny, forbidden: patterns(&["latest"]), require_digest: false }),
        pod_identity: Some(PodIdentity {
            mode: Mode::Inject,
            variables: vec![
                (text("POD_NAME"), text("metadata.name")),
                (text("POD_NAMESPACE"), text("metadata.namespace")),
            ],
            env_from: EnvFrom::Inject,
        }),
        runtime_sizing: Some(RuntimeSizing {
            mode: Mode::Inject,
            runtimes: vec![&runtimes::GO],
            detect: true,
            opt_in: vec![],
            skip: vec![],
            literal_only: false,
            cpu_from: CpuFrom::Limits,
            request_factor: 4,
            skip_above: 64,
            headroom_percent: 10,
            env_from: EnvFrom::Skip,
            restart_on_resize: false,
            variables: vec![],
        }),
        probes: Some(Probes {
            mode: Mode::Inject,
            tcp_readiness: true,
            http_ports: vec![],
            readiness_path: text("/readyz"),
            liveness_path: text("/healthz"),
            http_startup: true,
            require: vec![ProbeKind::Readiness],
        }),
        exemptions: vec![],
    };
    assert_eq!(compile_text(DEFAULT_POLICY), Ok(expected.clone()));
    let named = "{resourceLimits: {}, imageTag: {}, podIdentity: {}, runtimeSizing: {}, probes: {}}";
    assert_eq!(compile_spec(named), Ok(expected.clone()), "absent settings of named rules");
    assert_eq!(compile_spec(&schema_defaults(&json_schema()["properties"]["spec"]).to_string()), Ok(expected));
}

#[test]
fn absent_null_and_empty_name_no_rule_but_an_empty_map_does() {
    let rows = [
        ("absent", "{}", false),
        ("null", "{imageTag: , probes: ~}", false),
        ("an empty map", "{imageTag: {}}", true),
        ("null settings", "{imageTag: {mode: , forbidden: null}}", true),
        ("an empty text", "{imageTag: {mode: ''}}", true),
    ];
    for (name, spec, expected) in rows {
        let default = ImageTag { mode: Mode::Deny, forbidden: patterns(&["latest"]), require_digest: false };
        let found = compile_spec(spec).map(|policy| policy.image_tag);
        assert_eq!(found, Ok(expected.then_some(default)), "{name}");
    }
    let no_variables = compile_spec("{podIdentity: {variables: {}}}").unwrap();
    assert_eq!(no_variables.pod_identity.map(|identity| identity.variables), Some(vec![]), "a given map replaces");
    let nothing = compile_spec("").unwrap();
    assert_eq!(nothing, compile_spec("{}").unwrap());
    assert_eq!(nothing.selector.exclude_namespaces.len(), 3);
}

#[test]
fn a_given_value_replaces_its_default() {
    let spec = r#"{
        priority: 100, templates: Disabled,
        match: {
            namespaces: [shop-*], excludeNamespaces: [],
            namespaceSelector: {matchLabels: {team: a}},
            podSelector: {matchExpressions: [{key: app, operator: NotIn, values: [x]}]}},
        resourceLimits: {
            mode: Audit, require: [memory], initContainers: false, podLevel: Ignore,
            defaults: {cpu: 2, memory: 256Mi}, defaultRequests: {memory: "0", cpu: 500m}},
        imageTag: {forbidden: [], requireDigest: true},
        podIdentity: {mode: Disabled, variables: {NODE: spec.nodeName, APP: "metadata.labels['app']"}, envFrom: Skip},
        runtimeSizing: {
            mode: Warn, runtimes: [rust, go], detect: false, optIn: [GOMAXPROCS], skip: [GOMEMLIMIT, WORKERS],
            values: Literal, cpuFrom: LimitsElseRequests, requestFactor: 2, skipAbove: 8, headroomPercent: 25,
            envFrom: Inject, resizePolicy: Restart,
            variables: [
                {name: WORKERS, from: cpu, multiply: 1.5, rounding: Down, min: 2, max: 32, format: "-w{}"},
                {name: CACHE, from: memory, multiply: "0.25"}]},
        probes: {
            mode: Deny, tcpReadiness: false, httpPorts: [http, 8080], require: [startup, liveness],
            http: {readinessPath: /r, livenessPath: /l, startup: false}},
        exemptions: [
            {reason: old, expires: 2027-01-31, rules: [image-tag, probes],
             match: {namespaces: [legacy-*], podSelector: {matchLabels: {a: b}}, containers: ["*"], images: ["v.example/*"]}},
            {reason: more, rules: [resource-limits], match: {containers: [x]}}]}"#;
    let text = |text: &str| text.to_owned();
    let requirement =
        |key: &str, operator, value: &str| Requirement { key: text(key), operator, values: vec![text(value)] };
    let quantity = |text: &str| Quantity::parse(text).unwrap();
    let expected = Policy {
        name: text("default"),
        priority: 100,
        selector: Selector {
            namespaces: patterns(&["shop-*"]),
            exclude_namespaces: vec![],
            namespace_selector: LabelSelector { requirements: vec![requirement("team", Operator::In, "a")] },
            pod_selector: LabelSelector { requirements: vec![requirement("app", Operator::NotIn, "x")] },
        },
        templates: Mode::Disabled,
        resource_limits: Some(ResourceLimits {
            mode: Mode::Audit,
            require_cpu: false,
            require_memory: true,
            init_containers: false,
            pod_level_accepted: false,
            cpu_default: Some(DefaultLimit {
                limit_text: text("2"),
                limit: quantity("2"),
                request_text: text("500m"),
                request: quantity("500m"),
            }),
            memory_default: Some(DefaultLimit {
                limit_text: text("256Mi"),
                limit: quantity("256Mi"),
                request_text: text("0"),
                request: quantity("0"),
            }),
        }),
        image_tag: Some(ImageTag { mode: Mode::Deny, forbidden: vec![], require_digest: true }),
        pod_identity: Some(PodIdentity {
            mode: Mode::Disabled,
            variables: vec![(text("APP"), text("metadata.labels['app']")), (text("NODE"), text("spec.nodeName"))],
            env_from: EnvFrom::Skip,
        }),
        runtime_sizing: Some(RuntimeSizing {
            mode: Mode::Warn,
            runtimes: ["rust", "go"].into_iter().filter_map(runtimes::find).collect(),
            detect: false,
            opt_in: vec![text("GOMAXPROCS")],
            skip: vec![text("GOMEMLIMIT"), text("WORKERS")],
            literal_only: true,
            cpu_from: CpuFrom::LimitsElseRequests,
            request_factor: 2,
            skip_above: 8,
            headroom_percent: 25,
            env_from: EnvFrom::Inject,
            restart_on_resize: true,
            variables: vec![
                PlatformVariable {
                    name: text("WORKERS"),
                    from: Basis::Cpu,
                    multiply: (15, 10),
                    rounding: Rounding::Down,
                    min: Some(2),
                    max: Some(32),
                    format: text("-w{}"),
                },
                PlatformVariable {
                    name: text("CACHE"),
                    from: Basis::Memory,
                    multiply: (25, 100),
                    rounding: Rounding::Up,
                    min: None,
                    max: None,
                    format: text("{}"),
                },
            ],
        }),
        probes: Some(Probes {
            mode: Mode::Deny,
            tcp_readiness: false,
            http_ports: vec![text("http"), text("8080")],
            readiness_path: text("/r"),
            liveness_path: text("/l"),
            http_startup: false,
            require: vec![ProbeKind::Startup, ProbeKind::Liveness],
        }),
        exemptions: vec![
            Exemption {
                reason: text("old"),
                expires: Some(date(2027, 1, 31)),
                rules: vec![Rule::ImageTag, Rule::Probes],
                namespaces: Some(patterns(&["legacy-*"])),
                pod_selector: Some(LabelSelector { requirements: vec![requirement("a", Operator::In, "b")] }),
                containers: Some(patterns(&["*"])),
                images: Some(patterns(&["v.example/*"])),
            },
            Exemption {
                reason: text("more"),
                expires: None,
                rules: vec![Rule::ResourceLimits],
                namespaces: None,
                pod_selector: None,
                containers: Some(patterns(&["x"])),
                images: None,
            },
        ],
    };
    assert_eq!(compile_spec(spec), Ok(expected));
}

#[test]
fn each_mistake_says_what_to_write_instead() {
    let rows: &[(&str, &str, &[&str])] = MISTAKES;
    for (name, spec, expected) in rows {
        let found = compile_spec(spec).map_err(|mistakes| mistakes.join("\n"));
        assert_eq!(found.err().unwrap_or_default(), expected.join("\n"), "{name}");
    }
}

#[test]
fn the_head_of_a_policy_is_checked() {
    let rows: [(&str, &str, &[&str]); 9] = [
        (
            "nothing but the kind",
            "kind: SizingPolicy\n",
            &["1:1 apiVersion: is required", "1:1 metadata.name: is required"],
        ),
        (
            "another version",
            "apiVersion: podfit.dev/v2\nkind: SizingPolicy\nmetadata: {name: a}\n",
            &["1:13 apiVersion: must be `podfit.dev/v1alpha1`, not `podfit.dev/v2`"],
        ),
        (
            "a kind of ours misspelt",
            "apiVersion: podfit.dev/v1alpha1\nkind: SizngPolicy\nmetadata: {}\nspecs: {}\n",
            &[
                "2:7 kind: must be `SizingPolicy`, not `SizngPolicy`",
                "3:11 metadata.name: is required",
                "4:1 specs: is not known; did you mean `spec`? Known here: apiVersion, kind, metadata, status or spec",
            ],
        ),
        (
            "another kind is told alone",
            "apiVersion: apps/v1\nkind: Deployment\nspec: {replicas: 1}\n",
            &[
                "1:13 apiVersion: must be `podfit.dev/v1alpha1`, not `apps/v1`",
                "2:7 kind: must be `SizingPolicy`, not `Deployment`",
            ],
        ),
        ("no object", "a: 1\n", &["1:1 apiVersion: is required", "1:1 kind: is required"]),
        ("a text", "hello\n", &["1:1 : must be a map, not the text `hello`"]),
        (
            "a name that is no name",
            "apiVersion: podfit.dev/v1alpha1\nkind: SizingPolicy\nmetadata: {name: 7, labels: {x: 1}}\n",
            &["3:18 metadata.name: must be a text, not 7; put it in quotes"],
        ),
        (
            "repeated keys",
            "apiVersion: podfit.dev/v1alpha1\nkind: SizingPolicy\nmetadata: {name: a, name: b}\nkind: SizingPolicy\n",
            &["3:21 metadata.name: is given twice; keep one", "4:1 kind: is given twice; keep one"],
        ),
        (
            "what a cluster adds is passed over",
            "apiVersion: podfit.dev/v1alpha1\nkind: SizingPolicy\nmetadata: {name: a, uid: x}\nstatus: {conditions: []}\n",
            &[],
        ),
    ];
    for (name, text, expected) in rows {
        let found = compile_text(text).map_err(|mistakes| mistakes.join("\n"));
        assert_eq!(found.err().unwrap_or_default(), expected.join("\n"), "{name}");
    }
}

#[test]
fn every_key_of_the_schema_is_in_the_default_policy_and_the_other_way_round() {
    let schema = json_schema();
    let document = manifest::read(DEFAULT_POLICY).remove(0).unwrap();
    let mut shown = Vec::new();
    keys_of_node(document.node.get("spec").unwrap(), &schema["properties"]["spec"], "spec", &mut shown);
    let mut named = Vec::new();
    keys_of_schema(&schema["properties"]["spec"], "spec", &mut named);
    assert_eq!(shown, named);
}

#[test]
fn the_schema_says_what_it_can() {
    let schema = json_schema();
    let spec = &schema["properties"]["spec"]["properties"];
    let rows = [
        (
            "words",
            &spec["imageTag"]["properties"]["mode"],
            json!({"type": "string", "enum": ["Deny", "Warn", "Audit", "Disabled"], "description": "What a forbidden image leads to.", "default": "Deny"}),
        ),
        (
            "a range",
            &spec["runtimeSizing"]["properties"]["headroomPercent"],
            json!({"type": "integer", "minimum": 0, "maximum": 99, "description": "Of memory, left to what the runtime does not manage.", "default": 10}),
        ),
        (
            "a quantity",
            &spec["resourceLimits"]["properties"]["defaults"]["properties"]["cpu"],
            json!({"type": ["string", "integer"], "description": "A quantity of cores, such as 500m."}),
        ),
        (
            "a set",
            &spec["imageTag"]["properties"]["forbidden"],
            json!({"type": "array", "items": {"type": "string"}, "maxItems": 1000, "uniqueItems": true, "description": "Tags with `*`, case-sensitive; an image without tag and digest has the tag latest.", "default": ["latest"]}),
        ),
        (
            "rules",
            &spec["exemptions"]["items"]["properties"]["rules"]["items"],
            json!({"type": "string", "enum": ["resource-limits", "image-tag", "pod-identity", "runtime-sizing", "probes"]}),
        ),
        ("required keys", &spec["exemptions"]["items"]["required"], json!(["reason", "rules", "match"])),
        (
            "own keys",
            &spec["podIdentity"]["properties"]["variables"]["default"],
            json!({"POD_NAME": "metadata.name", "POD_NAMESPACE": "metadata.namespace"}),
        ),
        ("closed maps", &spec["probes"]["properties"]["http"]["additionalProperties"], json!(false)),
        ("open metadata", &schema["properties"]["metadata"]["additionalProperties"], json!(true)),
        ("the head", &schema["required"], json!(["apiVersion", "kind", "metadata"])),
    ];
    for (name, found, expected) in rows {
        assert_eq!(*found, expected, "{name}");
    }
}

proptest! {
    #[test]
    fn any_tree_is_a_policy_or_has_mistakes_in_order(spec in tree()) {
        let mut node = manifest::read(DEFAULT_POLICY).remove(0).unwrap().node;
        if let Value::Map(entries) = &mut node.value {
            entries.retain(|entry| entry.key != "spec");
            entries.push(Entry { key: "spec".to_owned(), key_span: Span::default(), value: spec });
        }
        if let Err(mistakes) = compile(&node) {
            prop_assert!(!mistakes.is_empty());
            prop_assert!(mistakes.is_sorted_by_key(|mistake| mistake.span.start));
            prop_assert!(mistakes.iter().all(|mistake| mistake.path.starts_with("spec") && !mistake.message.is_empty()));
        }
    }
}

/// Trees of the keys and words that a policy knows, anywhere, and of others.
fn tree() -> impl Strategy<Value = Node> {
    let mut words =
        vec![String::new(), "cpu".to_owned(), "é{}*".to_owned(), "Deny".to_owned(), "2027-01-31".to_owned()];
    keys_of_schema(&json_schema()["properties"]["spec"], "", &mut words);
    keys_of_schema(&json_schema()["properties"]["spec"]["properties"]["exemptions"]["items"], "", &mut words);
    let word = prop::sample::select(words).prop_map(|path| path.rsplit('.').next().unwrap_or_default().to_owned());
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(|number| Value::Number(number.to_string())),
        Just(Value::Number("1.5e999".to_owned())),
        word.clone().prop_map(Value::Text),
        ".*".prop_map(Value::Text),
    ];
    let node = |(line, value)| {
        let start = Position { offset: line, line, column: 1 };
        Node { value, span: Span { start, end: start } }
    };
    (0..100usize, leaf).prop_map(node).prop_recursive(5, 64, 8, move |inner| {
        let entry = (word.clone(), inner.clone()).prop_map(|(key, value)| Entry { key, key_span: value.span, value });
        let list = prop::collection::vec(inner, 0..4).prop_map(Value::List);
        let map = prop::collection::vec(entry, 0..8).prop_map(Value::Map);
        (0..100usize, prop_oneof![list, map]).prop_map(node)
    })
}

fn patterns(texts: &[&str]) -> Vec<Pattern> {
    texts.iter().map(|text| Pattern::parse(text).unwrap()).collect()
}

fn compile_spec(spec: &str) -> Result<Policy, Vec<String>> {
    let head = "apiVersion: podfit.dev/v1alpha1\nkind: SizingPolicy\nmetadata: {name: default}";
    compile_text(&format!("{head}\nspec:\n  {spec}\n"))
}

/// Mistakes as `line:column path: message`.
fn compile_text(text: &str) -> Result<Policy, Vec<String>> {
    let document = manifest::read(text).remove(0).unwrap();
    compile(&document.node).map_err(|mistakes| {
        let show = |Mistake { span, path, message }: Mistake| {
            format!("{}:{} {path}: {message}", span.start.line, span.start.column)
        };
        mistakes.into_iter().map(show).collect()
    })
}

/// A value in which every property has its default, rules included.
fn schema_defaults(schema: &Json) -> Json {
    let Some(properties) = schema["properties"].as_object() else { return schema["default"].clone() };
    properties.iter().map(|(key, property)| (key.clone(), schema_defaults(property))).collect::<Map<_, _>>().into()
}

fn keys_of_schema(schema: &Json, path: &str, keys: &mut Vec<String>) {
    for (key, property) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{key}");
        let is_selector = path.ends_with("Selector") || path.contains(".default");
        keys.push(path.clone());
        if !is_selector {
            keys_of_schema(property, &path, keys);
        }
    }
}

fn keys_of_node(node: &Node, schema: &Json, path: &str, keys: &mut Vec<String>) {
    let Value::Map(entries) = &node.value else { return };
    for entry in entries {
        let property = &schema["properties"][&entry.key];
        let path = format!("{path}.{}", entry.key);
        keys.push(path.clone());
        if property["properties"].is_object() {
            keys_of_node(&entry.value, property, &path, keys);
        }
    }
}

/// The spec begins in line 5, column 3.
const MISTAKES: &[(&str, &str, &[&str])] = &[
    (
        "an unknown key",
        "{imageTag: {modee: Deny}}",
        &["5:15 spec.imageTag.modee: is not known; did you mean `mode`? Known here: mode, forbidden or requireDigest"],
    ),
    (
        "a key of nobody",
        "{imageTag: {pullPolicy: Always}}",
        &["5:15 spec.imageTag.pullPolicy: is not known; known here: mode, forbidden or requireDigest"],
    ),
    (
        "a rule's id instead of its key",
        "{image-tag: {}}",
        &[
            "5:4 spec.image-tag: is not known; did you mean `imageTag`? Known here: priority, match, templates, resourceLimits, imageTag, podIdentity, runtimeSizing, probes or exemptions",
        ],
    ),
    ("a repeated key", "{priority: 1, priority: 2}", &["5:17 spec.priority: is given twice; keep one"]),
    (
        "several, in the order of the text",
        "probes: {mode: Maybe}\n  priority: high\n  imageTag: []",
        &[
            "5:18 spec.probes.mode: must be Inject, Deny, Warn, Audit or Disabled, not `Maybe`",
            "6:13 spec.priority: must be a whole number from -2147483648 to 2147483647, not the text `high`",
            "7:13 spec.imageTag: must be a map, not a list",
        ],
    ),
    (
        "a word in another case",
        "{templates: warn}",
        &["5:15 spec.templates: must be Deny, Warn, Audit or Disabled, not `warn`; did you mean `Warn`?"],
    ),
    (
        "YAML's boolean",
        "{probes: {mode: Off}}",
        &[
            "5:19 spec.probes.mode: must be Inject, Deny, Warn, Audit or Disabled, not a boolean (as YAML reads an unquoted off, no, on and yes); write `Disabled`",
        ],
    ),
    (
        "YAML's other boolean",
        "{probes: {mode: yes}}",
        &[
            "5:19 spec.probes.mode: must be Inject, Deny, Warn, Audit or Disabled, not a boolean (as YAML reads an unquoted off, no, on and yes)",
        ],
    ),
    (
        "off in quotes",
        "{templates: 'off'}",
        &["5:15 spec.templates: must be Deny, Warn, Audit or Disabled, not `off`; did you mean `Disabled`?"],
    ),
    (
        "another word for no",
        "{runtimeSizing: {resizePolicy: no, envFrom: none}}",
        &[
            "5:34 spec.runtimeSizing.resizePolicy: must be Leave or Restart, not a boolean (as YAML reads an unquoted off, no, on and yes); write `Leave`",
            "5:47 spec.runtimeSizing.envFrom: must be Inject or Skip, not `none`; did you mean `Skip`?",
        ],
    ),
    (
        "a number for a word",
        "{templates: 1}",
        &["5:15 spec.templates: must be Deny, Warn, Audit or Disabled, not a number"],
    ),
    (
        "Inject where nothing is injected",
        "{imageTag: {mode: Inject}, resourceLimits: {mode: Inject}}",
        &[
            "5:21 spec.imageTag.mode: must be Deny, Warn, Audit or Disabled, not `Inject`",
            "5:53 spec.resourceLimits.mode: must be Deny, Warn, Audit or Disabled, not `Inject`",
        ],
    ),
    (
        "no boolean",
        "{probes: {tcpReadiness: 'true'}}",
        &["5:27 spec.probes.tcpReadiness: must be true or false, not the text `true`"],
    ),
    (
        "no list",
        "{imageTag: {forbidden: latest}}",
        &["5:26 spec.imageTag.forbidden: must be a list, not the text `latest`"],
    ),
    (
        "bad wildcards",
        "{match: {namespaces: [Shop, '', ~, 7]}, imageTag: {forbidden: [':latest', 'a b']}}",
        &[
            "5:25 spec.match.namespaces[0]: never matches: a namespace has no `S` (`*` is the only wildcard)",
            "5:31 spec.match.namespaces[1]: must not be empty; `*` matches everything",
            "5:35 spec.match.namespaces[2]: must be a text, not nothing",
            "5:38 spec.match.namespaces[3]: must be a text, not 7; put it in quotes",
            "5:66 spec.imageTag.forbidden[0]: never matches: a tag has no `:` (`*` is the only wildcard)",
            "5:77 spec.imageTag.forbidden[1]: must not have blanks or control characters",
        ],
    ),
    (
        "repeats",
        "{resourceLimits: {require: [cpu, cpu]}, match: {namespaces: [a, a]}}",
        &[
            "5:36 spec.resourceLimits.require[1]: is in the list already",
            "5:67 spec.match.namespaces[1]: is in the list already",
        ],
    ),
    (
        "an unknown resource",
        "{resourceLimits: {require: [CPU], defaults: {gpu: 1}}}",
        &[
            "5:31 spec.resourceLimits.require[0]: must be cpu or memory, not `CPU`; did you mean `cpu`?",
            "5:48 spec.resourceLimits.defaults.gpu: is not known; did you mean `cpu`? Known here: cpu or memory",
        ],
    ),
    (
        "a default without its request",
        "{resourceLimits: {defaults: {cpu: 1}}}",
        &[
            "5:37 spec.resourceLimits.defaults.cpu: needs `defaultRequests.cpu` beside it, or the API server makes the request equal to the limit",
        ],
    ),
    (
        "a request without its default",
        "{resourceLimits: {defaultRequests: {memory: 1Gi}}}",
        &["5:47 spec.resourceLimits.defaultRequests.memory: needs `defaults.memory` beside it"],
    ),
    (
        "a request above its limit",
        "{resourceLimits: {defaults: {memory: 1G}, defaultRequests: {memory: 1Gi}}}",
        &["5:71 spec.resourceLimits.defaultRequests.memory: must not be above the default limit, 1G"],
    ),
    (
        "bad quantities are told once",
        "{resourceLimits: {defaults: {cpu: 1.5, memory: 0}, defaultRequests: {cpu: -1, memory: Mi}}}",
        &[
            "5:37 spec.resourceLimits.defaults.cpu: must be a text or a whole number, not 1.5",
            "5:50 spec.resourceLimits.defaults.memory: must be above 0, not `0`: to Kubernetes 0 is no limit",
            "5:77 spec.resourceLimits.defaultRequests.cpu: must not be below 0, not `-1`",
            "5:89 spec.resourceLimits.defaultRequests.memory: must be a quantity such as 256Mi, not `Mi`: there is no digit in it",
        ],
    ),
    (
        "a suffix of nobody, and milli-bytes",
        "{resourceLimits: {defaults: {cpu: 1 core, memory: 256m}, defaultRequests: {cpu: 1, memory: 1}}}",
        &[
            "5:37 spec.resourceLimits.defaults.cpu: must be a quantity such as 500m, not `1 core`: white space is not allowed",
            "5:53 spec.resourceLimits.defaults.memory: must be at least one byte, not `256m`: `m` is thousandths; mebibytes are `Mi`",
        ],
    ),
    (
        "variables",
        "{podIdentity: {variables: {POD-NAME: metadata.name, NODE: spec.nodename, A: 1}}}",
        &[
            "5:30 spec.podIdentity.variables.POD-NAME: the key must be a variable's name (letters, digits and `_`, no digit first), not `POD-NAME`",
            "5:61 spec.podIdentity.variables.NODE: must be a field path that env allows (metadata.name, metadata.namespace, metadata.uid, spec.nodeName, spec.serviceAccountName, status.hostIP, status.hostIPs, status.podIP, status.podIPs, metadata.labels['KEY'] or metadata.annotations['KEY']), not `spec.nodename`; did you mean `spec.nodeName`?",
            "5:79 spec.podIdentity.variables.A: must be a text, not 1; put it in quotes",
        ],
    ),
    (
        "the helper's name",
        "{podIdentity: {variables: {PODFIT_MEMORY_LIMIT_MI: metadata.name}}}",
        &[
            "5:30 spec.podIdentity.variables.PODFIT_MEMORY_LIMIT_MI: the key must not be `PODFIT_MEMORY_LIMIT_MI`, which podfit itself fills; choose another name",
        ],
    ),
    (
        "a variable twice",
        "{podIdentity: {variables: {A: metadata.name, A: metadata.uid}}}",
        &["5:48 spec.podIdentity.variables.A: is given twice; keep one"],
    ),
    (
        "unknown runtimes and variables",
        "{runtimeSizing: {runtimes: [golang, rusty], optIn: [GOMAXPROC], skip: [X]}}",
        &[
            "5:31 spec.runtimeSizing.runtimes[0]: must be a runtime, not `golang`; write `go`",
            "5:39 spec.runtimeSizing.runtimes[1]: must be a runtime, not `rusty`; did you mean `rust`? Known: go, rust, python, java, node, deno, dotnet, erlang, ruby, glibc, nginx, julia, build",
            "5:55 spec.runtimeSizing.optIn[0]: must be a variable that podfit knows, not `GOMAXPROC`; did you mean `GOMAXPROCS`? Known: GOMAXPROCS, GOMEMLIMIT, TOKIO_WORKER_THREADS, RAYON_NUM_THREADS, PYTHON_CPU_COUNT, OMP_NUM_THREADS, OPENBLAS_NUM_THREADS, MKL_NUM_THREADS, NUMBA_NUM_THREADS, JAVA_TOOL_OPTIONS, NODE_OPTIONS, DENO_V8_FLAGS, DOTNET_PROCESSOR_COUNT, DOTNET_GCHeapHardLimit, ERL_AFLAGS, MALLOC_ARENA_MAX, NGINX_ENTRYPOINT_WORKER_PROCESSES_AUTOTUNE, JULIA_NUM_THREADS, CARGO_BUILD_JOBS",
            "5:74 spec.runtimeSizing.skip[0]: must be a variable that podfit knows (GOMAXPROCS, GOMEMLIMIT, TOKIO_WORKER_THREADS, RAYON_NUM_THREADS, PYTHON_CPU_COUNT, OMP_NUM_THREADS, OPENBLAS_NUM_THREADS, MKL_NUM_THREADS, NUMBA_NUM_THREADS, JAVA_TOOL_OPTIONS, NODE_OPTIONS, DENO_V8_FLAGS, DOTNET_PROCESSOR_COUNT, DOTNET_GCHeapHardLimit, ERL_AFLAGS, MALLOC_ARENA_MAX, NGINX_ENTRYPOINT_WORKER_PROCESSES_AUTOTUNE, JULIA_NUM_THREADS, CARGO_BUILD_JOBS), not `X`",
        ],
    ),
    (
        "ranges",
        "{runtimeSizing: {headroomPercent: 100, skipAbove: 0, requestFactor: 1.5}, priority: 99999999999}",
        &[
            "5:37 spec.runtimeSizing.headroomPercent: must be a whole number from 0 to 99, not 100",
            "5:53 spec.runtimeSizing.skipAbove: must be a whole number from 1 to 1024, not 0",
            "5:71 spec.runtimeSizing.requestFactor: must be a whole number from 1 to 1000, not 1.5",
            "5:87 spec.priority: must be a whole number from -2147483648 to 2147483647, not 99999999999",
        ],
    ),
    (
        "the platform's own variables",
        "{runtimeSizing: {variables: [{name: A, from: cpu}, {name: A, from: disk, multiply: 0}, {min: 3, max: 2, format: 'x'}]}}",
        &[
            "5:54 spec.runtimeSizing.variables[1]: `A` is in the list already",
            "5:70 spec.runtimeSizing.variables[1].from: must be cpu or memory, not `disk`",
            "5:86 spec.runtimeSizing.variables[1].multiply: must be a number above 0 such as 2 or 0.75, with at most nine digits on each side of the point, not `0`",
            "5:91 spec.runtimeSizing.variables[2].name: is required",
            "5:91 spec.runtimeSizing.variables[2].from: is required",
            "5:104 spec.runtimeSizing.variables[2].max: must not be below min",
            "5:115 spec.runtimeSizing.variables[2].format: must have exactly one `{}`, where the number goes, not `x`",
        ],
    ),
    (
        "variables that are none",
        "{runtimeSizing: {variables: [7, {from: cpu}, {from: cpu}, {name: A, from: cpu}, {name: A, from: cpu}]}}",
        &[
            "5:32 spec.runtimeSizing.variables[0]: must be a map, not 7",
            "5:36 spec.runtimeSizing.variables[1].name: is required",
            "5:49 spec.runtimeSizing.variables[2].name: is required",
            "5:83 spec.runtimeSizing.variables[4]: `A` is in the list already",
        ],
    ),
    (
        "probes",
        "{probes: {httpPorts: [0, 80-, 1.5], http: {readinessPath: readyz, path: /x}, require: [ready]}}",
        &[
            "5:25 spec.probes.httpPorts[0]: must be a port number from 1 to 65535 or a port name (at most 15 lower-case letters, digits and `-`, one letter at least), not `0`",
            "5:28 spec.probes.httpPorts[1]: must be a port number from 1 to 65535 or a port name (at most 15 lower-case letters, digits and `-`, one letter at least), not `80-`",
            "5:33 spec.probes.httpPorts[2]: must be a text or a whole number, not 1.5",
            "5:61 spec.probes.http.readinessPath: must be a path that begins with `/`, without blanks, not `readyz`",
            "5:69 spec.probes.http.path: is not known; known here: readinessPath, livenessPath or startup",
            "5:90 spec.probes.require[0]: must be readiness, liveness or startup, not `ready`",
        ],
    ),
    (
        "selectors",
        "match: {podSelector: {matchLabels: {-a: b, c: '-'}, matchExpressions: [{key: a, operator: In}, {key: a, operator: Exists, values: [x]}, {operator: Is}]}}",
        &[
            "5:39 spec.match.podSelector.matchLabels.-a: the key must be a label's key such as `team` or `example.com/team`, not `-a`",
            "5:49 spec.match.podSelector.matchLabels.c: must be a label's value (at most 63 letters, digits, `-`, `_` and `.`, a letter or digit at both ends), not `-`",
            "5:75 spec.match.podSelector.matchExpressions[0].values: must have at least one value for In and NotIn",
            "5:133 spec.match.podSelector.matchExpressions[1].values: must be absent for Exists and DoesNotExist",
            "5:140 spec.match.podSelector.matchExpressions[2].key: is required",
            "5:150 spec.match.podSelector.matchExpressions[2].operator: must be In, NotIn, Exists or DoesNotExist, not `Is`; did you mean `In`?",
        ],
    ),
    (
        "an exemption of nothing",
        "{exemptions: [{}, {reason: ' ', rules: [], match: {}}]}",
        &[
            "5:17 spec.exemptions[0].reason: is required",
            "5:17 spec.exemptions[0].rules: is required",
            "5:17 spec.exemptions[0].match: must give at least one of namespaces, podSelector, containers and images",
            "5:30 spec.exemptions[1].reason: must not be blank",
            "5:42 spec.exemptions[1].rules: must name at least one rule",
            "5:53 spec.exemptions[1].match: must give at least one of namespaces, podSelector, containers and images",
        ],
    ),
    (
        "an exemption of everything",
        "{exemptions: [{reason: r, rules: [imageTag], expires: 2027-02-30, match: {namespaces: [], podSelector: {}}}]}",
        &[
            "5:37 spec.exemptions[0].rules[0]: must be a rule, not `imageTag`; did you mean `image-tag`? Known: resource-limits, image-tag, pod-identity, runtime-sizing, probes",
            "5:57 spec.exemptions[0].expires: must be a date such as 2027-01-31, not `2027-02-30`",
            "5:77 spec.exemptions[0].match: must give at least one of namespaces, podSelector, containers and images",
        ],
    ),
];
