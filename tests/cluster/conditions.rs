//! The `matchConditions` of `/validate`, one request after the other: for which it is called. It fails closed, so that a condition
//! that fails refuses its request; podfit itself finds nothing to refuse.

use hyper::Method;
use serde_json::{Value, json};

use crate::{
    Bench,
    cluster::{Answer, Call, path},
};

const NAMESPACE: &str = "spared";
const CALLS: &str = "apiserver_admission_webhook_request_total{";
const ERRORS: &str = "apiserver_admission_match_condition_evaluation_errors_total{";
const NODE: Option<(&str, &str)> = Some(("system:node:node-1", "system:nodes"));

pub fn spare(bench: &Bench) {
    let _podfit = bench.podfit();
    bench.cluster().make_namespace(NAMESPACE, &[].into());
    for requests in [pods(), workloads(), owned(), odd(), mirrors(bench)] {
        for (what, request, code, called) in requests {
            let before = calls(bench);
            let answer = request.send(bench);
            assert_eq!(answer.code, code, "{what}: {}", answer.message());
            assert_eq!(calls(bench) - before, called, "{what}");
        }
    }
    let page = bench.cluster().get_text("/metrics");
    let errors: Vec<_> = page.lines().filter(|line| line.starts_with(ERRORS)).collect();
    assert_eq!(errors, [""; 0]);
}

/// How often `/validate` was called.
fn calls(bench: &Bench) -> u64 {
    let page = bench.cluster().get_text("/metrics");
    let lines = page.lines().filter(|line| line.starts_with(CALLS) && line.contains(r#"name="validate.podfit.dev""#));
    lines.map(|line| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap()).sum()
}

/// What is done, how, the status of the answer, and how often `/validate` is called.
type Row = (&'static str, Request, u16, u64);

struct Request {
    method: Method,
    /// Resource, name and sub-resource.
    at: String,
    body: Value,
    user: Option<(&'static str, &'static str)>,
}

impl Request {
    fn send(&self, bench: &Bench) -> Answer {
        let (resource, rest) = self.at.split_once('/').map_or((self.at.as_str(), None), |(at, rest)| (at, Some(rest)));
        let path = path(resource, NAMESPACE) + &rest.map(|rest| format!("/{rest}")).unwrap_or_default();
        let content_type = (self.method == Method::PATCH).then_some("application/strategic-merge-patch+json");
        let (method, body) = (self.method.clone(), Some(&self.body));
        bench.cluster().call(Call { method, path, content_type, body, user: self.user })
    }
}

fn create(resource: &str, object: Value) -> Request {
    Request { method: Method::POST, at: resource.to_owned(), body: object, user: None }
}

fn patch(at: &str, body: Value) -> Request {
    Request { method: Method::PATCH, at: at.to_owned(), body, user: None }
}

fn delete(at: &str) -> Request {
    Request { method: Method::DELETE, at: at.to_owned(), body: json!({}), user: None }
}

fn pods() -> Vec<Row> {
    let debug = json!({"spec": {"ephemeralContainers": [{"name": "debug", "image": "example.com/debug:1"}]}});
    let resize = json!({"spec": {"containers": [{"name": "app", "resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "2"}}}]}});
    vec![
        ("a Pod", create("pods", pod("web", &json!({}))), 201, 1),
        ("a label", patch("pods/web", json!({"metadata": {"labels": {"team": "shop"}}})), 200, 0),
        ("an annotation", patch("pods/web", json!({"metadata": {"annotations": {"note": "x"}}})), 200, 0),
        ("nothing", patch("pods/web", json!({})), 200, 0),
        ("a status", patch("pods/web/status", json!({"status": {"message": "x"}})), 200, 0),
        ("an image", patch("pods/web", image("2")), 200, 1),
        ("a deadline", patch("pods/web", json!({"spec": {"activeDeadlineSeconds": 3600}})), 200, 1),
        ("a debug container", patch("pods/web/ephemeralcontainers", debug.clone()), 200, 1),
        ("a resize", patch("pods/web/resize", resize), 200, 1),
        ("a Pod with a finalizer", create("pods", pod("held", &json!({"finalizers": ["podfit.dev/test"]}))), 201, 1),
        ("its deletion", delete("pods/held"), 200, 0),
        ("an image while it ends", patch("pods/held", image("2")), 200, 0),
        ("a debug container while it ends", patch("pods/held/ephemeralcontainers", debug), 200, 0),
        ("its finalizer", patch("pods/held", json!({"metadata": {"finalizers": null}})), 200, 0),
    ]
}

fn workloads() -> Vec<Row> {
    let of_template = json!({"spec": {"template": image("2")}});
    let note = json!({"metadata": {"annotations": {"note": "x"}}});
    let mut rows = Vec::new();
    for (kind, resource, api) in [
        ("Deployment", "deployments", "apps/v1"),
        ("StatefulSet", "statefulsets", "apps/v1"),
        ("DaemonSet", "daemonsets", "apps/v1"),
        ("ReplicaSet", "replicasets", "apps/v1"),
        ("ReplicationController", "replicationcontrollers", "v1"),
    ] {
        let at = format!("{resource}/web");
        rows.extend([
            (kind, create(resource, workload(kind, api, "web", &Value::Null)), 201, 1),
            ("its annotation", patch(&at, note.clone()), 200, 0),
            ("its image", patch(&at, of_template.clone()), 200, 1),
            ("its template's label", patch(&at, json!({"spec": {"template": note}})), 200, 1),
            ("its status", patch(&format!("{at}/status"), json!({"status": {"observedGeneration": 1}})), 200, 0),
        ]);
    }
    rows.push(("a scale", patch("deployments/web/scale", json!({"spec": {"replicas": 0}})), 200, 0));
    rows.extend(batch());
    rows
}

fn batch() -> Vec<Row> {
    let template = json!({"spec": {"restartPolicy": "Never", "containers": [container("1")]}});
    let job = |owners: Value| {
        json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"generateName": "job-", "ownerReferences": owners},
            "spec": {"suspend": true, "template": template}})
    };
    let cron_job = json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "web"},
        "spec": {"schedule": "0 0 1 1 *", "suspend": true, "jobTemplate": {"spec": {"template": template}}}});
    let pod_template =
        json!({"apiVersion": "v1", "kind": "PodTemplate", "metadata": {"name": "web"}, "template": template});
    let of_cron_job =
        json!([{"apiVersion": "batch/v1", "kind": "CronJob", "name": "web", "uid": "1", "controller": true}]);
    let note = json!({"metadata": {"annotations": {"note": "x"}}});
    let of_job_template = json!({"spec": {"jobTemplate": {"spec": {"template": image("2")}}}});
    vec![
        ("a Job", create("jobs", job(Value::Null)), 201, 1),
        ("a Job of a CronJob", create("jobs", job(of_cron_job)), 201, 0),
        ("a CronJob", create("cronjobs", cron_job), 201, 1),
        ("its annotation", patch("cronjobs/web", note.clone()), 200, 0),
        ("its image", patch("cronjobs/web", of_job_template), 200, 1),
        ("a PodTemplate", create("podtemplates", pod_template), 201, 1),
        ("its annotation", patch("podtemplates/web", note), 200, 0),
        ("its image", patch("podtemplates/web", json!({"template": image("2")})), 200, 1),
    ]
}

/// The owner's controller is the only one that counts. What an owner does not have is collected before long.
fn owned() -> Vec<Row> {
    let owner = |name: &str, controller: Value| json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": name, "uid": name, "controller": controller});
    let rows = [
        ("a controller", json!([owner("a", json!(true))]), 0),
        ("a controller as the second", json!([owner("a", Value::Null), owner("b", json!(true))]), 0),
        ("an owner that does not control", json!([owner("a", json!(false))]), 1),
        ("an owner that says nothing", json!([owner("a", Value::Null)]), 1),
        ("no owner", json!([]), 1),
    ];
    let row = |(index, (what, owners, called))| {
        let object = workload("ReplicaSet", "apps/v1", &format!("owned-{index}"), &owners);
        (what, create("replicasets", object), 201, called)
    };
    rows.into_iter().enumerate().map(row).collect()
}

/// Objects that lack whatever can be absent, and such as are refused before or after the webhook.
fn odd() -> Vec<Row> {
    let nulls = json!({"labels": null, "annotations": null, "ownerReferences": null, "finalizers": null});
    let bare = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "bare"}});
    let no_template =
        json!({"apiVersion": "v1", "kind": "ReplicationController", "metadata": {"name": "bare"}, "spec": {}});
    let empty = json!({"apiVersion": "v1", "kind": "PodTemplate", "metadata": {"name": "bare"}});
    vec![
        ("nulls", create("pods", pod("nulls", &nulls)), 201, 1),
        (
            "empty maps",
            create("pods", pod("empty", &json!({"labels": {}, "annotations": {}, "ownerReferences": []}))),
            201,
            1,
        ),
        ("a Pod without spec", create("pods", bare), 422, 0),
        ("a ReplicationController without template", create("replicationcontrollers", no_template), 422, 0),
        ("a template that goes", patch("replicationcontrollers/web", json!({"spec": {"template": null}})), 422, 0),
        ("a PodTemplate without template", create("podtemplates", empty), 422, 0),
    ]
}

/// A node's own word counts, a user's does not.
fn mirrors(bench: &Bench) -> Vec<Row> {
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-1"}});
    let uid = bench.cluster().create("/api/v1/nodes", &node).object()["metadata"]["uid"].clone();
    let owner = json!([{"apiVersion": "v1", "kind": "Node", "name": "node-1", "uid": uid, "controller": true}]);
    let metadata = json!({"annotations": {"kubernetes.io/config.mirror": "x"}, "ownerReferences": owner});
    let mirror = |name: &str| {
        let mut pod = pod(name, &metadata);
        pod["spec"]["nodeName"] = json!("node-1");
        create("pods", pod)
    };
    let by_node = Request { user: NODE, ..mirror("mirror") };
    vec![("a mirror Pod", by_node, 201, 0), ("who claims to be one", mirror("claimed"), 201, 1)]
}

fn pod(name: &str, metadata: &Value) -> Value {
    let mut pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata,
        "spec": {"automountServiceAccountToken": false, "containers": [container("1")]}});
    pod["metadata"]["name"] = json!(name);
    pod
}

/// Makes no Pods, which `/validate` would hear of too.
fn workload(kind: &str, api: &str, name: &str, owners: &Value) -> Value {
    let labels = json!({"app": name});
    let selector = if api == "v1" { labels.clone() } else { json!({"matchLabels": labels}) };
    let mut object = json!({"apiVersion": api, "kind": kind, "metadata": {"name": name, "ownerReferences": owners}, "spec": {
        "selector": selector,
        "template": {"metadata": {"labels": labels}, "spec": {"nodeSelector": {"no": "node"}, "containers": [container("1")]}},
    }});
    if kind != "DaemonSet" {
        object["spec"]["replicas"] = json!(0);
    }
    object
}

fn container(tag: &str) -> Value {
    json!({"name": "app", "image": format!("example.com/app:{tag}"), "resources": {"limits": {"cpu": "1", "memory": "64Mi"}}})
}

fn image(tag: &str) -> Value {
    json!({"spec": {"containers": [{"name": "app", "image": format!("example.com/app:{tag}")}]}})
}
