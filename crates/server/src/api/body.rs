//! Bodies of requests to our own routes: here before anything is done with them, bounded in size and time.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use seawall_types::Code;

use crate::App;
use crate::problem::Problem;

/// Far more than any of our own routes takes.
const MOST: usize = 1024 * 1024;

/// Waits for the whole body, for as long as the gateway waits for its own.
pub(crate) async fn arrive(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let patience = app.gateway().snapshot().settings.timeouts.body_read;
    let (parts, body) = request.into_parts();
    match tokio::time::timeout(patience, to_bytes(body, MOST)).await {
        Ok(Ok(bytes)) => next.run(Request::from_parts(parts, Body::from(bytes))).await,
        Ok(Err(_broken_or_too_large)) => {
            let detail = format!("the body broke off, or has more than {MOST} bytes");
            Problem::new(Code::BodyTooLarge, detail, "send the whole of a smaller body").into_response()
        }
        Err(_elapsed) => {
            let detail = format!("the body did not arrive within {}s", patience.as_secs_f64());
            let remedy = "send the body faster, or raise gateway.timeouts.body_read";
            Problem::new(Code::RequestTimeout, detail, remedy).into_response()
        }
    }
}
