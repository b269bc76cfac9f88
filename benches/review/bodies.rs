//! AdmissionReview bodies as kube-apiserver sends them for a Pod CREATE: compact, a trailing newline, managedFields with
//! `f:` keys, defaulted fields. The benches are measured on them.

use serde_json::{Map, Value, json};

const CREATED: &str = "2026-05-14T09:26:53Z";
const REPLICA_SET_UID: &str = "1f2e3d4c-5b6a-4798-8a9b-0c1d2e3f4a5b";
const SERVICE_ACCOUNT_VOLUME: &str = "kube-api-access-x7k2p";

const PROXY_ARGUMENTS: &[&str] =
    &["proxy", "sidecar", "--domain", "$(POD_NAMESPACE).svc.cluster.local", "--log_output_level=info"];
const REDIRECT_ARGUMENTS: &[&str] =
    &["istio-iptables", "-p", "15001", "-z", "15006", "-u", "1337", "-m", "REDIRECT", "-i", "*", "-b", "*"];

/// A plain service of equal containers: just under 4 KB with one.
pub fn plain(containers: usize) -> Value {
    let containers = (0..containers).map(|index| Container { variables: 1, ..Container::numbered(index) });
    review("web", &containers.map(Container::json).collect::<Vec<_>>(), &[], json!({}))
}

/// A service in a mesh, 10 KB: two containers, an init container, a long annotation.
pub fn meshed() -> Value {
    let app = Container { variables: 5, mounts: 1, ports: 2, is_hardened: true, ..Container::numbered(0) };
    let proxy = Container { variables: 7, mounts: 2, has_probes: true, arguments: PROXY_ARGUMENTS, ..app };
    let init = Container { variables: 0, mounts: 0, ports: 0, arguments: REDIRECT_ARGUMENTS, ..app };
    let status = json!({
        "initContainers": ["istio-init"], "containers": ["istio-proxy"], "imagePullSecrets": null, "revision": "default",
        "volumes": ["workload-socket", "credential-socket", "istio-envoy", "istio-data", "istio-podinfo", "istio-token"],
    });
    let annotations = json!({
        "istio.io/rev": "default",
        "kubectl.kubernetes.io/default-container": "app",
        "prometheus.io/scrape": "true",
        "sidecar.istio.io/status": status.to_string(),
    });
    let containers = [app.named("app"), proxy.named("istio-proxy")];
    review("checkout", &containers, &[init.named("istio-init")], annotations)
}

/// A Pod of twenty wordy containers, 60 KB.
pub fn crowded() -> Value {
    let container = |index| Container {
        variables: 8,
        mounts: 1,
        ports: 2,
        has_probes: index % 2 == 1,
        is_hardened: true,
        ..Container::numbered(index)
    };
    review("batch", &(0..20).map(|index| container(index).json()).collect::<Vec<_>>(), &[], json!({}))
}

/// The bytes on the wire. Where annotations were put behind managedFields, these go to the end again.
pub fn bytes(review: &Value) -> Vec<u8> {
    let mut review = review.clone();
    if let Some(metadata) = review["request"]["object"]["metadata"].as_object_mut()
        && let Some(managed) = metadata.shift_remove("managedFields")
    {
        metadata.insert("managedFields".to_owned(), managed);
    }
    let mut text = review.to_string();
    text.push('\n');
    text.into_bytes()
}

#[derive(Clone, Copy)]
struct Container {
    index: usize,
    variables: usize,
    mounts: usize,
    ports: usize,
    has_probes: bool,
    is_hardened: bool,
    arguments: &'static [&'static str],
}

impl Container {
    fn numbered(index: usize) -> Self {
        Self { index, variables: 0, mounts: 0, ports: 1, has_probes: false, is_hardened: false, arguments: &[] }
    }

    fn json(self) -> Value {
        self.named(&format!("worker-{:02}", self.index))
    }

    fn named(self, name: &str) -> Value {
        let mut container = Map::new();
        let mut set = |key: &str, value: Value| container.insert(key.to_owned(), value);
        set("name", json!(name));
        set("image", json!(format!("registry.example/shop/{name}:2.{}.0", self.index)));
        if !self.arguments.is_empty() {
            set("args", json!(self.arguments));
        }
        if self.ports > 0 {
            set("ports", (0..self.ports).map(|index| port(8000 + 1000 * index + self.index)).collect());
        }
        if self.variables > 0 {
            set("env", (0..self.variables).map(|index| variable(name, index)).collect());
        }
        set("resources", resources(self.index));
        set("volumeMounts", mounts(name, self.mounts));
        if self.has_probes {
            set("livenessProbe", probe("/healthz", 8000 + self.index));
            set("readinessProbe", probe("/readyz", 8000 + self.index));
        }
        set("terminationMessagePath", json!("/dev/termination-log"));
        set("terminationMessagePolicy", json!("File"));
        set("imagePullPolicy", json!("IfNotPresent"));
        if self.is_hardened {
            set("securityContext", security_context());
        }
        Value::Object(container)
    }
}

fn port(number: usize) -> Value {
    json!({"name": format!("p-{number}"), "containerPort": number, "protocol": "TCP"})
}

fn variable(container: &str, index: usize) -> Value {
    let prefix = container.to_uppercase().replace('-', "_");
    match index % 4 {
        3 => json!({
            "name": format!("{prefix}_REFERENCE_{index}"),
            "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}},
        }),
        2 => json!({
            "name": format!("{prefix}_SECRET_{index}"),
            "valueFrom": {"secretKeyRef": {"name": format!("{container}-credentials"), "key": format!("key-{index}")}},
        }),
        _ => {
            json!({"name": format!("{prefix}_OPTION_{index}"), "value": format!("value-{index}-of-the-{container}-option")})
        }
    }
}

fn resources(index: usize) -> Value {
    json!({
        "limits": {"cpu": format!("{}m", 500 + index * 10), "memory": format!("{}Mi", 512 + index * 16)},
        "requests": {"cpu": format!("{}m", 100 + index * 10), "memory": format!("{}Mi", 128 + index * 16)},
    })
}

fn mounts(container: &str, count: usize) -> Value {
    let own = (0..count).map(|index| {
        let name = format!("{container}-volume-{index}");
        json!({"name": name, "readOnly": true, "mountPath": format!("/var/run/{container}/{index}")})
    });
    let service_account = json!({
        "name": SERVICE_ACCOUNT_VOLUME,
        "readOnly": true,
        "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount",
    });
    own.chain([service_account]).collect()
}

fn probe(path: &str, port: usize) -> Value {
    json!({
        "httpGet": {"path": path, "port": port, "scheme": "HTTP"},
        "initialDelaySeconds": 1, "timeoutSeconds": 3, "periodSeconds": 15, "successThreshold": 1, "failureThreshold": 4,
    })
}

fn security_context() -> Value {
    json!({
        "capabilities": {"drop": ["ALL"]}, "privileged": false, "runAsUser": 1337, "runAsGroup": 1337,
        "runAsNonRoot": true, "readOnlyRootFilesystem": true, "allowPrivilegeEscalation": false,
    })
}

fn volumes(containers: &[Value]) -> Value {
    let mounts = containers.iter().filter_map(|container| container["volumeMounts"].as_array()).flatten();
    let names = mounts.filter_map(|mount| mount["name"].as_str()).filter(|name| *name != SERVICE_ACCOUNT_VOLUME);
    let service_account = json!({"name": SERVICE_ACCOUNT_VOLUME, "projected": {"defaultMode": 420, "sources": [
        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": {
            "apiVersion": "v1", "fieldPath": "metadata.namespace"}}]}},
    ]}});
    names
        .map(|name| json!({"name": name, "configMap": {"name": name, "defaultMode": 420}}))
        .chain([service_account])
        .collect()
}

/// Who owns what, as the API server keeps it: half of a small body.
fn managed_fields(labels: &Value, containers: &[Value]) -> Value {
    let labels: Map<String, Value> =
        labels.as_object().into_iter().flatten().map(|(label, _)| (format!("f:{label}"), json!({}))).collect();
    let containers: Map<String, Value> = containers
        .iter()
        .map(|container| (format!(r#"k:{{"name":{}}}"#, container["name"]), managed_container(container)))
        .collect();
    json!([{
        "manager": "kube-controller-manager", "operation": "Update", "apiVersion": "v1", "time": CREATED,
        "fieldsType": "FieldsV1",
        "fieldsV1": {
            "f:metadata": {
                "f:annotations": {".": {}}, "f:generateName": {}, "f:labels": labels,
                "f:ownerReferences": {".": {}, format!(r#"k:{{"uid":"{REPLICA_SET_UID}"}}"#): {}},
            },
            "f:spec": {
                "f:containers": containers, "f:dnsPolicy": {}, "f:enableServiceLinks": {}, "f:restartPolicy": {},
                "f:schedulerName": {}, "f:securityContext": {}, "f:terminationGracePeriodSeconds": {},
            },
        },
    }])
}

fn managed_container(container: &Value) -> Value {
    let list = |field: &str| container[field].as_array().into_iter().flatten();
    let variables: Map<String, Value> = list("env")
        .map(|variable| {
            let field = if variable.get("value").is_some() { "f:value" } else { "f:valueFrom" };
            (format!(r#"k:{{"name":{}}}"#, variable["name"]), json!({".": {}, "f:name": {}, field: {}}))
        })
        .collect();
    let ports: Map<String, Value> = list("ports")
        .map(|port| {
            let key = format!(r#"k:{{"containerPort":{},"protocol":"TCP"}}"#, port["containerPort"]);
            (key, json!({".": {}, "f:containerPort": {}, "f:name": {}, "f:protocol": {}}))
        })
        .collect();
    json!({
        ".": {}, "f:name": {}, "f:image": {}, "f:imagePullPolicy": {}, "f:env": variables, "f:ports": ports,
        "f:resources": {
            ".": {},
            "f:limits": {".": {}, "f:cpu": {}, "f:memory": {}},
            "f:requests": {".": {}, "f:cpu": {}, "f:memory": {}},
        },
        "f:terminationMessagePath": {}, "f:terminationMessagePolicy": {},
    })
}

fn pod(name: &str, containers: &[Value], init_containers: &[Value], annotations: Value) -> Value {
    let labels = json!({
        "app.kubernetes.io/name": name, "app.kubernetes.io/part-of": "shop", "pod-template-hash": "7d9c5b8f6d",
    });
    let mut metadata = json!({
        "generateName": format!("{name}-7d9c5b8f6d-"),
        "namespace": "shop",
        "creationTimestamp": null,
        "labels": labels,
        "ownerReferences": [{
            "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": format!("{name}-7d9c5b8f6d"),
            "uid": REPLICA_SET_UID, "controller": true, "blockOwnerDeletion": true,
        }],
        "managedFields": managed_fields(&labels, containers),
    });
    if annotations != json!({}) {
        metadata["annotations"] = annotations;
    }
    let away = |condition: &str| json!({"key": condition, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300});
    let mut spec = json!({"volumes": volumes(&[containers, init_containers].concat())});
    if !init_containers.is_empty() {
        spec["initContainers"] = json!(init_containers);
    }
    spec["containers"] = json!(containers);
    let rest = json!({
        "restartPolicy": "Always", "terminationGracePeriodSeconds": 30, "dnsPolicy": "ClusterFirst",
        "serviceAccountName": name, "serviceAccount": name, "securityContext": {"fsGroup": 1337},
        "schedulerName": "default-scheduler", "priority": 0, "enableServiceLinks": true,
        "preemptionPolicy": "PreemptLowerPriority",
        "tolerations": [away("node.kubernetes.io/not-ready"), away("node.kubernetes.io/unreachable")],
    });
    for (field, value) in rest.as_object().into_iter().flatten() {
        spec[field] = value.clone();
    }
    json!({"kind": "Pod", "apiVersion": "v1", "metadata": metadata, "spec": spec, "status": {}})
}

fn review(name: &str, containers: &[Value], init_containers: &[Value], annotations: Value) -> Value {
    let kind = json!({"group": "", "version": "v1", "kind": "Pod"});
    let resource = json!({"group": "", "version": "v1", "resource": "pods"});
    json!({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": {
        "uid": "6f1b2c3d-8a4e-4f50-9b61-7c8d9e0f1a2b",
        "kind": kind, "resource": resource, "requestKind": kind, "requestResource": resource,
        "namespace": "shop",
        "operation": "CREATE",
        "userInfo": {
            "username": "system:serviceaccount:kube-system:replicaset-controller",
            "uid": "2b3c4d5e-6f70-4182-93a4-b5c6d7e8f901",
            "groups": ["system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated"],
            "extra": {"authentication.kubernetes.io/credential-id": ["JTI=3c4d5e6f-7081-4293-a4b5-c6d7e8f90123"]},
        },
        "object": pod(name, containers, init_containers, annotations),
        "oldObject": null,
        "dryRun": false,
        "options": {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1"},
    }})
}
