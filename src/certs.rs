//! Makes CAs and the server pairs that they sign, and reads from when to when a certificate holds. Called by
//! `podfit serve` (throw-away pair), `podfit certs`, and `cluster` (self-managed certificates).

use std::{fmt, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, Error, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, date_time_ymd,
};

mod validity;

pub use validity::{Validity, ValidityError};

/// What a laptop is called: the names of a pair where none are given.
pub const LOCAL_HOSTS: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// The clocks of a laptop and its cluster may differ, by time zones too.
const LOCAL_SKEW: SignedDuration = SignedDuration::from_hours(24);

/// A CA certificate and a server pair signed by it, all PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct Pair {
    pub ca: String,
    pub certificate: String,
    pub key: String,
}

/// A CA: its certificate and its key, both PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct Authority {
    pub certificate: String,
    pub key: String,
}

/// What a keeper of certificates hands to the server: the pair to be shown, and why we should not be called, if so.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept {
    pub pair: Option<Arc<Pair>>,
    pub unready: Option<String>,
}

/// Makes a pair for `hosts` (DNS names or IP addresses), valid from yesterday for `days` days from now. The CA's key is
/// thrown away: nobody can sign with it again.
///
/// # Errors
///
/// Where a host is no DNS name, or no random numbers are to be had.
pub fn make_pair<H: AsRef<str>>(hosts: &[H], days: u32) -> Result<Pair, Error> {
    let now = Timestamp::now();
    let validity = Validity { from: now - LOCAL_SKEW, until: now + Duration::from_hours(24) * days };
    Authority::make(validity)?.issue(hosts, validity)
}

impl Authority {
    /// Makes an ECDSA P-256 CA.
    ///
    /// # Errors
    ///
    /// Where no random numbers are to be had.
    pub fn make(validity: Validity) -> Result<Self, Error> {
        let key = KeyPair::generate()?;
        let certificate = within(authority(), validity).self_signed(&key)?.pem();
        Ok(Self { certificate, key: key.serialize_pem() })
    }

    /// Signs a new pair for `hosts` (DNS names or IP addresses).
    ///
    /// # Errors
    ///
    /// Where a host is no DNS name, the CA's key is none, or no random numbers are to be had.
    pub fn issue<H: AsRef<str>>(&self, hosts: &[H], validity: Validity) -> Result<Pair, Error> {
        let issuer = Issuer::new(authority(), KeyPair::from_pem(&self.key)?);
        let key = KeyPair::generate()?;
        let certificate = within(leaf(hosts)?, validity).signed_by(&key, &issuer)?.pem();
        Ok(Pair { ca: self.certificate.clone(), certificate, key: key.serialize_pem() })
    }
}

/// All CAs have one name: who looks for the signer tells them apart by their keys' identifiers.
fn authority() -> CertificateParams {
    let mut params = named("podfit CA", CertificateParams::default());
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn leaf<H: AsRef<str>>(hosts: &[H]) -> Result<CertificateParams, Error> {
    let names: Vec<String> = hosts.iter().map(|host| host.as_ref().to_owned()).collect();
    let mut params = named("podfit", CertificateParams::new(names)?);
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    Ok(params)
}

fn named(name: &str, mut params: CertificateParams) -> CertificateParams {
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn within(mut params: CertificateParams, validity: Validity) -> CertificateParams {
    let since_1970 = |time: Timestamp| Duration::from_secs(time.as_second().unsigned_abs());
    let epoch = date_time_ymd(1970, 1, 1);
    params.not_before = epoch + since_1970(validity.from);
    params.not_after = epoch + since_1970(validity.until);
    params
}

/// Without the key, which must reach no log.
impl fmt::Debug for Pair {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Pair").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

/// Without the key, which must reach no log.
impl fmt::Debug for Authority {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Authority").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}
