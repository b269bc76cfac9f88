//! `podfit scan --write-reports`: the failures of each namespace in an object that dashboards and policy tools read. Only a scan
//! writes them, never an admission.

use std::{collections::BTreeMap, fmt};

use kube::{
    Api,
    api::{ApiResource, DeleteParams, DynamicObject, Patch, PatchParams},
};

use super::{
    Cluster, NAME,
    client::{Call, Failure},
    list::{List, Resource},
    scan::{Described, Scanned},
};
use crate::{
    object,
    report::{ReportedError, ReportedFinding},
};

mod content;

use content::{MANAGED_BY, content, outcome};

/// The two kinds share every field that is written here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportKind {
    /// `openreports.io/v1alpha1`, the successor.
    Report,
    /// `wgpolicyk8s.io/v1alpha2`.
    PolicyReport,
}

/// What became of them.
#[derive(Debug, Default)]
pub struct Kept {
    kind: &'static str,
    written: usize,
    deleted: usize,
    /// Namespaces whose report was left as it was.
    left: usize,
    pub errors: Vec<ReportedError>,
}

impl ReportKind {
    fn resource(self) -> Resource {
        match self {
            Self::Report => {
                Resource { group: "/apis/openreports.io/v1alpha1", plural: "reports", name: "reports.openreports.io" }
            }
            Self::PolicyReport => Resource {
                group: "/apis/wgpolicyk8s.io/v1alpha2",
                plural: "policyreports",
                name: "policyreports.wgpolicyk8s.io",
            },
        }
    }

    fn kind(self) -> &'static str {
        match self {
            Self::Report => "Report",
            Self::PolicyReport => "PolicyReport",
        }
    }

    fn api_version(self) -> &'static str {
        self.resource().group.trim_start_matches("/apis/")
    }

    fn api(self, cluster: &Cluster, namespace: &str) -> Api<DynamicObject> {
        let (group, version) = self.api_version().split_once('/').unwrap_or_default();
        let resource = ApiResource {
            group: group.to_owned(),
            version: version.to_owned(),
            api_version: self.api_version().to_owned(),
            kind: self.kind().to_owned(),
            plural: self.resource().plural.to_owned(),
        };
        Api::namespaced_with(cluster.client.clone(), namespace, &resource)
    }
}

/// The kind that the cluster has a CRD of.
///
/// # Errors
/// Where the API server does not say what it knows.
pub async fn find(cluster: &Cluster) -> Result<Option<ReportKind>, Failure> {
    for kind in [ReportKind::Report, ReportKind::PolicyReport] {
        let known = cluster.client.list_api_group_resources(kind.api_version()).await;
        match known {
            Ok(known) if known.resources.iter().any(|resource| resource.name == kind.resource().plural) => {
                return Ok(Some(kind));
            }
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            Err(error) => return Err(Call::of("discover", kind.resource().name, "").failed(error)),
        }
    }
    Ok(None)
}

/// Makes the reports say what the scan found: one in each namespace with failures, none elsewhere. Where the scan has a gap,
/// they stay as they are.
pub async fn write(cluster: &Cluster, kind: ReportKind, namespace: Option<&str>, scanned: &Scanned) -> Kept {
    let mut kept = Kept { kind: kind.kind(), ..Kept::default() };
    let failures = by_namespace(&scanned.report.findings);
    for (namespace, findings) in &failures {
        if scanned.gaps.holds(namespace) {
            kept.left += 1;
            continue;
        }
        match apply(cluster, kind, namespace, findings).await {
            Ok(()) => kept.written += 1,
            Err(failure) => kept.fail(kind, Some(namespace), &failure),
        }
    }
    match present(cluster, kind, namespace).await {
        Ok(present) => {
            for namespace in present.iter().filter(|namespace| !failures.contains_key(namespace.as_str())) {
                kept.remove(cluster, kind, namespace, scanned).await;
            }
        }
        Err(failure) => kept.fail(kind, namespace, &failure),
    }
    kept
}

impl Kept {
    async fn remove(&mut self, cluster: &Cluster, kind: ReportKind, namespace: &str, scanned: &Scanned) {
        if scanned.gaps.holds(namespace) {
            self.left += 1;
            return;
        }
        match kind.api(cluster, namespace).delete(NAME, &DeleteParams::default()).await {
            Ok(_) => self.deleted += 1,
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            Err(error) => {
                let call = Call::of("delete", kind.resource().name, NAME).within(namespace);
                self.fail(kind, Some(namespace), &call.failed(error));
            }
        }
    }

    fn fail(&mut self, kind: ReportKind, namespace: Option<&str>, failure: &Failure) {
        let message = failure.told();
        self.errors.push(ReportedError { file: kind.resource().path(namespace), place: None, message });
    }
}

impl fmt::Display for Kept {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            (self.written, "written"),
            (self.deleted, "deleted, where nothing fails any more"),
            (self.left, "left as they were, where the scan is incomplete"),
        ];
        let parts = parts.iter().filter(|(number, _)| *number > 0);
        let parts: Vec<_> = parts.map(|(number, what)| format!("{number} {what}")).collect();
        let what = if parts.is_empty() { "none is needed".to_owned() } else { parts.join(", ") };
        write!(formatter, "{} objects named {NAME}: {what}", self.kind)
    }
}

fn by_namespace(findings: &[ReportedFinding]) -> BTreeMap<String, Vec<&ReportedFinding>> {
    let mut namespaces: BTreeMap<String, Vec<&ReportedFinding>> = BTreeMap::new();
    for finding in findings.iter().filter(|finding| outcome(finding.mode).is_some()) {
        let namespace = finding.object.namespace.clone().unwrap_or_default();
        namespaces.entry(namespace).or_default().push(finding);
    }
    // What is refused comes first, so that a bound cuts off what matters least.
    for findings in namespaces.values_mut() {
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.mode));
    }
    namespaces
}

/// By server-side apply, which writes nothing where nothing changes: the object holds no time.
async fn apply(
    cluster: &Cluster,
    kind: ReportKind,
    namespace: &str,
    findings: &[&ReportedFinding],
) -> Result<(), Failure> {
    let content = Patch::Apply(content(kind, namespace, findings));
    match kind.api(cluster, namespace).patch(NAME, &PatchParams::apply(NAME).force(), &content).await {
        Ok(_) => Ok(()),
        // The namespace has gone meanwhile.
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        Err(error) => Err(Call::of("patch", kind.resource().name, NAME).within(namespace).failed(error)),
    }
}

/// Namespaces that have a report of ours.
async fn present(cluster: &Cluster, kind: ReportKind, namespace: Option<&str>) -> Result<Vec<String>, Failure> {
    let list = List { label_selector: Some(MANAGED_BY.selector), ..List::of(kind.resource(), namespace).metadata() };
    let mut found = Vec::new();
    let take = |json: &str, found: &mut Vec<String>| {
        let Ok(Described { metadata }) = object::decode(json) else { return };
        if metadata.name.is_some_and(|name| name.as_str() == NAME) {
            found.extend(metadata.namespace.map(|namespace| namespace.as_str().to_owned()));
        }
    };
    cluster.list(&list, |page| page.items.iter().for_each(|item| take(item.get(), &mut found))).await?;
    Ok(found)
}
