//! How each provider says no, so that its SDKs raise their own typed exceptions for our refusals.
//!
//! The provider's part of the body is what its clients read; our part, under `seawall`, has the stable code and what
//! to do. Status lines and headers are the gateway's.

use std::borrow::Cow;

use bytes::Bytes;
use seawall_types::Code;
use serde_json::{Map, Value, json};

use crate::wire::{Dialect, Wire};

/// A refusal or a fault of ours, before it has a provider's shape.
#[derive(Debug, Clone)]
pub struct WireError<'a> {
    /// The HTTP status. It decides which exception an SDK raises.
    pub status: u16,
    /// Our code.
    pub code: Code,
    /// What happened.
    pub message: Cow<'a, str>,
    /// What to do about it.
    pub remedy: &'a str,
    /// More for our part of the body: scope, limits, findings.
    pub extra: Map<String, Value>,
}

impl WireError<'_> {
    /// Our part of the body: code first, remedy last.
    fn seawall(&self) -> Map<String, Value> {
        let mut part = Map::new();
        part.insert("code".to_owned(), self.code.as_str().into());
        part.extend(self.extra.iter().map(|(key, value)| (key.clone(), value.clone())));
        part.insert("remedy".to_owned(), self.remedy.into());
        part
    }
}

/// The body of an error answer.
#[must_use]
pub fn error_body(dialect: Dialect, error: &WireError<'_>) -> Bytes {
    let body = match dialect {
        Dialect::OpenAi => json!({ "error": openai(error) }),
        Dialect::Anthropic => anthropic(error),
        Dialect::Gemini => gemini(error),
    };
    Bytes::from(body.to_string())
}

/// The bytes that end a stream that can't go on. No end marker follows, so that nobody takes the answer for whole.
#[must_use]
pub fn error_event(wire: Wire, error: &WireError<'_>) -> Bytes {
    let event = match wire {
        Wire::OpenAiResponses | Wire::OpenAiCompact => {
            let inner = openai(error);
            let body = json!({
                "type": "error",
                "code": openai_code(error),
                "message": error.message,
                "param": null,
                "error": inner,
            });
            format!("event: error\ndata: {body}\n\n")
        }
        Wire::AnthropicMessages | Wire::AnthropicCountTokens => {
            format!("event: error\ndata: {}\n\n", anthropic(error))
        }
        Wire::GeminiGenerate | Wire::GeminiStream | Wire::GeminiCountTokens | Wire::GeminiEmbed => {
            format!("data: {}\n\n", gemini(error))
        }
        Wire::OpenAiChat | Wire::OpenAiCompletions | Wire::OpenAiEmbeddings | Wire::Other => {
            format!("data: {}\n\n", json!({ "error": openai(error) }))
        }
    };
    Bytes::from(event)
}

fn openai(error: &WireError<'_>) -> Value {
    json!({
        "message": error.message,
        "type": openai_type(error.status),
        "code": openai_code(error),
        "param": null,
        "seawall": error.seawall(),
    })
}

fn anthropic(error: &WireError<'_>) -> Value {
    json!({
        "type": "error",
        "error": { "type": anthropic_type(error.status), "message": error.message },
        "seawall": error.seawall(),
    })
}

fn gemini(error: &WireError<'_>) -> Value {
    json!({
        "error": { "code": error.status, "message": error.message, "status": gemini_status(error.status) },
        "seawall": error.seawall(),
    })
}

/// The `type` of OpenAI's error object, <https://platform.openai.com/docs/guides/error-codes>.
const fn openai_type(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        402 => "insufficient_quota",
        403 => "permission_error",
        404 => "not_found_error",
        429 => "rate_limit_error",
        503 => "overloaded_error",
        500..=599 => "api_error",
        _ => "invalid_request_error",
    }
}

/// OpenAI's own code where it has one, since clients act on those (a retry after `insufficient_quota` is useless);
/// ours in small letters otherwise.
fn openai_code(error: &WireError<'_>) -> Cow<'static, str> {
    match (error.status, error.code) {
        (401, _) => "invalid_api_key".into(),
        (402, _) => "insufficient_quota".into(),
        (404, Code::NoUpstream | Code::ModelNotAllowed) => "model_not_found".into(),
        (429, _) => "rate_limit_exceeded".into(),
        (_, code) => code.as_str().to_ascii_lowercase().into(),
    }
}

/// The `type` of Anthropic's error object, <https://docs.anthropic.com/en/api/errors>.
const fn anthropic_type(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        504 => "timeout_error",
        503 | 529 => "overloaded_error",
        500..=599 => "api_error",
        _ => "invalid_request_error",
    }
}

/// The `status` of Google's error object, <https://cloud.google.com/apis/design/errors#handling_errors>. A spent budget
/// is an exhausted quota there.
const fn gemini_status(status: u16) -> &'static str {
    match status {
        401 => "UNAUTHENTICATED",
        402 | 429 => "RESOURCE_EXHAUSTED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        405 => "UNIMPLEMENTED",
        408 | 504 => "DEADLINE_EXCEEDED",
        502 | 503 => "UNAVAILABLE",
        500..=599 => "INTERNAL",
        _ => "INVALID_ARGUMENT",
    }
}
