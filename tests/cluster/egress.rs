//! The stand-in for the Service: a proxy on a Unix socket that the API server asks for it by `CONNECT`. It forwards each
//! connection to the next replica that is ready, as a Service does, and knows which are by their `/readyz`.

use std::{
    net::SocketAddr,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional},
    net::{TcpStream, UnixListener, UnixStream},
    runtime::Handle,
    sync::watch,
    time::{interval, timeout},
};

const LONGEST_HEAD: usize = 4096;
/// As a kubelet's readiness probe every second.
const CHECK_PERIOD: Duration = Duration::from_secs(1);
const CHECK_TIME: Duration = Duration::from_millis(500);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backend {
    pub webhook: SocketAddr,
    pub admin: SocketAddr,
}

/// The backends, each with what is known of it.
pub struct Egress {
    runtime: Handle,
    backends: Mutex<Vec<Arc<Held>>>,
    next: AtomicUsize,
}

struct Held {
    backend: Backend,
    is_ready: AtomicBool,
    connections: AtomicUsize,
    /// Told when it is no backend any more: its connections end as those of a Pod that is gone.
    gone: watch::Sender<bool>,
}

impl Held {
    fn of(backend: Backend, is_ready: bool) -> Self {
        let (is_ready, connections) = (AtomicBool::new(is_ready), AtomicUsize::new(0));
        Self { backend, is_ready, connections, gone: watch::Sender::new(false) }
    }
}

impl Egress {
    pub fn start(socket: &Path, runtime: &Handle) -> Arc<Self> {
        let egress =
            Arc::new(Self { runtime: runtime.clone(), backends: Mutex::default(), next: AtomicUsize::default() });
        let _guard = runtime.enter();
        let listener = UnixListener::bind(socket).unwrap();
        runtime.spawn(Arc::clone(&egress).accept(listener));
        runtime.spawn(Arc::clone(&egress).check());
        egress
    }

    /// As the endpoints of a Service change: a backend that is ready already is one at once.
    pub fn set(&self, backends: &[Backend]) {
        let is_ready = |backend: &Backend| self.runtime.block_on(is_ready(backend.admin));
        let mut added: Vec<_> =
            backends.iter().map(|backend| Arc::new(Held::of(*backend, is_ready(backend)))).collect();
        let mut held = self.backends.lock().unwrap();
        for gone in held.extract_if(.., |held| !backends.contains(&held.backend)) {
            gone.gone.send_replace(true);
        }
        added.retain(|added| !held.iter().any(|held| held.backend == added.backend));
        held.append(&mut added);
    }

    pub fn connections(&self, backend: Backend) -> usize {
        let backends = self.backends.lock().unwrap();
        let held = backends.iter().find(|held| held.backend == backend);
        held.map_or(0, |held| held.connections.load(Ordering::Relaxed))
    }

    async fn check(self: Arc<Self>) {
        let mut period = interval(CHECK_PERIOD);
        loop {
            period.tick().await;
            let backends = self.backends.lock().unwrap().clone();
            for held in backends {
                held.is_ready.store(is_ready(held.backend.admin).await, Ordering::Relaxed);
            }
        }
    }

    async fn accept(self: Arc<Self>, listener: UnixListener) {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(Arc::clone(&self).forward(client));
        }
    }

    async fn forward(self: Arc<Self>, mut client: UnixStream) {
        if !read_head(&mut client).await {
            return;
        }
        let Some((mut server, held)) = self.connect().await else {
            let _ = client.write_all(b"HTTP/1.1 503 Service Unavailable\r\n\r\n").await;
            return;
        };
        held.connections.fetch_add(1, Ordering::Relaxed);
        if client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.is_ok() {
            let mut gone = held.gone.subscribe();
            tokio::select! {
                _ = copy_bidirectional(&mut client, &mut server) => {}
                _ = gone.wait_for(|gone| *gone) => {}
            }
        }
        held.connections.fetch_sub(1, Ordering::Relaxed);
    }

    /// Round robin over those that are ready and take the connection.
    async fn connect(&self) -> Option<(TcpStream, Arc<Held>)> {
        let backends = self.backends.lock().unwrap().clone();
        let first = self.next.fetch_add(1, Ordering::Relaxed);
        for offset in 0..backends.len() {
            let held = &backends[(first + offset) % backends.len()];
            if held.is_ready.load(Ordering::Relaxed)
                && let Ok(server) = TcpStream::connect(held.backend.webhook).await
            {
                // Otherwise Nagle's algorithm holds a review back for the 40 ms of a delayed ACK.
                let _ = server.set_nodelay(true);
                return Some((server, Arc::clone(held)));
            }
        }
        None
    }
}

/// Reads `CONNECT host:port HTTP/1.1` and its headers. Whatever it names, podfit is what is behind it.
async fn read_head(client: &mut UnixStream) -> bool {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") && head.len() < LONGEST_HEAD {
        match client.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return false,
        }
    }
    head.starts_with(b"CONNECT ")
}

/// Whether `/readyz` says so within the time of a probe.
pub async fn is_ready(admin: SocketAddr) -> bool {
    matches!(timeout(CHECK_TIME, get(admin, "/readyz")).await, Ok(Ok(answer)) if answer.starts_with("HTTP/1.1 200 "))
}

/// The whole answer of an admin port.
pub async fn get(admin: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(admin).await?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}
