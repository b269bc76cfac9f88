//! 100,000 Pods: how long a scan takes, and how much memory. `just scan-figures` runs it.

use std::{
    fmt::Write as _,
    fs,
    path::PathBuf,
    process::{Command, Stdio},
    time::Duration,
};

use serde_json::{Value, json};

use crate::{
    StandIn, World, bodies,
    peak::measure,
    stand_in::{Items, Make},
};

const PODS: usize = 100_000;
const NAMESPACES: usize = 1_000;
/// Ten Pods each.
const DEPLOYMENTS: usize = PODS / 10;
/// As many as a Deployment keeps.
const REVISIONS: usize = 10;

const LONGEST: Duration = Duration::from_mins(1);
const MOST_MEMORY: u64 = 150 << 20;

#[test]
#[ignore = "takes a while, and a release build of podfit: just scan-figures"]
fn a_hundred_thousand_pods() {
    let summary = scan("of ten thousand Deployments", world());
    assert_eq!([&summary["pods"], &summary["objects"]], [PODS, DEPLOYMENTS]);
    // Nothing can be folded, and more is found than is listed.
    let mut world = World::empty();
    world.collections.insert(
        "/api/v1/pods".to_owned(),
        Items::Made { count: PODS, make: numbered(&lonely(), |index| (0, 0, index)) },
    );
    let summary = scan("that nobody owns, refused by three findings each", world);
    assert_eq!([&summary["pods"], &summary["objects"], &summary["deny"]], [PODS, PODS, 3 * PODS]);
}

#[allow(clippy::print_stdout)] // what it is for
fn scan(what: &str, world: World) -> Value {
    let stand_in = StandIn::start(world);
    let program = std::env::var_os("PODFIT_PROGRAM").map_or_else(|| env!("CARGO_BIN_EXE_podfit").into(), PathBuf::from);
    let mut command = Command::new(program);
    command.args(["scan", "-o", "json"]).env("KUBECONFIG", stand_in.kubeconfig());
    let output = stand_in.folder().join("report.json");
    command.stdout(Stdio::from(fs::File::create(&output).unwrap()));
    let (took, peak) = measure(&mut command);
    let report: Value = serde_json::from_slice(&fs::read(&output).unwrap()).unwrap();
    println!("{PODS} Pods of {} bytes {what}: {took:.1?}, {} MiB at most", pod().to_string().len(), peak >> 20);
    println!("{}; the report has {} bytes", report["summary"], fs::metadata(&output).unwrap().len());
    assert_eq!(report["errors"], json!([]));
    assert!(took < LONGEST && peak < MOST_MEMORY, "{took:?}, {peak} bytes");
    report["summary"].clone()
}

fn world() -> World {
    let mut world = World::empty();
    let mut made = |path: &str, count: usize, make: Make| {
        world.collections.insert(path.to_owned(), Items::Made { count, make });
    };
    let namespace = json!({"metadata": {"name": "namespace-NAMESPACE", "labels": {"team": "team-NAMESPACE"}}});
    made("/api/v1/namespaces", NAMESPACES, numbered(&namespace, |index| (index, 0, 0)));
    made(
        "/api/v1/pods",
        PODS,
        numbered(&pod(), |index| {
            let deployment = index % DEPLOYMENTS;
            (deployment % NAMESPACES, deployment, index)
        }),
    );
    made(
        "/apis/apps/v1/replicasets",
        DEPLOYMENTS * REVISIONS,
        numbered(&replica_set(), |index| {
            let deployment = index / REVISIONS;
            (deployment % NAMESPACES, deployment, index % REVISIONS)
        }),
    );
    made("/apis/apps/v1/deployments", DEPLOYMENTS, numbered(&deployment(), |index| (index % NAMESPACES, index, 0)));
    world
}

/// Writes an object with its numbers: of the namespace, of the Deployment, and its own.
fn numbered(object: &Value, numbers: impl Fn(usize) -> (usize, usize, usize) + Send + 'static) -> Make {
    let words = ["NAMESPACE", "DEPLOYMENT", "NUMBER"];
    let text = object.to_string();
    let mut parts: Vec<(String, usize)> = Vec::new();
    let mut rest = text.as_str();
    while let Some((at, word)) =
        words.iter().enumerate().filter_map(|(word, name)| Some((rest.find(name)?, word))).min()
    {
        parts.push((rest[..at].to_owned(), word));
        rest = &rest[at + words[word].len()..];
    }
    let end = rest.to_owned();
    Box::new(move |index, text| {
        let (namespace, deployment, number) = numbers(index);
        for (part, word) in &parts {
            text.push_str(part);
            write!(text, "{}", [namespace, deployment, number][*word]).unwrap();
        }
        text.push_str(&end);
    })
}

/// 10 KB: a meshed service as the benches of the review have it, with a status. Its image floats.
fn pod() -> Value {
    let mut pod = bodies::meshed()["request"]["object"].clone();
    pod["metadata"]["name"] = json!("service-DEPLOYMENT-6d4cf56db6-NUMBER");
    pod["metadata"]["namespace"] = json!("namespace-NAMESPACE");
    pod["metadata"]["ownerReferences"][0]["name"] = json!("service-DEPLOYMENT-0");
    pod["spec"]["containers"][0]["image"] = json!("registry.example/team-NAMESPACE/service-DEPLOYMENT");
    pod["status"] = status(&pod);
    pod
}

fn lonely() -> Value {
    let mut pod = pod();
    pod["metadata"]["ownerReferences"] = json!([]);
    pod["spec"]["containers"][0]["resources"].take();
    pod
}

fn status(pod: &Value) -> Value {
    let containers = pod["spec"]["containers"].as_array().unwrap().iter();
    let states: Vec<_> = containers
        .map(|container| {
            json!({"name": container["name"], "image": container["image"], "ready": true, "restartCount": 0, "started": true,
                "imageID": "registry.example/image@sha256:1f2e3d4c5b6a47988a9b0c1d2e3f4a5b1f2e3d4c5b6a47988a9b0c1d2e3f4a5b",
                "containerID": "containerd://1f2e3d4c5b6a47988a9b0c1d2e3f4a5b1f2e3d4c5b6a47988a9b0c1d2e3f4a5b",
                "state": {"running": {"startedAt": "2026-11-24T08:00:00Z"}}, "lastState": {}})
        })
        .collect();
    let conditions = ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"].map(|kind| {
        json!({"type": kind, "status": "True", "lastProbeTime": null, "lastTransitionTime": "2026-11-24T08:00:00Z"})
    });
    json!({"phase": "Running", "conditions": conditions, "hostIP": "10.0.0.1", "podIP": "10.1.0.1", "qosClass": "Burstable",
        "startTime": "2026-11-24T08:00:00Z", "containerStatuses": states})
}

fn replica_set() -> Value {
    json!({"metadata": {
        "name": "service-DEPLOYMENT-NUMBER", "namespace": "namespace-NAMESPACE", "uid": "1f2e3d4c-5b6a-4798-8a9b-0c1d2e3f4a5b",
        "labels": {"app.kubernetes.io/name": "service-DEPLOYMENT", "pod-template-hash": "6d4cf56db6"},
        "annotations": {"deployment.kubernetes.io/desired-replicas": "10", "deployment.kubernetes.io/revision": "NUMBER"},
        "ownerReferences": [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "service-DEPLOYMENT",
            "uid": "1f2e3d4c-5b6a-4798-8a9b-0c1d2e3f4a5b", "controller": true, "blockOwnerDeletion": true}],
        "managedFields": bodies::meshed()["request"]["object"]["metadata"]["managedFields"],
    }})
}

fn deployment() -> Value {
    let pod = pod();
    json!({"metadata": {"name": "service-DEPLOYMENT", "namespace": "namespace-NAMESPACE"},
        "spec": {"replicas": 10, "template": {"metadata": {"labels": pod["metadata"]["labels"]}, "spec": pod["spec"]}}})
}
