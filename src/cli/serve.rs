//! `podfit serve`: flags and environment → settings, sockets, signals → the server.

use std::{net::SocketAddr, path::PathBuf, process, str::FromStr, time::Duration};

use anyhow::{Context, Result, bail};
use tokio::{
    net::TcpListener,
    runtime::Runtime,
    signal::unix::{Signal, SignalKind, signal},
};
use tracing::level_filters::LevelFilter;

use crate::server::{
    self, Bounds, CertificateFrom, Listeners, Settings,
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

    /// Admin port, plain: /livez, /readyz, /metrics
    #[arg(long, env = "PODFIT_ADMIN_LISTEN", value_name = "ADDRESS", default_value = "127.0.0.1:8080",
          value_parser = |text: &str| address(text, "PODFIT_ADMIN_LISTEN"))]
    admin_listen: SocketAddr,

    /// Policy file or folder, read again when it changes [default: the embedded policy]
    #[arg(long, env = "PODFIT_POLICY", value_name = "PATH")]
    policy: Option<PathBuf>,

    /// PEM file with the certificate and its chain, read again when it changes [default: a throw-away pair for localhost]
    #[arg(long, env = "PODFIT_TLS_CERT", value_name = "FILE")]
    tls_cert: Option<PathBuf>,

    /// PEM file with the key of --tls-cert
    #[arg(long, env = "PODFIT_TLS_KEY", value_name = "FILE")]
    tls_key: Option<PathBuf>,

    /// PEM file; the webhook port then asks for a client certificate of this CA
    #[arg(long, env = "PODFIT_CLIENT_CA", value_name = "FILE")]
    client_ca: Option<PathBuf>,

    /// Where to write the CA of the throw-away pair, for `curl --cacert`
    #[arg(long, env = "PODFIT_CA_OUT", value_name = "FILE")]
    ca_out: Option<PathBuf>,

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
        let settings = Settings {
            policy: self.policy,
            certificate: certificate_from(self.tls_cert, self.tls_key, self.ca_out)?,
            client_ca: self.client_ca,
            bounds: Bounds::default(),
        };
        // Whoever makes a TLS configuration without naming a provider gets this one. It is set already only in tests.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let log = log::start(self.log_format.unwrap_or_else(Format::of_terminal), self.log_level)?;
        let runtime = Runtime::new().context("start the runtime")?;
        let served = runtime.block_on(serve(settings, self.listen, self.admin_listen, &log));
        // A look at a file that hangs must not keep the process.
        runtime.shutdown_background();
        served
    }
}

async fn serve(settings: Settings, listen: SocketAddr, admin_listen: SocketAddr, log: &Log) -> Result<()> {
    let webhook = bind(listen, "--listen (PODFIT_LISTEN)").await?;
    let admin = bind(admin_listen, "--admin-listen (PODFIT_ADMIN_LISTEN)").await?;
    let signals = Signals::new()?;
    server::run(settings, Listeners { webhook, admin }, log.lost_lines(), signals.first()).await?;
    Ok(())
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

fn certificate_from(
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    ca_out: Option<PathBuf>,
) -> Result<CertificateFrom> {
    match (certificate, key, ca_out) {
        (None, None, ca_out) => Ok(CertificateFrom::ThrowAway { ca_out }),
        (Some(certificate), Some(key), None) => Ok(CertificateFrom::Files { certificate, key }),
        (Some(_), Some(_), Some(path)) => bail!(
            "--ca-out (PODFIT_CA_OUT) {}: it is the CA of the throw-away pair, and --tls-cert (PODFIT_TLS_CERT) names another",
            path.display()
        ),
        (Some(path), None, _) => {
            bail!("--tls-cert (PODFIT_TLS_CERT) {}: give its --tls-key (PODFIT_TLS_KEY) too", path.display())
        }
        (None, Some(path), _) => {
            bail!("--tls-key (PODFIT_TLS_KEY) {}: give its --tls-cert (PODFIT_TLS_CERT) too", path.display())
        }
    }
}

fn address(text: &str, variable: &str) -> Result<SocketAddr, String> {
    SocketAddr::from_str(text).map_err(|_| {
        format!("write an IP address and a port, as in 127.0.0.1:8443 or [::]:8443 (also set by {variable})")
    })
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
        ] {
            let message = Line::try_parse_from(["serve"].into_iter().chain(arguments)).unwrap_err().to_string();
            for part in [flag, variable, value] {
                assert!(message.contains(part), "{message}");
            }
        }
    }

    #[test]
    fn a_certificate_needs_its_key_and_has_no_ca_to_write() {
        let path = |name| Some(PathBuf::from(name));
        for (certificate, key, ca_out, message) in [
            (path("a"), None, None, "--tls-cert (PODFIT_TLS_CERT) a: give its --tls-key (PODFIT_TLS_KEY) too"),
            (None, path("b"), None, "--tls-key (PODFIT_TLS_KEY) b: give its --tls-cert (PODFIT_TLS_CERT) too"),
            (
                path("a"),
                path("b"),
                path("c"),
                "--ca-out (PODFIT_CA_OUT) c: it is the CA of the throw-away pair, and --tls-cert (PODFIT_TLS_CERT) names another",
            ),
        ] {
            assert_eq!(certificate_from(certificate, key, ca_out).unwrap_err().to_string(), message);
        }
    }
}
