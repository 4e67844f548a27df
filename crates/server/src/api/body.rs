//! Bodies of requests to our own routes: here before anything is done with them, bounded in size and time.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use seawall_types::Code;

use crate::App;
use crate::problem::Problem;

/// Far more than any of our own routes takes, but for one.
const MOST: usize = 1024 * 1024;

/// The one that takes pictures, sounds and files: as much as the gateway does.
const BLOBS: &str = "/blobs";

/// Waits for the whole body, for as long as the gateway waits for its own.
pub(crate) async fn arrive(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let snapshot = app.gateway().snapshot();
    let patience = snapshot.settings.timeouts.body_read;
    let most = if request.uri().path().ends_with(BLOBS) { snapshot.settings.limits.body } else { MOST };
    let (parts, body) = request.into_parts();
    match tokio::time::timeout(patience, to_bytes(body, most)).await {
        Ok(Ok(bytes)) => next.run(Request::from_parts(parts, Body::from(bytes))).await,
        Ok(Err(error)) if is_too_large(&error) => {
            let detail = format!("the body has more than {most} bytes");
            Problem::new(Code::BodyTooLarge, detail, "send a smaller body").into_response()
        }
        Ok(Err(_broken)) => {
            let remedy = "send all of it, as its length or its chunks announce it";
            Problem::new(Code::BadRequest, "the body broke off", remedy).into_response()
        }
        Err(_elapsed) => {
            let detail = format!("the body did not arrive within {}s", patience.as_secs_f64());
            let remedy = "send the body faster, or raise gateway.timeouts.body_read";
            Problem::new(Code::RequestTimeout, detail, remedy).into_response()
        }
    }
}

fn is_too_large(error: &axum::Error) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.is::<http_body_util::LengthLimitError>() {
            return true;
        }
        cause = error.source();
    }
    false
}
