//! A case file: one situation, or `rows` that share a skeleton. Keys of a row that are no keys of a case are words that the
//! skeleton names as `$word`; a `$word` that a row does not have takes its key with it. What is not expected must not be.

use std::{collections::BTreeMap, fs, path::Path};

use jiff::civil::{Date, date};
use podfit::{
    manifest, policies,
    policy::{Labels, PolicySet},
    workload::{Kind, Workload},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// The day of cases that name none.
pub const TODAY: Date = date(2026, 11, 22);

pub struct Case {
    /// `folder/file`, and the row's number.
    pub name: String,
    pub ground: Ground,
    pub request: Request,
    pub object: Value,
    /// The object as a manifest: as it stands in the case file, comments and all, or as JSON where a row was filled in.
    pub manifest: String,
    pub expected: Expected,
}

/// What a case is judged under.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ground {
    /// JSON text by name; none: the embedded policy.
    pub policies: Option<BTreeMap<String, String>>,
    pub namespace: String,
    pub labels: Option<Labels>,
    pub today: Option<Date>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Request {
    pub operation: String,
    pub sub_resource: Option<String>,
    pub user: String,
    pub groups: Vec<String>,
    pub old_object: Value,
    pub dry_run: bool,
}

/// What the core, the webhook and the command line must say.
#[derive(Debug, Clone)]
pub struct Expected {
    /// `rule Mode container pointer: reason`, of the object as it is given, in the policy's own modes.
    pub findings: Vec<String>,
    /// The findings' messages, where they matter.
    pub messages: Option<Vec<String>>,
    pub patch: Patch,
    /// `rule container subject: reason about`
    pub skips: Vec<String>,
    /// `rule container: reason of the exemption`
    pub exempted: Vec<String>,
    /// Whether `/mutate` answers with the patch; a template is only patched by `fix`.
    pub mutates: bool,
    /// Of both phases together.
    pub warnings: Vec<String>,
    /// The message; none: allowed.
    pub denial: Option<String>,
    /// Of both phases, where they matter.
    pub decisions: Option<[String; 2]>,
    /// The audit annotations of the second phase, where they matter.
    pub audit: Option<Value>,
}

#[derive(Debug, Clone)]
pub enum Patch {
    /// All operations; the record of injections is written as a map instead of its JSON text.
    Whole(Vec<Value>),
    /// What the first container has afterwards, where the patch changes nothing else but the record.
    Container { env: Option<Vec<String>>, probes: Option<Value> },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct File {
    policy: Option<Value>,
    policies: Option<BTreeMap<String, Value>>,
    namespace: Option<String>,
    namespace_labels: Option<Labels>,
    today: Option<String>,
    #[serde(default)]
    request: Request,
    object: Value,
    findings: Vec<String>,
    messages: Option<Vec<String>>,
    patch: Option<Vec<Value>>,
    env: Option<Vec<String>>,
    probes: Option<Value>,
    #[serde(default)]
    skips: Vec<String>,
    #[serde(default)]
    exempted: Vec<String>,
    mutates: Option<bool>,
    #[serde(default)]
    warnings: Vec<String>,
    denial: Option<String>,
    decisions: Option<[String; 2]>,
    audit: Option<Value>,
}

const KEYS: [&str; 19] = [
    "policy",
    "policies",
    "namespace",
    "namespaceLabels",
    "today",
    "request",
    "object",
    "findings",
    "messages",
    "patch",
    "env",
    "probes",
    "skips",
    "exempted",
    "mutates",
    "warnings",
    "denial",
    "decisions",
    "audit",
];

impl Default for Request {
    fn default() -> Self {
        Self {
            operation: "CREATE".into(),
            sub_resource: None,
            user: "system:serviceaccount:kube-system:replicaset-controller".into(),
            groups: vec!["system:serviceaccounts".into()],
            old_object: Value::Null,
            dry_run: false,
        }
    }
}

/// All cases of all folders, in the order of their names.
pub fn all() -> Vec<Case> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut files = Vec::new();
    for folder in fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()) {
        files.extend(fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()));
    }
    files.sort();
    let cases: Vec<Case> = files.iter().flat_map(|path| read(path)).collect();
    assert!(cases.len() > 400, "only {} cases were found", cases.len());
    cases
}

fn read(path: &Path) -> Vec<Case> {
    let folder = path.parent().unwrap().file_name().unwrap().to_str().unwrap();
    let name = format!("{folder}/{}", path.file_stem().unwrap().to_str().unwrap());
    let text = fs::read_to_string(path).unwrap();
    let documents = manifest::read(&text);
    let [Ok(document)] = &documents[..] else { panic!("{name}: {documents:?}") };
    let mut skeleton: Map<String, Value> = serde_json::from_str(&document.json).unwrap();
    // Words for anchors, which YAML has no other place for.
    skeleton.remove("words");
    let Some(rows) = skeleton.remove("rows") else {
        let object = document.node.get("object").unwrap_or_else(|| panic!("{name}: no object"));
        let manifest = dedented(&text[object.span.start.offset..object.span.end.offset], object.span.start.column - 1);
        return vec![case(name, skeleton, Some(manifest))];
    };
    let rows: Vec<Map<String, Value>> = serde_json::from_value(rows).unwrap();
    rows.into_iter()
        .enumerate()
        .map(|(index, row)| case(format!("{name}#{}", index + 1), filled(&skeleton, row), None))
        .collect()
}

/// The text of an indented value as a document of its own.
fn dedented(text: &str, indentation: usize) -> String {
    let indentation = " ".repeat(indentation);
    let lines = text.lines().map(|line| line.strip_prefix(&indentation).unwrap_or(line));
    lines.collect::<Vec<_>>().join("\n") + "\n"
}

fn filled(skeleton: &Map<String, Value>, row: Map<String, Value>) -> Map<String, Value> {
    let (keys, words): (Map<_, _>, Map<_, _>) = row.into_iter().partition(|(key, _)| KEYS.contains(&key.as_str()));
    let mut all = skeleton.clone();
    all.extend(keys);
    let filled = fill(Value::Object(all), &words);
    let Some(Value::Object(filled)) = filled else { panic!("a case is a map") };
    filled
}

fn fill(value: Value, words: &Map<String, Value>) -> Option<Value> {
    match value {
        Value::String(text) => match text.strip_prefix('$').filter(|word| !word.starts_with('(')) {
            Some(word) => words.get(word).cloned(),
            None => Some(Value::String(text)),
        },
        Value::Array(items) => Some(items.into_iter().filter_map(|item| fill(item, words)).collect()),
        Value::Object(map) => {
            Some(Value::Object(map.into_iter().filter_map(|(key, value)| Some((key, fill(value, words)?))).collect()))
        }
        other => Some(other),
    }
}

fn case(name: String, content: Map<String, Value>, manifest: Option<String>) -> Case {
    let file: File = serde_json::from_value(Value::Object(content)).unwrap_or_else(|error| panic!("{name}: {error}"));
    let policies = match (file.policy, file.policies) {
        (None, None) => None,
        (Some(spec), None) => Some(BTreeMap::from([policy("case".to_owned(), &spec)])),
        (None, Some(specs)) => Some(specs.into_iter().map(|(name, spec)| policy(name, &spec)).collect()),
        (Some(_), Some(_)) => panic!("{name}: policy or policies"),
    };
    let patch = match (file.patch, file.env, file.probes) {
        (patch, None, None) => Patch::Whole(patch.unwrap_or_default()),
        (None, env, probes) => Patch::Container { env, probes },
        _ => panic!("{name}: the whole patch, or what it comes to"),
    };
    let creates_pod = file.object["kind"] == "Pod" && file.request.operation == "CREATE";
    let mutates = file.mutates.unwrap_or(creates_pod && file.request.sub_resource.is_none());
    let manifest = manifest.unwrap_or_else(|| format!("{:#}\n", file.object));
    Case {
        name,
        ground: Ground {
            policies,
            namespace: file.namespace.unwrap_or_else(|| "shop".to_owned()),
            labels: file.namespace_labels,
            today: file.today.map(|today| today.parse().unwrap()),
        },
        request: file.request,
        object: file.object,
        manifest,
        expected: Expected {
            findings: file.findings,
            messages: file.messages,
            patch,
            skips: file.skips,
            exempted: file.exempted,
            mutates,
            warnings: file.warnings,
            denial: file.denial,
            decisions: file.decisions,
            audit: file.audit,
        },
    }
}

fn policy(name: String, spec: &Value) -> (String, String) {
    let object = json!({
        "apiVersion": "podfit.dev/v1alpha1", "kind": "SizingPolicy", "metadata": {"name": name}, "spec": spec,
    });
    (name, object.to_string())
}

impl Case {
    pub fn kind(&self) -> Kind {
        let (group, _) = self.api_version().rsplit_once('/').unwrap_or_default();
        Kind::of(group, self.object["kind"].as_str().unwrap()).unwrap()
    }

    pub fn api_version(&self) -> &str {
        self.object["apiVersion"].as_str().unwrap()
    }

    pub fn decode<'t>(&self, json: &'t str) -> Workload<'t> {
        Workload::decode(self.kind(), json).unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }
}

impl Ground {
    pub fn today(&self) -> Date {
        self.today.unwrap_or(TODAY)
    }

    /// Writes the policies; nothing where the embedded one rules.
    pub fn write(&self, folder: &Path) -> bool {
        for (name, text) in self.policies.iter().flatten() {
            fs::write(folder.join(name).with_extension("yaml"), text).unwrap();
        }
        self.policies.is_some()
    }

    pub fn policies(&self) -> PolicySet {
        let folder = tempfile::tempdir().unwrap();
        let set = if self.write(folder.path()) { policies::load(folder.path()) } else { policies::load_default() };
        set.unwrap_or_else(|error| panic!("{error}"))
    }
}
