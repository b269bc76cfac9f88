//! A thousand policies and ten thousand namespaces on a real API server: what podfit takes for them, and how soon a change is in
//! force. Minutes long, so only with `PODFIT_FIGURES`, and by `just governance-figures`.

use std::time::{Duration, Instant};

use hyper::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{Case, Needs, case, governance};
use crate::{
    cluster::{Call, wait_within},
    suite::Suite,
};

pub const CASES: &[Case] =
    &[case("figures_of_a_thousand_policies_and_ten_thousand_namespaces", Needs::LocalAlone, run)];

const NAMESPACES: usize = 10_000;
const POLICIES: usize = 1_000;
/// Policies that hold everywhere; each of the others is of one team's namespaces.
const EVERYWHERE: usize = 100;
const AT_ONCE: usize = 16;
const PATIENCE: Duration = Duration::from_mins(10);

fn run(suite: &Suite) {
    // First, since the controller that makes its account is busy for a while with those of the others.
    let here = suite.namespace("figures");
    governance::install(suite);
    create_all(suite, "/api/v1/namespaces", NAMESPACES, namespace);
    create_all(suite, governance::POLICIES, POLICIES, policy);
    let installation = &suite.local().installation;
    let start = Instant::now();
    let replica = installation.replica_with("podfit-figures", &["--policies-from-cluster".to_owned()]);
    println!("ready after {:.1} s", start.elapsed().as_secs_f64());
    installation.route_to(std::slice::from_ref(&replica));
    let policies = || replica.metric("podfit_policies", suite.cluster.runtime());
    wait_within(PATIENCE, "the gauge", || (policies() == POLICIES.to_string()).then_some(()));
    println!(
        "resident {} MiB, at most {} MiB",
        mebibytes(replica.process.kibibytes("VmRSS")),
        mebibytes(replica.process.kibibytes("VmHWM"))
    );
    wait_within(PATIENCE, "the first answer", || (governance::create(&here).code == 201).then_some(()));
    for round in 0..5 {
        let refusing = json!({"priority": 9, "imageTag": {}});
        governance::put(suite, "everywhere", &refusing);
        let written = Instant::now();
        wait_within(PATIENCE, "a policy for all", || governance::is_refused(&here).then_some(()));
        let took = written.elapsed();
        println!("round {round}: a policy for all namespaces is in force {} ms after it was written", took.as_millis());
        assert!(took < Duration::from_secs(1));
        suite.cluster.delete(&format!("{}/everywhere", governance::POLICIES)).object();
        wait_within(PATIENCE, "no policy for all", || (governance::create(&here).code == 201).then_some(()));
    }
    println!(
        "resident {} MiB, at most {} MiB",
        mebibytes(replica.process.kibibytes("VmRSS")),
        mebibytes(replica.process.kibibytes("VmHWM"))
    );
    assert!(replica.process.kibibytes("VmHWM") < 100 << 10);
    governance::restore(suite);
}

fn mebibytes(kibibytes: u64) -> u64 {
    kibibytes >> 10
}

fn namespace(index: usize) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": format!("team-{index}"), "labels": {
        "team": format!("team-{}", index % (POLICIES - EVERYWHERE)), "stage": "production", "cost-centre": format!("{}", index % 97)}}})
}

fn policy(index: usize) -> Value {
    let selector = if index < EVERYWHERE {
        json!({"podSelector": {"matchLabels": {"tier": format!("tier-{index}")}}})
    } else {
        json!({"namespaceSelector": {"matchLabels": {"team": format!("team-{}", index - EVERYWHERE)}}})
    };
    let exemptions = json!([{"reason": "vendor", "rules": ["image-tag"], "expires": "2999-01-31", "match": {"images": ["vendor.example/*"]}}]);
    let spec = json!({"match": selector, "resourceLimits": {}, "imageTag": {"mode": "Warn"}, "podIdentity": {}, "exemptions": exemptions});
    governance::policy(&format!("policy-{index}"), &spec)
}

fn create_all(suite: &Suite, path: &str, number: usize, object: fn(usize) -> Value) {
    suite.cluster.runtime().block_on(async {
        let mut calls = JoinSet::new();
        for worker in 0..AT_ONCE {
            let (cluster, path) = (suite.cluster.clone(), path.to_owned());
            calls.spawn(async move {
                for index in (worker..number).step_by(AT_ONCE) {
                    let body = object(index);
                    let call = Call { method: Method::POST, path: path.clone(), body: Some(&body), ..Call::default() };
                    cluster.try_call(call).await.unwrap().object();
                }
            });
        }
        calls.join_all().await;
    });
}
