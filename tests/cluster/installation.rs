//! podfit in a control plane of ours: the shipped webhook configurations, and replicas as processes behind `egress.rs`.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use podfit::manifest;
use serde_json::{Value, json};
use tokio::runtime::Handle;

use crate::{
    cluster::{Cluster, wait_for},
    egress::{self, Backend, Egress},
    plane::{ControlPlane, free_ports},
    process::Process,
};

pub const PODFIT: &str = env!("CARGO_BIN_EXE_podfit");
const NAMESPACE: &str = "podfit-system";
const CONFIGURATIONS: &str = include_str!("configurations.yaml");
const POLICIES: &str = include_str!("policies.yaml");

pub struct Installation {
    pub egress: Arc<Egress>,
    pub folder: PathBuf,
    replicas: Vec<Replica>,
}

pub struct Replica {
    pub process: Process,
    pub backend: Backend,
}

impl Installation {
    pub fn start(plane: &ControlPlane, runtime: &Handle) -> Self {
        let folder = plane.folder().to_owned();
        make_files(&folder);
        let egress = Egress::start(&plane.egress_socket, runtime);
        let mut installation = Self { egress, folder, replicas: Vec::new() };
        installation.replicas =
            (1..=2).map(|number| installation.replica(&format!("podfit-{number}"), runtime)).collect();
        installation.route_to(&installation.replicas.iter().collect::<Vec<_>>());
        install(&plane.cluster, &installation.folder);
        installation
    }

    /// One more replica, ready.
    pub fn replica(&self, name: &str, runtime: &Handle) -> Replica {
        let [webhook, admin] = free_ports().map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        let file = |name: &str| self.folder.join(name).display().to_string();
        let flags = [
            ("listen", webhook.to_string()),
            ("admin-listen", admin.to_string()),
            ("policy", file("policies.yaml")),
            ("tls-cert", file("pair/tls.crt")),
            ("tls-key", file("pair/tls.key")),
        ];
        let mut arguments = vec!["serve".to_owned()];
        arguments.extend(flags.iter().map(|(name, value)| format!("--{name}={value}")));
        let mut process = Process::start(name, Path::new(PODFIT), &arguments, &[], &self.folder);
        wait_for(name, || {
            process.check_alive();
            runtime.block_on(egress::is_ready(admin)).then_some(())
        });
        Replica { process, backend: Backend { webhook, admin } }
    }

    pub fn route_to(&self, replicas: &[&Replica]) {
        let backends: Vec<Backend> = replicas.iter().map(|replica| replica.backend).collect();
        self.egress.set(&backends);
    }

    /// Back to the replicas of the suite.
    pub fn route_home(&self) {
        self.route_to(&self.replicas.iter().collect::<Vec<_>>());
    }

    /// Of `/mutate` and `/validate`.
    pub fn set_failure_policies(&self, cluster: &Cluster, policies: [&str; 2]) {
        for (mut configuration, policy) in configurations(&self.folder).into_iter().zip(policies) {
            configuration["webhooks"][0]["failurePolicy"] = json!(policy);
            apply(cluster, &configuration);
        }
    }

    pub fn print_logs(&self) {
        for replica in &self.replicas {
            println!("--- the end of {}'s log\n{}", replica.process.name, replica.process.tail());
        }
    }
}

fn make_files(folder: &Path) {
    fs::write(folder.join("policies.yaml"), POLICIES).unwrap();
    let host = format!("podfit.{NAMESPACE}.svc");
    let made = Command::new(PODFIT).arg("certs").arg(folder.join("pair")).args(["--host", &host]).status().unwrap();
    assert!(made.success(), "podfit certs");
}

fn install(cluster: &Cluster, folder: &Path) {
    cluster.make_namespace(NAMESPACE, &[].into());
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "podfit"},
        "spec": {"ports": [{"port": 443, "targetPort": 8443}], "selector": {"app.kubernetes.io/name": "podfit"}},
    });
    cluster.create(&crate::cluster::path("services", NAMESPACE), &service).object();
    for configuration in configurations(folder) {
        apply(cluster, &configuration);
    }
    wait_for("the webhooks", || answers(cluster).then_some(()));
}

/// The shipped webhook configurations, with the CA that podfit or cert-manager would write into them.
fn configurations(folder: &Path) -> Vec<Value> {
    let ca = fs::read(folder.join("pair/ca.crt")).unwrap();
    let documents = manifest::read(CONFIGURATIONS).into_iter().map(|document| document.unwrap());
    let mut configurations: Vec<Value> =
        documents.map(|document| serde_json::from_str(&document.json).unwrap()).collect();
    for webhook in configurations.iter_mut().flat_map(|found| found["webhooks"].as_array_mut().unwrap()) {
        webhook["clientConfig"]["caBundle"] = json!(STANDARD.encode(&ca));
    }
    configurations
}

fn apply(cluster: &Cluster, configuration: &Value) {
    let resource = format!("{}s", configuration["kind"].as_str().unwrap().to_lowercase());
    cluster.apply(&format!("/apis/admissionregistration.k8s.io/v1/{resource}"), configuration).object();
}

/// Whether a Pod that must be refused is refused: the API server learns of its webhooks a while after they were written.
fn answers(cluster: &Cluster) -> bool {
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"generateName": "probe-"},
        "spec": {"containers": [{"name": "app", "image": "app"}]}});
    let pods = format!("{}?dryRun=All", crate::cluster::path("pods", "default"));
    cluster.create(&pods, &pod).message().contains("validate.podfit.dev")
}
