//! What the cases of `certificates.rs` stand on: a control plane, installations in it, and podfit, as a process or the keeper
//! alone.

use std::{
    convert::Infallible,
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hyper::Method;
use kube::{
    Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use podfit::{
    certs::{Kept, Pair},
    cluster::certificates::{self, Periods, ROTATE, SECRET},
    manifest,
};
use serde_json::{Value, json};
use tokio::{net::TcpStream, runtime::Runtime, sync::watch, task::JoinHandle};

use crate::{
    Case,
    cluster::{Answer, Call, Cluster, path, wait_for},
    egress::{Backend, Egress},
    plane::{self, ControlPlane},
    process::{Process, free_ports},
    programs::Programs,
};

const MANIFESTS: &str = include_str!("../../deploy/base/podfit.yaml");
const DEADLINE: Duration = Duration::from_secs(20);

/// The control plane, and what runs in it now.
pub struct Bench {
    pub plane: ControlPlane,
    pub egress: Arc<Egress>,
    namespaces: AtomicUsize,
    keepers: Mutex<Vec<JoinHandle<Infallible>>>,
    pub runtime: Runtime,
}

impl Bench {
    pub fn start(programs: &Programs) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let runtime = Runtime::new().unwrap();
        let plane = ControlPlane::start(programs, runtime.handle());
        let egress = Egress::start(&plane.egress_socket, runtime.handle());
        Self { plane, egress, namespaces: AtomicUsize::default(), keepers: Mutex::default(), runtime }
    }

    pub fn run(&self, case: Case) {
        let _cleaner = Cleaner(self);
        case(self);
    }

    pub fn cluster(&self) -> &Cluster {
        &self.plane.cluster
    }

    /// Server-side apply of an object that names itself.
    fn apply(&self, path: &str, object: &Value) -> Answer {
        let path = format!("{path}/{}?fieldManager=suite&force=true", object["metadata"]["name"].as_str().unwrap());
        let content_type = Some("application/apply-patch+yaml");
        self.cluster().call(Call { method: Method::PATCH, path, content_type, body: Some(object), ..Call::default() })
    }

    /// A namespace with podfit's account, its rights, and both configurations, as deploy/ installs them.
    pub fn install(&self) -> Site<'_> {
        let namespace = format!("podfit-{}", self.namespaces.fetch_add(1, Ordering::Relaxed));
        let cluster = self.cluster();
        cluster.make_namespace(&namespace, &[].into());
        let token = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}});
        cluster.create(&path("serviceaccounts", &namespace), &named("v1", "ServiceAccount", "podfit")).object();
        let account = format!("{}/podfit/token", path("serviceaccounts", &namespace));
        let token = cluster.create(&account, &token).object()["status"]["token"].as_str().unwrap().to_owned();
        let site = Site { bench: self, namespace, token };
        site.grant(&site.roles());
        for resource in CONFIGURATIONS {
            site.configure(resource);
        }
        site
    }
}

/// After a failure too: two installations would fight over the configurations.
struct Cleaner<'a>(&'a Bench);

impl Drop for Cleaner<'_> {
    fn drop(&mut self) {
        for keeper in self.0.keepers.lock().unwrap().drain(..) {
            keeper.abort();
        }
        for resource in CONFIGURATIONS {
            self.0.cluster().delete(&configuration(resource));
        }
    }
}

pub const CONFIGURATIONS: [&str; 2] = ["mutatingwebhookconfigurations", "validatingwebhookconfigurations"];

pub fn configuration(resource: &str) -> String {
    format!("/apis/admissionregistration.k8s.io/v1/{resource}/podfit")
}

pub fn named(api_version: &str, kind: &str, name: &str) -> Value {
    json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}})
}

/// One installation.
pub struct Site<'a> {
    bench: &'a Bench,
    pub namespace: String,
    token: String,
}

impl Site<'_> {
    pub fn cluster(&self) -> &Cluster {
        self.bench.cluster()
    }

    /// Role and `ClusterRole`.
    pub fn roles(&self) -> [Value; 2] {
        ["Role", "ClusterRole"].map(|kind| self.shipped(kind))
    }

    /// From deploy/, for this namespace.
    fn shipped(&self, kind: &str) -> Value {
        let text = MANIFESTS.replace("podfit-system", &self.namespace);
        let objects = manifest::read(&text).into_iter().map(|document| document.unwrap().json);
        let mut objects = objects.map(|json| serde_json::from_str::<Value>(&json).unwrap());
        objects.find(|object| object["kind"] == kind).unwrap()
    }

    pub fn grant(&self, roles: &[Value; 2]) {
        let bindings = ["RoleBinding", "ClusterRoleBinding"].map(|kind| self.shipped(kind));
        for object in roles.iter().chain(&bindings) {
            let resource = format!("{}s", object["kind"].as_str().unwrap().to_lowercase());
            let within = object["metadata"]["namespace"].as_str().map(|namespace| format!("namespaces/{namespace}/"));
            let group = "/apis/rbac.authorization.k8s.io/v1";
            self.bench.apply(&format!("{group}/{}{resource}", within.unwrap_or_default()), object).object();
        }
    }

    /// For Pods in namespaces of this site alone, and closed: what podfit does not answer is refused.
    pub fn configure(&self, resource: &str) {
        let (kind, verb) =
            if resource.starts_with("mutating") { ("Mutating", "mutate") } else { ("Validating", "validate") };
        let mut object = named("admissionregistration.k8s.io/v1", &format!("{kind}WebhookConfiguration"), "podfit");
        object["webhooks"] = json!([{
            "name": format!("{verb}.podfit.dev"),
            "clientConfig": {"service": {"namespace": self.namespace, "name": "podfit", "path": format!("/{verb}")}},
            "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}],
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": self.namespace}},
            "admissionReviewVersions": ["v1"], "sideEffects": "None", "failurePolicy": "Fail", "timeoutSeconds": 5,
        }]);
        self.bench.apply(configuration(resource).trim_end_matches("/podfit"), &object).object();
    }

    pub fn secret(&self) -> Option<Value> {
        let answer = self.cluster().get(&self.secret_path());
        (answer.code == 200).then_some(answer.body)
    }

    pub fn secret_path(&self) -> String {
        format!("{}/{SECRET}", path("secrets", &self.namespace))
    }

    /// One piece of the Secret, decoded.
    pub fn piece(&self, key: &str) -> Option<String> {
        Some(decoded(self.secret()?["data"][key].as_str()?))
    }

    pub fn edit_secret(&self, patch: &Value) {
        self.cluster().patch(&self.secret_path(), patch).object();
    }

    /// Decoded, of the one webhook of each configuration that is there.
    pub fn bundles(&self) -> Vec<String> {
        let found = CONFIGURATIONS.map(|resource| self.cluster().get(&configuration(resource)));
        let found = found.into_iter().filter(|answer| answer.code == 200);
        found
            .map(|answer| decoded(answer.body["webhooks"][0]["clientConfig"]["caBundle"].as_str().unwrap_or_default()))
            .collect()
    }

    /// Waits until both configurations hold these CAs, in this order.
    pub fn wait_for_bundles(&self, cas: &[&str]) {
        wait_for("the bundles", || self.bundles().iter().all(|bundle| *bundle == cas.concat()).then_some(()));
    }

    /// As a tool does that installs again what is in a repository. What it was before.
    pub fn wipe(&self, resource: &str, bundle: &Value) -> Value {
        loop {
            let before = self.cluster().get(&configuration(resource)).object();
            let mut object = before.clone();
            object["webhooks"][0]["clientConfig"]["caBundle"] = bundle.clone();
            let answer = self.cluster().replace(&configuration(resource), &object);
            // A keeper may have been faster.
            if answer.code != 409 {
                answer.object();
                return before;
            }
        }
    }

    pub fn rotate(&self, what: &str) {
        self.edit_secret(&json!({"metadata": {"annotations": {ROTATE: what}}}));
    }

    pub fn keeper(&self) -> Keeper {
        self.keeper_with(quick())
    }

    /// The keeper in this process, as podfit's account.
    pub fn keeper_with(&self, periods: Periods) -> Keeper {
        let kubeconfig = Kubeconfig::read_from(self.kubeconfig(&self.server())).unwrap();
        let runtime = &self.bench.runtime;
        let options = KubeConfigOptions::default();
        let config = runtime.block_on(Config::from_custom_kubeconfig(kubeconfig, &options)).unwrap();
        let (keeper, kept) = watch::channel(Kept::default());
        let _guard = runtime.enter();
        let cluster = podfit::cluster::Cluster::of(config).unwrap();
        let task = runtime.spawn(certificates::keep(cluster, periods, keeper));
        self.bench.keepers.lock().unwrap().push(task);
        Keeper { kept, task: self.bench.keepers.lock().unwrap().len() - 1 }
    }

    pub fn stop(&self, keeper: &Keeper) {
        self.bench.keepers.lock().unwrap()[keeper.task].abort();
    }

    /// With all rights there are.
    pub fn of_administrator(self) -> Self {
        let token = self.administrator("users")["user"]["token"].as_str().unwrap().to_owned();
        Self { token, ..self }
    }

    pub fn server(&self) -> String {
        self.administrator("clusters")["cluster"]["server"].as_str().unwrap().to_owned()
    }

    /// The one entry of a list of the administrator's kubeconfig.
    fn administrator(&self, list: &str) -> Value {
        let text = fs::read(self.bench.plane.folder().join("kubeconfig")).unwrap();
        serde_json::from_slice::<Value>(&text).unwrap()[list][0].clone()
    }

    pub fn kubeconfig(&self, server: &str) -> PathBuf {
        let folder = self.bench.plane.folder();
        let path = folder.join(format!("{}.kubeconfig", self.namespace));
        let text = plane::kubeconfig(&folder.join("ca.crt"), server, &self.token, &self.namespace);
        fs::write(&path, text).unwrap();
        path
    }

    pub fn podfit(&self) -> Podfit {
        self.podfit_at(&self.server())
    }

    /// `podfit serve --self-managed-certs` as podfit's account.
    pub fn podfit_at(&self, server: &str) -> Podfit {
        let number = self.bench.namespaces.fetch_add(1, Ordering::Relaxed);
        let [webhook, admin] = free_ports().map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        let kubeconfig = self.kubeconfig(server).display().to_string();
        let arguments = ["serve", "--self-managed-certs", "--log-format=text"].map(ToOwned::to_owned);
        let listen = [format!("--listen={webhook}"), format!("--admin-listen={admin}")];
        let arguments = [arguments.as_slice(), listen.as_slice()].concat();
        let environment = [("KUBECONFIG", kubeconfig.as_str())];
        let folder = self.bench.plane.folder();
        let podfit = Path::new(env!("CARGO_BIN_EXE_podfit"));
        let process = Process::start(&format!("podfit-{number}"), podfit, &arguments, &environment, folder);
        Podfit { process, backend: Backend { webhook, admin } }
    }

    pub fn deployment(&self) -> String {
        format!("{}/podfit", path("deployments", &self.namespace))
    }

    pub fn make_deployment(&self) {
        let mut deployment = named("apps/v1", "Deployment", "podfit");
        deployment["spec"] = json!({"replicas": 0, "selector": {"matchLabels": {"app": "podfit"}}, "template": {
            "metadata": {"labels": {"app": "podfit"}}, "spec": {"containers": [{"name": "podfit", "image": "podfit:1"}]}}});
        self.cluster().create(&path("deployments", &self.namespace), &deployment).object();
    }

    /// What is left of the configurations after podfit has been told to end, and has.
    pub fn terminate(&self, mut podfit: Podfit) -> usize {
        podfit.process.terminate();
        let code = wait_for("the end of podfit", || podfit.process.exit_code());
        assert_eq!(code, 0, "{}", podfit.process.tail());
        self.bundles().len()
    }
}

/// A keeper in this process.
pub struct Keeper {
    pub kept: watch::Receiver<Kept>,
    task: usize,
}

impl Keeper {
    pub fn kept(&self) -> Kept {
        self.kept.borrow().clone()
    }

    /// The leaf that it serves when it is ready.
    pub fn ready(&self) -> Arc<Pair> {
        let start = Instant::now();
        loop {
            match self.kept() {
                Kept { pair: Some(pair), unready: None } => return pair,
                Kept { unready, .. } => assert!(start.elapsed() < DEADLINE, "not ready: {unready:?}"),
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    pub fn unready(&self, part: &str) {
        wait_for(part, || self.kept().unready.filter(|why| why.contains(part)));
    }
}

/// podfit as a process.
pub struct Podfit {
    pub process: Process,
    pub backend: Backend,
}

impl Podfit {
    /// What `/readyz` says, once it answers.
    pub fn readyz(&self, bench: &Bench) -> String {
        let url = format!("http://{}/readyz", self.backend.admin);
        bench.runtime.block_on(get(&url)).unwrap_or_default()
    }

    pub fn wait_until(&mut self, bench: &Bench, part: &str) {
        wait_for(part, || {
            self.process.check_alive();
            self.readyz(bench).contains(part).then_some(())
        });
    }

    pub fn wait_until_ready(&mut self, bench: &Bench) {
        self.wait_until(bench, "200 OK");
    }
}

pub async fn get(url: &str) -> std::io::Result<String> {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let (host, path) = url.trim_start_matches("http://").split_once('/').unwrap();
    let mut stream = TcpStream::connect(host).await?;
    let request = format!("GET /{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

/// Hours become seconds; lives stay as they are.
pub fn quick() -> Periods {
    Periods {
        poll: Duration::from_millis(100),
        first_pause: Duration::from_millis(10),
        longest_pause: Duration::from_millis(200),
        overlap: Duration::from_secs(1),
        retirement: Duration::from_secs(2),
        patience: Duration::from_secs(1),
        ..Periods::default()
    }
}

pub fn decoded(text: &str) -> String {
    String::from_utf8(STANDARD.decode(text).unwrap()).unwrap()
}

pub fn encoded(text: &str) -> String {
    STANDARD.encode(text)
}

impl Site<'_> {
    /// By a review of access, as `kubectl auth can-i`.
    pub fn lacks(&self, verb: &str, role: usize) -> bool {
        let (group, resource, name, namespace) = match role {
            0 => ("", "secrets", SECRET, self.namespace.as_str()),
            _ => ("admissionregistration.k8s.io", CONFIGURATIONS[0], "podfit", ""),
        };
        let review = json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": {
            "user": format!("system:serviceaccount:{}:podfit", self.namespace),
            "resourceAttributes": {"verb": verb, "group": group, "resource": resource, "name": name, "namespace": namespace},
        }});
        let answer = self.cluster().create("/apis/authorization.k8s.io/v1/subjectaccessreviews", &review).object();
        answer["status"]["allowed"] == false
    }
}
