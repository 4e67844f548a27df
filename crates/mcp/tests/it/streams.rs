use std::sync::Mutex;
use std::time::Duration;

use serde_json::json;
use tokio::sync::mpsc;

use crate::scripted::{Reply, Scripted};
use crate::stage::{Stage, call, next, plan, result, text};

const KEY: &str = "AKIAQWERTYUIOPASDFGH";

/// A server whose one stream is what comes out of this.
async fn streaming() -> (Scripted, mpsc::UnboundedSender<String>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let stream = Mutex::new(Some(receiver));
    let server = Scripted::start(move |seen| {
        match stream.lock().unwrap().take_if(|_| seen.rpc_method() == "tools/call") {
            Some(events) => Reply::Events(events),
            None => Reply::Whole(202, "", String::new()),
        }
    })
    .await;
    (server, sender)
}

fn event(data: &str) -> String {
    format!("event: message\ndata: {data}\n\n")
}

#[tokio::test]
async fn events_pass_one_by_one_while_the_tool_runs() {
    let (server, events) = streaming().await;
    let stage = Stage::new(&[("web", &server.url)], &json!({ "secrets": { "out": "redact" } }));
    let response = stage.post("web", &[], &call(1, "walk", "{}")).await;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut body = response.into_body();
    let progress = event(
        r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1}}"#,
    );
    for sent in [": note\n\n", "id: 1\nretry: 5\ndata:\n\n", &progress] {
        events.send(sent.to_owned()).unwrap();
        assert_eq!(next(&mut body).await.unwrap(), sent);
    }
    let log = format!(r#"{{"jsonrpc":"2.0","method":"notifications/message","params":{{"data":"{KEY}"}}}}"#);
    events.send(event(&log)).unwrap();
    assert_eq!(next(&mut body).await.unwrap(), event(&log.replace(KEY, "[REDACTED:aws_access_key]")));
    let sampling = r#"{"jsonrpc":"2.0","id":"s","method":"sampling/createMessage","params":{"new":true}}"#;
    events.send(event(sampling)).unwrap();
    assert_eq!(next(&mut body).await.unwrap(), event(sampling), "what a server asks of its client passes");
    events.send(format!("id: 2\n{}", event(&result(1, KEY)))).unwrap();
    assert_eq!(
        next(&mut body).await.unwrap(),
        format!("id: 2\n{}", event(&result(1, "[REDACTED:aws_access_key]")))
    );
    drop(events);
    assert_eq!(next(&mut body).await, None);
    assert_eq!(stage.actions(), ["action.admitted web.walk", "action.settled web.walk"]);
}

#[tokio::test]
async fn a_message_over_several_lines_is_one_event_also_when_it_is_changed() {
    let (server, events) = streaming().await;
    let stage = Stage::new(&[("web", &server.url)], &json!({ "secrets": { "out": "redact" } }));
    let response = stage.post("web", &[], &call(1, "walk", "{}")).await;
    let given = result(1, KEY);
    let (head, rest) = given.split_at(1);
    events.send(format!("data: {head}\ndata: {rest}\n\n")).unwrap();
    drop(events);
    let told = text(response).await;
    assert_eq!(told.trim_end().lines().count(), 1, "{told}");
    let read: serde_json::Value =
        serde_json::from_str(told.trim_end().strip_prefix("data: ").unwrap()).unwrap();
    assert_eq!(read["result"]["content"][0]["text"], "[REDACTED:aws_access_key]");
}

#[tokio::test]
async fn a_stream_that_breaks_off_ends_in_an_error() {
    let (server, events) = streaming().await;
    let stage = Stage::new(&[("web", &server.url)], &json!({}));
    let response = stage.post("web", &[], &call(1, "walk", "{}")).await;
    drop(events);
    let told = text(response).await;
    assert!(told.starts_with("event: message\ndata: ") && told.contains("-32001"), "{told}");
    assert_eq!(stage.actions(), ["action.admitted web.walk", "action.settled web.walk"]);
}

#[tokio::test]
async fn a_client_that_hangs_up_ends_the_call_upstream() {
    let (server, events) = streaming().await;
    let stage = Stage::new(&[("web", &server.url)], &json!({}));
    let response = stage.post("web", &[], &call(1, "walk", "{}")).await;
    drop(response);
    server.is_left().await;
    drop(events);
    while stage.actions().len() < 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!(stage.events()[1]["data"]["error"], "its client hung up");
}

#[tokio::test]
async fn an_answer_that_comes_by_another_stream_settles_its_call() {
    let server = Scripted::start(|seen| match (seen.method.as_str(), seen.rpc_method().as_str()) {
        ("GET", _) => {
            assert_eq!(seen.headers["last-event-id"], "e1");
            Reply::events(&[&format!("id: e2\n{}", event(&result(5, KEY)))])
        }
        ("POST", "initialize") => Reply::Whole(
            200,
            "content-type: application/json\r\nmcp-session-id: s1\r\n",
            r#"{"jsonrpc":"2.0","id":0,"result":{}}"#.to_owned(),
        ),
        _ => Reply::events(&["id: e1\ndata:\n\n"]),
    })
    .await;
    let stage = Stage::new(&[("web", &server.url)], &json!({ "secrets": { "out": "redact" } }));
    let begun = stage.post("web", &[], r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{}}"#).await;
    assert_eq!(begun.headers()["mcp-session-id"], "s1");
    let session = [("mcp-session-id", "s1")];
    let first = text(stage.post("web", &session, &call(5, "walk", "{}")).await).await;
    assert_eq!(first, "id: e1\ndata:\n\n", "it ends without an answer, and without an error");
    assert_eq!(stage.actions(), ["action.admitted web.walk"]);
    for _again in 0..2 {
        let headers = [session[0], ("last-event-id", "e1")];
        let rest = text(stage.send(None, http::Method::GET, "web", &headers, "").await).await;
        assert!(
            rest.contains("[REDACTED:aws_access_key]") && !rest.contains(KEY),
            "also when it comes again: {rest}"
        );
    }
    assert_eq!(stage.actions(), ["action.admitted web.walk", "action.settled web.walk"]);
}

#[tokio::test]
async fn what_comes_again_is_looked_through_like_the_first_time() {
    let given = r#"{"jsonrpc":"2.0","id":5,"result":{"content":[],"structuredContent":{"password":"correct-horse-7"}}}"#;
    let server = Scripted::start(move |seen| match (seen.method.as_str(), seen.rpc_method().as_str()) {
        ("POST", "initialize") => Reply::Whole(
            200,
            "content-type: application/json\r\nmcp-session-id: s1\r\n",
            r#"{"jsonrpc":"2.0","id":0,"result":{}}"#.to_owned(),
        ),
        _ => Reply::events(&[&format!("id: e1\n{}", event(given))]),
    })
    .await;
    let stage = Stage::new(&[("web", &server.url)], &json!({ "secrets": { "out": "redact" } }));
    stage.post("web", &[], r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{}}"#).await;
    let session = [("mcp-session-id", "s1"), ("last-event-id", "e0")];
    let first = text(stage.post("web", &session[..1], &call(5, "walk", "{}")).await).await;
    let again = text(stage.send(None, http::Method::GET, "web", &session, "").await).await;
    assert!(!first.contains("correct-horse") && first.contains("[REDACTED:secret]"), "{first}");
    assert_eq!(again, first);
}

#[tokio::test]
async fn an_answer_to_nothing_that_was_asked_goes_nowhere() {
    let (server, events) = streaming().await;
    let stage = Stage::new(&[("web", &server.url)], &json!({}));
    let response = stage.post("web", &[], &call(7, "walk", "{}")).await;
    events.send(event(&result(8, "of a call that nobody judged"))).unwrap();
    // Some take a number and its digits for the same.
    events.send(event(&result(7, "fine").replace("\"id\":7", "\"id\":\"7\""))).unwrap();
    drop(events);
    let told = text(response).await;
    assert!(told.contains("fine") && !told.contains("nobody judged") && !told.contains("-32001"), "{told}");
    let settled = &stage.events()[1];
    assert_eq!((&settled["kind"], &settled["data"]["status"]), (&json!("action.settled"), &json!(200)));
}

#[tokio::test]
async fn a_call_that_takes_too_long_is_told_to_both() {
    let server = Scripted::start(|seen| match seen.rpc_method().as_str() {
        "initialize" => Reply::Whole(
            200,
            "content-type: application/json\r\nmcp-session-id: s1\r\n",
            r#"{"jsonrpc":"2.0","id":0,"result":{}}"#.to_owned(),
        ),
        "tools/call" => Reply::Silence,
        _ => Reply::Whole(202, "", String::new()),
    })
    .await;
    let stage = Stage::new(&[], &json!({}));
    stage.proxy.configure(vec![plan("web", &server.url, Duration::from_millis(200))]);
    stage.post("web", &[], r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{}}"#).await;
    let told = text(stage.post("web", &[("mcp-session-id", "s1")], &call(5, "walk", "{}")).await).await;
    assert!(told.contains("denied TIMEOUT") && told.contains("isError"), "{told}");
    let cancelled = server.sees(|seen| seen.rpc_method() == "notifications/cancelled").await;
    assert_eq!(cancelled.json()["params"]["requestId"], 5);
    assert_eq!(stage.events()[1]["data"]["status"], 504);
}

#[tokio::test]
async fn an_event_larger_than_messages_may_be_ends_its_stream_in_an_error() {
    let (server, events) = streaming().await;
    let mut stage = Stage::new(&[("web", &server.url)], &json!({}));
    stage.limits.message = 1_000;
    let response = stage.post("web", &[], &call(1, "walk", "{}")).await;
    events.send(event(&result(1, &"x".repeat(2_000)))).unwrap();
    let told = text(response).await;
    assert!(told.contains("-32001") && !told.contains("xxx"), "{told}");
}

#[tokio::test]
async fn a_session_listens_on_so_many_streams() {
    let streams = Mutex::new(Vec::new());
    let server = Scripted::start(move |seen| {
        if seen.rpc_method() == "initialize" {
            return Reply::Whole(
                200,
                "content-type: application/json\r\nmcp-session-id: s1\r\n",
                r#"{"jsonrpc":"2.0","id":0,"result":{}}"#.to_owned(),
            );
        }
        let (sender, receiver) = mpsc::unbounded_channel();
        streams.lock().unwrap().push(sender);
        Reply::Events(receiver)
    })
    .await;
    let stage = Stage::new(&[("web", &server.url)], &json!({}));
    stage.post("web", &[], r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{}}"#).await;
    let listen = async || stage.send(None, http::Method::GET, "web", &[("mcp-session-id", "s1")], "").await;
    let mut open = Vec::new();
    for _ in 0..16 {
        let response = listen().await;
        assert_eq!(response.status(), 200);
        open.push(response);
    }
    assert_eq!(listen().await.status(), 429);
    open.pop();
    assert_eq!(listen().await.status(), 200, "the place of one that was closed is free");
}

#[tokio::test]
async fn a_stream_that_only_listens_ends_when_the_server_stops() {
    let (sender, receiver) = mpsc::unbounded_channel();
    let stream = Mutex::new(Some(receiver));
    let server = Scripted::start(move |_| Reply::Events(stream.lock().unwrap().take().unwrap())).await;
    let stage = Stage::new(&[("web", &server.url)], &json!({}));
    let response = stage.send(None, http::Method::GET, "web", &[], "").await;
    stage.proxy.drain();
    assert_eq!(text(response).await, "");
    drop(sender);
}
