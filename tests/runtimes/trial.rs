//! One Pod through `review` and its patch, and what its first container has then.

use std::{collections::BTreeMap, fs};

use jiff::civil::date;
use podfit::{
    fitting::Pod,
    patch, policies,
    policy::{PolicySet, Subject},
    review::review,
    verdict::{Change, Verdict},
    workload::{Kind, Workload},
};
use serde_json::{Value, json};

use crate::kubelet;

/// What podfit made of a Pod's first container.
#[derive(Debug, Default, PartialEq)]
pub struct Trial {
    /// What it injected or changed, as the kubelet hands it to the process.
    pub injected: BTreeMap<String, String>,
    /// The reason's label, by variable.
    pub skipped: BTreeMap<String, String>,
    /// What made podfit think of a variable.
    pub signals: BTreeMap<String, String>,
    /// Skips that are told as warnings.
    pub warned: Vec<String>,
    /// The Pod after the patch.
    pub pod: Value,
}

impl Trial {
    pub fn of(policies: &PolicySet, pod: &Value) -> Self {
        let json = pod.to_string();
        let workload = Workload::decode(Kind::Pod, &json).unwrap();
        let read = Pod::read(&workload);
        let pod_labels = &read.workload.pod_metadata().labels;
        let subject = Subject { namespace: "default", namespace_labels: None, pod_labels };
        let verdict = review(&policies.in_force(&subject), &read, date(2026, 11, 22));
        let operations = patch::to_json(&verdict, &read).unwrap_or_else(|| "[]".to_owned());
        let mut fixed = pod.clone();
        let operations: json_patch::Patch = serde_json::from_str(&operations).unwrap();
        json_patch::patch(&mut fixed, &operations).unwrap();
        let signals = signals(&verdict);
        let environment = kubelet::environment(&fixed["spec"]["containers"][0]);
        let injected = environment.into_iter().filter(|(name, _)| signals.contains_key(name)).collect();
        let skips = verdict.skips.iter().filter(|skip| skip.place == FIRST);
        Self {
            injected,
            skipped: skips.clone().map(|skip| (skip.subject.to_string(), skip.reason.as_str().to_owned())).collect(),
            signals,
            warned: skips.filter(|skip| skip.is_warning()).map(|skip| skip.subject.to_string()).collect(),
            pod: fixed,
        }
    }

    /// What became of a variable: its value, or `-` and the reason.
    pub fn fate(&self, variable: &str) -> String {
        match (self.injected.get(variable), self.skipped.get(variable)) {
            (Some(value), _) => value.clone(),
            (None, Some(reason)) => format!("- {reason}"),
            (None, None) => "-".to_owned(),
        }
    }
}

const FIRST: podfit::workload::Place =
    podfit::workload::Place::Container { list: podfit::workload::ContainerList::Regular, index: 0 };

fn signals(verdict: &Verdict<'_>) -> BTreeMap<String, String> {
    let of_first = verdict.edits().filter(|edit| edit.place == FIRST);
    of_first
        .filter_map(|edit| match &edit.change {
            Change::Variable { name, .. } => Some((name.to_string(), edit.origin.signal.to_string())),
            _ => None,
        })
        .collect()
}

/// A policy of the rule `runtime-sizing` alone, with these settings as YAML in braces.
pub fn policy(settings: &str) -> PolicySet {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy.yaml");
    let text = format!(
        "apiVersion: podfit.dev/v1alpha1\nkind: SizingPolicy\nmetadata: {{name: test}}\nspec:\n  runtimeSizing: {settings}\n"
    );
    fs::write(&file, text).unwrap();
    policies::file::load(&file).unwrap_or_else(|error| panic!("{error}"))
}

/// A Pod of one container with limits; `-` is no limit.
pub fn pod(cpu: &str, memory: &str) -> Value {
    let limits = [("cpu", cpu), ("memory", memory)].into_iter().filter(|(_, amount)| *amount != "-");
    let limits: BTreeMap<_, _> = limits.collect();
    json!({"metadata": {"name": "api"}, "spec": {"containers": [
        {"name": "api", "image": "registry.example/api:1.2.3", "resources": {"limits": limits}}
    ]}})
}

/// The same with other fields of its container.
pub fn pod_with(cpu: &str, memory: &str, fields: &Value) -> Value {
    let mut pod = pod(cpu, memory);
    merge(&mut pod["spec"]["containers"][0], fields);
    pod
}

/// With annotations.
pub fn annotated(mut pod: Value, annotations: &[(&str, &str)]) -> Value {
    for (key, value) in annotations {
        pod["metadata"]["annotations"][*key] = json!(value);
    }
    pod
}

fn merge(object: &mut Value, fields: &Value) {
    for (key, value) in fields.as_object().unwrap() {
        object[key] = value.clone();
    }
}
