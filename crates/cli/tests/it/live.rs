//! A screened stream is live: a text has left before the next one is there, a call of a tool when it is complete.
//!
//! Nothing is timed: the upstream sends its next event only when the client has seen all it may see of the one before. A
//! screen that waited for more would wait forever.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::support::client::{Answering, Call, begin};
use crate::support::format::Format;
use crate::support::program::{Setup, one_upstream};
use crate::support::upstream::{Reply, Upstream};

const EVERYTHING: &str = "policy: { mode: strict, secrets: { in: deny, out: redact }, pii: { in: redact, out: redact }, \
    injection: warn, tools: [{ name: \"shell\", verdict: deny }] }";
const WORDS: [&str; 4] = ["The ", "secret is ", "kept, ", "as it was. "];

/// The events of an answer: how each text is sent, a call of a tool in pieces, and its end.
struct Events {
    text: fn(&str) -> String,
    call: Vec<String>,
    end: Vec<String>,
}

fn events(format: Format) -> Events {
    match format {
        Format::Chat => {
            let tool = |call: Value| chat(&json!({ "tool_calls": [call] }), &Value::Null);
            Events {
                text: |text| chat(&json!({ "content": text }), &Value::Null),
                call: vec![
                    tool(json!({ "index": 0, "id": "c1", "function": { "name": "look", "arguments": "" } })),
                    tool(json!({ "index": 0, "function": { "arguments": "{\"at\": \"the " } })),
                    tool(json!({ "index": 0, "function": { "arguments": "moon\"}" } })),
                ],
                end: vec![chat(&json!({}), &json!("tool_calls")), "data: [DONE]\n\n".to_owned()],
            }
        }
        Format::Messages => Events {
            text: |text| block_delta(0, &json!({ "type": "text_delta", "text": text })),
            call: vec![
                message("content_block_stop", &json!({ "index": 0 })),
                message(
                    "content_block_start",
                    &json!({ "index": 1, "content_block": { "type": "tool_use", "id": "c1", "name": "look", "input": {} } }),
                ),
                block_delta(1, &json!({ "type": "input_json_delta", "partial_json": "{\"at\": \"the " })),
                block_delta(1, &json!({ "type": "input_json_delta", "partial_json": "moon\"}" })),
            ],
            end: vec![
                message("content_block_stop", &json!({ "index": 1 })),
                message("message_stop", &json!({})),
            ],
        },
        Format::Responses | Format::Gemini => unreachable!("not asked of these"),
    }
}

fn chat(delta: &Value, finish: &Value) -> String {
    let choice = json!({ "index": 0, "delta": delta, "finish_reason": finish });
    format!("data: {}\n\n", json!({ "model": "sim-c", "choices": [choice] }))
}

fn message(kind: &str, rest: &Value) -> String {
    let mut event = rest.clone();
    event["type"] = kind.into();
    format!("event: {kind}\ndata: {event}\n\n")
}

fn block_delta(index: u32, delta: &Value) -> String {
    message("content_block_delta", &json!({ "index": index, "delta": delta }))
}

/// Reads on until these words are there.
async fn read_until(answer: &mut Answering, seen: &mut String, words: &str) {
    while !seen.contains(words) {
        let piece = answer.piece().await.unwrap_or_else(|| panic!("ended before {words:?}: {seen}"));
        seen.push_str(std::str::from_utf8(&piece).unwrap());
    }
}

#[tokio::test]
async fn a_text_has_left_before_the_next_one_comes_and_a_call_when_it_is_complete() {
    for format in [Format::Chat, Format::Messages] {
        let events = events(format);
        let permits = Arc::new(Semaphore::new(0));
        let texts = WORDS.map(events.text);
        let first = if matches!(format, Format::Messages) {
            vec![
                message(
                    "message_start",
                    &json!({ "message": { "model": "sim-m", "usage": { "input_tokens": 1, "output_tokens": 1 } } }),
                ),
                message(
                    "content_block_start",
                    &json!({ "index": 0, "content_block": { "type": "text", "text": "" } }),
                ),
            ]
        } else {
            Vec::new()
        };
        let reply =
            texts.iter().fold(Reply::begin_events(first), |reply, text| reply.chunk(text).wait(&permits));
        let reply = events.call.iter().fold(reply, |reply, piece| reply.chunk(piece));
        let reply = events.end.iter().fold(reply.wait(&permits), |reply, event| reply.chunk(event)).end();
        let upstream = Upstream::always(reply);
        let server = Setup::proxy(&format!("{EVERYTHING}\n{}", one_upstream(&upstream.url()))).start();

        let mut answer = begin(server.address, Call::say(format, "hello", true)).await;
        let mut seen = String::new();
        for word in WORDS {
            read_until(&mut answer, &mut seen, &serde_json::to_string(word).unwrap()).await;
            permits.add_permits(1);
        }
        assert!(!seen.contains("look") && !seen.contains("moon"), "{seen}");
        permits.add_permits(1);
        let rest = answer.rest().await;
        seen.push_str(std::str::from_utf8(&rest.body).unwrap());
        assert!(rest.complete && seen.contains("look") && seen.contains("moon"), "{seen}");
    }
}

#[tokio::test]
async fn nothing_of_a_call_that_is_not_complete_leaves() {
    let events = events(Format::Chat);
    let permits = Arc::new(Semaphore::new(0));
    let reply = events
        .call
        .iter()
        .fold(Reply::begin_events([(events.text)("so: ")]), |reply, piece| reply.chunk(piece));
    let reply = reply.chunk((events.text)("wait. ")).wait(&permits).close();
    let upstream = Upstream::always(reply);
    let server = Setup::proxy(&format!("{EVERYTHING}\n{}", one_upstream(&upstream.url()))).start();

    let mut answer = begin(server.address, Call::say(Format::Chat, "hello", true)).await;
    let mut seen = String::new();
    read_until(&mut answer, &mut seen, "so: ").await;
    permits.add_permits(1);
    let rest = answer.rest().await;
    seen.push_str(&String::from_utf8_lossy(&rest.body));
    assert!(!seen.contains("look") && !seen.contains("moon"), "{seen}");
    assert!(seen.contains("error"), "a stream never ends silently: {seen}");
}
