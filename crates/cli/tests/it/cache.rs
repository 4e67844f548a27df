//! Answers that are kept: given again to the same request of the same tenant, for nothing, and to nobody else.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::support::client::{self, Call};
use crate::support::format::Format;
use crate::support::program::{Program, Setup, one_upstream};
use crate::support::raw::{self, Answer};
use crate::support::trace::Trace;
use crate::support::upstream::{Reply, Upstream};

const ON: &str = "cache: { enabled: true }\n";

fn proxy(upstream: &Upstream, more: &str) -> Program {
    Setup::proxy(&format!("{}{ON}{more}", one_upstream(&upstream.url()))).start()
}

/// An upstream that gives each plain request its own answer.
fn counting() -> Upstream {
    Upstream::start(|_, number| Reply::json(chat(&format!("answer {number}"), "stop")))
}

fn chat(content: &str, finish: &str) -> String {
    let mut answer: Value = serde_json::from_str(&Format::Chat.answer()).unwrap();
    answer["choices"][0]["message"]["content"] = content.into();
    answer["choices"][0]["finish_reason"] = finish.into();
    answer.to_string()
}

async fn say(server: &Program, text: &str) -> Answer {
    send(server, Call::say(Format::Chat, text, false)).await
}

async fn send(server: &Program, call: Call) -> Answer {
    let reply = client::send(server.address, call).await;
    assert!(reply.complete, "{reply:?}");
    reply
}

fn told(reply: &Answer) -> Option<&str> {
    reply.header("x-seawall-cache")
}

#[tokio::test]
async fn the_same_request_is_answered_again_for_nothing() {
    let upstream = counting();
    let server = proxy(&upstream, "");
    let first = say(&server, "hi").await;
    assert_eq!((first.status, told(&first)), (200, Some("miss")));
    let second = say(&server, "hi").await;
    assert_eq!(
        (second.status, told(&second), second.header("x-seawall-cost-usd")),
        (200, Some("hit"), Some("0.000000"))
    );
    assert_eq!((&second.body, second.header("content-type")), (&first.body, Some("application/json")));
    assert_ne!(second.header("x-seawall-action"), first.header("x-seawall-action"));
    assert_eq!(upstream.seen().len(), 1);

    let metrics = server.metrics().await;
    assert_eq!(metrics.sum("seawall_cache_hits_total", &[]), 1.0);
    assert_eq!(metrics.sum("seawall_cache_misses_total", &[]), 1.0);
    assert!(metrics.sum("seawall_cache_bytes", &[]) > 100.0);
    assert!(server.stop().success());
    let trace = Trace::of(&server.setup);
    assert_eq!(trace.assert_complete(), (2, 0));
    let hit = second.header("x-seawall-action").unwrap();
    let admitted = trace.about(hit, "action.admitted").unwrap();
    assert_eq!((&admitted.data["cache"], admitted.data.get("hold")), (&"hit".into(), None), "{admitted:?}");
    let settled = trace.about(hit, "action.settled").unwrap();
    assert_eq!(
        (&settled.data["cache"], &settled.data["attempts"]),
        (&"hit".into(), &json!([])),
        "{settled:?}"
    );
    assert_eq!(
        (&settled.data["cost_usd"], settled.data.get("usage")),
        (&"0.000000".into(), None),
        "{settled:?}"
    );
    let missed = trace.about(first.header("x-seawall-action").unwrap(), "action.settled").unwrap();
    assert_eq!(missed.data.get("cache"), None);
}

#[tokio::test]
async fn how_a_request_is_written_is_irrelevant_and_what_it_says_is_not() {
    let upstream = counting();
    let server = proxy(&upstream, "");
    let ask = async |body: &str| {
        let reply = send(&server, Call::post("/v1/chat/completions", body.to_owned())).await;
        told(&reply).unwrap().to_owned()
    };
    let body = r#"{"model":"sim-c","messages":[{"role":"user","content":"é"}],"max_tokens":9,"user":"ann"}"#;
    assert_eq!(ask(body).await, "miss");
    let rewritten = r#" { "user":"ann", "max_tokens":9, "messages":[{"content":"\u00e9", "role":"user"}], "model":"sim-c" }"#;
    assert_eq!(ask(rewritten).await, "hit");
    for (from, to) in
        [("é", "e"), ("9", "8"), ("ann", "bob"), ("user\":\"", "metadata\":\""), ("sim-c", "sim-d")]
    {
        assert_eq!(ask(&body.replace(from, to)).await, "miss", "{from} {to}");
    }
}

#[tokio::test]
async fn headers_and_queries_that_change_the_answer_are_part_of_the_question() {
    let upstream = Upstream::always(Reply::json(Format::Messages.answer()));
    let server = proxy(&upstream, "");
    let ask = async |path: &str, version: &str| {
        let call = Call::post(path, Format::Messages.body("hi", false)).with("anthropic-version", version);
        told(&send(&server, call.with("x-stainless-retry-count", "0")).await).unwrap().to_owned()
    };
    for expected in ["miss", "hit"] {
        assert_eq!(ask("/v1/messages", "2023-06-01").await, expected);
        assert_eq!(ask("/v1/messages?beta=true", "2023-06-01").await, expected);
        assert_eq!(ask("/v1/messages", "2024-01-01").await, expected);
        assert_eq!(ask("/u/main/v1/messages", "2023-06-01").await, expected);
    }
}

#[tokio::test]
async fn a_stream_is_given_again_byte_for_byte_in_every_format() {
    for format in Format::ALL {
        let upstream = Upstream::always(Reply::events(format.events(true)));
        let server = proxy(&upstream, "");
        let first = send(&server, Call::say(format, "hi", true)).await;
        let second = send(&server, Call::say(format, "hi", true)).await;
        assert_eq!((told(&first), told(&second)), (Some("miss"), Some("hit")), "{format:?}");
        assert_eq!(second.header("content-type"), Some("text/event-stream"));
        assert!(first.body.len() > 100 && second.body == first.body, "{format:?}");
        assert_eq!(upstream.seen().len(), 1);
        // What was asked for whole is another question.
        assert_eq!(told(&send(&server, Call::say(format, "hi", false)).await), Some("miss"));
    }
}

#[tokio::test]
async fn a_stream_that_broke_off_after_its_last_word_is_not_kept() {
    for format in Format::ALL {
        let events = format.events(true);
        let broken = Reply::begin_events(&events).chunk("data: {\"torn\":\"").close();
        let upstream = Upstream::in_turn(vec![broken, Reply::events(&events)]);
        let server = proxy(&upstream, "");
        let first = send(&server, Call::say(format, "hi", true)).await;
        assert!(!first.text().contains("torn"), "half an event is nobody's: {first:?}");
        assert_eq!(told(&send(&server, Call::say(format, "hi", true)).await), Some("miss"), "{format:?}");
        assert_eq!(upstream.seen().len(), 2);
    }
}

#[tokio::test]
async fn embeddings_are_kept_and_what_is_not_metered_is_not() {
    let upstream = Upstream::start(|seen, _| {
        let usage = json!({ "prompt_tokens": 1, "total_tokens": 1 });
        Reply::json(
            json!({ "object": "list", "path": seen.line(), "model": "m", "data": [], "usage": usage })
                .to_string(),
        )
    });
    let server = proxy(&upstream, "");
    let embed = || {
        Call::post("/v1/embeddings", json!({ "model": "text-embedding-3-small", "input": "x" }).to_string())
    };
    assert_eq!(told(&send(&server, embed()).await), Some("miss"));
    assert_eq!(told(&send(&server, embed()).await), Some("hit"));
    let count = || Call::post("/v1/messages/count_tokens", Format::Messages.body("hi", false));
    for call in [count(), count(), Call::get("/v1/models"), Call::get("/v1/models")] {
        assert_eq!(told(&send(&server, call).await), None);
    }
    assert_eq!(upstream.seen().len(), 5);
}

#[tokio::test]
async fn what_the_provider_does_itself_is_done_each_time() {
    let upstream = counting();
    let server = proxy(&upstream, "");
    for more in [json!({ "tools": [{ "type": "web_search" }] }), json!({ "background": true })] {
        let mut body = json!({ "model": "sim-r", "input": "hi", "max_output_tokens": 9 });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        for _ in 0..2 {
            let reply = send(&server, Call::post("/v1/responses", body.to_string())).await;
            assert_eq!(told(&reply), None, "{body}");
        }
    }
    assert_eq!(upstream.seen().len(), 4);
}

#[tokio::test]
async fn tools_that_the_client_runs_are_asked_for_again_and_written_down_again() {
    let server = Setup::simulated(ON).start();
    let text = r#"sim:tool look {"at":"it"}"#;
    let (first, second) = (say(&server, text).await, say(&server, text).await);
    assert_eq!((told(&second), &second.body), (Some("hit"), &first.body));
    assert!(server.stop().success());
    let trace = Trace::of(&server.setup);
    for reply in [first, second] {
        let called = trace.about(reply.header("x-seawall-action").unwrap(), "tool.called");
        assert!(called.is_some_and(|event| event.data.to_string().contains("look")), "{called:?}");
    }
}

#[tokio::test]
async fn only_complete_answers_are_kept() {
    let cut = Reply::begin_events(Format::Chat.events(true).into_iter().take(2)).close();
    let failed = json!({ "error": { "message": "no", "type": "server_error", "code": null } }).to_string();
    for (reply, stream) in [
        (Reply::whole(500, &[("content-type", "application/json")], &failed), false),
        (Reply::whole(400, &[("content-type", "application/json")], &failed), false),
        (Reply::whole(201, &[("content-type", "application/json")], Format::Chat.answer()), false),
        (Reply::json(&failed), false),
        (Reply::json("{\"half"), false),
        (cut, true),
    ] {
        let upstream = Upstream::always(reply);
        let server = proxy(&upstream, "");
        for number in 1..=2 {
            let reply = client::send(server.address, Call::say(Format::Chat, "hi", stream)).await;
            assert_eq!((told(&reply), upstream.seen().len()), (Some("miss"), number), "{reply:?}");
        }
    }
}

#[tokio::test]
async fn an_answer_that_our_own_limit_cut_short_is_not_kept() {
    let upstream = Upstream::always(Reply::json(chat("so far", "length")));
    let config = "policy: { models: { max_output_tokens: 50 } }\n";
    let server = proxy(&upstream, config);
    for number in 1..=2 {
        assert_eq!(told(&say(&server, "hi").await), Some("miss"));
        assert_eq!(upstream.seen().len(), number);
    }
    // The client's own limit is part of what was asked.
    let own = || Call::say_within(Format::Chat, "hi", false, 20);
    assert_eq!(told(&send(&server, own()).await), Some("miss"));
    assert_eq!(told(&send(&server, own()).await), Some("hit"));
}

#[tokio::test]
async fn tenants_keys_and_strangers_accounts_are_kept_apart() {
    let upstream = counting();
    let setup = Setup::proxy(&format!("{}{ON}", one_upstream(&upstream.url())));
    let key = |name: &str, tenant: Option<&str>| {
        let mut args = vec!["--name", name];
        args.extend(tenant.into_iter().flat_map(|tenant| ["--tenant", tenant]));
        setup.key(&args)
    };
    let keys =
        [key("a1", Some("a")), key("a2", Some("a")), key("b", Some("b")), key("c", None), key("d", None)];
    let server = setup.start();
    let mut heard = Vec::new();
    for credential in keys.iter().map(String::as_str).chain(["sk-one", "sk-two", "sk-one"]) {
        let reply = send(&server, Call::say(Format::Chat, "hi", false).with_key(credential)).await;
        heard.push((
            told(&reply).unwrap().to_owned(),
            reply.json()["choices"][0]["message"]["content"].clone(),
        ));
    }
    let (says, answers): (Vec<_>, Vec<_>) = heard.into_iter().unzip();
    assert_eq!(says, ["miss", "hit", "miss", "miss", "miss", "miss", "miss", "hit"]);
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[5], answers[7]);
    assert_eq!(upstream.seen().len(), 6);
}

#[tokio::test]
async fn what_a_key_or_the_policy_forbids_is_not_given_from_the_cache() {
    let upstream = counting();
    let setup = Setup::proxy(&format!("{}{ON}", one_upstream(&upstream.url())));
    let any = setup.key(&["--name", "any", "--tenant", "a"]);
    let few = setup.key(&["--name", "few", "--tenant", "a", "--models", "other"]);
    let server = setup.start();
    let ask = async |key: &str| {
        client::send(server.address, Call::say(Format::Chat, "hi", false).with_key(key)).await
    };
    assert_eq!(ask(&any).await.status, 200);
    let refused = ask(&few).await;
    assert_eq!((refused.status, told(&refused)), (403, None));
}

#[tokio::test]
async fn clients_may_ask_for_a_fresh_answer_or_for_none_to_be_kept() {
    let upstream = counting();
    let server = proxy(&upstream, "");
    let ask = async |control: &str| {
        let reply = send(&server, Call::say(Format::Chat, "hi", false).with("cache-control", control)).await;
        let content = reply.json()["choices"][0]["message"]["content"].as_str().unwrap().to_owned();
        (told(&reply).map(str::to_owned), content)
    };
    let expect = |told: Option<&str>, content: &str| (told.map(str::to_owned), content.to_owned());
    assert_eq!(ask("no-store").await, expect(None, "answer 0"));
    assert_eq!(ask("max-age=60").await, expect(Some("miss"), "answer 1"));
    assert_eq!(ask("no-store").await, expect(None, "answer 2"));
    assert_eq!(ask("max-age=60").await, expect(Some("hit"), "answer 1"));
    assert_eq!(ask("no-cache").await, expect(Some("miss"), "answer 3"));
    assert_eq!(ask("max-age=60").await, expect(Some("hit"), "answer 3"));
}

#[tokio::test]
async fn an_exhausted_budget_does_not_keep_from_what_is_free() {
    let upstream = counting();
    let server = proxy(&upstream, "budgets: [ { scope: global, window: total, tokens: 3000 } ]\n");
    let first = say(&server, "hi").await;
    assert_eq!((first.status, told(&first)), (200, Some("miss")), "{first:?}");
    let long = "word ".repeat(4_000);
    assert_eq!(client::send(server.address, Call::say(Format::Chat, &long, false)).await.status, 402);
    let again = say(&server, "hi").await;
    assert_eq!((again.status, told(&again)), (200, Some("hit")));
}

#[tokio::test]
async fn requests_count_against_their_rate_also_when_they_are_answered_again() {
    let upstream = counting();
    let server = proxy(&upstream, "rate_limits: [ { scope: ip, rpm: 2 } ]\n");
    say(&server, "hi").await;
    say(&server, "hi").await;
    let refused = client::send(server.address, Call::say(Format::Chat, "hi", false)).await;
    assert_eq!((refused.status, told(&refused)), (429, None));
}

#[tokio::test]
async fn of_requests_that_come_together_one_goes_upstream() {
    let upstream = Upstream::start(|_, number| {
        Reply::nothing()
            .pause(Duration::from_millis(500))
            .send(whole(&chat(&format!("answer {number}"), "stop")))
    });
    let server = proxy(&upstream, "");
    let replies = together(&server, 20).await;
    assert_eq!(upstream.seen().len(), 1);
    assert_eq!(replies.iter().filter(|reply| told(reply) == Some("miss")).count(), 1);
    assert!(replies.iter().all(|reply| reply.status == 200 && reply.body == replies[0].body));
    assert!(server.stop().success());
    assert_eq!(Trace::of(&server.setup).assert_complete(), (20, 0));
}

fn whole(body: &str) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    (head + body).into_bytes()
}

/// The same question from so many clients at once.
async fn together(server: &Program, clients: usize) -> Vec<Answer> {
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..clients {
        asking.spawn(client::send(server.address, Call::say(Format::Chat, "hi", false)));
    }
    asking.join_all().await
}

#[tokio::test]
async fn when_the_first_fails_another_goes_on_its_own() {
    let upstream = Upstream::start(|_, number| match number {
        0 => Reply::nothing().pause(Duration::from_millis(300)).close(),
        _ => Reply::nothing().pause(Duration::from_millis(300)).send(whole(&Format::Chat.answer())),
    });
    let server = proxy(&upstream, "");
    let mut statuses: Vec<u16> = together(&server, 5).await.iter().map(|reply| reply.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 200, 200, 200, 502]);
    assert_eq!(upstream.seen().len(), 2);
}

#[tokio::test]
async fn when_all_fail_nobody_waits_for_everybody() {
    let refused = "HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
    let upstream = Upstream::always(Reply::nothing().pause(Duration::from_millis(300)).send(refused));
    let server = proxy(&upstream, "");
    let begun = std::time::Instant::now();
    assert!(together(&server, 20).await.iter().all(|reply| reply.status == 400));
    // One after the other would be six seconds.
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn when_the_client_of_the_first_hangs_up_another_goes_on_its_own() {
    let upstream = Upstream::start(|_, number| match number {
        0 => Reply::begin_events(Format::Chat.events(true).into_iter().take(2)).hang(),
        _ => Reply::events(Format::Chat.events(true)),
    });
    let server = proxy(&upstream, "");
    let mut first = client::begin(server.address, Call::say(Format::Chat, "hi", true)).await;
    assert!(first.piece().await.is_some());
    let mut second = tokio::task::JoinSet::new();
    second.spawn(client::send(server.address, Call::say(Format::Chat, "hi", true)));
    server.wait_for_metric("seawall_in_flight", &[], 2.0).await;
    assert_eq!(upstream.seen().len(), 1);
    drop(first);
    let second = second.join_all().await.remove(0);
    assert_eq!((second.status, told(&second)), (200, Some("miss")));
    assert!(second.text().ends_with("[DONE]\n\n"), "{}", second.text());
    upstream.wait_for_hang_ups(1).await;
}

#[tokio::test]
async fn answers_grow_too_old_and_a_reload_forgets_them() {
    let upstream = counting();
    let config =
        |ttl: &str| format!("{}cache: {{ enabled: true, ttl: {ttl} }}\n", one_upstream(&upstream.url()));
    let setup = Setup::proxy(&config("1s"));
    let server = setup.start();
    assert_eq!(told(&say(&server, "hi").await), Some("miss"));
    crate::support::eventually("an answer too old to be given again", async || {
        match told(&say(&server, "hi").await) {
            Some("miss") => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    setup.write("config.yaml", &config("1h"));
    server.wait_for_metric("seawall_config_reloads_total", &[], 1.0).await;
    assert_eq!(told(&say(&server, "hi").await), Some("miss"));
    assert_eq!(told(&say(&server, "hi").await), Some("hit"));
}

#[tokio::test]
async fn what_the_old_configuration_answers_is_not_for_those_who_come_after_a_reload() {
    let gate = Arc::new(Semaphore::new(0));
    let opened = Arc::clone(&gate);
    let upstream = Upstream::start(move |_, number| {
        let reply = Reply::nothing();
        let reply = if number == 0 { reply.wait(&opened) } else { reply };
        reply.send(whole(&chat(&format!("answer {number}"), "stop")))
    });
    let setup = Setup::proxy(&format!("{}{ON}", one_upstream(&upstream.url())));
    let server = setup.start();
    let mut first = tokio::task::JoinSet::new();
    first.spawn(client::send(server.address, Call::say(Format::Chat, "hi", false)));
    upstream.wait_for_requests(1).await;
    let reloaded = server.ask(raw::request("POST", "/admin/reload", &[], "")).await;
    assert_eq!(reloaded.status, 200, "{reloaded:?}");

    let second = say(&server, "hi").await;
    assert_eq!((told(&second), second.text().contains("answer 1")), (Some("miss"), true), "{second:?}");
    gate.add_permits(1);
    let first = first.join_all().await.remove(0);
    assert!(first.text().contains("answer 0"), "{first:?}");
    let third = say(&server, "hi").await;
    assert_eq!((told(&third), &third.body), (Some("hit"), &second.body));
}

#[tokio::test]
async fn an_answer_that_a_keys_old_policy_let_through_is_not_given_under_its_new_one() {
    let upstream = counting();
    let setup = Setup::proxy(&format!("{}{ON}", one_upstream(&upstream.url())));
    let policy = |words: &str| setup.write("own.yaml", &format!("name: own\nmode: warn\n{words}"));
    policy("");
    let key = setup.key(&["--name", "bound", "--policy", "own.yaml"]);
    let server = setup.start();
    let ask = async || {
        let reply = send(&server, Call::say(Format::Chat, "hi", false).with_key(&key)).await;
        told(&reply).unwrap().to_owned()
    };
    assert_eq!([ask().await, ask().await], ["miss", "hit"]);

    // As long as the configuration is faulty, a key's policy comes into force with the keys alone.
    setup.write("config.yaml", "upstreams: 7");
    server.wait_for_metric("seawall_config_reload_failures_total", &[], 1.0).await;
    policy("pii: { out: redact }");
    setup.key(&["--name", "another"]);
    crate::support::eventually("the changed policy", async || match ask().await.as_str() {
        "miss" => Ok(()),
        other => Err(other.to_owned()),
    })
    .await;
    assert_eq!(ask().await, "hit");
    let third = setup.key(&["--name", "third"]);
    crate::support::eventually("the third key", async || {
        let reply = client::send(server.address, Call::say(Format::Chat, "hi", false).with_key(&third)).await;
        if reply.status == 200 { Ok(()) } else { Err(reply) }
    })
    .await;
    assert_eq!(ask().await, "hit", "other keys change nothing for this one");
}

#[tokio::test]
async fn it_is_off_by_default_and_says_nothing_then() {
    let upstream = counting();
    let server = Setup::proxy(&one_upstream(&upstream.url())).start();
    for number in 1..=2 {
        assert_eq!(told(&say(&server, "hi").await), None);
        assert_eq!(upstream.seen().len(), number);
    }
}

#[tokio::test]
async fn an_answer_that_is_too_large_for_the_cache_is_given_and_not_kept() {
    let large = chat(&"word ".repeat(40_000), "stop");
    let upstream = Upstream::always(Reply::json(large));
    let config = format!("{}cache: {{ enabled: true, size: 1M }}\n", one_upstream(&upstream.url()));
    let server = Setup::proxy(&config).start();
    for number in 1..=2 {
        assert_eq!(told(&say(&server, "hi").await), Some("miss"));
        assert_eq!(upstream.seen().len(), number);
    }
    assert_eq!(server.ask(raw::get("/health")).await.status, 200);
}
