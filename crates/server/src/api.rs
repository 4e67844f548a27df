//! Our own routes.

mod admin;
pub(crate) mod agents;
mod approvals;
mod body;
mod budgets;
mod docs;
mod health;
mod metrics;
pub mod openapi;
pub(crate) mod ready;
mod simulated;

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::HeaderValue;
use http::header::ALLOW;
use seawall_base::id;
use seawall_types::Code;

use crate::problem::Problem;
use crate::{App, access};

/// All routes, for one worker.
pub(crate) fn routes(app: &Arc<App>) -> Router {
    let mut guarded = Router::new()
        .route("/api/budgets", get(budgets::show).put(budgets::set).delete(budgets::remove))
        .route("/api/budgets/reset", post(budgets::reset))
        .route("/api/approvals", get(approvals::list))
        .route("/api/approvals/{id}", get(approvals::show))
        .route("/api/approvals/{id}/decide", post(approvals::decide))
        .route("/admin/reload", post(admin::reload))
        .route("/admin/keys/reload", post(admin::reload_keys));
    if app.parts.sim.is_some() {
        guarded = guarded
            .route("/sim/stats", get(simulated::pass))
            .route("/sim/requests", get(simulated::pass))
            .route("/sim/reset", post(simulated::pass));
    }
    let guarded = guarded.merge(agents::routes(app));
    let guarded = guarded.layer(from_fn_with_state(Arc::clone(app), agents::at_home));
    let guarded = guarded.layer(from_fn_with_state(Arc::clone(app), body::arrive));
    let guarded = guarded.layer(from_fn_with_state(Arc::clone(app), access::guard));
    let open = if app.metrics_here.get().is_none_or(|here| *here) { metrics_route() } else { Router::new() };
    let open = open
        .route("/", get(docs::home))
        .route("/health", get(health::health))
        .route("/livez", get(health::health))
        .route("/ready", get(ready::ready))
        .route("/readyz", get(ready::ready))
        .route("/openapi.json", get(openapi::serve))
        .route("/docs", get(docs::docs));
    finished(open.merge(guarded), app)
}

/// The routes of a port that has the metrics only.
pub(crate) fn metrics_routes(app: &Arc<App>) -> Router {
    finished(metrics_route(), app)
}

fn metrics_route() -> Router<Arc<App>> {
    Router::new().route("/metrics", get(metrics::metrics))
}

/// With what every answer of ours has.
fn finished(routes: Router<Arc<App>>, app: &Arc<App>) -> Router {
    routes
        .fallback(unknown)
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn_with_state(Arc::clone(app), bounded))
        .layer(from_fn_with_state(Arc::clone(app), finish))
        .with_state(Arc::clone(app))
}

/// Does what may wait for a disk on a thread that may wait: a worker has all its other calls to serve.
async fn may_block<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|_| Err(Problem::new(Code::Internal, "the work broke off", "see the log")))
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

/// Keeps headers out that are too large: the limit of the gateway holds here too.
async fn bounded(
    State(app): State<Arc<App>>,
    request: axum::extract::Request,
    next: axum::middleware::Next,
) -> Response {
    let limits = app.gateway().snapshot().settings.limits;
    if limits.admit_headers(request.headers()) {
        return next.run(request).await;
    }
    let detail = format!("the request's headers have more than {} bytes", limits.headers);
    Problem::new(
        Code::HeadersTooLarge,
        detail,
        "send fewer or shorter headers, or raise gateway.limits.headers",
    )
    .into_response()
}

/// Writes problems out, and puts in the headers that every answer of ours has, errors included.
async fn finish(
    State(app): State<Arc<App>>,
    request: axum::extract::Request,
    next: axum::middleware::Next,
) -> Response {
    let id = id::new_request(&*app.parts.clock);
    let mut response = next.run(request).await;
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        let allowed = response.headers_mut().remove(ALLOW);
        response = problem.about(id);
        response.headers_mut().extend(allowed.map(|allowed| (ALLOW, allowed)));
    }
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&id.to_string()) {
        headers.insert("x-request-id", id);
    }
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
