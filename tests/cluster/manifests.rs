//! What deploy/ installs, on a real API server: that it takes all of it, calls podfit for nothing in vain, and is left with no
//! webhook that nobody answers, whichever way podfit is uninstalled. On a control plane of its own, because the cases take
//! podfit away from under the others; one case after the other.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

// Shared with the suite beside it, which uses all of them.
#[allow(dead_code)]
mod cluster;
mod conditions;
#[allow(dead_code)]
mod egress;
#[allow(dead_code)]
mod plane;
#[allow(dead_code)]
mod process;
#[allow(dead_code)]
mod programs;

use std::{
    env, fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Instant,
};

use libtest_mimic::{Arguments, Trial};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use cluster::{Cluster, path, wait_for};
use egress::{Backend, Egress};
use plane::{ControlPlane, free_ports};
use process::Process;
use programs::{KUBEBUILDER_ASSETS, PODFIT_CONTROL_PLANE, Programs};

const CASES: &[(&str, fn(&Bench))] = &[
    ("the_api_server_takes_everything", everything_is_taken),
    ("a_second_apply_changes_nothing", second_apply),
    ("conditions_spare_what_podfit_would_allow_unseen", conditions::spare),
    ("the_break_glass_opens_at_once", break_glass),
    ("helm_uninstall_blocks_nobody", helm_uninstall),
    ("kubectl_delete_blocks_nobody", kubectl_delete),
    ("deleting_the_namespace_blocks_nobody", delete_namespace),
];

const NAMESPACE: &str = "podfit-system";
const KUSTOMIZATIONS: [&str; 4] = ["base", "overlays/kind", "overlays/cert-manager", "overlays/high-availability"];
const CLOSED: &str = "overlays/high-availability";
const CONFIGURATIONS: [&str; 2] = ["mutatingwebhookconfigurations", "validatingwebhookconfigurations"];

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1);
    let programs = Programs::find().filter(|_| !arguments.list);
    let bench = programs.map(|programs| Arc::new(Bench::start(&programs)));
    let trials = CASES.iter().map(|&(name, case)| {
        let bench = bench.clone();
        let is_left = bench.as_ref().is_none_or(|bench| bench.helm.is_none() && name.starts_with("helm"));
        let run = move || Ok(bench.iter().for_each(|bench| bench.run(case)));
        Trial::test(name, run).with_ignored_flag(is_left)
    });
    let trials = trials.collect();
    match &bench {
        None => println!(
            "left out: all of tests/cluster/manifests.rs; there is no control plane, tests/cluster/install.sh builds one"
        ),
        Some(bench) if bench.helm.is_none() => println!("left out: the chart by helm, which is not there"),
        Some(_) => println!("left out: none"),
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

pub struct Bench {
    plane: ControlPlane,
    egress: Arc<Egress>,
    helm: Option<PathBuf>,
    runtime: Runtime,
}

/// podfit as a process, in the place of the Pods that no node here starts.
struct Podfit {
    process: Process,
    backend: Backend,
}

impl Bench {
    fn start(programs: &Programs) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let runtime = Runtime::new().unwrap();
        let plane = ControlPlane::start(programs, runtime.handle());
        let egress = Egress::start(&plane.egress_socket, runtime.handle());
        let bench = Self { plane, egress, helm: helm(), runtime };
        let crds = [deploy("../tests/cluster/crds").display().to_string()];
        bench.kubectl(&["apply", "--server-side", "-f", &crds[0]]);
        bench.kubectl(&["wait", "--for=condition=Established", "crd", "--all"]);
        bench
    }

    fn run(&self, case: fn(&Self)) {
        let _cleaner = Cleaner(self);
        case(self);
    }

    fn cluster(&self) -> &Cluster {
        &self.plane.cluster
    }

    /// What kubectl printed, where it was to succeed.
    #[track_caller]
    fn kubectl(&self, arguments: &[&str]) -> String {
        let printed = self.cluster().kubectl(arguments, "");
        assert_eq!(printed.code, 0, "kubectl {arguments:?}: {}", printed.error);
        assert!(!printed.error.contains("Warning"), "kubectl {arguments:?}: {}", printed.error);
        printed.output
    }

    #[track_caller]
    fn apply(&self, kustomization: &str, more: &[&str]) -> String {
        let folder = deploy(kustomization).display().to_string();
        self.kubectl(&[&["apply", "-k", &folder], more].concat())
    }

    #[track_caller]
    fn helm(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(self.helm.as_ref().expect("a case without helm is left out"));
        command.env("KUBECONFIG", self.plane.folder().join("kubeconfig")).args(arguments);
        let output = command.arg(format!("--namespace={NAMESPACE}")).output().unwrap();
        assert!(output.status.success(), "helm {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// podfit as its own account, once it is ready and the API server has learned of it.
    fn podfit(&self, policy: &str) -> Podfit {
        let [webhook, admin] = free_ports().map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        let mut arguments = ["serve", "--self-managed-certs", "--log-format=text"].map(ToOwned::to_owned).to_vec();
        arguments.extend([format!("--listen={webhook}"), format!("--admin-listen={admin}")]);
        arguments.push(format!("--policy={}", deploy("policies").join(policy).display()));
        let kubeconfig = self.kubeconfig().display().to_string();
        let program = Path::new(env!("CARGO_BIN_EXE_podfit"));
        let folder = self.plane.folder();
        let process = Process::start("podfit", program, &arguments, &[("KUBECONFIG", &kubeconfig)], folder);
        let mut podfit = Podfit { process, backend: Backend { webhook, admin } };
        wait_for("a podfit that is ready", || podfit.is_ready(self).then_some(()));
        self.egress.set(&[podfit.backend]);
        wait_for("the first Pod", || (self.create_pod() == 201).then_some(()));
        podfit
    }

    fn kubeconfig(&self) -> PathBuf {
        let token = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}});
        let token =
            self.cluster().create(&format!("{}/podfit/token", path("serviceaccounts", NAMESPACE)), &token).object();
        let token = token["status"]["token"].as_str().unwrap();
        let folder = self.plane.folder();
        let administrator: Value = serde_json::from_slice(&fs::read(folder.join("kubeconfig")).unwrap()).unwrap();
        let server = administrator["clusters"][0]["cluster"]["server"].as_str().unwrap();
        let path = folder.join("podfit.kubeconfig");
        fs::write(&path, plane::kubeconfig(&folder.join("ca.crt"), server, token, NAMESPACE)).unwrap();
        path
    }

    fn create_pod(&self) -> u16 {
        self.cluster().create(PODS, &good_pod()).code
    }

    /// Those that are there.
    fn configurations(&self) -> Vec<Value> {
        let group = "/apis/admissionregistration.k8s.io/v1";
        let answers = CONFIGURATIONS.map(|resource| self.cluster().get(&format!("{group}/{resource}/podfit")));
        answers.into_iter().filter(|answer| answer.code == 200).map(|answer| answer.body).collect()
    }

    fn pods_live(&self) -> bool {
        let pods = self.cluster().get(&path("pods", NAMESPACE)).object();
        pods["items"].as_array().unwrap().iter().any(|pod| pod["metadata"]["deletionTimestamp"].is_null())
    }
}

/// After a failure too. The namespace takes its content along, and the configurations are the first to go.
struct Cleaner<'a>(&'a Bench);

impl Drop for Cleaner<'_> {
    fn drop(&mut self) {
        let everything = deploy(CLOSED).display().to_string();
        self.0.cluster().kubectl(&["delete", "--ignore-not-found", "--timeout=60s", "-k", &everything], "");
    }
}

impl Podfit {
    fn is_ready(&mut self, bench: &Bench) -> bool {
        self.process.check_alive();
        bench.runtime.block_on(egress::is_ready(self.backend.admin))
    }
}

const PODS: &str = "/api/v1/namespaces/default/pods?dryRun=All";

fn good_pod() -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"generateName": "web-"}, "spec": {"containers": [
        {"name": "app", "image": "example.com/app:1", "resources": {"limits": {"cpu": "1", "memory": "64Mi"}}},
    ]}})
}

fn deploy(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(path)
}

fn helm() -> Option<PathBuf> {
    let folders = [KUBEBUILDER_ASSETS, PODFIT_CONTROL_PLANE].into_iter().filter_map(env::var_os).map(PathBuf::from);
    let path = env::var_os("PATH").unwrap_or_default();
    folders.chain(env::split_paths(&path)).map(|folder| folder.join("helm")).find(|path| path.is_file())
}

/// Strictly: unknown and repeated fields are refused, and a Pod that breaks `restricted` would bring a warning.
fn everything_is_taken(bench: &Bench) {
    bench.cluster().make_namespace(NAMESPACE, &[("pod-security.kubernetes.io/warn", "restricted")].into());
    for kustomization in KUSTOMIZATIONS {
        let folder = deploy(kustomization).display().to_string();
        let taken = bench.kubectl(&["apply", "--server-side", "--force-conflicts", "--dry-run=server", "-k", &folder]);
        assert!(taken.lines().count() > 8, "{kustomization}: {taken}");
    }
    if bench.helm.is_some() {
        let monitoring = ["serviceMonitor", "prometheusRule", "dashboard"];
        let values = monitoring.map(|part| format!("--set=monitoring.{part}.enabled=true"));
        let chart = deploy("chart").display().to_string();
        let arguments = [&["template", "podfit", &chart], values.each_ref().map(String::as_str).as_slice()].concat();
        let taken = bench
            .cluster()
            .kubectl(&["apply", "--server-side", "--dry-run=server", "-f", "-"], &bench.helm(&arguments));
        assert_eq!((taken.code, taken.error.as_str()), (0, ""));
        assert!(taken.output.contains("servicemonitor") && taken.output.contains("prometheusrule"), "{}", taken.output);
    }
}

/// GitOps tools apply again and again: what podfit wrote into its configurations stays, and nothing differs.
fn second_apply(bench: &Bench) {
    bench.apply(CLOSED, &[]);
    let _podfit = bench.podfit("audit.yaml");
    let written = || {
        let fields = |object: &Value| {
            (object["webhooks"][0]["clientConfig"]["caBundle"].clone(), object["metadata"]["ownerReferences"].clone())
        };
        bench.configurations().iter().map(fields).collect::<Vec<_>>()
    };
    let before = written();
    assert!(before.len() == 2 && before.iter().all(|(ca, owners)| ca.is_string() && owners.is_array()), "{before:?}");
    let folder = deploy(CLOSED).display().to_string();
    assert_eq!(bench.kubectl(&["diff", "-k", &folder]), "");
    bench.apply(CLOSED, &[]);
    bench.apply(CLOSED, &["--server-side", "--force-conflicts"]);
    assert_eq!(written(), before);
}

/// Nobody answers, and `/validate` is closed: the command of deploy/README.md opens it.
fn break_glass(bench: &Bench) {
    let page = fs::read_to_string(deploy("README.md")).unwrap();
    let command = page.lines().find_map(|line| line.strip_prefix("kubectl delete mutatingwebhookconfiguration,"));
    let command = format!(
        "delete mutatingwebhookconfiguration,{}",
        command.expect("the break-glass stands in a line of its own")
    );
    bench.apply(CLOSED, &[]);
    wait_for("a closed webhook", || (bench.create_pod() == 500).then_some(()));
    bench.kubectl(&command.split(' ').collect::<Vec<_>>());
    let start = Instant::now();
    wait_for("a Pod", || (bench.create_pod() == 201).then_some(()));
    println!("open {:.1} s after the break-glass", start.elapsed().as_secs_f64());
}

fn helm_uninstall(bench: &Bench) {
    let chart = deploy("chart").display().to_string();
    let closed = "--set=validate.failurePolicy=Fail,replicas=2";
    bench.helm(&["install", "podfit", &chart, closed, "--create-namespace"]);
    uninstall(bench, "helm uninstall", || drop(bench.helm(&["uninstall", "podfit"])));
}

fn kubectl_delete(bench: &Bench) {
    bench.apply(CLOSED, &[]);
    let folder = deploy(CLOSED).display().to_string();
    uninstall(bench, "kubectl delete -k", || drop(bench.kubectl(&["delete", "-k", &folder])));
}

fn delete_namespace(bench: &Bench) {
    bench.apply(CLOSED, &[]);
    uninstall(bench, "kubectl delete namespace", || drop(bench.kubectl(&["delete", "namespace", NAMESPACE])));
}

/// Pods are created all the while, and `/validate` fails closed. podfit is told to end when its Pods are, as by a kubelet.
fn uninstall(bench: &Bench, how: &str, delete: impl FnOnce() + Send) {
    let mut podfit = bench.podfit("default.yaml");
    wait_for("podfit's Pods", || bench.pods_live().then_some(()));
    let creations = Creations::default();
    thread::scope(|scope| {
        let _over = Over(&creations);
        for _ in 0..CREATORS {
            scope.spawn(|| creations.go_on(bench));
        }
        creations.wait_for_more();
        let deleting = scope.spawn(delete);
        wait_for("the end of podfit's Pods", || (!bench.pods_live()).then_some(()));
        podfit.process.terminate();
        wait_for("the end of podfit", || podfit.process.exit_code());
        deleting.join().expect("it is uninstalled");
        creations.wait_for_more();
    });
    println!("{how}: {} Pods created meanwhile", creations.made.load(Ordering::Relaxed));
    assert_eq!(*creations.failures.lock().unwrap(), [""; 0], "{how}");
    assert_eq!(bench.configurations(), [] as [Value; 0], "{how}");
}

const CREATORS: usize = 4;

/// Each creator waits for its answer before it asks again, so that a slow machine is asked for less.
#[derive(Default)]
struct Creations {
    is_over: AtomicBool,
    made: AtomicUsize,
    failures: Mutex<Vec<String>>,
}

impl Creations {
    fn go_on(&self, bench: &Bench) {
        while !self.is_over.load(Ordering::Relaxed) {
            let answer = bench.cluster().create(PODS, &good_pod());
            self.made.fetch_add(1, Ordering::Relaxed);
            if answer.code != 201 {
                self.failures.lock().unwrap().push(format!("{} {}", answer.code, answer.message()));
            }
        }
    }

    fn wait_for_more(&self) {
        let end = self.made.load(Ordering::Relaxed) + 50 * CREATORS;
        wait_for("more creations", || (self.made.load(Ordering::Relaxed) >= end).then_some(()));
    }
}

/// After a failure too, or the creators would go on for ever.
struct Over<'a>(&'a Creations);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.is_over.store(true, Ordering::Relaxed);
    }
}
