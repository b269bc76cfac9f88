//! A port on a thread of its own. Reviews wait for nothing that podfit does beside them, and one thread answers ten thousand
//! a second: several would wake one another, for up to a tenth of the cost. /livez and /readyz answer whatever reviews take.
//! `server.rs` starts both ports here.

use std::{convert::Infallible, error::Error, io, thread, time::Duration};

use hyper::{
    Request, Response,
    body::{Body, Bytes, Incoming},
    service::Service,
};
use tokio::{net::TcpListener, runtime, sync::oneshot, time::timeout};

use super::listen::Port;

/// Serves for as long as this lives.
pub(super) struct PortThread {
    stop: oneshot::Sender<()>,
    /// Whether all connections ended in time.
    ended: oneshot::Receiver<bool>,
}

impl PortThread {
    /// `drain`: what open connections get at the end.
    pub(super) fn start<S, B>(
        name: &'static str,
        port: Port<S>,
        listener: TcpListener,
        drain: Duration,
    ) -> io::Result<Self>
    where
        S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + Sync + 'static,
        S::Future: Send,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let listener = listener.into_std()?;
        let (stop, stopped) = oneshot::channel();
        let (end, ended) = oneshot::channel();
        let serve = async move {
            let listener = TcpListener::from_std(listener)?;
            let connections = port.serve(listener, async { drop::<Result<(), _>>(stopped.await) }).await;
            // Nobody may be waiting for it.
            let _ = end.send(timeout(drain, connections.shutdown()).await.is_ok());
            Ok(())
        };
        let run = move || {
            let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
            let served = runtime.block_on(serve);
            // Large bodies have been waited for.
            runtime.shutdown_background();
            served
        };
        thread::Builder::new().name(name.to_owned()).spawn(move || {
            if let Err(error) = run() {
                let error: io::Error = error;
                tracing::error!(%error, name, "port");
            }
        })?;
        Ok(Self { stop, ended })
    }

    /// Resolves where it ends of itself, which it never should.
    pub(super) async fn ended(&mut self) {
        drop::<Result<bool, _>>((&mut self.ended).await);
    }

    /// Takes no more connections; answers whether those that are open ended in time.
    pub(super) async fn stop(self) -> bool {
        drop(self.stop);
        self.ended.await.unwrap_or(false)
    }
}
