//! The least that a webhook server costs: axum and rustls set up as in `src/server`, a body that is read whole, and an answer
//! that is always the same. `just bench-server` measures podfit against it.
//!
//! Usage: `bare-server ADDRESS CERTIFICATE KEY`, the last two being PEM files.

use std::{env, hint::black_box, net::SocketAddr, path::Path, sync::Arc};

use anyhow::{Context, Result, bail};
use axum::{
    Router, body::Bytes, extract::DefaultBodyLimit, http::header::CONTENT_TYPE, response::IntoResponse, routing::post,
};
use hyper::server::conn::http1;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use podfit::server::Bounds;
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio::{
    net::{TcpListener, TcpStream},
    runtime,
};
use tokio_rustls::TlsAcceptor;

const ANSWER: &str = r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","response":{"uid":"00000000-0000-0000-0000-000000000000","allowed":true}}"#;

fn main() -> Result<()> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let [address, certificate, key] = arguments.as_slice() else { bail!("usage: bare-server ADDRESS CERTIFICATE KEY") };
    let tls = tls(Path::new(certificate), Path::new(key))?;
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(serve(address.parse().context("ADDRESS")?, tls))
}

async fn serve(address: SocketAddr, tls: TlsAcceptor) -> Result<()> {
    let bounds = Bounds::default();
    let router = Router::new().fallback(post(answer)).layer(DefaultBodyLimit::max(bounds.body_bytes));
    let service = TowerToHyperService::new(router);
    let mut http = http1::Builder::new();
    http.max_buf_size(bounds.head_bytes);
    let listener = TcpListener::bind(address).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        // Whoever breaks a connection off ends that one.
        tokio::spawn(connection(stream, tls.clone(), http.clone(), service.clone()));
    }
}

async fn connection(
    stream: TcpStream,
    tls: TlsAcceptor,
    http: http1::Builder,
    service: TowerToHyperService<Router>,
) -> Result<()> {
    stream.set_nodelay(true)?;
    let stream = tls.accept(stream).await?;
    Ok(http.serve_connection(TokioIo::new(stream), service).await?)
}

async fn answer(body: Bytes) -> impl IntoResponse {
    black_box(body);
    ([(CONTENT_TYPE, "application/json")], ANSWER)
}

fn tls(certificate: &Path, key: &Path) -> Result<TlsAcceptor> {
    let chain = CertificateDer::pem_file_iter(certificate)?.collect::<Result<_, _>>()?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let mut config = builder.with_no_client_auth().with_single_cert(chain, PrivateKeyDer::from_pem_file(key)?)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.ticketer = aws_lc_rs::Ticketer::new()?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}
