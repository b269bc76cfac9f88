//! Webhooks that run after podfit's and change what it saw: `reinvocationPolicy: IfNeeded` calls it once more.

use serde_json::json;

use super::{Case, Needs, case, workloads::PLAIN};
use crate::{
    later_webhook::LaterWebhook,
    pods::{annotations, environment, good_container, pod, with},
    suite::Suite,
};

pub const CASES: &[Case] = &[
    case("a_sidecar_added_by_a_later_webhook_is_fitted", Needs::Local, sidecar),
    case("limits_changed_by_a_later_webhook_change_the_values", Needs::Local, limits),
];

fn sidecar(suite: &Suite) {
    let namespace = suite.namespace("later");
    let _later = LaterWebhook::start(suite, &namespace, |pod| {
        let proxy = json!({"name": "proxy", "image": "example.com/proxy:1", "resources": {"limits": {"cpu": "100m", "memory": "64Mi"}}});
        let containers = pod["spec"]["containers"].as_array().unwrap();
        let is_there = containers.iter().any(|container| container["name"] == "proxy");
        if is_there { json!([]) } else { json!([{"op": "add", "path": "/spec/containers/-", "value": proxy}]) }
    });
    let created = suite.cluster.create(&namespace.path("pods"), &pod("web", good_container())).object();
    let [app, proxy] = [0, 1].map(|index| environment(&created["spec"]["containers"][index]));
    assert_eq!(app, PLAIN);
    assert_eq!(proxy, [PLAIN[0], PLAIN[1], "GOMAXPROCS=2", "GOMEMLIMIT=60397977"]);
}

fn limits(suite: &Suite) {
    let namespace = suite.namespace("later");
    let _later = LaterWebhook::start(suite, &namespace, |pod| {
        let path = "/spec/containers/0/resources/limits";
        let wanted = json!({"cpu": "4", "memory": "1Gi"});
        if pod.pointer(path) == Some(&wanted) {
            json!([])
        } else {
            json!([{"op": "replace", "path": path, "value": wanted}])
        }
    });
    let limits = json!({"resources": {"limits": {"cpu": "500m", "memory": "128Mi"}}});
    let sent = pod("web", with(good_container(), &limits));
    let created = suite.cluster.create(&namespace.path("pods"), &sent).object();
    let container = &created["spec"]["containers"][0];
    assert_eq!(container["resources"]["limits"], json!({"cpu": "4", "memory": "1Gi"}));
    assert_eq!(environment(container), [PLAIN[0], PLAIN[1], "GOMAXPROCS<-limits.cpu/1", "GOMEMLIMIT=966367641"]);
    let recorded = &annotations(&created)["podfit.dev/injected"]["app"];
    assert_eq!(
        (&recorded["GOMAXPROCS"]["source"], &recorded["GOMEMLIMIT"]["source"]),
        (&json!("limits.cpu=4"), &json!("limits.memory=1Gi"))
    );
}
