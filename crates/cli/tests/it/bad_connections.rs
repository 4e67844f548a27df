//! Clients that are slow, old, sly or gone: what they get, and that nobody else suffers.

use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;

use crate::support::eventually;
use crate::support::format::Format;
use crate::support::program::{Program, Setup, one_upstream};
use crate::support::raw;
use crate::support::upstream::{Reply, Upstream};

const SOON: Duration = Duration::from_secs(10);

fn before(upstream: &Upstream, config: &str) -> Program {
    Setup::proxy(&format!("{config}\n{}", one_upstream(&upstream.url()))).start()
}

fn answering() -> Upstream {
    Upstream::always(Reply::json(Format::Chat.answer()))
}

#[tokio::test]
async fn a_client_that_takes_too_long_over_its_headers_gets_a_408() {
    let upstream = answering();
    let server = before(&upstream, "gateway: { timeouts: { header_read: 300ms } }");
    let begun = Instant::now();
    let mut silent = server.connect().await;
    silent.send("POST /v1/messages HTTP/1.1\r\nhost: x\r\nx-a").await;
    let answer = silent.answer().await;
    assert_eq!((answer.status, answer.complete), (408, true), "{answer:?}");
    assert_eq!(Format::Messages.error(&answer)["code"], "REQUEST_TIMEOUT");
    assert!(silent.is_closed().await);

    // A byte now and then does not buy time.
    let mut dripping = server.connect().await;
    dripping.send("POST /v1/messages HTTP/1.1\r\nx-drip: ").await;
    let drip = async {
        loop {
            dripping.send_what_is_taken("x").await;
            tokio::time::sleep(Duration::from_millis(20)).await;
            let mut peeked = [0; 1];
            let peek = tokio::time::timeout(Duration::from_millis(1), dripping.stream.peek(&mut peeked));
            if peek.await.is_ok() {
                break;
            }
        }
    };
    tokio::time::timeout(SOON, drip).await.expect("an answer to one who drips");
    assert_eq!(dripping.answer().await.status, 408);
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_client_that_takes_too_long_over_its_body_gets_a_408_in_the_providers_shape() {
    let upstream = answering();
    let server = before(&upstream, "gateway: { timeouts: { body_read: 300ms } }");
    for format in Format::ALL {
        let mut client = server.connect().await;
        client
            .send(format!(
                "POST {} HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{{\"a\":",
                format.path(false)
            ))
            .await;
        let answer = client.answer().await;
        assert_eq!((answer.status, answer.header("connection")), (408, Some("close")), "{answer:?}");
        assert_eq!(format.error(&answer)["code"], "REQUEST_TIMEOUT");
        assert!(client.is_closed().await);
    }
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn hundreds_of_slow_clients_keep_nobody_else_waiting() {
    let upstream = answering();
    let server = before(&upstream, "");
    let mut slow = Vec::new();
    for _ in 0..400 {
        let mut client = server.connect().await;
        client.send("POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n").await;
        slow.push(client);
    }
    let begun = Instant::now();
    for _ in 0..20 {
        assert_eq!(server.ask(Format::Chat.request("hi", false)).await.status, 200);
    }
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    drop(slow);
    eventually("connections let go", async || {
        let open = server.metrics().await.sum("seawall_connections", &[]);
        if open <= 1.0 { Ok(()) } else { Err(open) }
    })
    .await;
}

#[tokio::test]
async fn clients_that_leave_in_the_middle_leave_nothing_behind() {
    let upstream = answering();
    let server = before(&upstream, "");
    for cut in [
        "P",
        "POST /v1/messages HTTP/1.1\r\nho",
        "POST /v1/messages HTTP/1.1\r\nhost: x\r\ncontent-length: 50\r\n\r\n{\"mod",
    ] {
        for _ in 0..10 {
            let mut client = server.connect().await;
            client.send(cut).await;
        }
    }
    eventually("everything let go", async || {
        let metrics = server.metrics().await;
        let left = metrics.sum("seawall_connections", &[]) - 1.0 + metrics.sum("seawall_in_flight", &[]);
        if left == 0.0 { Ok(()) } else { Err(left) }
    })
    .await;
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_their_order() {
    let upstream = Upstream::start(|seen, _| Reply::json(format!("{{\"asked\":\"{}\"}}", seen.line())));
    let server = before(&upstream, "");
    let mut client = server.connect().await;
    let requests = [
        raw::post("/v1/chat/completions?n=1", Format::Chat.body("hi", false)),
        raw::get("/v1/models?n=2"),
        raw::get("/health"),
        raw::post("/v1/messages?n=4", "{"),
        raw::post("/v1/messages?n=5", Format::Messages.body("hi", false)),
    ];
    client.send(requests.concat()).await;
    let first = client.answer().await;
    assert!(first.text().contains("n=1"), "{first:?}");
    assert!(client.answer().await.text().contains("n=2"));
    assert_eq!(client.answer().await.json()["status"], "healthy");
    assert_eq!(client.answer().await.status, 400, "and the connection goes on");
    assert!(client.answer().await.text().contains("n=5"));
}

#[tokio::test]
async fn a_uri_in_absolute_form_is_taken_by_its_path() {
    let upstream = answering();
    let server = before(&upstream, "");
    let body = Format::Chat.body("hi", false);
    let request = raw::request("POST", "http://example.org/v1/chat/completions?x=1", &[], &body);
    assert_eq!(server.ask(request).await.status, 200);
    let seen = upstream.only();
    assert_eq!(seen.line(), "POST /v1/chat/completions?x=1 HTTP/1.1", "we are no open relay");
    assert_eq!(server.ask(raw::get("http://example.org/health")).await.status, 200);
}

#[tokio::test]
async fn http_1_0_is_answered_in_its_own_way() {
    let upstream = Upstream::start(|seen, _| {
        if seen.text().contains("\"stream\":true") {
            Reply::events(Format::Messages.events(true))
        } else {
            Reply::json(Format::Messages.answer())
        }
    });
    let server = before(&upstream, "");
    for stream in [false, true] {
        let body = Format::Messages.body("hi", stream);
        let mut client = server.connect().await;
        client
            .send(format!("POST /v1/messages HTTP/1.0\r\ncontent-length: {}\r\n\r\n{body}", body.len()))
            .await;
        let answer = client.answer().await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.header("transfer-encoding"), None, "chunks came with 1.1");
        let expected =
            if stream { Format::Messages.events(true).concat() } else { Format::Messages.answer() };
        assert_eq!(answer.text(), expected);
        assert!(client.is_closed().await);
    }
}

#[tokio::test]
async fn a_chunked_body_with_extensions_and_trailers_arrives_whole() {
    let upstream = answering();
    let server = before(&upstream, "");
    let body = Format::Chat.body("hi", false);
    let (head, tail) = body.split_at(20);
    let mut client = server.connect().await;
    client.send("POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n").await;
    client.send(format!("{:x};name=value\r\n{head}\r\n", head.len())).await;
    client.send(format!("{:X}\r\n{tail}\r\n0\r\nx-sum: 1\r\n\r\n", tail.len())).await;
    assert_eq!(client.answer().await.status, 200);
    let seen = upstream.only();
    assert_eq!(seen.text(), body);
    assert_eq!(
        (seen.header("content-length").unwrap(), seen.header("transfer-encoding")),
        (body.len().to_string().as_str(), None)
    );
}

#[tokio::test]
async fn a_body_whose_chunks_are_broken_is_refused() {
    let upstream = answering();
    let server = before(&upstream, "");
    for chunks in ["zz\r\n{}\r\n0\r\n\r\n", "ffffffffffffffffff\r\n{}", "2\r\n{}xx0\r\n\r\n"] {
        let mut client = server.connect().await;
        client.send("POST /v1/messages HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n").await;
        client.send_what_is_taken(chunks).await;
        let answer = client.answer().await;
        assert_eq!(answer.status, 400, "{chunks:?}: {answer:?}");
        assert!(client.is_closed().await, "what follows can't be told apart from the body");
    }
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn two_lengths_never_smuggle_a_second_request() {
    let upstream = answering();
    let server = before(&upstream, "");
    let smuggled = "GET /v1/smuggled HTTP/1.1\r\nhost: x\r\n\r\n";
    for framing in [
        "content-length: 4\r\ncontent-length: 400\r\n".to_owned(),
        "content-length: 4\r\ntransfer-encoding: chunked\r\n".to_owned(),
        "transfer-encoding: chunked\r\ncontent-length: 4\r\n".to_owned(),
        "transfer-encoding: identity\r\ncontent-length: 4\r\n".to_owned(),
        "transfer-encoding: chunked, identity\r\n".to_owned(),
        "transfer-encoding : chunked\r\n".to_owned(),
        "content-length: +4\r\n".to_owned(),
        "content-length: 4, 4\r\n".to_owned(),
        format!("content-length: {}\r\n", "9".repeat(40)),
    ] {
        let mut client = server.connect().await;
        let request =
            format!("POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n{framing}\r\n0\r\n\r\n{smuggled}");
        client.send_what_is_taken(request).await;
        let answer = client.answer().await;
        assert!((400..500).contains(&answer.status), "{framing:?}: {answer:?}");
    }
    let lines: Vec<_> = upstream.seen().iter().map(|seen| seen.line().to_owned()).collect();
    assert!(lines.iter().all(|line| !line.contains("smuggled")), "{lines:?}");
}

#[tokio::test]
async fn who_asks_before_sending_is_answered_before_sending() {
    let upstream = answering();
    let server = before(&upstream, "");
    let body = Format::Chat.body("hi", false);
    let head = |length: usize| {
        format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: {length}\r\n\r\n"
        )
    };
    let mut client = server.connect().await;
    client.send(head(body.len())).await;
    client.read_until("100 Continue\r\n\r\n").await;
    client.send(&body).await;
    assert_eq!(client.answer().await.status, 200);
    assert_eq!(upstream.only().header("expect"), None);

    // One that is too large is not even asked for.
    let mut client = server.connect().await;
    client.send(head(40 * 1024 * 1024)).await;
    let begun = Instant::now();
    let text = client.read_until("\r\n\r\n").await;
    assert!(text.starts_with("HTTP/1.1 413 "), "{text}");
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    assert_eq!(Format::Chat.error(&client.answer().await)["code"], "BODY_TOO_LARGE");
    assert!(client.is_closed().await);

    // Nor is one of somebody who may not call.
    let mut client = server.connect().await;
    client.send(head(10).replace("host: x", "host: x\r\nauthorization: Bearer sk-sw-unknown")).await;
    let text = client.read_until("\r\n\r\n").await;
    assert!(text.starts_with("HTTP/1.1 401 "), "{text}");
}

#[tokio::test]
async fn what_is_no_http_is_sent_away() {
    let upstream = answering();
    let server = before(&upstream, "");
    for garbage in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"GET\r\n\r\n",
        b"GET /v1/models\x00 HTTP/1.1\r\n\r\n",
        b"GET /v1/models HTTP/9.9\r\nhost: x\r\n\r\n",
        b"GET /v1/models HTTP/1.1\r\nx y: 1\r\n\r\n",
        b"GET /v1/models HTTP/1.1\r\nx: \x01\r\n\r\n",
        b"GET /v1/mod els HTTP/1.1\r\nhost: x\r\n\r\n",
    ] {
        let mut client = server.connect().await;
        client.send(garbage).await;
        client.stream.shutdown().await.unwrap();
        let answer = client.answer_to("GET").await;
        let answer = answer.unwrap_or_else(|| panic!("closed without a word: {garbage:?}"));
        assert_eq!(answer.status, 400, "{garbage:?}: {answer:?}");
        assert_eq!(Format::Chat.error(&answer)["code"], "BAD_REQUEST", "{garbage:?}");
    }
    // HTTP/2 without asking first: such a client understands no answer in HTTP/1.
    let mut client = server.connect().await;
    client.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    assert!(client.answer_to("GET").await.is_none());
    assert!(upstream.seen().is_empty());
    assert_eq!(server.get("/health").await.status, 200);
}

#[tokio::test]
async fn methods_that_make_tunnels_make_none() {
    let upstream = answering();
    let server = before(&upstream, "");
    for line in ["CONNECT example.org:443", "OPTIONS *", "TRACE /v1/models"] {
        let mut client = server.connect().await;
        client.send(format!("{line} HTTP/1.1\r\nhost: x\r\n\r\n")).await;
        let answer = client.answer_to("GET").await;
        assert!(answer.is_none_or(|answer| (400..500).contains(&answer.status)), "{line}");
    }
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn a_connection_that_is_to_be_closed_is_closed_after_its_answer() {
    let upstream = answering();
    let server = before(&upstream, "");
    let mut client = server.connect().await;
    let body = Format::Chat.body("hi", false);
    client.send(raw::request("POST", "/v1/chat/completions", &[("connection", "close")], body)).await;
    assert_eq!(client.answer().await.status, 200);
    assert!(client.is_closed().await);
}
