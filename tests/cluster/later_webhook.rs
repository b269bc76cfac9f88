//! Somebody else's mutating webhook, which the API server calls after podfit's: their configurations run in the order of names.

use std::{convert::Infallible, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, Response, body::Bytes, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use podfit::certs::{Pair, make_pair};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_rustls::TlsAcceptor;

use crate::{
    cluster::wait_for,
    pods::{good_container, pod},
    suite::{Namespace, Suite},
};

const CONFIGURATIONS: &str = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations";

/// The JSON Patch for a Pod; `[]` where there is nothing to do.
pub type Mutation = fn(&Value) -> Value;

pub struct LaterWebhook<'a> {
    suite: &'a Suite,
    name: String,
    task: JoinHandle<()>,
}

impl<'a> LaterWebhook<'a> {
    /// In force for one namespace when it returns.
    pub fn start(suite: &'a Suite, namespace: &Namespace<'_>, mutation: Mutation) -> Self {
        let pair = make_pair(&["127.0.0.1"], 2).unwrap();
        let runtime = suite.cluster.runtime();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("https://{}/", listener.local_addr().unwrap());
        let task = runtime.spawn(serve(listener, acceptor(&pair), mutation));
        let name = format!("zz-later-{}", namespace.name);
        suite.cluster.create(CONFIGURATIONS, &configuration(&name, &namespace.name, &url, &pair.ca)).object();
        let later = Self { suite, name, task };
        let pods = format!("{}?dryRun=All", namespace.path("pods"));
        let plain = pod("probe", good_container());
        wait_for("the later webhook", || {
            let made = suite.cluster.create(&pods, &plain).object();
            (mutation(&made) == json!([])).then_some(())
        });
        later
    }
}

impl Drop for LaterWebhook<'_> {
    fn drop(&mut self) {
        self.suite.cluster.delete(&format!("{CONFIGURATIONS}/{}", self.name));
        self.task.abort();
    }
}

fn configuration(name: &str, namespace: &str, url: &str, ca: &str) -> Value {
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration", "metadata": {"name": name},
        "webhooks": [{
            "name": "later.example.com",
            "admissionReviewVersions": ["v1"],
            "sideEffects": "None",
            "clientConfig": {"url": url, "caBundle": STANDARD.encode(ca)},
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
            "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}],
        }],
    })
}

fn acceptor(pair: &Pair) -> TlsAcceptor {
    let certificate = CertificateDer::from_pem_slice(pair.certificate.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).unwrap();
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate], key).unwrap();
    TlsAcceptor::from(Arc::new(config))
}

async fn serve(listener: TcpListener, acceptor: TlsAcceptor, mutation: Mutation) {
    while let Ok((stream, _)) = listener.accept().await {
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            let stream = TokioIo::new(acceptor.accept(stream).await.unwrap());
            let _ =
                http1::Builder::new().serve_connection(stream, service_fn(|request| answer(request, mutation))).await;
        });
    }
}

async fn answer(request: Request<Incoming>, mutation: Mutation) -> Result<Response<Full<Bytes>>, Infallible> {
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let review: Value = serde_json::from_slice(&body).unwrap();
    let patch = STANDARD.encode(mutation(&review["request"]["object"]).to_string());
    let response = json!({"uid": review["request"]["uid"], "allowed": true, "patchType": "JSONPatch", "patch": patch});
    let answer = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response});
    Ok(Response::new(Full::from(answer.to_string())))
}
