//! From a request to its body bytes, under the bounds: size, bytes in flight, time. `webhook.rs` calls it.

use std::{
    future::poll_fn,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::Poll,
};

use http_body_util::BodyExt;
use hyper::{
    HeaderMap,
    body::{Body, Bytes, Incoming},
    header::EXPECT,
};
use tokio::time::{Instant, timeout_at};

use super::Bounds;

/// Why a body is not judged.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error("the review is larger than {0} bytes")]
    TooLarge(usize),
    #[error("too many bytes in flight, try again")]
    Busy,
    #[error("too many large reviews wait for their turn, try again")]
    Crowded,
    #[error("the review did not arrive in time")]
    Late,
    #[error("the review did not arrive whole: {0}")]
    Broken(hyper::Error),
}

/// Memory for a body that was announced but has not come.
const LARGEST_RESERVE: usize = 64 << 10;

/// All bodies that are being read or judged share its bytes.
pub(super) struct Intake {
    in_flight: Arc<AtomicUsize>,
    bounds: Bounds,
}

/// A whole body, and its share of the bytes in flight for as long as it lives.
pub(super) struct Held {
    pub(super) bytes: Bytes,
    _share: Share,
}

/// Some of the bytes in flight.
struct Share {
    bytes: usize,
    in_flight: Arc<AtomicUsize>,
}

impl Intake {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self { in_flight: Arc::default(), bounds }
    }

    /// The whole body, or why not; never later than `deadline`. `waits` says whether the sender has not begun yet.
    pub(super) async fn read(&self, body: &mut Incoming, waits: bool, deadline: Instant) -> Result<Held, Refusal> {
        let outcome = in_time(deadline, self.gather(body)).await.unwrap_or(Err(Refusal::Late));
        if matches!(outcome, Err(Refusal::TooLarge(_) | Refusal::Busy)) && !waits {
            // Closing on a sender that still writes would reset the connection under our answer.
            let _ = Box::pin(timeout_at(deadline, self.discard(body))).await;
        }
        outcome
    }

    /// The share grows with what arrives, whatever was announced: two senders that say 8 MiB and send nothing would
    /// otherwise keep everybody else out.
    async fn gather(&self, body: &mut Incoming) -> Result<Held, Refusal> {
        let announced = body.size_hint().exact().map_or(0, |length| usize::try_from(length).unwrap_or(usize::MAX));
        if announced > self.bounds.body_bytes {
            return Err(Refusal::TooLarge(self.bounds.body_bytes));
        }
        let mut share = Share { bytes: 0, in_flight: Arc::clone(&self.in_flight) };
        let mut first = Bytes::new();
        let mut rest = Vec::new();
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(Refusal::Broken)?.into_data() else { continue };
            let length = first.len() + rest.len() + data.len();
            self.extend(&mut share, length)?;
            if first.is_empty() && rest.is_empty() {
                first = data;
            } else {
                if rest.is_empty() {
                    rest = Vec::with_capacity(announced.clamp(length, LARGEST_RESERVE.max(length)));
                    rest.extend_from_slice(&std::mem::take(&mut first));
                }
                rest.extend_from_slice(&data);
            }
        }
        Ok(Held { bytes: if rest.is_empty() { first } else { rest.into() }, _share: share })
    }

    /// To `length` bytes, where nobody else holds them.
    fn extend(&self, share: &mut Share, length: usize) -> Result<(), Refusal> {
        if length > self.bounds.body_bytes {
            return Err(Refusal::TooLarge(self.bounds.body_bytes));
        }
        let more = length - share.bytes;
        let extended = |in_flight: usize| Some(in_flight + more).filter(|sum| *sum <= self.bounds.in_flight_bytes);
        self.in_flight.fetch_update(Relaxed, Relaxed, extended).map_err(|_| Refusal::Busy)?;
        share.bytes = length;
        Ok(())
    }

    async fn discard(&self, body: &mut Incoming) {
        let mut left = self.bounds.discarded_bytes;
        while let Some(Ok(frame)) = body.frame().await {
            let Some(after) = left.checked_sub(frame.data_ref().map_or(0, Bytes::len)) else { return };
            left = after;
        }
    }
}

/// Most bodies are there with their head, and hyper hands them over once it has been asked: so they are asked for twice before
/// a clock is set. A clock that would strike before all others wakes the runtime, which takes a system call and a turn of its
/// own.
async fn in_time<F: Future>(deadline: Instant, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut was_asked = false;
    let at_once = poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending if was_asked => Poll::Ready(None),
        Poll::Pending => {
            was_asked = true;
            context.waker().wake_by_ref();
            Poll::Pending
        }
    });
    match at_once.await {
        Some(output) => Some(output),
        None => timeout_at(deadline, future).await.ok(),
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.in_flight.fetch_sub(self.bytes, Relaxed);
    }
}

/// `Expect: 100-continue` (curl, above 1 MB): the sender has not begun, and will not if we answer now.
pub(super) fn waits_for_go_ahead(headers: &HeaderMap) -> bool {
    headers.get(EXPECT).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}
