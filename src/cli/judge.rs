//! The judgement of manifests, for `check`, `fix`, `explain` and `test`: every object of every document goes through the same
//! `review` as in the webhook; what a command makes of it is its own.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use clap::Args;
use jiff::civil::Date;

use super::input::{self, Inputs, Manifest};
use crate::{
    admission,
    fitting::Pod,
    manifest::{Document, Object},
    node::Node,
    pointer, policies,
    policy::{InForce, Labels, Mode, PolicySet, Subject},
    report::{ObjectName, ReportedError},
    review::review,
    verdict::Verdict,
    workload::{Kind, Workload},
};

/// What `check`, `fix` and `explain` have in common.
#[derive(Debug, Args)]
pub struct JudgeArguments {
    /// Files, folders, or `-` for standard input; without any, the current folder
    paths: Vec<PathBuf>,
    /// Policy file, or folder of policy files [default: the embedded policy, see `podfit policy default`]
    #[arg(long, value_name = "FILE|DIR")]
    policy: Option<PathBuf>,
    /// Namespace of objects that name none
    #[arg(long, short, default_value = "default")]
    namespace: String,
    /// Labels of every namespace that no Namespace document describes
    #[arg(long, value_name = "KEY=VALUE", value_delimiter = ',', value_parser = label)]
    namespace_labels: Vec<(String, String)>,
    /// The day on which exemptions are judged [default: today, in UTC]
    #[arg(long, value_name = "YYYY-MM-DD")]
    today: Option<Date>,
    /// Show what the webhook would answer: templates as the policy's `templates` says
    #[arg(long)]
    as_admission: bool,
}

/// Those of `--policy`, or the embedded one.
pub fn policies(path: Option<&Path>) -> anyhow::Result<PolicySet> {
    let policies = path.map_or_else(policies::load_default, policies::load);
    policies.context("the policy cannot be used")
}

fn label(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

/// The manifests, and what they are judged under.
pub struct Bench {
    pub inputs: Inputs,
    pub policies: PolicySet,
    pub today: Date,
    /// Of objects that name none.
    pub namespace: String,
    /// By namespace; those of the empty name are for all that are not here.
    pub labels: BTreeMap<String, Labels>,
    pub as_admission: bool,
}

/// One workload and its verdict.
pub struct Judged<'j> {
    pub manifest: &'j Manifest,
    /// The document's index in the file.
    pub index: usize,
    pub document: &'j Document,
    /// Stands before every pointer into the object.
    pub pointer_prefix: &'j str,
    pub name: ObjectName,
    pub pod: &'j Pod<'j>,
    pub verdict: Verdict<'j>,
    /// What it was judged by.
    pub subject: Subject<'j>,
    pub in_force: InForce<'j>,
}

/// What was not judged.
#[derive(Debug, Default)]
pub struct Rest {
    pub errors: Vec<ReportedError>,
    pub passed_over: usize,
    pub notes: Vec<String>,
}

impl JudgeArguments {
    /// Reads policies and manifests.
    ///
    /// # Errors
    /// Where the policies cannot be read: without them there is nothing to judge by.
    pub fn prepare(self) -> anyhow::Result<Bench> {
        let inputs = input::read(&self.paths);
        let mut labels = namespaces(&inputs);
        labels.insert(String::new(), self.namespace_labels().unwrap_or_default());
        Ok(Bench {
            policies: policies(self.policy())?,
            today: self.today(),
            namespace: self.namespace,
            labels,
            as_admission: self.as_admission,
            inputs,
        })
    }

    /// `--policy`.
    pub fn policy(&self) -> Option<&Path> {
        self.policy.as_deref()
    }

    pub fn today(&self) -> Date {
        self.today.unwrap_or_else(today)
    }

    /// Those given on the command line.
    pub fn namespace_labels(&self) -> Option<Labels> {
        (!self.namespace_labels.is_empty()).then(|| self.namespace_labels.iter().cloned().collect())
    }
}

/// The day, in UTC.
pub fn today() -> Date {
    jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date()
}

/// Labels of the Namespace documents among the input, by name.
pub fn namespaces(inputs: &Inputs) -> BTreeMap<String, Labels> {
    let documents =
        inputs.manifests.iter().flat_map(|manifest| &manifest.documents).filter_map(|read| read.as_ref().ok());
    let objects = documents.flat_map(|document| document.objects());
    let namespaces = objects.filter(|object| text(object.node, "kind") == Some("Namespace"));
    namespaces
        .filter_map(|object| {
            let metadata = object.node.get("metadata")?;
            let name = text(metadata, "name")?.to_owned();
            Some((name, metadata.get("labels").map(labels_of).unwrap_or_default()))
        })
        .collect()
}

fn labels_of(node: &Node) -> Labels {
    let crate::node::Value::Map(entries) = &node.value else { return Labels::new() };
    entries.iter().filter_map(|entry| Some((entry.key.clone(), entry.value.as_text()?.to_owned()))).collect()
}

fn text<'n>(node: &'n Node, key: &str) -> Option<&'n str> {
    node.get(key)?.as_text()
}

impl Bench {
    /// Judges every object in the order of the input, and gives each verdict to `tell`.
    pub fn judge(&self, mut tell: impl FnMut(Judged<'_>)) -> Rest {
        let mut rest = Rest { errors: self.inputs.errors.clone(), notes: self.inputs.notes.clone(), ..Rest::default() };
        for manifest in &self.inputs.manifests {
            if manifest.documents.is_empty() && manifest.is_named {
                rest.fail(manifest, None, "holds no document".to_owned());
            }
            for (index, read) in manifest.documents.iter().enumerate() {
                match read {
                    Ok(document) => self.document(manifest, index, document, &mut rest, &mut tell),
                    Err(error) => rest.fail(manifest, Some((error.line, error.column)), error.message.clone()),
                }
            }
        }
        rest
    }

    fn document(
        &self,
        manifest: &Manifest,
        index: usize,
        document: &Document,
        rest: &mut Rest,
        tell: &mut impl FnMut(Judged<'_>),
    ) {
        for object in document.objects() {
            let place = Some((object.node.span.start.line, object.node.span.start.column));
            let (Some(api_version), Some(kind)) = (text(object.node, "apiVersion"), text(object.node, "kind")) else {
                rest.passed_over += 1;
                if manifest.is_named {
                    rest.fail(manifest, place, "is no Kubernetes object: it has no apiVersion and kind".to_owned());
                }
                continue;
            };
            let Some(known) = Kind::of(api_version.rsplit_once('/').map_or("", |(group, _)| group), kind) else {
                rest.passed_over += 1;
                continue;
            };
            match Workload::decode(known, &object.json) {
                Ok(workload) => {
                    let judged = (manifest, index, document, &object);
                    self.workload(judged, api_version, &workload, rest, tell);
                }
                Err(error) => {
                    let fault = Workload::fault(known, &object.json).unwrap_or_default();
                    let start = document.locate(&format!("{}{fault}", object.pointer_prefix)).start;
                    let field = pointer::field_path(&fault);
                    let why = without_place(&error);
                    rest.fail(
                        manifest,
                        Some((start.line, start.column)),
                        format!("this {kind} cannot be read: {field}: {why}"),
                    );
                }
            }
        }
    }

    fn workload(
        &self,
        (manifest, index, document, object): (&Manifest, usize, &Document, &Object<'_>),
        api_version: &str,
        workload: &Workload<'_>,
        rest: &mut Rest,
        tell: &mut impl FnMut(Judged<'_>),
    ) {
        let given = workload.metadata.namespace.as_ref().map(|namespace| namespace.as_str().to_owned());
        let namespace = given.clone().filter(|name| !name.is_empty()).unwrap_or_else(|| self.namespace.clone());
        let labels = self.labels_for(&namespace, rest);
        let pod_labels = &workload.pod_metadata().labels;
        let subject = Subject { namespace: &namespace, namespace_labels: labels, pod_labels };
        let in_force = self.policies.in_force(&subject);
        let pod = Pod::read(workload);
        let mut verdict = review(&in_force, &pod, self.today);
        if self.as_admission {
            answer_as_admission(workload, &mut verdict);
        }
        let name = ObjectName {
            api_version: api_version.to_owned(),
            kind: workload.kind.as_str().to_owned(),
            namespace: Some(namespace.clone()),
            name: workload.name(),
        };
        let pointer_prefix = object.pointer_prefix.as_str();
        tell(Judged { manifest, index, document, pointer_prefix, name, pod: &pod, verdict, subject, in_force });
    }

    fn labels_for(&self, namespace: &str, rest: &mut Rest) -> Option<&Labels> {
        let given = self.labels.get("").filter(|labels| !labels.is_empty());
        let labels = self.labels.get(namespace).or(given);
        if labels.is_none() && self.policies.needs_namespace_labels() {
            rest.note(format!(
                "the labels of namespace {namespace:?} are not known, so no namespaceSelector matches it; give its \
                 Namespace document, or --namespace-labels (a suite of tests: `namespaces`)"
            ));
        }
        labels
    }
}

/// The webhook never patches a template, and never judges what another controller owns or what is on its way out.
fn answer_as_admission(workload: &Workload<'_>, verdict: &mut Verdict<'_>) {
    if !workload.kind.is_template() {
        return;
    }
    let is_spared = workload.metadata.controller_kind().is_some() || workload.metadata.deletion.0;
    verdict.findings.retain_mut(|finding| {
        finding.mode = admission::admission_mode(finding, workload);
        finding.mode != Mode::Disabled && !is_spared
    });
}

impl Rest {
    fn fail(&mut self, manifest: &Manifest, place: Option<(usize, usize)>, message: String) {
        self.errors.push(ReportedError { file: manifest.name.clone(), place, message });
    }

    fn note(&mut self, note: String) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }
}

/// A place in the JSON that we made of the YAML means nothing to its author.
fn without_place(error: &serde_json::Error) -> String {
    let message = error.to_string();
    message.rfind(" at line ").map_or(message.as_str(), |at| &message[..at]).to_owned()
}
