//! A client as the API server is one: HTTP/1.1 over TLS 1.3 on connections that it keeps, and no session that is resumed.

use std::{io, net::SocketAddr, sync::Arc};

use axum::body::{Body, Bytes};
use http_body_util::BodyExt;
use hyper::{
    HeaderMap, Request,
    client::conn::http1::{self, SendRequest},
    header::{CONTENT_TYPE, HOST},
};
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, RootCertStore,
    client::Resumption,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::{net::TcpStream, task::JoinHandle};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// The API server writes its records one by one, so that the server reads a large body in pieces.
const RECORD: usize = 16 << 10;

#[derive(Clone)]
pub struct Client {
    address: SocketAddr,
    tls: TlsConnector,
}

/// A kept connection, closed when dropped.
pub struct Connection {
    sender: SendRequest<Body>,
    driver: JoinHandle<hyper::Result<()>>,
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Client {
    /// That trusts this CA, PEM.
    pub fn new(address: SocketAddr, ca: &str) -> Self {
        Self::trusting(address, &[ca])
    }

    pub fn trusting(address: SocketAddr, authorities: &[&str]) -> Self {
        let mut roots = RootCertStore::empty();
        for ca in authorities {
            roots.add(CertificateDer::from_pem_slice(ca.as_bytes()).unwrap()).unwrap();
        }
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let builder = builder.with_protocol_versions(&[&rustls::version::TLS13]).unwrap();
        let mut config = builder.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        config.resumption = Resumption::disabled();
        Self { address, tls: TlsConnector::from(Arc::new(config)) }
    }

    /// After the handshake, and before HTTP.
    pub async fn stream(&self) -> io::Result<TlsStream<TcpStream>> {
        self.handshake(TcpStream::connect(self.address).await?).await
    }

    pub async fn handshake(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        stream.set_nodelay(true)?;
        let mut stream = self.tls.connect(ServerName::try_from("localhost").unwrap(), stream).await?;
        stream.get_mut().1.set_buffer_limit(Some(RECORD));
        Ok(stream)
    }

    pub async fn connect(&self) -> anyhow::Result<Connection> {
        let (sender, connection) = http1::handshake(TokioIo::new(self.stream().await?)).await?;
        Ok(Connection { sender, driver: tokio::spawn(connection) })
    }
}

impl Connection {
    pub async fn post(&mut self, path: &str, body: Bytes) -> hyper::Result<Answer> {
        self.sender.ready().await?;
        let request = Request::post(path).header(HOST, "localhost").header(CONTENT_TYPE, "application/json");
        let (head, body) = self.sender.send_request(request.body(body.into()).unwrap()).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        Ok(Answer { status: head.status.as_u16(), headers: head.headers, body })
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}
