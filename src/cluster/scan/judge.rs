//! One Pod or template of a scan, from its text to what is kept of its verdict.

use jiff::civil::Date;
use serde::Deserialize;

use super::{
    fold::Fold,
    namespaces::{Described, Namespaces},
    owners::Owners,
};
use crate::{
    cluster::list::Resource,
    fitting::Pod,
    object::{self, List, Metadata, Text},
    policy::{PolicySet, Subject},
    report::ObjectName,
    review::review,
    workload::{Kind, Workload},
};

pub(super) struct Judge<'j> {
    pub(super) policies: &'j PolicySet,
    pub(super) today: Date,
    pub(super) namespaces: Namespaces,
    pub(super) fold: Fold,
}

/// Owners that may have no Pod now and make some tomorrow.
#[derive(Debug, Clone, Copy)]
pub(super) struct Template {
    pub(super) kind: Kind,
    api_version: &'static str,
    pub(super) resource: Resource,
}

impl Template {
    pub(super) const ALL: [Self; 4] = [
        Self::apps(Kind::Deployment, "deployments", "deployments.apps"),
        Self::apps(Kind::StatefulSet, "statefulsets", "statefulsets.apps"),
        Self::apps(Kind::DaemonSet, "daemonsets", "daemonsets.apps"),
        Self {
            kind: Kind::CronJob,
            api_version: "batch/v1",
            resource: Resource { group: "/apis/batch/v1", plural: "cronjobs", name: "cronjobs.batch" },
        },
    ];

    const fn apps(kind: Kind, plural: &'static str, name: &'static str) -> Self {
        Self { kind, api_version: "apps/v1", resource: Resource { group: "/apis/apps/v1", plural, name } }
    }
}

impl Judge<'_> {
    pub(super) fn pod(&mut self, owners: &Owners, json: &str) {
        let mut pod = match Workload::decode(Kind::Pod, json) {
            Ok(pod) => pod,
            Err(error) => return self.unreadable(Resource::PODS, Kind::Pod, json, &error),
        };
        let namespace = namespace(&pod.metadata);
        if let Some(why) = self.why_passed_over(&pod, json, &namespace) {
            return self.fold.pass_over(why);
        }
        // The Pod that would be created in its place has none.
        pod.spec.ephemeral_containers = List::default();
        let owner = owners.of(&pod, &namespace);
        self.judge(&owner, &pod, &namespace);
    }

    fn why_passed_over(&self, pod: &Workload<'_>, json: &str, namespace: &str) -> Option<&'static str> {
        if self.namespaces.is_ignored(namespace) {
            Some("in namespaces labelled podfit.dev/ignore=true")
        } else if pod.is_mirror() {
            Some("mirrored by a kubelet")
        } else if pod.metadata.deletion.0 {
            Some("being deleted")
        } else {
            is_finished(json).then_some("finished")
        }
    }

    /// As the Pod that it would make, where it has none that was judged.
    pub(super) fn template(&mut self, template: Template, json: &str) {
        let workload = match Workload::decode(template.kind, json) {
            Ok(workload) => workload,
            Err(error) => return self.unreadable(template.resource, template.kind, json, &error),
        };
        let namespace = namespace(&workload.metadata);
        let owner = ObjectName {
            api_version: template.api_version.to_owned(),
            kind: template.kind.as_str().to_owned(),
            namespace: Some(namespace.clone()),
            name: workload.name(),
        };
        if !workload.metadata.deletion.0 && !self.namespaces.is_ignored(&namespace) && !self.fold.has(&owner) {
            self.judge(&owner, &workload, &namespace);
        }
    }

    fn judge(&mut self, owner: &ObjectName, workload: &Workload<'_>, namespace: &str) {
        let pod_labels = &workload.pod_metadata().labels;
        let subject = Subject { namespace, namespace_labels: self.namespaces.labels(namespace), pod_labels };
        let pod = Pod::read(workload);
        let verdict = review(&self.policies.in_force(&subject), &pod, self.today);
        self.fold.add(owner, workload, &verdict);
    }

    /// The API server takes only what it can decode, so it is our own view that is too narrow.
    fn unreadable(&mut self, resource: Resource, kind: Kind, json: &str, error: &serde_json::Error) {
        let metadata = object::decode::<Described<'_>>(json).map(|described| described.metadata).unwrap_or_default();
        let namespace = metadata.namespace.as_ref().map(Text::as_str);
        let name = metadata.name.as_ref().map_or("", Text::as_str);
        let path = format!("{}/{name}", resource.path(namespace));
        self.fold.fail(path, namespace, format!("this {} cannot be read: {error}", kind.as_str()));
    }
}

fn namespace(metadata: &Metadata<'_>) -> String {
    metadata.namespace.as_ref().map_or("", Text::as_str).to_owned()
}

/// Whether a Pod has come to its end: that is in its status, which no rule reads.
fn is_finished(json: &str) -> bool {
    #[derive(Deserialize, Default)]
    #[serde(default)]
    struct Lifecycle<'a> {
        #[serde(borrow)]
        status: Option<Status<'a>>,
    }
    #[derive(Deserialize, Default)]
    #[serde(default)]
    struct Status<'a> {
        phase: Option<&'a str>,
    }
    let lifecycle: Lifecycle<'_> = serde_json::from_str(json).unwrap_or_default();
    let phase = lifecycle.status.and_then(|status| status.phase);
    matches!(phase, Some("Succeeded" | "Failed"))
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::policies;

    #[test]
    fn some_pods_are_passed_over() {
        let rows = [
            ("running", "", r#""phase":"Running""#, "1 judged"),
            ("without a status", "", "", "1 judged"),
            ("to be scheduled", "", r#""phase":"Pending""#, "1 judged"),
            ("completed", "", r#""phase":"Succeeded""#, "finished"),
            ("failed", "", r#""phase":"Failed","reason":"Evicted""#, "finished"),
            ("a kubelet's own", r#","annotations":{"kubernetes.io/config.mirror":"x"}"#, "", "mirrored by a kubelet"),
            ("terminating", r#","deletionTimestamp":"2026-11-24T00:00:00Z""#, r#""phase":"Running""#, "being deleted"),
        ];
        for (name, metadata, status, expected) in rows {
            let json = format!(r#"{{"metadata":{{"name":"a","namespace":"shop"{metadata}}},"status":{{{status}}}}}"#);
            let policies = policies::load_default().unwrap();
            let mut judge = judge(&policies);
            judge.pod(&Owners::default(), &json);
            let (report, _) = judge.fold.into_report();
            let said = report.notes.first().map(|note| note.trim_start_matches("Pods passed over: 1 ").to_owned());
            let judged = format!("{} judged", report.pods.unwrap());
            assert_eq!(said.unwrap_or(judged), expected, "{name}");
        }
    }

    #[test]
    fn a_template_is_judged_where_its_owner_has_no_pod() {
        let policies = policies::load_default().unwrap();
        let mut judge = judge(&policies);
        let owner =
            r#""ownerReferences":[{"apiVersion":"apps/v1","kind":"StatefulSet","name":"db","controller":true}]"#;
        judge.pod(&Owners::default(), &format!(r#"{{"metadata":{{"name":"db-0","namespace":"shop",{owner}}}}}"#));
        for name in ["db", "cache"] {
            let set = format!(r#"{{"metadata":{{"name":"{name}","namespace":"shop"}},"spec":{{"template":{{}}}}}}"#);
            judge.template(Template::ALL[1], &set);
        }
        let (report, _) = judge.fold.into_report();
        let objects: Vec<_> = report.objects.iter().map(|it| (it.object.to_string(), it.pods.unwrap())).collect();
        assert_eq!(objects, [("StatefulSet shop/cache".to_owned(), 0), ("StatefulSet shop/db".to_owned(), 1)]);
    }

    #[test]
    fn what_cannot_be_read_is_an_error_and_a_gap() {
        let policies = policies::load_default().unwrap();
        let mut judge = judge(&policies);
        judge.pod(&Owners::default(), r#"{"metadata":{"name":"odd","namespace":"shop"},"spec":{"containers":{}}}"#);
        let (report, gaps) = judge.fold.into_report();
        assert_eq!(report.errors[0].file, "/api/v1/namespaces/shop/pods/odd");
        assert!(report.errors[0].message.starts_with("this Pod cannot be read: "), "{}", report.errors[0].message);
        assert_eq!([gaps.holds("shop"), gaps.holds("bank")], [true, false]);
    }

    fn judge(policies: &PolicySet) -> Judge<'_> {
        Judge { policies, today: date(2026, 11, 24), namespaces: Namespaces::default(), fold: Fold::default() }
    }
}
