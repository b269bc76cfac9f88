//! `podfit scan` and `podfit explain --pod` on a real API server: owners as controllers make them, reports in CRDs of others, the
//! rights that docs/scan.md gives, 5,000 Pods. On a control plane of its own, where podfit is not installed.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

#[allow(dead_code)]
#[path = "../../benches/review/bodies.rs"]
mod bodies;
#[allow(dead_code)]
mod cluster;
#[path = "../scan/peak.rs"]
mod peak;
#[allow(dead_code)]
mod plane;
#[allow(dead_code)]
mod pods;
#[allow(dead_code)]
mod process;
#[allow(dead_code)]
mod programs;
mod scan_crowd;
mod scan_reports;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    sync::Arc,
};

use libtest_mimic::{Arguments, Trial};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use cluster::{Cluster, Printed, path, wait_for};
use plane::{ControlPlane, kubeconfig};
use pods::{bad_container, good_container, pod, with, workload};
use programs::Programs;

type Case = (&'static str, fn(&Bench));

const CASES: &[Case] = &[
    ("owners_are_those_that_controllers_know", owners),
    ("a_running_pod_is_explained", explain),
    ("the_documented_rights_suffice", rights),
    ("reports_are_kept_in_the_cluster", scan_reports::kept),
    ("a_report_of_more_than_it_holds_is_taken", scan_reports::bounded),
    ("five_thousand_pods", scan_crowd::scan),
];

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1);
    let programs = Programs::find().filter(|_| !arguments.list);
    let is_left = programs.is_none();
    if is_left {
        println!("left out: scans: there is no control plane; tests/cluster/install.sh DIRECTORY builds one");
    }
    let bench = programs.map(|programs| Arc::new(Bench::start(&programs)));
    let trials = CASES.iter().map(|&(name, case)| {
        let bench = bench.clone();
        let run = move || {
            if let Some(bench) = &bench {
                case(bench);
            }
            Ok(())
        };
        Trial::test(name, run).with_ignored_flag(is_left)
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

/// Dropped from the top: what talks to the control plane goes first.
pub struct Bench {
    plane: ControlPlane,
    runtime: Runtime,
}

impl Bench {
    /// With a shop in it.
    fn start(programs: &Programs) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let runtime = Runtime::new().unwrap();
        let plane = ControlPlane::start(programs, runtime.handle());
        let bench = Self { plane, runtime };
        bench.open_shop();
        bench
    }

    fn cluster(&self) -> &Cluster {
        &self.plane.cluster
    }

    fn open_shop(&self) {
        let cluster = self.cluster();
        cluster.make_namespace("shop", &[("team", "shop")].into());
        let replicas = |kind: &str, name: &str, container: Value, replicas: u64| {
            with(workload(kind, name, container), &json!({"spec": {"replicas": replicas}}))
        };
        let report = json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "report"}, "spec": {
            "schedule": "0 3 1 1 *",
            "jobTemplate": {"spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [bad_container()]}}}},
        }});
        for (resource, object) in [
            ("deployments", replicas("Deployment", "api", bad_container(), 2)),
            ("deployments", replicas("Deployment", "idle", bad_container(), 0)),
            ("statefulsets", replicas("StatefulSet", "db", good_container(), 1)),
            ("cronjobs", report),
            ("pods", pod("ledger", good_container())),
        ] {
            cluster.create(&path(resource, "shop"), &object).object();
        }
        wait_for("Pods of controllers", || (self.pods("shop").len() == 4).then_some(()));
    }

    fn pods(&self, namespace: &str) -> Vec<Value> {
        self.cluster().get(&path("pods", namespace)).object()["items"].as_array().unwrap().clone()
    }

    fn podfit(&self, arguments: &[&str]) -> Printed {
        run(self.cluster().kubeconfig(), arguments)
    }

    /// What kubectl printed, where it was to succeed.
    #[track_caller]
    fn kubectl(&self, arguments: &[&str], input: &str) -> String {
        let printed = self.cluster().kubectl(arguments, input);
        assert_eq!(printed.code, 0, "kubectl {arguments:?}: {}", printed.error);
        printed.output
    }
}

fn run(kubeconfig: &Path, arguments: &[&str]) -> Printed {
    let output = Command::new(program()).args(arguments).env("KUBECONFIG", kubeconfig).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Printed { code: output.status.code().unwrap(), output: text(output.stdout), error: text(output.stderr) }
}

fn program() -> PathBuf {
    env::var_os("PODFIT_PROGRAM").unwrap_or_else(|| env!("CARGO_BIN_EXE_podfit").into()).into()
}

const SCAN_OF_SHOP: &str = "\
NAMESPACE  OWNER            PODS  MODE  RULE             FINDING
shop       CronJob/report      0  Deny  resource-limits  container \"app\" has no CPU limit; set resources.limits.cpu, such as 500m (policy default)
shop       CronJob/report      0  Deny  resource-limits  container \"app\" has no memory limit; set resources.limits.memory, such as 256Mi (policy default)
shop       CronJob/report      0  Deny  image-tag        container \"app\" uses the image \"example.com/app\", which has no tag, so \"latest\" is implied; write a fixed tag or a digest (policy default)
shop       Deployment/api      2  Deny  resource-limits  container \"app\" has no CPU limit; set resources.limits.cpu, such as 500m (policy default)
shop       Deployment/api      2  Deny  resource-limits  container \"app\" has no memory limit; set resources.limits.memory, such as 256Mi (policy default)
shop       Deployment/api      2  Deny  image-tag        container \"app\" uses the image \"example.com/app\", which has no tag, so \"latest\" is implied; write a fixed tag or a digest (policy default)
shop       Deployment/idle     0  Deny  resource-limits  container \"app\" has no CPU limit; set resources.limits.cpu, such as 500m (policy default)
shop       Deployment/idle     0  Deny  resource-limits  container \"app\" has no memory limit; set resources.limits.memory, such as 256Mi (policy default)
shop       Deployment/idle     0  Deny  image-tag        container \"app\" uses the image \"example.com/app\", which has no tag, so \"latest\" is implied; write a fixed tag or a digest (policy default)

RULE             MODE  OWNERS  PODS
resource-limits  Deny       3     2
image-tag        Deny       3     2

4 Pods of 5 owners: 9 denied findings, 14 injections; 11 skipped
";

fn owners(bench: &Bench) {
    for arguments in [&["scan"][..], &["scan", "-n", "shop"]] {
        let printed = bench.podfit(arguments);
        assert_eq!(
            (printed.output.as_str(), printed.error.as_str(), printed.code),
            (SCAN_OF_SHOP, "", 1),
            "{arguments:?}"
        );
    }
    let printed = bench.podfit(&["scan", "-n", "shops"]);
    let expected =
        "error: get namespaces/shops: there is none\n--> /api/v1/namespaces/shops\n\nno objects judged; 1 error\n";
    assert_eq!((printed.output.as_str(), printed.code), (expected, 2));
}

fn explain(bench: &Bench) {
    let printed = bench.podfit(&["explain", "--pod", "shop/db-0"]);
    let expected = "\
Pod shop/db-0  (in the cluster)
    resource-limits  Deny    policy default
    image-tag        Deny    policy default
    pod-identity     Inject  policy default
    runtime-sizing   Inject  policy default
    probes           Inject  policy default
  container app
    POD_NAME       metadata.name       downward API (policy default)
    POD_NAMESPACE  metadata.namespace  downward API (policy default)
    GOMAXPROCS     limits.cpu, live    from limits.cpu=2 (policy default)
    GOMEMLIMIT     241591910           from limits.memory=256Mi (policy default)
    probes         -                   a StatefulSet's members may listen only once they lead (policy default)
";
    assert_eq!((printed.output.as_str(), printed.error.as_str(), printed.code), (expected, "", 0));
    let printed = bench.podfit(&["explain", "--pod", "shop/db-1"]);
    assert_eq!((printed.error.as_str(), printed.code), ("error: there is no Pod shop/db-1\n", 2));
}

/// The `ClusterRole` of the page, as it stands there, for one account in the cluster and for another in one namespace.
fn rights(bench: &Bench) {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/scan.md")).unwrap();
    let role = page.split("```yaml\n").nth(1).unwrap().split("```").next().unwrap();
    bench.kubectl(&["apply", "-f", "-"], role);
    for account in ["nobody", "somebody", "everybody"] {
        bench.kubectl(&["create", "serviceaccount", account, "-n", "shop"], "");
    }
    let subject = |account: &str| format!("--serviceaccount=shop:{account}");
    bench.kubectl(&["create", "clusterrolebinding", "scan", "--clusterrole=podfit-scan", &subject("everybody")], "");
    bench.kubectl(
        &["create", "rolebinding", "scan", "-n", "shop", "--clusterrole=podfit-scan", &subject("somebody")],
        "",
    );
    let scan = |account: &str, arguments: &[&str]| {
        let token = bench.kubectl(&["create", "token", account, "-n", "shop"], "");
        let file = bench.plane.folder().join(account);
        let ca = bench.plane.folder().join("ca.crt");
        fs::write(&file, kubeconfig(&ca, &bench.plane.server, token.trim(), "shop")).unwrap();
        run(&file, &[&["scan"], arguments].concat())
    };
    let forbidden = |account: &str, resource: &str| {
        let group = resource.split_once('.').map_or("", |(_, group)| group);
        let plural = resource.split('.').next().unwrap();
        format!(
            "not allowed to list {resource}: {resource} is forbidden: User \"system:serviceaccount:shop:{account}\" cannot list \
             resource \"{plural}\" in API group \"{group}\" at the cluster scope; docs/scan.md has a ClusterRole that allows it"
        )
    };

    wait_for("rights", || (scan("everybody", &[]).output == SCAN_OF_SHOP).then_some(()));
    let printed = scan("somebody", &["-n", "shop"]);
    let note =
        format!("note: {}; so the embedded policy is used\n\n", forbidden("somebody", "sizingpolicies.podfit.dev"));
    let expected = SCAN_OF_SHOP.replace("\n4 Pods", &format!("\n{note}4 Pods"));
    assert_eq!((printed.output.as_str(), printed.code), (expected.as_str(), 1));

    let printed = scan("nobody", &["--policy", concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/policies/default.yaml")]);
    let expected = format!(
        "note: {}; so namespaces labelled podfit.dev/ignore=true are judged too\n\nerror: {}\n--> /api/v1/pods\n\n\
         no objects judged; 1 error\n",
        forbidden("nobody", "namespaces"),
        forbidden("nobody", "pods")
    );
    assert_eq!((printed.output.as_str(), printed.code), (expected.as_str(), 2));
}
