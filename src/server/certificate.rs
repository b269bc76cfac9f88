//! The server's certificate: read, proved good, swapped while serving. Handshakes read it through the resolver.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use arc_swap::ArcSwap;
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
use yasna::{ASN1Error, ASN1Result, BERReader, BERReaderSeq, Tag, tags::TAG_UTCTIME};

use super::{CertificateFrom, StartError};
use crate::certs::{LOCAL_HOSTS, make_pair};

/// Days: longer than any session on a laptop, short enough to be no use to anyone else.
const THROW_AWAY_DAYS: i32 = 30;

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
    #[error("no X.509 certificate")]
    Der(#[from] ASN1Error),
    #[error("validity out of range")]
    Validity(#[from] jiff::Error),
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
    pub(super) fn of_bytes(bytes: &PairBytes) -> Result<Self, CertificateError> {
        Self::from_pem(&bytes.certificate, &bytes.key)
    }

    fn from_pem(certificate: &[u8], key: &[u8]) -> Result<Self, CertificateError> {
        let chain = chain(certificate)?;
        let not_after = not_after(&chain[0])?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(CertificateError::Key)?;
        let key = CertifiedKey::from_der(chain, key, &provider()).map_err(CertificateError::Pair)?;
        Ok(Self { key: Arc::new(key), not_after })
    }
}

/// Shows the same certificate to every client: one that calls by IP address sends no name.
pub(super) struct Resolver(ArcSwap<Certificate>);

impl Resolver {
    pub(super) fn not_after(&self) -> Timestamp {
        self.0.load().not_after
    }

    pub(super) fn swap(&self, certificate: Certificate) {
        self.0.store(Arc::new(certificate));
    }
}

impl std::fmt::Debug for Resolver {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Resolver(until {})", self.not_after())
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, _client: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.load().key))
    }
}

/// Where the pair is read from, again and again.
#[derive(Debug)]
pub(super) struct Files {
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
}

impl Files {
    /// Both files in one go. If a swap falls between them the pair does not fit, and the next look finds both new.
    pub(super) fn read(&self) -> Result<PairBytes, CertificateError> {
        Ok(PairBytes { certificate: read(&self.certificate)?, key: read(&self.key)? })
    }
}

/// PEM, as read.
#[derive(PartialEq, Eq)]
pub(super) struct PairBytes {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

/// The certificate in use, with the files it comes from (none: throw-away) and their bytes.
pub(super) struct Loaded {
    pub(super) resolver: Arc<Resolver>,
    pub(super) source: Option<(Files, PairBytes)>,
}

pub(super) fn load(from: &CertificateFrom) -> Result<Loaded, StartError> {
    match from {
        CertificateFrom::Files { certificate, key } => from_files(certificate.clone(), key.clone())
            .map_err(|source| StartError::Files { certificate: certificate.clone(), key: key.clone(), source }),
        CertificateFrom::ThrowAway { ca_out } => throw_away(ca_out.as_deref()),
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

fn from_files(certificate: PathBuf, key: PathBuf) -> Result<Loaded, CertificateError> {
    let files = Files { certificate, key };
    let bytes = files.read()?;
    let resolver = resolver(Certificate::of_bytes(&bytes)?);
    Ok(Loaded { resolver, source: Some((files, bytes)) })
}

fn throw_away(ca_out: Option<&Path>) -> Result<Loaded, StartError> {
    let pair = make_pair(&LOCAL_HOSTS, THROW_AWAY_DAYS).map_err(|error| StartError::ThrowAway(error.into()))?;
    let certificate = Certificate::from_pem(pair.certificate.as_bytes(), pair.key.as_bytes());
    let certificate = certificate.map_err(StartError::ThrowAway)?;
    if let Some(path) = ca_out {
        fs::write(path, pair.ca).map_err(|source| StartError::CaOut { path: path.to_owned(), source })?;
    }
    Ok(Loaded { resolver: resolver(certificate), source: None })
}

fn resolver(certificate: Certificate) -> Arc<Resolver> {
    Arc::new(Resolver(ArcSwap::from_pointee(certificate)))
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

/// RFC 5280, 4.1. yasna is in the tree through rcgen; an X.509 crate would be six more for this one field.
fn not_after(certificate: &CertificateDer<'_>) -> Result<Timestamp, CertificateError> {
    let seconds = yasna::parse_der(certificate, |reader| {
        reader.read_sequence(|parts| {
            let seconds = parts.next().read_sequence(end_of_validity)?;
            skip_rest(parts)?;
            Ok(seconds)
        })
    })?;
    Ok(Timestamp::from_second(seconds)?)
}

/// tbsCertificate is `[0] version, serialNumber, signature, issuer, validity, ...`; the answer is Unix seconds.
fn end_of_validity(tbs: &mut BERReaderSeq<'_, '_>) -> ASN1Result<i64> {
    tbs.read_optional(|version| version.read_tagged(Tag::context(0), skip))?;
    for _serial_signature_issuer in 0..3 {
        skip(tbs.next())?;
    }
    let seconds = tbs.next().read_sequence(|validity| {
        skip(validity.next())?;
        unix_seconds(validity.next())
    })?;
    skip_rest(tbs)?;
    Ok(seconds)
}

fn unix_seconds(time: BERReader<'_, '_>) -> ASN1Result<i64> {
    if time.lookahead_tag()? == TAG_UTCTIME {
        Ok(time.read_utctime()?.datetime().unix_timestamp())
    } else {
        Ok(time.read_generalized_time()?.datetime().unix_timestamp())
    }
}

fn skip_rest(sequence: &mut BERReaderSeq<'_, '_>) -> ASN1Result<()> {
    while sequence.read_optional(skip)?.is_some() {}
    Ok(())
}

fn skip(part: BERReader<'_, '_>) -> ASN1Result<()> {
    part.read_der().map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn validity_ends_at_midnight_of_the_last_day() {
        let pair = make_pair(&LOCAL_HOSTS, 30).unwrap();
        let certificate = Certificate::from_pem(pair.certificate.as_bytes(), pair.key.as_bytes()).unwrap();
        let days = (certificate.not_after.as_second() - Timestamp::now().as_second()) / 86_400;
        assert_eq!(days, 29);
    }
}
