//! A budget is never passed, whoever calls, however many at once, and however their calls end.

use std::cell::Cell;

use seawall_types::{Usd, Window};
use tokio::task::JoinSet;

use crate::support::client::{self, Call};
use crate::support::eventually;
use crate::support::format::Format;
use crate::support::program::{Program, Setup, one_upstream};
use crate::support::raw::Answer;
use crate::support::sim::Sim;
use crate::support::trace::Trace;

const CLIENTS: u64 = 64;

/// What is reserved for a call, as the trace of a gateway of its own tells.
async fn reserved_for(call: Call) -> Usd {
    let proxy = Setup::proxy(&one_upstream("sim:")).start();
    let told = eventually("an admission in the trace", async || {
        let trace = Trace::of(&proxy.setup);
        trace.of_kind("action.admitted").next().map(|event| event.usd("reserved_usd")).ok_or("none yet")
    });
    let asked = async {
        let _answered = client::try_begin(proxy.address, call).await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        usd = told => usd,
        () = asked => unreachable!("it waits for ever"),
    }
}

fn usd(part: &serde_json::Value, key: &str) -> Usd {
    part[key].as_str().unwrap_or_else(|| panic!("no {key} in {part}")).parse().unwrap()
}

/// Asserts that a call was refused for a budget, in its provider's shape, with the figures that led to it.
fn assert_refused(format: Format, answer: &Answer, scope: &str, window: Window, limit: Usd) {
    let (status, code) = match window {
        Window::Minute => (429, "BURN_RATE_EXCEEDED"),
        Window::Total | Window::Day | Window::Month => (402, "BUDGET_EXCEEDED"),
    };
    assert_eq!(answer.status, status, "{answer:?}");
    let part = format.error(answer);
    assert_eq!((&part["code"], &part["scope"]), (&code.into(), &scope.into()), "{part}");
    assert_eq!((&part["window"], usd(&part, "limit_usd")), (&window.as_str().into(), limit), "{part}");
    let committed = usd(&part, "spent_usd").saturating_add(usd(&part, "held_usd"));
    assert!(committed <= limit, "{part}");
    assert!(committed.saturating_add(usd(&part, "wanted_usd")) > limit, "{part}");
    let frees_up = window != Window::Total;
    assert_eq!(answer.retry_after().is_some(), frees_up, "{answer:?}");
}

/// Callers that all call at once, and the answers of as many as are to be refused.
async fn call_at_once(
    proxy: &Program,
    calls: impl IntoIterator<Item = Call>,
    refused: u64,
) -> (JoinSet<Answer>, Vec<Answer>) {
    let mut callers = JoinSet::new();
    for call in calls {
        callers.spawn(client::send(proxy.address, call));
    }
    let mut refusals = Vec::new();
    for _ in 0..refused {
        refusals.push(callers.join_next().await.unwrap().unwrap());
    }
    (callers, refusals)
}

/// 64 callers at once whose calls all go on until they hang up, against a budget worth ten of them.
async fn ten_of_sixty_four(format: Format, stream: bool) {
    let sim = Sim::start();
    let call = Call::say(format, "sim:hang", stream);
    let worth = reserved_for(call.clone()).await;
    let budget = worth.times(10);
    let proxy = Setup::proxy(&sim.as_upstream("")).args(["--budget", &budget.to_string()]).start();

    let calls = (0..CLIENTS).map(|_| call.clone());
    let (callers, refused) = call_at_once(&proxy, calls, CLIENTS - 10).await;

    for answer in &refused {
        assert_refused(format, answer, "global", Window::Total, budget);
    }
    let seen = sim.once("ten calls arrive", |stats| stats.in_flight == 10).await;
    assert_eq!(seen.requests, 10, "nothing else reached the upstream");
    let account = proxy.total().await;
    assert_eq!((account.spent_usd, account.held_usd, account.holds), (Usd::ZERO, budget, 10));
    assert_eq!(account.limit_usd, Some(budget));
    assert_eq!(account.refusals.len(), 10, "the last ten are kept: {account:?}");

    drop(callers);
    let account = proxy.settled("global", Window::Total).await;
    assert_eq!(account.held_usd, Usd::ZERO);
    assert!(account.spent_usd <= budget, "{account:?}");
    assert_eq!(sim.at_rest().await.requests, 10);
    proxy.stop();
    assert_eq!(Trace::of(&proxy.setup).assert_complete(), (10, 54));
}

#[tokio::test]
async fn ten_of_sixty_four_chats_at_once_go_out_on_a_budget_worth_ten() {
    ten_of_sixty_four(Format::Chat, false).await;
    ten_of_sixty_four(Format::Chat, true).await;
}

#[tokio::test]
async fn ten_of_sixty_four_messages_at_once_go_out_on_a_budget_worth_ten() {
    ten_of_sixty_four(Format::Messages, false).await;
    ten_of_sixty_four(Format::Messages, true).await;
}

#[tokio::test]
async fn ten_of_sixty_four_gemini_calls_at_once_go_out_on_a_budget_worth_ten() {
    ten_of_sixty_four(Format::Gemini, false).await;
    ten_of_sixty_four(Format::Gemini, true).await;
}

/// How a call ends.
#[derive(Debug, Clone, Copy)]
enum Ending {
    Answer,
    NoUsage,
    Cut,
    Error,
    HangUp,
}

impl Ending {
    const ALL: [Self; 5] = [Self::Answer, Self::NoUsage, Self::Cut, Self::Error, Self::HangUp];

    /// What brings it about at the simulated provider.
    fn says(self, stream: bool) -> &'static str {
        match self {
            Self::Answer => "sim:repeat 400 word",
            Self::NoUsage => "sim:nousage\nsim:repeat 400 word",
            Self::Cut => "sim:disconnect after=20\nsim:chunk 20\nsim:repeat 400 word",
            Self::Error => "sim:error 500",
            Self::HangUp if stream => "sim:pace 5ms\nsim:chunk 20\nsim:repeat 400 word",
            Self::HangUp => "sim:delay 60s",
        }
    }

    /// Makes a call that ends so, unless it is refused for want of money; whether it was.
    async fn happen(self, proxy: std::net::SocketAddr, format: Format, stream: bool) -> bool {
        let call = Call::say_within(format, self.says(stream), stream, 500);
        let beginning = client::begin(proxy, call);
        let mut answering = if matches!(self, Self::HangUp) && !stream {
            match tokio::time::timeout(std::time::Duration::from_millis(50), beginning).await {
                Ok(answering) => answering,
                Err(_hung_up) => return false,
            }
        } else {
            beginning.await
        };
        if matches!(self, Self::HangUp) && answering.status == 200 {
            let read = answering.read_at_least(1_000).await;
            assert!(stream && read >= 1_000, "it was to go on: {read}");
            return false;
        }
        let answer = answering.rest().await;
        if answer.status == 402 {
            assert_eq!(format.error(&answer)["code"], "BUDGET_EXCEEDED");
            return true;
        }
        self.assert_ended(format, stream, &answer);
        false
    }

    /// Asserts that a call which was not refused ended as it was to, and by nobody else's doing.
    fn assert_ended(self, format: Format, stream: bool, answer: &Answer) {
        match (self, stream) {
            (Self::Answer | Self::NoUsage, _) => {
                assert!(answer.status == 200 && answer.complete, "{self:?}: {answer:?}");
                // One of the formats says everything again when it ends.
                assert!(answer.text().matches("word").count() >= 400, "{self:?}: {answer:?}");
            }
            (Self::Cut, true) => {
                assert_eq!(answer.status, 200, "{answer:?}");
                assert_eq!(format.stream_error(answer)["code"], "UPSTREAM_BROKEN");
            }
            (Self::Cut, false) => {
                assert_eq!(answer.status, 502, "{answer:?}");
                assert_eq!(format.error(answer)["code"], "UPSTREAM_BROKEN");
            }
            // The provider's own: nothing in it is ours.
            (Self::Error, _) => {
                assert!(answer.status == 500 && answer.complete, "{answer:?}");
                assert!(!answer.text().contains("\"seawall\""), "{answer:?}");
            }
            (Self::HangUp, _) => panic!("nobody waited for an answer: {answer:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spend_is_at_least_the_truth_and_never_over_the_limit_whatever_the_endings() {
    let sim = Sim::start();
    let dearest = Call::say_within(Format::Gemini, Ending::Cut.says(true), true, 500);
    let budget = reserved_for(dearest).await.times(10);
    let proxy = Setup::proxy(&sim.as_upstream("")).args(["--budget", &budget.to_string()]).start();

    let mut callers = JoinSet::new();
    for client in 0..CLIENTS {
        let address = proxy.address;
        callers.spawn(async move {
            let format = Format::ALL[usize::try_from(client).unwrap() % Format::ALL.len()];
            let stream = client / 4 % 2 == 0;
            let mut refused = 0;
            for turn in 0..8 {
                let ending = Ending::ALL[usize::try_from((client + turn) % 5).unwrap()];
                refused += u64::from(ending.happen(address, format, stream).await);
            }
            refused
        });
    }
    let is_over = Cell::new(false);
    let calling = async {
        let refused: u64 = callers.join_all().await.into_iter().sum();
        is_over.set(true);
        refused
    };
    let watching = async {
        let mut watched = 0;
        while !is_over.get() {
            let account = proxy.total().await;
            assert!(account.committed() <= budget, "{account:?}");
            watched += 1;
        }
        watched
    };
    let (refused, watched) = tokio::join!(calling, watching);
    let account = proxy.settled("global", Window::Total).await;
    let truth = sim.at_rest().await;
    assert!(watched > 5, "the account was looked at {watched} times");
    assert!(refused > 0, "the budget was used up");
    assert!(account.spent_usd >= truth.cost_usd, "{account:?} {truth:?}");
    assert!(account.spent_usd <= budget, "{account:?}");
    assert_eq!(account.held_usd, Usd::ZERO);
    for (what, count) in [
        ("completed", truth.completed),
        ("cut", truth.broken),
        ("failed", truth.errors),
        ("hung up", truth.cancelled),
    ] {
        assert!(count > 0, "no call {what}: {truth:?}");
    }
    assert!(proxy.stop().success());
    let trace = Trace::of(&proxy.setup);
    let (admitted, denied) = trace.assert_complete();
    let (admitted, denied) = (u64::try_from(admitted).unwrap(), u64::try_from(denied).unwrap());
    // Some had hung up before they could be told, or before they were heard.
    assert!(
        denied >= refused && admitted + denied <= CLIENTS * 8,
        "{admitted} admitted, {denied} of {refused} denied"
    );
    assert!(truth.requests <= admitted, "{truth:?}");
    assert!(account.spent_usd <= trace.reserved(), "{account:?}");
    let settled: Usd = trace.of_kind("action.settled").map(|event| event.usd("cost_usd")).sum();
    assert_eq!(settled, account.spent_usd, "the trace and the ledger tell the same");
}

/// Eight callers at once, each with one of these keys, against a budget that is worth two calls: two go out, and the rest
/// are refused in this budget's name.
async fn two_of_eight(proxy: &Program, keys: &[&str], scope: &str, window: Window, limit: Usd) {
    let calls = (0..8).map(|client| {
        let call = Call::say(Format::Chat, "sim:hang", false);
        if keys.is_empty() { call } else { call.with_key(keys[client % keys.len()]) }
    });
    let (callers, refused) = call_at_once(proxy, calls, 6).await;
    for answer in &refused {
        assert_refused(Format::Chat, answer, scope, window, limit);
    }
    let account = proxy.budget(scope, window).await;
    assert_eq!((account.holds, account.held_usd, account.limit_usd), (2, limit, Some(limit)), "{account:?}");
    drop(callers);
    let account = proxy.settled(scope, window).await;
    assert!(account.held_usd == Usd::ZERO && account.spent_usd <= limit, "{account:?}");
}

/// Twice what such a call reserves.
async fn worth_two() -> Usd {
    reserved_for(Call::say(Format::Chat, "sim:hang", false)).await.times(2)
}

#[tokio::test]
async fn the_global_budget_of_every_window_is_kept() {
    let (sim, limit) = (Sim::start(), worth_two().await);
    for window in [Window::Minute, Window::Day, Window::Month, Window::Total] {
        let budgets = format!("budgets: [ {{ scope: global, window: {window}, usd: \"{limit}\" }} ]\n");
        let proxy = Setup::proxy(&(sim.as_upstream("") + &budgets)).start();
        two_of_eight(&proxy, &[], "global", window, limit).await;
    }
}

#[tokio::test]
async fn the_budget_of_a_key_is_kept_and_binds_no_other_key() {
    let (sim, limit) = (Sim::start(), worth_two().await);
    for window in [Window::Total, Window::Minute, Window::Day] {
        let setup = Setup::proxy(&sim.as_upstream(""));
        let key = setup.key(&["--name", "ci", "--budget", &format!("{limit}/{window}")]);
        let other = setup.key(&["--name", "other"]);
        let proxy = setup.start();
        two_of_eight(&proxy, &[&key], "key:ci", window, limit).await;
        for _ in 0..4 {
            let free =
                client::send(proxy.address, Call::say(Format::Chat, "hi", false).with_key(&other)).await;
            assert_eq!(free.status, 200, "{free:?}");
        }
    }
}

#[tokio::test]
async fn the_keys_of_a_tenant_share_its_budget() {
    let (sim, limit) = (Sim::start(), worth_two().await);
    for window in [Window::Total, Window::Day] {
        let budgets =
            format!("budgets: [ {{ scope: \"tenant:acme\", window: {window}, usd: \"{limit}\" }} ]\n");
        let setup = Setup::proxy(&(sim.as_upstream("") + &budgets));
        let one = setup.key(&["--name", "one", "--tenant", "acme"]);
        let two = setup.key(&["--name", "two", "--tenant", "acme"]);
        two_of_eight(&setup.start(), &[&one, &two], "tenant:acme", window, limit).await;
    }
}

#[tokio::test]
async fn the_policys_limits_bind_the_run() {
    let (sim, limit) = (Sim::start(), worth_two().await);
    for (key, window) in [("usd", Window::Total), ("usd_per_minute", Window::Minute)] {
        let policy = format!("policy: {{ name: tight, limits: {{ {key}: \"{limit}\" }} }}\n");
        let proxy = Setup::proxy(&(sim.as_upstream("") + &policy)).start();
        let run = format!("run:{}", proxy.run());
        two_of_eight(&proxy, &[], &run, window, limit).await;
    }
}

#[tokio::test]
async fn a_call_that_one_budget_refuses_holds_nothing_in_another() {
    let (sim, limit) = (Sim::start(), worth_two().await);
    let budgets = format!(
        "budgets: [ {{ scope: global, window: day, usd: \"100\" }}, {{ scope: \"key:ci\", window: total, usd: \"{limit}\" }} ]\n"
    );
    let setup = Setup::proxy(&(sim.as_upstream("") + &budgets));
    let key = setup.key(&["--name", "ci"]);
    let proxy = setup.start();
    let calls = (0..8).map(|_| Call::say(Format::Chat, "sim:hang", false).with_key(&key));
    let (_callers, refused) = call_at_once(&proxy, calls, 6).await;
    assert!(refused.iter().all(|answer| answer.status == 402), "{refused:?}");
    let global = proxy.budget("global", Window::Day).await;
    assert_eq!((global.holds, global.held_usd), (2, limit), "{global:?}");
}

#[tokio::test]
async fn a_budget_in_tokens_refuses_in_tokens() {
    let sim = Sim::start();
    let budgets = "budgets: [ { scope: global, window: total, tokens: 1000 } ]\n";
    let proxy = Setup::proxy(&(sim.as_upstream("") + budgets)).start();
    for format in Format::ALL {
        let answer = client::send(proxy.address, Call::say(format, "hi", false)).await;
        assert_eq!(answer.status, 402, "{answer:?}");
        let part = format.error(&answer);
        assert_eq!(part["code"], "TOKENS_EXCEEDED", "{part}");
        assert_eq!((&part["scope"], &part["limit_tokens"]), (&"global".into(), &1000.into()), "{part}");
        assert_eq!((&part["spent_tokens"], &part["held_tokens"]), (&0.into(), &0.into()), "{part}");
    }
    assert_eq!(sim.stats().await.requests, 0);
}

#[tokio::test]
async fn tokens_a_minute_are_a_rate() {
    let sim = Sim::start();
    let budgets = "budgets: [ { scope: global, window: minute, tokens: 1000 } ]\n";
    let proxy = Setup::proxy(&(sim.as_upstream("") + budgets)).start();
    for format in Format::ALL {
        let answer = client::send(proxy.address, Call::say(format, "hi", false)).await;
        assert_eq!(answer.status, 429, "{answer:?}");
        let part = format.error(&answer);
        assert_eq!((&part["code"], &part["limit_tokens"]), (&"RATE_LIMITED".into(), &1000.into()), "{part}");
    }
    assert_eq!(sim.stats().await.requests, 0);
}
