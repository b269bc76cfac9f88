//! Taking podfit out of a cluster in each way there is, both webhooks failing closed: for how long no Pod can be made. On a control
//! plane of its own, since the suite would lose its podfit. No node runs podfit's Deployment: what the kubelet does is done here.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

// Shared with the suite beside it, which uses all of them.
#[allow(dead_code)]
mod cluster;
#[allow(dead_code)]
mod egress;
#[allow(dead_code)]
mod installation;
#[allow(dead_code)]
mod load;
#[allow(dead_code)]
mod plane;
#[allow(dead_code)]
mod pods;
#[allow(dead_code)]
mod process;
#[allow(dead_code)]
mod programs;

use std::{
    process::{Command, ExitCode},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use libtest_mimic::{Arguments, Trial};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use cluster::{Call, Cluster, path, wait_for};
use egress::Egress;
use installation::{DEPLOY, Installation, NAMESPACE, Replica, fail_closed, refuses};
use load::{Load, PER_SECOND, Tally};
use plane::ControlPlane;
use pods::{good_container, pod};
use programs::Programs;

const WAYS: &[Way] = &[
    Way { name: "helm_uninstall", install: helm_install, uninstall: helm_uninstall },
    Way { name: "kubectl_delete", install: kubectl_apply, uninstall: kubectl_delete },
    Way { name: "kubectl_delete_namespace", install: kubectl_apply, uninstall: delete_namespace },
];

/// The API server follows its configurations by a watch: what it takes on a busy machine.
const CACHE: Duration = Duration::from_secs(5);
const NODE: &str = "n1";

struct Way {
    name: &'static str,
    install: fn(&Bench),
    uninstall: fn(&Bench),
}

/// Dropped from the top: what talks to the control plane goes first.
struct Bench {
    egress: Arc<Egress>,
    plane: ControlPlane,
    programs: Programs,
    runtime: Runtime,
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1);
    let programs = Programs::find().filter(|_| !arguments.list);
    let is_left = programs.is_none();
    if is_left {
        println!("left out: uninstalling: there is no control plane; tests/cluster/install.sh DIRECTORY builds one");
    }
    let bench = programs.map(|programs| Arc::new(Bench::start(programs)));
    let trials = WAYS.iter().map(|way| {
        let bench = bench.clone();
        let run = move || {
            if let Some(bench) = &bench {
                bench.run(way);
            }
            Ok(())
        };
        Trial::test(way.name, run).with_ignored_flag(is_left)
    });
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    if let Some(bench) = bench.filter(|_| conclusion.has_failed()) {
        bench.plane.print_logs();
    }
    conclusion.exit_code()
}

impl Bench {
    fn start(programs: Programs) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let runtime = Runtime::new().unwrap();
        let plane = ControlPlane::start(&programs, runtime.handle());
        let egress = Egress::start(&plane.egress_socket, runtime.handle());
        let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}});
        plane.cluster.create("/api/v1/nodes", &node).object();
        Self { egress, plane, programs, runtime }
    }

    fn cluster(&self) -> &Cluster {
        &self.plane.cluster
    }

    fn run(&self, way: &Way) {
        (way.install)(self);
        let installation = Installation::of(&self.plane, Arc::clone(&self.egress), self.runtime.handle());
        let replica = installation.replica(way.name);
        installation.route_to(&[]);
        fail_closed(self.cluster());
        installation.route_to(std::slice::from_ref(&replica));
        wait_for("podfit's denial", || refuses(self.cluster()).then_some(()));
        self.bind();

        let (start, mut plain) = (Instant::now(), pod("", good_container()));
        plain["metadata"] = json!({"generateName": "load-"});
        let load = Load::start(self.cluster(), &path("pods", "default"), &plain, PER_SECOND);
        load.wait(200);
        thread::scope(|scope| {
            let uninstalled = scope.spawn(|| (way.uninstall)(self));
            self.end_as_kubelet(replica);
            uninstalled.join().unwrap();
        });
        for kind in ["mutating", "validating"] {
            let configuration = format!("/apis/admissionregistration.k8s.io/v1/{kind}webhookconfigurations/podfit");
            wait_for("the end of the configurations", || {
                (self.cluster().get(&configuration).code == 404).then_some(())
            });
        }
        load.wait(400);
        let tally = load.finish(start);
        println!("\n{}\n{}; no Pod for {:.1} s", Tally::heading(), tally.row(way.name), tally.blocked.as_secs_f64());
        assert!(tally.blocked < CACHE, "{:?}: {:#?}", tally.blocked, tally.failures);
    }

    /// Puts podfit's Pods on a node, so that they end only after what runs in them has ended.
    fn bind(&self) {
        let pods = wait_for("podfit's Pods", || Some(self.pods()).filter(|pods| !pods.is_empty()));
        for name in pods.iter().map(|pod| pod["metadata"]["name"].as_str().unwrap()) {
            let binding = json!({"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name},
                "target": {"apiVersion": "v1", "kind": "Node", "name": NODE}});
            self.cluster().create(&format!("{}/{name}/binding", path("pods", NAMESPACE)), &binding).object();
        }
    }

    fn pods(&self) -> Vec<Value> {
        self.cluster().get(&path("pods", NAMESPACE)).object()["items"].as_array().unwrap().clone()
    }

    /// SIGTERM when the Pod is to end, and no Pod when the process has ended.
    fn end_as_kubelet(&self, mut replica: Replica) {
        let is_ending = |pod: &Value| pod["metadata"]["deletionTimestamp"].is_string();
        let pods = wait_for("the end of podfit's Pods", || Some(self.pods()).filter(|pods| pods.iter().all(is_ending)));
        replica.process.terminate();
        let code = wait_for("the end of podfit", || replica.process.exit_code());
        assert_eq!(code, 0, "{}", replica.process.tail());
        self.egress.set(&[]);
        for name in pods.iter().map(|pod| pod["metadata"]["name"].as_str().unwrap()) {
            let now = json!({"apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": 0});
            let path = format!("{}/{name}", path("pods", NAMESPACE));
            self.cluster()
                .call(Call { method: hyper::Method::DELETE, path, body: Some(&now), ..Call::default() })
                .object();
        }
    }

    fn kubectl(&self, arguments: &[&str]) {
        let printed = self.cluster().kubectl(arguments, "");
        assert_eq!(printed.code, 0, "{arguments:?}: {}", printed.error);
    }

    fn helm(&self, arguments: &[&str]) {
        let mut helm = Command::new(&self.programs.helm);
        helm.env("KUBECONFIG", self.cluster().kubeconfig()).args(arguments).args(["--namespace", NAMESPACE]);
        let output = helm.output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

fn kubectl_apply(bench: &Bench) {
    // The namespace of the way before may still be ending.
    let namespace = format!("/api/v1/namespaces/{NAMESPACE}");
    wait_for("the end of the namespace", || (bench.cluster().get(&namespace).code == 404).then_some(()));
    bench.kubectl(&["apply", "-k", &format!("{DEPLOY}/base")]);
}

fn kubectl_delete(bench: &Bench) {
    bench.kubectl(&["delete", "-k", &format!("{DEPLOY}/base")]);
}

fn delete_namespace(bench: &Bench) {
    bench.kubectl(&["delete", "namespace", NAMESPACE]);
}

fn helm_install(bench: &Bench) {
    bench.helm(&["install", "podfit", &format!("{DEPLOY}/chart"), "--create-namespace"]);
}

/// Helm leaves the namespace that it made.
fn helm_uninstall(bench: &Bench) {
    bench.helm(&["uninstall", "podfit"]);
    bench.kubectl(&["delete", "namespace", NAMESPACE, "--wait=false"]);
}
