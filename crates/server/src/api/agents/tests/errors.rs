//! Each error has its status, its code and the place of what is wrong.

use serde_json::json;

use super::stage::Stage;

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let stage = Stage::new();
    stage.agent("a", json!({})).await;
    stage.get("/api/agents/none").await.problem(404, "AGENT_NOT_FOUND");
    stage.post("/api/agents/none/messages", &json!({"content": "x"})).await.problem(404, "AGENT_NOT_FOUND");
    stage.get("/api/agents/none/events").await.problem(404, "AGENT_NOT_FOUND");
    stage.post("/api/agents/a/fork", &json!({"snapshot": "none"})).await.problem(404, "NOT_FOUND");
    let resolution = json!({"outcome": "not_done", "note": "looked"});
    stage.post("/api/agents/a/tool-calls/call_9_9/resolve", &resolution).await.problem(404, "NOT_FOUND");
    let decision = json!({"call_id": "call_9_9", "decision": "allow"});
    stage.post("/api/agents/a/decide", &decision).await.problem(404, "NOT_FOUND");
    let approval = "0190e3a5-7c3a-7bd2-8a3b-5e7d0f1a2b3c";
    let decision = json!({"approval_id": approval, "decision": "deny"});
    stage.post("/api/agents/a/decide", &decision).await.problem(404, "NOT_FOUND");
    stage.get(&format!("/api/approvals/{approval}")).await.problem(404, "NOT_FOUND");
}

#[tokio::test]
async fn names_that_lead_elsewhere_are_bad_requests() {
    let stage = Stage::new();
    for name in ["..%2Fx", "%2E%2E", "a%20b", "a%00", "%FF", ".hidden", &"a".repeat(129)] {
        let answer = stage.get(&format!("/api/agents/{name}")).await;
        assert_eq!(answer.problem(400, "BAD_REQUEST")["errors"][0]["pointer"], "/id", "{name}");
    }
    let answer = stage.post("/api/agents", &json!({"id": "../x", "template": "writer"})).await;
    assert_eq!(answer.problem(400, "BAD_REQUEST")["errors"][0]["pointer"], "/id");
}

#[tokio::test]
async fn bad_input_is_pointed_at() {
    let stage = Stage::new();
    stage.agent("a", json!({})).await;
    for (method, path, body, pointer) in [
        ("POST", "/api/agents", json!({"template": "writr"}), "/template"),
        ("POST", "/api/agents", json!({"template": "writer", "template_version": "9"}), "/template_version"),
        ("POST", "/api/agents", json!({"template": "writer", "overrides": {"nope": 1}}), "/overrides"),
        ("POST", "/api/agents", json!({"template": 7}), "/template"),
        ("POST", "/api/agents", json!({}), ""),
        ("POST", "/api/agents/a/messages", json!({"content": []}), "/content"),
        ("POST", "/api/agents/a/messages", json!({"content": 7}), "/content"),
        (
            "POST",
            "/api/agents/a/messages",
            json!({"content": [{"type": "text", "text": "x"}, {"type": "x"}]}),
            "/content/1/type",
        ),
        ("POST", "/api/agents/a/messages", json!({"content": "x", "kind": "order"}), "/kind"),
        ("POST", "/api/agents/a/messages?wait=true&timeout=99999", json!({"content": "x"}), "/timeout"),
        ("POST", "/api/agents/a/messages?wait=perhaps", json!({"content": "x"}), ""),
        ("POST", "/api/agents/a/decide", json!({"decision": "allow"}), "/approval_id"),
        ("POST", "/api/agents/a/decide", json!({"call_id": "x", "decision": "allow"}), "/call_id"),
        (
            "POST",
            "/api/agents/a/decide",
            json!({"call_id": "call_1_1", "decision": "allow", "arguments": 1}),
            "/arguments",
        ),
        ("POST", "/api/agents/a/fork", json!({"snapshot": "x", "seq": 1}), "/seq"),
        ("POST", "/api/agents/a/fork", json!({"seq": 99999}), "/seq"),
        ("POST", "/api/agents/a/snapshots", json!({"id": ""}), "/id"),
        ("POST", "/api/agents/a/tool-calls/nope/resolve", json!({"outcome": "done", "note": "x"}), "/call"),
        ("PUT", "/api/agents/a/todos", json!({"todos": [{"id": "1"}]}), "/todos/0"),
        ("GET", "/api/agents/a/messages?limit=0", json!(null), "/limit"),
        ("GET", "/api/agents/a/events?channels=progress,gossip", json!(null), "/channels"),
        ("GET", "/api/agents?state=dead", json!(null), ""),
    ] {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer = stage.ask(method, path, &[], &body).await;
        let problem = answer.problem(400, "BAD_REQUEST");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{path} {body}: {problem}");
    }
    let nearest = stage.post("/api/agents", &json!({"template": "writr"})).await;
    assert!(nearest.json["detail"].as_str().unwrap().contains("\"writer\""), "{nearest:?}");
    let todos = json!({"todos": [{"id": "1", "title": "x"}, {"id": "1", "title": "y"}]}).to_string();
    stage.ask("PUT", "/api/agents/a/todos", &[], &todos).await.problem(400, "BAD_REQUEST");
    for (name, value) in [("last-event-id", "x"), ("last-event-id", "-1")] {
        stage.ask("GET", "/api/agents/a/events", &[(name, value)], "").await.problem(400, "BAD_REQUEST");
    }
    let long = "k".repeat(256);
    let body = json!({"content": "x"}).to_string();
    stage
        .ask("POST", "/api/agents/a/messages", &[("idempotency-key", &long)], &body)
        .await
        .problem(400, "BAD_REQUEST");
    let typed = [("content-type", "text/plain")];
    stage.ask("POST", "/api/agents/a/messages", &typed, &body).await.problem(400, "BAD_REQUEST");
}

#[tokio::test]
async fn what_came_first_stands() {
    let stage = Stage::new();
    stage.agent("a", json!({})).await;
    let other = json!({"id": "a", "template": "writer", "metadata": 1});
    stage.post("/api/agents", &other).await.problem(409, "AGENT_EXISTS");
    stage.agent("b", json!({})).await;
    stage.post("/api/agents/a/fork", &json!({"id": "b"})).await.problem(409, "AGENT_EXISTS");
    stage.post("/api/agents/a/snapshots", &json!({"id": "s"})).await.ok(201);
    stage.post("/api/agents/a/snapshots", &json!({"id": "s"})).await.problem(409, "CONFLICT");
    // While it works it is not put away, and once it is it does nothing.
    stage.post("/api/agents/a/messages", &json!({"content": "sim:hang"})).await.ok(202);
    stage.ask("DELETE", "/api/agents/a", &[], "").await.problem(409, "AGENT_BUSY");
    stage.ask("POST", "/api/agents/a/interrupt", &[], "").await.ok(200);
    assert_eq!(stage.ask("DELETE", "/api/agents/a", &[], "").await.status, 204);
    stage.post("/api/agents/a/messages", &json!({"content": "x"})).await.problem(409, "AGENT_ARCHIVED");
}

#[tokio::test]
async fn a_full_queue_says_when_to_come_back() {
    let stage = Stage::new();
    stage.agent("a", json!({})).await;
    stage.post("/api/agents/a/messages", &json!({"content": "sim:hang"})).await.ok(202);
    let full = loop {
        let answer =
            stage.post("/api/agents/a/messages", &json!({"content": "more", "kind": "reminder"})).await;
        if answer.status != 202 {
            break answer;
        }
    };
    full.problem(429, "AGENT_QUEUE_FULL");
    assert_eq!(full.headers["retry-after"], "1");
}

#[tokio::test]
async fn a_store_that_is_gone_is_unavailable_for_a_moment() {
    let stage = Stage::new();
    stage.agent("a", json!({})).await;
    stage.store.close().await.unwrap();
    let gone = stage.post("/api/agents/a/messages", &json!({"content": "x"})).await;
    gone.problem(503, "STORE_UNAVAILABLE");
    assert_eq!(gone.headers["retry-after"], "1");
    let health = stage.get("/api/health/store").await.ok(503);
    assert_eq!(health["healthy"], false);
}

#[tokio::test]
async fn a_body_beyond_the_bound_is_refused() {
    let stage = Stage::new();
    stage.agent("a", json!({})).await;
    let body = json!({"content": "x".repeat(1024 * 1024)}).to_string();
    stage.ask("POST", "/api/agents/a/messages", &[], &body).await.problem(413, "BODY_TOO_LARGE");
}
