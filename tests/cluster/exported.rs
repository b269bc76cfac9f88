//! Exported policies, installed and in force.

use serde_json::{Value, json};

use crate::{
    cluster::{Cluster, path, wait_for},
    pods::{bad_container, pod},
};

pub const GROUP: &str = "/apis/admissionregistration.k8s.io/v1";

/// The label that says which of the installed policies mean an object.
pub const MEANT: &str = "podfit-case";

/// Sets of objects by name, for objects whose label has that name; in force when it returns.
pub fn install(cluster: &Cluster, sets: &[(String, Vec<Value>)]) {
    for (name, objects) in sets {
        for object in objects {
            create(cluster, &meant(object, name));
        }
    }
    // The API server sees changes in their order.
    let last = format!("after-{}", sets[0].0);
    let canary = podfit::export::export(&podfit::policies::load_default().unwrap(), jiff::civil::date(2026, 1, 1));
    for object in &canary.objects {
        create(cluster, &meant(object, &last));
    }
    let mut pod = pod("canary", bad_container());
    pod["metadata"]["labels"] = json!({MEANT: last});
    let pods = format!("{}?dryRun=All", path("pods", "default"));
    wait_for("the exported policies", || (cluster.create(&pods, &pod).code == 403).then_some(()));
}

/// The same object under another name, for labelled objects alone.
fn meant(object: &Value, name: &str) -> Value {
    let mut object = object.clone();
    let named = format!("{name}.{}", object["metadata"]["name"].as_str().unwrap());
    object["metadata"] = json!({"name": named});
    if object["kind"] == "ValidatingAdmissionPolicyBinding" {
        object["spec"]["policyName"] = json!(named);
        object["spec"]["matchResources"]["objectSelector"] = json!({"matchLabels": {MEANT: name}});
    }
    object
}

fn create(cluster: &Cluster, object: &Value) {
    let kind = object["kind"].as_str().unwrap().to_lowercase();
    let resource = kind.strip_suffix('y').map_or_else(|| format!("{kind}s"), |stem| format!("{stem}ies"));
    cluster.create(&format!("{GROUP}/{resource}"), object).object();
}
