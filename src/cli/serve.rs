//! `podfit serve`: flags and environment → settings, sockets, signals → the server.

use std::{net::SocketAddr, path::PathBuf, process, str::FromStr, time::Duration};

use anyhow::{Context, Result};
use clap::builder::{OsStringValueParser, TypedValueParser};
use tokio::{
    net::TcpListener,
    runtime,
    signal::unix::{Signal, SignalKind, signal},
};
use tracing::level_filters::LevelFilter;

mod certificate;
#[cfg(feature = "cluster")]
mod keepers;
mod open_files;

use certificate::Asked;
#[cfg(feature = "cluster")]
use keepers::Keepers;
#[cfg(not(feature = "cluster"))]
use {
    crate::{certs::Kept, policies::Book},
    std::{future, sync::Arc},
    tokio::sync::watch,
};

use crate::server::{
    self, Bounds, CertificateFrom, FromCluster, Listeners, Policies, Settings,
    log::{self, Format, Log},
};

/// How long connections are still accepted after SIGTERM: the cluster's endpoints forget a Pod only after it was told to
/// end. A person who presses Ctrl-C need not wait.
const LINGER: Duration = Duration::from_secs(5);

/// Serves the webhook. On a laptop it needs no argument.
#[derive(Debug, clap::Args)]
pub struct Serve {
    /// Webhook port: TLS only, HTTP/1.1 and h2
    #[arg(long, env = "PODFIT_LISTEN", value_name = "ADDRESS", default_value = "127.0.0.1:8443",
          value_parser = |text: &str| address(text, "PODFIT_LISTEN"))]
    listen: SocketAddr,

    /// Admin port, plain: a dashboard at /, /livez, /readyz, /metrics
    #[arg(long, env = "PODFIT_ADMIN_LISTEN", value_name = "ADDRESS", default_value = "127.0.0.1:8080",
          value_parser = |text: &str| address(text, "PODFIT_ADMIN_LISTEN"))]
    admin_listen: SocketAddr,

    /// Policy file or folder, read again when it changes [default: the embedded policy, or the cluster's alone]
    #[arg(long, env = "PODFIT_POLICY", value_name = "PATH", value_parser = path("PODFIT_POLICY"))]
    policy: Option<PathBuf>,

    /// Follow the cluster's SizingPolicy objects and its namespaces
    #[arg(long, env = "PODFIT_POLICIES_FROM_CLUSTER",
          value_parser = |text: &str| boolean(text, "PODFIT_POLICIES_FROM_CLUSTER"))]
    policies_from_cluster: bool,

    /// Follow the labels of the cluster's namespaces, which a policy's namespaceSelector asks for
    #[arg(long, env = "PODFIT_WATCH_NAMESPACES",
          value_parser = |text: &str| boolean(text, "PODFIT_WATCH_NAMESPACES"))]
    watch_namespaces: bool,

    #[command(flatten)]
    certificate: certificate::Flags,

    /// PEM file; the webhook port then asks for a client certificate of this CA
    #[arg(long, env = "PODFIT_CLIENT_CA", value_name = "FILE", value_parser = path("PODFIT_CLIENT_CA"))]
    client_ca: Option<PathBuf>,

    /// `text` or `json` [default: text on a terminal, else json]
    #[arg(long, env = "PODFIT_LOG_FORMAT", value_name = "FORMAT", value_parser = format)]
    log_format: Option<Format>,

    /// `error`, `warn`, `info`, `debug`, `trace` or `off`
    #[arg(long, env = "PODFIT_LOG_LEVEL", value_name = "LEVEL", default_value = "info", value_parser = level)]
    log_level: LevelFilter,
}

impl Serve {
    /// Serves until SIGTERM or SIGINT.
    ///
    /// # Errors
    ///
    /// Where something that was asked for cannot be had: a file, a port, a policy.
    pub fn run(self) -> Result<()> {
        let asked = self.certificate.clone().asked()?;
        // Whoever makes a TLS configuration without naming a provider gets this one. It is set already only in tests.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let log = log::start(self.log_format.unwrap_or_else(Format::of_terminal), self.log_level)?;
        // Both ports have threads of their own: this one is for what is done beside them.
        let runtime = runtime::Builder::new_current_thread().enable_all().build().context("start the runtime")?;
        let served = runtime.block_on(self.serve(asked, &log));
        // A look at a file that hangs must not keep the process.
        runtime.shutdown_background();
        served
    }

    async fn serve(self, asked: Asked, log: &Log) -> Result<()> {
        let webhook = bind(self.listen, "--listen (PODFIT_LISTEN)").await?;
        let admin = bind(self.admin_listen, "--admin-listen (PODFIT_ADMIN_LISTEN)").await?;
        let signals = Signals::new()?;
        let from = self.asks_of_cluster();
        let mut keepers = match self.asks_the_cluster(&asked) {
            Some(flag) => Some(Keepers::connect(flag).await?),
            None => None,
        };
        let policies = Policies::load(self.policy, from)?;
        let certificate = match (asked, &mut keepers) {
            (Asked::SelfManaged, Some(keepers)) => CertificateFrom::Kept(keepers.keep_certificates()),
            (Asked::Alone(certificate), _) => certificate,
            (Asked::SelfManaged, None) => unreachable!("it asks the cluster"),
        };
        if let Some(keepers) = &keepers {
            keepers.keep_book(policies.book(), from);
        }
        let settings = Settings { policies, certificate, client_ca: self.client_ca, bounds: bounds() };
        let listeners = Listeners { webhook, admin };
        server::run(settings, listeners, log.lost_lines(), shutdown(signals, keepers)).await?;
        Ok(())
    }

    fn asks_of_cluster(&self) -> FromCluster {
        match (self.policies_from_cluster, self.watch_namespaces) {
            (true, _) => FromCluster::Policies,
            (false, true) => FromCluster::Namespaces,
            (false, false) => FromCluster::Nothing,
        }
    }

    /// By which flag, if by any.
    fn asks_the_cluster(&self, asked: &Asked) -> Option<&'static str> {
        match (asked, self.asks_of_cluster()) {
            (Asked::SelfManaged, _) => Some("--self-managed-certs (PODFIT_SELF_MANAGED_CERTS)"),
            (_, FromCluster::Policies) => Some("--policies-from-cluster (PODFIT_POLICIES_FROM_CLUSTER)"),
            (_, FromCluster::Namespaces) => Some("--watch-namespaces (PODFIT_WATCH_NAMESPACES)"),
            (_, FromCluster::Nothing) => None,
        }
    }
}

/// What is uninstalled is told to end by SIGTERM. Cleaning up takes less time than the linger.
async fn shutdown(signals: Signals, keepers: Option<Keepers>) -> Duration {
    let linger = signals.first().await;
    if let Some(keepers) = keepers.filter(|_| !linger.is_zero()) {
        tokio::spawn(keepers.clean_up());
    }
    linger
}

/// As many connections as there may be open files for.
fn bounds() -> Bounds {
    let usual = Bounds::default();
    Bounds { connections: open_files::connections(usual.connections), ..usual }
}

async fn bind(address: SocketAddr, flag: &str) -> Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("{flag} {address}"))
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> Result<Self> {
        let handler = |kind| signal(kind).context("handle signals");
        Ok(Self { terminate: handler(SignalKind::terminate())?, interrupt: handler(SignalKind::interrupt())? })
    }

    /// How long to go on after the first signal. The second one ends the process at once.
    async fn first(mut self) -> Duration {
        let linger = self.next().await;
        tokio::spawn(async move {
            self.next().await;
            process::exit(1);
        });
        linger
    }

    async fn next(&mut self) -> Duration {
        tokio::select! {
            _ = self.terminate.recv() => LINGER,
            _ = self.interrupt.recv() => Duration::ZERO,
        }
    }
}

/// None can be had.
#[cfg(not(feature = "cluster"))]
enum Keepers {}

#[cfg(not(feature = "cluster"))]
impl Keepers {
    fn connect(flag: &str) -> future::Ready<Result<Self>> {
        future::ready(Err(anyhow::anyhow!(
            "{flag}: this podfit was built without the feature `cluster`, and talks to no API server"
        )))
    }

    fn keep_certificates(&mut self) -> watch::Receiver<Kept> {
        match *self {}
    }

    fn keep_book(&self, _book: Arc<Book>, _from: FromCluster) {
        match *self {}
    }

    fn clean_up(self) -> future::Ready<()> {
        match self {}
    }
}

fn address(text: &str, variable: &str) -> Result<SocketAddr, String> {
    SocketAddr::from_str(text).map_err(|_| {
        format!("write an IP address and a port, as in 127.0.0.1:8443 or [::]:8443 (also set by {variable})")
    })
}

/// Where a variable is set to nothing, clap's own parser names the flag alone.
fn path(variable: &'static str) -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().try_map(move |text| {
        if text.is_empty() {
            Err(format!("write a path, or nothing at all (also set by {variable})"))
        } else {
            Ok(text.into())
        }
    })
}

fn boolean(text: &str, variable: &str) -> Result<bool, String> {
    text.parse().map_err(|_| format!("write true or false (also set by {variable})"))
}

fn format(text: &str) -> Result<Format, String> {
    match text {
        "text" => Ok(Format::Text),
        "json" => Ok(Format::Json),
        _ => Err("write text or json (also set by PODFIT_LOG_FORMAT)".to_owned()),
    }
}

fn level(text: &str) -> Result<LevelFilter, String> {
    match text {
        "error" | "warn" | "info" | "debug" | "trace" | "off" => {
            LevelFilter::from_str(text).map_err(|error| error.to_string())
        }
        _ => Err("write error, warn, info, debug, trace or off (also set by PODFIT_LOG_LEVEL)".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        serve: Serve,
    }

    #[test]
    fn a_bad_value_is_refused_with_flag_variable_and_value() {
        for (arguments, flag, variable, value) in [
            (["--listen", "8443"], "--listen", "PODFIT_LISTEN", "8443"),
            (["--listen", "localhost:8443"], "--listen", "PODFIT_LISTEN", "localhost:8443"),
            (["--admin-listen", ":8080"], "--admin-listen", "PODFIT_ADMIN_LISTEN", ":8080"),
            (["--log-format", "xml"], "--log-format", "PODFIT_LOG_FORMAT", "xml"),
            (["--log-level", "loud"], "--log-level", "PODFIT_LOG_LEVEL", "loud"),
            (["--policy", ""], "--policy", "PODFIT_POLICY", ""),
            (["--tls-cert", ""], "--tls-cert", "PODFIT_TLS_CERT", ""),
            (["--tls-key", ""], "--tls-key", "PODFIT_TLS_KEY", ""),
            (["--client-ca", ""], "--client-ca", "PODFIT_CLIENT_CA", ""),
            (["--ca-out", ""], "--ca-out", "PODFIT_CA_OUT", ""),
        ] {
            let message = Line::try_parse_from(["serve"].into_iter().chain(arguments)).unwrap_err().to_string();
            for part in [flag, variable, value] {
                assert!(message.contains(part), "{message}");
            }
        }
    }
}
