//! An agent that a test works for.

use std::sync::Arc;
use std::time::Duration;

use seawall_engine::{
    Answer, Authority, Block, Claim, Command, Config, Event, MessageId, MessageKind, ModelAnswered, NewAgent,
    SendMessage, StopReason, create, decide,
};
use seawall_store::AgentStore;
use seawall_store::agents::{Append, Appended, Creation, Kept, Lease, Owner, Right, Worker, WorkerId};
use seawall_store_postgres::PostgresStore;
use seawall_types::{RunId, Timestamp, Usage, Usd};

pub(crate) fn worker(name: &str) -> Worker {
    Worker { id: WorkerId(name.into()), lease: Duration::from_secs(60), max_agents: 100 }
}

/// Long ago, so that what is due is due for everybody.
pub(crate) fn now() -> Timestamp {
    Timestamp::from_micros(1_700_000_000_000_000)
}

pub(crate) struct Stage {
    pub(crate) store: Arc<PostgresStore>,
    pub(crate) kept: Kept,
    pub(crate) epoch: u64,
    pub(crate) log: Vec<Event>,
}

impl Stage {
    /// A new agent that the worker `w` holds.
    pub(crate) async fn new(store: &Arc<PostgresStore>, name: &str) -> Self {
        let mut stage = Self::unclaimed(store, name).await;
        assert!(store.renew(&worker("w")).await.unwrap());
        let lease = store.claim(stage.kept.id(), &worker("w").id).await.unwrap();
        let Lease::Held { epoch } = lease else { panic!("{lease:?}") };
        stage.epoch = epoch;
        let (next, append, events) = stage.decide(Claim { owner: "w".into() });
        assert_eq!(store.append(append).await.unwrap(), Appended::Done);
        stage.went(next, events);
        stage
    }

    pub(crate) async fn unclaimed(store: &Arc<PostgresStore>, name: &str) -> Self {
        let run = RunId::from_parts(now().as_millis(), &std::array::from_fn(|_| fastrand::u8(..)));
        let new = NewAgent { id: name.parse().unwrap(), run, config: Config::default() };
        let log = create(new, now()).unwrap().events;
        let (kept, first) = Kept::create(Owner::default(), &log).unwrap();
        assert_eq!(store.create(first).await.unwrap(), Creation::Made);
        Self { store: Arc::clone(store), kept, epoch: 0, log }
    }

    /// What would be written for a command: by the holder, or by an outsider before there is one.
    pub(crate) fn decide(&self, command: impl Into<Command>) -> (Kept, Append, Vec<Event>) {
        let epoch = self.epoch;
        let (authority, right) = match epoch {
            0 => (Authority::Outsider, Right::Outsider),
            _ => (Authority::Holder { epoch }, Right::Holder { epoch }),
        };
        let decision = decide(self.kept.agent(), command, authority, now()).unwrap();
        let (next, append) = self.kept.append(right, &decision.events).unwrap();
        (next, append, decision.events)
    }

    pub(crate) fn went(&mut self, next: Kept, events: Vec<Event>) {
        self.kept = next;
        self.log.extend(events);
    }

    pub(crate) async fn give(&mut self, command: impl Into<Command>) {
        let (next, append, events) = self.decide(command);
        assert_eq!(self.store.append(append).await.unwrap(), Appended::Done);
        self.went(next, events);
    }
}

pub(crate) fn send(name: &str) -> SendMessage {
    SendMessage { id: MessageId(name.into()), kind: MessageKind::User, content: [Block::text("go")].into() }
}

pub(crate) fn answered(step: u64) -> ModelAnswered {
    let (content, usage) = (vec![Answer::Block(Block::text("done"))], Usage::default());
    ModelAnswered { step, attempt: 1, content, stop: StopReason::EndTurn, usage, cost: Usd::ZERO }
}

/// Runs a test.
pub(crate) fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(test);
}
