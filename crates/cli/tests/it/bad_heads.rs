//! Heads that no honest client sends, and more requests than there is room for: each gets its own refusal in the
//! provider's shape, and the process lives on.

use crate::support::eventually;
use crate::support::format::Format;
use crate::support::guarded::{guarded, is_alive, refused};
use crate::support::program::{Setup, one_upstream};
use crate::support::raw;
use crate::support::trace::Trace;
use crate::support::upstream::{Reply, Upstream};

const MIB: usize = 1024 * 1024;
const JSON: (&str, &str) = ("content-type", "application/json");

#[tokio::test]
async fn headers_of_200_kb_are_a_431() {
    let (server, upstream) = guarded("");
    let long = "x".repeat(200 * 1024);
    let many: Vec<(String, String)> =
        (0..90).map(|number| (format!("x-{number}"), "y".repeat(1_000))).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    for format in Format::ALL {
        let body = format.body("hi", false);
        let request = raw::request("POST", format.path(false), &[JSON, ("x-long", &long)], &body);
        refused(format, &server.ask(request).await, 431, "HEADERS_TOO_LARGE");
        let request = raw::request("POST", format.path(false), &many, &body);
        refused(format, &server.ask(request).await, 431, "HEADERS_TOO_LARGE");
    }
    let request = raw::request("GET", "/health", &[("x-long", &long)], "");
    assert_eq!(server.ask(request).await.status, 431, "on our own routes too");
    assert!(upstream.seen().is_empty());
    is_alive(&server).await;
}

#[tokio::test]
async fn more_headers_than_anybody_reads_are_a_431() {
    let (server, upstream) = guarded("");
    let lines = |count: usize| (0..count).map(|number| format!("x-{number}: 1\r\n")).collect::<String>();
    for (count, filler) in [(400, ""), (20_000, ""), (1, "filler")] {
        let filler =
            if filler.is_empty() { String::new() } else { format!("x-long: {}\r\n", "x".repeat(3 * MIB)) };
        let mut connection = server.connect().await;
        let request = format!(
            "POST /v1/messages HTTP/1.1\r\nhost: x\r\n{}{filler}content-length: 0\r\n\r\n",
            lines(count)
        );
        connection.send_what_is_taken(&request).await;
        let answer = connection.answer().await;
        refused(Format::Messages, &answer, 431, "HEADERS_TOO_LARGE");
        assert!(connection.is_closed().await, "{count}");
    }
    assert!(upstream.seen().is_empty());
    is_alive(&server).await;
}

#[tokio::test]
async fn heads_that_never_end_take_a_bounded_memory() {
    let (server, upstream) = guarded("");
    let mut connections = Vec::new();
    for number in 0..400 {
        let mut connection = server.connect().await;
        let length = if number % 2 == 0 { 70 * 1024 } else { 960 * 1024 };
        let head = format!("GET /v1/models HTTP/1.1\r\nhost: x\r\nx-long: {}", "x".repeat(length));
        connection.send_what_is_taken(head).await;
        connections.push(connection);
    }
    for too_long in connections.iter_mut().skip(1).step_by(2) {
        refused(Format::Chat, &too_long.answer().await, 431, "HEADERS_TOO_LARGE");
    }
    is_alive(&server).await;
    let peak = server.peak_memory() / MIB as u64;
    assert!(peak < 200, "{peak} MB");
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn past_the_bound_of_connections_one_is_told_so() {
    let (server, upstream) = guarded("gateway: { limits: { connections: 5 } }");
    let mut open = Vec::new();
    for _ in 0..5 {
        open.push(server.connect().await);
    }
    for format in Format::ALL {
        let mut connection = server.connect().await;
        connection.send_what_is_taken(format.request("hi", false)).await;
        let answer = connection.answer().await;
        refused(Format::Chat, &answer, 503, "OVERLOADED");
        assert_eq!((answer.header("connection"), answer.retry_after()), (Some("close"), Some(1)));
        assert!(connection.is_closed().await);
    }
    assert!(upstream.seen().is_empty());
    let operator = server.setup.cli(&["budget", "show"]);
    let said = String::from_utf8_lossy(&operator.stderr);
    assert!(operator.status.code() == Some(1) && said.contains("connections"), "{said}");
    // Those who were let in are served, and their places are free when they go.
    open[4].send(raw::get("/health")).await;
    assert_eq!(open[4].answer().await.status, 200);
    drop(open);
    eventually("room again", async || {
        let answer = server.get("/health").await;
        if answer.status == 200 { Ok(()) } else { Err(answer) }
    })
    .await;
}

#[tokio::test]
async fn an_unknown_path_is_a_404_that_names_what_exists() {
    let (server, upstream) = guarded("");
    for path in
        ["/v1//chat/completions", "/v1/../admin", "/v1/%2e%2e/x", "/v1/chat%2fcompletions", "/u/main/v3//x"]
    {
        let answer = server.ask(raw::post(path, "{}")).await;
        refused(Format::Chat, &answer, 404, "NOT_FOUND");
        assert!(answer.text().contains("/v1beta"), "{answer:?}");
    }
    for path in
        ["/nope", "/v2/chat/completions", "/chat/completions", "/apix", "/api/nope", "/.env", "/admin"]
    {
        let answer = server.ask(raw::post(path, "{}")).await;
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (404, Some("application/problem+json")),
            "{path}"
        );
        let problem = answer.json();
        assert_eq!(problem["code"], "NOT_FOUND");
        assert!(problem["remedy"].as_str().unwrap().contains("/docs"), "{problem}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    }
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn a_wrong_method_is_a_405_that_names_the_right_ones() {
    let (server, upstream) = guarded("");
    for format in Format::ALL {
        for method in ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"] {
            let answer = server.ask(raw::request(method, format.path(false), &[], "")).await;
            refused(format, &answer, 405, "METHOD_NOT_ALLOWED");
            assert_eq!(answer.header("allow"), Some("POST"), "{method}: {answer:?}");
        }
        let answer = server.ask(raw::request("HEAD", format.path(false), &[], "")).await;
        assert_eq!((answer.status, answer.header("allow")), (405, Some("POST")));
    }
    for (method, path, allow) in [
        ("DELETE", "/health", "GET,HEAD"),
        ("GET", "/admin/reload", "POST"),
        ("POST", "/metrics", "GET,HEAD"),
    ] {
        let answer = server.ask(raw::request(method, path, &[], "")).await;
        assert_eq!((answer.status, answer.header("allow")), (405, Some(allow)), "{answer:?}");
        assert_eq!(answer.json()["code"], "METHOD_NOT_ALLOWED");
    }
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn more_requests_than_there_is_room_for_are_a_503_with_a_time() {
    let upstream =
        Upstream::start(|_, number| if number < 2 { Reply::nothing().hang() } else { Reply::json("{}") });
    let server = Setup::proxy(&format!(
        "gateway: {{ limits: {{ in_flight: 2 }} }}\n{}",
        one_upstream(&upstream.url())
    ))
    .start();
    let mut waiting = Vec::new();
    for number in 1..=2 {
        let mut client = server.connect().await;
        client.send(Format::Chat.request("hi", false)).await;
        upstream.wait_for_requests(number).await;
        waiting.push(client);
    }
    for format in Format::ALL {
        let answer = server.ask(format.request("hi", false)).await;
        refused(format, &answer, 503, "OVERLOADED");
        assert_eq!(answer.retry_after(), Some(1));
    }
    drop(waiting);
    upstream.wait_for_hang_ups(2).await;
    eventually("room again", async || {
        let answer = server.ask(Format::Chat.request("hi", false)).await;
        if answer.status == 200 { Ok(()) } else { Err(answer) }
    })
    .await;
}

#[tokio::test]
async fn bodies_that_together_take_too_much_memory_are_a_503() {
    let upstream = Upstream::always(Reply::nothing().hang());
    let server =
        Setup::proxy(&format!("gateway: {{ limits: {{ buffer: 1M }} }}\n{}", one_upstream(&upstream.url())))
            .start();
    let large = format!("{{\"model\":\"sim-x\",\"stream\":true,\"x\":\"{}\"}}", "x".repeat(700 * 1024));
    let mut first = server.connect().await;
    first.send(raw::post("/v1/messages", &large)).await;
    upstream.wait_for_requests(1).await;
    let answer = server.ask(raw::post("/v1/messages", &large)).await;
    refused(Format::Messages, &answer, 503, "OVERLOADED");
    assert_eq!(answer.retry_after(), Some(1));
    assert!(server.metrics().await.sum("seawall_buffered_bytes", &[]) >= 700.0 * 1024.0);
    drop(first);
    upstream.wait_for_hang_ups(1).await;
    eventually("memory given back", async || {
        let buffered = server.metrics().await.sum("seawall_buffered_bytes", &[]);
        if buffered == 0.0 { Ok(()) } else { Err(buffered) }
    })
    .await;
}

#[tokio::test]
async fn what_is_refused_is_written_down_once_and_costs_nothing() {
    let (server, _upstream) = guarded("");
    for request in [
        raw::post("/v1/messages", "{"),
        raw::request("GET", "/v1/messages", &[], ""),
        raw::post("/v1//x", "{}"),
        raw::request("POST", "/v1/messages", &[("authorization", "Bearer sk-sw-nobody")], "{}"),
        raw::request("POST", "/v1/messages", &[("x-long", &"x".repeat(100_000))], "{}"),
    ] {
        server.ask(request).await;
    }
    assert!(server.stop().success());
    let trace = Trace::of(&server.setup);
    assert_eq!(trace.assert_complete(), (0, 5));
    let statuses: Vec<_> =
        trace.of_kind("action.denied").map(|event| event.data["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [400, 405, 404, 401, 431]);
}

#[tokio::test]
async fn strangers_take_no_place_of_callers() {
    let upstream = Upstream::always(Reply::json(Format::Chat.answer()));
    let setup = Setup::proxy(&format!(
        "gateway: {{ limits: {{ in_flight: 1 }} }}\nauth: {{ mode: required }}\n{}",
        one_upstream(&upstream.url())
    ));
    let key = setup.key(&["--name", "a"]);
    let server = setup.start();
    let mut strangers = Vec::new();
    for _ in 0..20 {
        let mut stranger = server.connect().await;
        stranger.send("POST /v1/messages HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{").await;
        strangers.push(stranger);
    }
    server.wait_for_metric("seawall_connections", &[], 21.0).await;
    for _ in 0..5 {
        let request = raw::request(
            "POST",
            Format::Chat.path(false),
            &[("x-api-key", &key)],
            Format::Chat.body("hi", false),
        );
        assert_eq!(server.ask(request).await.status, 200);
    }
    for stranger in &mut strangers {
        stranger.send("x".repeat(99)).await;
        refused(Format::Messages, &stranger.answer().await, 401, "UNAUTHENTICATED");
    }
}
