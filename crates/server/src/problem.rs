//! Errors of our own API: `application/problem+json` (RFC 9457) with a stable code and a remedy.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use seawall_types::{Code, RequestId};
use serde_json::json;

/// An error of our own API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) code: Code,
    pub(crate) detail: String,
    pub(crate) remedy: String,
    /// What is wrong with the input: JSON pointers and messages.
    pub(crate) errors: Vec<(String, String)>,
    /// When it is worth trying again.
    pub(crate) retry_after: Option<Duration>,
}

impl Problem {
    pub(crate) fn new(code: Code, detail: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), remedy: remedy.into(), errors: Vec::new(), retry_after: None }
    }

    pub(crate) fn retry_after(self, wait: Duration) -> Self {
        Self { retry_after: Some(wait), ..self }
    }

    /// Bad input at `pointer`.
    pub(crate) fn input(pointer: &str, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        let message = message.into();
        let errors = vec![(pointer.to_owned(), message.clone())];
        Self { errors, ..Self::new(Code::BadRequest, message, remedy) }
    }
}

impl Problem {
    /// The answer, naming the request that it is about.
    pub(crate) fn about(self, request: RequestId) -> Response {
        let status =
            StatusCode::from_u16(self.code.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let errors: Vec<_> = self
            .errors
            .iter()
            .map(|(pointer, message)| json!({ "pointer": pointer, "message": message }))
            .collect();
        let mut body = json!({
            "type": format!("urn:seawall:error:{}", self.code),
            "title": status.canonical_reason().unwrap_or("error"),
            "status": status.as_u16(),
            "code": self.code.as_str(),
            "detail": self.detail,
            "remedy": self.remedy,
            "request_id": request,
        });
        if let (Some(map), false) = (body.as_object_mut(), errors.is_empty()) {
            map.insert("errors".to_owned(), errors.into());
        }
        let mut response = (status, body.to_string()).into_response();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(wait) = self.retry_after {
            // Rounded up, at least one: who comes back sooner is refused again.
            let seconds = (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1);
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl IntoResponse for Problem {
    /// An answer that is not written yet: the outermost layer of the routes names the request and writes it.
    fn into_response(self) -> Response {
        let mut response = Response::default();
        response.extensions_mut().insert(self);
        response
    }
}
