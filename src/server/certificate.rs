//! The server's certificate: proved good, swapped while serving. Handshakes read it through the resolver.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use arc_swap::ArcSwapOption;
use jiff::Timestamp;
use rustls::{
    RootCertStore, ServerConfig,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{self, PemObject},
    },
    server::{ClientHello, ResolvesServerCert, VerifierBuilderError, WebPkiClientVerifier, danger::ClientCertVerifier},
    sign::CertifiedKey,
};

use super::StartError;
use crate::certs::{Pair, Validity, ValidityError};

mod source;

pub(super) use source::Followed;

/// Why a pair or a CA is not taken.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    #[error("read {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("no PEM certificate")]
    Certificate(#[source] pem::Error),
    #[error("no PEM certificate in it")]
    Empty,
    #[error("no PEM private key (PKCS#8, SEC1 or PKCS#1)")]
    Key(#[source] pem::Error),
    #[error("certificate and key do not fit")]
    Pair(#[source] rustls::Error),
    #[error(transparent)]
    Validity(#[from] ValidityError),
    #[error("make a pair")]
    Make(#[from] rcgen::Error),
    #[error("no CA certificate")]
    Authority(#[source] rustls::Error),
    #[error("no usable CA")]
    Verifier(#[from] VerifierBuilderError),
}

/// A chain with its key, proved to fit.
pub(super) struct Certificate {
    key: Arc<CertifiedKey>,
    not_after: Timestamp,
}

impl Certificate {
    pub(super) fn of_pair(pair: &Pair) -> Result<Self, CertificateError> {
        Self::from_pem(pair.certificate.as_bytes(), pair.key.as_bytes())
    }

    pub(super) fn from_pem(certificate: &[u8], key: &[u8]) -> Result<Self, CertificateError> {
        let chain = chain(certificate)?;
        let not_after = Validity::of(&chain[0])?.until;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(CertificateError::Key)?;
        let key = CertifiedKey::from_der(chain, key, &provider()).map_err(CertificateError::Pair)?;
        Ok(Self { key: Arc::new(key), not_after })
    }
}

/// Shows the same certificate to every client: one that calls by IP address sends no name. Without one, as before a
/// keeper has found it, handshakes fail.
#[derive(Default)]
pub(super) struct Resolver(ArcSwapOption<Certificate>);

impl Resolver {
    fn of(certificate: Certificate) -> Arc<Self> {
        let resolver = Self::default();
        resolver.swap(certificate);
        Arc::new(resolver)
    }

    pub(super) fn not_after(&self) -> Option<Timestamp> {
        self.0.load().as_ref().map(|certificate| certificate.not_after)
    }

    pub(super) fn swap(&self, certificate: Certificate) {
        self.0.store(Some(Arc::new(certificate)));
    }
}

impl std::fmt::Debug for Resolver {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Resolver(until {:?})", self.not_after())
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, _client: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.load().as_ref().map(|certificate| Arc::clone(&certificate.key))
    }
}

/// TLS 1.2 and 1.3, session tickets, `h2` or `http/1.1` or no ALPN at all: the API server offers `http/1.1` alone.
pub(super) fn tls(resolver: &Arc<Resolver>, client_ca: Option<&Path>) -> Result<Arc<ServerConfig>, StartError> {
    let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    let builder = match client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => builder.with_client_cert_verifier(
            client_verifier(path).map_err(|source| StartError::ClientCa { path: path.to_owned(), source })?,
        ),
    };
    let mut config = builder.with_cert_resolver(Arc::clone(resolver) as Arc<dyn ResolvesServerCert>);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.ticketer = aws_lc_rs::Ticketer::new()?;
    Ok(Arc::new(config))
}

fn client_verifier(path: &Path) -> Result<Arc<dyn ClientCertVerifier>, CertificateError> {
    let mut roots = RootCertStore::empty();
    for certificate in chain(&read(path)?)? {
        roots.add(certificate).map_err(CertificateError::Authority)?;
    }
    Ok(WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider()).build()?)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn read(path: &Path) -> Result<Vec<u8>, CertificateError> {
    fs::read(path).map_err(|source| CertificateError::Read { path: path.to_owned(), source })
}

/// At least one certificate, the leaf first.
fn chain(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let chain =
        CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>().map_err(CertificateError::Certificate)?;
    if chain.is_empty() { Err(CertificateError::Empty) } else { Ok(chain) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certs::{LOCAL_HOSTS, make_pair};

    #[test]
    fn a_pair_is_taken_or_refused_with_the_reason() {
        let (pair, other) = (make_pair(&LOCAL_HOSTS, 30).unwrap(), make_pair(&LOCAL_HOSTS, 30).unwrap());
        let chain = format!("{}{}", pair.certificate, pair.ca);
        for (name, certificate, key, outcome) in [
            ("pair", pair.certificate.as_str(), pair.key.as_str(), "taken"),
            ("chain", &chain, &pair.key, "taken"),
            ("key of another", &pair.certificate, &other.key, "certificate and key do not fit"),
            ("empty certificate", "", &pair.key, "no PEM certificate in it"),
            ("half-written certificate", &pair.certificate[..99], &pair.key, "no PEM certificate"),
            ("empty key", &pair.certificate, "", "no PEM private key (PKCS#8, SEC1 or PKCS#1)"),
            ("swapped", &pair.key, &pair.certificate, "no PEM certificate in it"),
        ] {
            let taken = Certificate::from_pem(certificate.as_bytes(), key.as_bytes());
            assert_eq!(taken.map_or_else(|error| error.to_string(), |_| "taken".to_owned()), outcome, "{name}");
        }
    }
}
