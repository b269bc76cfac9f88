//! A connection on which a case sends whatever it likes, byte by byte if need be, and the plain port of the admin.

use std::{io, net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, ReadHalf, WriteHalf, split},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::client::TlsStream;

use crate::load::client::Client;

/// Longer than anything takes that is not broken.
const PATIENCE: Duration = Duration::from_secs(40);

type Stream = TlsStream<TcpStream>;

pub struct Link(BufReader<Stream>);

#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// Lower case, one to a line.
    pub headers: String,
    pub body: Vec<u8>,
}

impl Link {
    pub async fn connect(client: &Client) -> io::Result<Self> {
        within(client.stream()).await.map(Self::of)
    }

    /// After the handshake.
    pub fn of(stream: Stream) -> Self {
        Self(BufReader::new(stream))
    }

    /// One request, and its answer.
    pub async fn post(&mut self, path: &str, body: &[u8]) -> io::Result<Answer> {
        self.send(request_head(path, body.len()).as_bytes()).await?;
        self.send(body).await?;
        self.answer().await
    }

    pub async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        within(async {
            self.0.write_all(bytes).await?;
            self.0.flush().await
        })
        .await
    }

    /// Says that no more will come.
    pub async fn finish(&mut self) -> io::Result<()> {
        within(self.0.shutdown()).await
    }

    /// Until there is something to read, or the end.
    pub async fn wait(&mut self) -> io::Result<()> {
        self.0.fill_buf().await.map(drop)
    }

    pub async fn answer(&mut self) -> io::Result<Answer> {
        within(read_answer(&mut self.0)).await
    }

    /// What comes until the server closes.
    pub async fn rest(&mut self) -> io::Result<Vec<u8>> {
        let mut rest = Vec::new();
        within(self.0.read_to_end(&mut rest)).await.map(|_| rest)
    }

    pub fn split(self) -> (BufReader<ReadHalf<Stream>>, WriteHalf<Stream>) {
        let (reader, writer) = split(self.0.into_inner());
        (BufReader::new(reader), writer)
    }
}

impl Answer {
    fn read(head: &str, body: Vec<u8>) -> io::Result<Self> {
        let status = head.get(9..12).and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, head))?;
        Ok(Self { status, headers: head.to_ascii_lowercase(), body })
    }

    /// The server closes the connection behind it.
    pub fn is_last(&self) -> bool {
        self.has("connection: close")
    }

    pub fn has(&self, header: &str) -> bool {
        self.headers.lines().any(|line| line == header)
    }

    pub fn text(&self) -> &str {
        str::from_utf8(&self.body).unwrap_or("no text")
    }
}

pub fn request_head(path: &str, length: usize) -> String {
    format!("POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {length}\r\n\r\n")
}

/// The next one on a connection.
pub async fn read_answer(stream: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Answer> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head).await? == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, format!("an answer ends after {head:?}")));
        }
    }
    let mut answer = Answer::read(&head, Vec::new())?;
    let length = answer.headers.lines().find_map(|line| line.strip_prefix("content-length: ")).map(str::parse);
    answer.body = vec![0; length.unwrap_or(Ok(0)).map_err(|_| io::ErrorKind::InvalidData)?];
    stream.read_exact(&mut answer.body).await?;
    Ok(answer)
}

/// A page of the admin port.
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
    Answer::read(head, body.as_bytes().to_vec())
}

/// An error of a client on whom the server has closed.
pub fn is_closed(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionAborted
    )
}

async fn within<T>(what: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(PATIENCE, what).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}
