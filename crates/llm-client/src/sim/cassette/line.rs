//! One exchange as it is written and read.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A cassette that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum CassetteError {
    /// A file or the folder can't be read or written.
    #[error("can't use the cassette {}: {error}", path.display())]
    Io {
        /// Which one.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// A line is no exchange.
    #[error("{} line {line} is no recorded exchange: {reason}", path.display())]
    Line {
        /// Which file.
        path: PathBuf,
        /// Counted from one.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// There is nothing to play.
    #[error("the cassette {} holds no exchange; record one first", .0.display())]
    Empty(PathBuf),
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Line {
    pub(super) request: RecordedRequest,
    pub(super) response: RecordedResponse,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct RecordedRequest {
    pub(super) method: String,
    /// With its query, without credentials.
    pub(super) path: String,
    pub(super) headers: Map<String, Value>,
    /// The JSON, or the text, of the body; null when it has none.
    pub(super) body: Value,
    /// The body as it was written, where that is otherwise than `body` is written here: with other white space or escapes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) body_text: Option<String>,
}

impl RecordedRequest {
    /// A request without its credentials.
    pub(super) fn new(head: &http::request::Parts, body: &[u8]) -> Self {
        let masked = masked(body);
        let body = json_or_text(&masked);
        let is_written_so = body.is_null() || body.is_string() || body.to_string().as_bytes() == masked;
        Self {
            method: head.method.to_string(),
            path: kept_path(&head.uri),
            headers: super::scrub::headers(&head.headers),
            body_text: (!is_written_so).then(|| String::from_utf8_lossy(&masked).into_owned()),
            body,
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct RecordedResponse {
    pub(super) status: u16,
    pub(super) headers: Map<String, Value>,
    pub(super) chunks: Vec<Chunk>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Chunk {
    /// Milliseconds after the head.
    pub(super) at_ms: u64,
    #[serde(flatten)]
    pub(super) content: Content,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Content {
    Text(String),
    Base64(String),
}

impl Content {
    pub(super) fn new(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::Text(text.to_owned()),
            Err(_) => Self::Base64(STANDARD.encode(bytes)),
        }
    }

    pub(super) fn bytes(&self) -> Result<Bytes, String> {
        match self {
            Self::Text(text) => Ok(Bytes::copy_from_slice(text.as_bytes())),
            Self::Base64(text) => STANDARD.decode(text).map(Bytes::from).map_err(|error| error.to_string()),
        }
    }
}

/// A request's body as it is compared: without credentials, as JSON where it is JSON.
pub(super) fn kept_body(body: &[u8]) -> Value {
    json_or_text(&masked(body))
}

fn masked(body: &[u8]) -> Vec<u8> {
    let mut body = body.to_vec();
    super::scrub::mask(&mut body);
    body
}

fn json_or_text(body: &[u8]) -> Value {
    if body.is_empty() {
        return Value::Null;
    }
    serde_json::from_slice(body).unwrap_or_else(|_| Value::from(String::from_utf8_lossy(body)))
}

/// A request's path with its query, without credentials.
pub(super) fn kept_path(uri: &http::Uri) -> String {
    match uri.query() {
        None => uri.path().to_owned(),
        Some(query) => format!("{}?{}", uri.path(), super::scrub::query(query)),
    }
}
