//! `SizingPolicy` objects: what the API server takes, how soon they are in force, and what their status tells.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{Case, Needs, case};
use crate::{
    cluster::{Answer, wait_for},
    egress,
    installation::{DEPLOY, refuses},
    pods::{bad_container, pod},
    suite::{Namespace, Suite},
};

pub const CASES: &[Case] = &[
    case("policies_of_the_cluster_rule_as_they_come", Needs::LocalAlone, rule),
    case("the_api_server_refuses_what_a_schema_can_say", Needs::LocalAlone, refused),
];

pub const POLICIES: &str = "/apis/podfit.dev/v1alpha1/sizingpolicies";

const OVERLAY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/overlays/cluster-policies");

/// The promise of the documentation.
const IN_FORCE_WITHIN: Duration = Duration::from_secs(1);

fn rule(suite: &Suite) {
    let installation = &suite.local().installation;
    let replica = installation.begun("podfit-governed", &["--policies-from-cluster".to_owned()]);
    let ready = || suite.cluster.runtime().block_on(egress::get(replica.backend.admin, "/readyz")).unwrap_or_default();
    wait_for("no rights", || ready().contains("not allowed to list and watch sizingpolicies.podfit.dev").then_some(()));
    apply(suite, &["-f", &format!("{OVERLAY}/podfit.yaml")]);
    wait_for("no kind", || {
        ready().contains("the cluster knows no sizingpolicies.podfit.dev: install it").then_some(())
    });
    install(suite);
    wait_for("readiness", || ready().starts_with("HTTP/1.1 200 ").then_some(()));
    let replicas = [replica];
    installation.route_to(&replicas);

    let labelled = |team| suite.labelled_namespace("governed", &BTreeMap::from([("team", team)]));
    let (shop, bank) = (labelled("shop"), labelled("bank"));
    assert_eq!(create(&shop).code, 201);
    put(suite, "shop", &json!({"match": {"namespaceSelector": {"matchLabels": {"team": "shop"}}}, "imageTag": {}}));
    within_a_second("a new policy", || is_refused(&shop));
    assert_eq!(create(&bank).code, 201);
    assert_eq!(condition(suite, "shop", "Ready"), ("True".to_owned(), "InForce".to_owned()));

    let namespace = format!("/api/v1/namespaces/{}", bank.name);
    suite.cluster.patch(&namespace, &json!({"metadata": {"labels": {"team": "shop"}}})).object();
    within_a_second("another label", || is_refused(&bank));
    // The API server asks again where podfit has not heard of a namespace yet.
    assert!(is_refused(&labelled("shop")));

    put(suite, "broken", &json!({"imageTags": {}, "templates": "Warn"}));
    let status = wait_for("the status of a broken policy", || status(suite, "broken"));
    let message = status["conditions"][0]["message"].as_str().unwrap();
    assert!(message.starts_with("spec.imageTags: is not known; did you mean `imageTag`?"), "{message}");
    assert!(is_refused(&shop));
    exemptions(suite, &shop);

    let table = suite.cluster.kubectl(&["get", "szp", "--sort-by=.metadata.name"], "").output;
    let lines: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["NAME", "PRIORITY", "READY", "REASON", "EXEMPTIONS", "AGE"]);
    assert_eq!(lines[1][..3], ["broken", "False", "Mistakes"]);
    assert_eq!(lines[2][..5], ["shop", "3", "True", "InForce", "Expired"]);

    suite.cluster.delete(&format!("{POLICIES}/shop")).object();
    within_a_second("no policy", || create(&shop).code == 201);
    restore(suite);
}

/// With one replica that follows them, and then as the other cases need it.
pub fn with_policies_of_the_cluster(suite: &Suite, run: impl FnOnce()) {
    install(suite);
    let installation = &suite.local().installation;
    let replicas = [installation.replica_with("podfit-governed", &["--policies-from-cluster".to_owned()])];
    installation.route_to(&replicas);
    // The API server lets its connections to other replicas go, and fails open meanwhile.
    let namespace = suite.namespace("governed");
    put(suite, "canary", &json!({"match": {"namespaces": [namespace.name]}, "imageTag": {}}));
    wait_for("the first refusal", || is_refused(&namespace).then_some(()));
    suite.cluster.delete(&format!("{POLICIES}/canary")).object();
    run();
    restore(suite);
}

/// One of three kinds, and each is told.
fn exemptions(suite: &Suite, namespace: &Namespace<'_>) {
    let exemption = |reason: &str, containers: &str, expires: &str| json!({"reason": reason, "rules": ["image-tag"], "match": {"containers": [containers]}, "expires": expires});
    let exemptions = [exemption("vendor", "app", "2999-12-31"), exemption("old", "other", "2001-12-31")];
    put(
        suite,
        "shop",
        &json!({"priority": 3, "match": {"namespaceSelector": {"matchLabels": {"team": "shop"}}}, "imageTag": {},
        "exemptions": exemptions}),
    );
    within_a_second("an exemption", || create(namespace).code == 201);
    wait_for("the status of exemptions", || {
        status(suite, "shop").filter(|status| status["exemptions"] == json!({"active": 1, "expiring": 0, "expired": 1}))
    });
    assert_eq!(condition(suite, "shop", "ExemptionsCurrent"), ("False".to_owned(), "Expired".to_owned()));
}

fn refused(suite: &Suite) {
    install(suite);
    for (name, spec, expected) in [
        ("a wrong word", json!({"templates": "deny"}), "spec.templates: Unsupported value: \"deny\""),
        (
            "no reason",
            json!({"exemptions": [{"rules": ["probes"], "match": {"images": ["*"]}}]}),
            "exemptions[0].reason: Required",
        ),
        (
            "an exemption of everything",
            json!({"exemptions": [{"reason": "r", "rules": ["probes"], "match": {}}]}),
            "must give at least one of namespaces, podSelector, containers and images",
        ),
        (
            "an exemption of no rule",
            json!({"exemptions": [{"reason": "r", "rules": [], "match": {"images": ["*"]}}]}),
            "must name at least one rule",
        ),
        (
            "a default without its request",
            json!({"resourceLimits": {"defaults": {"cpu": "500m"}}}),
            "defaults.cpu and defaultRequests.cpu need one another",
        ),
        (
            "a number beyond its range",
            json!({"runtimeSizing": {"headroomPercent": 100}}),
            "should be less than or equal to 99",
        ),
        ("a name twice", json!({"runtimeSizing": {"runtimes": ["go", "go"]}}), "Duplicate value: \"go\""),
        (
            "an unknown operator",
            json!({"match": {"podSelector": {"matchExpressions": [{"key": "a", "operator": "Is"}]}}}),
            "Unsupported value: \"Is\"",
        ),
        (
            "a bad day",
            json!({"exemptions": [{"reason": "r", "rules": ["probes"], "match": {"images": ["*"]}, "expires": "31.12.2027"}]}),
            "expires",
        ),
    ] {
        let answer = suite.cluster.create(&format!("{POLICIES}?dryRun=All"), &policy("refused", &spec));
        assert_eq!(answer.code, 422, "{name}: {}", answer.message());
        assert!(answer.message().contains(expected), "{name}: {}", answer.message());
    }
    for preset in ["audit", "default", "strict", "warn", "http-services", "node-debug"] {
        let file = format!("{DEPLOY}/policies/{preset}.yaml");
        let printed = suite.cluster.kubectl(&["create", "--dry-run=server", "-f", &file], "");
        assert_eq!((printed.code, printed.error.as_str()), (0, ""), "{preset}");
    }
    restore(suite);
}

/// The overlay, its CRD first.
pub fn install(suite: &Suite) {
    apply(suite, &["-f", &format!("{OVERLAY}/crd.yaml")]);
    wait_for("the CRD", || (suite.cluster.get(POLICIES).code == 200).then_some(()));
    apply(suite, &["-k", OVERLAY]);
}

/// As the other cases need it. The API server lets its connections to other replicas go, and fails open meanwhile.
pub fn restore(suite: &Suite) {
    suite.cluster.delete("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/sizingpolicies.podfit.dev").object();
    apply(suite, &["-k", &format!("{DEPLOY}/base")]);
    suite.local().installation.route_home();
    wait_for("the CRD to go", || (suite.cluster.get(POLICIES).code == 404).then_some(()));
    wait_for("podfit's denial", || refuses(&suite.cluster).then_some(()));
}

fn apply(suite: &Suite, what: &[&str]) {
    let printed = suite.cluster.kubectl(&[&["apply", "--server-side", "--force-conflicts"], what].concat(), "");
    assert_eq!((printed.code, printed.error.as_str()), (0, ""));
}

pub fn policy(name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "podfit.dev/v1alpha1", "kind": "SizingPolicy", "metadata": {"name": name}, "spec": spec})
}

pub fn put(suite: &Suite, name: &str, spec: &Value) {
    let file = policy(name, spec).to_string();
    let printed = suite.cluster.kubectl(&["apply", "-f", "-"], &file);
    assert_eq!((printed.code, printed.error.as_str()), (0, ""), "{file}");
}

pub fn create(namespace: &Namespace<'_>) -> Answer {
    namespace.cluster.create(&format!("{}?dryRun=All", namespace.path("pods")), &pod("web", bad_container()))
}

pub fn is_refused(namespace: &Namespace<'_>) -> bool {
    create(namespace).message().contains("uses the image \"example.com/app\", which has no tag")
}

#[track_caller]
fn within_a_second(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    wait_for(what, || is_so().then_some(()));
    let took = start.elapsed();
    println!("{what} is in force after {} ms", took.as_millis());
    assert!(took < IN_FORCE_WITHIN, "{what} took {took:?}");
}

/// Once it is about what stands in the spec now.
fn status(suite: &Suite, name: &str) -> Option<Value> {
    let object = suite.cluster.get(&format!("{POLICIES}/{name}")).object();
    let status = object["status"].clone();
    (status["observedGeneration"] == object["metadata"]["generation"]).then_some(status)
}

/// Status and reason.
fn condition(suite: &Suite, name: &str, kind: &str) -> (String, String) {
    let status = wait_for("a status", || status(suite, name));
    let conditions = status["conditions"].as_array().unwrap();
    let condition = conditions.iter().find(|condition| condition["type"] == kind).unwrap();
    let text = |key: &str| condition[key].as_str().unwrap().to_owned();
    (text("status"), text("reason"))
}
