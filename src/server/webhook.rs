//! One review over HTTP: body bytes in, `admission::answer`, its bytes out, counted and logged once. `server.rs` calls it.

use std::{
    convert::Infallible,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use http_body_util::Full;
use hyper::{
    Request, Response, StatusCode, Version,
    body::{Bytes, Incoming},
    header::{CONNECTION, CONTENT_TYPE, HeaderValue, RETRY_AFTER},
};
use jiff::Timestamp;
use tokio::{
    sync::Semaphore,
    task::spawn_blocking,
    time::{Instant, timeout_at},
};
use tracing::warn;

use super::{
    Bounds,
    health::Health,
    intake::{Held, Intake, Refusal, waits_for_go_ahead},
    log,
    metrics::Metrics,
    refusals::Refusals,
    reload::today,
};
use crate::{
    admission::{self, Answer, Decision, Operation, Phase},
    policies::Book,
};

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// What the two endpoints share.
pub(super) struct Webhook {
    book: Arc<Book>,
    metrics: Arc<Metrics>,
    health: Arc<Health>,
    refusals: Arc<Refusals>,
    intake: Intake,
    /// Whose turn it is among large bodies.
    turn: Arc<Semaphore>,
    bounds: Bounds,
}

impl Webhook {
    pub(super) fn new(
        book: Arc<Book>,
        metrics: Arc<Metrics>,
        health: Arc<Health>,
        refusals: Arc<Refusals>,
        bounds: Bounds,
    ) -> Self {
        Self { book, metrics, health, refusals, intake: Intake::new(bounds), turn: Arc::new(Semaphore::new(1)), bounds }
    }

    /// `route` is what `routes` makes of the request. Every connection has room for one of these futures: what is only
    /// looked at is taken out before, and what is rare is in a box.
    pub(super) fn answer(
        self: Arc<Self>,
        route: Result<Phase, Box<Response<Full<Bytes>>>>,
        request: Request<Incoming>,
    ) -> impl Future<Output = Result<Response<Full<Bytes>>, Infallible>> + Send {
        let is_http1 = request.version() < Version::HTTP_2;
        let deadline = Instant::now() + time_for_body(request.uri().query(), self.bounds.body);
        let waits = waits_for_go_ahead(request.headers());
        let mut body = request.into_body();
        async move {
            let mut response = match route {
                Ok(phase) => self.review(phase, &mut body, waits, deadline).await,
                Err(told) => *told,
            };
            if is_http1 && self.health.is_draining() {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Ok(response)
        }
    }

    async fn review(
        self: &Arc<Self>,
        phase: Phase,
        body: &mut Incoming,
        waits: bool,
        deadline: Instant,
    ) -> Response<Full<Bytes>> {
        let _in_flight = self.metrics.begin();
        match self.intake.read(body, waits, deadline).await {
            Ok(held) if held.bytes.len() <= self.bounds.ordinary_bytes => self.judge(phase, &held.bytes),
            Ok(held) => Box::pin(self.judge_apart(phase, held, deadline)).await,
            Err(refusal) => self.refuse(phase, &refusal),
        }
    }

    /// Away from the thread that answers ordinary reviews meanwhile.
    async fn judge_apart(self: &Arc<Self>, phase: Phase, held: Held, deadline: Instant) -> Response<Full<Bytes>> {
        let Ok(Ok(turn)) = timeout_at(deadline, Arc::clone(&self.turn).acquire_owned()).await else {
            return self.refuse(phase, &Refusal::Crowded);
        };
        let webhook = Arc::clone(self);
        let judged = spawn_blocking(move || {
            // Held until it is judged, also where nobody waits for the answer any more.
            let _turn = turn;
            webhook.judge(phase, &held.bytes)
        });
        // Only a runtime that is ending judges it no more.
        judged.await.unwrap_or_else(|_| self.refuse(phase, &Refusal::Crowded))
    }

    fn judge(&self, phase: Phase, body: &[u8]) -> Response<Full<Bytes>> {
        let began = Instant::now();
        let rulebook = self.book.load();
        let settings = admission::Settings { rulebook: &rulebook, today: today() };
        let answer = guarded(phase, body, || admission::answer(phase, body, &settings));
        self.metrics.review(&answer.record, began.elapsed());
        log::review(&answer.record);
        let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let content_type = if answer.body.first() == Some(&b'{') { JSON } else { TEXT };
        if answer.record.decision == Decision::Denied {
            self.refusals.note(answer.record, Timestamp::now());
        }
        respond(status, content_type, answer.body.into())
    }

    fn refuse(&self, phase: Phase, refusal: &Refusal) -> Response<Full<Bytes>> {
        let (status, decision) = match refusal {
            Refusal::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, Decision::Invalid),
            Refusal::Broken(_) => (StatusCode::BAD_REQUEST, Decision::Invalid),
            Refusal::Busy | Refusal::Crowded | Refusal::Late => (StatusCode::SERVICE_UNAVAILABLE, Decision::Failed),
        };
        self.metrics.decision(phase, Operation::Other, decision);
        warn!(phase = phase.as_str(), status = status.as_u16(), reason = %refusal, "review not read");
        told(status, format!("{refusal}\n"))
    }
}

/// A bug in one rule is one failed review, not an outage.
fn guarded(phase: Phase, body: &[u8], judge: impl FnOnce() -> Answer) -> Answer {
    catch_unwind(AssertUnwindSafe(judge)).unwrap_or_else(|_| admission::fault(phase, body))
}

/// The client of the API server sends a review again that is answered with 503 and `Retry-After`, within its time-out.
fn respond(status: StatusCode, content_type: HeaderValue, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

/// An answer for people.
pub(super) fn told(status: StatusCode, text: impl Into<Bytes>) -> Response<Full<Bytes>> {
    respond(status, TEXT, text.into())
}

/// The API server says in `?timeout=5s` when it gives up; the answer is to be there a tenth earlier.
fn time_for_body(query: Option<&str>, longest: Duration) -> Duration {
    let told = query.unwrap_or("").split('&').find_map(|pair| pair.strip_prefix("timeout="));
    told.and_then(duration).map_or(longest, |told| (told / 10 * 9).min(longest))
}

/// Whole seconds or milliseconds, as the API server writes them; anything else is no hint.
fn duration(text: &str) -> Option<Duration> {
    if let Some(milliseconds) = text.strip_suffix("ms") {
        milliseconds.parse().ok().map(Duration::from_millis)
    } else {
        text.strip_suffix('s')?.parse().ok().map(Duration::from_secs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_one_failed_review() {
        let body =
            br#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"u","operation":"CREATE",
            "kind":{"group":"","version":"v1","kind":"Pod"},"resource":{"group":"","version":"v1","resource":"pods"},
            "userInfo":{"username":"ann"},"object":{}}}"#;
        for (phase, status) in [(Phase::Mutate, 200), (Phase::Validate, 500)] {
            let answer = guarded(phase, body, || panic!("a bug"));
            assert_eq!((answer.status, answer.record.decision), (status, Decision::Failed), "{phase:?}");
        }
    }

    #[test]
    fn the_timeout_of_the_query_bounds_the_body() {
        for (query, milliseconds) in [
            (None, 10_000),
            (Some("timeout=5s"), 4_500),
            (Some("a=b&timeout=500ms&c"), 450),
            (Some("timeout=30s"), 10_000),
            (Some("timeout=0s"), 0),
            (Some("timeout=1m"), 10_000),
            (Some("timeout=-5s"), 10_000),
            (Some("timeout=9999999999999999999s"), 10_000),
            (Some("timeout=99999999999999999999s"), 10_000),
            (Some("timeouts=5s"), 10_000),
        ] {
            let time = time_for_body(query, Duration::from_secs(10));
            assert_eq!(time, Duration::from_millis(milliseconds), "{query:?}");
        }
    }
}
