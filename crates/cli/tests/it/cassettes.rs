//! Recorded exchanges of every wire format through the gateway: what the SDKs sent arrives byte for byte, and what the
//! provider answered comes back byte for byte.
//!
//! The cassettes are in `crates/llm-client/tests/cassettes`; `tests/cassettes/record.py` makes them.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::Value;

use crate::support::program::{Setup, one_upstream};
use crate::support::raw::{self, Answer};
use crate::support::upstream::{Reply, Seen, Upstream};

/// One exchange of a cassette.
struct Exchange {
    cassette: String,
    request: Value,
    response: Value,
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../llm-client/tests/cassettes")
}

fn exchanges() -> Vec<Exchange> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut exchanges = Vec::new();
    for file in files {
        let cassette = file.file_stem().unwrap().to_string_lossy().into_owned();
        for line in std::fs::read_to_string(&file).unwrap().lines() {
            let mut line: Value = serde_json::from_str(line).unwrap();
            let (request, response) = (line["request"].take(), line["response"].take());
            exchanges.push(Exchange { cassette: cassette.clone(), request, response });
        }
    }
    exchanges
}

impl Exchange {
    fn path(&self) -> &str {
        self.request["path"].as_str().unwrap()
    }

    /// The body as the SDK wrote it.
    fn body(&self) -> String {
        match &self.request["body_text"] {
            Value::String(text) => text.clone(),
            _ => self.request["body"].to_string(),
        }
    }

    /// The request as the SDK sent it, but for what names a connection and for a key, which it has anew.
    fn sent(&self) -> Vec<u8> {
        let headers: Vec<(&str, &str)> = self.headers(&self.request).collect();
        raw::request(self.request["method"].as_str().unwrap(), self.path(), &headers, self.body())
    }

    fn headers<'a>(&self, message: &'a Value) -> impl Iterator<Item = (&'a str, &'a str)> {
        let fields = message["headers"].as_object().unwrap().iter();
        fields.map(|(name, value)| (name.as_str(), value.as_str().unwrap()))
    }

    fn chunks(&self) -> Vec<Vec<u8>> {
        let chunk =
            |chunk: &Value| chunk["text"].as_str().expect("a recorded chunk is text").as_bytes().to_vec();
        self.response["chunks"].as_array().unwrap().iter().map(chunk).collect()
    }

    fn is_stream(&self) -> bool {
        self.response["headers"]["content-type"].as_str().unwrap().starts_with("text/event-stream")
    }

    fn status(&self) -> u16 {
        u16::try_from(self.response["status"].as_u64().unwrap()).unwrap()
    }

    /// The provider's answer as it was recorded.
    fn reply(&self) -> Reply {
        let framing = ["content-length", "transfer-encoding"];
        let headers: Vec<_> =
            self.headers(&self.response).filter(|(name, _)| !framing.contains(name)).collect();
        if self.is_stream() {
            self.chunks().iter().fold(Reply::chunked(self.status(), &headers), Reply::chunk).end()
        } else {
            Reply::whole(self.status(), &headers, self.chunks().concat())
        }
    }

    /// Whether the gateway asks for usage that the client did not ask for.
    fn is_asked_for_usage(&self) -> bool {
        let body = &self.request["body"];
        ["openai_chat", "openai_completions"].contains(&self.cassette.as_str())
            && body["stream"] == true
            && body["stream_options"]["include_usage"] != true
    }
}

#[test]
fn every_wire_format_is_recorded_whole_and_as_a_stream_and_with_tools() {
    let exchanges = exchanges();
    let has = |cassette: &str, what: &str, holds: &dyn Fn(&Exchange) -> bool| {
        let found = exchanges.iter().any(|exchange| exchange.cassette == cassette && holds(exchange));
        assert!(found, "{cassette} has no exchange {what}");
    };
    for cassette in ["openai_chat", "openai_responses", "openai_completions", "anthropic_messages", "gemini"]
    {
        has(cassette, "as a stream", &|exchange| exchange.is_stream() && exchange.status() == 200);
        has(cassette, "in one piece", &|exchange| !exchange.is_stream() && exchange.status() == 200);
    }
    for cassette in ["openai_chat", "openai_responses", "anthropic_messages", "gemini"] {
        has(cassette, "with tools", &|exchange| exchange.request["body"].get("tools").is_some());
        has(cassette, "with a tool's result", &|exchange| {
            let body = exchange.request["body"].to_string();
            ["\"role\":\"tool\"", "function_call_output", "tool_result", "functionResponse"]
                .iter()
                .any(|mark| body.contains(mark))
        });
    }
    for cassette in ["openai_embeddings", "anthropic_count_tokens", "gemini_count_tokens", "gemini_embed"] {
        has(cassette, "in one piece", &|exchange| exchange.status() == 200);
    }
    for cassette in ["openai_chat", "anthropic_messages", "gemini"] {
        has(cassette, "that was refused", &|exchange| exchange.status() >= 400);
    }
}

#[tokio::test]
async fn recorded_requests_arrive_and_recorded_answers_come_back_byte_for_byte() {
    // It answers in the order of the cassettes, whatever it is asked; what it was asked is looked at below.
    let replies: Vec<Reply> = exchanges().iter().map(Exchange::reply).collect();
    let provider = Upstream::in_turn(replies);
    let server = Setup::proxy(&one_upstream(&provider.url())).start();
    for (number, exchange) in exchanges().into_iter().enumerate() {
        let what = format!("{} {}", exchange.cassette, exchange.path());
        let answer = server.ask(exchange.sent()).await;
        let arrived = provider.seen().get(number).cloned().unwrap_or_else(|| panic!("{what}: {answer:?}"));
        assert_eq!(answer.status, exchange.status(), "{what}: {answer:?}");
        assert_eq!(arrived.line(), format!("POST {} HTTP/1.1", exchange.path()));
        if exchange.is_asked_for_usage() {
            assert_only_usage_was_asked_for(&exchange, &arrived);
        } else {
            assert_eq!(arrived.text(), exchange.body(), "{what}");
        }
        assert_headers_arrived(&exchange, &arrived);
        assert_eq!(answer.text().as_bytes(), exchange.chunks().concat(), "{what}");
        assert_headers_came_back(&exchange, &answer);
    }
}

/// The body is the client's but for one stretch that asks for usage.
fn assert_only_usage_was_asked_for(exchange: &Exchange, arrived: &Seen) {
    let (sent, arrived) = (exchange.body(), arrived.text());
    let added = r#","stream_options":{"include_usage":true}"#;
    assert_eq!(arrived.replacen(added, "", 1), sent);
    assert_eq!(arrived.len(), sent.len() + added.len());
}

/// What holds for one connection alone, or is the gateway's own.
const OWN_REQUEST: [&str; 6] =
    ["host", "connection", "content-length", "accept-encoding", "authorization", "x-api-key"];

fn assert_headers_arrived(exchange: &Exchange, arrived: &Seen) {
    for (name, value) in exchange.headers(&exchange.request) {
        if !OWN_REQUEST.contains(&name) {
            assert_eq!(arrived.header(name), Some(value), "{} {name}", exchange.cassette);
        }
    }
}

fn assert_headers_came_back(exchange: &Exchange, answer: &Answer) {
    for (name, value) in exchange.headers(&exchange.response) {
        if !["content-length", "transfer-encoding", "date", "connection"].contains(&name) {
            assert_eq!(answer.header(name), Some(value), "{} {name}", exchange.cassette);
        }
    }
}

#[tokio::test]
async fn the_simulated_provider_replays_the_same_cassettes() {
    let folder = folder();
    let replay = ["--listen", "127.0.0.1:0", "--replay", "--cassettes", folder.to_str().unwrap()];
    let replaying = Setup::new("sim").args(replay).start();
    for exchange in exchanges() {
        let answer = replaying.ask(exchange.sent()).await;
        assert_eq!(answer.status, exchange.status(), "{answer:?}");
        assert_eq!(answer.text().as_bytes(), exchange.chunks().concat(), "{}", exchange.path());
    }
    let unknown = replaying.ask(raw::post("/v1/chat/completions", r#"{"model":"m","messages":[]}"#)).await;
    assert_eq!(unknown.status, 404);
    assert!(unknown.text().contains("their requests differ at"), "{unknown:?}");
}

#[tokio::test]
async fn what_is_recorded_can_be_replayed() {
    let real = Setup::new("sim").args(["--listen", "127.0.0.1:0"]).start();
    let tape = real.setup.path("tape");
    let url = format!("http://{}", real.address);
    let record = ["--listen", "127.0.0.1:0", "--record", &url, "--cassettes", tape.to_str().unwrap()];
    let recording = Setup::new("sim").args(record).start();
    let asked: Vec<Exchange> =
        exchanges().into_iter().filter(|exchange| exchange.cassette == "anthropic_messages").collect();
    let mut answers = Vec::new();
    for exchange in &asked {
        answers.push(recording.ask(exchange.sent()).await);
    }
    assert!(recording.stop().success(), "it ends well when it is told to");

    let replay = ["--listen", "127.0.0.1:0", "--replay", "--cassettes", tape.to_str().unwrap()];
    let replaying = Setup::new("sim").args(replay).start();
    for (exchange, answer) in asked.iter().zip(answers) {
        let again = replaying.ask(exchange.sent()).await;
        assert_eq!((again.status, again.text()), (answer.status, answer.text()));
    }
}

#[test]
fn what_can_not_be_recorded_or_replayed_is_said_at_once() {
    for (args, said) in [
        (["--record", "nowhere", "--cassettes", "tape"].as_slice(), "not a URL"),
        (&["--replay", "--cassettes", "nothing-here"], "nothing-here"),
        (&["--replay"], "--cassettes"),
        (&["--cassettes", "tape"], "--record URL or --replay"),
    ] {
        let output = Setup::new("sim").args(args.iter().copied()).run();
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(said), "{args:?}: {output:?}");
    }
}

#[test]
fn every_cassette_belongs_to_a_wire_format() {
    let names: BTreeSet<String> = exchanges().into_iter().map(|exchange| exchange.cassette).collect();
    let expected = [
        "anthropic_count_tokens",
        "anthropic_messages",
        "gemini",
        "gemini_count_tokens",
        "gemini_embed",
        "openai_chat",
        "openai_completions",
        "openai_embeddings",
        "openai_responses",
    ];
    assert_eq!(names.iter().map(String::as_str).collect::<Vec<_>>(), expected);
}
