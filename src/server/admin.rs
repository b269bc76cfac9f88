//! The admin port, on a thread of its own: /livez and /readyz answer while reviews keep all workers of the runtime busy.
//! `server.rs` starts it.

use std::{io, thread};

use axum::Router;
use hyper_util::service::TowerToHyperService;
use tokio::{net::TcpListener, runtime, sync::oneshot};

use super::{Bounds, listen::Port};

/// A browser sends the cookies of whatever else it has seen on `localhost`.
const BROWSER_HEAD_BYTES: usize = 64 << 10;

/// Served for as long as this lives.
pub(super) struct Admin {
    _until_dropped: oneshot::Sender<()>,
}

impl Admin {
    pub(super) fn start(listener: TcpListener, router: Router, bounds: Bounds) -> io::Result<Self> {
        let listener = listener.into_std()?;
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        // Whoever says nothing gives its place back soon: the kubelet's probes need one.
        let (connections, idle) = (bounds.admin_connections, bounds.handshake);
        let bounds = Bounds { connections, idle, head_bytes: BROWSER_HEAD_BYTES, ..bounds };
        let (until_dropped, dropped) = oneshot::channel();
        let stop = async { drop::<Result<(), _>>(dropped.await) };
        let serve = async move {
            match TcpListener::from_std(listener) {
                Ok(listener) => drop(Port::plain(TowerToHyperService::new(router), bounds).serve(listener, stop).await),
                Err(error) => tracing::error!(%error, "admin port"),
            }
        };
        thread::Builder::new().name("admin".to_owned()).spawn(move || runtime.block_on(serve))?;
        Ok(Self { _until_dropped: until_dropped })
    }
}
