//! podfit in a control plane of ours: `deploy/base` as it is shipped, and replicas as processes behind `egress.rs`, since no
//! node runs its Deployment.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::{Value, json};
use tokio::runtime::Handle;

use crate::{
    cluster::{Cluster, path, wait_for},
    egress::{self, Backend, Egress},
    plane::{self, ControlPlane, free_ports},
    process::Process,
};

const PODFIT: &str = env!("CARGO_BIN_EXE_podfit");
const DEPLOY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy");
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
    pub fn start(plane: &ControlPlane, runtime: &Handle) -> Self {
        let cluster = &plane.cluster;
        let folder = plane.folder().to_owned();
        let printed = cluster.kubectl(&["apply", "--server-side", "-f", &format!("{DEPLOY}/base/podfit.yaml")], "");
        assert_eq!(printed.code, 0, "{}", printed.error);
        fs::write(folder.join("policies.yaml"), POLICIES).unwrap();
        fs::write(folder.join("podfit.kubeconfig"), kubeconfig(plane)).unwrap();
        let egress = Egress::start(&plane.egress_socket, runtime);
        let mut installation = Self { egress, folder, runtime: runtime.clone(), replicas: Vec::new() };
        installation.replicas = ["podfit-1", "podfit-2"].map(|name| installation.replica(name)).into();
        installation.route_home();
        wait_for("the webhooks", || refuses(cluster).then_some(()));
        installation
    }

    /// One more replica, ready. It has the rights of the shipped ServiceAccount, and no others.
    pub fn replica(&self, name: &str) -> Replica {
        let [webhook, admin] = free_ports().map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        let policy = self.folder.join("policies.yaml").display().to_string();
        let flags = [("listen", webhook.to_string()), ("admin-listen", admin.to_string()), ("policy", policy)];
        let mut arguments = vec!["serve".to_owned(), "--self-managed-certs".to_owned()];
        arguments.extend(flags.iter().map(|(name, value)| format!("--{name}={value}")));
        let kubeconfig = self.folder.join("podfit.kubeconfig").display().to_string();
        let environment = [("KUBECONFIG", kubeconfig.as_str())];
        let mut process = Process::start(name, Path::new(PODFIT), &arguments, &environment, &self.folder);
        wait_for(name, || {
            process.check_alive();
            self.runtime.block_on(egress::is_ready(admin)).then_some(())
        });
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

/// Of `/mutate` and `/validate`.
pub fn set_failure_policies(cluster: &Cluster, policies: [&str; 2]) {
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
fn refuses(cluster: &Cluster) -> bool {
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"generateName": "probe-"},
        "spec": {"containers": [{"name": "app", "image": "app"}]}});
    let pods = format!("{}?dryRun=All", path("pods", "default"));
    cluster.create(&pods, &pod).message().contains("validate.podfit.dev")
}
