//! What deploy/ installs, on a real API server: that a second apply changes nothing, that podfit is called for nothing in vain,
//! and that the break-glass opens. On a control plane of its own, because the cases take podfit away and count its calls.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

// Shared with the suite beside it, which uses all of them.
#[allow(dead_code)]
mod cluster;
mod conditions;
#[allow(dead_code)]
mod egress;
#[allow(dead_code)]
mod installation;
#[allow(dead_code)]
mod plane;
#[allow(dead_code)]
mod pods;
#[allow(dead_code)]
mod process;
#[allow(dead_code)]
mod programs;

use std::{
    fs,
    process::{Command, ExitCode},
    sync::Arc,
    time::Instant,
};

use libtest_mimic::{Arguments, Trial};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use cluster::{Cluster, wait_for};
use egress::Egress;
use installation::{DEPLOY, Installation, NAMESPACE, Replica};
use plane::ControlPlane;
use pods::good_container;
use programs::Programs;

type Case = (&'static str, fn(&Bench));

const CASES: &[Case] = &[
    ("the_chart_with_all_of_its_monitoring_is_taken", monitoring),
    ("a_second_apply_changes_nothing", second_apply),
    ("conditions_spare_what_podfit_would_allow_unseen", conditions::spare),
    ("the_break_glass_opens_at_once", break_glass),
];

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1);
    let programs = Programs::find().filter(|_| !arguments.list);
    let is_left = programs.is_none();
    if is_left {
        println!("left out: the manifests: there is no control plane; tests/cluster/install.sh DIRECTORY builds one");
    }
    let bench = programs.map(|programs| Arc::new(Bench::start(programs)));
    let trials = CASES.iter().map(|&(name, case)| {
        let bench = bench.clone();
        let run = move || {
            if let Some(bench) = &bench {
                bench.run(case);
            }
            Ok(())
        };
        Trial::test(name, run).with_ignored_flag(is_left)
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

/// Dropped from the top: what talks to the control plane goes first.
pub struct Bench {
    egress: Arc<Egress>,
    plane: ControlPlane,
    programs: Programs,
    runtime: Runtime,
}

impl Bench {
    fn start(programs: Programs) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let runtime = Runtime::new().unwrap();
        let plane = ControlPlane::start(&programs, runtime.handle());
        let egress = Egress::start(&plane.egress_socket, runtime.handle());
        Self { egress, plane, programs, runtime }
    }

    /// With the overlay that fails closed, which is gone again for the next case.
    fn run(&self, case: fn(&Self)) {
        let _cleaner = Cleaner(self);
        self.apply(&[]);
        case(self);
    }

    fn cluster(&self) -> &Cluster {
        &self.plane.cluster
    }

    #[track_caller]
    fn apply(&self, more: &[&str]) {
        self.kubectl(&[&["apply", "-k", &closed()], more].concat());
    }

    /// What kubectl printed, where it was to succeed.
    #[track_caller]
    fn kubectl(&self, arguments: &[&str]) -> String {
        let printed = self.cluster().kubectl(arguments, "");
        assert_eq!(printed.code, 0, "kubectl {arguments:?}: {}", printed.error);
        printed.output
    }

    /// podfit with its shipped rights, once a Pod can be made that waits for its word.
    fn podfit(&self) -> Replica {
        let installation = Installation::of(&self.plane, Arc::clone(&self.egress), self.runtime.handle());
        let replica = installation.replica("podfit");
        installation.route_to(std::slice::from_ref(&replica));
        wait_for("the first Pod", || (self.create_pod() == 201).then_some(()));
        replica
    }

    /// The status of the answer, of a dry run.
    fn create_pod(&self) -> u16 {
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"},
            "spec": {"containers": [good_container()]}});
        self.cluster().create("/api/v1/namespaces/default/pods?dryRun=All", &pod).code
    }
}

/// After a failure too. kubectl waits until the namespace is gone.
struct Cleaner<'a>(&'a Bench);

impl Drop for Cleaner<'_> {
    fn drop(&mut self) {
        self.0.cluster().kubectl(&["delete", "--ignore-not-found", "--timeout=60s", "-k", &closed()], "");
    }
}

fn closed() -> String {
    format!("{DEPLOY}/overlays/high-availability")
}

/// Strictly: unknown and repeated fields are refused, and a Pod that breaks `restricted` would bring a warning.
fn monitoring(bench: &Bench) {
    let crds = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cluster/crds");
    bench.kubectl(&["apply", "--server-side", "-f", crds]);
    bench.kubectl(&["wait", "--for=condition=Established", "crd", "--all"]);
    bench.kubectl(&["label", "namespace", NAMESPACE, "pod-security.kubernetes.io/warn=restricted"]);
    let values =
        ["serviceMonitor", "prometheusRule", "dashboard"].map(|part| format!("--set=monitoring.{part}.enabled=true"));
    let mut helm = Command::new(&bench.programs.helm);
    helm.args(["template", "podfit", &format!("{DEPLOY}/chart"), "--namespace", NAMESPACE]).args(values);
    let rendered = String::from_utf8(helm.output().unwrap().stdout).unwrap();
    let taken = bench.cluster().kubectl(&["apply", "--dry-run=server", "-f", "-"], &rendered);
    assert_eq!((taken.code, taken.error.as_str()), (0, ""));
    for kind in ["servicemonitor.monitoring.coreos.com/podfit", "prometheusrule.monitoring.coreos.com/podfit"] {
        assert!(taken.output.contains(kind), "{}", taken.output);
    }
}

/// Tools of `GitOps` apply again and again: what podfit wrote into its configurations stays, and nothing differs.
fn second_apply(bench: &Bench) {
    let _podfit = bench.podfit();
    let before = written_by_podfit(bench);
    assert!(before.iter().all(|(ca, owners)| ca.is_string() && owners.is_array()), "{before:?}");
    assert_eq!(bench.kubectl(&["diff", "-k", &closed()]), "");
    bench.apply(&[]);
    bench.apply(&["--server-side", "--force-conflicts"]);
    assert_eq!(written_by_podfit(bench), before);
}

/// `caBundle` and owners of both configurations.
fn written_by_podfit(bench: &Bench) -> [(Value, Value); 2] {
    ["mutatingwebhookconfigurations", "validatingwebhookconfigurations"].map(|resource| {
        let path = format!("/apis/admissionregistration.k8s.io/v1/{resource}/podfit");
        let object = bench.cluster().get(&path).object();
        (object["webhooks"][0]["clientConfig"]["caBundle"].clone(), object["metadata"]["ownerReferences"].clone())
    })
}

/// Nobody answers, and `/validate` is closed: the command of deploy/README.md opens it.
fn break_glass(bench: &Bench) {
    let page = fs::read_to_string(format!("{DEPLOY}/README.md")).unwrap();
    let (_, after) = page.split_once("**Break-glass.**").expect("the page tells of it");
    let command =
        after.lines().find_map(|line| line.strip_prefix("kubectl ")).expect("its command has a line of its own");
    wait_for("a closed webhook", || (bench.create_pod() == 500).then_some(()));
    bench.kubectl(&command.split(' ').collect::<Vec<_>>());
    let start = Instant::now();
    wait_for("a Pod", || (bench.create_pod() == 201).then_some(()));
    println!("a Pod {:.1} s after the break-glass", start.elapsed().as_secs_f64());
}
