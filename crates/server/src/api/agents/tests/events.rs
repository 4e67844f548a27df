//! Following an agent over HTTP.

use axum::body::Body;
use http_body_util::BodyExt;
use serde_json::{Value, json};

use super::stage::{Stage, within};

/// One event of a stream.
#[derive(Debug, Clone, PartialEq)]
struct Event {
    id: u64,
    kind: String,
    data: Value,
}

/// A stream of events that is being read.
struct Reading {
    body: Body,
    text: String,
}

impl Reading {
    async fn open(stage: &Stage, path: &str, headers: &[(&str, &str)]) -> Self {
        let answer = within(stage.open("GET", path, headers, "")).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        Self { body: answer.into_body(), text: String::new() }
    }

    /// The next event; `None` at the end of the answer.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let (event, rest) = (parsed(block), rest.to_owned());
                self.text = rest;
                match event {
                    Some(event) => return Some(event),
                    None => continue,
                }
            }
            let frame = within(self.body.frame()).await?.unwrap();
            self.text.push_str(std::str::from_utf8(frame.data_ref().unwrap()).unwrap());
        }
    }
}

/// `None`: a comment, or how long to wait before coming back.
fn parsed(block: &str) -> Option<Event> {
    let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    let data = serde_json::from_str(field("data")?).unwrap();
    Some(Event { id: field("id")?.parse().unwrap(), kind: field("event")?.to_owned(), data })
}

#[tokio::test]
async fn events_have_the_shape_of_the_contract() {
    let stage = Stage::new();
    stage.agent("a", json!({})).await;
    stage.complete("a", "sim:text hi").await;
    let mut reading = Reading::open(&stage, "/api/agents/a/events?channels=progress", &[]).await;
    let mut kinds = Vec::new();
    loop {
        let event = reading.next().await.unwrap();
        assert_eq!(
            (&event.data["cursor"], &event.data["bookmark"]["seq"]),
            (&json!(event.id), &json!(event.id))
        );
        assert_eq!(
            (&event.data["event"]["type"], &event.data["event"]["channel"]),
            (&json!(event.kind), &json!("progress"))
        );
        kinds.push(event.kind.clone());
        if event.kind == "done" {
            break;
        }
    }
    assert!(
        kinds.contains(&"text_chunk_start".to_owned()) && kinds.contains(&"text_chunk_end".to_owned()),
        "{kinds:?}"
    );
}

#[tokio::test]
async fn who_comes_back_twenty_times_misses_nothing_and_sees_nothing_twice() {
    let stage = Stage::slow();
    stage.agent("a", json!({})).await;
    let words = "sim:repeat 400 word";
    stage.post("/api/agents/a/messages", &json!({"content": words})).await.ok(202);
    // The query says where it began; the header, where the client is by now.
    let path = "/api/agents/a/events?since=0";
    let (mut seen, mut ended) = (Vec::<Event>::new(), false);
    for round in 0..20 {
        let last = seen.last().map_or(0, |event| event.id).to_string();
        let mut reading = Reading::open(&stage, path, &[("last-event-id", &last)]).await;
        for _ in 0..=round % 3 {
            if ended {
                break;
            }
            let event = reading.next().await.unwrap();
            ended = event.kind == "done";
            seen.push(event);
        }
        if round == 9 {
            stage.complete("a", "sim:text in between").await;
            ended = false;
        }
    }
    let last = seen.last().unwrap().id;
    assert!(seen.windows(2).all(|pair| pair[0].id < pair[1].id), "{seen:?}");
    let mut whole = Reading::open(&stage, path, &[]).await;
    let mut expected = Vec::new();
    loop {
        let event = whole.next().await.unwrap();
        let is_last = event.id == last;
        expected.push(event);
        if is_last {
            break;
        }
    }
    assert!(seen.len() >= 20, "{}", seen.len());
    assert!(seen.iter().any(|event| event.kind == "text_chunk"), "nothing was read while the agent spoke");
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn a_stream_of_words_ends_with_its_turn() {
    let stage = Stage::new();
    stage.agent("a", json!({})).await;
    stage.complete("a", "sim:text before").await;
    let body = json!({"content": "sim:tool work {\"n\": 1}\nsim:turn 1 sim:text one two"});
    let sent = stage.post("/api/agents/a/messages", &body).await.ok(202);
    let since = sent["bookmark"]["seq"].to_string();
    let mut reading = Reading::open(&stage, &format!("/api/agents/a/stream?since={since}"), &[]).await;
    let (mut words, mut last) = (String::new(), String::new());
    while let Some(event) = reading.next().await {
        assert!(event.kind == "done" || event.kind.contains("_chunk"), "{event:?}");
        // An answer that is there at once has no pieces; its end has the whole of it.
        if event.kind == "text_chunk_end" {
            words.push_str(event.data["event"]["text"].as_str().unwrap());
        }
        last = event.kind;
    }
    assert_eq!((words.as_str(), last.as_str()), ("one two", "done"));
}

#[tokio::test]
async fn streams_end_when_the_server_stops() {
    let stage = Stage::new();
    stage.agent("a", json!({})).await;
    let mut reading = Reading::open(&stage, "/api/agents/a/events", &[]).await;
    reading.next().await.unwrap();
    stage.app.stop();
    while reading.next().await.is_some() {}
    // Who waits for an answer is told that the message is safe.
    let sent = stage.post("/api/agents/a/messages?wait=true", &json!({"content": "sim:hang"})).await;
    assert_eq!(sent.status, 202);
}

#[tokio::test(start_paused = true)]
async fn silence_is_filled_and_the_end_of_the_agent_is_the_end() {
    let stage = Stage::new();
    stage.agent("a", json!({})).await;
    let seq = stage.get("/api/agents/a").await.ok(200)["bookmark"]["seq"].to_string();
    let answer = stage.open("GET", &format!("/api/agents/a/events?since={seq}"), &[], "").await;
    let mut body = answer.into_body();
    let mut next = async || {
        let frame = within(body.frame()).await?.unwrap().into_data().unwrap();
        Some(String::from_utf8(frame.to_vec()).unwrap())
    };
    assert_eq!(next().await.as_deref(), Some("retry: 1000\n\n"));
    assert_eq!(next().await.as_deref(), Some(":\n\n"));
    assert_eq!(stage.ask("DELETE", "/api/agents/a?purge=true", &[], "").await.status, 204);
    assert_eq!(next().await, None);
}
