//! `GET /openapi.json`: the contract of our own routes. The document is a file under version control; a test holds it
//! against the routes.

use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use serde_json::Value;

/// The document, as it is served.
pub const TEXT: &str = include_str!("openapi.json");

/// The document, read.
#[must_use]
pub fn document() -> Value {
    serde_json::from_str(TEXT).unwrap_or_default()
}

pub(crate) async fn serve() -> Response {
    ([(CONTENT_TYPE, HeaderValue::from_static("application/json"))], TEXT).into_response()
}
