//! The server over real sockets: protocols, bounds, reloads, drain. Nothing sleeps: a test waits for what it asserts, and
//! time-outs are shortened where one is to pass.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::{
    fs,
    io::{self, Write as _},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::body::{Body, Bytes};
use http_body_util::BodyExt;
use hyper::{
    HeaderMap, Method, Request, StatusCode,
    client::conn::{http1, http2},
    header::{CONTENT_TYPE, HOST, RETRY_AFTER},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use podfit::{
    admission::Operation,
    certs::{Kept, LOCAL_HOSTS, Pair, make_pair},
    server::{self, Bounds, CertificateFrom, FromCluster, Listeners, Policies, Settings, StartError, log::LostLines},
};
use rustls::{
    ClientConfig, ProtocolVersion, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{oneshot, watch},
    task::JoinHandle,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

const REVIEW: &str = r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"705ab4f5","kind":{"group":"","version":"v1","kind":"Pod"},"resource":{"group":"","version":"v1","resource":"pods"},"name":"web-0","namespace":"default","operation":"DELETE","userInfo":{"username":"ann"},"object":null,"oldObject":null}}"#;

const POLICY: &str =
    "apiVersion: podfit.dev/v1alpha1\nkind: SizingPolicy\nmetadata: {name: team}\nspec: {imageTag: {}}\n";

type Connection = TlsStream<TcpStream>;

struct Server {
    webhook: SocketAddr,
    admin: SocketAddr,
    folder: TempDir,
    pair: Pair,
    stop: oneshot::Sender<Duration>,
    done: JoinHandle<Result<(), StartError>>,
}

impl Server {
    async fn start(bounds: Bounds) -> Self {
        Self::with(bounds, |_| {}).await
    }

    /// With the certificate at `tls.crt` and `tls.key` in its folder, and changed settings.
    async fn with(bounds: Bounds, change: impl FnOnce(&mut Settings)) -> Self {
        let folder = TempDir::new().unwrap();
        let pair = make_pair(&LOCAL_HOSTS, 2).unwrap();
        write_pair(folder.path(), &pair);
        Self::of(folder, pair, bounds, change).await.up().await
    }

    /// Once it answers it has read its files, and a test may change them.
    async fn up(self) -> Self {
        assert_eq!(self.admin("/livez").await.status, StatusCode::OK);
        self
    }

    async fn of(folder: TempDir, pair: Pair, bounds: Bounds, change: impl FnOnce(&mut Settings)) -> Self {
        let file = |name| folder.path().join(name);
        let certificate = CertificateFrom::Files { certificate: file("tls.crt"), key: file("tls.key") };
        let policies = Policies::load(None, FromCluster::Nothing).unwrap();
        let mut settings = Settings { policies, certificate, client_ca: None, bounds };
        change(&mut settings);
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let listeners =
            Listeners { webhook: TcpListener::bind(any).await.unwrap(), admin: TcpListener::bind(any).await.unwrap() };
        let (webhook, admin) = (listeners.webhook.local_addr().unwrap(), listeners.admin.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel();
        let shutdown = async { stopped.await.unwrap_or_default() };
        let done = tokio::spawn(server::run(settings, listeners, LostLines::default(), shutdown));
        Self { webhook, admin, folder, pair, stop, done }
    }

    async fn connect(&self) -> Connection {
        connect(self.webhook, client(&[&self.pair.ca]), "localhost").await.unwrap()
    }

    async fn post(&self, path: &str, body: impl Into<Body>) -> Answer {
        let request = Request::post(path).header(HOST, "localhost").body(body.into()).unwrap();
        over_http1(self.connect().await, request).await.unwrap()
    }

    async fn admin(&self, path: &str) -> Answer {
        let request = Request::get(path).header(HOST, "localhost").body(Body::empty()).unwrap();
        over_http1(TcpStream::connect(self.admin).await.unwrap(), request).await.unwrap()
    }

    /// Reads `/metrics` until it has the line; ten seconds are for ever here.
    async fn counted(&self, line: &str) -> String {
        let mut page = String::new();
        let found = timeout(Duration::from_secs(10), async {
            while !page.lines().any(|found| found == line) {
                page = self.admin("/metrics").await.body;
            }
        });
        assert!(found.await.is_ok(), "no {line} in {page}");
        page
    }

    async fn stop(self) {
        self.stop.send(Duration::ZERO).unwrap();
        self.done.await.unwrap().unwrap();
    }
}

#[derive(Debug)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

#[tokio::test]
async fn protocols() {
    let server = Server::start(Bounds::default()).await;
    for (name, host, alpn, versions, protocol) in [
        ("the API server's", "localhost", &["http/1.1"][..], rustls::ALL_VERSIONS, ProtocolVersion::TLSv1_3),
        ("h2", "localhost", &["h2", "http/1.1"], rustls::ALL_VERSIONS, ProtocolVersion::TLSv1_3),
        ("no ALPN", "localhost", &[], rustls::ALL_VERSIONS, ProtocolVersion::TLSv1_3),
        ("no server name", "127.0.0.1", &["http/1.1"], rustls::ALL_VERSIONS, ProtocolVersion::TLSv1_3),
        ("TLS 1.2", "localhost", &["http/1.1"], &[&rustls::version::TLS12], ProtocolVersion::TLSv1_2),
    ] {
        let mut config = client_with(&[&server.pair.ca], versions);
        config.alpn_protocols = alpn.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        let connection = connect(server.webhook, config, host).await.unwrap();
        let tls = connection.get_ref().1;
        assert_eq!(tls.protocol_version(), Some(protocol), "{name}");
        assert_eq!(tls.alpn_protocol(), alpn.first().map(|protocol| protocol.as_bytes()), "{name}");
        let request = Request::post("https://localhost/mutate?timeout=10s").header(HOST, "localhost");
        let request = request.body(Body::from(REVIEW)).unwrap();
        let answer = if alpn.first() == Some(&"h2") {
            over_http2(connection, request).await
        } else {
            over_http1(connection, request).await
        };
        assert_allowed(&answer.unwrap());
    }
    server.stop().await;
}

#[tokio::test]
async fn answers() {
    let server = Server::start(Bounds { body_bytes: 1000, ..Bounds::default() }).await;
    let padded = |length: usize| format!("{REVIEW}{}", " ".repeat(length - REVIEW.len()));
    for (name, method, path, body, status) in [
        ("mutate", Method::POST, "/mutate", REVIEW.into(), 200),
        ("validate", Method::POST, "/validate?timeout=5s&x", REVIEW.into(), 200),
        ("at the bound", Method::POST, "/validate", padded(1000).into(), 200),
        ("beyond the bound, by length", Method::POST, "/validate", padded(1001).into(), 413),
        ("beyond the bound, chunked", Method::POST, "/validate", chunked(&padded(1001)), 413),
        ("within the bound, chunked", Method::POST, "/validate", chunked(&padded(999)), 200),
        ("no review", Method::POST, "/mutate", "{}".into(), 400),
        ("nothing", Method::POST, "/validate", Body::empty(), 400),
        ("other method", Method::GET, "/mutate", Body::empty(), 405),
        ("other path", Method::POST, "/", REVIEW.into(), 404),
    ] {
        let request = Request::builder().method(method).uri(path).header(HOST, "localhost").body(body).unwrap();
        let answer = over_http1(server.connect().await, request).await.unwrap();
        assert_eq!(answer.status.as_u16(), status, "{name}: {}", answer.body);
    }
    let other = Operation::Other.as_str();
    server
        .counted(&format!(r#"podfit_reviews_total{{phase="validate",operation="{other}",decision="invalid"}} 3"#))
        .await;
    server.stop().await;
}

#[tokio::test]
async fn bodies_beyond_the_bytes_in_flight_are_sent_back() {
    let server = Server::start(Bounds { in_flight_bytes: 1200, ..Bounds::default() }).await;
    let mut slow = server.connect().await;
    begin_review(&mut slow, "/validate", 1100).await;
    server.counted("podfit_in_flight_reviews 1").await;
    // What is only announced keeps nobody out.
    assert_allowed(&server.post("/mutate", REVIEW).await);

    let body = format!("{REVIEW:1100}");
    slow.write_all(&body.as_bytes()[..1099]).await.unwrap();
    let refused = timeout(Duration::from_secs(10), async {
        loop {
            let answer = server.post("/mutate", REVIEW).await;
            if answer.status != StatusCode::OK {
                return answer;
            }
        }
    });
    let refused = refused.await.unwrap();
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.headers[RETRY_AFTER], "1");

    slow.write_all(&body.as_bytes()[1099..]).await.unwrap();
    assert!(read_head(&mut slow).await.starts_with("HTTP/1.1 200 "));
    assert_allowed(&server.post("/mutate", REVIEW).await);
    server.counted("podfit_in_flight_reviews 0").await;
    server.stop().await;
}

#[tokio::test]
async fn a_slow_body_ends_in_time() {
    for (name, bound, path) in [
        ("by our bound", Duration::from_millis(20), "/validate"),
        ("by the API server's", Duration::from_mins(1), "/mutate?timeout=20ms"),
    ] {
        let server = Server::start(Bounds { body: bound, ..Bounds::default() }).await;
        let mut slow = server.connect().await;
        begin_review(&mut slow, path, 900).await;
        slow.write_all(b"{").await.unwrap();
        assert!(read_head(&mut slow).await.starts_with("HTTP/1.1 503 "), "{name}");
        server.stop().await;
    }
}

#[tokio::test]
async fn connections_beyond_the_places_are_closed() {
    let server = Server::start(Bounds { connections: 1, ..Bounds::default() }).await;
    let first = server.connect().await;
    assert!(connect(server.webhook, client(&[&server.pair.ca]), "localhost").await.is_err());
    drop(first);
    while connect(server.webhook, client(&[&server.pair.ca]), "localhost").await.is_err() {}
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_is_swapped_under_load_without_a_failed_review() {
    for (name, layout) in [("renamed files", Layout::Files), ("symlink of a Secret volume", Layout::Volume)] {
        let folder = TempDir::new().unwrap();
        let (old, new) = (make_pair(&LOCAL_HOSTS, 2).unwrap(), make_pair(&LOCAL_HOSTS, 2).unwrap());
        layout.place(folder.path(), &old);
        let authorities = [old.ca.clone(), new.ca.clone()];
        let server = Server::of(folder, old, quick(), |_| {}).await.up().await;

        let over = Arc::new(AtomicBool::new(false));
        let load: Vec<_> = (0..4)
            .map(|_| tokio::spawn(keep_reviewing(server.webhook, authorities.clone(), Arc::clone(&over))))
            .collect();
        layout.place(server.folder.path(), &new);
        while connect(server.webhook, client(&[&new.ca]), "localhost").await.is_err() {}
        over.store(true, Ordering::Relaxed);
        for reviews in load {
            assert!(reviews.await.unwrap() > 0, "{name}");
        }
        server.counted(r#"podfit_certificate_reloads_total{result="taken"} 1"#).await;
        server.stop().await;
    }
}

#[tokio::test]
async fn a_bad_pair_keeps_the_old_one_and_is_counted_once() {
    let server = Server::start(quick()).await;
    let other = make_pair(&LOCAL_HOSTS, 2).unwrap();
    replace(&server.folder.path().join("tls.key"), &other.key);
    server.counted(r#"podfit_certificate_reloads_total{result="refused"} 1"#).await;
    assert_allowed(&server.post("/validate", REVIEW).await);

    replace(&server.folder.path().join("tls.key"), &server.pair.key);
    let page = server.counted(r#"podfit_certificate_reloads_total{result="taken"} 1"#).await;
    assert!(page.contains("podfit_certificate_reloads_total{result=\"refused\"} 1\n"), "{page}");
    server.stop().await;
}

#[tokio::test]
async fn a_policy_follows_its_file_unless_it_is_bad() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("policy.yaml");
    fs::write(&path, POLICY).unwrap();
    let policies = Policies::load(Some(path.clone()), FromCluster::Nothing).unwrap();
    let server = Server::with(quick(), |settings| settings.policies = policies).await;

    replace(&path, "kind: [");
    server.counted(r#"podfit_policy_reloads_total{result="refused"} 1"#).await;
    fs::remove_file(&path).unwrap();
    server.counted(r#"podfit_policy_reloads_total{result="refused"} 2"#).await;
    assert_eq!(server.admin("/readyz").await.status, StatusCode::OK);
    assert_allowed(&server.post("/validate", REVIEW).await);

    replace(&path, &format!("{POLICY}# changed\n"));
    server.counted(r#"podfit_policy_reloads_total{result="taken"} 1"#).await;
    server.stop().await;
}

#[tokio::test]
async fn a_start_without_what_was_asked_for_names_the_flag() {
    let absent = Policies::load(Some(PathBuf::from("/nonexistent/file")), FromCluster::Nothing).err().unwrap();
    assert_eq!(absent.to_string(), "--policy (PODFIT_POLICY) /nonexistent/file");
    for (change, message) in [
        (
            (|settings| settings.client_ca = Some(PathBuf::from("/nonexistent/file"))) as fn(&mut Settings),
            "--client-ca (PODFIT_CLIENT_CA) /nonexistent/file",
        ),
        (
            |settings| settings.certificate = CertificateFrom::ThrowAway { ca_out: Some("/nonexistent/file".into()) },
            "--ca-out (PODFIT_CA_OUT) /nonexistent/file",
        ),
    ] {
        let folder = TempDir::new().unwrap();
        let pair = make_pair(&LOCAL_HOSTS, 2).unwrap();
        write_pair(folder.path(), &pair);
        let server = Server::of(folder, pair, Bounds::default(), change).await;
        assert_eq!(server.done.await.unwrap().unwrap_err().to_string(), message);
    }
}

#[tokio::test]
async fn a_kept_certificate_is_served_as_it_comes() {
    let (keeper, kept) = watch::channel(Kept { pair: None, unready: Some("no Secret".to_owned()) });
    let server = Server::with(Bounds::default(), |settings| settings.certificate = CertificateFrom::Kept(kept)).await;
    assert_eq!(server.admin("/readyz").await.body, "not ready: no Secret\n");
    server.counted("podfit_certificate_not_after_seconds 0.0").await;
    assert!(connect(server.webhook, client(&[&server.pair.ca]), "localhost").await.is_err());

    keeper.send_replace(Kept { pair: Some(Arc::new(server.pair.clone())), unready: None });
    server.counted(r#"podfit_certificate_reloads_total{result="taken"} 1"#).await;
    assert_eq!(server.admin("/readyz").await.body, "ready\n");
    assert_allowed(&server.post("/validate", REVIEW).await);

    let next = make_pair(&LOCAL_HOSTS, 2).unwrap();
    keeper.send_replace(Kept { pair: Some(Arc::new(next.clone())), unready: None });
    server.counted(r#"podfit_certificate_reloads_total{result="taken"} 2"#).await;
    connect(server.webhook, client(&[&next.ca]), "localhost").await.unwrap();
    // Whatever becomes of the keeper, what it has left is served.
    drop(keeper);
    assert_eq!(server.admin("/readyz").await.body, "ready\n");
    server.stop().await;
}

/// This thread is the whole runtime of the server: what blocks it stands for reviews that take all workers.
#[tokio::test]
async fn the_admin_port_answers_while_all_workers_are_busy() {
    let server = Server::start(Bounds::default()).await;
    for path in ["/livez", "/readyz", "/metrics"] {
        let mut stream = std::net::TcpStream::connect(server.admin).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        std::io::Read::read_to_string(&mut stream, &mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{path}: {answer}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_client_certificate_is_required_on_the_webhook_port_alone() {
    let authority = client_authority();
    let file = TempDir::new().unwrap();
    let path = file.path().join("client-ca.crt");
    fs::write(&path, &authority.ca).unwrap();
    let server = Server::with(Bounds::default(), |settings| settings.client_ca = Some(path)).await;

    let request = || Request::post("/validate").header(HOST, "localhost").body(Body::from(REVIEW)).unwrap();
    // With TLS 1.3 a client learns of its refusal when it reads.
    let without = match connect(server.webhook, client(&[&server.pair.ca]), "localhost").await {
        Ok(connection) => over_http1(connection, request()).await.map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    assert!(without.is_err(), "{without:?}");

    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots(&[&server.pair.ca]))
        .with_client_auth_cert(
            vec![CertificateDer::from_pem_slice(authority.certificate.as_bytes()).unwrap()],
            PrivateKeyDer::from_pem_slice(authority.key.as_bytes()).unwrap(),
        )
        .unwrap();
    let with = connect(server.webhook, config, "localhost").await.unwrap();
    assert_allowed(&over_http1(with, request()).await.unwrap());
    assert_eq!(server.admin("/livez").await.status, StatusCode::OK);
    server.stop().await;
}

#[tokio::test]
async fn a_drain_answers_what_is_in_flight_and_closes_what_is_idle() {
    let server = Server::start(Bounds::default()).await;
    let mut idle = server.connect().await;
    idle.write_all(request_head("/validate", REVIEW.len(), "").as_bytes()).await.unwrap();
    idle.write_all(REVIEW.as_bytes()).await.unwrap();
    assert!(!read_answer(&mut idle).await.contains("connection: close"));
    let mut busy = server.connect().await;
    begin_review(&mut busy, "/validate", REVIEW.len()).await;
    assert_eq!(server.admin("/readyz").await.body, "ready\n");

    let Server { webhook, admin, stop, done, folder: _folder, .. } = server;
    stop.send(Duration::ZERO).unwrap();
    assert_eq!(idle.read_to_end(&mut Vec::new()).await.unwrap(), 0);
    let ready = Request::get("/readyz").header(HOST, "localhost").body(Body::empty()).unwrap();
    let ready = over_http1(TcpStream::connect(admin).await.unwrap(), ready).await.unwrap();
    assert_eq!((ready.status.as_u16(), ready.body.as_str()), (503, "not ready: draining\n"));
    assert!(TcpStream::connect(webhook).await.is_err());

    busy.write_all(REVIEW.as_bytes()).await.unwrap();
    let mut answer = String::new();
    busy.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains("connection: close\r\n"), "{answer}");
    done.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_under_load_fails_no_review_while_the_cluster_still_sends() {
    let server = Server::start(Bounds::default()).await;
    let mut kept = Vec::new();
    for _client in 0..4 {
        kept.push(tokio::spawn(review_until_told_to_close(server.connect().await)));
    }
    let Server { webhook, pair, stop, done, folder: _folder, .. } = server;
    stop.send(Duration::from_mins(1)).unwrap();
    for reviews in kept {
        assert!(reviews.await.unwrap() > 0);
    }
    let late = connect(webhook, client(&[&pair.ca]), "localhost").await.unwrap();
    assert_eq!(review_until_told_to_close(late).await, 1);
    done.abort();
}

#[tokio::test]
async fn a_drain_gives_up_on_who_never_sends() {
    let server = Server::start(Bounds { drain: Duration::from_millis(20), ..Bounds::default() }).await;
    let mut stuck = server.connect().await;
    begin_review(&mut stuck, "/validate", 900).await;
    server.stop().await;
}

#[tokio::test]
async fn metrics_have_the_names_of_the_contract() {
    let server = Server::start(Bounds::default()).await;
    server.post("/mutate", REVIEW).await;
    let answer = server.admin("/metrics").await;
    assert_eq!(answer.headers[CONTENT_TYPE], "application/openmetrics-text; version=1.0.0; charset=utf-8");
    let mut names: Vec<_> = answer
        .body
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split(['{', ' ']).next().unwrap())
        .collect();
    names.dedup();
    assert_eq!(
        names,
        [
            "podfit_reviews_total",
            "podfit_review_duration_seconds_sum",
            "podfit_review_duration_seconds_count",
            "podfit_review_duration_seconds_bucket",
            "podfit_review_duration_seconds_sum",
            "podfit_review_duration_seconds_count",
            "podfit_review_duration_seconds_bucket",
            "podfit_findings_total",
            "podfit_injections_total",
            "podfit_in_flight_reviews",
            "podfit_certificate_not_after_seconds",
            "podfit_policy_reloads_total",
            "podfit_certificate_reloads_total",
            "podfit_policies",
            "podfit_exemptions",
            "podfit_log_lines_lost_total",
            "podfit_build_info",
        ]
    );
    server.stop().await;
}

#[tokio::test]
async fn the_dashboard_tells_names_and_reasons_and_nothing_else_of_a_request() {
    const CARELESS: &str = include_str!("../examples/review-careless.json");
    let server = Server::start(Bounds::default()).await;
    let before = server.admin("/").await;
    for (header, value) in [
        (CONTENT_TYPE.as_str(), "text/html; charset=utf-8"),
        ("x-content-type-options", "nosniff"),
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-resource-policy", "same-origin"),
    ] {
        assert_eq!(before.headers[header], value, "{header}");
    }
    let content = before.headers["content-security-policy"].to_str().unwrap();
    assert!(content.starts_with("default-src 'none'; ") && content.ends_with("; frame-ancestors 'none'"), "{content}");
    assert!(before.body.contains("None since the start."));

    for _again in 0..2 {
        assert_eq!(server.post("/validate", CARELESS).await.status, StatusCode::OK);
    }
    let page = server.admin("/").await.body;
    for told in [
        "Pod <b>shop/api-6c8f9d7b5-*</b>",
        "image has no fixed tag <small>image-tag</small>",
        "<small> 2 times</small>",
    ] {
        assert!(page.contains(told), "{told}: {page}");
    }
    for kept in ["registry.example", "9d2f6e57", "replicaset-controller", "credential-id", "managedFields", "8080"] {
        assert!(CARELESS.contains(kept) && !page.contains(kept), "{kept}: {page}");
    }
    server.stop().await;
}

/// How a pair lies in a folder, and how it is replaced there.
#[derive(Clone, Copy)]
enum Layout {
    Files,
    Volume,
}

impl Layout {
    fn place(self, folder: &Path, pair: &Pair) {
        match self {
            Self::Files => write_pair(folder, pair),
            Self::Volume => place_volume(folder, pair),
        }
    }
}

/// As the kubelet does it: a new folder, and `..data` renamed over to point at it.
fn place_volume(folder: &Path, pair: &Pair) {
    let generation = tempfile::Builder::new().prefix("..").tempdir_in(folder).unwrap().keep();
    write_pair(&generation, pair);
    symlink(generation.file_name().unwrap(), folder.join("..data_tmp")).unwrap();
    fs::rename(folder.join("..data_tmp"), folder.join("..data")).unwrap();
    for name in ["tls.crt", "tls.key"] {
        if folder.join(name).symlink_metadata().is_err() {
            symlink(Path::new("..data").join(name), folder.join(name)).unwrap();
        }
    }
}

fn write_pair(folder: &Path, pair: &Pair) {
    replace(&folder.join("tls.crt"), &pair.certificate);
    replace(&folder.join("tls.key"), &pair.key);
}

fn replace(path: &Path, text: &str) {
    let new = path.with_extension("new");
    fs::write(&new, text).unwrap();
    fs::rename(new, path).unwrap();
}

/// Looks at files so often that nobody waits.
fn quick() -> Bounds {
    Bounds { poll: Duration::from_millis(1), ..Bounds::default() }
}

/// New connections and kept ones in turn, until told that it is over; how many reviews were answered.
async fn keep_reviewing(webhook: SocketAddr, authorities: [String; 2], over: Arc<AtomicBool>) -> u32 {
    let authorities = authorities.each_ref().map(String::as_str);
    let mut reviews = 0;
    while !over.load(Ordering::Relaxed) {
        let mut connection = connect(webhook, client(&authorities), "localhost").await.unwrap();
        for _kept in 0..5 {
            connection.write_all(request_head("/validate", REVIEW.len(), "").as_bytes()).await.unwrap();
            connection.write_all(REVIEW.as_bytes()).await.unwrap();
            assert!(read_answer(&mut connection).await.starts_with("HTTP/1.1 200 "));
            reviews += 1;
        }
    }
    reviews
}

/// On one kept connection, until an answer says that it ends; then it ends, and not before. How many were answered.
async fn review_until_told_to_close(mut connection: Connection) -> u32 {
    for reviews in 1.. {
        connection.write_all(request_head("/validate", REVIEW.len(), "").as_bytes()).await.unwrap();
        connection.write_all(REVIEW.as_bytes()).await.unwrap();
        let answer = read_answer(&mut connection).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        if answer.contains("connection: close\r\n") {
            assert_eq!(connection.read_to_end(&mut Vec::new()).await.unwrap(), 0);
            return reviews;
        }
    }
    unreachable!("the loop ends with its connection")
}

/// Sends a head, and returns when the server has begun to wait for the body.
async fn begin_review(connection: &mut Connection, path: &str, length: usize) {
    let head = request_head(path, length, "expect: 100-continue\r\n");
    connection.write_all(head.as_bytes()).await.unwrap();
    assert_eq!(read_head(connection).await, "HTTP/1.1 100 Continue\r\n\r\n");
}

fn request_head(path: &str, length: usize, headers: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {length}\r\n{headers}\r\n")
}

async fn read_head(connection: &mut Connection) -> String {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        head.push(char::from(connection.read_u8().await.unwrap()));
    }
    head
}

async fn read_answer(connection: &mut Connection) -> String {
    let head = read_head(connection).await;
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse().unwrap();
    let mut body = vec![0; length];
    connection.read_exact(&mut body).await.unwrap();
    head + &String::from_utf8(body).unwrap()
}

async fn connect(address: SocketAddr, config: ClientConfig, host: &str) -> io::Result<Connection> {
    let name = match host.parse::<IpAddr>() {
        Ok(address) => ServerName::IpAddress(address.into()),
        Err(_) => ServerName::try_from(host.to_owned()).unwrap(),
    };
    TlsConnector::from(Arc::new(config)).connect(name, TcpStream::connect(address).await?).await
}

async fn over_http1<S>(stream: S, request: Request<Body>) -> hyper::Result<Answer>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let answer = read(sender.send_request(request).await?).await;
    connection.abort();
    answer
}

async fn over_http2(stream: Connection, request: Request<Body>) -> hyper::Result<Answer> {
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let answer = read(sender.send_request(request).await?).await;
    connection.abort();
    answer
}

async fn read(response: hyper::Response<hyper::body::Incoming>) -> hyper::Result<Answer> {
    let (head, body) = response.into_parts();
    let body: Bytes = body.collect().await?.to_bytes();
    Ok(Answer { status: head.status, headers: head.headers, body: String::from_utf8(body.to_vec()).unwrap() })
}

fn assert_allowed(answer: &Answer) {
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    assert_eq!(answer.headers[CONTENT_TYPE], "application/json");
    let review: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(review["response"], serde_json::json!({"uid": "705ab4f5", "allowed": true}));
}

/// A body whose length is not announced, in two pieces.
fn chunked(text: &str) -> Body {
    let (first, second) = text.split_at(text.len() / 2);
    let first = Body::from(first.to_owned());
    let second = Body::from(second.to_owned());
    Body::new(Pieces(vec![second, first]))
}

struct Pieces(Vec<Body>);

impl hyper::body::Body for Pieces {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<Bytes>, axum::Error>>> {
        loop {
            let Some(piece) = self.0.last_mut() else { return std::task::Poll::Ready(None) };
            match std::pin::Pin::new(piece).poll_frame(context) {
                std::task::Poll::Ready(None) => drop(self.0.pop()),
                other => return other,
            }
        }
    }
}

fn client(authorities: &[&str]) -> ClientConfig {
    client_with(authorities, rustls::ALL_VERSIONS)
}

fn client_with(authorities: &[&str], versions: &[&'static rustls::SupportedProtocolVersion]) -> ClientConfig {
    ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots(authorities))
        .with_no_client_auth()
}

fn roots(authorities: &[&str]) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    for pem in authorities {
        roots.add(CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()).unwrap();
    }
    roots
}

/// A CA, and a certificate of a client signed by it.
fn client_authority() -> Pair {
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair};
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let mut client = CertificateParams::new(["kube-apiserver".to_owned()]).unwrap();
    client.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let key = KeyPair::generate().unwrap();
    let certificate = client.signed_by(&key, &authority).unwrap().pem();
    Pair { ca: authority.pem(), certificate, key: key.serialize_pem() }
}
