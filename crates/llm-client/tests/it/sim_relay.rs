//! The relay records what passes it and changes nothing of it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt as _, Full};
use seawall_llm_client::sim::Sim;
use seawall_llm_client::sim::cassette::{Recorder, Relay, Replay};
use seawall_llm_client::{
    BreakerSettings, Credentials, Timeouts, Transport, Upstream, UpstreamSettings, client_config,
};
use serde_json::Value;

use crate::sim_support::{CHAT, GENERATE_STREAM, MESSAGES, RESPONSES, chat, clock, get, sim, with};

fn upstream(transport: Transport) -> Upstream {
    let second = Duration::from_secs(1);
    let settings = UpstreamSettings {
        name: "real".to_owned(),
        dialect: None,
        credentials: Credentials::Passthrough,
        models: Vec::new(),
        weight: 1,
        priority: 1,
        headers: HeaderMap::new(),
        max_in_flight: 10,
        timeouts: Timeouts { connect: second, first_byte: second, idle: second, total: second },
        retry_attempts: 0,
        retry_budget: 0.0,
        breaker: BreakerSettings { failures: 0, open: second },
        output_limit: seawall_llm::LimitName::default(),
        include_usage: true,
    };
    Upstream::new(settings, transport, 1)
}

fn relay(folder: &Path, transport: Transport) -> Relay {
    Relay::new(Recorder::new(folder, clock()).unwrap(), upstream(transport))
}

/// What a client of the relay gets for a body with a key.
async fn ask(relay: &Relay, path: &str, body: &Value) -> (u16, Bytes) {
    let request = Request::post(path)
        .header("authorization", "Bearer sk-0123456789abcdefghij")
        .header("content-type", "application/json")
        .header("accept-encoding", "gzip")
        .header("connection", "keep-alive")
        .body(Full::new(Bytes::from(body.to_string())))
        .unwrap();
    let response = relay.call(request).await;
    (response.status().as_u16(), response.into_body().collect().await.unwrap().to_bytes())
}

fn bodies() -> [(&'static str, Value); 5] {
    let stream = |body: Value| with(body, &serde_json::json!({"stream": true}));
    let items = serde_json::json!([{"role": "user", "content": "sim:tool read {\"path\":\"a\"}"}]);
    [
        (CHAT, chat("sim:text whole")),
        (CHAT, stream(chat("sim:text streamed"))),
        (MESSAGES, stream(serde_json::json!({"model": "sim-1", "max_tokens": 50, "messages": items}))),
        (RESPONSES, stream(serde_json::json!({"model": "sim-1", "input": items}))),
        (GENERATE_STREAM, serde_json::json!({"contents": [{"parts": [{"text": "hi"}]}]})),
    ]
}

#[tokio::test]
async fn what_was_relayed_is_replayed_byte_for_byte() {
    let folder = tempfile::tempdir().unwrap();
    let real = sim();
    let recording = relay(folder.path(), Transport::Sim(real.clone()));
    let mut relayed = Vec::new();
    for (path, body) in bodies() {
        relayed.push(ask(&recording, path, &body).await);
    }
    drop(recording);
    let replayed = Sim::replaying(Replay::load(folder.path()).unwrap(), clock());
    for ((path, body), (status, bytes)) in bodies().into_iter().zip(relayed) {
        let response = crate::sim_support::post(&replayed, path, &body).await;
        assert_eq!((response.status().as_u16(), status), (200, 200));
        assert_eq!(crate::sim_support::bytes(response).await, bytes, "{path}");
    }
}

#[tokio::test]
async fn a_request_reaches_the_provider_as_it_came_and_leaves_no_key_behind() {
    let folder = tempfile::tempdir().unwrap();
    let real = sim();
    let recording = relay(folder.path(), Transport::Sim(real.clone()));
    let body = chat("hi");
    ask(&recording, CHAT, &body).await;
    drop(recording);
    let seen = crate::sim_support::whole(get(&real, "/sim/requests?last=1").await).await;
    let seen = &seen["requests"][0];
    assert_eq!(seen["body_text"], body.to_string());
    assert_eq!(seen["headers"]["authorization"], "[scrubbed]", "the provider was given the caller's key");
    assert_eq!(seen["headers"]["accept-encoding"], "identity", "a compressed answer could not be scrubbed");
    assert!(seen["headers"].get("connection").is_none());
    let file = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
    assert!(!std::fs::read_to_string(file).unwrap().contains("0123456789abcdef"));
}

#[tokio::test]
async fn a_provider_that_is_not_there_is_said_in_its_own_shape() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    drop(listener);
    let folder = tempfile::tempdir().unwrap();
    let tls = Arc::new(client_config().unwrap());
    let recording = relay(folder.path(), Transport::Http { base, tls });
    let (status, body) = ask(&recording, MESSAGES, &chat("hi")).await;
    let error: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((status, &error["type"]), (502, &"error".into()));
    assert_eq!(error["seawall"]["code"], "UPSTREAM_UNREACHABLE");
    drop(recording);
    assert!(Replay::load(folder.path()).is_err(), "what had no answer is not recorded");
}
