//! podfit in a control plane of ours: `deploy/base` as it is shipped, and replicas as processes behind `egress.rs`, since no
//! node runs its Deployment.

use std::{env, fs, net::SocketAddr, path::PathBuf, sync::Arc};

use serde_json::{Value, json};
use tokio::runtime::Handle;

use crate::{
    cluster::{Answer, Cluster, path, wait_for},
    egress::{self, Backend, Egress},
    plane::{self, ControlPlane},
    pods::{bad_container, pod},
    process::{Process, free_ports},
};

/// Another program than the one just built: the release build, for figures.
const PODFIT_PROGRAM: &str = "PODFIT_PROGRAM";
pub const DEPLOY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy");
pub const NAMESPACE: &str = "podfit-system";
const CONFIGURATIONS: &str = "/apis/admissionregistration.k8s.io/v1";
const POLICIES: &str = include_str!("policies.yaml");

pub struct Installation {
    pub egress: Arc<Egress>,
    folder: PathBuf,
    runtime: Handle,
    replicas: Vec<Replica>,
}

pub struct Replica {
    pub process: Process,
    pub backend: Backend,
}

impl Replica {
    /// What the sample of a metric says.
    pub fn metric(&self, name: &str, runtime: &Handle) -> String {
        let page = runtime.block_on(egress::get(self.backend.admin, "/metrics")).unwrap();
        let sample = page.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
        sample.unwrap_or_else(|| panic!("no {name} in {page}")).to_owned()
    }
}

impl Installation {
    /// With the policies of the cases, and two replicas.
    pub fn start(plane: &ControlPlane, runtime: &Handle) -> Self {
        let printed = plane.cluster.kubectl(&["apply", "--server-side", "-k", &format!("{DEPLOY}/base")], "");
        assert_eq!(printed.code, 0, "{}", printed.error);
        let mut installation = Self::of(plane, Egress::start(&plane.egress_socket, runtime), runtime);
        installation.replicas = ["podfit-1", "podfit-2"].map(|name| installation.replica(name)).into();
        installation.route_home();
        wait_for("the webhooks", || refuses(&plane.cluster).then_some(()));
        installation
    }

    /// Of what is applied already, without replicas.
    pub fn of(plane: &ControlPlane, egress: Arc<Egress>, runtime: &Handle) -> Self {
        let folder = plane.folder().to_owned();
        fs::write(folder.join("policies.yaml"), POLICIES).unwrap();
        fs::write(folder.join("podfit.kubeconfig"), kubeconfig(plane)).unwrap();
        Self { egress, folder, runtime: runtime.clone(), replicas: Vec::new() }
    }

    /// One more replica, ready. It has the rights of the account that is shipped, and no others.
    pub fn replica(&self, name: &str) -> Replica {
        self.replica_with(name, &[format!("--policy={}", self.folder.join("policies.yaml").display())])
    }

    /// By other policies than those of the cases.
    pub fn replica_with(&self, name: &str, flags: &[String]) -> Replica {
        let mut replica = self.begun(name, flags);
        wait_for(name, || {
            replica.process.check_alive();
            self.runtime.block_on(egress::is_ready(replica.backend.admin)).then_some(())
        });
        replica
    }

    /// Not ready yet.
    pub fn begun(&self, name: &str, flags: &[String]) -> Replica {
        let [webhook, admin] = free_ports().map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        let mut arguments = vec!["serve".to_owned(), "--self-managed-certs".to_owned()];
        arguments.extend([format!("--listen={webhook}"), format!("--admin-listen={admin}")]);
        arguments.extend_from_slice(flags);
        let kubeconfig = self.folder.join("podfit.kubeconfig").display().to_string();
        let environment = [("KUBECONFIG", kubeconfig.as_str()), ("POD_NAME", name)];
        let process = Process::start(name, &program(), &arguments, &environment, &self.folder);
        Replica { process, backend: Backend { webhook, admin } }
    }

    pub fn route_to(&self, replicas: &[Replica]) {
        let backends: Vec<Backend> = replicas.iter().map(|replica| replica.backend).collect();
        self.egress.set(&backends);
    }

    /// Back to the replicas of the suite.
    pub fn route_home(&self) {
        self.route_to(&self.replicas);
    }

    pub fn print_logs(&self) {
        for replica in &self.replicas {
            println!("--- the end of {}'s log\n{}", replica.process.name, replica.process.tail());
        }
    }
}

fn program() -> PathBuf {
    env::var_os(PODFIT_PROGRAM).unwrap_or_else(|| env!("CARGO_BIN_EXE_podfit").into()).into()
}

/// Lets both webhooks fail closed, while no replica is there to answer: each is seen to refuse. `/validate` comes first, since
/// the API server asks `/mutate` first.
pub fn fail_closed(cluster: &Cluster) {
    for (policies, webhook) in [(["Ignore", "Fail"], "validate.podfit.dev"), (["Fail", "Fail"], "mutate.podfit.dev")] {
        set_failure_policies(cluster, policies);
        wait_for("a refusal for want of podfit", || {
            let answer = create_nothing(cluster);
            let refused = format!("failed calling webhook \"{webhook}\"");
            (answer.code == 500 && answer.message().contains(&refused)).then_some(())
        });
    }
}

/// As it is shipped. podfit is there again, and denies.
pub fn fail_open(cluster: &Cluster) {
    set_failure_policies(cluster, ["Ignore", "Ignore"]);
    wait_for("podfit's denial", || refuses(cluster).then_some(()));
}

/// Of `/mutate` and `/validate`.
fn set_failure_policies(cluster: &Cluster, policies: [&str; 2]) {
    let webhooks = [("mutating", "mutate.podfit.dev"), ("validating", "validate.podfit.dev")];
    for ((kind, name), policy) in webhooks.into_iter().zip(policies) {
        let patch = json!({"webhooks": [{"name": name, "failurePolicy": policy}]});
        cluster.patch(&format!("{CONFIGURATIONS}/{kind}webhookconfigurations/podfit"), &patch).object();
    }
}

/// With a token such as the kubelet would give the Pod.
fn kubeconfig(plane: &ControlPlane) -> String {
    let request = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}});
    let answer =
        plane.cluster.create(&format!("{}/podfit/token", path("serviceaccounts", NAMESPACE)), &request).object();
    plane::kubeconfig(&plane.folder().join("ca.crt"), &plane.server, text(&answer["status"]["token"]), NAMESPACE)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// Whether a Pod that must be refused is refused: the API server learns of its webhooks a while after they were written.
pub fn refuses(cluster: &Cluster) -> bool {
    create_nothing(cluster).message().contains("\"validate.podfit.dev\" denied the request")
}

/// A bad Pod, by a dry run.
fn create_nothing(cluster: &Cluster) -> Answer {
    cluster.create(&format!("{}?dryRun=All", path("pods", "default")), &pod("nothing", bad_container()))
}
