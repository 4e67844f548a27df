//! Asks the simulated provider, in process.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Full};
use seawall_llm_client::sim::{Options, Script, Sim, SimBody};
use seawall_types::{ManualClock, Timestamp};
use serde_json::{Value, json};

pub(crate) const NOW_SECONDS: u64 = 1_767_323_045;

pub(crate) fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(Timestamp::from_micros(NOW_SECONDS * 1_000_000)))
}

pub(crate) fn sim() -> Sim {
    Sim::new(Options::default(), clock())
}

pub(crate) fn scripted(script: &str) -> Sim {
    let script = Some(Script::parse(script).unwrap());
    Sim::new(Options { script, ..Options::default() }, clock())
}

pub(crate) async fn request(
    sim: &Sim,
    method: Method,
    path: &str,
    body: impl Into<Bytes>,
) -> Response<SimBody> {
    let request = Request::builder().method(method).uri(path).body(Full::new(body.into())).unwrap();
    sim.call(request).await
}

pub(crate) async fn post(sim: &Sim, path: &str, body: &Value) -> Response<SimBody> {
    request(sim, Method::POST, path, body.to_string()).await
}

pub(crate) async fn get(sim: &Sim, path: &str) -> Response<SimBody> {
    request(sim, Method::GET, path, Bytes::new()).await
}

pub(crate) async fn bytes(response: Response<SimBody>) -> Bytes {
    response.into_body().collect().await.unwrap().to_bytes()
}

pub(crate) async fn whole(response: Response<SimBody>) -> Value {
    serde_json::from_slice(&bytes(response).await).unwrap()
}

/// Posts and reads a whole answer.
pub(crate) async fn ask(sim: &Sim, path: &str, body: &Value) -> Value {
    let response = post(sim, path, body).await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "application/json");
    whole(response).await
}

/// The frames of a stream, each as text.
pub(crate) async fn frames(response: Response<SimBody>) -> Vec<String> {
    let mut body = response.into_body();
    let mut frames = Vec::new();
    while let Some(frame) = body.frame().await {
        frames.push(String::from_utf8(frame.unwrap().into_data().unwrap().to_vec()).unwrap());
    }
    frames
}

/// The name and the data of each event; every frame is one event. `[DONE]` is a string.
pub(crate) async fn events(response: Response<SimBody>) -> Vec<(String, Value)> {
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "text/event-stream; charset=utf-8");
    frames(response).await.iter().map(|frame| event(frame)).collect()
}

fn event(frame: &str) -> (String, Value) {
    let lines = frame.strip_suffix("\n\n").unwrap_or_else(|| panic!("no blank line after {frame:?}"));
    assert!(!lines.contains("\n\n"), "several events in {frame:?}");
    let (name, data) = match lines.split_once('\n') {
        Some((name, data)) => (name.strip_prefix("event: ").unwrap(), data),
        None => ("", lines),
    };
    let data = data.strip_prefix("data: ").unwrap();
    (name.to_owned(), if data == "[DONE]" { json!(data) } else { serde_json::from_str(data).unwrap() })
}

/// Posts and reads a stream.
pub(crate) async fn stream(sim: &Sim, path: &str, body: &Value) -> Vec<(String, Value)> {
    events(post(sim, path, body).await).await
}

pub(crate) const CHAT: &str = "/v1/chat/completions";
pub(crate) const COMPLETIONS: &str = "/v1/completions";
pub(crate) const RESPONSES: &str = "/v1/responses";
pub(crate) const MESSAGES: &str = "/v1/messages";
pub(crate) const GENERATE: &str = "/v1beta/models/sim-1:generateContent";
pub(crate) const GENERATE_STREAM: &str = "/v1beta/models/sim-1:streamGenerateContent?alt=sse";

pub(crate) fn chat(text: &str) -> Value {
    json!({"model": "sim-1", "messages": [{"role": "user", "content": text}]})
}

pub(crate) fn chat_stream(text: &str) -> Value {
    with(chat(text), &json!({"stream": true, "stream_options": {"include_usage": true}}))
}

pub(crate) fn responses(text: &str) -> Value {
    json!({"model": "sim-1", "input": text})
}

pub(crate) fn messages(text: &str) -> Value {
    json!({"model": "sim-1", "max_tokens": 4096, "messages": [{"role": "user", "content": text}]})
}

pub(crate) fn generate(text: &str) -> Value {
    json!({"contents": [{"role": "user", "parts": [{"text": text}]}]})
}

/// `body` with the keys of `more`.
pub(crate) fn with(mut body: Value, more: &Value) -> Value {
    for (key, value) in more.as_object().unwrap() {
        body[key] = value.clone();
    }
    body
}

/// The strings at a pointer of each value that has one.
pub(crate) fn strings<'a>(values: impl IntoIterator<Item = &'a Value>, pointer: &str) -> Vec<&'a str> {
    values.into_iter().filter_map(|value| value.pointer(pointer)?.as_str()).collect()
}
