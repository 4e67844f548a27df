//! What a call is charged whose cost does not simply stand in its answer: never less than it can have cost.

mod endings;
mod models;
mod prices;
mod unclaimed;

use std::io::Write;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use seawall_types::{Usd, Window};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

use crate::support::client::{self, Call};
use crate::support::eventually;
use crate::support::format::Format;
use crate::support::program::{Program, Setup, one_upstream};
use crate::support::raw::{self, Answer};
use crate::support::trace::Trace;
use crate::support::upstream::{Reply, Upstream};

const CHAT: &str = "/v1/chat/completions";
const IMAGES: &str = "/v1/images/generations";

fn usd(text: &str) -> Usd {
    text.parse().unwrap()
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

/// A strict proxy with a budget before this upstream.
fn strict(upstream: &Upstream, config: &str, budget: &str) -> Program {
    let config = format!("{config}\n{}", one_upstream(&upstream.url()));
    Setup::proxy(&config).args(["--mode", "strict", "--budget", budget]).start()
}

fn code(answer: &Answer) -> Value {
    answer.json()["error"]["seawall"]["code"].clone()
}

async fn spent(proxy: &Program) -> Usd {
    proxy.settled("global", Window::Total).await.spent_usd
}

/// The trace of one call, once it is settled there.
async fn trace_of_one(proxy: &Program) -> Trace {
    let trace = eventually("the call is settled", async || {
        let trace = Trace::of(&proxy.setup);
        if trace.count("action.settled") > 0 { Ok(trace) } else { Err("nothing is settled") }
    });
    let trace = trace.await;
    assert_eq!(trace.count("action.admitted"), 1);
    trace
}

fn chunk(value: &Value) -> String {
    format!("data: {value}\n\n")
}

fn said(model: &str, text: &str) -> String {
    chunk(&json!({ "model": model, "choices": [{ "index": 0, "delta": { "content": text } }] }))
}

fn stopped(model: &str) -> String {
    chunk(&json!({ "model": model, "choices": [{ "index": 0, "delta": {}, "finish_reason": "stop" }] }))
}

fn used(model: &str, input: u64, output: u64) -> String {
    let usage = json!({ "prompt_tokens": input, "completion_tokens": output });
    chunk(&json!({ "model": model, "choices": [], "usage": usage }))
}

fn answer(model: &str, input: u64, output: u64) -> Value {
    json!({
        "model": model,
        "choices": [{ "index": 0, "message": { "role": "assistant", "content": "hi" }, "finish_reason": "stop" }],
        "usage": { "prompt_tokens": input, "completion_tokens": output },
    })
}

fn ask(model: &str, stream: bool) -> String {
    let messages = json!([{ "role": "user", "content": "hi" }]);
    json!({ "model": model, "stream": stream, "max_completion_tokens": 1000, "messages": messages })
        .to_string()
}

/// Begins a stream, reads until `last` has come, hangs up, and gives what was settled.
async fn hung_up_at(proxy: &Program, model: &str, last: &str) -> Value {
    let mut answering = client::begin(proxy.address, Call::post(CHAT, ask(model, true))).await;
    let mut seen = String::new();
    while !seen.contains(last) {
        let piece = answering.piece().await.expect("more of the stream");
        seen.push_str(std::str::from_utf8(&piece).unwrap());
    }
    drop(answering);
    trace_of_one(proxy).await.of_kind("action.settled").next().unwrap().data.clone()
}
