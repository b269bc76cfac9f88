//! What the Secret holds, proved piece by piece, and what it holds after each step. The keeper reads and writes it.

use std::{collections::BTreeMap, sync::Arc};

use k8s_openapi::ByteString;

use super::proof::{self, NoProof};
use crate::certs::{Authority, Pair, Validity};

/// Keys of the Secret's data; all PEM.
const CA: &str = "ca.crt";
const CA_KEY: &str = "ca.key";
const NEXT_CA: &str = "next-ca.crt";
const NEXT_CA_KEY: &str = "next-ca.key";
const PREVIOUS_CA: &str = "previous-ca.crt";
const CERTIFICATE: &str = "tls.crt";
const KEY: &str = "tls.key";

pub(super) const KEYS: [&str; 7] = [CA, CA_KEY, NEXT_CA, NEXT_CA_KEY, PREVIOUS_CA, CERTIFICATE, KEY];

pub(super) type Data = BTreeMap<String, ByteString>;

/// The usable pieces. What cannot be used is absent here, and named in `complaints`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Held {
    /// Signs the leaf.
    pub(super) signing: Option<Signing>,
    /// Trusted already, signs later.
    pub(super) next: Option<Authority>,
    /// Signs no more, trusted still. Its key is gone.
    pub(super) previous: Option<String>,
    pub(super) leaf: Option<Leaf>,
    pub(super) complaints: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Signing {
    pub(super) certificate: String,
    /// None where it is missing or another's: nothing can be signed then, but what was signed holds.
    pub(super) key: Option<String>,
    pub(super) validity: Validity,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Leaf {
    pub(super) pair: Arc<Pair>,
    pub(super) validity: Validity,
}

impl Held {
    pub(super) fn read(data: &Data, hosts: &[String]) -> Self {
        let mut held = Self::default();
        let text = |key: &str| data.get(key).map(|bytes| String::from_utf8_lossy(&bytes.0).into_owned());
        held.signing = text(CA).and_then(|certificate| held.signing(certificate, text(CA_KEY), hosts));
        if let (Some(certificate), Some(key)) = (text(NEXT_CA), text(NEXT_CA_KEY)) {
            let next = Authority { certificate, key };
            held.next = held.usable(NEXT_CA, proof::authority(&next, hosts)).map(|_| next);
        }
        if let Some(previous) = text(PREVIOUS_CA) {
            held.previous =
                held.usable(PREVIOUS_CA, Validity::of_pem(&previous).map_err(NoProof::from)).map(|_| previous);
        }
        if let (Some(signing), Some(certificate), Some(key)) = (&held.signing, text(CERTIFICATE), text(KEY)) {
            let pair = Pair { ca: signing.certificate.clone(), certificate, key };
            let proved = proof::pair(&pair, hosts);
            held.leaf = held.usable(CERTIFICATE, proved).map(|validity| Leaf { pair: Arc::new(pair), validity });
        }
        held
    }

    fn signing(&mut self, certificate: String, key: Option<String>, hosts: &[String]) -> Option<Signing> {
        let validity = self.usable(CA, Validity::of_pem(&certificate).map_err(NoProof::from))?;
        let key = key.and_then(|key| {
            let authority = Authority { certificate: certificate.clone(), key };
            self.usable(CA_KEY, proof::authority(&authority, hosts)).map(|_| authority.key)
        });
        Some(Signing { certificate, key, validity })
    }

    fn usable<T>(&mut self, key: &str, proved: Result<T, NoProof>) -> Option<T> {
        proved.map_err(|why| self.complaints.push(format!("{key}: {why}"))).ok()
    }

    /// Good to be written back.
    pub(super) fn is_whole(&self) -> bool {
        self.leaf.is_some() && self.signing.as_ref().is_some_and(|signing| signing.key.is_some())
    }

    /// What `caBundle` is to hold: all CAs that a server's certificate may come from. The oldest first, so that it need not
    /// be written when the next CA begins to sign: a new bundle is a new connection for every API server.
    pub(super) fn bundle(&self) -> Vec<&str> {
        let signing = self.signing.as_ref().map(|signing| signing.certificate.as_str());
        let next = self.next.as_ref().map(|next| next.certificate.as_str());
        self.previous.as_deref().into_iter().chain(signing).chain(next).collect()
    }

    /// None without its key.
    pub(super) fn authority(&self) -> Option<Authority> {
        let Signing { certificate, key, .. } = self.signing.as_ref()?;
        Some(Authority { certificate: certificate.clone(), key: key.clone()? })
    }

    pub(super) fn data(&self) -> Data {
        let authority = self.signing.as_ref();
        let leaf = self.leaf.as_ref();
        let pieces = [
            (CA, authority.map(|authority| &authority.certificate)),
            (CA_KEY, authority.and_then(|authority| authority.key.as_ref())),
            (NEXT_CA, self.next.as_ref().map(|next| &next.certificate)),
            (NEXT_CA_KEY, self.next.as_ref().map(|next| &next.key)),
            (PREVIOUS_CA, self.previous.as_ref()),
            (CERTIFICATE, leaf.map(|leaf| &leaf.pair.certificate)),
            (KEY, leaf.map(|leaf| &leaf.pair.key)),
        ];
        let present = pieces.into_iter().filter_map(|(key, piece)| Some((key, piece?)));
        present.map(|(key, text)| (key.to_owned(), ByteString(text.clone().into_bytes()))).collect()
    }
}
