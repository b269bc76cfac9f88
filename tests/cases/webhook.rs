//! The cases through the webhook, as the API server sends them: `/mutate` with the object, `/validate` with what the patch
//! made of it. In process with the whole expectation, and over TLS, where the same bytes must come back.

use std::{net::Ipv4Addr, sync::Arc, time::Duration};

use axum::body::Body;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http_body_util::BodyExt as _;
use hyper::{Request, client::conn::http1, header::HOST};
use hyper_util::rt::TokioIo;
use podfit::{
    admission::{self, Phase, Settings},
    certs::{LOCAL_HOSTS, Pair, make_pair},
    policy::{PolicySet, Rulebook},
    server::{self, Bounds, CertificateFrom, Listeners, log::LostLines},
};
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinHandle,
};

use crate::{
    Differences, by_ground,
    case::{self, Case, Ground},
    view,
};

#[test]
fn webhook_in_process() {
    let cases = case::all();
    let mut differences = Differences::default();
    for (ground, cases) in by_ground(&cases) {
        let policies = ground.policies();
        for case in cases {
            let mut warnings: Vec<String> = Vec::new();
            let (first, patched) = mutate(case, &policies, &mut differences);
            let (second, answer) = ask(case, Phase::Validate, &patched, &policies);
            for warning in [&first, &answer["response"]].into_iter().flat_map(|response| texts(&response["warnings"])) {
                if !warnings.contains(&warning) {
                    warnings.push(warning);
                }
            }
            differences.compare(case, "warnings", &warnings, &case.expected.warnings);
            check_denial(case, &answer["response"], &mut differences);
            if let Some([_, decision]) = &case.expected.decisions {
                differences.compare(case, "decision of validate", &second, decision);
            }
        }
    }
    differences.check();
}

/// The response, and the object after it.
fn mutate(case: &Case, policies: &PolicySet, differences: &mut Differences) -> (Value, Value) {
    let (decision, answer) = ask(case, Phase::Mutate, &case.object, policies);
    if let Some([expected, _]) = &case.expected.decisions {
        differences.compare(case, "decision of mutate", &decision, expected);
    }
    let response = &answer["response"];
    differences.compare(case, "mutate allows", &response["allowed"], &true);
    let patch: Vec<Value> = response["patch"]
        .as_str()
        .map_or_else(Vec::new, |patch| serde_json::from_slice(&STANDARD.decode(patch).unwrap()).unwrap());
    let patch_type = if patch.is_empty() { Value::Null } else { json!("JSONPatch") };
    differences.compare(case, "patchType", &response["patchType"], &patch_type);
    if case.expected.mutates {
        differences.compare_patch(case, "patch of mutate", &patch);
    } else {
        differences.compare(case, "patch of mutate", &patch, &Vec::<Value>::new());
    }
    let patched = view::applied(&case.object, &patch);
    if !patch.is_empty() {
        let (_, again) = ask(case, Phase::Mutate, &patched, policies);
        differences.compare(case, "patch of a second mutate", &again["response"]["patch"], &Value::Null);
    }
    (response.clone(), patched)
}

fn check_denial(case: &Case, response: &Value, differences: &mut Differences) {
    let status = &response["status"];
    differences.compare(case, "denial", &status["message"].as_str(), &case.expected.denial.as_deref());
    differences.compare(case, "allowed", &response["allowed"], &case.expected.denial.is_none());
    if case.expected.denial.is_some() {
        differences.compare(case, "code", &status["code"], &403);
        differences.compare(case, "reason", &status["reason"], &"Forbidden");
    }
    if let Some(audit) = &case.expected.audit {
        differences.compare(case, "audit annotations", &response["auditAnnotations"], audit);
    }
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().map(|text| text.as_str().unwrap().to_owned()).collect()
}

fn ask(case: &Case, phase: Phase, object: &Value, policies: &PolicySet) -> (String, Value) {
    let answer = answer(case, phase, object, policies);
    assert_eq!(answer.status, 200, "{}: {}", case.name, String::from_utf8_lossy(&answer.body));
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(body["response"]["uid"], "705ab4f5-6393-11e8-b7cc-42010a800002", "{}", case.name);
    (answer.record.decision.as_str().to_owned(), body)
}

fn answer(case: &Case, phase: Phase, object: &Value, policies: &PolicySet) -> admission::Answer {
    let rulebook = match &case.ground.labels {
        Some(labels) => {
            let namespace = (case.ground.namespace.clone(), labels.clone());
            Rulebook::awaited(policies.clone()).with_namespaces([namespace])
        }
        None => Rulebook::unwatched(policies.clone()),
    };
    let settings = Settings { rulebook: &rulebook, today: case.ground.today() };
    admission::answer(phase, body(case, object).as_bytes(), &settings)
}

/// In the order in which kube-apiserver writes it.
fn body(case: &Case, object: &Value) -> String {
    let (group, version) = case.api_version().split_once('/').unwrap_or(("", case.api_version()));
    let kind = json!({"group": group, "version": version, "kind": object["kind"]});
    let resource = format!("{}s", object["kind"].as_str().unwrap().to_lowercase());
    let resource = json!({"group": group, "version": version, "resource": resource});
    let request = &case.request;
    let mut review = json!({
        "uid": "705ab4f5-6393-11e8-b7cc-42010a800002", "kind": kind, "resource": resource, "subResource": request.sub_resource,
        "requestKind": kind, "requestResource": resource, "requestSubResource": request.sub_resource,
        "name": object["metadata"]["name"], "namespace": case.ground.namespace, "operation": request.operation,
        "userInfo": {"username": request.user, "groups": request.groups}, "object": object,
        "oldObject": request.old_object, "dryRun": request.dry_run,
        "options": {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1"},
    });
    // `object` is null where there is none; these are left out.
    for key in ["subResource", "requestSubResource", "name"] {
        if review[key].is_null() {
            review.as_object_mut().unwrap().shift_remove(key);
        }
    }
    json!({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": review}).to_string()
}

/// A server per ground, one connection for all its cases. The real server knows no namespace's labels and has its own clock.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn webhook_over_tls() {
    let cases = case::all();
    let mut differences = Differences::default();
    let pair = make_pair(&LOCAL_HOSTS, 2).unwrap();
    for (ground, cases) in by_ground(&cases) {
        if ground.labels.is_some() || ground.today.is_some() {
            continue;
        }
        let policies = ground.policies();
        if policies.needs_namespace_labels() {
            continue;
        }
        let mut server = Server::start(ground, &pair).await;
        for case in cases {
            for phase in [Phase::Mutate, Phase::Validate] {
                let expected = answer(case, phase, &case.object, &policies);
                let (status, body) = server.post(phase, body(case, &case.object)).await;
                differences.compare(case, "HTTP status", &status, &expected.status);
                let expected = String::from_utf8(expected.body).unwrap();
                differences.compare(case, "body over TLS", &body, &expected);
            }
        }
        server.stop().await;
    }
    differences.check();
}

struct Server {
    sender: http1::SendRequest<Body>,
    stop: oneshot::Sender<Duration>,
    done: JoinHandle<Result<(), server::StartError>>,
    _folder: TempDir,
}

impl Server {
    async fn start(ground: &Ground, pair: &Pair) -> Self {
        let folder = TempDir::new().unwrap();
        let file = |name| folder.path().join(name);
        std::fs::write(file("tls.crt"), &pair.certificate).unwrap();
        std::fs::write(file("tls.key"), &pair.key).unwrap();
        std::fs::create_dir(file("policies")).unwrap();
        let folder_of_policies = ground.write(&file("policies")).then(|| file("policies"));
        let settings = server::Settings {
            policies: server::Policies::load(folder_of_policies, server::FromCluster::Nothing).unwrap(),
            certificate: CertificateFrom::Files { certificate: file("tls.crt"), key: file("tls.key") },
            client_ca: None,
            bounds: Bounds::default(),
        };
        let any = (Ipv4Addr::LOCALHOST, 0);
        let listeners =
            Listeners { webhook: TcpListener::bind(any).await.unwrap(), admin: TcpListener::bind(any).await.unwrap() };
        let address = listeners.webhook.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let shutdown = async { stopped.await.unwrap_or_default() };
        let done = tokio::spawn(server::run(settings, listeners, LostLines::default(), shutdown));
        Self { sender: connect(address, pair).await, stop, done, _folder: folder }
    }

    async fn post(&mut self, phase: Phase, body: String) -> (u16, String) {
        let path = format!("/{}?timeout=10s", phase.as_str());
        let request = Request::post(path).header(HOST, "localhost").body(Body::from(body)).unwrap();
        self.sender.ready().await.unwrap();
        let answer = self.sender.send_request(request).await.unwrap();
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    async fn stop(self) {
        drop(self.sender);
        self.stop.send(Duration::ZERO).unwrap();
        self.done.await.unwrap().unwrap();
    }
}

async fn connect(address: std::net::SocketAddr, pair: &Pair) -> http1::SendRequest<Body> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(pair.ca.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(roots).with_no_client_auth();
    let stream = TcpStream::connect(address).await.unwrap();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let stream = connector.connect(ServerName::try_from("localhost").unwrap(), stream).await.unwrap();
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}
