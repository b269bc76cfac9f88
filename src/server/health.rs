//! Whether we may be sent reviews. Read by the admin port, by every answer (to close connections while draining).

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use jiff::Timestamp;

use super::certificate::Resolver;

pub(super) struct Health {
    draining: AtomicBool,
    certificate: Arc<Resolver>,
}

impl Health {
    pub(super) fn new(certificate: Arc<Resolver>) -> Self {
        Self { draining: AtomicBool::new(false), certificate }
    }

    pub(super) fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Why not, if not. Certificate and policies are loaded before the first connection is accepted, and a bad change
    /// never replaces them, so what can be wrong is time.
    pub(super) fn ready(&self, now: Timestamp) -> Result<(), String> {
        let not_after = self.certificate.not_after();
        if self.is_draining() {
            Err("draining".to_owned())
        } else if now > not_after {
            Err(format!("certificate expired at {not_after}"))
        } else {
            Ok(())
        }
    }
}
