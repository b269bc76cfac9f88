//! The one table of what each port answers.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Request, State},
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use jiff::Timestamp;

use super::{dashboard::Dashboard, health::Health, metrics::Metrics, webhook::Webhook};
use crate::admission::Phase;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

pub(super) fn webhook(webhook: Arc<Webhook>) -> Router {
    Router::new()
        .route("/mutate", post(mutate))
        .route("/validate", post(validate))
        .fallback(async || {
            (StatusCode::NOT_FOUND, "not here: POST /mutate or /validate; health and metrics are on the admin port\n")
        })
        .with_state(webhook)
}

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

async fn mutate(State(webhook): State<Arc<Webhook>>, request: Request) -> Response {
    webhook.review(Phase::Mutate, request).await
}

async fn validate(State(webhook): State<Arc<Webhook>>, request: Request) -> Response {
    webhook.review(Phase::Validate, request).await
}

fn ready(health: &Health) -> Response {
    match health.ready(Timestamp::now()) {
        Ok(()) => "ready\n".into_response(),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {why}\n")).into_response(),
    }
}

fn page(metrics: &Metrics) -> Response {
    match metrics.page() {
        Ok(page) => ([(CONTENT_TYPE, OPEN_METRICS)], page).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
