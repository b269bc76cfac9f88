//! The words in which cases expect things, made of what the core and the webhook give.

use std::fmt;

use json_patch::Patch as JsonPatch;
use podfit::{
    injected::INJECTED,
    verdict::{Exempted, Finding, Skip},
    workload::Workload,
};
use serde_json::Value;

use crate::{
    Differences,
    case::{Case, Patch},
};

pub fn finding(finding: &Finding<'_>, workload: &Workload<'_>) -> String {
    let container = finding.container.unwrap_or_default();
    let (mode, pointer) = (finding.mode.as_str(), finding.pointer(workload));
    finding_of(finding.rule.id(), mode, container, &pointer, finding.reason)
}

pub fn finding_of(rule: &str, mode: &str, container: &str, pointer: &str, reason: &str) -> String {
    format!("{rule} {mode} {container} {pointer}: {reason}")
}

pub fn skip(skip: &Skip<'_>) -> String {
    let text =
        format!("{} {} {}: {} {}", skip.rule.id(), skip.container, skip.subject, skip.reason.as_str(), skip.about);
    text.trim_end().to_owned()
}

pub fn exempted(exempted: &Exempted<'_>) -> String {
    format!("{} {}: {}", exempted.rule.id(), exempted.container, exempted.reason)
}

/// Operations that are shown one a line.
#[derive(PartialEq)]
struct Lines(Vec<Value>);

impl fmt::Debug for Lines {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|operation| write!(formatter, "\n    {operation}"))
    }
}

pub fn operations(patch: Option<&str>) -> Vec<Value> {
    patch.map(|patch| serde_json::from_str(patch).unwrap()).unwrap_or_default()
}

/// As the API server does, with an independent implementation.
pub fn applied(object: &Value, operations: &[Value]) -> Value {
    let patch: JsonPatch = serde_json::from_value(Value::Array(operations.to_vec())).unwrap();
    let mut object = object.clone();
    json_patch::patch(&mut object, &patch).unwrap_or_else(|error| panic!("{error}: {operations:#?}"));
    object
}

impl Differences {
    pub fn compare_patch(&mut self, case: &Case, what: &str, found: &[Value]) {
        match &case.expected.patch {
            Patch::Whole(expected) => {
                let found = Lines(found.iter().map(with_readable_record).collect());
                self.compare(case, what, &found, &Lines(expected.clone()));
            }
            Patch::Container { env, probes } => {
                self.compare_container(case, what, found, env.as_ref(), probes.as_ref());
            }
        }
    }

    fn compare_container(
        &mut self,
        case: &Case,
        what: &str,
        found: &[Value],
        env: Option<&Vec<String>>,
        probes: Option<&Value>,
    ) {
        let container = format!("{}/spec/containers/0", prefix(case));
        let is_said = |path: &str| match path.strip_prefix(&container) {
            Some(field) if field.starts_with("/env") => env.is_some(),
            Some(field) if field.ends_with("Probe") => probes.is_some(),
            _ => path.contains("/metadata/annotations"),
        };
        let paths = found.iter().map(|operation| operation["path"].as_str().unwrap());
        let unsaid: Vec<&str> = paths.filter(|path| !is_said(path)).collect();
        self.compare(case, &format!("{what}, beside env and probes"), &unsaid, &Vec::<&str>::new());
        let fixed = applied(&case.object, found);
        let container = fixed.pointer(&container).unwrap();
        if let Some(expected) = env {
            self.compare(case, &format!("{what}: env"), &variables(container), expected);
        }
        if let Some(expected) = probes {
            let mut probes = container.clone();
            probes.as_object_mut().unwrap().retain(|key, _| key.ends_with("Probe"));
            self.compare(case, &format!("{what}: probes"), &probes, expected);
        }
    }
}

fn prefix(case: &Case) -> &'static str {
    match case.object["kind"].as_str().unwrap() {
        "Pod" => "",
        "CronJob" => "/spec/jobTemplate/spec/template",
        "PodTemplate" => "/template",
        _ => "/spec/template",
    }
}

/// `NAME=literal`, `NAME<-metadata.name`, `NAME<-limits.cpu/1`, `NAME<-?` for any other source.
fn variables(container: &Value) -> Vec<String> {
    let env = container["env"].as_array().map(Vec::as_slice).unwrap_or_default();
    env.iter().map(variable_of).collect()
}

fn variable_of(variable: &Value) -> String {
    let name = variable["name"].as_str().unwrap();
    let source = &variable["valueFrom"];
    if let Some(path) = source.pointer("/fieldRef/fieldPath") {
        return format!("{name}<-{}", path.as_str().unwrap());
    }
    if let Some(reference) = source.get("resourceFieldRef") {
        return format!(
            "{name}<-{}/{}",
            reference["resource"].as_str().unwrap(),
            reference["divisor"].as_str().unwrap()
        );
    }
    if source.is_object() {
        return format!("{name}<-?");
    }
    format!("{name}={}", variable["value"].as_str().unwrap_or_default())
}

/// The record's JSON text as the map that it is.
fn with_readable_record(operation: &Value) -> Value {
    let mut operation = operation.clone();
    let is_record = operation["path"].as_str().unwrap().ends_with("/podfit.dev~1injected");
    let record = if is_record { Some(&mut operation["value"]) } else { record_in(&mut operation["value"]) };
    if let Some(record) = record {
        *record = serde_json::from_str(record.as_str().unwrap()).unwrap();
    }
    operation
}

/// Where the annotations, or all metadata, are new too.
fn record_in(value: &mut Value) -> Option<&mut Value> {
    let annotations = if value.get("annotations").is_some() { value.get_mut("annotations")? } else { value };
    annotations.get_mut(INJECTED)
}
