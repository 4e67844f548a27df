//! Work is turned away when too much of it waits.

use std::time::Duration;

use seawall_runtime::QueueLimits;
use serde_json::{Value, json};

use super::stage::{Answered, Stage, until};

async fn say(stage: &Stage, id: &str, key: &str, headers: &[(&str, &str)], kind: &str) -> Answered {
    let body = json!({"content": "hello", "kind": kind}).to_string();
    let headers: Vec<_> = headers.iter().copied().chain([("idempotency-key", key)]).collect();
    stage.ask("POST", &format!("/api/agents/{id}/messages"), &headers, &body).await
}

async fn make(stage: &Stage, id: &str, headers: &[(&str, &str)]) {
    let body: Value = json!({"id": id, "template": "writer"});
    stage.ask("POST", "/api/agents", headers, &body.to_string()).await.ok(201);
}

/// Waits until the store was counted with so many that wait.
async fn counted(stage: &Stage, waiting: u64) {
    until(|| stage.runtime.census().is_some_and(|census| census.waits() == waiting)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_is_too_deep_takes_no_more_and_says_when_to_come_back() {
    let stage = Stage::queueing(&[], QueueLimits { depth: Some(2), ..QueueLimits::default() });
    for id in ["a", "b", "c"] {
        make(&stage, id, &[]).await;
    }
    say(&stage, "a", "k1", &[], "user").await.ok(202);
    say(&stage, "b", "k1", &[], "user").await.ok(202);
    counted(&stage, 2).await;
    let refused = say(&stage, "c", "k1", &[], "user").await;
    refused.problem(429, "AGENT_QUEUE_FULL");
    let wait: u64 = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((2..=60).contains(&wait), "{wait}");
    // What was accepted before still was, and what makes the queue no longer is taken.
    say(&stage, "a", "k1", &[], "user").await.ok(202);
    say(&stage, "c", "k2", &[], "reminder").await.ok(202);
    stage.post("/api/agents/a/interrupt", &json!({})).await.ok(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_is_too_old_takes_no_more() {
    let age = Some(Duration::ZERO);
    let stage = Stage::queueing(&[], QueueLimits { age, ..QueueLimits::default() });
    make(&stage, "a", &[]).await;
    say(&stage, "a", "k1", &[], "user").await.ok(202);
    counted(&stage, 1).await;
    say(&stage, "a", "k2", &[], "user").await.problem(429, "AGENT_QUEUE_FULL");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_with_too_much_waiting_stands_in_nobodys_way() {
    let limits = QueueLimits { tenant_depth: Some(1), ..QueueLimits::default() };
    let stage = Stage::queueing(&[("sk-sw-x", Some("x")), ("sk-sw-y", Some("y"))], limits);
    let (x, y) = ([("authorization", "Bearer sk-sw-x")], [("authorization", "Bearer sk-sw-y")]);
    make(&stage, "x1", &x).await;
    make(&stage, "x2", &x).await;
    make(&stage, "y1", &y).await;
    say(&stage, "x1", "k", &x, "user").await.ok(202);
    counted(&stage, 1).await;
    let refused = say(&stage, "x2", "k", &x, "user").await;
    let problem = refused.problem(429, "AGENT_QUEUE_FULL");
    assert!(problem["detail"].as_str().unwrap().contains("of this tenant"), "{problem}");
    say(&stage, "y1", "k", &y, "user").await.ok(202);
}
