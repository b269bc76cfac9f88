//! The one table of what each port answers.

use std::sync::Arc;

use axum::{Router, response::IntoResponse, routing::get};
use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{ALLOW, CONTENT_TYPE, HeaderValue},
};
use jiff::Timestamp;

use super::{dashboard::Dashboard, health::Health, metrics::Metrics, webhook::told};
use crate::admission::Phase;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Two paths, matched by hand: axum's router makes a box of each request, and one of its answer. An error is the answer to a
/// request that is no review.
pub(super) fn webhook(request: &Request<Incoming>) -> Result<Phase, Box<Response<Full<Bytes>>>> {
    let phase = match request.uri().path() {
        "/mutate" => Phase::Mutate,
        "/validate" => Phase::Validate,
        _ => return Err(Box::new(told(StatusCode::NOT_FOUND, NOT_HERE))),
    };
    if request.method() == Method::POST {
        return Ok(phase);
    }
    let mut response = told(StatusCode::METHOD_NOT_ALLOWED, "POST a review here\n");
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
    Err(Box::new(response))
}

const NOT_HERE: &str = "not here: POST /mutate or /validate; health and metrics are on the admin port\n";

pub(super) fn admin(health: Arc<Health>, metrics: Arc<Metrics>, dashboard: Dashboard) -> Router {
    let dashboard = Arc::new(dashboard);
    Router::new()
        .route("/", get(async move || dashboard.answer(Timestamp::now())))
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(async move || ready(&health)))
        .route("/metrics", get(async move || page(&metrics)))
        .fallback(async || {
            (StatusCode::NOT_FOUND, "not here: /, /livez, /readyz, /metrics; reviews have a port of their own\n")
        })
}

fn ready(health: &Health) -> axum::response::Response {
    match health.ready(Timestamp::now()) {
        Ok(()) => "ready\n".into_response(),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {why}\n")).into_response(),
    }
}

fn page(metrics: &Metrics) -> axum::response::Response {
    match metrics.page() {
        Ok(page) => ([(CONTENT_TYPE, OPEN_METRICS)], page).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
