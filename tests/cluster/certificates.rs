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
mod site;

use std::{
    net::{Ipv4Addr, SocketAddr},
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use hyper::Method;
use jiff::{SignedDuration, Timestamp};
use libtest_mimic::{Arguments, Trial};
use podfit::{
    certs::{Authority, LOCAL_HOSTS, Validity},
    cluster::certificates::{Periods, ROTATE, SECRET, TYPE},
};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};

use cluster::{Call, path, wait_for};
use process::free_ports;
use programs::Programs;
use site::{Bench, CONFIGURATIONS, Podfit, configuration, encoded, get, named, quick};

type Case = fn(&Bench);

const CASES: &[(&str, Case)] = &[
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
    ("another_installations_configurations_are_left_alone", another_installation),
    ("a_missing_right_is_named", missing_right),
    ("an_api_server_that_is_away_is_waited_for", away),
    ("a_certificate_of_the_future_is_waited_for", future),
    ("a_replaced_pod_leaves_the_configurations", replaced),
    ("an_uninstalled_deployment_takes_the_configurations_along", uninstalled),
    ("an_ending_namespace_takes_the_configurations_along", ending_namespace),
    ("the_garbage_collector_takes_what_podfit_could_not", garbage),
];

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1);
    let programs = Programs::find();
    let is_left = arguments.list || programs.is_none();
    let bench = programs.filter(|_| !is_left).map(|programs| Arc::new(Bench::start(&programs)));
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
    if is_left {
        println!("left out: certificates: there is no control plane; tests/cluster/install.sh builds one");
    }
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
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
    assert!(page.contains(&format!("podfit_certificate_not_after_seconds {until}.0\n")), "{page}");
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
        for keeper in &keepers {
            site.stop(keeper);
        }
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
            let before = site.wipe(resource, &bundle);
            site.wait_for_bundles(&[&pair.ca]);
            let after = site.cluster().get(&configuration(resource)).object();
            assert_eq!(after["webhooks"][0]["rules"], before["webhooks"][0]["rules"]);
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
    assert_eq!(site.bundles(), std::slice::from_ref(&pair.ca));
    site.configure(CONFIGURATIONS[0]);
    site.wait_for_bundles(&[&pair.ca]);
}

/// Somebody runs podfit on a laptop with the rights of an administrator.
fn another_installation(bench: &Bench) {
    let (laptop, site) = (bench.install().of_administrator(), bench.install());
    let (installed, visitor) = (site.keeper(), laptop.keeper());
    let pair = installed.ready();
    assert!(visitor.ready().ca != pair.ca);
    assert_eq!(site.bundles(), [pair.ca.clone(), pair.ca.clone()]);
    laptop.make_deployment();
    let mut podfit = laptop.podfit();
    podfit.wait_until_ready(bench);
    laptop.cluster().delete(&laptop.deployment()).object();
    assert_eq!(laptop.terminate(podfit), 2);
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
        podfit.process.log().contains("no longer so: certificates cannot be kept").then_some(())
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
    let names = [names.as_slice(), &LOCAL_HOSTS.map(ToOwned::to_owned)].concat();
    let late = ca.issue(&names, Validity { from, until: from + SignedDuration::from_hours(24) }).unwrap();
    site.edit_secret(&json!({"data": {"tls.crt": encoded(&late.certificate), "tls.key": encoded(&late.key)}}));
    let version = || site.secret().unwrap()["metadata"]["resourceVersion"].clone();
    let (before, keeper) = (version(), site.keeper());
    wait_for("a look", || keeper.kept().pair.filter(|pair| pair.certificate == late.certificate));
    // It looks again and again, as is seen from what it puts back, and writes nothing.
    for _look in 0..3 {
        site.wipe(CONFIGURATIONS[0], &Value::Null);
        site.wait_for_bundles(&[&ca.certificate]);
    }
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

/// podfit has no time to clean up; its configurations are owned by the namespace.
fn garbage(bench: &Bench) {
    let site = bench.install();
    let keeper = site.keeper();
    keeper.ready();
    site.stop(&keeper);
    site.cluster().delete(&format!("/api/v1/namespaces/{}", site.namespace)).object();
    wait_for("the end of both configurations", || site.bundles().is_empty().then_some(()));
}

fn authority() -> Authority {
    Authority::make(validity()).unwrap()
}

fn validity() -> Validity {
    Validity::starting(Timestamp::now(), SignedDuration::from_hours(24))
}
