//! podfit under load while its replicas come and go, both webhooks at `failurePolicy: Fail`; and what happens when it is gone.

use std::time::Instant;

use serde_json::{Value, json};

use super::{Case, Needs, case};
use crate::{
    cluster::wait_for,
    installation::{Installation, Replica},
    load::{Load, Tally},
    pods::{bad_container, good_container, pod},
    suite::{Local, Namespace, Suite},
};

pub const CASES: &[Case] = &[
    case("the_failure_policies_decide_when_podfit_is_gone", Needs::LocalAlone, gone),
    case("creations_under_load_survive_what_happens_to_podfit", Needs::LocalAlone, events),
];

/// What happens, and how many creations it may cost.
struct Event {
    name: &'static str,
    happen: fn(&Scene<'_>, &mut Vec<Replica>) -> usize,
}

const EVENTS: &[Event] = &[
    Event { name: "nothing", happen: |_, _| 0 },
    Event { name: "rolling restart", happen: rolling_restart },
    Event { name: "kill -9 of one", happen: kill_one },
];

/// Creations before and after each event.
const BEFORE: usize = 400;
const AFTER: usize = 2000;

struct Scene<'a> {
    suite: &'a Suite,
    local: &'a Local,
    load: Load,
}

fn gone(suite: &Suite) {
    let namespace = suite.namespace("outages");
    let local = suite.local();
    let create = |name: &str, container: Value| suite.cluster.create(&namespace.path("pods"), &pod(name, container));
    local.installation.route_to(&[]);
    let open = wait_for("a bad Pod that nobody refuses", || {
        let answer = create("open", bad_container());
        (answer.code == 201).then_some(answer)
    });
    assert_eq!(open.object()["spec"]["containers"][0]["env"], Value::Null);
    fail_closed(suite, &namespace);
    local.installation.route_home();
    fail_open(suite, &namespace);
}

/// `/validate` first, since the API server asks `/mutate` first: each is seen to refuse.
fn fail_closed(suite: &Suite, namespace: &Namespace<'_>) {
    for (policies, webhook) in [(["Ignore", "Fail"], "validate.podfit.dev"), (["Fail", "Fail"], "mutate.podfit.dev")] {
        suite.local().installation.set_failure_policies(&suite.cluster, policies);
        wait_for("a refusal for want of podfit", || {
            let answer = suite
                .cluster
                .create(&format!("{}?dryRun=All", namespace.path("pods")), &pod("closed", good_container()));
            let is_refused =
                answer.code == 500 && answer.message().contains(&format!("failed calling webhook \"{webhook}\""));
            is_refused.then_some(())
        });
    }
}

fn fail_open(suite: &Suite, namespace: &Namespace<'_>) {
    suite.local().installation.set_failure_policies(&suite.cluster, ["Ignore", "Ignore"]);
    wait_for("podfit's denial", || {
        let answer =
            suite.cluster.create(&format!("{}?dryRun=All", namespace.path("pods")), &pod("open", bad_container()));
        (answer.code == 403).then_some(())
    });
}

fn events(suite: &Suite) {
    let (namespace, local) = (suite.namespace("outages"), suite.local());
    local.installation.route_to(&[]);
    fail_closed(suite, &namespace);
    let mut replicas: Vec<Replica> = ["load-1", "load-2"].map(|name| replica(suite, local, name)).into();
    route_to(&local.installation, &replicas);
    let mut plain = pod("", good_container());
    plain["metadata"] = json!({"generateName": "load-"});
    wait_for("the replicas", || {
        let answer = suite.cluster.create(&format!("{}?dryRun=All", namespace.path("pods")), &plain);
        (answer.code == 201).then_some(())
    });

    println!("\n{}", Tally::heading());
    let mut spoiled = Vec::new();
    for event in EVENTS {
        let start = Instant::now();
        let scene = Scene { suite, local, load: Load::start(&suite.cluster, &namespace.path("pods"), &plain) };
        scene.load.wait(BEFORE);
        let may_fail = (event.happen)(&scene, &mut replicas);
        scene.load.wait(AFTER);
        let tally = scene.load.finish(start);
        println!("{}", tally.row(event.name));
        if tally.failed() > may_fail {
            spoiled.push(format!("{}: {} failed, {may_fail} may: {:#?}", event.name, tally.failed(), tally.failures));
        }
    }
    local.installation.route_home();
    fail_open(suite, &namespace);
    assert!(spoiled.is_empty(), "{}", spoiled.join("\n"));
}

fn replica(suite: &Suite, local: &Local, name: &str) -> Replica {
    local.installation.replica(name, suite.cluster.runtime())
}

fn route_to(installation: &Installation, replicas: &[Replica]) {
    installation.route_to(&replicas.iter().collect::<Vec<_>>());
}

/// As a Deployment does it with `maxSurge: 1`: the new one is ready before the old one is told to end.
fn rolling_restart(scene: &Scene<'_>, replicas: &mut Vec<Replica>) -> usize {
    for number in 0..replicas.len() {
        replicas.push(replica(scene.suite, scene.local, &format!("load-new-{number}")));
        route_to(&scene.local.installation, replicas);
        let mut old = replicas.remove(0);
        old.process.terminate();
        let code = wait_for("the end of a replica", || old.process.exit_code());
        assert_eq!(code, 0, "{}", old.process.tail());
        route_to(&scene.local.installation, replicas);
    }
    0
}

/// What it held is lost; each connection of HTTP/1.1 carries one review at a time.
fn kill_one(scene: &Scene<'_>, replicas: &mut Vec<Replica>) -> usize {
    let mut killed = replicas.remove(0);
    let held = scene.local.installation.egress.connections(killed.backend);
    killed.process.kill();
    replicas.push(replica(scene.suite, scene.local, "load-again"));
    route_to(&scene.local.installation, replicas);
    held
}
