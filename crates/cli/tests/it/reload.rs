//! A changed configuration comes into force without a request being lost; a wrong one changes nothing and shows.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rustix::process::Signal;
use tokio::task::JoinSet;

use crate::support::eventually;
use crate::support::format::Format;
use crate::support::program::{Program, Setup, one_upstream};
use crate::support::raw;
use crate::support::sim::Sim;
use crate::support::upstream::{Reply, Upstream};

/// The simulated provider under this name.
fn named(name: &str) -> String {
    one_upstream("sim:").replace("name: main", &format!("name: {name}"))
}

/// Clients that call without a pause.
struct Load {
    clients: JoinSet<()>,
    stop: Arc<AtomicBool>,
    served: Arc<AtomicUsize>,
}

impl Load {
    async fn on(server: &Program) -> Self {
        let mut load = Self { clients: JoinSet::new(), stop: Arc::default(), served: Arc::default() };
        for number in 0..8 {
            let mut connection = server.connect().await;
            let (stop, served) = (Arc::clone(&load.stop), Arc::clone(&load.served));
            let format = Format::ALL[number % Format::ALL.len()];
            load.clients.spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let stream = number >= 4;
                    connection.send(format.request("sim:text whole", stream)).await;
                    let answer = connection.answer().await;
                    assert!(
                        answer.status == 200 && answer.complete && answer.text().contains("whole"),
                        "{answer:?}"
                    );
                    served.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        load
    }

    /// Waits until so many more were served.
    async fn goes_on(&self) {
        let wanted = self.served.load(Ordering::Relaxed) + 40;
        eventually("requests under load", async || {
            let served = self.served.load(Ordering::Relaxed);
            if served >= wanted { Ok(()) } else { Err(served) }
        })
        .await;
    }

    /// Ends the load; a request that failed fails the test.
    async fn end(mut self) {
        self.stop.store(true, Ordering::Relaxed);
        while let Some(ended) = self.clients.join_next().await {
            ended.unwrap();
        }
    }
}

async fn wait_for_upstream(server: &Program, name: &str) {
    eventually("the new configuration", async || {
        let answer = server.ask(Format::Chat.request("hi", false)).await;
        let upstream = answer.header("x-seawall-upstream").map(str::to_owned);
        if upstream.as_deref() == Some(name) { Ok(()) } else { Err(answer) }
    })
    .await;
}

async fn wait_for_refusal(server: &Program, count: f64) {
    server.wait_for_metric("seawall_config_reload_failures_total", &[], count).await;
    let ready = server.wait_for_ready(|ready| ready["checks"]["config"]["degraded"] == true).await;
    assert_eq!((&ready["ready"], &ready["status"]), (&true.into(), &"degraded".into()), "{ready}");
}

#[tokio::test]
async fn a_changed_file_a_signal_and_a_request_each_reload_under_load() {
    let setup = Setup::proxy(&named("first"));
    let server = setup.start();
    let load = Load::on(&server).await;
    load.goes_on().await;

    setup.write("config.yaml", &named("by-file"));
    wait_for_upstream(&server, "by-file").await;
    load.goes_on().await;

    // The file watcher sees these too; what counts is that each way works at once and none of them hurts.
    setup.write("config.yaml", &named("by-signal"));
    server.signal(Signal::HUP);
    wait_for_upstream(&server, "by-signal").await;
    load.goes_on().await;

    setup.write("config.yaml", &named("by-request"));
    let answer = server.ask(raw::request("POST", "/admin/reload", &[], "")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let answer = server.ask(Format::Chat.request("hi", false)).await;
    assert_eq!(answer.header("x-seawall-upstream"), Some("by-request"), "at once: {answer:?}");
    load.goes_on().await;

    load.end().await;
    assert_eq!(server.metrics().await.sum("seawall_config_reload_failures_total", &[]), 0.0);
}

#[tokio::test]
async fn connections_to_real_upstreams_are_swapped_under_load_and_no_request_is_lost() {
    const SWAPS: usize = 12;
    let sims = [Sim::start(), Sim::start()];
    let name = |turn: usize| format!("turn-{turn}");
    let config = |turn: usize| sims[turn % 2].as_upstream("").replace("witness", &name(turn));
    let setup = Setup::proxy(&config(0));
    let server = setup.start();
    let load = Load::on(&server).await;
    let mut streams = Vec::new();
    for turn in 0..SWAPS {
        // One that began with each of them, and outlives it.
        let mut stream = server.connect().await;
        let format = Format::ALL[turn % Format::ALL.len()];
        stream.send(format.request("sim:pace 50ms\nsim:repeat 20 word", true)).await;
        stream.read_until("word").await;
        streams.push((name(turn), stream));
        load.goes_on().await;
        setup.replace("config.yaml", &config(turn + 1));
        let answer = server.ask(raw::request("POST", "/admin/reload", &[], "")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let answer = server.ask(Format::Chat.request("hi", false)).await;
        assert_eq!(answer.header("x-seawall-upstream"), Some(name(turn + 1).as_str()), "{answer:?}");
    }
    load.goes_on().await;
    load.end().await;
    for (upstream, mut stream) in streams {
        let answer = stream.answer().await;
        assert_eq!(answer.header("x-seawall-upstream"), Some(upstream.as_str()), "{answer:?}");
        // One of the formats says everything again when it ends.
        assert!(answer.complete && answer.text().matches("word").count() >= 20, "{answer:?}");
    }
    for sim in &sims {
        let seen = sim.at_rest().await;
        assert!(seen.requests > 0 && seen.completed == seen.requests, "{seen:?}");
    }
}

#[tokio::test]
async fn a_wrong_file_is_kept_out_counted_and_shown_under_load() {
    let setup = Setup::proxy(&named("good"));
    let server = setup.start();
    let load = Load::on(&server).await;

    setup.write("config.yaml", "upstreams: [ { name: bad, base_url: \"sim:\", colour: blue } ]");
    wait_for_refusal(&server, 1.0).await;
    load.goes_on().await;

    setup.write("config.yaml", "gateway: [");
    server.signal(Signal::HUP);
    wait_for_refusal(&server, 2.0).await;

    let answer = server.ask(raw::request("POST", "/admin/reload", &[], "")).await;
    assert_eq!((answer.status, answer.header("content-type")), (400, Some("application/problem+json")));
    assert!(answer.text().contains("config.yaml"), "{answer:?}");
    wait_for_refusal(&server, 3.0).await;
    wait_for_upstream(&server, "good").await;
    load.goes_on().await;

    // A good one makes up for it.
    setup.write("config.yaml", &named("better"));
    wait_for_upstream(&server, "better").await;
    server.wait_for_ready(|ready| ready["checks"]["config"]["degraded"] == false).await;
    load.end().await;
    server.stderr.wait_for("configuration refused").expect("a word about it in the log");
}

#[tokio::test]
async fn a_request_under_way_keeps_the_configuration_it_began_with() {
    let events = Format::Messages.events(true);
    let (head, tail) = events.split_at(5);
    let slow = Reply::begin_events(head).pause(std::time::Duration::from_millis(1_500));
    let upstream = Upstream::always(tail.iter().fold(slow, |reply, event| reply.chunk(event)).end());
    let setup = Setup::proxy(&one_upstream(&upstream.url()));
    let server = setup.start();
    let mut client = server.connect().await;
    client.send(Format::Messages.request("hi", true)).await;
    client.read_until("hello").await;

    setup.write("config.yaml", &named("other"));
    assert_eq!(server.ask(raw::request("POST", "/admin/reload", &[], "")).await.status, 200);
    wait_for_upstream(&server, "other").await;
    let answer = client.answer().await;
    assert_eq!(answer.text(), events.concat());
    assert_eq!(answer.header("x-seawall-upstream"), Some("main"));
}

#[tokio::test]
async fn keys_that_need_a_restart_are_named_as_such() {
    let setup = Setup::new("proxy")
        .config(&named("a"))
        .args(["--workers", "1"])
        .env("SEAWALL_GATEWAY__LISTEN", "127.0.0.1:0");
    let server = setup.start();
    setup.write(
        "config.yaml",
        &format!(
            "{}trace: {{ durability: buffered }}\nbudgets: [ {{ scope: global, usd: \"7\" }} ]\n",
            named("b")
        ),
    );
    let answer = server.ask(raw::request("POST", "/admin/reload", &[], "")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let outcome = answer.json();
    assert_eq!(outcome["needs_restart"], serde_json::json!(["trace.durability"]), "{outcome}");
    let changed = outcome["changed"].as_array().unwrap();
    assert!(changed.iter().any(|key| key.as_str().unwrap().starts_with("budgets")), "{outcome}");
    let budgets = server.get("/api/budgets").await.json();
    assert_eq!(budgets["budgets"][0]["limit_usd"], "7.000000", "{budgets}");

    let again = server.ask(raw::request("POST", "/admin/reload", &[], "")).await.json();
    assert_eq!(
        again,
        serde_json::json!({ "changed": [], "needs_restart": ["trace.durability"] }),
        "as long as it isn't in force"
    );
    setup.write("config.yaml", &named("b"));
    let back = server.ask(raw::request("POST", "/admin/reload", &[], "")).await.json();
    assert_eq!(back["needs_restart"], serde_json::json!([]), "{back}");
}

#[tokio::test]
async fn a_value_that_is_only_written_otherwise_has_not_changed() {
    let setup = Setup::new("proxy")
        .config(&format!("{}budgets: [ {{ scope: global, usd: \"7\" }} ]", named("a")))
        .args(["--workers", "1"])
        .env("LEVEL", "info")
        .env("SEAWALL_GATEWAY__LISTEN", "127.0.0.1:0");
    let server = setup.start();
    let more = "budgets: [ { scope: global, usd: 7.0 } ]\n\
                trace: { durability: group, group_every: 20ms }\nlogging: { level: \"${LEVEL}\" }\n";
    setup.write("config.yaml", &format!("{}{more}", named("a")));
    let outcome = server.ask(raw::request("POST", "/admin/reload", &[], "")).await;
    assert_eq!(outcome.json(), serde_json::json!({ "changed": [], "needs_restart": [] }), "{outcome:?}");
}

#[tokio::test]
async fn a_secret_that_changed_is_named_and_not_told() {
    let config = |one: &str, jwt: &str| {
        format!(
            "{}approvals: {{ webhook: \"http://127.0.0.1:9/{one}\" }}\n\
             auth: {{ jwt: {{ issuer: i, audience: a, algorithms: [HS256], keys: [ {{ secret: {jwt} }} ] }} }}\n\
             mcp: {{ servers: {{ web: {{ url: \"http://127.0.0.1:9/mcp\", headers: {{ x-token: {one} }} }} }} }}",
            named("a")
        )
    };
    let setup = Setup::proxy(&config("first", &"one".repeat(11)));
    let server = setup.start();
    // Nobody may ask for a reload without a token here; the watcher does it.
    setup.replace("config.yaml", &config("second", &"two".repeat(11)));
    let told = server.stderr.wait_for("approvals.webhook").expect("what needs a restart is named");
    for key in ["auth.jwt.keys[0].secret", "mcp.servers.web.headers"] {
        assert!(told.contains(key), "{key}: {told}");
    }
    assert!(!told.contains("second") && !told.contains("two"), "{told}");
}

#[tokio::test]
async fn policies_and_prices_in_files_of_their_own_are_watched_too() {
    let setup = Setup::proxy(&format!(
        "gateway: {{ mode: strict }}\npolicy: policy.yaml\nprices: {{ file: prices.json }}\n{}",
        named("a")
    ));
    setup.write("policy.yaml", "name: open");
    setup.write("prices.json", r#"{"models":{"house-model":{"in":1,"out":1}}}"#);
    let server = setup.start();
    let ask = raw::post(
        "/v1/chat/completions",
        r#"{"model":"house-model","messages":[{"role":"user","content":"hi"}],"max_tokens":5}"#,
    );
    let first = server.ask(&ask).await;
    assert_eq!(first.status, 200, "{first:?}");

    setup.write("prices.json", r#"{"models":{"house-model":{"in":1000,"out":1000}}}"#);
    eventually("the new price", async || {
        let answer = server.ask(&ask).await;
        if answer.header("x-seawall-cost-usd") == first.header("x-seawall-cost-usd") {
            Err(answer)
        } else {
            Ok(())
        }
    })
    .await;

    setup.write("policy.yaml", "name: closed\nmodels: { allow: [] }");
    let answer = eventually("the new policy", async || {
        let answer = server.ask(&ask).await;
        if answer.status == 200 { Err(answer) } else { Ok(answer) }
    })
    .await;
    assert_eq!(
        (answer.status, Format::Chat.error(&answer)["code"].as_str()),
        (403, Some("MODEL_NOT_ALLOWED"))
    );

    setup.write("policy.yaml", "name: [");
    wait_for_refusal(&server, 1.0).await;
    assert_eq!(server.ask(&ask).await.status, 403, "the old policy stays in force");
}

#[tokio::test]
async fn a_file_that_a_policy_begins_with_is_watched_too() {
    let setup = Setup::proxy(&format!("gateway: {{ mode: strict }}\npolicy: policy.yaml\n{}", named("a")));
    std::fs::create_dir(setup.path("base")).unwrap();
    setup.write("base/rules.yaml", "limits: { tokens: 1000000 }");
    setup.write("policy.yaml", "extends: [base/rules.yaml]");
    let server = setup.start();
    let ask = raw::post(
        "/v1/chat/completions",
        r#"{"model":"house-model","messages":[{"role":"user","content":"hi"}],"max_tokens":5}"#,
    );
    assert_eq!(server.ask(&ask).await.status, 200);
    setup.write("base/rules.yaml", "models: { allow: [] }");
    eventually("the changed base", async || {
        let answer = server.ask(&ask).await;
        if answer.status == 403 { Ok(()) } else { Err(answer) }
    })
    .await;
}

#[tokio::test]
async fn an_upstream_that_did_not_change_goes_on_as_it_was() {
    let upstream = Upstream::start(|_, number| match number {
        0 | 1 => Reply::whole(200, &[("content-type", "application/json")], Format::Chat.answer()),
        _ => Reply::whole(500, &[("content-type", "application/json")], "{}"),
    });
    let config = |open: &str, more: &str| {
        format!(
            "{more}\nupstreams: [ {{ name: main, base_url: \"{}\", retries: {{ attempts: 0 }}, breaker: {{ failures: 1, open: {open} }} }} ]",
            upstream.url()
        )
    };
    let setup = Setup::proxy(&config("1h", "")).args(["--workers", "1"]);
    let server = setup.start();
    let reload = async || {
        let answer = server.ask(raw::request("POST", "/admin/reload", &[], "")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    };
    let state = async || server.metrics().await.sum("seawall_breaker_state", &[("upstream", "main")]);
    let status = async || server.ask(Format::Chat.request("hi", false)).await.status;

    assert_eq!(status().await, 200);
    setup.replace("config.yaml", &config("1h", "cache: { ttl: 2h }"));
    reload().await;
    assert_eq!(status().await, 200);
    assert_eq!(upstream.seen()[1].connection, 0, "its connections are kept");

    assert_eq!(status().await, 500);
    assert_eq!(state().await, 2.0);
    setup.replace("config.yaml", &config("1h", "cache: { ttl: 3h }"));
    reload().await;
    assert_eq!((status().await, state().await), (503, 2.0), "it rests on");
    assert_eq!(upstream.seen().len(), 3, "and is not asked");

    setup.replace("config.yaml", &config("2h", ""));
    reload().await;
    assert_eq!((status().await, upstream.seen().len()), (500, 4), "a changed one begins anew");
}

#[tokio::test]
async fn a_file_that_a_reload_names_is_watched_from_then_on() {
    let setup = Setup::proxy(&named("a"));
    let server = setup.start();
    std::fs::create_dir(setup.path("policies")).unwrap();
    setup.write("policies/team.yaml", "name: team");
    setup.write(
        "config.yaml",
        &format!("policy: policies/team.yaml\ngateway: {{ mode: strict }}\n{}", named("b")),
    );
    wait_for_upstream(&server, "b").await;
    setup.write("policies/team.yaml", "name: team\nmodels: { allow: [] }");
    eventually("the new policy", async || {
        let answer = server.ask(Format::Chat.request("hi", false)).await;
        if answer.status == 403 { Ok(()) } else { Err(answer) }
    })
    .await;
}

#[tokio::test]
async fn a_file_that_is_about_to_be_written_puts_no_defaults_into_force() {
    let setup = Setup::proxy(&named("own"));
    let server = setup.start();
    for empty in ["", "# nothing yet\n"] {
        setup.replace("config.yaml", empty);
        let answer = server.ask(raw::request("POST", "/admin/reload", &[], "")).await;
        assert_eq!(answer.status, 400, "{answer:?}");
        assert!(answer.text().contains("config.yaml: the file is empty"), "{answer:?}");
        wait_for_upstream(&server, "own").await;
    }
}

#[tokio::test]
async fn a_new_key_of_an_upstream_is_told_without_being_shown_and_used_at_once() {
    let upstream = Upstream::always(Reply::json(Format::Chat.answer()));
    let config = |key: &str| {
        format!("upstreams: [ {{ name: main, base_url: \"{}\", api_key: {key} }} ]", upstream.url())
    };
    let setup = Setup::proxy(&config("sk-first"));
    let server = setup.start();
    assert_eq!(server.ask(Format::Chat.request("hi", false)).await.status, 200);
    setup.replace("config.yaml", &config("sk-second"));
    let answer = server.ask(raw::request("POST", "/admin/reload", &[], "")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    // The watcher may have been first, so it is the log that has it.
    let told = server.stderr.wait_for("upstreams[0].api_key").expect("the key that changed is named");
    assert!(!told.contains("sk-second"), "{told}");
    assert_eq!(server.ask(Format::Chat.request("hi", false)).await.status, 200);
    assert_eq!(upstream.seen()[1].header("authorization"), Some("Bearer sk-second"));
}

#[tokio::test]
async fn an_address_that_waits_for_a_restart_decides_nothing_before() {
    let config =
        |listen: &str, upstream: &str| format!("gateway: {{ listen: \"{listen}\" }}\n{}", named(upstream));
    let setup = Setup::new("proxy").config(&config("0.0.0.0:0", "first"));
    let key = setup.key(&["--name", "ci"]);
    let server = setup.start();
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], server.address.port()));
    let bearer = format!("Bearer {key}");
    let body = r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#;
    let ask = raw::request("POST", "/v1/chat/completions", &[("authorization", &bearer)], body);
    for name in ["second", "third", "fourth"] {
        setup.replace("config.yaml", &config("127.0.0.1:0", name));
        eventually("the new configuration", async || {
            let answer = raw::exchange(address, &ask).await;
            if answer.header("x-seawall-upstream") == Some(name) { Ok(()) } else { Err(answer) }
        })
        .await;
        let stranger = raw::exchange(address, Format::Chat.request("hi", false)).await;
        assert_eq!(stranger.status, 401, "the socket is where it was: {stranger:?}");
    }
}

#[tokio::test]
async fn a_file_that_was_empty_from_the_start_may_stay_so() {
    let setup = Setup::proxy(&named("own"));
    let site = setup.write("site.yaml", "# nothing of this site's own\n");
    let setup = setup.args(["--config", site.to_str().unwrap()]);
    let server = setup.start();
    setup.replace("config.yaml", &named("other"));
    wait_for_upstream(&server, "other").await;
}

#[tokio::test]
async fn an_upstream_that_is_gone_is_gone_from_the_metrics() {
    let setup = Setup::proxy(&named("old"));
    let server = setup.start();
    let shown = async |name: &str| {
        let metrics = server.metrics().await;
        ["seawall_upstream_available", "seawall_breaker_state"]
            .map(|gauge| metrics.has_labels(gauge, &[("upstream", name)]))
    };
    assert_eq!(shown("old").await, [true, true]);
    setup.replace("config.yaml", &named("new"));
    wait_for_upstream(&server, "new").await;
    assert_eq!((shown("old").await, shown("new").await), ([false, false], [true, true]));
}
