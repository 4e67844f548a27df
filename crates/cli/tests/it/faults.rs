//! What a client gets when its upstream fails: the provider's own kind of error, never a silent end, never a hang.

use std::time::Duration;

use crate::support::format::Format;
use crate::support::program::{Program, Setup, one_upstream};
use crate::support::raw::{self, Answer};
use crate::support::trace::Trace;
use crate::support::upstream::{self, Reply, Upstream};

const SSE: (&str, &str) = ("content-type", "text/event-stream");
const JSON: (&str, &str) = ("content-type", "application/json");

fn proxy(upstream: &Upstream) -> Program {
    Setup::proxy(&one_upstream(&upstream.url())).start()
}

/// The answer of a proxy in front of an upstream that does this, to a plain request.
async fn plain(format: Format, reply: Reply) -> Answer {
    ask(format, reply, false).await
}

async fn streamed(format: Format, reply: Reply) -> Answer {
    ask(format, reply, true).await
}

async fn ask(format: Format, reply: Reply, stream: bool) -> Answer {
    let upstream = Upstream::always(reply);
    let answer = proxy(&upstream).ask(format.request("hi", stream)).await;
    assert!(
        answer.headers("x-seawall-action").len() == 1 && answer.headers("x-request-id").len() == 1,
        "{answer:?}"
    );
    answer
}

/// The first events of a stream: something of an answer, but not its end.
fn beginning(format: Format) -> Vec<String> {
    let events = format.events(true);
    let first_text = events.iter().position(|event| event.contains("hello")).unwrap();
    events.into_iter().take(first_text + 1).collect()
}

#[tokio::test]
async fn a_refused_connection_is_a_502_in_the_providers_shape() {
    let server = Setup::proxy(&one_upstream(&upstream::refusing())).start();
    for format in Format::ALL {
        for stream in [false, true] {
            let answer = server.ask(format.request("hi", stream)).await;
            assert_eq!(answer.status, 502, "{answer:?}");
            assert_eq!(format.error(&answer)["code"], "UPSTREAM_UNREACHABLE");
        }
    }
}

#[tokio::test]
async fn an_upstream_that_hangs_up_before_its_headers_is_a_502() {
    for format in Format::ALL {
        for reply in [
            Reply::nothing().close(),
            Reply::nothing().reset(),
            Reply::nothing().send("HTTP/1.1 200 O").close(),
        ] {
            let answer = plain(format, reply).await;
            assert_eq!(answer.status, 502, "{answer:?}");
            assert_eq!(format.error(&answer)["code"], "UPSTREAM_BROKEN");
        }
    }
}

#[tokio::test]
async fn an_upstream_that_speaks_no_http_is_a_502() {
    for garbage in [
        "SSH-2.0-OpenSSH_9.2p1\r\n",
        "HTTP/1.1 twohundred OK\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01",
        "\r\n\r\n\r\n\r\n",
    ] {
        let answer = plain(Format::Chat, Reply::nothing().send(garbage).close()).await;
        assert_eq!(answer.status, 502, "{garbage:?}: {answer:?}");
        assert_eq!(Format::Chat.error(&answer)["code"], "UPSTREAM_BROKEN");
    }
}

#[tokio::test]
async fn an_answer_that_is_no_json_is_a_502_and_not_passed_on() {
    for format in Format::ALL {
        for body in ["<html>hello</html>", "", "{\"a\":", "{\"a\":1}{"] {
            let answer = plain(format, Reply::json(body)).await;
            assert_eq!(answer.status, 502, "{body:?}: {answer:?}");
            assert_eq!(format.error(&answer)["code"], "UPSTREAM_BROKEN");
        }
    }
}

#[tokio::test]
async fn an_answer_shorter_than_its_length_is_a_502() {
    for format in Format::ALL {
        let body = format.answer();
        let length = (body.len() + 10).to_string();
        let head = Reply::nothing().send(format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        ));
        let answer = plain(format, head.close()).await;
        assert_eq!(answer.status, 502, "{answer:?}");
        assert_eq!(format.error(&answer)["code"], "UPSTREAM_BROKEN");
    }
}

#[tokio::test]
async fn an_answer_whose_last_chunk_is_missing_is_a_502() {
    for format in Format::ALL {
        let answer = plain(format, Reply::chunked(200, &[JSON]).chunk(format.answer()).close()).await;
        assert_eq!(answer.status, 502, "{answer:?}");
        assert_eq!(format.error(&answer)["code"], "UPSTREAM_BROKEN");
    }
}

#[tokio::test]
async fn a_stream_that_ends_in_the_middle_ends_in_the_providers_error_event() {
    for format in Format::ALL {
        // With its last chunk, without it, reset, and in the middle of an event.
        let begun = || Reply::begin_events(beginning(format));
        let half = beginning(format).pop().unwrap();
        for reply in [
            begun().end(),
            begun().close(),
            begun().chunk(&half[..half.len() / 2]).end(),
            begun().pause(Duration::from_millis(50)).reset(),
        ] {
            let answer = streamed(format, reply).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            assert!(answer.text().contains("hello"), "{answer:?}");
            assert_eq!(format.stream_error(&answer)["code"], "UPSTREAM_BROKEN");
        }
    }
}

#[tokio::test]
async fn a_stream_that_ends_before_its_first_event_is_a_502() {
    for format in Format::ALL {
        for reply in [
            Reply::chunked(200, &[SSE]).end(),
            Reply::chunked(200, &[SSE]).close(),
            Reply::chunked(200, &[SSE]).chunk(": hi").close(),
        ] {
            let answer = streamed(format, reply).await;
            assert_eq!(answer.status, 502, "{answer:?}");
            assert_eq!(format.error(&answer)["code"], "UPSTREAM_BROKEN");
        }
    }
}

#[tokio::test]
async fn garbage_in_a_stream_ends_it_in_an_error_event() {
    for format in Format::ALL {
        for garbage in ["data: {\"choices\": [\n\n", "data: <html>\n\n", "data: \u{0}\u{1}\n\n"] {
            let answer = streamed(format, Reply::begin_events(beginning(format)).chunk(garbage).end()).await;
            assert!(answer.text().contains("hello"), "{answer:?}");
            assert_eq!(format.stream_error(&answer)["code"], "UPSTREAM_BROKEN");
            assert!(!answer.text().contains(garbage), "{answer:?}");
        }
    }
}

#[tokio::test]
async fn garbage_instead_of_a_stream_is_a_502() {
    for format in Format::ALL {
        let answer = streamed(format, Reply::events(["data: not json\n\n"])).await;
        assert_eq!(answer.status, 502, "{answer:?}");
        assert_eq!(format.error(&answer)["code"], "UPSTREAM_BROKEN");
    }
}

#[tokio::test]
async fn a_streamed_array_that_breaks_off_is_not_taken_for_a_whole_one() {
    let half = Reply::chunked(200, &[JSON])
        .chunk("[{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"hello\"}]}}]}");
    let path = Format::Gemini.path(true).replace("?alt=sse", "");
    for reply in [half.clone().close(), half.reset()] {
        let upstream = Upstream::always(reply);
        let answer = proxy(&upstream).ask(raw::post(&path, Format::Gemini.body("hi", true))).await;
        assert_eq!((answer.status, answer.complete), (200, false), "{answer:?}");
    }
}

#[tokio::test]
async fn what_follows_the_end_of_a_stream_does_no_harm() {
    for format in Format::ALL {
        let events = format.events(true);
        let answer = streamed(format, Reply::begin_events(&events).chunk(": bye\n\n").close()).await;
        assert!(answer.text().contains(" you"), "{answer:?}");
        let is_error = |line: &str| line.starts_with("data: ") && line.contains("\"seawall\"");
        assert!(!answer.text().lines().any(is_error), "an answer that was whole stays so: {answer:?}");
    }
}

#[tokio::test]
async fn an_upstreams_own_error_comes_through_as_it_is() {
    for format in Format::ALL {
        for stream in [false, true] {
            for status in [400, 401, 403, 404, 422, 429, 500, 503, 529] {
                let body = format!("{{\"error\": {{\"message\":\"für {status}\", \"code\": null}}}}");
                let headers = [
                    JSON,
                    ("retry-after", "7"),
                    ("x-request-id", "theirs"),
                    ("x-ratelimit-limit-requests", "60"),
                ];
                let answer = ask(format, Reply::whole(status, &headers, &body), stream).await;
                assert_eq!((answer.status, answer.text()), (status, body.as_str()));
                assert_eq!(answer.header("retry-after"), Some("7"));
                assert_eq!(answer.header("x-ratelimit-limit-requests"), Some("60"));
                assert_eq!(
                    answer.header("x-request-id"),
                    Some("theirs"),
                    "what the provider's support asks for"
                );
                assert_eq!(answer.header("x-seawall-upstream"), Some("main"), "who answered: {status}");
            }
        }
    }
}

#[tokio::test]
async fn headers_larger_than_any_provider_sends_are_a_502() {
    let value = "x".repeat(1024 * 1024);
    let answer =
        plain(Format::Chat, Reply::whole(200, &[JSON, ("x-huge", &value)], Format::Chat.answer())).await;
    assert_eq!(answer.status, 502);
    assert_eq!(Format::Chat.error(&answer)["code"], "UPSTREAM_BROKEN");
}

#[tokio::test]
async fn an_answer_in_slow_drops_arrives_whole() {
    for format in Format::ALL {
        let events = format.events(true);
        let all = events.concat();
        let drip = all.as_bytes().chunks(7).fold(Reply::chunked(200, &[SSE]), |reply, piece| {
            reply.chunk(piece).pause(Duration::from_millis(1))
        });
        let answer = streamed(format, drip.end()).await;
        let expected = format.events(false).concat();
        assert_eq!(answer.text(), expected, "{format:?}");
        assert!(answer.complete);
    }
}

#[tokio::test]
async fn faults_are_settled_once_and_the_trace_says_how_they_ended() {
    let upstream = Upstream::in_turn(vec![
        Reply::begin_events(beginning(Format::Chat)).close(),
        Reply::nothing().close(),
        Reply::json("nonsense"),
        Reply::whole(429, &[JSON], "{}"),
    ]);
    let server = proxy(&upstream);
    for stream in [true, false, false, false] {
        server.ask(Format::Chat.request("hi", stream)).await;
    }
    assert!(server.stop().success());
    let trace = Trace::of(&server.setup);
    let settled: Vec<_> = trace.of_kind("action.settled").map(|event| &event.data).collect();
    let ends: Vec<_> =
        settled.iter().map(|data| (data["status"].as_u64().unwrap(), data["ended"].as_str())).collect();
    assert_eq!(
        ends,
        [(200, Some("cut")), (502, Some("failed")), (502, Some("cut")), (429, None)],
        "{settled:#?}"
    );
    assert_eq!(settled[0]["usage"]["estimated"], true, "{:#}", settled[0]);
    assert_eq!(trace.assert_complete(), (4, 0));
}
