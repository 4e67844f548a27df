//! How many turns a server takes: fenced appends of a turn each, and claims.
//!
//! `turns postgres://…/a_database_for_this?… [SECONDS]` writes into that database, and prints a line for each number of
//! tasks at once.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::panic,
    reason = "a measurement that fails is to say where, and its figures are for people"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use seawall_engine::{
    Answer, Authority, Block, CallId, Claim, Command, Config, Context, EffectClass, Event, Judged, Judgement,
    MessageId, MessageKind, ModelAnswered, NewAgent, SendMessage, StopReason, ToolFinished, ToolResult,
    ToolSpec, create, decide,
};
use seawall_store::AgentStore;
use seawall_store::agents::{Append, Appended, Creation, Kept, Lease, Owner, Right, Worker, WorkerId};
use seawall_store_postgres::{Options, PostgresStore};
use seawall_types::{ApprovalId, RunId, Timestamp, Usage, Usd};
use tokio::task::JoinSet;

const NOW: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

/// About a kilobyte of words.
fn words() -> Arc<str> {
    "what a model says in a step or a tool gives ".repeat(23).into()
}

fn block() -> Block {
    Block::Text { text: words() }
}

/// What happens in a turn with a tool, from the message to the answer.
fn turn(kept: &Kept, epoch: u64, first: u64) -> (Kept, Append) {
    let mut agent = kept.agent().clone();
    let mut events: Vec<Event> = Vec::new();
    let call = CallId { step: first, index: 1 };
    let answered = |step, content| {
        let (stop, usage, cost) = (StopReason::EndTurn, Usage::default(), Usd::from_picos(1_000_000));
        ModelAnswered { step, attempt: 1, content, stop, usage, cost }
    };
    let wish = Answer::Call {
        provider_id: None,
        name: "look".into(),
        input: Arc::new(serde_json::json!({ "at": 1 })),
    };
    let content = [block()].into();
    let commands: [Command; 5] = [
        SendMessage { id: MessageId(first.to_string().into()), kind: MessageKind::User, content }.into(),
        answered(first, vec![wish]).into(),
        Judged {
            call,
            policy: "p".into(),
            judgement: Judgement::Proceed,
            approval: ApprovalId::from_bytes([1; 16]),
            expires_at: None,
        }
        .into(),
        ToolFinished {
            call,
            attempt: 1,
            result: ToolResult { content: [block()].into(), is_error: false },
            spent: None,
        }
        .into(),
        answered(first + 1, vec![Answer::Block(block())]).into(),
    ];
    for command in commands {
        for event in decide(&agent, command, Authority::Holder { epoch }, NOW).unwrap().events {
            agent.apply(&event).unwrap();
            events.push(event);
        }
    }
    kept.append(Right::Holder { epoch }, &events).unwrap()
}

/// A template with the tool that turns use.
fn config() -> Config {
    let look = ToolSpec { effect: EffectClass::Pure, ..ToolSpec::default() };
    let tools = Arc::new([("look".into(), look)].into_iter().collect());
    Config { tools, context: Context { compress_at: None, keep: 4 }, ..Config::default() }
}

fn worker(name: &str) -> Worker {
    Worker { id: WorkerId(name.into()), lease: Duration::from_secs(600), max_agents: 1_000 }
}

async fn unclaimed(store: &PostgresStore, name: &str) -> Kept {
    let run = RunId::from_parts(NOW.as_millis(), &std::array::from_fn(|_| fastrand::u8(..)));

    let events = create(NewAgent { id: name.parse().unwrap(), run, config: config() }, NOW).unwrap().events;
    let (kept, first) = Kept::create(Owner::default(), &events).unwrap();
    assert_eq!(store.create(first).await.unwrap(), Creation::Made);
    kept
}

/// Appends turns to one agent until the time is over. Each takes as long as it takes: the median is theirs.
async fn append(store: Arc<PostgresStore>, name: String, until: Instant) -> Vec<Duration> {
    let mut kept = unclaimed(&store, &name).await;
    let Lease::Held { epoch } = store.claim(kept.id(), &worker("w").id).await.unwrap() else {
        panic!("{name}")
    };
    let claimed =
        decide(kept.agent(), Claim { owner: "w".into() }, Authority::Holder { epoch }, NOW).unwrap().events;
    let (next, first) = kept.append(Right::Holder { epoch }, &claimed).unwrap();
    assert_eq!(store.append(first).await.unwrap(), Appended::Done);
    kept = next;
    let mut took = Vec::new();
    for round in 0.. {
        if Instant::now() >= until {
            break;
        }
        let (next, written) = turn(&kept, epoch, round * 2 + 1);
        let begun = Instant::now();
        assert_eq!(store.append(written).await.unwrap(), Appended::Done);
        took.push(begun.elapsed());
        kept = next;
    }
    took
}

async fn appends(store: &Arc<PostgresStore>, tasks: usize, seconds: u64) {
    let mut writers = JoinSet::new();
    let until = Instant::now() + Duration::from_secs(seconds);
    for task in 0..tasks {
        writers.spawn(append(Arc::clone(store), format!("a{tasks}-{task}-{:x}", fastrand::u64(..)), until));
    }
    let mut took = writers.join_all().await.concat();
    took.sort();
    let at = |share: usize| took.get(took.len() * share / 100).map_or(0.0, Duration::as_secs_f64) * 1e3;
    let rate = took.len() / usize::try_from(seconds).unwrap();
    println!("{tasks:>3} tasks: {rate} turns/s, p50 {:.2} ms, p99 {:.2} ms", at(50), at(99));
}

/// Claims agents that are due, ten at a time, and gives them back.
async fn claims(store: &Arc<PostgresStore>, tasks: usize, seconds: u64) {
    for number in 0..400 {
        let kept = unclaimed(store, &format!("due{tasks}-{number}-{:x}", fastrand::u64(..))).await;
        let message =
            SendMessage { id: MessageId("m".into()), kind: MessageKind::User, content: [block()].into() };
        let events = decide(kept.agent(), message, Authority::Outsider, NOW).unwrap().events;
        store.append(kept.append(Right::Outsider, &events).unwrap().1).await.unwrap();
    }
    let mut claimers = JoinSet::new();
    let until = Instant::now() + Duration::from_secs(seconds);
    for task in 0..tasks {
        let store = Arc::clone(store);
        claimers.spawn(async move {
            let me = worker(&format!("c{tasks}-{task}-{:x}", fastrand::u64(..)));
            assert!(store.renew(&me).await.unwrap());
            let (mut count, mut took) = (0, Vec::new());
            while Instant::now() < until {
                let begun = Instant::now();
                let claimed = store.claim_due(&me.id, 10).await.unwrap();
                took.push(begun.elapsed());
                count += claimed.len();
                let given: Vec<_> =
                    claimed.iter().map(|claimed| store.release(&claimed.agent, claimed.epoch)).collect();
                for given in given {
                    given.await.unwrap();
                }
            }
            store.retire(&me.id).await.unwrap();
            (count, took)
        });
    }
    let all = claimers.join_all().await;
    let count: usize = all.iter().map(|(count, _)| count).sum();
    let mut took: Vec<_> = all.into_iter().flat_map(|(_, took)| took).collect();
    took.sort();
    let median = took.get(took.len() / 2).map_or(0.0, Duration::as_secs_f64) * 1e3;
    let rate = count / usize::try_from(seconds).unwrap();
    println!("{tasks:>3} claimers: {rate} agents/s claimed and given up, p50 of claiming ten {median:.2} ms");
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().unwrap();
    let seconds = arguments.next().map_or(3, |seconds| seconds.parse().unwrap());
    let store = Arc::new(PostgresStore::open(&Options::parse(&url).unwrap()).unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        assert!(store.renew(&worker("w")).await.unwrap());
        let (_, sample) = turn(&sample(), 1, 1);
        let (events, messages, calls) = (sample.events.len(), sample.messages.len(), sample.calls.len());
        println!("a turn: {events} events, {messages} messages, {calls} call");
        for tasks in [1, 8, 50] {
            appends(&store, tasks, seconds).await;
        }
        for tasks in [1, 4] {
            claims(&store, tasks, seconds).await;
        }
    });
}

/// An agent that is in no store.
fn sample() -> Kept {
    let new = NewAgent { id: "sample".parse().unwrap(), run: RunId::from_bytes([1; 16]), config: config() };
    let events = create(new, NOW).unwrap().events;
    let (kept, _) = Kept::create(Owner::default(), &events).unwrap();
    let claimed = decide(kept.agent(), Claim { owner: "w".into() }, Authority::Holder { epoch: 1 }, NOW)
        .unwrap()
        .events;
    kept.append(Right::Holder { epoch: 1 }, &claimed).unwrap().0
}
