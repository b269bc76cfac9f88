//! The webhook server: from socket to body bytes and back. The judging itself is `admission::answer`, a synchronous
//! function; here are limits, certificates, reloads, metrics, logs and the drain. `cli/serve.rs` calls it.

use std::{future::Future, io, path::PathBuf, sync::Arc, time::Duration};

use hyper::service::service_fn;
use hyper_util::service::TowerToHyperService;
use jiff::Timestamp;
use tokio::{net::TcpListener, task::JoinSet, time::sleep};
use tokio_rustls::TlsAcceptor;

mod bounds;
mod certificate;
mod dashboard;
mod health;
mod idle;
mod intake;
mod listen;
pub mod log;
mod metrics;
mod port_thread;
mod refusals;
mod reload;
mod routes;
mod settings;
mod webhook;

pub use bounds::Bounds;
pub use certificate::CertificateError;
pub use reload::{Policies, ReloadError};
pub use settings::{CertificateFrom, FromCluster, Settings};

use certificate::Followed;
use dashboard::Dashboard;
use health::Health;
use listen::Port;
use metrics::Metrics;
use port_thread::PortThread;
use refusals::Refusals;
use reload::Watched;
use webhook::Webhook;

/// Sockets already bound, so that whoever calls `run` owns the ports.
#[derive(Debug)]
pub struct Listeners {
    pub webhook: TcpListener,
    pub admin: TcpListener,
}

/// Why the server does not start, with the setting; or has ended of itself.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("--policy (PODFIT_POLICY) {}", path.display())]
    Policy { path: PathBuf, source: ReloadError },
    #[error("--tls-cert (PODFIT_TLS_CERT) {} with --tls-key (PODFIT_TLS_KEY) {}", certificate.display(), key.display())]
    Files { certificate: PathBuf, key: PathBuf, source: CertificateError },
    #[error("throw-away certificate")]
    ThrowAway(#[source] CertificateError),
    #[error("--client-ca (PODFIT_CLIENT_CA) {}", path.display())]
    ClientCa { path: PathBuf, source: CertificateError },
    #[error("--ca-out (PODFIT_CA_OUT) {}", path.display())]
    CaOut { path: PathBuf, source: io::Error },
    #[error("open a listener")]
    Listen(#[from] io::Error),
    #[error("TLS")]
    Tls(#[from] rustls::Error),
    #[error("the webhook port ended before it was told to; this is a bug")]
    Ended,
}

/// Serves until `shutdown` resolves, to how long new connections are still accepted after it: endpoints need a moment to
/// forget us. Then answers what is in flight, closes what is idle, and returns.
///
/// # Errors
///
/// Where a certificate, a policy or a CA cannot be loaded at the start. Once it serves, only a bug is an error.
pub async fn run(
    settings: Settings,
    listeners: Listeners,
    lost_lines: log::LostLines,
    shutdown: impl Future<Output = Duration>,
) -> Result<(), StartError> {
    let metrics = Arc::new(Metrics::new(&lost_lines));
    let certificate = Followed::load(&settings.certificate)?;
    let tls = certificate::tls(&certificate.resolver(), settings.client_ca.as_deref())?;
    let book = settings.policies.book();
    let health = Arc::new(Health::new(certificate.resolver(), &settings.certificate, Arc::clone(&book)));
    let refusals = Arc::new(Refusals::default());
    let dashboard = Dashboard {
        book: Arc::clone(&book),
        metrics: Arc::clone(&metrics),
        health: Arc::clone(&health),
        refusals: Arc::clone(&refusals),
        started: Timestamp::now(),
    };
    let webhook = Webhook::new(book, Arc::clone(&metrics), Arc::clone(&health), refusals, settings.bounds);
    log::serving(&listeners, &settings, &certificate.resolver())?;

    let (bounds, policies) = (settings.bounds, settings.policies);
    let mut background = JoinSet::new();
    background.spawn(reload::poll(Watched::new(certificate, policies, Arc::clone(&metrics)), bounds.poll));
    let router = TowerToHyperService::new(routes::admin(Arc::clone(&health), metrics, dashboard));
    let _admin = PortThread::start("admin", Port::plain(router, bounds.of_admin()), listeners.admin, Duration::ZERO)?;

    let webhook = Arc::new(webhook);
    let service = service_fn(move |request| Arc::clone(&webhook).answer(routes::webhook(&request), request));
    let reviews = Port::encrypted(TlsAcceptor::from(tls), service, bounds);
    let mut reviews = PortThread::start("reviews", reviews, listeners.webhook, bounds.drain)?;

    tokio::select! {
        () = drain(shutdown, &health) => {}
        () = reviews.ended() => return Err(StartError::Ended),
    }
    if !reviews.stop().await {
        tracing::warn!("stopped with connections still open");
    }
    Ok(())
}

/// Not ready at once; resolves when the webhook port may be closed.
async fn drain(shutdown: impl Future<Output = Duration>, health: &Health) {
    let linger = shutdown.await;
    health.drain();
    tracing::info!(linger_seconds = linger.as_secs(), "stopping");
    sleep(linger).await;
}
