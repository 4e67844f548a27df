//! The time-outs of an answer: each ends the call in the provider's shape, while there is somebody to read it, and lets go
//! of the upstream.

use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};

use crate::support::eventually;
use crate::support::format::Format;
use crate::support::program::{Program, Setup, one_upstream};
use crate::support::upstream::{Deaf, Reply, Upstream};

const SSE: (&str, &str) = ("content-type", "text/event-stream");
/// Beside this, a loaded machine's delays are small; time-outs of the tests are well below.
const SOON: Duration = Duration::from_secs(8);

fn proxy(url: &str, timeouts: &str, attempts: u32) -> Program {
    Setup::proxy(&format!(
        "upstreams: [ {{ name: main, base_url: \"{url}\", timeouts: {{ {timeouts} }}, retries: {{ attempts: {attempts}, budget: 1.0 }}, breaker: {{ failures: 0 }} }} ]"
    ))
    .start()
}

#[tokio::test]
async fn a_connection_that_is_not_made_in_time_is_given_up() {
    let deaf = Deaf::start();
    let server = proxy(&deaf.url(), "connect: 200ms", 0);
    for format in Format::ALL {
        let begun = Instant::now();
        let answer = server.ask(format.request("hi", false)).await;
        assert_eq!(answer.status, 502, "{answer:?}");
        assert_eq!(format.error(&answer)["code"], "UPSTREAM_UNREACHABLE");
        assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    }
}

#[tokio::test]
async fn a_connection_whose_tls_is_not_made_in_time_is_given_up() {
    let mute = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", mute.local_addr().unwrap());
    let begun = Instant::now();
    let answer = proxy(&url, "connect: 200ms", 0).ask(Format::Chat.request("hi", false)).await;
    assert_eq!(answer.status, 502, "{answer:?}");
    assert_eq!(Format::Chat.error(&answer)["code"], "UPSTREAM_UNREACHABLE");
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn an_upstream_that_hangs_before_its_headers_is_a_504() {
    for format in Format::ALL {
        for stream in [false, true] {
            let upstream = Upstream::always(Reply::nothing().hang());
            let server = proxy(&upstream.url(), "first_byte: 200ms", 0);
            let begun = Instant::now();
            let answer = server.ask(format.request("hi", stream)).await;
            assert!((Duration::from_millis(200)..SOON).contains(&begun.elapsed()), "{:?}", begun.elapsed());
            assert_eq!(answer.status, 504, "{answer:?}");
            let part = format.error(&answer);
            assert_eq!(part["code"], "UPSTREAM_TIMEOUT");
            assert!(answer.text().contains("0.2s"), "{answer:?}");
            upstream.wait_for_hang_ups(1).await;
        }
    }
}

#[tokio::test]
async fn a_stream_that_stalls_ends_in_the_providers_error_event() {
    for format in Format::ALL {
        let events = format.events(true);
        let first_text = events.iter().position(|event| event.contains("hello")).unwrap();
        let upstream = Upstream::always(Reply::begin_events(&events[..=first_text]).hang());
        let server = proxy(&upstream.url(), "idle: 200ms", 0);
        let begun = Instant::now();
        let answer = server.ask(format.request("hi", true)).await;
        assert!((Duration::from_millis(200)..SOON).contains(&begun.elapsed()), "{:?}", begun.elapsed());
        assert!(answer.text().contains("hello"), "{answer:?}");
        assert_eq!(format.stream_error(&answer)["code"], "UPSTREAM_TIMEOUT");
        upstream.wait_for_hang_ups(1).await;
    }
}

#[tokio::test]
async fn a_stream_that_never_begins_after_its_headers_is_a_504() {
    for format in Format::ALL {
        let upstream = Upstream::always(Reply::chunked(200, &[SSE]).hang());
        let answer = proxy(&upstream.url(), "idle: 200ms", 0).ask(format.request("hi", true)).await;
        assert_eq!((answer.status, format.error(&answer)["code"].as_str()), (504, Some("UPSTREAM_TIMEOUT")));
        upstream.wait_for_hang_ups(1).await;
    }
}

#[tokio::test]
async fn a_plain_answer_that_stalls_is_a_504() {
    for format in Format::ALL {
        let body = format.answer();
        let begun =
            Reply::chunked(200, &[("content-type", "application/json")]).chunk(&body[..body.len() / 2]);
        let upstream = Upstream::always(begun.hang());
        let answer = proxy(&upstream.url(), "idle: 200ms", 0).ask(format.request("hi", false)).await;
        assert_eq!(answer.status, 504, "{answer:?}");
        assert_eq!(format.error(&answer)["code"], "UPSTREAM_TIMEOUT");
        upstream.wait_for_hang_ups(1).await;
    }
}

#[tokio::test]
async fn an_error_answer_that_stalls_does_not_hold_the_client() {
    let stalling = Reply::chunked(400, &[("content-type", "application/json")]).chunk("{\"error\":");
    let upstream = Upstream::always(stalling.hang());
    let server = proxy(&upstream.url(), "idle: 200ms", 0);
    let begun = Instant::now();
    let answer = server.ask(Format::Chat.request("hi", false)).await;
    assert_eq!((answer.status, answer.complete), (400, false), "{answer:?}");
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    upstream.wait_for_hang_ups(1).await;
}

#[tokio::test]
async fn an_answer_that_never_ends_is_cut_at_the_total_time() {
    for format in Format::ALL {
        let events = format.events(true);
        let first_text = events.iter().position(|event| event.contains("hello")).unwrap();
        let endless = (0..100).fold(Reply::begin_events(&events[..first_text]), |reply, _| {
            reply.chunk(&events[first_text]).pause(Duration::from_millis(50))
        });
        let upstream = Upstream::always(endless.hang());
        let server = proxy(&upstream.url(), "idle: 2s, total: 600ms", 0);
        let begun = Instant::now();
        let answer = server.ask(format.request("hi", true)).await;
        assert!((Duration::from_millis(600)..SOON).contains(&begun.elapsed()), "{:?}", begun.elapsed());
        assert_eq!(format.stream_error(&answer)["code"], "UPSTREAM_TIMEOUT");
        upstream.wait_for_hang_ups(1).await;
    }
}

#[tokio::test]
async fn the_total_time_holds_over_all_tries() {
    let slow_failure = Reply::nothing()
        .pause(Duration::from_millis(150))
        .send("HTTP/1.1 503 Later\r\ncontent-length: 2\r\n\r\n{}");
    let upstream = Upstream::always(slow_failure);
    let server = proxy(&upstream.url(), "total: 700ms", 1_000);
    let begun = Instant::now();
    let answer = server.ask(Format::Chat.request("hi", false)).await;
    assert!(matches!(answer.status, 503 | 504), "{answer:?}");
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    let tries = upstream.seen().len();
    assert!((2..=5).contains(&tries), "{tries} tries");
}

#[tokio::test]
async fn a_time_out_is_not_tried_again_at_the_same_upstream() {
    let upstream = Upstream::always(Reply::nothing().hang());
    let answer = proxy(&upstream.url(), "first_byte: 150ms", 5).ask(Format::Chat.request("hi", false)).await;
    assert_eq!(answer.status, 504, "{answer:?}");
    upstream.only();
}

#[tokio::test]
async fn pings_and_comments_keep_a_stream_alive() {
    for (format, sign) in [
        (Format::Chat, ": keep-alive\n\n"),
        (Format::Messages, "event: ping\ndata: {\"type\": \"ping\"}\n\n"),
        (Format::Gemini, ": keep-alive\r\n\r\n"),
    ] {
        let events = format.events(true);
        let (head, tail) = events.split_at(1);
        let thinking = (0..12)
            .fold(Reply::begin_events(head), |reply, _| reply.pause(Duration::from_millis(100)).chunk(sign));
        let upstream = Upstream::always(tail.iter().fold(thinking, |reply, event| reply.chunk(event)).end());
        let answer = proxy(&upstream.url(), "idle: 600ms", 0).ask(format.request("hi", true)).await;
        let clean = format.events(false);
        let expected = format!("{}{}{}", clean[0], sign.repeat(12), clean[1..].concat());
        assert_eq!(answer.text(), expected, "{format:?}");
    }
}

#[tokio::test]
async fn a_stream_that_is_over_does_not_wait_for_its_connection() {
    for format in [Format::Messages, Format::Gemini] {
        let upstream = Upstream::always(Reply::begin_events(format.events(true)).hang());
        let server = proxy(&upstream.url(), "idle: 500ms", 0);
        let answer = server.ask(format.request("hi", true)).await;
        assert_eq!(answer.text(), format.events(false).concat(), "whole, and no error behind it");
    }
}

/// A client that asks for a stream and reads nothing of it, with next to no room for it in its kernel.
async fn read_nothing(server: &Program) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut stream = socket.connect(server.address).await.unwrap();
    stream.write_all(&Format::Chat.request("hi", true)).await.unwrap();
    stream
}

/// More than all buffers on the way take.
fn flood() -> Reply {
    let event =
        format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{}\"}}}}]}}\n\n", "x".repeat(1_000_000));
    (0..64).fold(Reply::begin_events::<&str>([]), |reply, _| reply.chunk(&event)).hang()
}

async fn wait_until_nothing_is_held(server: &Program) {
    eventually("nothing is under way", async || {
        let metrics = server.metrics().await;
        let left = metrics.sum("seawall_in_flight", &[]) + metrics.sum("seawall_connections", &[]) - 1.0;
        if left == 0.0 { Ok(()) } else { Err(left) }
    })
    .await;
}

#[tokio::test]
async fn the_total_time_ends_a_call_whose_client_reads_nothing() {
    let upstream = Upstream::always(flood());
    let server = proxy(&upstream.url(), "total: 500ms", 0);
    let _deaf = read_nothing(&server).await;
    upstream.wait_for_hang_ups(1).await;
    wait_until_nothing_is_held(&server).await;
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_hung_up_on() {
    let upstream = Upstream::always(flood());
    let config =
        format!("gateway: {{ timeouts: {{ answer_write: 300ms }} }}\n{}", one_upstream(&upstream.url()));
    let server = Setup::proxy(&config).start();
    let _deaf = read_nothing(&server).await;
    upstream.wait_for_hang_ups(1).await;
    wait_until_nothing_is_held(&server).await;
}
