//! 5,000 Pods on the real API server.

use std::{fs, process::Command, sync::Arc, time::Duration};

use hyper::Method;
use serde_json::{Value, json};
use tokio::{sync::Semaphore, task::JoinSet};

use crate::{Bench, bodies, cluster::Call, peak::measure, program};

const NAMESPACES: usize = 50;
const PODS: usize = 100;
const AT_ONCE: usize = 20;

const LONGEST: Duration = Duration::from_mins(1);
const MOST_MEMORY: u64 = 150 << 20;

pub fn scan(bench: &Bench) {
    bench.runtime.block_on(create_all(bench));
    let output = bench.plane.folder().join("report.json");
    let mut command = Command::new(program());
    command.args(["scan", "-o", "json"]).env("KUBECONFIG", bench.cluster().kubeconfig());
    command.stdout(fs::File::create(&output).unwrap());
    let (took, peak) = measure(&mut command);
    let report: Value = serde_json::from_slice(&fs::read(&output).unwrap()).unwrap();
    let of_crowd = |it: &&Value| it["object"]["kind"] == "ConfigMap" || it["kind"] == "ConfigMap";
    let list = |key: &str| report[key].as_array().unwrap().clone();
    let (owners, findings) = (list("objects"), list("findings"));
    let owners: Vec<_> = owners.iter().filter(of_crowd).map(|it| it["pods"].as_u64().unwrap()).collect();
    let findings: Vec<_> = findings.iter().filter(of_crowd).map(|it| it["pods"].as_u64().unwrap()).collect();
    println!("{} in {took:.1?}, {} MiB at most", report["summary"], peak >> 20);
    assert_eq!((owners, findings), (vec![PODS as u64; NAMESPACES], vec![PODS as u64; NAMESPACES]));
    assert_eq!(report["errors"], json!([]));
    assert!(took < LONGEST && peak < MOST_MEMORY, "{took:?}, {peak} bytes");
}

async fn create_all(bench: &Bench) {
    let permits = Arc::new(Semaphore::new(AT_ONCE));
    let mut creations = JoinSet::new();
    for namespace in 0..NAMESPACES {
        let namespace = format!("crowd-{namespace}");
        create(bench, "/api/v1/namespaces", json!({"metadata": {"name": namespace}})).await;
        let account = json!({"metadata": {"name": "default"}});
        create(bench, &format!("/api/v1/namespaces/{namespace}/serviceaccounts"), account).await;
        // Whoever owns them must be there, or the garbage collector takes them; nobody counts the Pods of a ConfigMap.
        let owner = json!({"metadata": {"name": "fleet"}});
        let owner = create(bench, &format!("/api/v1/namespaces/{namespace}/configmaps"), owner).await;
        for index in 0..PODS {
            let pod = pod(&format!("service-{index}"), &owner["metadata"]["uid"]);
            let path = format!("/api/v1/namespaces/{namespace}/pods");
            let (cluster, permit) = (bench.cluster().clone(), Arc::clone(&permits).acquire_owned().await.unwrap());
            creations.spawn(async move {
                let call = Call { method: Method::POST, path, body: Some(&pod), ..Call::default() };
                cluster.try_call(call).await.unwrap().object();
                drop(permit);
            });
        }
    }
    creations.join_all().await;
}

/// The controller manager may have been faster with an account.
async fn create(bench: &Bench, path: &str, object: Value) -> Value {
    let call = Call { method: Method::POST, path: path.to_owned(), body: Some(&object), ..Call::default() };
    bench.cluster().try_call(call).await.unwrap().body
}

/// A meshed service, as the benches of the review have it, with a floating image.
fn pod(name: &str, owner: &Value) -> Value {
    let mut pod = bodies::meshed()["request"]["object"].clone();
    let labels = pod["metadata"]["labels"].clone();
    let annotations = pod["metadata"]["annotations"].clone();
    let owner = json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "fleet", "uid": owner, "controller": true});
    pod["metadata"] = json!({"name": name, "labels": labels, "annotations": annotations, "ownerReferences": [owner]});
    pod["spec"]["containers"][0]["image"] = json!("registry.example/service");
    pod.as_object_mut().unwrap().remove("status");
    for assigned in ["nodeName", "serviceAccount", "serviceAccountName"] {
        pod["spec"].as_object_mut().unwrap().remove(assigned);
    }
    pod
}
