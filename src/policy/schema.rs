//! What a policy's text may say: every key, its words and its default stand here once. `compile` reads a tree with it, and
//! `json_schema` writes the same down for editors.

use serde_json::{Map, Value as Json, json};

use super::{
    Basis, CpuFrom, DefaultLimit, EnvFrom, Exemption, ImageTag, LabelSelector, Mode, Pattern, PlatformVariable,
    PodIdentity, Policy, ProbeKind, Probes, ResourceLimits, Rounding, RuntimeSizing, Selector,
    labels::{Operator, Requirement},
    values::{self, Factor},
};
use crate::{
    node::Node,
    quantity::Quantity,
    reader::{Fields, Flag, Integer, List, MapOf, Mistake, Object, Scalar, Shape, Words, constant, record},
    rules::Rule,
    runtimes,
};

/// The embedded default policy, as people read it.
pub const DEFAULT_POLICY: &str = include_str!("default.yaml");

pub const API_VERSION: &str = "podfit.dev/v1alpha1";
pub const KIND: &str = "SizingPolicy";
pub const PLURAL: &str = "sizingpolicies";

const JUDGING_MODES: Words<Mode> =
    Words(&[("Deny", Mode::Deny), ("Warn", Mode::Warn), ("Audit", Mode::Audit), ("Disabled", Mode::Disabled)]);

const INJECTING_MODES: Words<Mode> = Words(&[
    ("Inject", Mode::Inject),
    ("Deny", Mode::Deny),
    ("Warn", Mode::Warn),
    ("Audit", Mode::Audit),
    ("Disabled", Mode::Disabled),
]);

const ENV_FROM: Words<EnvFrom> = Words(&[("Inject", EnvFrom::Inject), ("Skip", EnvFrom::Skip)]);
const RESOURCES: Words<Basis> = Words(&[("cpu", Basis::Cpu), ("memory", Basis::Memory)]);
const POD_LEVEL: Words<bool> = Words(&[("Accept", true), ("Ignore", false)]);
const VALUES: Words<bool> = Words(&[("Auto", false), ("Literal", true)]);
const RESIZE_POLICY: Words<bool> = Words(&[("Leave", false), ("Restart", true)]);
const ROUNDING: Words<Rounding> = Words(&[("Up", Rounding::Up), ("Down", Rounding::Down)]);

const CPU_FROM: Words<CpuFrom> = Words(&[
    ("Limits", CpuFrom::Limits),
    ("LimitsElseRequests", CpuFrom::LimitsElseRequests),
    ("Requests", CpuFrom::Requests),
]);

const PROBE_KINDS: Words<ProbeKind> =
    Words(&[("readiness", ProbeKind::Readiness), ("liveness", ProbeKind::Liveness), ("startup", ProbeKind::Startup)]);

const OPERATORS: Words<Operator> = Words(&[
    ("In", Operator::In),
    ("NotIn", Operator::NotIn),
    ("Exists", Operator::Exists),
    ("DoesNotExist", Operator::DoesNotExist),
]);

/// The policy that a document holds, or all its mistakes in the order of the text. Of a document that is no `SizingPolicy`
/// only this is said.
pub fn compile(node: &Node) -> Result<Policy, Vec<Mistake>> {
    let mut mistakes = Vec::new();
    let read = if is_ours(node) {
        Object(policy).read(node, "", &mut mistakes)
    } else {
        Object(foreign).read(node, "", &mut mistakes);
        None
    };
    match read {
        Some(policy) if mistakes.is_empty() => Ok(policy),
        _ => {
            mistakes.sort_by_key(|mistake| mistake.span.start);
            Err(mistakes)
        }
    }
}

/// Whether a document means to be a policy, however it is mistaken.
fn is_ours(node: &Node) -> bool {
    let text = |key| node.get(key).and_then(Node::as_text);
    text("kind") == Some(KIND) || text("apiVersion").is_some_and(|version| version.starts_with("podfit.dev/"))
}

/// JSON Schema (2020-12) of a policy, for editors. What it cannot say (a request above its limit, an exemption for
/// nothing), `compile` refuses still.
pub fn json_schema() -> Json {
    let mut schema = Map::new();
    schema.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
    schema.insert("title".to_owned(), json!(KIND));
    schema.insert("description".to_owned(), json!("What the Pods of some namespaces are held to by podfit."));
    schema.extend(record(policy));
    Json::from(schema)
}

fn policy(fields: &mut Fields<'_>) -> Policy {
    envelope(fields);
    fields.mark_required("metadata");
    let name = fields.object("metadata", "Only the name is read.", metadata);
    fields.ignored("status", "Written by podfit in a cluster; never read.");
    let spec = fields.object("spec", "A rule that is absent here is not ruled by this policy.", spec);
    Policy { name, ..spec }
}

/// What every policy begins with.
fn envelope(fields: &mut Fields<'_>) {
    fields.required("apiVersion", "The version of this schema.", &constant(API_VERSION));
    fields.required("kind", "The kind of this object.", &constant(KIND));
}

fn foreign(fields: &mut Fields<'_>) {
    envelope(fields);
    fields.ignore_others();
}

fn metadata(fields: &mut Fields<'_>) -> String {
    let about = "Reports and messages name the policy so; ties of priority are broken by it.";
    let name = fields.required("name", about, &Scalar::new(values::object_name).with("maxLength", 253));
    fields.ignore_others();
    name.unwrap_or_default()
}

/// The policy but for its name.
fn spec(fields: &mut Fields<'_>) -> Policy {
    Policy {
        name: String::new(),
        priority: fields.or(
            "priority",
            "Of the matching policies that name a rule, the highest rules it; ties go to the first name.",
            &Integer { min: i64::from(i32::MIN), max: i64::from(i32::MAX) },
            0,
        ),
        selector: fields.object("match", "Whom this policy is for; all parts must hold.", selector),
        templates: fields.or(
            "templates",
            "The strictest that an admission answer on a Pod template (Deployment, Job, ...) gives.",
            &JUDGING_MODES,
            Mode::Warn,
        ),
        resource_limits: rule(fields, Rule::ResourceLimits, "Containers have CPU and memory limits.", resource_limits),
        image_tag: rule(fields, Rule::ImageTag, "Images have a fixed tag or a digest.", image_tag),
        pod_identity: rule(fields, Rule::PodIdentity, "Containers know their Pod's name and namespace.", pod_identity),
        runtime_sizing: rule(fields, Rule::RuntimeSizing, "Runtimes are told their limits.", runtime_sizing),
        probes: rule(fields, Rule::Probes, "Long-running containers have probes.", probes),
        exemptions: fields
            .optional("exemptions", "What rules do not look at, and why.", &List::of(Object(exemption)))
            .unwrap_or_default(),
    }
}

/// A rule is named where its key holds a map, even an empty one.
fn rule<T>(fields: &mut Fields<'_>, rule: Rule, about: &str, read: fn(&mut Fields<'_>) -> T) -> Option<T> {
    fields.optional(rule.policy_key(), about, &Object(read))
}

fn selector(fields: &mut Fields<'_>) -> Selector {
    let namespaces = List::set(Scalar::new(values::namespace_pattern));
    let excluded = ["kube-system", "kube-public", "kube-node-lease"];
    Selector {
        namespaces: fields.or("namespaces", "Names with `*`; empty is all.", &namespaces, Vec::new()),
        exclude_namespaces: fields.or(
            "excludeNamespaces",
            "Names with `*`; wins over namespaces.",
            &namespaces,
            excluded.iter().filter_map(|name| Pattern::parse(name).ok()).collect(),
        ),
        namespace_selector: fields.object(
            "namespaceSelector",
            "Over the namespace's labels, which come from the cluster.",
            label_selector,
        ),
        pod_selector: fields.object("podSelector", "Over the Pod's or template's labels.", label_selector),
    }
}

fn label_selector(fields: &mut Fields<'_>) -> LabelSelector {
    let labels = MapOf { key: Scalar::new(values::label_key), of: Scalar::new(values::label_value) };
    let labels = fields.optional("matchLabels", "Labels and their values.", &labels).unwrap_or_default();
    let equal = |(key, value)| Requirement { key, operator: Operator::In, values: vec![value] };
    let mut requirements: Vec<_> = labels.into_iter().map(equal).collect();
    let expressions = List::of(Object(label_expression));
    requirements.extend(fields.optional("matchExpressions", "All must hold.", &expressions).unwrap_or_default());
    LabelSelector { requirements }
}

fn label_expression(fields: &mut Fields<'_>) -> Requirement {
    let key = fields.required("key", "The label.", &Scalar::new(values::label_key)).unwrap_or_default();
    let operator = fields.required("operator", "How the label is compared.", &OPERATORS);
    let values = List::set(Scalar::new(values::label_value));
    let values = fields.optional("values", "For In and NotIn only.", &values).unwrap_or_default();
    match operator {
        Some(Operator::In | Operator::NotIn) if values.is_empty() && !fields.has_elements("values") => {
            fields.refuse(&["values"], "must have at least one value for In and NotIn");
        }
        Some(Operator::Exists | Operator::DoesNotExist) if fields.has_elements("values") => {
            fields.refuse(&["values"], "must be absent for Exists and DoesNotExist");
        }
        _ => {}
    }
    Requirement { key, operator: operator.unwrap_or(Operator::Exists), values }
}

fn resource_limits(fields: &mut Fields<'_>) -> ResourceLimits {
    let mode = fields.or("mode", "What a missing limit leads to.", &JUDGING_MODES, Mode::Deny);
    let require = fields.or(
        "require",
        "The limits that a container must have.",
        &List::set(RESOURCES),
        vec![Basis::Cpu, Basis::Memory],
    );
    let init_containers = fields.or(
        "initContainers",
        "Ordinary init containers too; sidecars always, ephemeral ones never.",
        &Flag,
        true,
    );
    let pod_level_accepted =
        fields.or("podLevel", "Whether a limit in the Pod's own spec.resources is enough.", &POD_LEVEL, true);
    let about = "Limits to inject where they are missing, whatever the mode.";
    let limits = fields.object("defaults", about, |fields| quantities(fields, values::default_limit));
    let about = "The request for each default limit, since the API server would make it equal to the limit.";
    let requests = fields.object("defaultRequests", about, |fields| quantities(fields, values::default_request));
    let mut pair = |limit, request, key| default_limit(fields, key, limit, request);
    ResourceLimits {
        mode,
        require_cpu: require.contains(&Basis::Cpu),
        require_memory: require.contains(&Basis::Memory),
        init_containers,
        pod_level_accepted,
        cpu_default: pair(limits.0, requests.0, "cpu"),
        memory_default: pair(limits.1, requests.1, "memory"),
    }
}

type Amount = (String, Quantity);

/// Of CPU and of memory.
fn quantities(
    fields: &mut Fields<'_>,
    parse: fn(Basis, &str) -> Result<Amount, String>,
) -> (Option<Amount>, Option<Amount>) {
    let cpu = Scalar::new(|text: &str| parse(Basis::Cpu, text)).or_integer();
    let memory = Scalar::new(|text: &str| parse(Basis::Memory, text)).or_integer();
    (
        fields.optional("cpu", "A quantity of cores, such as 500m.", &cpu),
        fields.optional("memory", "A quantity of bytes, such as 256Mi.", &memory),
    )
}

/// A default needs both halves; a half that is there but refused has its mistake already.
fn default_limit(
    fields: &mut Fields<'_>,
    key: &str,
    limit: Option<Amount>,
    request: Option<Amount>,
) -> Option<DefaultLimit> {
    let limit_path = ["defaults", key];
    let request_path = ["defaultRequests", key];
    match (fields.has(&limit_path), fields.has(&request_path)) {
        (true, false) => fields.refuse(
            &limit_path,
            format!("needs `defaultRequests.{key}` beside it, or the API server makes the request equal to the limit"),
        ),
        (false, true) => fields.refuse(&request_path, format!("needs `defaults.{key}` beside it")),
        _ => {}
    }
    let ((limit_text, limit), (request_text, request)) = limit.zip(request)?;
    if request > limit {
        fields.refuse(&request_path, format!("must not be above the default limit, {limit_text}"));
    }
    Some(DefaultLimit { limit_text, limit, request_text, request })
}

fn image_tag(fields: &mut Fields<'_>) -> ImageTag {
    ImageTag {
        mode: fields.or("mode", "What a forbidden image leads to.", &JUDGING_MODES, Mode::Deny),
        forbidden: fields.or(
            "forbidden",
            "Tags with `*`, case-sensitive; an image without tag and digest has the tag latest.",
            &List::set(Scalar::new(values::tag_pattern)),
            Pattern::parse("latest").into_iter().collect(),
        ),
        require_digest: fields.or("requireDigest", "Whether a tag is never enough.", &Flag, false),
    }
}

fn pod_identity(fields: &mut Fields<'_>) -> PodIdentity {
    let variables = MapOf { key: Scalar::new(values::variable_name), of: Scalar::new(values::field_path) };
    let named = |name: &str, path: &str| (name.to_owned(), path.to_owned());
    let mut identity = PodIdentity {
        mode: fields.or("mode", "What a missing variable leads to.", &INJECTING_MODES, Mode::Inject),
        variables: fields.or(
            "variables",
            "Names, and the field paths of the downward API that they are filled from. A given map replaces this one.",
            &variables,
            vec![named("POD_NAME", "metadata.name"), named("POD_NAMESPACE", "metadata.namespace")],
        ),
        env_from: fields.or(
            "envFrom",
            "Where a container's envFrom could supply the name.",
            &ENV_FROM,
            EnvFrom::Inject,
        ),
    };
    identity.variables.sort();
    identity
}

fn runtime_sizing(fields: &mut Fields<'_>) -> RuntimeSizing {
    let own: Vec<&str> = own_variable_names(fields).into_iter().map(|(_, name)| name).collect();
    let known_variables = List::set(Scalar::new(|text: &str| values::variable(text, &[])));
    let known_or_own = List::set(Scalar::new(|text: &str| values::variable(text, &own)));
    let runtimes = List::set(Scalar::new(values::runtime).with("enum", runtimes::ALL.map(|runtime| runtime.name)));
    RuntimeSizing {
        mode: fields.or("mode", "What an untold runtime leads to.", &INJECTING_MODES, Mode::Inject),
        runtimes: fields.or("runtimes", "Runtimes whose variables are always wanted.", &runtimes, vec![&runtimes::GO]),
        detect: fields.or("detect", "Further runtimes where the Pod itself names them.", &Flag, true),
        opt_in: fields.or("optIn", "Variables of the opt-in tier to switch on.", &known_variables, Vec::new()),
        skip: fields.or("skip", "Variables that are never wanted.", &known_or_own, Vec::new()),
        literal_only: fields.or("values", "Auto lets the kubelet compute what it can at each start.", &VALUES, false),
        cpu_from: fields.or("cpuFrom", "What worker counts are computed from.", &CPU_FROM, CpuFrom::Limits),
        request_factor: fields.or(
            "requestFactor",
            "Workers per requested core, where requests are the basis.",
            &Integer { min: 1, max: 1_000 },
            4,
        ),
        skip_above: fields.or(
            "skipAbove",
            "A larger worker count is not injected: the runtime's own choice is better there.",
            // Erlang refuses to start with more.
            &Integer { min: 1, max: 1_024 },
            64,
        ),
        headroom_percent: fields.or(
            "headroomPercent",
            "Of memory, left to what the runtime does not manage.",
            &Integer { min: 0, max: 99 },
            10,
        ),
        env_from: fields.or("envFrom", "Where a container's envFrom could supply the name.", &ENV_FROM, EnvFrom::Skip),
        restart_on_resize: fields.or(
            "resizePolicy",
            "Restart adds RestartContainer for the resources that injected values come from.",
            &RESIZE_POLICY,
            false,
        ),
        variables: platform_variables(fields),
    }
}

fn platform_variables(fields: &mut Fields<'_>) -> Vec<PlatformVariable> {
    let names = own_variable_names(fields);
    for (earlier, (index, name)) in names.iter().enumerate() {
        if names[..earlier].iter().any(|(_, other)| other == name) {
            fields.refuse_element("variables", *index, format!("`{name}` is in the list already"));
        }
    }
    let shape = List::of(Object(platform_variable));
    fields.optional("variables", "The platform's own variables.", &shape).unwrap_or_default()
}

fn platform_variable(fields: &mut Fields<'_>) -> PlatformVariable {
    let bound = Integer { min: 0, max: i64::MAX as u64 };
    let multiply = Scalar::new(values::factor).or_decimal();
    let Factor(numerator, denominator) = fields.or("multiply", "A factor above 0.", &multiply, Factor(1, 1));
    let variable = PlatformVariable {
        name: fields
            .required("name", "The variable.", &Scalar::new(values::variable_name).with("maxLength", 253))
            .unwrap_or_default(),
        from: fields
            .required("from", "The limit that it is computed from: cores or bytes.", &RESOURCES)
            .unwrap_or(Basis::Cpu),
        multiply: (numerator, denominator),
        rounding: fields.or("rounding", "To a whole number.", &ROUNDING, Rounding::Up),
        min: fields.optional("min", "The least value.", &bound),
        max: fields.optional("max", "The greatest value.", &bound),
        format: fields.or(
            "format",
            "The value, with `{}` for the number.",
            &Scalar::new(values::format),
            "{}".to_owned(),
        ),
    };
    if variable.min.zip(variable.max).is_some_and(|(min, max)| min > max) {
        fields.refuse(&["max"], "must not be below min");
    }
    variable
}

fn probes(fields: &mut Fields<'_>) -> Probes {
    let mode = fields.or("mode", "What missing probes lead to.", &INJECTING_MODES, Mode::Inject);
    let tcp_readiness = fields.or("tcpReadiness", "A TCP check where nothing else can be meant.", &Flag, true);
    let http_ports = fields.or(
        "httpPorts",
        "Port names or numbers that follow the HTTP convention; empty is only where a Pod asks.",
        &List::set(Scalar::new(values::port).or_integer()),
        Vec::new(),
    );
    let http = fields.object("http", "The HTTP convention.", http);
    Probes {
        mode,
        tcp_readiness,
        http_ports,
        readiness_path: http.0,
        liveness_path: http.1,
        http_startup: http.2,
        require: fields.or(
            "require",
            "What Deny and Warn ask of a container that declares a TCP port.",
            &List::set(PROBE_KINDS),
            vec![ProbeKind::Readiness],
        ),
    }
}

/// The paths of readiness and liveness, and whether there is a startup probe.
fn http(fields: &mut Fields<'_>) -> (String, String, bool) {
    let path = Scalar::new(values::http_path).with("pattern", "^/");
    (
        fields.or("readinessPath", "The readiness check.", &path, "/readyz".to_owned()),
        fields.or("livenessPath", "The liveness check, and the startup one.", &path, "/healthz".to_owned()),
        fields.or("startup", "Whether a startup probe is added too.", &Flag, true),
    )
}

fn exemption(fields: &mut Fields<'_>) -> Exemption {
    let rule = Scalar::new(values::rule).with("enum", Rule::ALL.map(Rule::id).to_vec());
    let reason = fields.required("reason", "Why.", &Scalar::new(values::line)).unwrap_or_default();
    let expires =
        fields.optional("expires", "The last valid day, UTC.", &Scalar::new(values::date).with("format", "date"));
    let rules = fields.required("rules", "The rules that do not look.", &List::set(rule)).unwrap_or_default();
    if fields.has(&["rules"]) && !fields.has_elements("rules") {
        fields.refuse(&["rules"], "must name at least one rule");
    }
    fields.mark_required("match");
    let (namespaces, pod_selector, containers, images) =
        fields.object("match", "What is exempt: all fields must hold, at least one.", exempt);
    Exemption { reason, expires, rules, namespaces, pod_selector, containers, images }
}

type Exempt = (Option<Vec<Pattern>>, Option<LabelSelector>, Option<Vec<Pattern>>, Option<Vec<Pattern>>);

fn exempt(fields: &mut Fields<'_>) -> Exempt {
    let given = |patterns: Option<Vec<Pattern>>| patterns.filter(|patterns| !patterns.is_empty());
    let namespaces = List::set(Scalar::new(values::namespace_pattern));
    let namespaces = given(fields.optional("namespaces", "Names with `*`.", &namespaces));
    let pod_selector = fields.object("podSelector", "Over the Pod's or template's labels.", label_selector);
    let containers = List::set(Scalar::new(values::container_pattern));
    let containers = given(fields.optional("containers", "Names with `*`.", &containers));
    let images = List::set(Scalar::new(values::image_pattern));
    let images = given(fields.optional("images", "With `*`, as written or fully normalised.", &images));
    if !["namespaces", "podSelector", "containers", "images"].iter().any(|key| fields.has_elements(key)) {
        fields.refuse_all("must give at least one of namespaces, podSelector, containers and images");
    }
    let pod_selector = Some(pod_selector).filter(|selector| !selector.is_empty());
    (namespaces, pod_selector, containers, images)
}

/// With their place in the list. Taken from the tree as it is, since `skip` may name them ahead of their turn.
fn own_variable_names<'n>(fields: &Fields<'n>) -> Vec<(usize, &'n str)> {
    let variables = fields.elements("variables").iter().enumerate();
    variables.filter_map(|(index, variable)| Some((index, variable.get("name")?.as_text()?))).collect()
}

#[cfg(test)]
mod tests;
