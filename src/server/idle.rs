//! How long a connection has been without a request. `listen.rs` ends those that have been for too long.
//!
//! hyper has a clock for this, which it sets anew for each request: that takes a lock which all connections share, twice. Here
//! a request only notes when it ended, and the clock of the connection looks there when it rings.

use std::{
    future::Future,
    pin::Pin,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use tokio::time::{Instant, timeout_at};

/// Instead of a time: a request is being answered.
const IN_USE: u64 = u64::MAX;

pub(super) struct Idle {
    began: Instant,
    /// Milliseconds from `began` to the end of the last answer.
    since: AtomicU64,
}

/// Lives as long as a request, from the end of its head.
pub(super) struct InUse<'i>(&'i Idle);

impl Idle {
    pub(super) fn new() -> Self {
        Self { began: Instant::now(), since: AtomicU64::new(0) }
    }

    pub(super) fn interrupt(&self) -> InUse<'_> {
        self.since.store(IN_USE, Relaxed);
        InUse(self)
    }

    /// What the connection ends with, or nothing where its last answer was made `longest` ago, whether or not that was taken.
    pub(super) async fn bound<F: Future>(&self, mut served: Pin<&mut F>, longest: Duration) -> Option<F::Output> {
        let mut end = self.began + longest;
        loop {
            if let Ok(done) = timeout_at(end, served.as_mut()).await {
                return Some(done);
            }
            end = match self.since.load(Relaxed) {
                IN_USE => Instant::now() + longest,
                since => self.began + Duration::from_millis(since) + longest,
            };
            if end <= Instant::now() {
                return None;
            }
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(IN_USE - 1)
    }
}

impl Drop for InUse<'_> {
    fn drop(&mut self) {
        self.0.since.store(self.0.now(), Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::{future::pending, pin::pin};

    use super::*;

    const LONGEST: Duration = Duration::from_millis(20);

    #[tokio::test]
    async fn a_connection_without_requests_ends() {
        let idle = Idle::new();
        assert_eq!(idle.bound(pin!(pending::<()>()), LONGEST).await, None);
        assert!(idle.began.elapsed() >= LONGEST);
    }

    #[tokio::test]
    async fn the_time_counts_from_the_end_of_the_last_answer() {
        let idle = Idle::new();
        let request = async {
            let in_use = idle.interrupt();
            let ended = idle.began + LONGEST * 3;
            tokio::time::sleep_until(ended).await;
            drop(in_use);
            pending::<()>().await;
        };
        assert_eq!(idle.bound(pin!(request), LONGEST).await, None);
        assert!(idle.began.elapsed() >= LONGEST * 4);
    }

    #[tokio::test]
    async fn a_connection_that_ends_by_itself_is_not_waited_for() {
        let never = Duration::from_hours(1);
        assert_eq!(Idle::new().bound(pin!(async { 7 }), never).await, Some(7));
    }
}
