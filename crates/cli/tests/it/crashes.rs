//! `kill -9` in the middle of everything: no money is forgotten, nothing stays held for ever, the trace still proves itself.
//!
//! `SEAWALL_LONG=1` makes it many rounds, as `make crashtest` does.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use seawall_types::{Usd, Window};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::support::client::{self, Call};
use crate::support::eventually;
use crate::support::format::Format;
use crate::support::ledger::Account;
use crate::support::program::{Program, Setup};
use crate::support::raw::Answer;
use crate::support::sim::Sim;
use crate::support::trace::Trace;

const STREAMS: usize = 200;
/// A call's total time and the grace of its hold: after both the hold has become spend.
const DEADLINE: Duration = Duration::from_millis(3_500);
const TIMES: &str = ", timeouts: { total: 3s }";
const GRACE: &str = "ledger: { hold_grace: 500ms }\n";
/// How long the sweeper may be late on a busy machine.
const SLACK: Duration = Duration::from_secs(4);

/// Callers at once, and how often their gateway is killed under them.
const CALLERS: usize = 32;
const KILLS: u64 = 20;
/// What a gateway may spend before it is killed. A short call reserves about $0.0003 and costs a third: this is room for
/// everybody's reservations and some hundred calls, and then it refuses.
const ROOM: Usd = Usd::from_picos(24_000_000_000);

fn rounds() -> u64 {
    if std::env::var_os("SEAWALL_LONG").is_some() { 20 } else { 3 }
}

/// A stream that is longer than any round.
fn long_stream(client: usize) -> Call {
    let format = Format::ALL[client % Format::ALL.len()];
    Call::say_within(format, "sim:pace 20ms\nsim:chunk 8\nsim:repeat 2000 word", true, 3_000)
}

/// Starts all streams, and waits until each has had its first piece or a refusal; gives how many run.
async fn begin(proxy: &Program) -> (JoinSet<()>, usize) {
    let (told, mut tell) = mpsc::unbounded_channel();
    let mut streams = JoinSet::new();
    for client in 0..STREAMS {
        let (address, told) = (proxy.address, told.clone());
        streams.spawn(async move {
            let mut answering = client::begin(address, long_stream(client)).await;
            let runs = answering.status == 200 && answering.piece().await.is_some();
            told.send(runs).unwrap();
            while runs && answering.piece().await.is_some() {}
        });
    }
    let mut running = 0;
    for _ in 0..STREAMS {
        running += usize::from(tell.recv().await.unwrap());
    }
    (streams, running)
}

/// Some calls that end well, so that there is something settled too.
async fn call_a_little(proxy: &Program) {
    for format in Format::ALL {
        client::send(proxy.address, Call::say(format, "hi", false)).await;
        client::send(proxy.address, Call::say(format, "hi", true)).await;
    }
}

/// What `seawall trace verify` says of everything.
fn assert_verified(setup: &Setup) {
    let verdict = setup.cli_json(&["trace", "verify"]);
    assert_eq!(verdict["ok"], true, "{verdict}");
    assert!(verdict["checked"].as_u64().unwrap() > 0, "{verdict}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_gateway_forgets_no_money_holds_none_for_ever_and_never_passes_the_limit() {
    let sim = Sim::start();
    // Each stream reserves about $0.0082. The last round finds half of what it would need.
    let limit = Usd::from_picos(8_200_000_000).times(200 * rounds() - 100);
    let setup = Setup::proxy(&(sim.as_upstream(TIMES) + GRACE)).args(["--budget", &limit.to_string()]);
    let mut ran = Vec::new();
    let mut proxy = setup.start();
    for round in 1..=rounds() {
        call_a_little(&proxy).await;
        let admitted = Trace::of(&setup).count("action.admitted");
        let (streams, running) = begin(&proxy).await;
        // What is admitted while a busy disk is forced is not on it yet, and a kill loses that of the trace.
        eventually("the admissions are on the disk", async || {
            let more = Trace::of(&setup).count("action.admitted") - admitted;
            if more >= running { Ok(()) } else { Err(more) }
        })
        .await;
        let before = proxy.total().await;
        assert!(before.committed() <= limit, "round {round}: {before:?}");

        proxy.kill();
        let killed = Instant::now();
        drop(streams);
        let truth = sim.at_rest().await.cost_usd;

        proxy = setup.start();
        let at_once = proxy.total().await;
        assert!(at_once.committed() >= truth, "round {round}: {at_once:?}, truth {truth}");
        assert!(at_once.committed() <= limit, "round {round}: {at_once:?}");
        assert!(at_once.committed() >= before.spent_usd, "round {round}: {before:?} {at_once:?}");

        let in_the_end = proxy.settled("global", Window::Total).await;
        let took = killed.elapsed();
        assert!(took < DEADLINE + SLACK, "round {round}: held for {took:?}");
        assert_eq!(in_the_end.held_usd, Usd::ZERO);
        assert!(in_the_end.spent_usd >= truth, "round {round}: {in_the_end:?}, truth {truth}");
        assert!(in_the_end.spent_usd <= limit, "round {round}: {in_the_end:?}");
        assert_verified(&setup);
        // What the process before had reserved is written down in the run of this one: its own has ended.
        let metrics = proxy.metrics().await;
        assert_eq!(metrics.sum("seawall_trace_dropped_total", &[]), 0.0);
        ran.push(running);
    }
    assert_eq!(ran[0], STREAMS, "the first round is not short of money: {ran:?}");
    assert!((1..STREAMS).contains(ran.last().unwrap()), "the last round is: {ran:?}");
    assert!(proxy.stop().success());
    assert_verified(&setup);

    let trace = Trace::of(&setup);
    let (admitted, _denied) = trace.assert_complete();
    let abandoned = trace.count("action.abandoned");
    assert!(
        abandoned >= ran.iter().sum::<usize>() && abandoned < admitted,
        "{abandoned} of {admitted}: {ran:?}"
    );
    assert!(setup.budget("global", Window::Total).spent_usd <= trace.reserved());
}

/// Calls without a pause until the gateway is gone, and tells each answer that was whole.
async fn call_on(address: SocketAddr, caller: usize, told: mpsc::UnboundedSender<Answer>) {
    let mut connection = client::Connection::open(address).await;
    for turn in caller.. {
        let (format, stream) =
            (Format::ALL[turn % Format::ALL.len()], (turn / Format::ALL.len()).is_multiple_of(2));
        let call = Call::say_within(format, "sim:repeat 40 word", stream, 100);
        let Ok(answer) = connection.send(call).await else { return };
        if !answer.complete {
            return;
        }
        told.send(answer).unwrap();
    }
}

/// Kills the gateway while everybody calls, after so many answers; gives all that came.
async fn kill_after(proxy: &Program, answers: usize) -> Vec<Answer> {
    let (told, mut tell) = mpsc::unbounded_channel();
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        callers.spawn(call_on(proxy.address, caller, told.clone()));
    }
    drop(told);
    let mut seen = Vec::new();
    while seen.len() < answers {
        seen.push(tell.recv().await.expect("it goes on until it is killed"));
    }
    proxy.kill();
    while let Some(answer) = tell.recv().await {
        seen.push(answer);
    }
    callers.join_all().await;
    seen
}

/// After how many answers a gateway is killed: always the same row of numbers, without an order.
fn answers_before(kill: u64) -> usize {
    usize::try_from(1 + kill.wrapping_mul(2_654_435_761) % 307).unwrap()
}

/// What these answers say that they cost. One that says so was settled before its first byte.
fn told_cost(answers: &[Answer]) -> Usd {
    answers
        .iter()
        .filter_map(|answer| answer.header("x-seawall-cost-usd"))
        .map(|usd| usd.parse::<Usd>().unwrap())
        .sum()
}

fn count_of(answers: &[Answer], status: u16) -> usize {
    answers.iter().filter(|answer| answer.status == status).count()
}

/// Asserts that a gateway which came after some that were killed has kept what they knew: what was told, what is true.
fn assert_kept(account: &Account, told: Usd, truth: Usd, limit: Usd) {
    assert!(account.spent_usd >= told, "{account:?}, told {told}");
    assert!(account.committed() >= truth, "{account:?}, truth {truth}");
    assert!(account.committed() <= limit, "{account:?}, limit {limit}");
}

/// Asserts that every action in the trace has its end there, and that none was paid for twice. A kill takes the newest lines
/// with it: of an action that was in none but those the reservation is left, as the spend that it became.
fn assert_ends(trace: &Trace) {
    for (action, events) in trace.actions() {
        let kinds: Vec<&str> = events.iter().map(|event| event.kind.as_str()).collect();
        let is_ended = matches!(
            kinds[..],
            ["action.admitted", "action.settled" | "action.abandoned"]
                | ["action.admitted", "action.abandoned", "budget.settled"]
                | ["budget.exceeded", "action.denied"]
                | ["budget.exceeded" | "budget.settled"]
        );
        assert!(is_ended, "action {action}: {kinds:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_killed_in_the_thick_of_calls_has_forgotten_nothing_that_anybody_was_told() {
    let sim = Sim::start();
    let setup = Setup::proxy(&(sim.as_upstream(TIMES) + GRACE));
    let within = |limit: Usd| setup.clone().args(["--budget", &limit.to_string()]).start();
    let (mut told, mut served, mut refused) = (Usd::ZERO, 0, 0);
    let mut proxy = within(ROOM);
    for kill in 1..=KILLS {
        let answers = kill_after(&proxy, answers_before(kill)).await;
        let killed = Instant::now();
        let (well, short) = (count_of(&answers, 200), count_of(&answers, 402));
        assert_eq!(well + short, answers.len(), "kill {kill}: {answers:?}");
        (told, served, refused) = (told.saturating_add(told_cost(&answers)), served + well, refused + short);
        let truth = sim.at_rest().await.cost_usd;

        let limit = ROOM.times(kill);
        proxy = within(ROOM.times(kill + 1));
        assert_kept(&proxy.total().await, told, truth, limit);
        // Between these the next one is killed with holds of several before it.
        if kill % 5 == 0 {
            let account = proxy.settled("global", Window::Total).await;
            let took = killed.elapsed();
            assert!(took < DEADLINE + SLACK, "kill {kill}: held for {took:?}");
            assert_kept(&account, told, truth, limit);
            assert_eq!(account.held_usd, Usd::ZERO);
            assert_verified(&setup);
            assert_eq!(proxy.metrics().await.sum("seawall_trace_dropped_total", &[]), 0.0);
        }
    }
    assert!(served > 0 && refused > 0 && told > Usd::ZERO, "{served} served, {refused} refused, told {told}");
    assert!(proxy.stop().success());
    assert_verified(&setup);

    let trace = Trace::of(&setup);
    assert_ends(&trace);
    let (abandoned, settled) = (trace.count("action.abandoned"), trace.count("action.settled"));
    assert!(abandoned > 0 && settled > 0, "{abandoned} under way at a kill, {settled} settled");
    let written: Usd = trace.of_kind("action.settled").map(|event| event.usd("cost_usd")).sum();
    let spent = setup.budget("global", Window::Total).spent_usd;
    assert!(spent >= written, "the ledger has what the trace has: {spent}, {written}");
}

#[tokio::test]
async fn the_trace_of_a_killed_gateway_is_closed_by_the_next() {
    let sim = Sim::start();
    let setup = Setup::proxy(&sim.as_upstream(""));
    let proxy = setup.start();
    let run = proxy.run();
    let mut hanging = JoinSet::new();
    for format in Format::ALL {
        hanging.spawn(client::try_begin(proxy.address, Call::say(format, "sim:hang", false)));
    }
    let calls = Format::ALL.len();
    sim.once("all calls are under way", |stats| usize::try_from(stats.in_flight) == Ok(calls)).await;
    eventually("all admissions are on the disk", async || {
        let admitted = Trace::of(&setup).count("action.admitted");
        if admitted == calls { Ok(()) } else { Err(admitted) }
    })
    .await;
    proxy.kill();

    let next = setup.start();
    let events = Trace::of(&setup);
    let last = events.0.iter().rfind(|event| event.run == run).unwrap();
    assert_eq!(last.kind, "run.finished", "{last:?}");
    let abandoned: Vec<_> = events.of_kind("action.abandoned").collect();
    assert_eq!(abandoned.len(), calls);
    for event in abandoned {
        let admitted = events.about(event.action.as_deref().unwrap(), "action.admitted").unwrap();
        assert_eq!((event.run.as_str(), event.usd("cost_usd")), (run.as_str(), admitted.usd("reserved_usd")));
    }
    assert_verified(&setup);
    let listed = setup.cli_json(&["trace", "list"]);
    let row = listed["runs"].as_array().unwrap().iter().find(|row| row["run"] == run.as_str()).unwrap();
    assert!(row["finished_at"].is_string(), "{row}");
    assert_eq!(row["actions"], calls, "{row}");
    drop(next);
}
