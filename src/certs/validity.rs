//! From when to when a certificate holds (RFC 5280, 4.1), read from its DER. yasna is in the tree through rcgen; an X.509
//! crate would be six more for these two fields.

use jiff::{SignedDuration, Timestamp};
use rustls_pki_types::{
    CertificateDer,
    pem::{self, PemObject},
};
use yasna::{ASN1Error, ASN1Result, BERReader, BERReaderSeq, Tag, tags::TAG_UTCTIME};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    pub from: Timestamp,
    pub until: Timestamp,
}

#[derive(Debug, thiserror::Error)]
pub enum ValidityError {
    #[error("no PEM certificate")]
    Pem(#[source] pem::Error),
    #[error("no X.509 certificate")]
    Der(#[from] ASN1Error),
    #[error("validity out of range")]
    Range(#[from] jiff::Error),
}

impl Validity {
    /// Of the first certificate in a text.
    ///
    /// # Errors
    ///
    /// Where there is none.
    pub fn of_pem(text: &str) -> Result<Self, ValidityError> {
        Self::of(&CertificateDer::from_pem_slice(text.as_bytes()).map_err(ValidityError::Pem)?)
    }

    /// # Errors
    ///
    /// Where it is no X.509 certificate.
    pub fn of(certificate: &CertificateDer<'_>) -> Result<Self, ValidityError> {
        let (from, until) = yasna::parse_der(certificate, |reader| {
            reader.read_sequence(|parts| {
                let validity = parts.next().read_sequence(validity)?;
                skip_rest(parts)?;
                Ok(validity)
            })
        })?;
        Ok(Self { from: Timestamp::from_second(from)?, until: Timestamp::from_second(until)? })
    }

    /// Whether two thirds of the time are over.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.until.duration_since(now) <= self.until.duration_since(self.from) / 3
    }

    /// From an hour ago, because the clocks of nodes differ, for `life` from now on.
    pub fn starting(now: Timestamp, life: SignedDuration) -> Self {
        Self { from: now - SignedDuration::from_hours(1), until: now + life }
    }
}

/// tbsCertificate is `[0] version, serialNumber, signature, issuer, validity, ...`; the answer is in Unix seconds.
fn validity(tbs: &mut BERReaderSeq<'_, '_>) -> ASN1Result<(i64, i64)> {
    tbs.read_optional(|version| version.read_tagged(Tag::context(0), skip))?;
    for _serial_signature_issuer in 0..3 {
        skip(tbs.next())?;
    }
    let seconds =
        tbs.next().read_sequence(|validity| Ok((unix_seconds(validity.next())?, unix_seconds(validity.next())?)))?;
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
    use crate::certs::Authority;

    #[test]
    fn what_a_certificate_is_made_with_is_read_from_it() {
        // RFC 5280 writes years from 2050 on in another type.
        for (from, until) in
            [("2026-11-23T10:00:00Z", "2026-11-24T11:00:00Z"), ("2049-12-31T23:00:00Z", "2050-01-01T00:00:00Z")]
        {
            let validity = Validity { from: from.parse().unwrap(), until: until.parse().unwrap() };
            let authority = Authority::make(validity).unwrap();
            assert_eq!(Validity::of_pem(&authority.certificate).unwrap(), validity);
            let pair = authority.issue(&["localhost"], validity).unwrap();
            assert_eq!(Validity::of_pem(&pair.certificate).unwrap(), validity);
        }
    }

    #[test]
    fn a_certificate_is_due_when_a_third_of_its_life_is_left() {
        let now: Timestamp = "2026-11-23T10:00:00Z".parse().unwrap();
        let validity =
            Validity { from: now - SignedDuration::from_hours(16), until: now + SignedDuration::from_hours(8) };
        assert!(validity.is_due(now) && validity.is_due(now + SignedDuration::from_hours(99)));
        assert!(!validity.is_due(now - SignedDuration::from_secs(1)));
    }
}
