//! What was recorded is played again, without credentials.

use std::path::Path;

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Full};
use seawall_llm_client::sim::Sim;
use seawall_llm_client::sim::cassette::{CassetteError, Recorder, Replay};
use serde_json::{Value, json};

use crate::sim_support::{
    CHAT, MESSAGES, bytes, chat, chat_stream, clock, frames, messages, post, request, sim, whole,
};

/// Asks the simulated provider as if it were a real one, and records the exchange.
async fn record(recorder: &Recorder, real: &Sim, path: &str, body: &Value) -> Vec<Bytes> {
    let request = Request::post(path)
        .header("authorization", "Bearer sk-live-0123456789abcdef")
        .body(Full::from(body.to_string()))
        .unwrap();
    let (head, sent) = request.clone().into_parts();
    let sent = sent.collect().await.unwrap().to_bytes();
    let (answer, content) = real.call(request).await.into_parts();
    let mut recording = recorder.record(&head, &sent, &answer, content);
    let mut passed = Vec::new();
    while let Some(frame) = recording.frame().await {
        passed.push(frame.unwrap().into_data().unwrap());
    }
    passed
}

fn cassette(folder: &Path) -> String {
    let files = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap());
    files.collect()
}

#[tokio::test]
async fn an_exchange_is_played_as_it_was_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let real = sim();
    let recorder = Recorder::new(folder.path(), clock()).unwrap();
    let passed = record(&recorder, &real, CHAT, &chat_stream("sim:text hello world")).await;
    record(&recorder, &real, MESSAGES, &messages("sim:error 429 retry-after=3")).await;
    drop(recorder);

    let replayed = Sim::replaying(Replay::load(folder.path()).unwrap(), clock());
    let response = post(&replayed, CHAT, &chat_stream("sim:text hello world")).await;
    assert_eq!(response.headers()["content-type"], "text/event-stream; charset=utf-8");
    assert_eq!(
        frames(response).await,
        passed.iter().map(|frame| String::from_utf8_lossy(frame)).collect::<Vec<_>>()
    );
    let error = post(&replayed, MESSAGES, &messages("sim:error 429 retry-after=3")).await;
    assert_eq!((error.status().as_u16(), &error.headers()["retry-after"]), (429, &"3".parse().unwrap()));
}

#[tokio::test]
async fn a_request_is_known_by_its_content_and_not_by_its_spelling() {
    let folder = tempfile::tempdir().unwrap();
    let recorder = Recorder::new(folder.path(), clock()).unwrap();
    record(&recorder, &sim(), CHAT, &chat("sim:text hello")).await;
    drop(recorder);
    let replayed = Sim::replaying(Replay::load(folder.path()).unwrap(), clock());
    let respelt = r#"{ "messages": [ {"content": "sim:text hello", "role": "user"} ], "model": "sim-1" }"#;
    assert_eq!(request(&replayed, Method::POST, CHAT, respelt).await.status(), 200);
}

#[tokio::test]
async fn a_request_is_kept_as_it_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let recorder = Recorder::new(folder.path(), clock()).unwrap();
    let spelt = [
        r#"{"model":"sim-1","messages":[]}"#,
        r#"{ "model": "sim-1", "x": "\u00e9", "messages": [] }"#,
        "no JSON at all",
    ];
    for body in spelt {
        let (head, ()) = Request::post(CHAT).body(()).unwrap().into_parts();
        let (answer, content) = request(&sim(), Method::POST, CHAT, body).await.into_parts();
        recorder.record(&head, body.as_bytes(), &answer, content).collect().await.unwrap();
    }
    drop(recorder);
    let kept: Vec<Value> =
        cassette(folder.path()).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let written = |line: &Value| match (&line["request"]["body_text"], &line["request"]["body"]) {
        (Value::String(text), _) | (Value::Null, Value::String(text)) => text.clone(),
        (_, body) => body.to_string(),
    };
    assert_eq!(kept.iter().map(written).collect::<Vec<_>>(), spelt);
    assert!(kept[0]["request"].get("body_text").is_none(), "what is written the plain way is not kept twice");
}

#[tokio::test]
async fn the_same_request_gets_its_answers_in_order_and_then_the_last_again() {
    let folder = tempfile::tempdir().unwrap();
    let recorder = Recorder::new(folder.path(), clock()).unwrap();
    let real = sim();
    for _ in 0..2 {
        record(&recorder, &real, CHAT, &chat("sim:fail 1 503\nsim:text ok")).await;
    }
    drop(recorder);
    let replayed = Sim::replaying(Replay::load(folder.path()).unwrap(), clock());
    for status in [503, 200, 200] {
        assert_eq!(post(&replayed, CHAT, &chat("sim:fail 1 503\nsim:text ok")).await.status(), status);
    }
    replayed.reset();
    assert_eq!(post(&replayed, CHAT, &chat("sim:fail 1 503\nsim:text ok")).await.status(), 503);
}

#[tokio::test]
async fn what_was_not_recorded_is_refused_with_the_place_of_the_difference() {
    let folder = tempfile::tempdir().unwrap();
    let recorder = Recorder::new(folder.path(), clock()).unwrap();
    record(&recorder, &sim(), CHAT, &chat("one")).await;
    drop(recorder);
    let replayed = Sim::replaying(Replay::load(folder.path()).unwrap(), clock());
    for (path, message) in [
        (
            CHAT,
            "the cassette holds 1 answers to POST /v1/chat/completions, but their requests differ at \"/messages/0/content\"",
        ),
        (MESSAGES, "the cassette holds no answer to POST /v1/messages"),
    ] {
        let response = post(&replayed, path, &chat("two")).await;
        assert_eq!(response.status(), 404);
        assert_eq!(whole(response).await["error"]["message"], message);
    }
}

#[tokio::test]
async fn no_credential_is_in_a_cassette_not_even_one_that_came_in_two_chunks() {
    let folder = tempfile::tempdir().unwrap();
    let recorder = Recorder::new(folder.path(), clock()).unwrap();
    let secret = format!("sk-ant-{}", "0123456789abcdef");
    let prompt = format!("sim:chunk 3\nsim:text the key is {secret} and no other");
    let path = format!("/v1/chat/completions?key={secret}");
    let passed = record(&recorder, &sim(), &path, &chat(&prompt)).await;
    assert!(
        String::from_utf8_lossy(&passed.concat()).contains(&secret),
        "the client gets what the provider sent"
    );
    record(&recorder, &sim(), &path, &chat_stream(&format!("sim:raw {}", split_secret(&secret)))).await;
    drop(recorder);
    let text = cassette(folder.path());
    assert_eq!(text.lines().count(), 2);
    assert!(!text.contains("0123456789abcdef") && !text.contains("sk-live"));

    let replayed = Sim::replaying(Replay::load(folder.path()).unwrap(), clock());
    let response = post(&replayed, &path, &chat(&prompt)).await;
    assert_eq!(response.status(), 200, "the same request is known although its credentials were not kept");
}

/// The secret as a body that leaves in frames of four bytes.
fn split_secret(secret: &str) -> String {
    use base64::Engine as _;
    format!(
        "{}\nsim:chunk 4",
        base64::engine::general_purpose::STANDARD.encode(format!("data: {secret}\n\n"))
    )
}

#[tokio::test]
async fn an_answer_that_was_left_early_or_came_compressed_is_not_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let recorder = Recorder::new(folder.path(), clock()).unwrap();
    record(&recorder, &sim(), CHAT, &chat("sim:gzip\nsim:text packed")).await;
    let (head, ()) = Request::post(CHAT).body(()).unwrap().into_parts();
    let (answer, content) = post(&sim(), CHAT, &chat_stream("sim:text a b")).await.into_parts();
    let mut left = recorder.record(&head, b"{}", &answer, content);
    left.frame().await.unwrap().unwrap();
    drop(left);
    drop(recorder);
    assert_eq!(cassette(folder.path()), "");
    assert!(matches!(Replay::load(folder.path()), Err(CassetteError::Empty(_))));
}

#[test]
fn a_cassette_that_cannot_be_used_says_where() {
    let folder = tempfile::tempdir().unwrap();
    let line = json!({
        "request": {"method": "POST", "path": "/v1/x", "headers": {}, "body": null},
        "response": {"status": 200, "headers": {}, "chunks": [{"at_ms": 0, "text": "hi"}]},
    });
    std::fs::write(folder.path().join("a.jsonl"), format!("{line}\n\nnonsense\n")).unwrap();
    let error = Replay::load(folder.path()).unwrap_err().to_string();
    assert!(error.contains("a.jsonl line 3 is no recorded exchange"), "{error}");
    assert!(matches!(Replay::load(&folder.path().join("none")), Err(CassetteError::Io { .. })));
}

#[tokio::test]
async fn a_recording_passes_everything_on_unchanged() {
    let folder = tempfile::tempdir().unwrap();
    let recorder = Recorder::new(folder.path(), clock()).unwrap();
    let (head, ()) = Request::post(CHAT).body(()).unwrap().into_parts();
    let (answer, content) =
        Response::new(Full::new(Bytes::from_static(b"\xff\x00sk-0123456789abcdef"))).into_parts();
    let passed = recorder.record(&head, b"", &answer, content).collect().await.unwrap().to_bytes();
    assert_eq!(passed, b"\xff\x00sk-0123456789abcdef".as_slice());
    drop(recorder);
    let replayed = Sim::replaying(Replay::load(folder.path()).unwrap(), clock());
    let played = bytes(request(&replayed, Method::POST, CHAT, "").await).await;
    assert_eq!(played, b"\xff\x00*******************".as_slice());
}

#[tokio::test]
async fn a_recorder_ends_without_the_answers_that_nobody_finishes() {
    let folder = tempfile::tempdir().unwrap();
    let recorder = Recorder::new(folder.path(), clock()).unwrap();
    record(&recorder, &sim(), CHAT, &chat("one")).await;
    let (head, ()) = Request::post(CHAT).body(()).unwrap().into_parts();
    let (answer, content) = post(&sim(), CHAT, &chat_stream("two")).await.into_parts();
    let unfinished = recorder.record(&head, b"{}", &answer, content);
    drop(recorder);
    assert_eq!(cassette(folder.path()).lines().count(), 1);
    unfinished.collect().await.unwrap();
}
