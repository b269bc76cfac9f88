//! Where the certificate comes from, and how it follows its source while serving: files, a keeper, or nothing at all.
//! `reload.rs` looks here every few seconds.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

use super::{Certificate, CertificateError, Resolver, read};
use crate::{
    certs::{Kept, LOCAL_HOSTS, Pair, make_pair},
    server::{
        CertificateFrom, StartError,
        log::one_line,
        reload::{ReloadError, Seen, with_causes},
    },
};

/// Longer than any session on a laptop, short enough to be no use to anyone else.
const THROW_AWAY_DAYS: u32 = 30;

/// As late as may be: with the pair its CA changes too, and whoever has read the old one must read it again.
const THROW_AWAY_RENEWED: SignedDuration = SignedDuration::from_hours(24);

/// The certificate in use, with its source.
pub(in crate::server) struct Followed {
    resolver: Arc<Resolver>,
    source: Source,
}

enum Source {
    Files(Files, Seen<PairBytes>),
    /// With the pair that was judged last.
    Kept(watch::Receiver<Kept>, Option<Arc<Pair>>),
    /// The CA of each new pair is written there.
    ThrowAway(Option<PathBuf>),
}

struct Files {
    certificate: PathBuf,
    key: PathBuf,
}

/// PEM, as read.
#[derive(PartialEq, Eq)]
struct PairBytes {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Followed {
    pub(in crate::server) fn load(from: &CertificateFrom) -> Result<Self, StartError> {
        match from {
            CertificateFrom::Files { certificate, key } => {
                let refused = |source| StartError::Files { certificate: certificate.clone(), key: key.clone(), source };
                Self::of_files(Files { certificate: certificate.clone(), key: key.clone() }).map_err(refused)
            }
            CertificateFrom::ThrowAway { ca_out } => Self::throw_away(ca_out.clone()),
            CertificateFrom::Kept(kept) => {
                Ok(Self { resolver: Arc::default(), source: Source::Kept(kept.clone(), None) })
            }
        }
    }

    pub(in crate::server) fn resolver(&self) -> Arc<Resolver> {
        Arc::clone(&self.resolver)
    }

    /// What wakes up whoever looks, beside the clock.
    pub(in crate::server) fn kept(&self) -> Option<watch::Receiver<Kept>> {
        if let Source::Kept(kept, _) = &self.source { Some(kept.clone()) } else { None }
    }

    /// One look: takes a good change, and says whether there was one.
    pub(in crate::server) fn look(&mut self, now: Timestamp) -> Option<Result<(), ReloadError>> {
        let taken = match &mut self.source {
            Source::Files(files, seen) => {
                let bytes = seen.change(files.read().map_err(ReloadError::Certificate))?;
                bytes.and_then(|bytes| bytes.prove().map_err(ReloadError::Certificate))
            }
            Source::Kept(kept, judged) => {
                let pair = new_pair(kept, judged)?;
                Certificate::of_pair(&pair).map_err(ReloadError::Certificate)
            }
            Source::ThrowAway(ca_out) => {
                self.resolver.not_after().filter(|until| until.duration_since(now) < THROW_AWAY_RENEWED)?;
                renew(ca_out.as_deref()).map_err(ReloadError::Certificate)
            }
        };
        Some(taken.map(|certificate| self.resolver.swap(certificate)))
    }

    fn of_files(files: Files) -> Result<Self, CertificateError> {
        let bytes = files.read()?;
        let resolver = Resolver::of(bytes.prove()?);
        Ok(Self { resolver, source: Source::Files(files, Seen::Good(bytes)) })
    }

    fn throw_away(ca_out: Option<PathBuf>) -> Result<Self, StartError> {
        let (certificate, ca) = make().map_err(StartError::ThrowAway)?;
        publish(&ca, ca_out.as_deref())?;
        Ok(Self { resolver: Resolver::of(certificate), source: Source::ThrowAway(ca_out) })
    }
}

impl Files {
    /// Both files in one go. If a swap falls between them the pair does not fit, and the next look finds both new.
    fn read(&self) -> Result<PairBytes, CertificateError> {
        Ok(PairBytes { certificate: read(&self.certificate)?, key: read(&self.key)? })
    }
}

impl PairBytes {
    fn prove(&self) -> Result<Certificate, CertificateError> {
        Certificate::from_pem(&self.certificate, &self.key)
    }
}

/// A keeper's news may be of readiness alone.
fn new_pair(kept: &watch::Receiver<Kept>, judged: &mut Option<Arc<Pair>>) -> Option<Arc<Pair>> {
    let pair = kept.borrow().pair.clone();
    if pair == *judged {
        return None;
    }
    judged.clone_from(&pair);
    pair
}

/// The new pair is taken even where its CA cannot be written: the old one ends.
fn renew(ca_out: Option<&Path>) -> Result<Certificate, CertificateError> {
    let (certificate, ca) = make()?;
    if let Err(error) = publish(&ca, ca_out) {
        tracing::warn!(error = %one_line(&with_causes(&error)), "CA of the new throw-away certificate not written");
    }
    Ok(certificate)
}

fn make() -> Result<(Certificate, String), CertificateError> {
    let pair = make_pair(&LOCAL_HOSTS, THROW_AWAY_DAYS)?;
    Ok((Certificate::of_pair(&pair)?, pair.ca))
}

fn publish(ca: &str, ca_out: Option<&Path>) -> Result<(), StartError> {
    let Some(path) = ca_out else { return Ok(()) };
    fs::write(path, ca).map_err(|source| StartError::CaOut { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_throw_away_pair_is_made_anew_before_it_ends() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.crt");
        let mut followed = Followed::load(&CertificateFrom::ThrowAway { ca_out: Some(path.clone()) }).unwrap();
        let (ca, until) = (fs::read(&path).unwrap(), followed.resolver.not_after().unwrap());
        assert!(followed.look(until - THROW_AWAY_RENEWED).is_none());
        assert_eq!(fs::read(&path).unwrap(), ca);

        let shown = followed.resolver.0.load_full().unwrap();
        let late = until - THROW_AWAY_RENEWED + SignedDuration::from_secs(1);
        assert!(followed.look(late).is_some_and(|outcome| outcome.is_ok()));
        assert!(!Arc::ptr_eq(&shown, &followed.resolver.0.load_full().unwrap()));
        assert_ne!(fs::read(&path).unwrap(), ca);
    }

    #[test]
    fn what_a_keeper_holds_is_taken_once() {
        let (keeper, kept) = watch::channel(Kept::default());
        let mut followed = Followed::load(&CertificateFrom::Kept(kept)).unwrap();
        let mut look = || followed.look(Timestamp::now()).map(|outcome| outcome.map_err(|error| error.to_string()));
        assert_eq!(look(), None);
        let pair = make_pair(&LOCAL_HOSTS, 2).unwrap();
        keeper.send_modify(|kept| kept.pair = Some(Arc::new(pair.clone())));
        assert_eq!(look(), Some(Ok(())));
        keeper.send_modify(|kept| kept.unready = Some("no API server".to_owned()));
        assert_eq!(look(), None);
        keeper.send_modify(|kept| kept.pair = Some(Arc::new(Pair { key: String::new(), ..pair })));
        assert_eq!(look(), Some(Err("no PEM private key (PKCS#8, SEC1 or PKCS#1)".to_owned())));
        assert_eq!(look(), None);
    }
}
