//! Whether a pair is what the API server will accept: the key fits, the CA has signed it, all our names are in it. By the
//! rules of a TLS client, because that is what the API server is here. `held.rs` asks.

use std::sync::Arc;

use jiff::Timestamp;
use rustls::{
    RootCertStore,
    client::{VerifierBuilderError, WebPkiServerVerifier, danger::ServerCertVerifier},
    crypto::aws_lc_rs,
    pki_types::{
        CertificateDer, InvalidDnsNameError, PrivateKeyDer, ServerName, UnixTime,
        pem::{self, PemObject},
    },
    sign::CertifiedKey,
};

use crate::certs::{Authority, Pair, Validity, ValidityError};

#[derive(Debug, thiserror::Error)]
pub(super) enum NoProof {
    #[error(transparent)]
    Validity(#[from] ValidityError),
    #[error("no PEM: {0}")]
    Pem(#[from] pem::Error),
    #[error("{0}")]
    Tls(#[from] rustls::Error),
    #[error("its CA: {0}")]
    Verifier(#[from] VerifierBuilderError),
    #[error("{0} is no name of a server")]
    Name(String, #[source] InvalidDnsNameError),
    #[error("there is no CA with its key")]
    Keyless,
    #[error("cannot sign: {0}")]
    Sign(#[from] rcgen::Error),
}

/// From when to when a good pair holds; whether it does now is not asked here.
pub(super) fn pair(pair: &Pair, hosts: &[String]) -> Result<Validity, NoProof> {
    let validity = Validity::of_pem(&pair.certificate)?;
    let leaf = CertificateDer::from_pem_slice(pair.certificate.as_bytes())?;
    let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes())?;
    CertifiedKey::from_der(vec![leaf.clone()], key, &aws_lc_rs::default_provider())?;
    let verifier = verifier(&pair.ca)?;
    for host in hosts {
        let name = ServerName::try_from(host.as_str()).map_err(|error| NoProof::Name(host.clone(), error))?;
        verifier.verify_server_cert(&leaf, &[], &name, &[], unix(validity.from))?;
    }
    Ok(validity)
}

/// That a CA can sign is best seen from something signed.
pub(super) fn authority(authority: &Authority, hosts: &[String]) -> Result<Validity, NoProof> {
    let validity = Validity::of_pem(&authority.certificate)?;
    pair(&authority.issue(hosts, validity)?, hosts)?;
    Ok(validity)
}

fn verifier(ca: &str) -> Result<Arc<WebPkiServerVerifier>, NoProof> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ca.as_bytes())?)?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    Ok(WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build()?)
}

fn unix(time: Timestamp) -> UnixTime {
    UnixTime::since_unix_epoch(std::time::Duration::from_secs(time.as_second().unsigned_abs()))
}
