//! `/sim/…`: the counters of the simulated provider, when it answers in this process.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;

use crate::App;

pub(crate) async fn pass(State(app): State<Arc<App>>, request: Request) -> Response {
    match &app.parts.sim {
        Some(sim) => sim.call(request).await.map(Body::new),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
