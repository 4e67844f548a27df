//! Our own routes.

mod admin;
mod budgets;
mod docs;
mod health;
mod metrics;
pub mod openapi;
pub(crate) mod ready;
mod simulated;

use std::sync::Arc;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::HeaderValue;
use seawall_types::Code;

use crate::problem::Problem;
use crate::{App, access};

/// All routes, for one worker.
pub(crate) fn routes(app: &Arc<App>) -> Router {
    let guarded = Router::new()
        .route("/api/budgets", get(budgets::show).put(budgets::set).delete(budgets::remove))
        .route("/api/budgets/reset", post(budgets::reset))
        .route("/admin/reload", post(admin::reload))
        .route("/admin/keys/reload", post(admin::reload_keys))
        .layer(from_fn_with_state(Arc::clone(app), access::guard));
    let mut open = Router::new()
        .route("/", get(docs::home))
        .route("/health", get(health::health))
        .route("/livez", get(health::health))
        .route("/ready", get(ready::ready))
        .route("/readyz", get(ready::ready))
        .route("/metrics", get(metrics::metrics))
        .route("/openapi.json", get(openapi::serve))
        .route("/docs", get(docs::docs));
    if app.parts.sim.is_some() {
        open = open
            .route("/sim/stats", get(simulated::pass))
            .route("/sim/requests", get(simulated::pass))
            .route("/sim/reset", post(simulated::pass));
    }
    open.merge(guarded)
        .fallback(unknown)
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn(secure))
        .with_state(Arc::clone(app))
}

async fn unknown() -> Problem {
    Problem::new(
        Code::NotFound,
        "there is no such path",
        "see /docs; providers' paths begin with /v1, /v1beta, /openai, /anthropic, /gemini or /u/<upstream>",
    )
}

async fn wrong_method() -> Problem {
    Problem::new(Code::MethodNotAllowed, "the path does not take this method", "see /docs")
}

/// Headers that every answer of ours has, errors included.
async fn secure(request: axum::extract::Request, next: axum::middleware::Next) -> Response {
    let mut response = next.run(request).await.into_response();
    let headers = response.headers_mut();
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
        (
            "content-security-policy",
            "default-src 'self'; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
