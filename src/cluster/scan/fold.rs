//! What a scan keeps of each verdict: findings by owner, with the number of Pods that have them. Verdicts are dropped.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    cluster::client::Failure,
    policy::Mode,
    report::{JudgedObject, ObjectName, Report, ReportedError, ReportedFinding, count},
    verdict::{Finding, Verdict},
    workload::Workload,
};

/// More are counted, not listed: some 30 MB, and more than anybody reads.
const MAX_LISTED_FINDINGS: usize = 50_000;

#[derive(Debug)]
pub(super) struct Fold {
    owners: BTreeMap<Place, Owner>,
    pods: usize,
    /// Findings that may still be listed.
    room: usize,
    counted: BTreeMap<Mode, usize>,
    passed_over: BTreeMap<&'static str, usize>,
    /// By policy and reason: Pods that rely on an exemption.
    relying: BTreeMap<(String, String), usize>,
    notes: BTreeSet<String>,
    errors: Vec<ReportedError>,
    gaps: Gaps,
}

/// By namespace, kind and name: the order of the report.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    namespace: Option<String>,
    kind: String,
    name: String,
    api_version: String,
}

/// Replicas are alike, so that what is counted without being told apart is the most that one of them has.
#[derive(Debug, Default)]
struct Owner {
    pods: usize,
    injections: usize,
    exempted: usize,
    skipped: usize,
    findings: Vec<ReportedFinding>,
    /// Those of `relying` that any of its Pods needs.
    exemptions: BTreeSet<(String, String)>,
}

/// Where something was not judged: whoever keeps what a scan says must not take silence there for health.
#[derive(Debug, Default)]
pub struct Gaps {
    everywhere: bool,
    namespaces: BTreeSet<String>,
}

impl Gaps {
    pub fn holds(&self, namespace: &str) -> bool {
        self.everywhere || self.namespaces.contains(namespace)
    }

    fn add(&mut self, namespace: Option<&str>) {
        match namespace {
            Some(namespace) => drop(self.namespaces.insert(namespace.to_owned())),
            None => self.everywhere = true,
        }
    }
}

impl Default for Fold {
    fn default() -> Self {
        Self::with_room(MAX_LISTED_FINDINGS)
    }
}

impl Fold {
    fn with_room(room: usize) -> Self {
        Self {
            owners: BTreeMap::new(),
            pods: 0,
            room,
            counted: BTreeMap::new(),
            passed_over: BTreeMap::new(),
            relying: BTreeMap::new(),
            notes: BTreeSet::new(),
            errors: Vec::new(),
            gaps: Gaps::default(),
        }
    }

    /// Adds the verdict on a Pod of an owner, or on the template of one that has no Pod.
    pub(super) fn add(&mut self, owner: &ObjectName, workload: &Workload<'_>, verdict: &Verdict<'_>) {
        let pods = usize::from(!workload.kind.is_template());
        self.pods += pods;
        let place = Place::of(owner);
        let kept = self.owners.entry(place).or_default();
        kept.pods += pods;
        kept.exempted = kept.exempted.max(verdict.exempted.len());
        kept.skipped = kept.skipped.max(verdict.skips.len());
        let (injections, findings): (Vec<_>, Vec<_>) =
            verdict.findings.iter().partition(|finding| finding.mode == Mode::Inject);
        kept.injections = kept.injections.max(injections.len());
        for finding in findings.into_iter().filter(|finding| finding.mode != Mode::Disabled) {
            let finding = reported(finding, workload, owner, pods);
            match kept.findings.iter_mut().find(|kept| is_same(kept, &finding)) {
                Some(same) => same.pods = same.pods.map(|number| number + pods),
                None if self.room > 0 => {
                    self.room -= 1;
                    kept.findings.push(finding);
                }
                None => *self.counted.entry(finding.mode).or_default() += 1,
            }
        }
        let used: BTreeSet<_> =
            verdict.exempted.iter().map(|used| (used.policy.to_owned(), used.reason.to_owned())).collect();
        for exemption in &used {
            *self.relying.entry(exemption.clone()).or_default() += pods;
        }
        kept.exemptions.extend(used);
        self.notes.extend(verdict.notes.iter().map(|note| format!("{owner}: {note}")));
    }

    pub(super) fn pass_over(&mut self, why: &'static str) {
        *self.passed_over.entry(why).or_default() += 1;
    }

    /// What was looked at, judged or not.
    pub(super) fn seen(&self) -> usize {
        self.pods + self.passed_over.values().sum::<usize>()
    }

    pub(super) fn has(&self, owner: &ObjectName) -> bool {
        self.owners.contains_key(&Place::of(owner))
    }

    pub(super) fn note(&mut self, note: String) {
        self.notes.insert(note);
    }

    /// Something at a path of the API could not be judged.
    pub(super) fn fail(&mut self, path: String, namespace: Option<&str>, message: String) {
        self.gaps.add(namespace);
        self.errors.push(ReportedError { file: path, place: None, message });
    }

    pub(super) fn fail_by(&mut self, path: String, namespace: Option<&str>, failure: &Failure) {
        self.fail(path, namespace, failure.told());
    }

    /// Pods and owners that rely on an exemption.
    pub(super) fn relying(&self, policy: &str, reason: &str) -> (usize, usize) {
        let exemption = (policy.to_owned(), reason.to_owned());
        let owners = self.owners.values().filter(|owner| owner.exemptions.contains(&exemption)).count();
        (self.relying.get(&exemption).copied().unwrap_or_default(), owners)
    }

    pub(super) fn into_report(self) -> (Report, Gaps) {
        let mut report =
            Report { pods: Some(self.pods), counted: self.counted, errors: self.errors, ..Report::default() };
        let unlisted: usize = report.counted.values().sum();
        for (place, owner) in self.owners {
            *report.counted.entry(Mode::Inject).or_default() += owner.injections;
            report.exempted += owner.exempted;
            report.skipped += owner.skipped;
            report.findings.extend(owner.findings);
            let object = place.into_name();
            report.objects.push(JudgedObject { object, file: None, pods: Some(owner.pods), patch: Vec::new() });
        }
        report.passed_over = self.passed_over.values().sum();
        report.notes = self.notes.into_iter().collect();
        if report.passed_over > 0 {
            let kinds = self.passed_over.iter().map(|(why, number)| format!("{number} {why}"));
            report.notes.push(format!("Pods passed over: {}", kinds.collect::<Vec<_>>().join(", ")));
        }
        if unlisted > 0 {
            report.notes.push(format!(
                "{} more than the {} that are listed; --namespace shows those of one namespace",
                count(unlisted, "finding"),
                report.findings.len()
            ));
        }
        (report, self.gaps)
    }
}

fn reported(finding: &Finding<'_>, workload: &Workload<'_>, owner: &ObjectName, pods: usize) -> ReportedFinding {
    let pointer = finding.pointer(workload);
    let of_pod = pointer.strip_prefix(workload.prefix()).map(str::to_owned);
    ReportedFinding {
        rule: finding.rule,
        reason: finding.reason,
        mode: finding.mode,
        policy_mode: Some(finding.policy_mode).filter(|mode| *mode != finding.mode),
        policy: finding.policy.to_owned(),
        file: None,
        span: None,
        object: owner.clone(),
        container: finding.container.map(str::to_owned),
        pointer: of_pod.unwrap_or(pointer),
        pods: Some(pods),
        message: finding.message(),
    }
}

/// Whether two Pods of an owner have the same finding, wherever its container stands in each.
fn is_same(one: &ReportedFinding, other: &ReportedFinding) -> bool {
    let key = |it: &ReportedFinding| (it.rule, it.reason, it.mode);
    key(one) == key(other)
        && one.policy == other.policy
        && one.container == other.container
        && one.message == other.message
}

impl Place {
    fn of(name: &ObjectName) -> Self {
        let ObjectName { api_version, kind, namespace, name } = name.clone();
        Self { namespace, kind, name, api_version }
    }

    fn into_name(self) -> ObjectName {
        let Self { namespace, kind, name, api_version } = self;
        ObjectName { api_version, kind, namespace, name }
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::{fitting::Pod, policies, policy::Subject, review::review, workload::Kind};

    /// A Pod without limits of an owner.
    fn add(fold: &mut Fold, owner: &str, container: &str) {
        let json = format!(
            r#"{{"metadata":{{"name":"a"}},"spec":{{"containers":[{{"name":"{container}","image":"a:1"}}]}}}}"#
        );
        let workload = Workload::decode(Kind::Pod, &json).unwrap();
        let policies = policies::load_default().unwrap();
        let pod_labels = &workload.pod_metadata().labels;
        let subject = Subject { namespace: "shop", namespace_labels: None, pod_labels };
        let pod = Pod::read(&workload);
        let verdict = review(&policies.in_force(&subject), &pod, date(2026, 11, 24));
        let owner = ObjectName {
            api_version: "apps/v1".into(),
            kind: "Deployment".into(),
            namespace: Some("shop".into()),
            name: owner.into(),
        };
        fold.add(&owner, &workload, &verdict);
    }

    #[test]
    fn equal_findings_of_an_owner_are_one_with_a_number_of_pods() {
        let mut fold = Fold::default();
        for (owner, container) in [("web", "app"), ("api", "app"), ("web", "app"), ("web", "other")] {
            add(&mut fold, owner, container);
        }
        let (report, _) = fold.into_report();
        let told =
            |it: &ReportedFinding| (it.object.name.clone(), it.container.clone().unwrap(), it.reason, it.pods.unwrap());
        let row = |owner: &str, container: &str, reason, pods| (owner.to_owned(), container.to_owned(), reason, pods);
        let (cpu, memory) = ("container has no CPU limit", "container has no memory limit");
        let expected = [
            row("api", "app", cpu, 1),
            row("api", "app", memory, 1),
            row("web", "app", cpu, 2),
            row("web", "app", memory, 2),
            row("web", "other", cpu, 1),
            row("web", "other", memory, 1),
        ];
        assert_eq!(report.findings.iter().map(told).collect::<Vec<_>>(), expected);
        assert_eq!(report.headline(), "4 Pods of 2 owners: 6 denied findings, 4 injections; 6 skipped");
    }

    #[test]
    fn what_does_not_fit_into_the_list_is_counted() {
        let mut fold = Fold::with_room(3);
        for owner in ["one", "two", "three"] {
            add(&mut fold, owner, "app");
        }
        let (report, _) = fold.into_report();
        assert_eq!((report.findings.len(), report.summary().deny), (3, 6));
        let note = "3 findings more than the 3 that are listed; --namespace shows those of one namespace";
        assert_eq!(report.notes, [note]);
    }
}
