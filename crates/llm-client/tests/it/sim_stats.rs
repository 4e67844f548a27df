//! The counters are the truth: what was served, as far as it was taken.

use http::{HeaderValue, Request};
use http_body_util::{BodyExt as _, Full};
use serde_json::json;

use crate::sim_support::{
    CHAT, MESSAGES, ask, bytes, chat, chat_stream, get, messages, post, request, sim, stream, whole,
};

#[tokio::test]
async fn finished_answers_count_what_their_usage_says() {
    let sim = sim();
    let answer = ask(&sim, CHAT, &chat("sim:text hello world")).await;
    stream(&sim, CHAT, &chat_stream("sim:text hello world")).await;
    let stats = sim.stats();
    assert_eq!((stats.requests, stats.streams, stats.completed, stats.in_flight), (2, 1, 2, 0));
    assert_eq!(stats.input_tokens, 2 * answer["usage"]["prompt_tokens"].as_u64().unwrap());
    assert_eq!(stats.output_tokens, 2 * answer["usage"]["completion_tokens"].as_u64().unwrap());
    // 10 tokens read at $1 and 6 written at $2 per million.
    assert_eq!(stats.cost_usd.to_string(), "0.000022");
}

#[tokio::test]
async fn a_stream_that_is_dropped_counts_what_was_taken_and_is_cancelled() {
    let sim = sim();
    let mut body = post(&sim, CHAT, &chat_stream("sim:text abcd efg hij")).await.into_body();
    assert_eq!((sim.stats().output_tokens, sim.stats().in_flight), (0, 1));
    // The role, then two words of eight bytes together.
    for _ in 0..3 {
        body.frame().await.unwrap().unwrap();
    }
    assert_eq!(sim.stats().output_tokens, 2);
    drop(body);
    let stats = sim.stats();
    assert_eq!((stats.completed, stats.cancelled, stats.in_flight), (0, 1, 0));
    assert_eq!((stats.input_tokens, stats.output_tokens), (6, 2));
}

#[tokio::test]
async fn a_whole_answer_that_nobody_took_costs_its_input_only() {
    let sim = sim();
    drop(post(&sim, CHAT, &chat("sim:text abcd")).await);
    let stats = sim.stats();
    assert_eq!((stats.cancelled, stats.input_tokens, stats.output_tokens), (1, 4, 0));
}

#[tokio::test]
async fn every_request_has_one_outcome() {
    let sim = sim();
    ask(&sim, CHAT, &chat("hello")).await;
    drop(post(&sim, CHAT, &chat_stream("hello")).await);
    post(&sim, CHAT, &chat("sim:error 500")).await;
    post(&sim, "/v1/nothing", &json!({})).await;
    let broken =
        post(&sim, CHAT, &chat_stream("sim:disconnect\nsim:text a b")).await.into_body().collect().await;
    assert!(broken.is_err());
    get(&sim, "/v1/models").await.into_body().collect().await.unwrap();
    let stats = sim.stats();
    assert_eq!((stats.completed, stats.cancelled, stats.errors, stats.broken), (2, 1, 2, 1));
    assert_eq!(stats.requests, 6);
}

#[tokio::test]
async fn models_are_counted_apart_and_known_ones_at_their_price() {
    let sim = sim();
    let known = json!({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "sim:text abcd"}]});
    bytes(post(&sim, CHAT, &known).await).await;
    bytes(post(&sim, MESSAGES, &messages("sim:text abcd")).await).await;
    let stats = sim.stats();
    // 4 tokens at $0.15 and 1 at $0.60 per million.
    assert_eq!(stats.by_model["gpt-4o-mini"].cost_usd.to_string(), "0.0000012");
    assert_eq!(stats.by_model["sim-1"].cost_usd.to_string(), "0.000006");
    assert_eq!(stats.cost_usd.to_string(), "0.0000072");
}

#[tokio::test]
async fn the_pages_show_the_counters_and_forget_them() {
    let sim = sim();
    ask(&sim, CHAT, &chat("sim:text abcd")).await;
    let shown = whole(get(&sim, "/sim/stats").await).await;
    let model = json!({"requests": 1, "input_tokens": 4, "output_tokens": 1, "cost_usd": "0.000006"});
    let expected = json!({
        "requests": 1, "streams": 0, "completed": 1, "cancelled": 0, "errors": 0, "broken": 0,
        "input_tokens": 4, "output_tokens": 1, "cost_usd": "0.000006", "by_model": {"sim-1": model}, "in_flight": 0,
    });
    assert_eq!(shown, expected);
    assert_eq!(post(&sim, "/sim/reset", &json!({})).await.status(), 200);
    assert_eq!(whole(get(&sim, "/sim/stats").await).await["requests"], 0);
    assert_eq!(whole(get(&sim, "/sim/requests").await).await, json!({"requests": []}));
}

#[tokio::test]
async fn requests_are_shown_as_received_but_for_credentials() {
    let sim = sim();
    let text = r#"{ "model": "sim-1",  "messages": [{"role":"user","content":"hi"}] }"#;
    let mut received =
        Request::post("/v1/chat/completions?key=very-secret&x=1").body(Full::from(text)).unwrap();
    for (name, value) in [
        ("authorization", "Bearer very-secret"),
        ("x-api-key", "very-secret"),
        ("x-goog-api-key", "very-secret"),
        ("cookie", "very-secret"),
        ("x-other", "shown"),
    ] {
        received.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    sim.call(received).await;
    let page = bytes(get(&sim, "/sim/requests?last=1").await).await;
    assert!(!String::from_utf8_lossy(&page).contains("very-secret"));
    let shown: serde_json::Value = serde_json::from_slice(&page).unwrap();
    let shown = &shown["requests"][0];
    assert_eq!(shown["headers"]["x-other"], "shown");
    assert_eq!(shown["headers"]["authorization"], "[scrubbed]");
    assert_eq!(shown["query"], "key=[scrubbed]&x=1");
    assert_eq!(shown["body"]["model"], "sim-1");
    assert_eq!(shown["body_text"], text);
}

#[tokio::test]
async fn the_log_of_requests_is_bounded_in_number_and_in_length() {
    let sim = sim();
    for number in 0..205 {
        request(&sim, http::Method::POST, CHAT, chat(&format!("request {number}")).to_string()).await;
    }
    post(&sim, CHAT, &chat(&"é".repeat(200_000))).await;
    let page = whole(get(&sim, "/sim/requests?last=1000").await).await;
    let shown = page["requests"].as_array().unwrap();
    assert_eq!(shown.len(), 200);
    assert_eq!(shown[0]["body"]["messages"][0]["content"], "request 6");
    assert_eq!(shown[199]["body_truncated"], true);
    assert!(shown[199]["body_text"].as_str().unwrap().len() <= 256 * 1024);
}
