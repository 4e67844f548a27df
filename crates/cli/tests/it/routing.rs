//! Where a call goes: by route, weight, priority, prefix; and where it goes when that fails.

use tokio::task::JoinSet;

use crate::support::format::Format;
use crate::support::program::{Program, Setup};
use crate::support::raw;
use crate::support::upstream::{self, Reply, Upstream};

const JSON: (&str, &str) = ("content-type", "application/json");

/// An entry of `upstreams` that tries nothing twice.
fn entry(name: &str, url: &str, more: &str) -> String {
    format!(
        "  - {{ name: {name}, base_url: \"{url}\", retries: {{ attempts: 0 }}, breaker: {{ failures: 0 }}{more} }}\n"
    )
}

fn proxy(upstreams: &[String], routes: &str) -> Program {
    Setup::proxy(&format!("upstreams:\n{}{routes}", upstreams.concat())).start()
}

fn answering(format: Format) -> Upstream {
    Upstream::always(Reply::json(format.answer()))
}

fn failing(status: u16) -> Upstream {
    Upstream::always(Reply::whole(status, &[JSON], r#"{"error":{"message":"no"}}"#))
}

fn ask_for(model: &str) -> Vec<u8> {
    let body = format!(
        r#"{{ "model" : "{model}","messages":[{{"role":"user","content":"hi"}}], "max_tokens": 9 }}"#
    );
    raw::post("/v1/chat/completions", body)
}

#[tokio::test]
async fn a_route_renames_the_model_and_leaves_the_rest_as_it_is() {
    let upstream = answering(Format::Chat);
    let server = proxy(
        &[entry("a", &upstream.url(), "")],
        "routes: [ { model: fast, to: [ { upstream: a, model: sim-real } ] } ]\n",
    );
    let answer = server.ask(ask_for("fast")).await;
    assert_eq!((answer.status, answer.header("x-seawall-upstream")), (200, Some("a")));
    let expected = r#"{ "model" : "sim-real","messages":[{"role":"user","content":"hi"}], "max_tokens": 9 }"#;
    assert_eq!(upstream.only().text(), expected);
}

#[tokio::test]
async fn a_route_renames_the_model_in_a_path_too() {
    let upstream = answering(Format::Gemini);
    let server = proxy(
        &[entry("a", &upstream.url(), "")],
        "routes: [ { model: sim-g, to: [ { upstream: a, model: sim-other } ] } ]\n",
    );
    let answer = server.ask(Format::Gemini.request("hi", false)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(upstream.only().line(), "POST /v1beta/models/sim-other:generateContent HTTP/1.1");
}

#[tokio::test]
async fn a_route_that_renames_leaves_the_rest_of_every_path_as_it_is() {
    for (model, path, renamed) in [
        ("sim-g", "/v1/engines/sim-g/completions", "/v1/engines/sim-other/completions"),
        ("sim-g", "/v1beta/MODELS/sim-g:generateContent", "/v1beta/models/sim-other:generateContent"),
        ("sim-g", "/v1beta/models/sim-g%3AgenerateContent", "/v1beta/models/sim-other%3AgenerateContent"),
        (
            "tunedModels/t",
            "/v1beta/tunedModels/t:generateContent",
            "/v1beta/models/sim-other:generateContent",
        ),
    ] {
        let upstream = answering(Format::Gemini);
        let routes =
            format!("routes: [ {{ model: \"{model}\", to: [ {{ upstream: a, model: sim-other }} ] }} ]\n");
        let server = proxy(&[entry("a", &upstream.url(), "")], &routes);
        let answer = server.ask(raw::post(path, Format::Gemini.body("hi", false))).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        assert_eq!(upstream.only().line(), format!("POST {renamed} HTTP/1.1"));
    }
}

#[tokio::test]
async fn when_the_first_fails_the_fallback_answers() {
    let hanging_up = Upstream::always(Reply::nothing().close());
    for first in [None, Some(failing(500)), Some(failing(429)), Some(hanging_up)] {
        let url = first.as_ref().map_or_else(upstream::refusing, Upstream::url);
        let second = answering(Format::Chat);
        let server = proxy(
            &[entry("a", &url, ""), entry("b", &second.url(), "")],
            "routes: [ { model: fast, to: [ { upstream: a, model: sim-a } ], fallback: [ { upstream: b, model: sim-b } ] } ]\n",
        );
        let answer = server.ask(ask_for("fast")).await;
        assert_eq!((answer.status, answer.header("x-seawall-upstream")), (200, Some("b")), "{answer:?}");
        assert!(second.only().text().contains("sim-b"));
        if let Some(first) = first {
            assert!(first.only().text().contains("sim-a"), "it was asked before");
        }
    }
}

#[tokio::test]
async fn a_fallback_takes_over_streams_and_every_format() {
    for format in Format::ALL {
        let second = Upstream::always(Reply::events(format.events(true)));
        let server = proxy(
            &[entry("a", &upstream::refusing(), ", priority: 1"), entry("b", &second.url(), ", priority: 2")],
            "",
        );
        let answer = server.ask(format.request("hi", true)).await;
        assert_eq!(answer.header("x-seawall-upstream"), Some("b"));
        assert_eq!(answer.text(), format.events(false).concat());
    }
}

#[tokio::test]
async fn an_upstream_that_refuses_our_key_is_replaced_and_one_that_refuses_the_clients_is_not() {
    let second = answering(Format::Chat);
    let ours = failing(401);
    let server = proxy(
        &[
            entry("a", &ours.url(), ", api_key: wrong, priority: 1"),
            entry("b", &second.url(), ", priority: 2"),
        ],
        "",
    );
    assert_eq!(server.ask(ask_for("sim-x")).await.header("x-seawall-upstream"), Some("b"));

    let theirs = failing(401);
    let server = proxy(
        &[
            entry("a", &theirs.url(), ", auth: passthrough, priority: 1"),
            entry("b", &second.url(), ", priority: 2"),
        ],
        "",
    );
    let answer = server.ask(ask_for("sim-x")).await;
    assert_eq!((answer.status, answer.header("x-seawall-upstream")), (401, Some("a")), "{answer:?}");
}

#[tokio::test]
async fn when_all_fail_the_last_one_speaks() {
    let (first, last) = (failing(500), failing(503));
    let server =
        proxy(&[entry("a", &first.url(), ", priority: 1"), entry("b", &last.url(), ", priority: 2")], "");
    let answer = server.ask(ask_for("sim-x")).await;
    assert_eq!((answer.status, answer.header("x-seawall-upstream")), (503, Some("b")), "{answer:?}");
    let server = proxy(
        &[entry("a", &first.url(), ", priority: 1"), entry("b", &upstream::refusing(), ", priority: 2")],
        "",
    );
    let answer = server.ask(ask_for("sim-x")).await;
    assert_eq!(Format::Chat.error(&answer)["code"], "UPSTREAM_UNREACHABLE", "{answer:?}");
}

#[tokio::test]
async fn a_resting_upstream_is_passed_over() {
    let (first, second) = (failing(500), answering(Format::Chat));
    let resting = format!(
        "  - {{ name: a, base_url: \"{}\", retries: {{ attempts: 0 }}, breaker: {{ failures: 1, open: 60s }}, priority: 1 }}\n",
        first.url()
    );
    let server = proxy(&[resting, entry("b", &second.url(), ", priority: 2")], "");
    for _ in 0..5 {
        let answer = server.ask(ask_for("sim-x")).await;
        assert_eq!((answer.status, answer.header("x-seawall-upstream")), (200, Some("b")), "{answer:?}");
    }
    first.only();
    let ready = server.get("/ready").await.json();
    assert_eq!((&ready["status"], &ready["ready"]), (&"degraded".into(), &true.into()), "{ready}");
}

#[tokio::test]
async fn weights_share_the_calls_out() {
    const CALLS: usize = 400;
    let (most, some, none) = (answering(Format::Chat), answering(Format::Chat), answering(Format::Chat));
    let server = proxy(
        &[entry("a", &most.url(), ""), entry("b", &some.url(), ""), entry("c", &none.url(), "")],
        "routes: [ { model: fast, to: [ { upstream: a, weight: 90 }, { upstream: b, weight: 10 }, { upstream: c, weight: 0 } ] } ]\n",
    );
    let mut clients = JoinSet::new();
    for _ in 0..8 {
        let mut connection = server.connect().await;
        clients.spawn(async move {
            for _ in 0..CALLS / 8 {
                connection.send(ask_for("fast")).await;
                assert_eq!(connection.answer().await.status, 200);
            }
        });
    }
    while let Some(ended) = clients.join_next().await {
        ended.unwrap();
    }
    let (a, b, c) = (most.seen().len(), some.seen().len(), none.seen().len());
    assert_eq!((a + b, c), (CALLS, 0));
    // Forty are expected; six standard deviations of a binomial (6 · 6) are allowed.
    assert!((4..=76).contains(&b), "{a} to {b}");
}

#[tokio::test]
async fn a_prefix_names_the_upstream_or_the_dialect() {
    let (a, b) = (Upstream::always(Reply::json("{}")), Upstream::always(Reply::json("{}")));
    let server =
        proxy(&[entry("a", &a.url(), ", kind: openai"), entry("b", &b.url(), ", kind: anthropic")], "");
    for (path, upstream, expected) in [
        ("/u/b/v1/chat/completions", "b", "/v1/chat/completions"),
        ("/u/a/v1/messages", "a", "/v1/messages"),
        ("/openai/v1/chat/completions", "a", "/v1/chat/completions"),
        ("/openai/chat/completions?x=1", "a", "/v1/chat/completions?x=1"),
        ("/anthropic/v1/messages", "b", "/v1/messages"),
        ("/v1/messages", "b", "/v1/messages"),
    ] {
        let answer = server.ask(raw::post(path, Format::Messages.body("hi", false))).await;
        assert_eq!(
            (answer.status, answer.header("x-seawall-upstream")),
            (200, Some(upstream)),
            "{path}: {answer:?}"
        );
        let witness = if upstream == "a" { a.seen() } else { b.seen() };
        assert_eq!(witness.last().unwrap().line(), format!("POST {expected} HTTP/1.1"));
    }
}

#[tokio::test]
async fn what_nobody_serves_is_a_404_that_says_so() {
    let upstream = answering(Format::Chat);
    let server = proxy(&[entry("a", &upstream.url(), ", kind: openai, models: [\"gpt-*\"]")], "");
    let answer = server.ask(ask_for("other")).await;
    assert_eq!(answer.status, 404, "{answer:?}");
    assert_eq!(Format::Chat.error(&answer)["code"], "NO_UPSTREAM");
    assert_eq!(answer.json()["error"]["code"], "model_not_found");
    for format in [Format::Messages, Format::Gemini] {
        let answer = server.ask(format.request("hi", false)).await;
        assert_eq!((answer.status, format.error(&answer)["code"].as_str()), (404, Some("NO_UPSTREAM")));
    }
    let answer = server.ask(raw::post("/u/nobody/v1/chat/completions", Format::Chat.body("hi", false))).await;
    assert_eq!((answer.status, Format::Chat.error(&answer)["code"].as_str()), (404, Some("NO_UPSTREAM")));
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn an_upstream_that_is_full_leaves_the_call_to_the_next() {
    let (narrow, wide) = (Upstream::always(Reply::nothing().hang()), answering(Format::Chat));
    let server = proxy(
        &[
            entry("a", &narrow.url(), ", max_in_flight: 1, priority: 1"),
            entry("b", &wide.url(), ", priority: 2"),
        ],
        "",
    );
    let mut first = server.connect().await;
    first.send(ask_for("sim-x")).await;
    narrow.wait_for_requests(1).await;
    let answer = server.ask(ask_for("sim-x")).await;
    assert_eq!(answer.header("x-seawall-upstream"), Some("b"), "{answer:?}");

    let server = proxy(&[entry("a", &narrow.url(), ", max_in_flight: 1")], "");
    let mut first = server.connect().await;
    first.send(ask_for("sim-x")).await;
    narrow.wait_for_requests(2).await;
    let answer = server.ask(ask_for("sim-x")).await;
    assert_eq!((answer.status, answer.retry_after()), (503, Some(1)), "{answer:?}");
    assert_eq!(Format::Chat.error(&answer)["code"], "OVERLOADED");
}

#[tokio::test]
async fn a_prefix_always_chooses_and_the_credential_is_in_the_header_of_the_chosen() {
    let upstreams: Vec<Upstream> = (0..3).map(|_| Upstream::always(Reply::json("{}"))).collect();
    let kinds = ["openai", "anthropic", "gemini"];
    let entries: Vec<String> = kinds
        .iter()
        .zip(&upstreams)
        .map(|(kind, upstream)| {
            entry(kind, &upstream.url(), &format!(", kind: {kind}, api_key: key-of-{kind}"))
        })
        .collect();
    let server = proxy(&entries, "");
    for (path, chosen, expected) in [
        // Anthropic and Gemini have endpoints that speak OpenAI's wire format.
        ("/anthropic/v1/chat/completions", 1, "/v1/chat/completions"),
        ("/anthropic/chat/completions", 1, "/v1/chat/completions"),
        ("/gemini/v1beta/openai/models", 2, "/v1beta/openai/models"),
        ("/openai/v1/messages", 0, "/v1/messages"),
        ("/u/openai/chat/completions", 0, "/v1/chat/completions"),
        ("/u/gemini/models/g:countTokens", 2, "/v1beta/models/g:countTokens"),
        ("/gemini/upload/v1beta/files?uploadType=media", 2, "/upload/v1beta/files?uploadType=media"),
    ] {
        let answer = server.ask(raw::post(path, Format::Chat.body("hi", false))).await;
        assert_eq!(answer.header("x-seawall-upstream"), Some(kinds[chosen]), "{path}: {answer:?}");
        let seen = upstreams[chosen].seen();
        let last = seen.last().unwrap();
        assert_eq!(last.line(), format!("POST {expected} HTTP/1.1"));
        let headers = ["authorization", "x-api-key", "x-goog-api-key"];
        let found: Vec<Option<&str>> = headers.iter().map(|name| last.header(name)).collect();
        let key = format!("key-of-{}", kinds[chosen]);
        let mut wanted = [None; 3];
        let bearer = format!("Bearer {key}");
        // Google wants its key in OpenAI's manner where it speaks OpenAI's wire formats.
        let in_openais_manner = chosen == 0 || expected.starts_with("/v1beta/openai/");
        let (header, value) = if in_openais_manner { (0, bearer.as_str()) } else { (chosen, key.as_str()) };
        wanted[header] = Some(value);
        assert_eq!(found, wanted, "{path}");
    }
    assert_eq!(server.ask(raw::post("/upload/v1beta/files", "{}")).await.status, 404, "only behind a prefix");
}

#[tokio::test]
async fn the_shape_of_an_error_is_that_of_the_wire_format_whoever_was_chosen() {
    let limited = failing(429);
    let server = proxy(&[entry("claude", &limited.url(), ", kind: anthropic, models: [\"claude-*\"]")], "");
    let answer =
        server.ask(raw::post("/anthropic/v1/chat/completions", Format::Chat.body("hi", false))).await;
    assert_eq!((answer.status, Format::Chat.error(&answer)["code"].as_str()), (404, Some("NO_UPSTREAM")));
    assert!(answer.json()["error"]["type"].is_string(), "{answer:?}");
}

#[tokio::test]
async fn a_route_that_leads_to_another_kind_is_a_404_that_says_what_to_do() {
    let claude = answering(Format::Messages);
    let server = proxy(
        &[entry("claude", &claude.url(), ", kind: anthropic"), entry("oai", &claude.url(), ", kind: openai")],
        "routes: [ { model: fast, to: [ { upstream: claude, model: claude-x } ] } ]\n",
    );
    let answer = server.ask(ask_for("fast")).await;
    let error = Format::Chat.error(&answer);
    assert_eq!((answer.status, error["code"].as_str()), (404, Some("NO_UPSTREAM")), "{answer:?}");
    assert!(error["remedy"].as_str().unwrap().contains("wire format of its upstreams"), "{error}");
    assert!(claude.seen().is_empty());
}

#[test]
fn a_route_that_mixes_kinds_does_not_start() {
    let upstreams = [
        entry("oai", "http://127.0.0.1:1", ", kind: openai"),
        entry("claude", "http://127.0.0.1:1", ", kind: anthropic"),
        entry("relay", "http://127.0.0.1:1", ""),
    ]
    .concat();
    for (route, good) in [
        ("to: [ { upstream: oai }, { upstream: claude } ]", false),
        ("to: [ { upstream: oai } ], fallback: [ { upstream: claude } ]", false),
        ("to: [ { upstream: oai }, { upstream: relay } ]", true),
    ] {
        let config = format!("upstreams:\n{upstreams}routes: [ {{ model: fast, {route} }} ]\n");
        let output = Setup::new("config").config(&config).args(["check"]).run();
        assert_eq!(output.status.success(), good, "{route}: {output:?}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            good || said.contains("routes[0]: upstreams \"oai\" and \"claude\" speak different"),
            "{said}"
        );
    }
}

#[tokio::test]
async fn what_is_done_twice_when_sent_twice_is_sent_once() {
    let again = |url: &str, name: &str, priority: u32| {
        format!(
            "  - {{ name: {name}, base_url: \"{url}\", retries: {{ attempts: 2, budget: 1.0 }}, priority: {priority} }}\n"
        )
    };
    let (first, second) = (failing(500), Upstream::always(Reply::json("{}")));
    let server = proxy(&[again(&first.url(), "a", 1), again(&second.url(), "b", 2)], "");
    let answer = server.ask(raw::post("/v1/batches", "{}")).await;
    assert_eq!((answer.status, answer.header("x-seawall-upstream")), (500, Some("a")), "{answer:?}");
    first.only();
    assert!(second.seen().is_empty());
    // What can be repeated is, and what was never sent goes elsewhere.
    assert_eq!(server.get("/v1/files").await.header("x-seawall-upstream"), Some("b"));
    let refusing = upstream::refusing();
    let server = proxy(&[again(&refusing, "a", 1), again(&second.url(), "b", 2)], "");
    let answer = server.ask(raw::post("/v1/batches", "{}")).await;
    assert_eq!((answer.status, answer.header("x-seawall-upstream")), (200, Some("b")), "{answer:?}");
}

#[tokio::test]
async fn what_is_passed_through_goes_to_the_same_upstream_each_time() {
    let (a, b) = (Upstream::always(Reply::json("{}")), Upstream::always(Reply::json("{}")));
    let server = proxy(&[entry("a", &a.url(), ""), entry("b", &b.url(), "")], "");
    for _ in 0..20 {
        assert_eq!(server.get("/v1/files/file-1").await.header("x-seawall-upstream"), Some("a"));
    }
}

#[tokio::test]
async fn the_models_of_anthropic_are_asked_for_at_anthropic() {
    let (openai, anthropic) = (
        Upstream::always(Reply::json("{\"at\":\"openai\"}")),
        Upstream::always(Reply::json("{\"at\":\"anthropic\"}")),
    );
    let server = Setup::proxy(&format!(
        "upstreams:\n  - {{ name: a, kind: openai, base_url: \"{}\" }}\n  - {{ name: b, kind: anthropic, base_url: \"{}\" }}\n",
        openai.url(),
        anthropic.url()
    ))
    .start();
    let version = [("anthropic-version", "2023-06-01")];
    for path in ["/v1/models", "/v1/models/claude-opus-4-8"] {
        assert_eq!(server.ask(raw::request("GET", path, &version, "")).await.json()["at"], "anthropic");
        assert_eq!(server.ask(raw::get(path)).await.json()["at"], "openai");
        assert_eq!(
            server.ask(raw::request("GET", &format!("/openai{path}"), &version, "")).await.json()["at"],
            "openai"
        );
    }
}
