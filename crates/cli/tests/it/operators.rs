//! What an operator sets holds at once, with a server or without, and over every restart.

use seawall_types::{Usd, Window};

use crate::support::client::{self, Call};
use crate::support::eventually;
use crate::support::format::Format;
use crate::support::program::{Program, Setup};
use crate::support::raw::{self, Answer};
use crate::support::sim::Sim;

async fn ask(proxy: &Program, key: Option<&str>) -> Answer {
    let call = Call::say(Format::Chat, "sim:text four", false);
    client::send(proxy.address, key.into_iter().fold(call, |call, key| call.with_key(key))).await
}

/// Asks until this status comes: a running server takes keys over within a second.
async fn ask_until(proxy: &Program, key: &str, status: u16) -> Answer {
    eventually("the server has heard of it", async || {
        let answer = ask(proxy, Some(key)).await;
        if answer.status == status { Ok(answer) } else { Err(answer) }
    })
    .await
}

fn usd(text: &str) -> Usd {
    text.parse().unwrap()
}

#[tokio::test]
async fn a_limit_set_beside_a_running_server_holds_for_the_next_call() {
    let sim = Sim::start();
    let setup = Setup::proxy(&sim.as_upstream(""));
    let proxy = setup.start();
    assert_eq!(ask(&proxy, None).await.status, 200);

    let shown = setup.cli_json(&["budget", "set", "global", "--usd", "0.000010"]);
    let row = &shown["budgets"].as_array().unwrap().iter().find(|row| row["window"] == "total").unwrap();
    assert_eq!((&row["scope"], &row["limit_usd"]), (&"global".into(), &"0.000010".into()), "{shown}");
    let refused = ask(&proxy, None).await;
    assert_eq!(
        Format::Chat.error(&refused)["spent_usd"],
        "0.000006",
        "what was spent before counts: {refused:?}"
    );
    assert_eq!(refused.status, 402);

    setup.cli_well(&["budget", "set", "global", "--usd", "1"]);
    assert_eq!(ask(&proxy, None).await.status, 200);
    setup.cli_well(&["budget", "remove", "global"]);
    assert_eq!(ask(&proxy, None).await.status, 200);
    assert_eq!(proxy.budget("global", Window::Total).await.limit_usd, None);
}

#[tokio::test]
async fn a_limit_set_without_a_server_holds_when_one_starts() {
    let sim = Sim::start();
    let setup = Setup::proxy(&sim.as_upstream(""));
    setup.cli_well(&["budget", "set", "global", "--usd", "0.000001", "--window", "day"]);
    setup.cli_well(&["budget", "set", "tenant:acme", "--tokens", "7", "--window", "month"]);
    let proxy = setup.start();
    let refused = ask(&proxy, None).await;
    assert_eq!(
        (refused.status, &Format::Chat.error(&refused)["window"]),
        (402, &"day".into()),
        "{refused:?}"
    );
    assert_eq!(proxy.budget("tenant:acme", Window::Month).await.limit_tokens, Some(7));
    proxy.stop();
    setup.cli_well(&["budget", "remove", "global", "--window", "day"]);
    assert_eq!(ask(&setup.start(), None).await.status, 200);
}

#[tokio::test]
async fn show_tells_the_same_with_a_server_and_without() {
    let sim = Sim::start();
    let setup = Setup::proxy(&sim.as_upstream("")).args(["--budget", "0.01"]);
    let key = setup.key(&["--name", "ci", "--tenant", "acme", "--budget", "5/day"]);
    let proxy = setup.start();
    for _ in 0..3 {
        assert_eq!(ask(&proxy, Some(&key)).await.status, 200);
    }
    setup.cli_well(&["budget", "set", "global", "--usd", "0.000019"]);
    assert_eq!(ask(&proxy, Some(&key)).await.status, 402);
    let scopes = [("global", Window::Total), ("key:ci", Window::Day)];
    let online = scopes.map(|(scope, window)| setup.budget(scope, window));
    assert_eq!(online[0], proxy.total().await, "the command line and the API");
    assert!(online.iter().all(|account| account.spent_usd == usd("0.000018")), "{online:?}");
    assert_eq!((online[0].limit_usd, online[1].limit_usd), (Some(usd("0.000019")), Some(usd("5"))));
    assert_eq!(online[0].refusals.len(), 1, "{online:?}");
    assert_eq!(online[0].refusals[0]["code"], "BUDGET_EXCEEDED");
    proxy.stop();
    let offline = scopes.map(|(scope, window)| setup.budget(scope, window));
    for (online, offline) in online.iter().zip(&offline) {
        assert_eq!((online.limit_usd, online.spent_usd), (offline.limit_usd, offline.spent_usd));
    }
    let table = setup.cli_well(&["budget", "show"]);
    assert!(table.contains("key:ci") && table.contains("0.000018"), "{table}");
}

#[tokio::test]
async fn reset_forgets_what_was_spent_and_keeps_the_limit() {
    let sim = Sim::start();
    let setup = Setup::proxy(&sim.as_upstream("")).args(["--budget", "1"]);
    let proxy = setup.start();
    assert_eq!(ask(&proxy, None).await.status, 200);
    setup.cli_well(&["budget", "reset", "global"]);
    let account = proxy.total().await;
    assert_eq!((account.spent_usd, account.limit_usd), (Usd::ZERO, Some(usd("1"))));
    assert_eq!(ask(&proxy, None).await.status, 200);
    proxy.stop();
    assert_eq!(setup.budget("global", Window::Total).spent_usd, usd("0.000006"));
    setup.cli_well(&["budget", "reset", "global", "--window", "total"]);
    assert_eq!(setup.budget("global", Window::Total).spent_usd, Usd::ZERO);
    assert_eq!(setup.start().total().await.committed(), Usd::ZERO, "a restart brings nothing back");
}

#[tokio::test]
async fn the_budget_flag_and_the_spend_outlive_a_stop_and_a_kill() {
    let sim = Sim::start();
    let first = Setup::proxy(&sim.as_upstream(""));
    let proxy = first.clone().args(["--budget", "0.01"]).start();
    assert_eq!(ask(&proxy, None).await.status, 200);
    assert!(proxy.stop().success());

    let proxy = first.start();
    let account = proxy.total().await;
    assert_eq!((account.limit_usd, account.spent_usd), (Some(usd("0.01")), usd("0.000006")));
    assert_eq!(ask(&proxy, None).await.status, 200);
    proxy.kill();

    let proxy = first.clone().args(["--budget", "0.02"]).start();
    let account = proxy.total().await;
    assert_eq!((account.limit_usd, account.spent_usd), (Some(usd("0.02")), usd("0.000012")));
}

#[tokio::test]
async fn a_key_made_beside_a_running_server_works_and_its_budget_binds() {
    let sim = Sim::start();
    let setup = Setup::proxy(&(sim.as_upstream("") + "auth: { mode: required }\n"));
    let proxy = setup.start();
    assert_eq!(ask(&proxy, None).await.status, 401);
    let rich = setup.key(&["--name", "rich", "--budget", "1"]);
    let poor = setup.key(&["--name", "poor", "--budget", "0.000001/month"]);
    ask_until(&proxy, &rich, 200).await;
    let refused = ask_until(&proxy, &poor, 402).await;
    let part = Format::Chat.error(&refused);
    assert_eq!((&part["scope"], &part["window"]), (&"key:poor".into(), &"month".into()), "{part}");
    assert_eq!(proxy.budget("key:rich", Window::Total).await.limit_usd, Some(usd("1")));
}

#[tokio::test]
async fn a_revoked_key_stops_working_in_a_running_server_and_after_a_restart() {
    let sim = Sim::start();
    let setup = Setup::proxy(&sim.as_upstream(""));
    let (key, other) = (setup.key(&["--name", "ci"]), setup.key(&["--name", "other"]));
    let proxy = setup.start();
    assert_eq!(ask(&proxy, Some(&key)).await.status, 200);
    setup.cli_well(&["keys", "revoke", "ci"]);
    let refused = ask_until(&proxy, &key, 401).await;
    assert_eq!(Format::Chat.error(&refused)["code"], "KEY_REVOKED");
    assert_eq!(ask(&proxy, Some(&other)).await.status, 200);
    proxy.stop();
    let proxy = setup.start();
    assert_eq!(ask(&proxy, Some(&key)).await.status, 401);
    let states = setup.cli_json(&["keys", "list"]);
    let state = |name: &str| {
        states["keys"].as_array().unwrap().iter().find(|row| row["name"] == name).unwrap()["state"].clone()
    };
    assert_eq!((state("ci"), state("other")), ("revoked".into(), "active".into()));
    assert!(!states.to_string().contains(&key), "a key is shown once");
}

#[tokio::test]
async fn a_rotated_key_takes_the_others_place_and_pays_from_the_same_budget() {
    let sim = Sim::start();
    let setup = Setup::proxy(&sim.as_upstream(""));
    let old = setup.key(&["--name", "ci", "--budget", "1"]);
    let proxy = setup.start();
    assert_eq!(ask(&proxy, Some(&old)).await.status, 200);

    let next =
        setup.cli_json(&["keys", "rotate", "ci", "--overlap", "1h"])["key"].as_str().unwrap().to_owned();
    ask_until(&proxy, &next, 200).await;
    assert_eq!(ask(&proxy, Some(&old)).await.status, 200, "both are good while they overlap");
    let account = proxy.budget("key:ci", Window::Total).await;
    assert_eq!((account.spent_usd, account.limit_usd), (usd("0.000018"), Some(usd("1"))));

    let last = setup.cli_json(&["keys", "rotate", "ci"])["key"].as_str().unwrap().to_owned();
    ask_until(&proxy, &last, 200).await;
    let refused = ask_until(&proxy, &next, 401).await;
    assert_eq!(Format::Chat.error(&refused)["code"], "KEY_EXPIRED");
}

#[tokio::test]
async fn a_body_of_an_operator_must_arrive_too() {
    let server = Setup::simulated("gateway: { timeouts: { body_read: 300ms } }").start();
    let mut slow = server.connect().await;
    slow.send("PUT /api/budgets HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 50\r\n\r\n{").await;
    let answer = slow.answer().await;
    assert_eq!((answer.status, answer.json()["code"].as_str()), (408, Some("REQUEST_TIMEOUT")), "{answer:?}");

    let large = format!("{{\"scope\":\"{}\"}}", "x".repeat(2 * 1024 * 1024));
    let request = raw::request("PUT", "/api/budgets", &[("content-type", "application/json")], large);
    let mut client = server.connect().await;
    client.send_what_is_taken(request).await;
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.json()["code"].as_str()), (413, Some("BODY_TOO_LARGE")), "{answer:?}");
}

#[tokio::test]
async fn what_is_removed_by_hand_lays_the_configured_limit_bare_with_all_that_was_spent() {
    let setup = Setup::simulated("budgets: [ { scope: global, window: day, usd: \"1\" } ]");
    let server = setup.start();
    assert_eq!(ask(&server, None).await.status, 200);
    let before = server.settled("global", Window::Day).await.spent_usd;
    assert!(before > Usd::ZERO);
    setup.cli_well(&["budget", "set", "global", "--usd", "2", "--window", "day"]);
    assert_eq!(server.budget("global", Window::Day).await.limit_usd, Some(usd("2")));
    setup.cli_well(&["budget", "remove", "global", "--window", "day"]);
    let account = server.budget("global", Window::Day).await;
    assert_eq!((account.limit_usd, account.spent_usd), (Some(usd("1")), before));
}

/// What a window allows, in money and in tokens.
async fn allowed(server: &Program, window: Window) -> (Option<Usd>, Option<u64>) {
    let account = server.budget("global", window).await;
    (account.limit_usd, account.limit_tokens)
}

#[tokio::test]
async fn of_several_limits_for_one_window_all_hold() {
    let setup = Setup::simulated(
        "budgets: [ { scope: global, window: day, usd: \"0.1\" }, { scope: global, window: day, tokens: 1000 },\
         { scope: global, window: day, usd: \"2\", tokens: 5000 } ]",
    );
    let server = setup.start();
    assert_eq!(allowed(&server, Window::Day).await, (Some(usd("0.1")), Some(1000)));
}

#[tokio::test]
async fn who_raises_a_limit_in_money_leaves_the_one_in_tokens() {
    let config = "budgets: [ { scope: global, window: day, usd: \"1\", tokens: 1000 },\
                  { scope: global, tokens: 5000 } ]";
    let setup = Setup::simulated(config).args(["--budget", "10"]);
    let server = setup.start();
    assert_eq!(allowed(&server, Window::Total).await, (Some(usd("10")), Some(5000)), "--budget is in money");

    setup.cli_well(&["budget", "set", "global", "--usd", "2", "--window", "day"]);
    assert_eq!(allowed(&server, Window::Day).await, (Some(usd("2")), Some(1000)));
    setup.cli_well(&["budget", "set", "global", "--tokens", "3000", "--window", "day"]);
    assert_eq!(allowed(&server, Window::Day).await, (Some(usd("2")), Some(3000)));
    assert!(server.stop().success());
    setup.cli_well(&["budget", "set", "global", "--usd", "3", "--window", "day"]);
    let server = setup.start();
    assert_eq!(allowed(&server, Window::Day).await, (Some(usd("3")), Some(3000)));
    setup.cli_well(&["budget", "remove", "global", "--window", "day"]);
    assert_eq!(allowed(&server, Window::Day).await, (Some(usd("1")), Some(1000)));
}

#[tokio::test]
async fn a_rate_that_locks_everybody_out_does_not_keep_the_owner_from_ending_that() {
    let setup = Setup::simulated("rate_limits: [ { scope: ip, rpm: 1 } ]");
    let server = setup.start();
    while ask(&server, None).await.status != 429 {}
    assert_eq!(server.get("/api/budgets").await.status, 429, "others are turned away here too");
    for _ in 0..3 {
        setup.cli_well(&["budget", "set", "global", "--usd", "1"]);
    }
}

#[tokio::test]
async fn a_call_that_is_above_the_limit_alone_is_not_told_to_wait() {
    for (limit, code) in
        [("usd: \"0.000001\"", "BURN_RATE_EXCEEDED"), ("usd: \"1\", tokens: 1", "RATE_LIMITED")]
    {
        let server =
            Setup::simulated(&format!("budgets: [ {{ scope: global, window: minute, {limit} }} ]")).start();
        let refused = ask(&server, None).await;
        let error = Format::Chat.error(&refused);
        assert_eq!((refused.status, error["code"].as_str()), (429, Some(code)), "{refused:?}");
        assert_eq!((refused.retry_after(), refused.header("x-should-retry")), (None, Some("false")));
        let remedy = error["remedy"].as_str().unwrap();
        assert!(
            remedy.starts_with("the call alone is above the limit") && !remedy.contains("wait"),
            "{remedy}"
        );
    }
}
