//! Mirror Pods: what the kubelet shows of its static Pods is not changed and not refused, but nobody else may claim to be one.

use serde_json::{Value, json};

use super::{Case, Needs, case, denials::DENIAL};
use crate::{
    cluster::Call,
    pods::{bad_container, pod, with},
    suite::Suite,
};

pub const CASES: &[Case] = &[case("a_mirror_pod_is_the_kubelets_alone", Needs::Local, mirror)];

fn mirror(suite: &Suite) {
    let namespace = suite.namespace("mirror");
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}});
    let node = suite.cluster.create("/api/v1/nodes", &node).object();
    let owner =
        json!({"apiVersion": "v1", "kind": "Node", "name": "n1", "uid": node["metadata"]["uid"], "controller": true});
    let mirror = |name: &str| {
        let metadata = json!({"annotations": {"kubernetes.io/config.mirror": "abc"}, "ownerReferences": [owner]});
        with(pod(name, bad_container()), &json!({"metadata": metadata, "spec": {"nodeName": "n1"}}))
    };
    let create = |object: &Value, user| {
        let call = Call {
            method: hyper::Method::POST,
            path: namespace.path("pods"),
            body: Some(object),
            user,
            ..Call::default()
        };
        suite.cluster.call(call)
    };
    let shown = create(&mirror("kube-proxy"), Some(("system:node:n1", "system:nodes")));
    assert_eq!(shown.warnings, [""; 0]);
    assert_eq!(shown.object()["spec"]["containers"][0]["env"], Value::Null);
    let claimed = create(&mirror("claimed"), None);
    assert_eq!((claimed.code, claimed.message()), (403, DENIAL));
}
