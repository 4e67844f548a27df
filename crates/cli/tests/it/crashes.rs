//! `kill -9` in the middle of everything: no money is forgotten, nothing stays held for ever, the trace still proves itself.
//!
//! `SEAWALL_LONG=1` makes it many rounds.

use std::time::{Duration, Instant};

use seawall_types::{Usd, Window};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::support::client::{self, Call};
use crate::support::eventually;
use crate::support::format::Format;
use crate::support::program::{Program, Setup};
use crate::support::sim::Sim;
use crate::support::trace::Trace;

const STREAMS: usize = 200;
/// A call's total time and the grace of its hold: after both the hold has become spend.
const DEADLINE: Duration = Duration::from_millis(3_500);
const TIMES: &str = ", timeouts: { total: 3s }";
const GRACE: &str = "ledger: { hold_grace: 500ms }\n";
/// How long the sweeper may be late on a busy machine.
const SLACK: Duration = Duration::from_secs(4);

fn rounds() -> u64 {
    if std::env::var_os("SEAWALL_LONG").is_some() { 20 } else { 3 }
}

/// A stream that is longer than any round.
fn long_stream(client: usize) -> Call {
    let format = Format::ALL[client % 3];
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
    sim.once("three calls under way", |stats| stats.in_flight == 3).await;
    crate::support::eventually("three admissions on the disk", async || {
        let admitted = Trace::of(&setup).count("action.admitted");
        if admitted == 3 { Ok(()) } else { Err(admitted) }
    })
    .await;
    proxy.kill();

    let next = setup.start();
    let events = Trace::of(&setup);
    let last = events.0.iter().rfind(|event| event.run == run).unwrap();
    assert_eq!(last.kind, "run.finished", "{last:?}");
    let abandoned: Vec<_> = events.of_kind("action.abandoned").collect();
    assert_eq!(abandoned.len(), 3);
    for event in abandoned {
        let admitted = events.about(event.action.as_deref().unwrap(), "action.admitted").unwrap();
        assert_eq!((event.run.as_str(), event.usd("cost_usd")), (run.as_str(), admitted.usd("reserved_usd")));
    }
    assert_verified(&setup);
    let listed = setup.cli_json(&["trace", "list"]);
    let row = listed["runs"].as_array().unwrap().iter().find(|row| row["run"] == run.as_str()).unwrap();
    assert!(row["finished_at"].is_string(), "{row}");
    assert_eq!(row["actions"], 3, "{row}");
    drop(next);
}
