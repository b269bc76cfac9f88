//! Self-managed certificates against a real API server, with the rights that deploy/ gives: `podfit serve` as a process
//! where a process counts, the keeper alone with shorter periods where time does. On a control plane of its own, because
//! the names are fixed and the cases break things; one case after the other.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

// Shared with the suite beside it, which uses all of them.
#[allow(dead_code)]
mod cluster;
#[allow(dead_code)]
mod egress;
#[allow(dead_code)]
mod plane;
#[allow(dead_code)]
mod process;
#[allow(dead_code)]
mod programs;

use std::{
    convert::Infallible,
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hyper::Method;
use jiff::{SignedDuration, Timestamp};
use kube::{
    Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use libtest_mimic::{Arguments, Trial};
use podfit::{
    certs::{Authority, Kept, Validity},
    cluster::certificates::{self, Periods, ROTATE, SECRET, TYPE},
};
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpStream},
    runtime::Runtime,
    sync::watch,
    task::JoinHandle,
};

use cluster::{Call, Cluster, path, wait_for};
use egress::{Backend, Egress};
use plane::{ControlPlane, free_ports};
use process::Process;
use programs::Programs;

const DEADLINE: Duration = Duration::from_secs(20);

const CASES: &[(&str, fn(&Bench))] = &[
    ("everything_is_made_and_trusted_by_the_api_server", everything_is_made),
    ("of_many_replicas_one_makes_the_ca", one_makes_the_ca),
    ("a_leaf_is_rotated_by_annotation", leaf_by_annotation),
    ("a_ca_is_rotated_with_overlap", ca_with_overlap),
    ("a_ca_rotation_outlives_its_replica", rotation_outlives_its_replica),
    ("a_deleted_secret_is_written_back", deleted_secret),
    ("a_deleted_secret_that_nobody_remembers_is_made_anew", forgotten_secret),
    ("a_broken_secret_keeps_what_is_good", broken_secret),
    ("a_foreign_secret_is_never_touched", foreign_secret),
    ("a_wiped_bundle_is_put_back", wiped_bundle),
    ("one_configuration_may_be_absent", one_configuration),
    ("a_missing_right_is_named", missing_right),
    ("an_api_server_that_is_away_is_waited_for", away),
    ("a_certificate_of_the_future_is_waited_for", future),
    ("a_replaced_pod_leaves_the_configurations", replaced),
    ("an_uninstalled_deployment_takes_the_configurations_along", uninstalled),
    ("an_ending_namespace_takes_the_configurations_along", ending_namespace),
];

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1);
    let programs = Programs::find();
    let is_left = arguments.list || programs.is_none();
    let bench = programs.filter(|_| !is_left).map(|programs| Arc::new(Bench::start(&programs)));
    let trials = CASES.iter().map(|&(name, case)| {
        let bench = bench.clone();
        Trial::test(name, move || Ok(bench.iter().for_each(|bench| bench.run(case)))).with_ignored_flag(is_left)
    });
    if is_left {
        println!("left out: there is no control plane; tests/cluster/install.sh builds one");
    }
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

/// The control plane, and what runs in it now.
struct Bench {
    plane: ControlPlane,
    egress: Arc<Egress>,
    namespaces: AtomicUsize,
    keepers: Mutex<Vec<JoinHandle<Infallible>>>,
    runtime: Runtime,
}

impl Bench {
    fn start(programs: &Programs) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let runtime = Runtime::new().unwrap();
        let plane = ControlPlane::start(programs, runtime.handle());
        let egress = Egress::start(&plane.egress_socket, runtime.handle());
        Self { plane, egress, namespaces: AtomicUsize::default(), keepers: Mutex::default(), runtime }
    }

    fn run(&self, case: fn(&Self)) {
        let _cleaner = Cleaner(self);
        case(self);
    }

    fn cluster(&self) -> &Cluster {
        &self.plane.cluster
    }

    /// A namespace with podfit's account, its rights, and both configurations, as deploy/ installs them.
    fn install(&self) -> Site<'_> {
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

const CONFIGURATIONS: [&str; 2] = ["mutatingwebhookconfigurations", "validatingwebhookconfigurations"];

fn configuration(resource: &str) -> String {
    format!("/apis/admissionregistration.k8s.io/v1/{resource}/podfit")
}

fn named(api_version: &str, kind: &str, name: &str) -> Value {
    json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}})
}

/// One installation.
struct Site<'a> {
    bench: &'a Bench,
    namespace: String,
    token: String,
}

impl Site<'_> {
    fn cluster(&self) -> &Cluster {
        self.bench.cluster()
    }

    /// Role and ClusterRole, word for word those of deploy/.
    fn roles(&self) -> [Value; 2] {
        let namespace = &self.namespace;
        let mut role = named("rbac.authorization.k8s.io/v1", "Role", "podfit");
        role["rules"] = json!([
            {"apiGroups": [""], "resources": ["secrets"], "resourceNames": [SECRET],
                "verbs": ["get", "create", "patch", "update"]},
            {"apiGroups": ["apps"], "resources": ["deployments"], "resourceNames": ["podfit"], "verbs": ["get"]},
        ]);
        let mut cluster_role = named("rbac.authorization.k8s.io/v1", "ClusterRole", "podfit");
        cluster_role["rules"] = json!([
            {"apiGroups": ["admissionregistration.k8s.io"], "resources": CONFIGURATIONS, "resourceNames": ["podfit"],
                "verbs": ["get", "patch", "delete"]},
            {"apiGroups": [""], "resources": ["namespaces"], "resourceNames": [namespace], "verbs": ["get"]},
        ]);
        [role, cluster_role]
    }

    fn grant(&self, roles: &[Value; 2]) {
        let group = "/apis/rbac.authorization.k8s.io/v1";
        let within = format!("{group}/namespaces/{}", self.namespace);
        for (at, role) in [within.as_str(), group].into_iter().zip(roles) {
            let kind = role["kind"].as_str().unwrap();
            self.cluster().apply(&format!("{at}/{}s", kind.to_lowercase()), role).object();
            let mut binding = named("rbac.authorization.k8s.io/v1", &format!("{kind}Binding"), "podfit");
            binding["roleRef"] = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": "podfit"});
            binding["subjects"] = json!([{"kind": "ServiceAccount", "name": "podfit", "namespace": self.namespace}]);
            self.cluster().apply(&format!("{at}/{}bindings", kind.to_lowercase()), &binding).object();
        }
    }

    /// For Pods in namespaces of this site alone, and closed: what podfit does not answer is refused.
    fn configure(&self, resource: &str) {
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
        self.cluster().apply(configuration(resource).trim_end_matches("/podfit"), &object).object();
    }

    fn secret(&self) -> Option<Value> {
        let answer = self.cluster().get(&self.secret_path());
        (answer.code == 200).then_some(answer.body)
    }

    fn secret_path(&self) -> String {
        format!("{}/{SECRET}", path("secrets", &self.namespace))
    }

    /// One piece of the Secret, decoded.
    fn piece(&self, key: &str) -> Option<String> {
        Some(decoded(self.secret()?["data"][key].as_str()?))
    }

    fn edit_secret(&self, patch: &Value) {
        self.cluster().patch(&self.secret_path(), patch).object();
    }

    /// Decoded, of the one webhook of each configuration that is there.
    fn bundles(&self) -> Vec<String> {
        let found = CONFIGURATIONS.map(|resource| self.cluster().get(&configuration(resource)));
        let found = found.into_iter().filter(|answer| answer.code == 200);
        found
            .map(|answer| decoded(answer.body["webhooks"][0]["clientConfig"]["caBundle"].as_str().unwrap_or_default()))
            .collect()
    }

    /// Waits until both configurations hold these CAs, in this order.
    fn wait_for_bundles(&self, cas: &[&str]) {
        wait_for("the bundles", || self.bundles().iter().all(|bundle| *bundle == cas.concat()).then_some(()));
    }

    fn rotate(&self, what: &str) {
        self.edit_secret(&json!({"metadata": {"annotations": {ROTATE: what}}}));
    }

    fn keeper(&self) -> Keeper {
        self.keeper_with(quick())
    }

    /// The keeper in this process, as podfit's account.
    fn keeper_with(&self, periods: Periods) -> Keeper {
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

    fn stop(&self, keeper: &Keeper) {
        self.bench.keepers.lock().unwrap()[keeper.task].abort();
    }

    fn server(&self) -> String {
        let text = fs::read(self.bench.plane.folder().join("kubeconfig")).unwrap();
        let kubeconfig: Value = serde_json::from_slice(&text).unwrap();
        kubeconfig["clusters"][0]["cluster"]["server"].as_str().unwrap().to_owned()
    }

    fn kubeconfig(&self, server: &str) -> PathBuf {
        let folder = self.bench.plane.folder();
        let path = folder.join(format!("{}.kubeconfig", self.namespace));
        let text = plane::kubeconfig(&folder.join("ca.crt"), server, &self.token, &self.namespace);
        fs::write(&path, text).unwrap();
        path
    }

    fn podfit(&self) -> Podfit {
        self.podfit_at(&self.server())
    }

    /// `podfit serve --self-managed-certs` as podfit's account.
    fn podfit_at(&self, server: &str) -> Podfit {
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

    fn deployment(&self) -> String {
        format!("{}/podfit", path("deployments", &self.namespace))
    }

    fn make_deployment(&self) {
        let mut deployment = named("apps/v1", "Deployment", "podfit");
        deployment["spec"] = json!({"replicas": 0, "selector": {"matchLabels": {"app": "podfit"}}, "template": {
            "metadata": {"labels": {"app": "podfit"}}, "spec": {"containers": [{"name": "podfit", "image": "podfit:1"}]}}});
        self.cluster().create(&path("deployments", &self.namespace), &deployment).object();
    }

    /// What is left of the configurations after podfit has been told to end, and has.
    fn terminate(&self, mut podfit: Podfit) -> usize {
        podfit.process.terminate();
        let code = wait_for("the end of podfit", || podfit.process.exit_code());
        assert_eq!(code, 0, "{}", podfit.process.tail());
        self.bundles().len()
    }
}

/// A keeper in this process.
struct Keeper {
    kept: watch::Receiver<Kept>,
    task: usize,
}

impl Keeper {
    fn kept(&self) -> Kept {
        self.kept.borrow().clone()
    }

    /// The leaf that it serves when it is ready.
    fn ready(&self) -> Arc<podfit::certs::Pair> {
        let start = Instant::now();
        loop {
            match self.kept() {
                Kept { pair: Some(pair), unready: None } => return pair,
                Kept { unready, .. } => assert!(start.elapsed() < DEADLINE, "not ready: {unready:?}"),
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    fn unready(&self, part: &str) {
        wait_for(part, || self.kept().unready.filter(|why| why.contains(part)));
    }
}

/// podfit as a process.
struct Podfit {
    process: Process,
    backend: Backend,
}

impl Podfit {
    /// What `/readyz` says, once it answers.
    fn readyz(&self, bench: &Bench) -> String {
        let url = format!("http://{}/readyz", self.backend.admin);
        bench.runtime.block_on(get(&url)).unwrap_or_default()
    }

    fn wait_until(&mut self, bench: &Bench, part: &str) {
        wait_for(part, || {
            self.process.check_alive();
            self.readyz(bench).contains(part).then_some(())
        });
    }

    fn wait_until_ready(&mut self, bench: &Bench) {
        self.wait_until(bench, "200 OK");
    }
}

async fn get(url: &str) -> std::io::Result<String> {
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
fn quick() -> Periods {
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

fn decoded(text: &str) -> String {
    String::from_utf8(STANDARD.decode(text).unwrap()).unwrap()
}

fn encoded(text: &str) -> String {
    STANDARD.encode(text)
}

fn everything_is_made(bench: &Bench) {
    let site = bench.install();
    let mut podfit = site.podfit();
    podfit.wait_until_ready(bench);
    let secret = site.secret().unwrap();
    let keys: Vec<_> = secret["data"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!((secret["type"].as_str(), keys), (Some(TYPE), vec!["ca.crt", "ca.key", "tls.crt", "tls.key"]));
    let ca = site.piece("ca.crt").unwrap();
    assert_eq!(site.bundles(), [ca.clone(), ca]);
    let namespace = site.cluster().get(&format!("/api/v1/namespaces/{}", site.namespace)).object();
    let owner =
        json!([{"apiVersion": "v1", "kind": "Namespace", "name": site.namespace, "uid": namespace["metadata"]["uid"]}]);
    for resource in CONFIGURATIONS {
        assert_eq!(site.cluster().get(&configuration(resource)).object()["metadata"]["ownerReferences"], owner);
    }
    // The API server calls it by the Service's name, and believes it.
    let mut service = named("v1", "Service", "podfit");
    service["spec"] = json!({"ports": [{"port": 443, "targetPort": 8443}]});
    site.cluster().create(&path("services", &site.namespace), &service).object();
    bench.egress.set(&[podfit.backend]);
    let mut pod = named("v1", "Pod", "app");
    pod["spec"] = json!({"containers": [{"name": "app", "image": "app"}]});
    wait_for("a denial", || {
        let answer = site.cluster().create(&path("pods", &site.namespace), &pod);
        answer.message().contains("denied the request").then_some(())
    });
    let page = bench.runtime.block_on(get(&format!("http://{}/metrics", podfit.backend.admin))).unwrap();
    let until = Validity::of_pem(&site.piece("tls.crt").unwrap()).unwrap().until.as_second();
    let gauge = page.lines().find_map(|line| line.strip_prefix("podfit_certificate_not_after_seconds ")).unwrap();
    assert_eq!(gauge.parse::<f64>().unwrap(), until as f64);
}

fn one_makes_the_ca(bench: &Bench) {
    for _round in 0..5 {
        let site = bench.install();
        let keepers: Vec<_> = (0..6).map(|_| site.keeper()).collect();
        let first = keepers[0].ready();
        for keeper in &keepers {
            assert_eq!(keeper.ready(), first);
        }
        site.wait_for_bundles(&[&first.ca]);
        keepers.iter().for_each(|keeper| site.stop(keeper));
    }
}

fn leaf_by_annotation(bench: &Bench) {
    let site = bench.install();
    let keepers = [site.keeper(), site.keeper()];
    let old = keepers[0].ready();
    site.rotate("leaf");
    for keeper in &keepers {
        let new = wait_for("another leaf", || keeper.kept().pair.filter(|pair| pair.certificate != old.certificate));
        assert_eq!((&new.ca, keeper.kept().unready), (&old.ca, None));
    }
    assert_eq!(site.secret().unwrap()["metadata"]["annotations"][ROTATE], Value::Null);
}

/// At no moment is a leaf served whose CA is not in both bundles.
fn ca_with_overlap(bench: &Bench) {
    let site = bench.install();
    let keepers = [site.keeper(), site.keeper()];
    let old = keepers[0].ready();
    site.rotate("ca");
    let started = Instant::now();
    let new = wait_for("a leaf of the next CA", || {
        for keeper in &keepers {
            let pair = keeper.ready();
            assert!(site.bundles().iter().all(|bundle| bundle.contains(&pair.ca)));
        }
        keepers[1].kept().pair.filter(|pair| pair.ca != old.ca)
    });
    assert!(started.elapsed() >= quick().overlap);
    assert_eq!(site.piece("previous-ca.crt").unwrap(), old.ca);
    site.wait_for_bundles(&[&old.ca, &new.ca]);
    site.wait_for_bundles(&[&new.ca]);
    assert!(started.elapsed() >= quick().overlap + quick().retirement);
    let keys: Vec<_> = site.secret().unwrap()["data"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys, ["ca.crt", "ca.key", "tls.crt", "tls.key"]);
    assert_eq!(keepers[0].ready().ca, new.ca);
}

fn rotation_outlives_its_replica(bench: &Bench) {
    let site = bench.install();
    let patient = site.keeper_with(Periods { overlap: Duration::from_hours(1), ..quick() });
    let old = patient.ready();
    site.rotate("ca");
    let next = wait_for("the next CA", || site.piece("next-ca.crt"));
    site.wait_for_bundles(&[&old.ca, &next]);
    site.stop(&patient);
    let other = site.keeper();
    assert_eq!(wait_for("its leaf", || other.kept().pair.filter(|pair| pair.ca == next)).ca, next);
    site.wait_for_bundles(&[&next]);
}

fn deleted_secret(bench: &Bench) {
    let site = bench.install();
    let keeper = site.keeper();
    let pair = keeper.ready();
    let data = site.secret().unwrap()["data"].clone();
    site.cluster().delete(&site.secret_path()).object();
    wait_for("the Secret", || site.secret().filter(|secret| secret["data"] == data));
    assert_eq!((keeper.ready(), site.secret().unwrap()["type"].as_str()), (pair, Some(TYPE)));
}

fn forgotten_secret(bench: &Bench) {
    let site = bench.install();
    let keeper = site.keeper();
    let old = keeper.ready();
    site.stop(&keeper);
    site.cluster().delete(&site.secret_path()).object();
    let (started, keeper) = (Instant::now(), site.keeper());
    keeper.unready("another replica may still write back");
    let new = keeper.ready();
    assert!(started.elapsed() >= quick().patience && new.ca != old.ca);
    site.wait_for_bundles(&[&new.ca]);
}

fn broken_secret(bench: &Bench) {
    let (other, third) = (authority(), authority());
    let other_pair = other.issue(&["localhost"], validity()).unwrap();
    for (name, data, is_ca_kept) in [
        ("key of another", json!({"tls.key": encoded(&other_pair.key)}), true),
        (
            "pair of another CA",
            json!({"tls.key": encoded(&other_pair.key), "tls.crt": encoded(&other_pair.certificate)}),
            true,
        ),
        ("half a certificate", json!({"tls.crt": encoded("-----BEGIN CERTIFICATE-----\nMII")}), true),
        ("no pair", json!({"tls.crt": null, "tls.key": null}), true),
        ("no key of the CA", json!({"ca.key": null}), false),
        ("key of another CA", json!({"ca.key": encoded(&third.key)}), false),
        ("no CA", json!({"ca.crt": encoded("garbage")}), false),
    ] {
        let site = bench.install();
        let keeper = site.keeper();
        let old = keeper.ready();
        site.stop(&keeper);
        site.edit_secret(&json!({"data": data}));
        let keeper = site.keeper();
        let new = wait_for(name, || keeper.kept().pair.filter(|pair| pair.certificate != old.certificate));
        assert_eq!(new.ca == old.ca, is_ca_kept, "{name}");
        keeper.ready();
        site.wait_for_bundles(&[&new.ca]);
        site.stop(&keeper);
    }
}

fn foreign_secret(bench: &Bench) {
    let site = bench.install();
    let mut foreign = named("v1", "Secret", SECRET);
    foreign["type"] = json!("kubernetes.io/tls");
    foreign["data"] = json!({"tls.crt": encoded("theirs"), "tls.key": encoded("theirs")});
    site.cluster().create(&path("secrets", &site.namespace), &foreign).object();
    let version = || site.secret().unwrap()["metadata"]["resourceVersion"].clone();
    let before = version();
    let mut podfit = site.podfit();
    podfit.wait_until(bench, "is of type kubernetes.io/tls, so it is somebody else's and stays as it is");
    let keeper = site.keeper();
    keeper.unready("is of type kubernetes.io/tls");
    assert_eq!((version(), site.bundles()), (before, vec![String::new(), String::new()]));
    site.cluster().delete(&site.secret_path()).object();
    keeper.ready();
    podfit.wait_until_ready(bench);
}

fn wiped_bundle(bench: &Bench) {
    let site = bench.install();
    let keeper = site.keeper();
    let pair = keeper.ready();
    for resource in CONFIGURATIONS {
        for bundle in [Value::Null, json!(encoded(&authority().certificate))] {
            let before = site.cluster().get(&configuration(resource)).object();
            let mut object = before.clone();
            object["webhooks"][0]["clientConfig"]["caBundle"] = bundle;
            object["webhooks"][0]["timeoutSeconds"] = json!(7);
            site.cluster().replace(&configuration(resource), &object).object();
            site.wait_for_bundles(&[&pair.ca]);
            let after = site.cluster().get(&configuration(resource)).object();
            assert_eq!(after["webhooks"][0]["timeoutSeconds"], 7);
            assert_eq!(after["metadata"]["ownerReferences"], before["metadata"]["ownerReferences"]);
        }
    }
    assert_eq!(keeper.kept().unready, None);
}

fn one_configuration(bench: &Bench) {
    let site = bench.install();
    site.cluster().delete(&configuration(CONFIGURATIONS[0])).object();
    let keeper = site.keeper();
    let pair = keeper.ready();
    assert_eq!(site.bundles(), [pair.ca.clone()]);
    site.configure(CONFIGURATIONS[0]);
    site.wait_for_bundles(&[&pair.ca]);
}

fn missing_right(bench: &Bench) {
    for (rule, verb, message) in [
        ((0, 0), "get", "not allowed to get secrets/podfit-certificates in namespace "),
        ((0, 0), "create", "not allowed to create secrets/podfit-certificates in namespace "),
        ((0, 0), "update", "not allowed to update secrets/podfit-certificates in namespace "),
        ((1, 0), "get", "not allowed to get mutatingwebhookconfigurations/podfit"),
        ((1, 0), "patch", "not allowed to patch mutatingwebhookconfigurations/podfit"),
    ] {
        let site = bench.install();
        let mut roles = site.roles();
        let verbs = &mut roles[rule.0]["rules"][rule.1]["verbs"];
        verbs.as_array_mut().unwrap().retain(|other| other != verb);
        site.grant(&roles);
        // Rights reach the authorizer by a watch.
        wait_for("fewer rights", || site.lacks(verb, rule.0).then_some(()));
        let keeper = site.keeper();
        keeper.unready(message);
        site.grant(&site.roles());
        keeper.ready();
        site.stop(&keeper);
    }
}

impl Site<'_> {
    /// By a review of access, as `kubectl auth can-i`.
    fn lacks(&self, verb: &str, role: usize) -> bool {
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

/// The API server behind a forwarder that can be closed.
fn away(bench: &Bench) {
    let site = bench.install();
    let [port] = free_ports();
    let relay = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut podfit = site.podfit_at(&format!("https://{relay}"));
    podfit.wait_until(bench, "API server not reached to get secrets/podfit-certificates");

    let server: SocketAddr = site.server().trim_start_matches("https://").parse().unwrap();
    let forwarder = bench.runtime.spawn(forward(relay, server));
    podfit.wait_until_ready(bench);
    let failures = |podfit: &Podfit| podfit.process.log().matches("API server not reached").count();
    let before = failures(&podfit);
    forwarder.abort();
    wait_for("a failed look", || (failures(&podfit) > before).then_some(()));
    assert!(podfit.readyz(bench).contains("200 OK"), "it serves what it has");
    let forwarder = bench.runtime.spawn(forward(relay, server));
    wait_for("the end of the trouble", || {
        podfit.process.log().contains("no longer: certificates cannot be kept").then_some(())
    });
    forwarder.abort();
}

/// Aborted, it closes its port and all it forwards.
async fn forward(from: SocketAddr, to: SocketAddr) {
    let listener = TcpListener::bind(from).await.unwrap();
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((mut client, _)) = listener.accept().await {
        connections.spawn(async move {
            if let Ok(mut server) = TcpStream::connect(to).await {
                let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            }
        });
    }
}

fn future(bench: &Bench) {
    let site = bench.install();
    let keeper = site.keeper();
    keeper.ready();
    site.stop(&keeper);
    let ca = Authority { certificate: site.piece("ca.crt").unwrap(), key: site.piece("ca.key").unwrap() };
    let from = Timestamp::now() + SignedDuration::from_hours(2);
    let names = ["", ".svc", ".svc.cluster.local"].map(|suffix| format!("podfit.{}{suffix}", site.namespace));
    let names = [names.as_slice(), &podfit::certs::LOCAL_HOSTS.map(ToOwned::to_owned)].concat();
    let late = ca.issue(&names, Validity { from, until: from + SignedDuration::from_hours(24) }).unwrap();
    site.edit_secret(&json!({"data": {"tls.crt": encoded(&late.certificate), "tls.key": encoded(&late.key)}}));
    let version = || site.secret().unwrap()["metadata"]["resourceVersion"].clone();
    let (before, keeper) = (version(), site.keeper());
    let looks = || wait_for("a look", || keeper.kept().pair.filter(|pair| pair.certificate == late.certificate));
    looks();
    thread::sleep(quick().poll * 5);
    assert_eq!(version(), before);
    site.rotate("leaf");
    wait_for("a leaf of now", || keeper.kept().pair.filter(|pair| pair.certificate != late.certificate));
}

fn replaced(bench: &Bench) {
    let site = bench.install();
    site.make_deployment();
    let mut podfit = site.podfit();
    podfit.wait_until_ready(bench);
    assert_eq!(site.terminate(podfit), 2);
    // Without a Deployment of that name none can be gone: a laptop, or names of one's own.
    site.cluster().delete(&site.deployment()).object();
    let mut podfit = site.podfit();
    podfit.wait_until_ready(bench);
    assert_eq!(site.terminate(podfit), 2);
}

fn uninstalled(bench: &Bench) {
    let site = bench.install();
    site.make_deployment();
    let mut podfit = site.podfit();
    podfit.wait_until_ready(bench);
    site.cluster().delete(&site.deployment()).object();
    assert_eq!(site.terminate(podfit), 0);
}

/// A Pod that ends keeps the namespace from being gone; here a finalizer does.
fn ending_namespace(bench: &Bench) {
    let site = bench.install();
    let mut podfit = site.podfit();
    podfit.wait_until_ready(bench);
    let mut held = named("v1", "ConfigMap", "held");
    held["metadata"]["finalizers"] = json!(["podfit.dev/test"]);
    site.cluster().create(&path("configmaps", &site.namespace), &held).object();
    site.cluster().delete(&format!("/api/v1/namespaces/{}", site.namespace)).object();
    assert_eq!(site.terminate(podfit), 0);
    let release = json!({"metadata": {"finalizers": null}});
    let held = format!("{}/held", path("configmaps", &site.namespace));
    site.cluster().call(Call {
        method: Method::PATCH,
        path: held,
        content_type: Some("application/merge-patch+json"),
        body: Some(&release),
        ..Call::default()
    });
}

fn authority() -> Authority {
    Authority::make(validity()).unwrap()
}

fn validity() -> Validity {
    Validity::starting(Timestamp::now(), SignedDuration::from_hours(24))
}
