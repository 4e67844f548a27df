//! What an error says, in whichever of the providers' shapes it comes.
//!
//! | format | shape |
//! | --- | --- |
//! | OpenAI | `{"error":{"message","type","code"}}`, in a response `{"response":{"error":{…}}}`, in its events also flat |
//! | Anthropic | `{"type":"error","error":{"type","message"}}` |
//! | Gemini | `{"error":{"code":429,"message","status","details":[…]}}`, or a list of these |
//!
//! Ours have `seawall` beside that or inside of it. The shapes don't contradict each other, and servers mix them, so one reader
//! reads all.

use std::time::Duration;

use seawall_types::{Code, mask};
use serde_json::Value;

/// How much of an answer that is no report is looked at, in bytes.
const READ_PAGE: usize = 4_096;
/// How much of it is shown.
const SHOWN_PAGE: usize = 200;

/// The facts of an error.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// The words for its kind: type, code, status, reasons, in small letters.
    pub(super) words: Vec<String>,
    /// What it says to people.
    pub(super) text: Option<String>,
    /// Our own code.
    pub(super) seawall: Option<Code>,
    /// The HTTP status, where the body names it.
    pub(super) status: Option<u16>,
    /// How long to wait, where the body says so.
    pub(super) retry_after: Option<Duration>,
}

impl Report {
    pub(super) fn read(body: &[u8]) -> Self {
        let parsed: Value = serde_json::from_slice(body).unwrap_or_default();
        let body = parsed.as_array().and_then(|list| list.first()).unwrap_or(&parsed);
        let inner = [body.get("error"), body.pointer("/response/error")];
        let error = inner.into_iter().flatten().find(|error| !error.is_null()).unwrap_or(body);
        let mut report = Self { text: text_of(error).or_else(|| text_of(body)), ..Self::default() };
        for holder in [error, body] {
            report.note_words(holder);
        }
        if let Some(ours) = error.get("seawall").or_else(|| body.get("seawall")) {
            report.read_ours(ours);
        }
        for detail in error.get("details").and_then(Value::as_array).into_iter().flatten() {
            report.read_detail(detail);
        }
        report
    }

    fn note_words(&mut self, holder: &Value) {
        for key in ["type", "code", "status"] {
            match holder.get(key) {
                Some(Value::String(word)) => self.words.push(word.to_ascii_lowercase()),
                Some(Value::Number(number)) => {
                    let status = number.as_u64().and_then(|status| u16::try_from(status).ok());
                    self.status = self.status.or_else(|| status.filter(|status| (400..600).contains(status)));
                }
                _ => {}
            }
        }
        // Azure hides the kind one level further down.
        if let Some(inner) = holder.pointer("/innererror/code").and_then(Value::as_str) {
            self.words.push(inner.to_ascii_lowercase());
        }
    }

    fn read_ours(&mut self, ours: &Value) {
        let code = ours.get("code").and_then(Value::as_str);
        self.seawall = code.and_then(|code| Code::ALL.iter().copied().find(|known| known.as_str() == code));
        let seconds = ours.get("retry_after").and_then(Value::as_f64);
        self.retry_after = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    }

    /// Google's details: `RetryInfo`, `ErrorInfo`, `QuotaFailure` (google/rpc/error_details.proto).
    fn read_detail(&mut self, detail: &Value) {
        let delay = detail.get("retryDelay").and_then(Value::as_str);
        let seconds = delay.and_then(|delay| delay.strip_suffix('s')?.parse::<f64>().ok());
        self.retry_after = self
            .retry_after
            .or_else(|| seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()));
        let reason = detail.get("reason").and_then(Value::as_str);
        let violations = detail.get("violations").and_then(Value::as_array).into_iter().flatten();
        let quotas = violations.filter_map(|violation| violation.get("quotaId")?.as_str());
        self.words.extend(reason.into_iter().chain(quotas).map(str::to_ascii_lowercase));
    }

    /// What to tell people; the beginning of the page, where what came is no report.
    pub(super) fn message(&self, status: u16, body: &[u8]) -> String {
        if let Some(text) = &self.text {
            return text.clone();
        }
        let page = String::from_utf8_lossy(body.get(..body.len().min(READ_PAGE)).unwrap_or_default());
        let page = mask(page.trim());
        let shown = page.get(..page.floor_char_boundary(SHOWN_PAGE)).unwrap_or_default();
        let said = if shown.is_empty() { "nothing" } else { shown };
        format!("the provider answered with status {status} and said: {said}")
    }
}

fn text_of(holder: &Value) -> Option<String> {
    let text = match holder {
        Value::String(text) => Some(text.as_str()),
        _ => ["message", "detail"].iter().find_map(|key| holder.get(key)?.as_str()),
    };
    text.filter(|text| !text.trim().is_empty()).map(str::to_owned)
}
