//! The control plane on loopback: etcd, kube-apiserver, kube-controller-manager. `suite.rs` starts one for all cases.

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use podfit::certs::{LOCAL_HOSTS, make_pair};
use serde_json::json;
use tempfile::TempDir;
use tokio::runtime::Handle;

use crate::{
    cluster::Cluster,
    process::{Process, free_ports},
    programs::Programs,
};

const TOKEN: &str = "the-only-user-of-a-control-plane-on-loopback";
const AUDIT_LOG: &str = "audit.log";
/// What webhooks tell the audit log, and nothing of the objects.
const AUDIT: &str = r#"{"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"], "rules": [{"level": "Metadata",
    "verbs": ["create", "update", "patch"], "resources": [{"group": "", "resources": ["pods", "pods/*"]}]}, {"level": "None"}]}"#;
/// The API server takes 10 s on an idle machine.
const START: Duration = Duration::from_mins(3);

pub struct ControlPlane {
    pub cluster: Cluster,
    pub server: String,
    /// Where the API server looks for whatever is behind a Service.
    pub egress_socket: PathBuf,
    // From the last started to the first, and the folder after those who write to it.
    processes: Vec<Process>,
    folder: TempDir,
}

impl ControlPlane {
    pub fn start(programs: &Programs, runtime: &Handle) -> Self {
        let folder = TempDir::with_prefix("podfit-cluster-").unwrap();
        let [etcd_port, peer_port, port] = free_ports();
        let at = folder.path();
        let server = format!("https://127.0.0.1:{port}");
        write_keys(at);
        let kubeconfig = write_kubeconfig(at, &server);
        let egress_socket = write_egress(at);

        let etcd = Process::start("etcd", &programs.etcd, &etcd_flags(at, etcd_port, peer_port), &[], at);
        let apiserver =
            Process::start("kube-apiserver", &programs.apiserver, &apiserver_flags(at, port, etcd_port), &[], at);
        let mut processes = vec![apiserver, etcd];
        let cluster = Cluster::connect(&kubeconfig, programs.kubectl.clone(), runtime);
        wait_for(&mut processes, || cluster.is_ready());
        let manager =
            Process::start("kube-controller-manager", &programs.controller_manager, &manager_flags(at), &[], at);
        processes.insert(0, manager);
        // It serves on no port: the first account that it makes is its sign of life.
        wait_for(&mut processes, || cluster.has_default_account("default"));
        Self { cluster, server, egress_socket, processes, folder }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its events, one a line.
    pub fn audit_log(&self) -> String {
        fs::read_to_string(self.folder().join(AUDIT_LOG)).unwrap_or_default()
    }

    pub fn print_logs(&self) {
        for process in &self.processes {
            println!("--- the end of {}'s log\n{}", process.name, process.tail());
        }
    }
}

fn wait_for(processes: &mut [Process], mut is_there: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_there() {
        processes.iter_mut().for_each(Process::check_alive);
        assert!(
            start.elapsed() < START,
            "{} is not ready after {START:?}:\n{}",
            processes[0].name,
            processes[0].tail()
        );
        thread::sleep(Duration::from_millis(100));
    }
}

fn write_keys(folder: &Path) {
    let pair = make_pair(&LOCAL_HOSTS, 2).unwrap();
    let accounts = rcgen::KeyPair::generate().unwrap();
    for (name, text) in [
        ("ca.crt", pair.ca),
        ("apiserver.crt", pair.certificate),
        ("apiserver.key", pair.key),
        ("accounts.key", accounts.serialize_pem()),
        ("accounts.pub", accounts.public_key_pem()),
        ("tokens.csv", format!("{TOKEN},admin,admin,system:masters\n")),
        ("audit.yaml", AUDIT.to_owned()),
    ] {
        fs::write(folder.join(name), text).unwrap();
    }
}

fn write_kubeconfig(folder: &Path, server: &str) -> PathBuf {
    let path = folder.join("kubeconfig");
    fs::write(&path, kubeconfig(&folder.join("ca.crt"), server, TOKEN, "default")).unwrap();
    path
}

/// Of one user in one cluster, with a namespace of its own.
pub fn kubeconfig(ca: &Path, server: &str, token: &str, namespace: &str) -> String {
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "podfit",
        "clusters": [{"name": "podfit", "cluster": {"server": server, "certificate-authority": ca}}],
        "users": [{"name": "podfit", "user": {"token": token}}],
        "contexts": [{"name": "podfit", "context": {"cluster": "podfit", "user": "podfit", "namespace": namespace}}],
    })
    .to_string()
}

/// No node makes Services work here. The API server asks a proxy for them, as it does where it is not in the cluster's
/// network (KEP-1281), and `egress.rs` is that proxy: the webhook configurations stay as they are shipped.
fn write_egress(folder: &Path) -> PathBuf {
    let socket = folder.join("egress.sock");
    let configuration = json!({
        "apiVersion": "apiserver.k8s.io/v1beta1",
        "kind": "EgressSelectorConfiguration",
        "egressSelections": [{
            "name": "cluster",
            "connection": {"proxyProtocol": "HTTPConnect", "transport": {"uds": {"udsName": socket}}},
        }],
    });
    fs::write(folder.join("egress.yaml"), configuration.to_string()).unwrap();
    socket
}

fn etcd_flags(folder: &Path, port: u16, peer_port: u16) -> Vec<String> {
    let (client, peer) = (format!("http://127.0.0.1:{port}"), format!("http://127.0.0.1:{peer_port}"));
    flags(&[
        ("data-dir", &folder.join("etcd").display().to_string()),
        ("listen-client-urls", &client),
        ("advertise-client-urls", &client),
        ("listen-peer-urls", &peer),
        ("initial-advertise-peer-urls", &peer),
        ("initial-cluster", &format!("default={peer}")),
        ("unsafe-no-fsync", "true"),
        ("log-level", "warn"),
    ])
}

fn apiserver_flags(folder: &Path, port: u16, etcd_port: u16) -> Vec<String> {
    let file = |name: &str| folder.join(name).display().to_string();
    flags(&[
        ("etcd-servers", &format!("http://127.0.0.1:{etcd_port}")),
        ("bind-address", "127.0.0.1"),
        ("secure-port", &port.to_string()),
        ("tls-cert-file", &file("apiserver.crt")),
        ("tls-private-key-file", &file("apiserver.key")),
        ("cert-dir", &file("apiserver")),
        ("token-auth-file", &file("tokens.csv")),
        ("service-account-issuer", "https://kubernetes.default.svc"),
        ("service-account-key-file", &file("accounts.pub")),
        ("service-account-signing-key-file", &file("accounts.key")),
        ("service-cluster-ip-range", "10.0.0.0/24"),
        ("authorization-mode", "Node,RBAC"),
        ("enable-admission-plugins", "NodeRestriction"),
        ("egress-selector-config-file", &file("egress.yaml")),
        ("allow-privileged", "true"),
        ("audit-policy-file", &file("audit.yaml")),
        ("audit-log-path", &file(AUDIT_LOG)),
        ("audit-log-mode", "batch"),
    ])
}

fn manager_flags(folder: &Path) -> Vec<String> {
    let file = |name: &str| folder.join(name).display().to_string();
    flags(&[
        ("kubeconfig", &file("kubeconfig")),
        ("service-account-private-key-file", &file("accounts.key")),
        ("root-ca-file", &file("ca.crt")),
        ("use-service-account-credentials", "true"),
        ("leader-elect", "false"),
        ("secure-port", "0"),
    ])
}

fn flags(values: &[(&str, &str)]) -> Vec<String> {
    values.iter().map(|(name, value)| format!("--{name}={value}")).collect()
}
