//! Which certificate the flags of `podfit serve` ask for.

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::server::CertificateFrom;

/// PEM files, a throw-away pair, or a cluster that keeps it.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Flags {
    /// PEM file with the certificate and its chain, read again when it changes [default: a throw-away pair for localhost]
    #[arg(long, env = "PODFIT_TLS_CERT", value_name = "FILE", value_parser = super::path("PODFIT_TLS_CERT"))]
    tls_cert: Option<PathBuf>,

    /// PEM file with the key of --tls-cert
    #[arg(long, env = "PODFIT_TLS_KEY", value_name = "FILE", value_parser = super::path("PODFIT_TLS_KEY"))]
    tls_key: Option<PathBuf>,

    /// Keep a CA and a certificate in a Secret of the namespace, renew them, and put the CA into podfit's webhook
    /// configurations
    #[arg(long, env = "PODFIT_SELF_MANAGED_CERTS",
          value_parser = |text: &str| super::boolean(text, "PODFIT_SELF_MANAGED_CERTS"))]
    self_managed_certs: bool,

    /// Where to write the CA of the throw-away pair, for `curl --cacert`
    #[arg(long, env = "PODFIT_CA_OUT", value_name = "FILE", value_parser = super::path("PODFIT_CA_OUT"))]
    ca_out: Option<PathBuf>,
}

#[derive(Debug)]
pub(super) enum Asked {
    /// Without a cluster.
    Alone(CertificateFrom),
    SelfManaged,
}

impl Flags {
    pub(super) fn asked(self) -> Result<Asked> {
        if self.self_managed_certs {
            return self.self_managed();
        }
        match (self.tls_cert, self.tls_key, self.ca_out) {
            (None, None, ca_out) => Ok(Asked::Alone(CertificateFrom::ThrowAway { ca_out })),
            (Some(certificate), Some(key), None) => Ok(Asked::Alone(CertificateFrom::Files { certificate, key })),
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

    fn self_managed(self) -> Result<Asked> {
        let others = [
            ("--tls-cert (PODFIT_TLS_CERT)", self.tls_cert),
            ("--tls-key (PODFIT_TLS_KEY)", self.tls_key),
            ("--ca-out (PODFIT_CA_OUT)", self.ca_out),
        ];
        for (flag, path) in others {
            if let Some(path) = path {
                bail!(
                    "{flag} {}: --self-managed-certs (PODFIT_SELF_MANAGED_CERTS) makes certificate and CA itself; give one of the two",
                    path.display()
                );
            }
        }
        Ok(Asked::SelfManaged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_that_exclude_each_other_are_refused() {
        let path = |name| Some(PathBuf::from(name));
        let flags =
            |tls_cert, tls_key, ca_out, self_managed_certs| Flags { tls_cert, tls_key, self_managed_certs, ca_out };
        let own =
            "--self-managed-certs (PODFIT_SELF_MANAGED_CERTS) makes certificate and CA itself; give one of the two";
        for (flags, message) in [
            (
                flags(path("a"), None, None, false),
                "--tls-cert (PODFIT_TLS_CERT) a: give its --tls-key (PODFIT_TLS_KEY) too".to_owned(),
            ),
            (
                flags(None, path("b"), None, false),
                "--tls-key (PODFIT_TLS_KEY) b: give its --tls-cert (PODFIT_TLS_CERT) too".to_owned(),
            ),
            (
                flags(path("a"), path("b"), path("c"), false),
                "--ca-out (PODFIT_CA_OUT) c: it is the CA of the throw-away pair, and --tls-cert (PODFIT_TLS_CERT) names another".to_owned(),
            ),
            (flags(path("a"), path("b"), None, true), format!("--tls-cert (PODFIT_TLS_CERT) a: {own}")),
            (flags(None, path("b"), None, true), format!("--tls-key (PODFIT_TLS_KEY) b: {own}")),
            (flags(None, None, path("c"), true), format!("--ca-out (PODFIT_CA_OUT) c: {own}")),
        ] {
            assert_eq!(flags.asked().unwrap_err().to_string(), message);
        }
    }
}
