//! A model that answers as a function says, in whichever wire format it is asked.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use seawall_runtime::{BoxFuture, Model, NoReply, Pieces, Question, Reply};
use seawall_types::Usd;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::wires::Wire;

/// What it does.
#[derive(Debug)]
pub(crate) enum Does {
    /// It says these words.
    Says(String),
    /// It asks for calls of the tool `work` with these numbers.
    Calls(Vec<u64>),
    /// It refuses, or answers in its own words.
    Answers(u16, Value),
    /// It never begins.
    Hangs,
    /// It begins to answer, and then says nothing more.
    Stops,
    /// It goes on and on without saying anything.
    Drips,
}

type Script = dyn Fn(Wire, &Value) -> Does + Send + Sync;

/// The model.
pub(crate) struct Scripted {
    script: Box<Script>,
    /// Requests that came.
    pub(crate) asked: AtomicU64,
    /// Those that nobody waits for any more.
    pub(crate) over: Arc<AtomicU64>,
}

impl fmt::Debug for Scripted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scripted").finish_non_exhaustive()
    }
}

impl Scripted {
    pub(crate) fn new(script: impl Fn(Wire, &Value) -> Does + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { script: Box::new(script), asked: AtomicU64::new(0), over: Arc::default() })
    }

    pub(crate) fn asked(&self) -> u64 {
        self.asked.load(Ordering::SeqCst)
    }

    pub(crate) fn over(&self) -> u64 {
        self.over.load(Ordering::SeqCst)
    }
}

/// What each request costs that is answered at all.
pub(crate) const COST: Usd = Usd::from_picos(1_000_000);

/// Counts when it is dropped. Where the answer was not heard to its end, what it has cost is told a moment later, as the gateway
/// does.
#[derive(Debug)]
struct Ending {
    over: Arc<AtomicU64>,
    cost: watch::Sender<Option<Usd>>,
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.over.fetch_add(1, Ordering::SeqCst);
        let cost = self.cost.clone();
        if cost.borrow().is_none() {
            let _told = tokio::spawn(async move {
                tokio::task::yield_now().await;
                cost.send_replace(Some(COST));
            });
        }
    }
}

#[derive(Debug)]
struct Body {
    whole: Option<Bytes>,
    /// What comes after the whole: a piece at each of these times, or nothing for ever. `None`: the end.
    then: Option<Option<Duration>>,
    ending: Ending,
}

impl Pieces for Body {
    fn next(&mut self) -> BoxFuture<'_, Option<Result<Bytes, NoReply>>> {
        Box::pin(async {
            if let Some(whole) = self.whole.take() {
                return Some(Ok(whole));
            }
            match self.then {
                None => {
                    self.ending.cost.send_replace(Some(COST));
                    None
                }
                Some(None) => std::future::pending().await,
                Some(Some(pause)) => {
                    tokio::time::sleep(pause).await;
                    Some(Ok(Bytes::from_static(b": still here\n\n")))
                }
            }
        })
    }
}

impl Model for Scripted {
    fn ask(&self, question: Question) -> BoxFuture<'_, Result<Reply, NoReply>> {
        Box::pin(async move {
            let ending = Ending { over: Arc::clone(&self.over), cost: question.cost };
            self.asked.fetch_add(1, Ordering::SeqCst);
            let wire = Wire::of(&question.path);
            let body: Value = serde_json::from_slice(&question.body).unwrap();
            let prompt = u64::try_from(question.body.len().div_ceil(4)).unwrap();
            let (status, whole, then) = match (self.script)(wire, &body) {
                Does::Says(words) => (200, wire.answer(&words, &[], prompt).to_string(), None),
                Does::Calls(numbers) => (200, wire.answer("", &numbers, prompt).to_string(), None),
                Does::Answers(status, body) => (status, body.to_string(), None),
                Does::Hangs => std::future::pending().await,
                Does::Stops => (200, ": I think\n\n".to_owned(), Some(None)),
                Does::Drips => (200, ": I think\n\n".to_owned(), Some(Some(Duration::from_millis(10)))),
            };
            let kind = if then.is_some() { "text/event-stream" } else { "application/json" };
            let headers = HeaderMap::from_iter([(http::header::CONTENT_TYPE, kind.parse().unwrap())]);
            let body = Body { whole: Some(whole.into()), then, ending };
            let status = StatusCode::from_u16(status).unwrap();
            Ok(Reply { status, headers, body: Box::new(body) })
        })
    }
}

/// A model that says that the conversation is too long, in each provider's words.
pub(crate) fn too_long(wire: Wire) -> Does {
    let body = match wire {
        Wire::Chat | Wire::Responses => json!({"error": {
            "message": "This model's maximum context length is 8192 tokens. However, your messages resulted in 9001 tokens.",
            "type": "invalid_request_error", "param": "messages", "code": "context_length_exceeded",
        }}),
        Wire::Anthropic => json!({"type": "error", "error": {
            "type": "invalid_request_error", "message": "prompt is too long: 210001 tokens > 200000 maximum",
        }}),
        Wire::Gemini => json!({"error": {
            "code": 400, "status": "INVALID_ARGUMENT",
            "message": "The input token count (1048577) exceeds the maximum number of tokens allowed (1048576).",
        }}),
    };
    Does::Answers(400, body)
}

/// A model whose provider let nothing of its answer through, in each provider's words.
pub(crate) fn filtered(wire: Wire) -> Does {
    let body = match wire {
        Wire::Chat => json!({"id": "c", "object": "chat.completion", "model": "m", "choices": [
            {"index": 0, "message": {"role": "assistant", "content": null}, "finish_reason": "content_filter"}]}),
        Wire::Responses => {
            json!({"id": "r", "object": "response", "model": "m", "status": "incomplete", "output": [],
            "incomplete_details": {"reason": "content_filter"}})
        }
        Wire::Anthropic => {
            json!({"id": "m", "type": "message", "role": "assistant", "model": "m", "content": [],
            "stop_reason": "refusal", "stop_sequence": null, "usage": {"input_tokens": 1, "output_tokens": 1}})
        }
        Wire::Gemini => {
            json!({"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 1}})
        }
    };
    Does::Answers(200, body)
}
