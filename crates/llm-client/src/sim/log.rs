//! The last requests as they were received, so that tests can see what reached the provider.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, Method, Uri};
use seawall_types::Timestamp;
use serde_json::{Map, Value, json};

use super::cassette::scrub;

/// How many requests are kept.
const KEPT: usize = 200;
/// How much is kept of a body.
const BODY_LIMIT: usize = 256 * 1024;

/// The last requests.
#[derive(Debug, Default)]
pub(crate) struct RequestLog(Mutex<VecDeque<Entry>>);

#[derive(Debug)]
struct Entry {
    at: Timestamp,
    method: Method,
    path: String,
    query: Option<String>,
    headers: Map<String, Value>,
    body: Bytes,
    length: usize,
}

impl RequestLog {
    /// Keeps a request, without its credentials.
    pub(crate) fn add(&self, at: Timestamp, method: &Method, uri: &Uri, headers: &HeaderMap, body: &Bytes) {
        let kept = if body.len() > BODY_LIMIT {
            // A copy, so that the rest is not kept alive.
            Bytes::copy_from_slice(body.get(..BODY_LIMIT).unwrap_or_default())
        } else {
            body.clone()
        };
        let entry = Entry {
            at,
            method: method.clone(),
            path: uri.path().to_owned(),
            query: uri.query().map(scrub::query),
            headers: scrub::headers(headers),
            body: kept,
            length: body.len(),
        };
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() == KEPT {
            entries.pop_front();
        }
        entries.push_back(entry);
    }

    pub(crate) fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The newest `last` requests, oldest first.
    pub(crate) fn read(&self, last: usize) -> Value {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let skipped = entries.len().saturating_sub(last);
        json!({"requests": entries.iter().skip(skipped).map(Entry::shown).collect::<Vec<_>>()})
    }
}

impl Entry {
    /// `body` is the JSON where it is JSON, else the text; `body_text` (or `body_base64`) has the bytes as they came.
    fn shown(&self) -> Value {
        let text = self.text();
        let body = text.map(|text| serde_json::from_str(text).unwrap_or_else(|_| json!(text)));
        let mut shown = json!({
            "at": self.at,
            "method": self.method.as_str(),
            "path": self.path,
            "query": self.query,
            "headers": self.headers,
            "body": body,
            "body_bytes": self.length,
            "body_truncated": self.is_cut(),
        });
        if let Some(shown) = shown.as_object_mut() {
            match text {
                Some(text) => shown.insert("body_text".to_owned(), json!(text)),
                None => shown.insert("body_base64".to_owned(), json!(STANDARD.encode(&self.body))),
            };
        }
        shown
    }
    fn is_cut(&self) -> bool {
        self.length > self.body.len()
    }

    /// The body as text, where it is text. The cut may have gone through a character, which is then left out.
    fn text(&self) -> Option<&str> {
        let valid = match std::str::from_utf8(&self.body) {
            Err(error) if self.is_cut() && error.error_len().is_none() => error.valid_up_to(),
            _ => self.body.len(),
        };
        std::str::from_utf8(self.body.get(..valid)?).ok()
    }
}
