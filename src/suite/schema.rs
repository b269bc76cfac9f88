//! What a `PolicyTest` may say: every key stands here once, read by the reader of policies.

use std::collections::{BTreeMap, HashSet};

use serde_json::{Map, Value as Json, json};

use super::{Expectation, Expected, Group, Policies, Suite, Test};
use crate::{
    node::{Node, Span},
    policy::{self, API_VERSION, Labels, Policy, PolicySet, values},
    reader::{Fields, Flag, List, MapOf, Mistake, Object, Scalar, Shape, Spanned, Tree, constant, record, shorten},
    rules::Rule,
};

pub const KIND: &str = "PolicyTest";

/// Whether a document means to be a test of policies, however it is mistaken.
pub fn is_suite(node: &Node) -> bool {
    let text = |key| node.get(key).and_then(Node::as_text);
    let is_other = text("kind") == Some(policy::KIND);
    text("kind") == Some(KIND)
        || (text("apiVersion").is_some_and(|version| version.starts_with("podfit.dev/")) && !is_other)
}

/// The suite that a document holds, or all its mistakes in the order of the text.
pub fn compile(node: &Node) -> Result<Suite, Vec<Mistake>> {
    let mut mistakes = Vec::new();
    match Object(suite).read(node, "", &mut mistakes) {
        Some(suite) if mistakes.is_empty() => Ok(suite),
        _ => {
            mistakes.sort_by_key(|mistake| mistake.span.start);
            Err(mistakes)
        }
    }
}

/// JSON Schema (2020-12) of a suite, for editors.
pub fn json_schema() -> Json {
    let mut schema = Map::new();
    schema.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
    schema.insert("title".to_owned(), json!(KIND));
    schema.insert("description".to_owned(), json!("Tests of policies, which `podfit test` runs."));
    schema.extend(record(suite));
    Json::from(schema)
}

fn suite(fields: &mut Fields<'_>) -> Suite {
    fields.required("apiVersion", "The version of this schema.", &constant(API_VERSION));
    fields.required("kind", "The kind of this document.", &constant(KIND));
    let name = fields.object("metadata", "Only the name is read.", metadata);
    let policies = policies(fields);
    let today = fields.optional("today", "The day of tests that name none.", &Scalar::new(values::date));
    let namespace = fields.optional("namespace", "Of objects that name none.", &Scalar::new(values::object_name));
    let labels = MapOf { key: Scalar::new(values::label_key), of: Scalar::new(values::label_value) };
    let namespaces = MapOf { key: Scalar::new(values::object_name), of: labels };
    let namespaces = fields.optional("namespaces", "Namespaces, each with its labels.", &namespaces);
    let tests = fields.required("tests", "What is judged, and what is to be found.", &List::of(Object(test)));
    refuse_no_tests(fields);
    refuse_same_names(fields);
    let in_common = |test: Test| Test {
        namespace: test.namespace.or_else(|| namespace.clone()),
        today: test.today.or(today),
        ..test
    };
    Suite {
        name,
        policies,
        namespaces: labels_by_name(namespaces.unwrap_or_default()),
        tests: tests.unwrap_or_default().into_iter().map(in_common).collect(),
    }
}

fn labels_by_name(namespaces: Vec<(String, Vec<(String, String)>)>) -> BTreeMap<String, Labels> {
    namespaces.into_iter().map(|(name, labels)| (name, labels.into_iter().collect())).collect()
}

fn metadata(fields: &mut Fields<'_>) -> Option<String> {
    let name = fields.optional("name", "Reports name the suite so.", &Scalar::new(values::line));
    fields.ignore_others();
    name
}

fn policies(fields: &mut Fields<'_>) -> Policies {
    let about = "File or folder of policies, as seen from here; absent is the embedded policy, or that of --policy.";
    let path = fields.optional("policy", about, &Spanned(Scalar::new(file_path)));
    let inline = fields.optional("policies", "The policies themselves.", &List::of(WholePolicy));
    if fields.has(&["policy"]) && fields.has(&["policies"]) {
        fields.refuse(&["policies"], "must not stand beside `policy`; keep one of them");
    }
    match (path, inline) {
        (Some((span, path)), _) => Policies::Path { path, span },
        (None, Some(policies)) => Policies::Inline(policy_set(policies, fields)),
        (None, None) => Policies::Absent,
    }
}

fn policy_set(policies: Vec<Policy>, fields: &mut Fields<'_>) -> PolicySet {
    if !fields.has_elements("policies") {
        fields.refuse(&["policies"], "must hold at least one policy; leave it out for the embedded one");
    }
    PolicySet::new(policies).unwrap_or_else(|error| {
        fields.refuse(&["policies"], format!("must have names of their own: {error}"));
        PolicySet::default()
    })
}

fn refuse_no_tests(fields: &mut Fields<'_>) {
    if fields.has(&["tests"]) && !fields.has_elements("tests") {
        fields.refuse(&["tests"], "must hold at least one test");
    }
}

/// CI systems follow a test by its name.
fn refuse_same_names(fields: &mut Fields<'_>) {
    let tests = fields.elements("tests").iter().enumerate();
    let mut seen = HashSet::new();
    let twice = tests.filter_map(|(index, test)| Some((index, test.get("name")?.as_text()?)));
    let twice: Vec<_> = twice.filter(|(_, name)| !seen.insert(*name)).collect();
    for (index, name) in twice {
        fields.refuse_element("tests", index, format!("`{}` is the name of another test here", shorten(name)));
    }
}

fn test(fields: &mut Fields<'_>) -> Test {
    let name = fields.required("name", "What holds, in a few words.", &Scalar::new(values::line)).unwrap_or_default();
    let manifests = List::of(Scalar::new(file_path));
    let manifests = fields.optional("manifests", "Files and folders, as seen from here.", &manifests);
    let objects = fields.optional("objects", "Objects themselves.", &List::of(Tree)).unwrap_or_default();
    if !fields.has_elements("manifests") && !fields.has_elements("objects") {
        fields.refuse_all("must name what is judged: `manifests`, `objects`, or both");
    }
    let namespace = fields.optional("namespace", "Of objects that name none.", &Scalar::new(values::object_name));
    let today = fields.optional("today", "The day on which exemptions are judged.", &Scalar::new(values::date));
    let as_admission = fields.or("asAdmission", "Judge templates as the webhook answers them.", &Flag, false);
    let about = "All that is to be found; `{}` where nothing is.";
    let expected = fields.required("expect", about, &Spanned(Object(expect)));
    Test {
        name,
        manifests: manifests.unwrap_or_default(),
        objects,
        namespace,
        today,
        as_admission,
        expected: expected.map(|(span, expected)| Expected { span, ..expected }).unwrap_or_default(),
    }
}

fn expect(fields: &mut Fields<'_>) -> Expected {
    let mut expectations = Vec::new();
    let lists = [
        (Group::Deny, "Findings that refuse."),
        (Group::Warn, "Findings that warn."),
        (Group::Audit, "Findings that are only noted."),
        (Group::Exempt, "Findings that exemptions take away."),
    ];
    for (group, about) in lists {
        let list = List::of(Spanned(Object(|fields: &mut Fields<'_>| finding(fields, group))));
        let list = fields.optional(group.key(), about, &list).unwrap_or_default();
        expectations.extend(list.into_iter().map(|(span, finding)| Expectation { span: Some(span), ..finding }));
    }
    let about = "Everything that is injected, by container; not looked at where this is absent.";
    let value = Spanned(Scalar::new(|text: &str| Ok::<_, String>(text.to_owned())).or_integer());
    let container = MapOf { key: Scalar::new(values::line), of: value };
    let injections = fields.optional("inject", about, &MapOf { key: Scalar::new(values::line), of: container });
    let with_injections = injections.is_some();
    expectations.extend(injections.into_iter().flatten().flat_map(|(container, settings)| {
        settings.into_iter().map(move |setting| injection(&container, setting)).collect::<Vec<_>>()
    }));
    let unmatched = fields.or("unmatched", "That no policy matches any of the objects.", &Flag, false);
    Expected { expectations, with_injections, unmatched, ..Expected::default() }
}

fn finding(fields: &mut Fields<'_>, group: Group) -> Expectation {
    let text = Scalar::new(values::line);
    let rule = Scalar::new(values::rule).with("enum", Rule::ALL.map(Rule::id).to_vec());
    let rule = fields.required("rule", "The rule.", &rule);
    let object = fields.optional("object", "NAME or KIND/NAME, where there are several.", &text);
    let container = fields.optional("container", "The container, or the image volume.", &text);
    let policy = fields.optional("policy", "The policy that says so.", &text);
    let (subject, wording) = if group == Group::Exempt {
        (None, fields.optional("reason", "The exemption's reason.", &text))
    } else {
        let about = "What of it: limits.cpu, limits.memory, image, a variable, a probe.";
        (fields.optional("subject", about, &text), fields.optional("message", "A part of the message.", &text))
    };
    Expectation { object, rule, container, subject, policy, wording, ..Expectation::of_group(group) }
}

/// The container may have its object before it: `api`, `web/api`, `Deployment/web/api`.
fn injection(container: &str, (subject, (span, value)): (String, (Span, String))) -> Expectation {
    let (object, container) = match container.rsplit_once('/') {
        Some((object, container)) => (Some(object.to_owned()), container),
        None => (None, container),
    };
    Expectation {
        object,
        container: Some(container.to_owned()),
        subject: Some(subject),
        wording: Some(value),
        span: Some(span),
        ..Expectation::of_group(Group::Inject)
    }
}

/// Standard input is no part of a repository.
fn file_path(text: &str) -> Result<String, String> {
    if text == "-" { Err("must be a file or a folder".to_owned()) } else { values::line(text) }
}

/// A policy in its place, with all its own mistakes.
struct WholePolicy;

impl Shape for WholePolicy {
    type Value = Policy;

    fn read(&self, node: &Node, path: &str, mistakes: &mut Vec<Mistake>) -> Option<Policy> {
        let own = match policy::compile(node) {
            Ok(policy) => return Some(policy),
            Err(own) => own,
        };
        mistakes.extend(own.into_iter().map(|mistake| {
            let dot = if mistake.path.is_empty() { "" } else { "." };
            Mistake { path: format!("{path}{dot}{}", mistake.path), ..mistake }
        }));
        None
    }

    fn schema(&self) -> Map<String, Json> {
        let mut schema = policy::json_schema().as_object().cloned().unwrap_or_default();
        schema.remove("$schema");
        schema
    }
}

#[cfg(test)]
mod tests;
