//! What the Secret holds after each step. Random but for that: the keeper calls it, and writes what it returns.

use std::sync::Arc;

use jiff::Timestamp;

use super::{
    Periods,
    held::{Held, Leaf, Signing},
    proof::{self, NoProof},
};
use crate::certs::{Authority, Validity};

/// With what is made.
pub(super) struct Maker<'a> {
    pub(super) now: Timestamp,
    pub(super) hosts: &'a [String],
    pub(super) periods: &'a Periods,
}

impl Maker<'_> {
    /// A CA and a leaf, out of nothing.
    pub(super) fn anew(&self) -> Result<Held, NoProof> {
        let authority = self.authority()?;
        Ok(Held { leaf: Some(self.leaf(&authority)?), signing: Some(signing(authority)?), ..Held::default() })
    }

    /// A leaf of the same CA.
    pub(super) fn renewed(&self, held: &Held) -> Result<Held, NoProof> {
        let authority = held.authority().ok_or(NoProof::Keyless)?;
        Ok(Held { leaf: Some(self.leaf(&authority)?), ..held.clone() })
    }

    /// The next CA beside the one that signs.
    pub(super) fn announced(&self, held: &Held) -> Result<Held, NoProof> {
        Ok(Held { next: Some(self.authority()?), ..held.clone() })
    }

    /// The next CA signs; the one that did stays trusted.
    pub(super) fn switched(&self, held: &Held) -> Result<Held, NoProof> {
        let next = held.next.clone().ok_or(NoProof::Keyless)?;
        let previous = held.signing.as_ref().map(|signing| signing.certificate.clone());
        Ok(Held {
            leaf: Some(self.leaf(&next)?),
            signing: Some(signing(next)?),
            next: None,
            previous,
            complaints: Vec::new(),
        })
    }

    fn authority(&self) -> Result<Authority, NoProof> {
        Ok(Authority::make(Validity::starting(self.now, self.periods.authority))?)
    }

    /// It must not outlive its CA.
    fn leaf(&self, authority: &Authority) -> Result<Leaf, NoProof> {
        let mut validity = Validity::starting(self.now, self.periods.leaf);
        validity.until = validity.until.min(Validity::of_pem(&authority.certificate)?.until);
        let pair = authority.issue(self.hosts, validity)?;
        Ok(Leaf { validity: proof::pair(&pair, self.hosts)?, pair: Arc::new(pair) })
    }
}

fn signing(authority: Authority) -> Result<Signing, NoProof> {
    let validity = Validity::of_pem(&authority.certificate)?;
    Ok(Signing { certificate: authority.certificate, key: Some(authority.key), validity })
}
