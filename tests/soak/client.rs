//! A client as the API server is one: HTTP/1.1 on TLS 1.3 connections that it keeps. What it sends may be anything.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use rustls::{
    ClientConfig, RootCertStore,
    client::Resumption,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::{
    io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, ReadHalf, WriteHalf, split},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// Longer than anything takes that is not broken.
const PATIENCE: Duration = Duration::from_secs(40);

pub type Stream = TlsStream<TcpStream>;

#[derive(Clone)]
pub struct Client(TlsConnector);

/// A kept connection.
pub struct Link {
    stream: BufReader<Stream>,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// Lower case, one to a line.
    pub headers: String,
    pub body: Vec<u8>,
}

impl Client {
    pub fn trusting(authorities: &[&str]) -> Self {
        let mut roots = RootCertStore::empty();
        for pem in authorities {
            roots.add(CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()).unwrap();
        }
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        let mut config = builder.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // Who resumes a session does not look at the certificate.
        config.resumption = Resumption::disabled();
        Self(TlsConnector::from(Arc::new(config)))
    }

    pub async fn connect(&self, to: SocketAddr) -> io::Result<Link> {
        let stream = TcpStream::connect(to).await?;
        self.encrypt(stream).await
    }

    pub async fn encrypt(&self, stream: TcpStream) -> io::Result<Link> {
        stream.set_nodelay(true)?;
        let name = ServerName::try_from("localhost").unwrap();
        let stream = within(self.0.connect(name, stream)).await?;
        Ok(Link { stream: BufReader::new(stream) })
    }
}

impl Link {
    /// One request, and its answer.
    pub async fn post(&mut self, path: &str, body: &[u8]) -> io::Result<Answer> {
        self.send(request_head(path, body.len()).as_bytes()).await?;
        self.send(body).await?;
        self.answer().await
    }

    pub async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        within(async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        })
        .await
    }

    /// Until there is something to read, or the end.
    pub async fn wait(&mut self) -> io::Result<()> {
        self.stream.fill_buf().await.map(drop)
    }

    pub fn split(self) -> (BufReader<ReadHalf<Stream>>, WriteHalf<Stream>) {
        let (reader, writer) = split(self.stream.into_inner());
        (BufReader::new(reader), writer)
    }

    /// Says that no more will come.
    pub async fn finish(&mut self) -> io::Result<()> {
        within(self.stream.shutdown()).await
    }

    pub async fn answer(&mut self) -> io::Result<Answer> {
        within(read_answer(&mut self.stream)).await
    }

    /// What comes until the server closes.
    pub async fn rest(&mut self) -> io::Result<Vec<u8>> {
        let mut rest = Vec::new();
        within(self.stream.read_to_end(&mut rest)).await.map(|_| rest)
    }
}

impl Answer {
    /// The server closes the connection behind it.
    pub fn is_last(&self) -> bool {
        self.has("connection: close")
    }

    pub fn text(&self) -> &str {
        str::from_utf8(&self.body).unwrap_or("no text")
    }

    pub fn has(&self, header: &str) -> bool {
        self.headers.lines().any(|line| line == header)
    }
}

pub async fn read_answer(stream: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Answer> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head).await? == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, format!("an answer ends after {head:?}")));
        }
    }
    let status = head.get(9..12).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, head.clone()))?;
    let headers = head.to_ascii_lowercase();
    let length = headers.lines().find_map(|line| line.strip_prefix("content-length: ")).map(str::parse);
    let mut body = vec![0; length.unwrap_or(Ok(0)).map_err(|_| io::ErrorKind::InvalidData)?];
    stream.read_exact(&mut body).await?;
    Ok(Answer { status, headers, body })
}

pub fn request_head(path: &str, length: usize) -> String {
    format!("POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {length}\r\n\r\n")
}

/// The body of an answer of the admin port.
pub async fn get(admin: SocketAddr, path: &str) -> io::Result<Answer> {
    let mut stream = TcpStream::connect(admin).await?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    let mut text = String::new();
    within(async {
        stream.write_all(request.as_bytes()).await?;
        stream.read_to_string(&mut text).await
    })
    .await?;
    let (head, body) = text.split_once("\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
    let status = head.get(9..12).and_then(|status| status.parse().ok()).ok_or(io::ErrorKind::InvalidData)?;
    Ok(Answer { status, headers: head.to_ascii_lowercase(), body: body.as_bytes().to_vec() })
}

async fn within<T>(what: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(PATIENCE, what).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}
