//! Makes a CA and a server pair for laptops and kind. Called by `podfit serve` (throw-away pair) and `podfit certs`.

use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, Error, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};

/// What a laptop is called: the names of a pair where none are given.
pub const LOCAL_HOSTS: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// A CA certificate and a server pair signed by it, all PEM. The CA's key is thrown away: nobody can sign with it again.
#[derive(Debug)]
pub struct Pair {
    pub ca: String,
    pub certificate: String,
    pub key: String,
}

/// Makes an ECDSA P-256 pair for `hosts` (DNS names or IP addresses), valid from yesterday for `days` days from now.
///
/// # Errors
///
/// Where a host is no DNS name, or no random numbers are to be had.
pub fn make_pair<H: AsRef<str>>(hosts: &[H], days: i32) -> Result<Pair, Error> {
    let mut authority = within(CertificateParams::default(), days);
    authority.distinguished_name.push(DnType::CommonName, "podfit local CA");
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;

    let names: Vec<String> = hosts.iter().map(|host| host.as_ref().to_owned()).collect();
    let mut leaf = within(CertificateParams::new(names)?, days);
    leaf.distinguished_name.push(DnType::CommonName, "podfit");
    leaf.use_authority_key_identifier_extension = true;
    leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate()?;
    let leaf = leaf.signed_by(&key, &authority)?;

    Ok(Pair { ca: authority.pem(), certificate: leaf.pem(), key: key.serialize_pem() })
}

/// Yesterday, because the clocks of a laptop and its cluster may differ.
fn within(mut params: CertificateParams, days: i32) -> CertificateParams {
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    let midnight =
        |date: Date| date_time_ymd(date.year().into(), date.month().unsigned_abs(), date.day().unsigned_abs());
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.not_before = midnight(today.saturating_sub(1.day()));
    params.not_after = midnight(today.saturating_add(days.days()));
    params
}
