//! Whether we may be sent reviews. Read by the admin port, by every answer (to close connections while draining).

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use jiff::Timestamp;
use tokio::sync::watch;

use super::{CertificateFrom, certificate::Resolver};
use crate::{certs::Kept, policies::Book};

pub(super) struct Health {
    draining: AtomicBool,
    certificate: Arc<Resolver>,
    kept: Option<watch::Receiver<Kept>>,
    book: Arc<Book>,
}

impl Health {
    pub(super) fn new(certificate: Arc<Resolver>, from: &CertificateFrom, book: Arc<Book>) -> Self {
        let kept = if let CertificateFrom::Kept(kept) = from { Some(kept.clone()) } else { None };
        Self { draining: AtomicBool::new(false), certificate, kept, book }
    }

    pub(super) fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    pub(super) fn certificate_until(&self) -> Option<Timestamp> {
        self.certificate.not_after()
    }

    /// Why not, if not. Files are loaded before the first connection is accepted, and a bad change never replaces what
    /// they held, so with them all that can be wrong is time.
    pub(super) fn ready(&self, now: Timestamp) -> Result<(), String> {
        if self.is_draining() {
            return Err("draining".to_owned());
        }
        if let Some(why) = self.kept.as_ref().and_then(|kept| kept.borrow().unready.clone()) {
            return Err(why);
        }
        if let Some(why) = self.book.unready() {
            return Err(why);
        }
        match self.certificate.not_after() {
            None => Err("no certificate yet".to_owned()),
            Some(until) if now > until => Err(format!("certificate expired at {until}")),
            Some(_) => Ok(()),
        }
    }
}
