//! Trying again: only what is worth it, only before the client has seen anything, and never as a storm.

use std::time::{Duration, Instant};

use seawall_types::Usd;
use tokio::task::JoinSet;

use crate::support::format::Format;
use crate::support::program::{Program, Setup};
use crate::support::raw;
use crate::support::trace::Trace;
use crate::support::upstream::{self, Reply, Upstream};

const JSON: (&str, &str) = ("content-type", "application/json");

fn proxy(url: &str, attempts: u32, budget: f64) -> Program {
    Setup::proxy(&format!(
        "upstreams: [ {{ name: main, base_url: \"{url}\", retries: {{ attempts: {attempts}, budget: {budget} }}, breaker: {{ failures: 0 }} }} ]"
    ))
    .start()
}

fn failure(status: u16) -> Reply {
    Reply::whole(status, &[JSON], r#"{"error":{"message":"not now"}}"#)
}

fn success(format: Format, stream: bool) -> Reply {
    if stream { Reply::events(format.events(true)) } else { Reply::json(format.answer()) }
}

#[tokio::test]
async fn after_two_failures_comes_an_answer_and_the_prompts_of_all_tries_are_paid() {
    for format in Format::ALL {
        for stream in [false, true] {
            let upstream = Upstream::in_turn(vec![failure(500), failure(500), success(format, stream)]);
            let server = proxy(&upstream.url(), 2, 1.0);
            let answer = server.ask(format.request("hi", stream)).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            assert!(answer.complete && answer.text().contains("you"), "{answer:?}");

            let seen = upstream.seen();
            assert_eq!(seen.len(), 3, "{seen:#?}");
            assert!(seen.iter().all(|again| again.body == seen[0].body && again.line() == seen[0].line()));
            let metrics = server.metrics().await;
            assert_eq!(metrics.sum("seawall_retries_total", &[("upstream", "main"), ("cause", "5xx")]), 2.0);

            assert!(server.stop().success());
            let trace = Trace::of(&server.setup);
            let settled = &trace.of_kind("action.settled").next().unwrap().data;
            let statuses: Vec<_> = settled["attempts"]
                .as_array()
                .unwrap()
                .iter()
                .map(|attempt| attempt["status"].as_u64().unwrap())
                .collect();
            assert_eq!(statuses, [500, 500, 200], "each try is visible");
            // 3 tokens read at $1, 2 written at $2, a million; and what the failures may have read, a third of the bytes.
            let read = u64::try_from(format.body("hi", stream).len().div_ceil(3)).unwrap();
            let million = Usd::from_picos(1_000_000);
            assert_eq!(
                trace.of_kind("action.settled").next().unwrap().usd("cost_usd"),
                million.times(7 + 2 * read)
            );
            assert_eq!(trace.assert_complete(), (1, 0));
        }
    }
}

#[tokio::test]
async fn a_429_is_tried_again_no_sooner_than_it_asks() {
    let busy = Reply::whole(429, &[JSON, ("retry-after", "1")], "{}");
    let upstream = Upstream::in_turn(vec![busy, success(Format::Chat, false)]);
    let server = proxy(&upstream.url(), 2, 1.0);
    let answer = server.ask(Format::Chat.request("hi", false)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let seen = upstream.seen();
    let waited = seen[1].at - seen[0].at;
    assert!(waited >= Duration::from_secs(1), "{waited:?}");
    assert_eq!(server.metrics().await.sum("seawall_retries_total", &[("cause", "429")]), 1.0);
}

#[tokio::test]
async fn a_wait_that_is_too_long_for_us_is_handed_to_the_client_at_once() {
    for format in Format::ALL {
        let busy = Reply::whole(429, &[JSON, ("retry-after", "60")], r#"{"error":{"message":"slowly"}}"#);
        let upstream = Upstream::always(busy);
        let begun = Instant::now();
        let answer = proxy(&upstream.url(), 2, 1.0).ask(format.request("hi", false)).await;
        assert_eq!((answer.status, answer.header("retry-after")), (429, Some("60")), "{answer:?}");
        assert!(begun.elapsed() < Duration::from_secs(20));
        upstream.only();
    }
}

#[tokio::test]
async fn a_refusal_of_the_request_itself_is_not_tried_again() {
    for status in [400, 401, 402, 403, 404, 405, 413, 422, 501] {
        let upstream = Upstream::always(failure(status));
        let answer = proxy(&upstream.url(), 2, 1.0).ask(Format::Chat.request("hi", false)).await;
        assert_eq!(answer.status, status, "{answer:?}");
        upstream.only();
    }
}

#[tokio::test]
async fn every_passing_failure_is_tried_again() {
    for status in [408, 409, 429, 500, 502, 503, 504, 529] {
        let upstream = Upstream::in_turn(vec![failure(status), success(Format::Messages, false)]);
        let answer = proxy(&upstream.url(), 1, 1.0).ask(Format::Messages.request("hi", false)).await;
        assert_eq!(answer.status, 200, "{status}: {answer:?}");
    }
}

#[tokio::test]
async fn a_stream_that_has_begun_is_never_tried_again() {
    for format in Format::ALL {
        let events = format.events(true);
        let first_text = events.iter().position(|event| event.contains("hello")).unwrap();
        let upstream = Upstream::always(Reply::begin_events(&events[..=first_text]).close());
        let answer = proxy(&upstream.url(), 5, 1.0).ask(format.request("hi", true)).await;
        assert_eq!(format.stream_error(&answer)["code"], "UPSTREAM_BROKEN");
        upstream.only();
    }
}

#[tokio::test]
async fn a_stream_that_broke_before_its_first_event_is_tried_again() {
    for format in Format::ALL {
        let empty = Reply::chunked(200, &[("content-type", "text/event-stream")]).close();
        let upstream = Upstream::in_turn(vec![empty, success(format, true)]);
        let answer = proxy(&upstream.url(), 1, 1.0).ask(format.request("hi", true)).await;
        assert_eq!(answer.text(), format.events(false).concat());
        assert_eq!(upstream.seen().len(), 2);
    }
}

#[tokio::test]
async fn a_refused_connection_is_tried_again_and_counted() {
    let server = proxy(&upstream::refusing(), 2, 1.0);
    let answer = server.ask(Format::Chat.request("hi", false)).await;
    assert_eq!(Format::Chat.error(&answer)["code"], "UPSTREAM_UNREACHABLE");
    assert_eq!(server.metrics().await.sum("seawall_retries_total", &[("cause", "connect")]), 2.0);
}

#[tokio::test]
async fn a_retry_budget_of_nothing_means_one_try() {
    let upstream = Upstream::always(failure(503));
    let answer = proxy(&upstream.url(), 5, 0.0).ask(Format::Chat.request("hi", false)).await;
    assert_eq!(answer.status, 503);
    upstream.only();
}

#[tokio::test]
async fn the_retry_budget_keeps_trouble_from_becoming_a_storm() {
    const CALLS: usize = 60;
    let upstream = Upstream::always(failure(503));
    let server = proxy(&upstream.url(), 5, 0.1);
    let mut calls = JoinSet::new();
    for _ in 0..CALLS {
        calls.spawn(raw::exchange(server.address, Format::Chat.request("hi", false)));
    }
    while let Some(answer) = calls.join_next().await {
        assert_eq!(answer.unwrap().status, 503);
    }
    // What is there at the beginning, ten, and one for each ten calls; without a budget it would be 300.
    let tries = upstream.seen().len() - CALLS;
    assert!((10..=10 + CALLS / 10).contains(&tries), "{tries} retries");
}

/// What Anthropic says when it finds out that it is overloaded after the 200 has gone out.
fn overloaded_stream() -> Reply {
    Reply::begin_events([
        "event: error\ndata: {\"type\": \"error\", \"error\": {\"type\": \"overloaded_error\", \"message\": \"Overloaded\"}}\n\n",
    ])
    .end()
}

#[tokio::test]
async fn a_stream_that_opens_with_an_overload_is_tried_again_while_nobody_has_seen_it() {
    let format = Format::Messages;
    let upstream = Upstream::in_turn(vec![overloaded_stream(), success(format, true)]);
    let server = proxy(&upstream.url(), 1, 1.0);
    let answer = server.ask(format.request("hi", true)).await;
    assert_eq!(answer.text(), format.events(false).concat(), "{answer:?}");
    let metrics = server.metrics().await;
    assert_eq!(metrics.sum("seawall_retries_total", &[("cause", "overloaded")]), 1.0);

    // When it stays so, it is an error with a status of its own, which SDKs try again.
    let upstream = Upstream::always(overloaded_stream());
    let answer = proxy(&upstream.url(), 1, 1.0).ask(format.request("hi", true)).await;
    assert_eq!(answer.status, 503, "{answer:?}");
    assert_eq!(format.error(&answer)["code"], "UPSTREAM_UNAVAILABLE");
    assert_eq!((answer.retry_after(), upstream.seen().len()), (Some(1), 2));

    // What a model has begun to say is not begun again.
    let mut begun = format.events(true);
    begun.truncate(4);
    begun.push(
        "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}\n\n".to_owned(),
    );
    let upstream = Upstream::always(Reply::events(begun));
    let answer = proxy(&upstream.url(), 1, 1.0).ask(format.request("hi", true)).await;
    assert_eq!(answer.status, 200);
    assert!(answer.text().ends_with("\"overloaded_error\"}}\n\n"), "{answer:?}");
    upstream.only();
}

#[tokio::test]
async fn how_long_to_wait_is_told_also_when_the_last_upstream_rests() {
    let busy = Upstream::always(Reply::whole(429, &[JSON, ("retry-after", "47")], "{}"));
    let broken = Upstream::always(failure(500));
    let server = Setup::proxy(&format!(
        "upstreams:\n  - {{ name: first, base_url: \"{}\", retries: {{ attempts: 0 }}, breaker: {{ failures: 0 }} }}\n  - {{ name: second, base_url: \"{}\", priority: 2, retries: {{ attempts: 0 }}, breaker: {{ failures: 1, open: 1h }} }}\n",
        busy.url(),
        broken.url()
    ))
    .start();
    assert_eq!(server.ask(Format::Chat.request("hi", false)).await.status, 500, "the second's own");
    let answer = server.ask(Format::Chat.request("hi", false)).await;
    assert_eq!((answer.status, answer.retry_after()), (503, Some(47)), "{answer:?}");
    assert_eq!((busy.seen().len(), broken.seen().len()), (2, 1));
}
