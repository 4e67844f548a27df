//! The breaker of an upstream: it opens after failures, says so, lets one probe through, and closes.

use std::time::Duration;

use crate::support::eventually;
use crate::support::format::Format;
use crate::support::program::{Program, Setup};
use crate::support::raw;
use crate::support::upstream::{Reply, Upstream};

const JSON: (&str, &str) = ("content-type", "application/json");

fn proxy(url: &str, failures: u32, open: &str) -> Program {
    Setup::proxy(&format!(
        "upstreams: [ {{ name: main, base_url: \"{url}\", retries: {{ attempts: 0 }}, breaker: {{ failures: {failures}, open: {open} }} }} ]"
    ))
    .start()
}

fn failure() -> Reply {
    Reply::whole(500, &[JSON], "{}")
}

async fn state(server: &Program) -> f64 {
    server.metrics().await.sum("seawall_breaker_state", &[("upstream", "main")])
}

async fn wait_for_state(server: &Program, wanted: f64) {
    eventually("the breaker's state", async || {
        let state = state(server).await;
        if (state - wanted).abs() < 0.1 { Ok(()) } else { Err(state) }
    })
    .await;
}

#[tokio::test]
async fn it_opens_after_so_many_failures_and_says_when_to_come_back() {
    let upstream = Upstream::always(failure());
    let server = proxy(&upstream.url(), 3, "30s");
    for _ in 0..3 {
        assert_eq!(server.ask(Format::Chat.request("hi", false)).await.status, 500);
    }
    for format in Format::ALL {
        for stream in [false, true] {
            let answer = server.ask(format.request("hi", stream)).await;
            assert_eq!(answer.status, 503, "{answer:?}");
            let part = format.error(&answer);
            assert_eq!(part["code"], "UPSTREAM_UNAVAILABLE");
            let wait = answer.retry_after().unwrap();
            assert!((25..=30).contains(&wait), "{wait}");
            assert_eq!(part["retry_after"], wait);
        }
    }
    assert_eq!(upstream.seen().len(), 3, "an open breaker spares the upstream");
    let metrics = server.metrics().await;
    assert_eq!(metrics.sum("seawall_breaker_state", &[("upstream", "main")]), 2.0);
    assert!(metrics.has("seawall_upstream_available"));
    assert_eq!(metrics.sum("seawall_upstream_available", &[("upstream", "main")]), 0.0);
    let ready = server.get("/ready").await;
    assert_eq!(ready.status, 200, "the server itself is well: {ready:?}");
    assert_eq!(ready.json()["checks"]["upstreams"]["degraded"], true, "{ready:?}");
}

#[tokio::test]
async fn an_upstream_that_fails_more_often_than_not_is_left_out_though_no_row_of_failures_is_long() {
    let upstream = Upstream::start(|_, number| match number % 3 {
        0 => Reply::json(Format::Chat.answer()),
        _ => failure(),
    });
    let server = proxy(&upstream.url(), 5, "30s");
    for number in 0..20 {
        let expected = if number % 3 == 0 { 200 } else { 500 };
        assert_eq!(server.ask(Format::Chat.request("hi", false)).await.status, expected, "call {number}");
    }
    let answer = server.ask(Format::Chat.request("hi", false)).await;
    assert_eq!(Format::Chat.error(&answer)["code"], "UPSTREAM_UNAVAILABLE", "{answer:?}");
    assert_eq!(upstream.seen().len(), 20, "twenty calls are enough to judge by");
}

#[tokio::test]
async fn one_probe_at_a_time_decides_and_a_good_one_closes_it() {
    let slow = Reply::nothing()
        .pause(Duration::from_millis(700))
        .send("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}");
    let upstream = Upstream::in_turn(vec![failure(), failure(), slow, Reply::json(Format::Chat.answer())]);
    let server = proxy(&upstream.url(), 2, "300ms");
    for _ in 0..2 {
        server.ask(Format::Chat.request("hi", false)).await;
    }
    assert_eq!(state(&server).await, 2.0);
    wait_for_state(&server, 1.0).await;

    let mut probe = server.connect().await;
    probe.send(Format::Chat.request("probe", false)).await;
    upstream.wait_for_requests(3).await;
    for _ in 0..5 {
        let answer = server.ask(Format::Chat.request("hi", false)).await;
        assert_eq!(Format::Chat.error(&answer)["code"], "UPSTREAM_UNAVAILABLE", "{answer:?}");
    }
    assert_eq!(probe.answer().await.status, 200);
    assert_eq!(upstream.seen().len(), 3, "one probe");
    assert_eq!(state(&server).await, 0.0);
    assert_eq!(server.ask(Format::Chat.request("hi", false)).await.status, 200);
}

#[tokio::test]
async fn a_probe_that_fails_opens_it_again() {
    let upstream = Upstream::always(failure());
    let server = proxy(&upstream.url(), 1, "200ms");
    server.ask(Format::Chat.request("hi", false)).await;
    wait_for_state(&server, 1.0).await;
    assert_eq!(server.ask(Format::Chat.request("probe", false)).await.status, 500);
    assert_eq!(state(&server).await, 2.0);
    assert_eq!(upstream.seen().len(), 2);
}

#[tokio::test]
async fn a_probe_whose_client_hung_up_is_followed_by_another() {
    let upstream =
        Upstream::in_turn(vec![failure(), Reply::nothing().hang(), Reply::json(Format::Chat.answer())]);
    let server = proxy(&upstream.url(), 1, "200ms");
    server.ask(Format::Chat.request("hi", false)).await;
    wait_for_state(&server, 1.0).await;
    let mut probe = server.connect().await;
    probe.send(Format::Chat.request("probe", false)).await;
    upstream.wait_for_requests(2).await;
    drop(probe);
    upstream.wait_for_hang_ups(1).await;
    eventually("the next probe", async || {
        let answer = server.ask(Format::Chat.request("hi", false)).await;
        if answer.status == 200 { Ok(()) } else { Err(answer) }
    })
    .await;
}

#[tokio::test]
async fn streams_that_break_count_as_failures() {
    for format in Format::ALL {
        let events = format.events(true);
        let first_text = events.iter().position(|event| event.contains("hello")).unwrap();
        let upstream = Upstream::always(Reply::begin_events(&events[..=first_text]).close());
        let server = proxy(&upstream.url(), 3, "30s");
        for _ in 0..3 {
            format.stream_error(&server.ask(format.request("hi", true)).await);
        }
        let answer = server.ask(format.request("hi", true)).await;
        assert_eq!(format.error(&answer)["code"], "UPSTREAM_UNAVAILABLE");
    }
}

#[tokio::test]
async fn what_is_the_clients_fault_does_not_open_it() {
    for status in [400, 401, 403, 404, 422, 429] {
        let upstream = Upstream::always(Reply::whole(status, &[JSON], "{}"));
        let server = proxy(&upstream.url(), 2, "30s");
        for _ in 0..4 {
            assert_eq!(server.ask(Format::Chat.request("hi", false)).await.status, status);
        }
        assert_eq!(state(&server).await, 0.0, "{status}");
    }
}

#[tokio::test]
async fn want_of_memory_here_does_not_open_it() {
    let mut answer = Format::Chat.answer();
    answer.push_str(&" ".repeat(2 * 1024 * 1024));
    let upstream = Upstream::in_turn(vec![
        failure(),
        Reply::json(&answer),
        Reply::json(&answer),
        Reply::json(Format::Chat.answer()),
    ]);
    let server = Setup::proxy(&format!(
        "gateway: {{ limits: {{ buffer: 1M }} }}\nupstreams: [ {{ name: main, base_url: \"{}\", retries: {{ attempts: 0 }}, breaker: {{ failures: 1, open: 200ms }} }} ]",
        upstream.url()
    ))
    .start();
    server.ask(Format::Chat.request("hi", false)).await;
    wait_for_state(&server, 1.0).await;
    // A probe tells nothing when its answer is not heard out, so the next call probes again.
    for _ in 0..2 {
        let answer = server.ask(Format::Chat.request("hi", false)).await;
        assert_eq!(Format::Chat.error(&answer)["code"], "OVERLOADED", "{answer:?}");
        assert_eq!(state(&server).await, 1.0, "as before");
    }
    assert_eq!(server.ask(Format::Chat.request("hi", false)).await.status, 200);
    assert_eq!(state(&server).await, 0.0);
}

#[tokio::test]
async fn a_websocket_that_finds_no_memory_does_not_open_it() {
    let switched = "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    let upstream = Upstream::always(Reply::nothing().send(switched).hang());
    let server = Setup::proxy(&format!(
        "gateway: {{ limits: {{ buffer: 16K }} }}\nupstreams: [ {{ name: main, base_url: \"{}\", breaker: {{ failures: 1 }} }} ]",
        upstream.url()
    ))
    .start();
    let headers = [
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    for number in 1..=2 {
        let answer = server.ask(raw::request("GET", "/v1/realtime?model=sim-x", &headers, "")).await;
        assert_eq!(Format::Chat.error(&answer)["code"], "OVERLOADED", "{answer:?}");
        assert_eq!(upstream.seen().len(), number, "asked once, and not again in vain");
    }
    assert_eq!(state(&server).await, 0.0);
}

#[tokio::test]
async fn a_client_that_hangs_up_does_not_open_it() {
    let upstream = Upstream::always(Reply::nothing().hang());
    let server = proxy(&upstream.url(), 2, "30s");
    for number in 1..=4 {
        let mut client = server.connect().await;
        client.send(raw::post("/v1/chat/completions", Format::Chat.body("hi", false))).await;
        upstream.wait_for_requests(number).await;
        drop(client);
        upstream.wait_for_hang_ups(number).await;
    }
    assert_eq!(state(&server).await, 0.0);
}
