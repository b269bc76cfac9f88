//! A stand-in for an API server: plain HTTP on loopback, which lists in pages, denies, forgets and keeps what is applied as the
//! real one does. The tests of `scan` and of the documentation start it and hand podfit its kubeconfig.

#![allow(dead_code, unused_imports, clippy::unwrap_used, clippy::panic)] // each of the tests uses a part

mod answers;
mod world;

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use serde_json::json;
use tempfile::TempDir;
use tokio::{net::TcpListener, runtime::Runtime};
pub use world::{Denied, Expiry, Items, Make, World, shop};

pub struct StandIn {
    address: SocketAddr,
    state: Arc<State>,
    folder: TempDir,
    // The last, since it serves what stands above.
    _runtime: Runtime,
}

pub struct State {
    pub world: Mutex<World>,
    /// `GET /api/v1/pods?limit=500`, in the order in which they came.
    pub requests: Mutex<Vec<String>>,
}

impl StandIn {
    pub fn start(world: World) -> Self {
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State { world: Mutex::new(world), requests: Mutex::default() });
        let router = axum::Router::new().fallback(answers::answer).with_state(Arc::clone(&state));
        runtime.spawn(async move { axum::serve(listener, router).await.unwrap() });
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("kubeconfig"), kubeconfig(address)).unwrap();
        Self { address, state, folder, _runtime: runtime }
    }

    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Since the last time.
    pub fn requests(&self) -> Vec<String> {
        std::mem::take(&mut self.state.requests.lock().unwrap())
    }

    pub fn change(&self, change: impl FnOnce(&mut World)) {
        change(&mut self.state.world.lock().unwrap());
    }
}

fn kubeconfig(address: SocketAddr) -> String {
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "stand-in",
        "clusters": [{"name": "stand-in", "cluster": {"server": format!("http://{address}")}}],
        "users": [{"name": "ann", "user": {"token": "ann"}}],
        "contexts": [{"name": "stand-in", "context": {"cluster": "stand-in", "user": "ann"}}],
    })
    .to_string()
}
