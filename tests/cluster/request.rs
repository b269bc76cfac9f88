//! A shared case as a request to a real API server: its object completed by what the API asks for, an old object stored before,
//! and what the API server makes of both where no policy is in the way.

use std::collections::BTreeMap;

use hyper::Method;
use podfit::policy::Labels;
use serde_json::{Value, json};

use crate::{
    case::Case,
    cluster::{Answer, Call, Cluster, path},
};

pub struct Request {
    method: Method,
    path: String,
    sent: Value,
    pub namespace: String,
    pub namespace_labels: Labels,
    /// As policies see them.
    object: Value,
    old: Value,
    /// Where the object of a sub-resource is.
    before: Option<String>,
}

impl Request {
    /// Or why the API server takes no such request.
    pub fn prepare(cluster: &Cluster, case: &Case, name: &str) -> Result<Self, String> {
        let (namespace, namespace_labels) = namespace(cluster, case, name);
        let resource = format!("{}s", case.object["kind"].as_str().unwrap().to_lowercase());
        let collection = path(&resource, &namespace);
        let mut sent = completed(&case.object, &case.object, name);
        if case.request.operation == "CREATE" {
            // No Pod begins with them.
            sent["spec"].as_object_mut().map(|spec| spec.remove("ephemeralContainers"));
        }
        let mut request = Self {
            method: Method::POST,
            path: format!("{collection}?dryRun=All"),
            sent,
            namespace,
            namespace_labels,
            object: Value::Null,
            old: Value::Null,
            before: None,
        };
        if case.request.operation == "UPDATE" {
            request.update(cluster, case, &collection, name)?;
        }
        request.object = taken(request.send(cluster, None))?;
        Ok(request)
    }

    fn update(&mut self, cluster: &Cluster, case: &Case, collection: &str, name: &str) -> Result<(), String> {
        let old = &case.request.old_object;
        if old.is_null() {
            return Err("an UPDATE without an object before".to_owned());
        }
        let mut old = completed(old, &case.object, name);
        if case.request.sub_resource.as_deref() == Some("resize") {
            burstable(&mut old);
            burstable(&mut self.sent);
        }
        self.old = taken(cluster.create(collection, &old))?;
        if case.object["kind"] == "Pod" {
            self.sent = changed(&self.old, &self.sent, case.request.sub_resource.as_deref());
        }
        let sub_resource = case.request.sub_resource.as_ref().map(|name| format!("/{name}")).unwrap_or_default();
        self.before = case.request.sub_resource.as_ref().map(|_| format!("{collection}/{name}"));
        (self.method, self.path) = (Method::PUT, format!("{collection}/{name}{sub_resource}?dryRun=All"));
        Ok(())
    }

    /// With a label on the object. A sub-resource takes no labels: the object before gets it.
    pub fn send(&self, cluster: &Cluster, label: Option<(&str, &str)>) -> Answer {
        let mut object = self.sent.clone();
        if let Some((key, value)) = label {
            object["metadata"]["labels"][key] = json!(value);
            if let Some(before) = &self.before {
                cluster.patch(before, &json!({"metadata": {"labels": {key: value}}})).object();
            }
        }
        let (method, path) = (self.method.clone(), self.path.clone());
        cluster.call(Call { method, path, body: Some(&object), ..Call::default() })
    }

    /// As the API server would ask podfit.
    pub fn review(&self, case: &Case) -> Value {
        let (group, version) = case.api_version().split_once('/').unwrap_or(("", case.api_version()));
        let kind = json!({"group": group, "version": version, "kind": case.object["kind"]});
        let operation = if self.method == Method::POST { "CREATE" } else { "UPDATE" };
        json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
            "uid": "1", "kind": kind, "subResource": case.request.sub_resource, "name": self.object["metadata"]["name"],
            "namespace": self.namespace, "operation": operation,
            "userInfo": {"username": "admin", "groups": ["system:masters"]}, "object": self.object, "oldObject": self.old,
        }})
    }
}

fn taken(answer: Answer) -> Result<Value, String> {
    if (200..300).contains(&answer.code) { Ok(answer.body) } else { Err(answer.message().to_owned()) }
}

/// The case's own; where it wants labels, one that has them, under a name of its own.
fn namespace(cluster: &Cluster, case: &Case, name: &str) -> (String, Labels) {
    let wanted = case.ground.labels.clone().unwrap_or_default();
    let namespace =
        if wanted.is_empty() { case.ground.namespace.clone() } else { format!("{name}-{}", case.ground.namespace) };
    let path = format!("/api/v1/namespaces/{namespace}");
    if cluster.get(&path).code == 404 {
        let labels: BTreeMap<&str, &str> = wanted.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        cluster.make_namespace(&namespace, &labels);
    }
    let labels = cluster.get(&path).object()["metadata"]["labels"].clone();
    (namespace, serde_json::from_value(labels).unwrap())
}

/// The Pod as it was, but for what can still be changed of it.
fn changed(old: &Value, new: &Value, sub_resource: Option<&str>) -> Value {
    let mut pod = old.clone();
    for (index, container) in new["spec"]["containers"].as_array().into_iter().flatten().enumerate() {
        let fields: &[&str] = if sub_resource == Some("resize") { &["resources"] } else { &["name", "image"] };
        for field in fields.iter().filter(|field| !container[**field].is_null()) {
            pod["spec"]["containers"][index][field] = container[field].clone();
        }
    }
    for (part, field) in [("spec", "ephemeralContainers"), ("metadata", "labels")] {
        pod[part][field] = new[part][field].clone();
    }
    // Whatever version is there then: labels come in between.
    pod["metadata"].as_object_mut().unwrap().remove("resourceVersion");
    pod
}

/// With what the API asks of every object of its kind, and without the nulls that never reach a policy.
fn completed(object: &Value, like: &Value, name: &str) -> Value {
    let mut object = without_nulls(object);
    object["apiVersion"] = like["apiVersion"].clone();
    object["kind"] = like["kind"].clone();
    object["metadata"]["name"] = json!(name);
    for owner in object["metadata"]["ownerReferences"].as_array_mut().into_iter().flatten() {
        let given = std::mem::take(owner);
        *owner = json!({"apiVersion": "v1", "name": "owner", "uid": "1"});
        json_patch::merge(owner, &given);
    }
    let labels = json!({"case": name});
    match like["kind"].as_str().unwrap() {
        "Pod" => {
            // What the API knows only together with more.
            for container in object["spec"]["containers"].as_array_mut().into_iter().flatten() {
                container.as_object_mut().unwrap().remove("restartPolicyRules");
            }
        }
        "Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet" => {
            object["spec"]["selector"] = json!({"matchLabels": labels});
            json_patch::merge(&mut object["spec"]["template"]["metadata"], &json!({"labels": labels}));
        }
        "ReplicationController" if object["spec"]["template"].is_object() => {
            object["spec"]["selector"] = labels.clone();
            json_patch::merge(&mut object["spec"]["template"]["metadata"], &json!({"labels": labels}));
        }
        "Job" => restart_never(&mut object["spec"]["template"]),
        "CronJob" => {
            object["spec"]["schedule"] = json!("0 0 1 1 *");
            restart_never(&mut object["spec"]["jobTemplate"]["spec"]["template"]);
        }
        _ => {}
    }
    object
}

/// The class of service stays: with a request of its own a container may lose its limit.
fn burstable(pod: &mut Value) {
    for container in pod["spec"]["containers"].as_array_mut().into_iter().flatten() {
        container["resources"]["requests"] = json!({"cpu": "0", "memory": "1Mi"});
    }
}

fn restart_never(template: &mut Value) {
    if template["spec"].is_object() && template["spec"]["restartPolicy"].is_null() {
        template["spec"]["restartPolicy"] = json!("Never");
    }
}

fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().filter(|item| !item.is_null()).map(without_nulls).collect(),
        Value::Object(entries) => {
            let entries = entries.iter().filter(|(_, value)| !value.is_null());
            Value::Object(entries.map(|(key, value)| (key.clone(), without_nulls(value))).collect())
        }
        other => other.clone(),
    }
}
