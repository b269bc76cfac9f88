//! podfit under load while its replicas come and go, both webhooks at `failurePolicy: Fail`; and what happens when it is gone.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Case, Needs, case};
use crate::{
    cluster::{Cluster, path, wait_for, wait_within},
    installation::{NAMESPACE, Replica, fail_closed, fail_open},
    latency::Latency,
    load::{Load, PER_SECOND, Tally},
    pods::{bad_container, good_container, pod},
    suite::{Local, Suite},
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
    Event { name: "leaf rotation", happen: |scene, replicas| rotate(scene, replicas, "leaf") },
    Event { name: "CA rotation", happen: |scene, replicas| rotate(scene, replicas, "ca") },
];

/// A new CA is trusted for a minute before it signs.
const ROTATION: Duration = Duration::from_mins(3);
/// Creations a second that leave the machine idle for most of the time.
const UNHURRIED: u32 = 20;
/// Creations before and after each event.
const BEFORE: usize = 400;
const AFTER: usize = 2000;

struct Scene<'a> {
    cluster: &'a Cluster,
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
    fail_closed(&suite.cluster);
    local.installation.route_home();
    fail_open(&suite.cluster);
}

fn events(suite: &Suite) {
    let (namespace, local) = (suite.namespace("outages"), suite.local());
    local.installation.route_to(&[]);
    fail_closed(&suite.cluster);
    let mut replicas: Vec<Replica> = ["load-1", "load-2"].map(|name| local.installation.replica(name)).into();
    local.installation.route_to(&replicas);
    let mut plain = pod("", good_container());
    plain["metadata"] = json!({"generateName": "load-"});
    wait_for("the replicas", || {
        let answer = suite.cluster.create(&format!("{}?dryRun=All", namespace.path("pods")), &plain);
        (answer.code == 201).then_some(())
    });

    unhurried(suite, &namespace.path("pods"), &plain);
    println!("\n{}", Tally::heading());
    let mut spoiled = Vec::new();
    for event in EVENTS {
        let start = Instant::now();
        let scene = Scene {
            cluster: &suite.cluster,
            local,
            load: Load::start(&suite.cluster, &namespace.path("pods"), &plain, PER_SECOND),
        };
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
    fail_open(&suite.cluster);
    assert!(spoiled.is_empty(), "{}", spoiled.join("\n"));
}

/// What the webhooks add to a creation where nothing waits for the machine.
fn unhurried(suite: &Suite, pods: &str, pod: &Value) {
    let (before, start) = (Latency::read(&suite.cluster), Instant::now());
    let load = Load::start(&suite.cluster, pods, pod, UNHURRIED);
    load.wait(500);
    let tally = load.finish(start);
    println!("\n{}\n{}", Tally::heading(), tally.row("nothing, unhurried"));
    Latency::read(&suite.cluster).since(&before).print();
    assert_eq!(tally.failed(), 0, "{:#?}", tally.failures);
}

/// As a Deployment does it with `maxSurge: 1`: the new one is ready before the old one is told to end.
fn rolling_restart(scene: &Scene<'_>, replicas: &mut Vec<Replica>) -> usize {
    for number in 0..replicas.len() {
        replicas.push(scene.local.installation.replica(&format!("load-new-{number}")));
        scene.local.installation.route_to(replicas);
        let mut old = replicas.remove(0);
        old.process.terminate();
        let code = wait_for("the end of a replica", || old.process.exit_code());
        assert_eq!(code, 0, "{}", old.process.tail());
        scene.local.installation.route_to(replicas);
    }
    0
}

/// What it held is lost; each connection of HTTP/1.1 carries one review at a time.
fn kill_one(scene: &Scene<'_>, replicas: &mut Vec<Replica>) -> usize {
    let mut killed = replicas.remove(0);
    let held = scene.local.installation.egress.connections(killed.backend);
    killed.process.kill();
    replicas.push(scene.local.installation.replica("load-again"));
    scene.local.installation.route_to(replicas);
    held
}

/// As a person asks for it; over when every replica shows another certificate.
fn rotate(scene: &Scene<'_>, replicas: &[Replica], what: &str) -> usize {
    let shown = || -> Vec<String> {
        let of = |replica: &Replica| replica.metric("podfit_certificate_not_after_seconds", scene.cluster.runtime());
        replicas.iter().map(of).collect()
    };
    let before = shown();
    let annotation = json!({"metadata": {"annotations": {"podfit.dev/rotate": what}}});
    scene.cluster.patch(&format!("{}/podfit-certificates", path("secrets", NAMESPACE)), &annotation).object();
    wait_within(ROTATION, "another certificate of each replica", || {
        shown().iter().zip(&before).all(|(now, before)| now != before).then_some(())
    });
    0
}
