//! Rate limits: requests and tokens a minute, for each key, address and model; told in the provider's own headers.

use seawall_types::Timestamp;
use tokio::task::JoinSet;

use crate::support::eventually;
use crate::support::format::Format;
use crate::support::program::{Program, Setup, one_upstream};
use crate::support::raw::{self, Answer};
use crate::support::upstream::{Reply, Upstream};

fn simulated(limits: &str) -> Program {
    Setup::simulated(&format!("rate_limits: [ {limits} ]\ngateway: {{ trusted_proxies: [127.0.0.1/32] }}"))
        .start()
}

async fn with(server: &Program, format: Format, name: &str, value: &str) -> Answer {
    server.ask(raw::request("POST", format.path(false), &[(name, value)], format.body("hi", false))).await
}

fn limited(format: Format, answer: &Answer) {
    assert_eq!(answer.status, 429, "{answer:?}");
    let part = format.error(answer);
    assert_eq!(part["code"], "RATE_LIMITED");
    let wait = answer.retry_after().unwrap();
    assert!((1..=60).contains(&wait), "{answer:?}");
    assert_eq!(part["retry_after"], wait);
}

#[tokio::test]
async fn a_key_has_so_many_requests_and_the_headers_of_its_provider_say_so() {
    for (format, names) in [
        (
            Format::Chat,
            ["x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"],
        ),
        (
            Format::Messages,
            [
                "anthropic-ratelimit-requests-limit",
                "anthropic-ratelimit-requests-remaining",
                "anthropic-ratelimit-requests-reset",
            ],
        ),
        (
            Format::Gemini,
            ["x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"],
        ),
    ] {
        let upstream = Upstream::always(Reply::json(format.answer()));
        let setup = Setup::proxy(&one_upstream(&upstream.url()));
        let (key, other) = (setup.key(&["--name", "a", "--rpm", "3"]), setup.key(&["--name", "b"]));
        let server = setup.start();
        for _ in 0..3 {
            assert_eq!(with(&server, format, "x-api-key", &key).await.status, 200);
        }
        for _ in 0..3 {
            let answer = with(&server, format, "x-api-key", &key).await;
            limited(format, &answer);
            assert_eq!(
                (answer.header(names[0]), answer.header(names[1])),
                (Some("3"), Some("0")),
                "{answer:?}"
            );
            let reset = answer.header(names[2]).unwrap();
            match format {
                Format::Messages => {
                    let at = reset.parse::<Timestamp>().unwrap();
                    assert_eq!(at.to_string(), reset);
                }
                Format::Chat | Format::Responses | Format::Gemini => {
                    assert!(reset.ends_with('s'), "{answer:?}")
                }
            }
        }
        assert_eq!(with(&server, format, "x-api-key", &other).await.status, 200, "another key has its own");
        assert_eq!(upstream.seen().len(), 4);
    }
}

#[tokio::test]
async fn a_key_has_so_many_tokens() {
    let setup = Setup::simulated("");
    let key = setup.key(&["--name", "a", "--tpm", "100"]);
    let server = setup.start();
    // 40 tokens and more each, by the bytes of the body, until the real usage is known.
    let mut answers = Vec::new();
    for _ in 0..40 {
        answers.push(with(&server, Format::Chat, "x-api-key", &key).await);
    }
    let refused: Vec<_> = answers.iter().filter(|answer| answer.status == 429).collect();
    assert!(answers[0].status == 200 && !refused.is_empty(), "{answers:?}");
    for answer in refused {
        limited(Format::Chat, answer);
        assert_eq!(answer.header("x-ratelimit-limit-tokens"), Some("100"));
        assert_eq!(answer.header("x-ratelimit-remaining-tokens"), Some("0"));
    }
}

#[tokio::test]
async fn each_address_has_its_own_limit_and_only_trusted_proxies_name_one() {
    let server = simulated("{ scope: ip, rpm: 2 }");
    for address in ["198.51.100.1", "198.51.100.2", "2001:db8:1:1::1"] {
        for expected in [200, 200, 429] {
            let answer = with(&server, Format::Chat, "x-forwarded-for", address).await;
            assert_eq!(answer.status, expected, "{address}: {answer:?}");
        }
    }
    let neighbour = with(&server, Format::Chat, "x-forwarded-for", "2001:db8:1:1:ffff::9").await;
    limited(Format::Chat, &neighbour);
    assert_eq!(
        with(&server, Format::Chat, "x-forwarded-for", "2001:db8:1:2::1").await.status,
        200,
        "another /64"
    );

    let untrusting = Setup::simulated("rate_limits: [ { scope: ip, rpm: 2 } ]").start();
    for (address, expected) in [("198.51.100.1", 200), ("198.51.100.2", 200), ("198.51.100.3", 429)] {
        assert_eq!(with(&untrusting, Format::Chat, "x-forwarded-for", address).await.status, expected);
    }
}

#[tokio::test]
async fn each_model_has_its_own_limit() {
    let server = simulated("{ scope: model, rpm: 2 }");
    for format in [Format::Chat, Format::Messages] {
        for expected in [200, 200, 429] {
            let body =
                format.body("hi", false).replace("sim-c", "gpt-4o").replace("sim-m", "claude-sonnet-4-5");
            assert_eq!(server.ask(raw::post(format.path(false), body)).await.status, expected, "{format:?}");
        }
    }
}

#[tokio::test]
async fn each_model_has_tokens_of_its_own() {
    // Models are told apart by the names that have prices.
    let server = simulated("{ scope: model, tpm: 100 }");
    let ask =
        |model| raw::post("/v1/chat/completions", Format::Chat.body("hi", false).replace("sim-c", model));
    assert_eq!(server.ask(ask("gpt-4o")).await.status, 200);
    let mut refused = None;
    for _ in 0..40 {
        refused = Some(server.ask(ask("gpt-4o")).await).filter(|answer| answer.status == 429).or(refused);
    }
    limited(Format::Chat, &refused.expect("a minute has a hundred tokens, and a call some dozens"));
    assert_eq!(server.ask(ask("gpt-4o-mini")).await.status, 200, "another model has its own");
}

#[tokio::test]
async fn a_limit_counts_on_its_routes_only() {
    let server = simulated("{ scope: ip, rpm: 1, routes: [\"/v1/messages\"] }");
    for (format, expected) in [
        (Format::Messages, 200),
        (Format::Messages, 429),
        (Format::Chat, 200),
        (Format::Chat, 200),
        (Format::Gemini, 200),
    ] {
        assert_eq!(server.ask(format.request("hi", false)).await.status, expected, "{format:?}");
    }
}

#[tokio::test]
async fn a_limit_counts_on_its_routes_however_they_are_written() {
    let upstream = Upstream::always(Reply::json(Format::Chat.answer()));
    let limit = "rate_limits: [ { scope: ip, rpm: 1, routes: [/v1/chat/completions] } ]";
    for path in ["/v1/%63hat/completions", "/v1/Chat/Completions/", "/u/main/v4/chat/completions"] {
        let server = Setup::proxy(&format!("{}\n{limit}", one_upstream(&upstream.url()))).start();
        let ask = async |path: &str| server.ask(raw::post(path, Format::Chat.body("hi", false))).await;
        assert_eq!(ask("/v1/chat/completions").await.status, 200);
        limited(Format::Chat, &ask(path).await);
    }
}

#[tokio::test]
async fn a_limit_on_our_own_routes_holds_there() {
    let server = simulated("{ scope: ip, rpm: 2, routes: [\"/api/*\"] }");
    for expected in [200, 200, 429] {
        let answer = server.get("/api/budgets").await;
        assert_eq!(answer.status, expected, "{answer:?}");
        if expected == 429 {
            assert!((1..=60).contains(&answer.retry_after().unwrap()), "{answer:?}");
            assert_eq!(answer.json()["code"], "RATE_LIMITED");
        }
    }
    assert_eq!(server.get("/health").await.status, 200);
    assert_eq!(server.ask(Format::Chat.request("hi", false)).await.status, 200);
}

#[tokio::test]
async fn a_crowd_gets_no_more_than_the_limit() {
    let server = simulated("{ scope: ip, rpm: 10 }");
    let mut crowd = JoinSet::new();
    for _ in 0..60 {
        crowd.spawn(raw::exchange(server.address, Format::Messages.request("hi", false)));
    }
    let mut through = 0;
    while let Some(answer) = crowd.join_next().await {
        let answer = answer.unwrap();
        match answer.status {
            200 => through += 1,
            _ => limited(Format::Messages, &answer),
        }
    }
    assert_eq!(through, 10);
}

#[tokio::test]
async fn what_is_refused_otherwise_does_not_count_for_a_key() {
    let setup = Setup::simulated("");
    let key = setup.key(&["--name", "a", "--rpm", "2"]);
    let server = setup.start();
    let broken = raw::request("POST", "/v1/messages", &[("x-api-key", &key)], "{");
    for _ in 0..5 {
        assert_eq!(server.ask(&broken).await.status, 400);
    }
    for status in [200, 200, 429] {
        assert_eq!(with(&server, Format::Messages, "x-api-key", &key).await.status, status);
    }
}

#[tokio::test]
async fn an_address_is_counted_before_anybody_asks_who_calls() {
    let setup = Setup::simulated(
        "auth: { mode: required }\nrate_limits: [ { scope: ip, rpm: 4, routes: [\"/v1/*\"] }, { scope: ip, rpm: 2, routes: [\"/api/*\"] } ]",
    );
    let key = setup.key(&["--name", "a"]);
    let server = setup.start();
    for (guess, status) in [("sk-sw-guess", 401), ("sk-other", 401), ("sk-sw-again", 401)] {
        assert_eq!(with(&server, Format::Chat, "x-api-key", guess).await.status, status);
    }
    let nowhere = raw::request("POST", "/v1//nowhere", &[], "{}");
    assert_eq!(server.ask(nowhere).await.status, 404);
    limited(Format::Chat, &with(&server, Format::Chat, "x-api-key", "sk-sw-guess").await);
    limited(Format::Chat, &with(&server, Format::Chat, "x-api-key", &key).await);

    let wanted = raw::request("GET", "/api/budgets", &[("x-api-key", "sk-sw-guess")], "");
    for status in [401, 401, 429, 429] {
        assert_eq!(server.ask(&wanted).await.status, status);
    }
}

#[tokio::test]
async fn calls_made_at_once_do_not_pass_the_tokens_of_a_minute_by_their_answers() {
    let upstream = Upstream::start(|_, number| match number {
        // Something is seen of it, so that who hangs up is not counted all that it might have been.
        0 => Reply::begin_events(Format::Chat.events(true).into_iter().take(3)).hang(),
        _ => Reply::json(Format::Chat.answer()),
    });
    let server = Setup::proxy(&format!(
        "rate_limits: [ {{ scope: ip, tpm: 1000 }} ]\n{}",
        one_upstream(&upstream.url())
    ))
    .start();
    let ask = raw::post("/v1/chat/completions", Format::Chat.body_within("hi", false, 600));
    let mut first = server.connect().await;
    first.send(&ask).await;
    first.read_until("hello").await;
    limited(Format::Chat, &server.ask(&ask).await);
    drop(first);
    // What it did not use comes back, and an answer that may be longer than the rate can still be asked for.
    let long = raw::post("/v1/chat/completions", Format::Chat.body_within("hi", false, 5_000));
    eventually("the tokens come back", async || {
        let answer = server.ask(&ask).await;
        if answer.status == 200 { Ok(()) } else { Err(answer) }
    })
    .await;
    let answer = server.ask(&ask).await;
    assert_eq!(answer.status, 200, "the usage took the estimate's place: {answer:?}");
    let other = Setup::proxy(&format!(
        "rate_limits: [ {{ scope: ip, tpm: 1000 }} ]\n{}",
        one_upstream(&upstream.url())
    ))
    .start();
    assert_eq!(other.ask(&long).await.status, 200);
}
