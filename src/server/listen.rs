//! From socket to requests: accept, handshake, HTTP/1.1 or h2, drain. Two ports use it: the webhook's with TLS, the
//! admin's without.

use std::{convert::Infallible, future::Future, io, pin::pin, sync::Arc, time::Duration};

use anyhow::Context as _;
use hyper::{
    Request, Response,
    body::{Body, Bytes, Incoming},
    server::conn::{http1, http2},
    service::{Service, service_fn},
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::graceful::{GracefulShutdown, Watcher},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use tracing::{debug, warn};

use super::{Bounds, idle::Idle};

/// After a failed accept; doubled up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

#[derive(Clone)]
pub(super) struct Port<S> {
    tls: Option<TlsAcceptor>,
    service: S,
    http1: http1::Builder,
    http2: http2::Builder<TokioExecutor>,
    handshake: Duration,
    idle: Duration,
    places: Arc<Semaphore>,
}

impl<S, B> Port<S>
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    pub(super) fn encrypted(tls: TlsAcceptor, service: S, bounds: Bounds) -> Self {
        Self { tls: Some(tls), ..Self::plain(service, bounds) }
    }

    pub(super) fn plain(service: S, bounds: Bounds) -> Self {
        Self {
            tls: None,
            service,
            http1: http1(bounds),
            http2: http2(bounds),
            handshake: bounds.handshake,
            idle: bounds.idle,
            places: Arc::new(Semaphore::new(bounds.connections)),
        }
    }

    /// Accepts until `stop` resolves; returns the connections that are open then, to be shut down.
    pub(super) async fn serve(self, listener: TcpListener, stop: impl Future<Output = ()>) -> GracefulShutdown {
        let connections = GracefulShutdown::new();
        let mut stop = pin!(stop);
        let mut crowd = Crowd::default();
        let mut pause = FIRST_PAUSE;
        loop {
            let accepted = tokio::select! {
                () = &mut stop => return connections,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, _)) => {
                    pause = FIRST_PAUSE;
                    crowd.note(self.admit(stream, connections.watcher()));
                }
                Err(error) if is_of_one_connection(&error) => debug!(%error, "accept"),
                Err(error) => {
                    // Out of file descriptors, say: the same error would come back at once, for ever.
                    warn!(%error, "accept");
                    sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    /// Gives the connection a task of its own; where all places are taken it is closed at once, which is answered `false`.
    fn admit(&self, stream: TcpStream, watcher: Watcher) -> bool {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else { return false };
        let port = self.clone();
        tokio::spawn(async move {
            if let Err(error) = port.connection(stream, watcher).await {
                debug!(%error, "connection");
            }
            drop(place);
        });
        true
    }

    async fn connection(&self, stream: TcpStream, watcher: Watcher) -> anyhow::Result<()> {
        stream.set_nodelay(true)?;
        let Some(tls) = &self.tls else { return self.http1(stream, watcher).await };
        // In boxes, what a connection over HTTP/1.1 has no use for once it stands.
        let stream = Box::pin(timeout(self.handshake, tls.accept(stream))).await??;
        // After ALPN the protocol is known, and hyper's `auto` would look for it again in the first bytes.
        if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
            let served = self.http2.serve_connection(TokioIo::new(stream), self.service.clone());
            Ok(Box::pin(watcher.watch(served)).await?)
        } else {
            self.http1(stream, watcher).await
        }
    }

    async fn http1(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + 'static,
        watcher: Watcher,
    ) -> anyhow::Result<()> {
        let idle = Idle::new();
        let service = service_fn(async |request| {
            let _in_use = idle.interrupt();
            self.service.call(request).await
        });
        let served = pin!(watcher.watch(self.http1.serve_connection(TokioIo::new(stream), service)));
        Ok(idle.bound(served, self.idle).await.context("idle for too long")??)
    }
}

fn http1(bounds: Bounds) -> http1::Builder {
    let mut builder = http1::Builder::new();
    // No clock of hyper's: `idle` has one, and hyper's own bound of 30 s would close connections that the API server means to
    // use for 90 s.
    builder.header_read_timeout(None).max_buf_size(bounds.head_bytes);
    builder
}

fn http2(bounds: Bounds) -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(bounds.streams)
        .max_header_list_size(u32::try_from(bounds.head_bytes).unwrap_or(u32::MAX))
        .keep_alive_interval(bounds.idle)
        .keep_alive_timeout(bounds.handshake);
    builder
}

fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    )
}

/// Counts the connections turned away, and says so once per crowd, not once per connection.
#[derive(Default)]
struct Crowd {
    turned_away: u64,
}

impl Crowd {
    fn note(&mut self, admitted: bool) {
        if !admitted {
            self.turned_away += 1;
            if self.turned_away.is_power_of_two() {
                warn!(turned_away = self.turned_away, "all connections are taken");
            }
        } else if self.turned_away > 0 {
            warn!(turned_away = self.turned_away, "connections are accepted again");
            self.turned_away = 0;
        }
    }
}
