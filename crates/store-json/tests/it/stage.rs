//! An agent in a store, and its log as it ought to be.

use std::fs;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use seawall_engine::{
    Agent, AgentId, AgentState, Answer, Authority, Block, CallId, Claim, Command, Compress, Compressed,
    Config, EffectClass, Event, Fact, Judged, Judgement, MessageId, MessageKind, ModelAnswered, NewAgent,
    SendMessage, StopReason, TakeSnapshot, ToolFinished, ToolResult, ToolSpec, create, decide,
};
use seawall_store::agents::{Appended, Creation, Kept, Lease, Owner, Right, Worker, WorkerId};
use seawall_store::{AgentStore, StoreError};
use seawall_store_json::JsonStore;
use seawall_types::{ApprovalId, ManualClock, RunId, Timestamp, Usage, Usd};
use tempfile::TempDir;

pub(crate) const START: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

/// Waits for a store's answer.
pub(crate) fn wait<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

pub(crate) fn open(root: &Path) -> JsonStore {
    try_open(root).unwrap()
}

pub(crate) fn try_open(root: &Path) -> Result<JsonStore, StoreError> {
    JsonStore::open(root, Arc::new(ManualClock::new(START)))
}

pub(crate) fn id(name: &str) -> AgentId {
    name.parse().unwrap()
}

pub(crate) fn worker() -> Worker {
    Worker { id: WorkerId("w".into()), lease: Duration::from_secs(3600), max_agents: 10 }
}

/// A folder in memory where the machine has one: for claims about what is in files, which need no disk to wait for.
pub(crate) fn in_memory() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// A folder with everything in it, as a crash or a copy leaves it.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (from, to) = {
            let entry = entry.unwrap();
            (entry.path(), to.join(entry.file_name()))
        };
        if from.is_dir() { copy(&from, &to) } else { _ = fs::copy(from, to).unwrap() }
    }
}

/// Who runs an agent, with all that was written for it.
pub(crate) struct Actor {
    pub(crate) kept: Kept,
    pub(crate) log: Vec<Event>,
    epoch: u64,
    now: Timestamp,
}

pub(crate) fn owner() -> Owner {
    Owner { tenant: Some("acme".into()), key: None, request: None }
}

fn config() -> Config {
    let spec =
        ToolSpec { effect: EffectClass::Pure, timeout: Duration::from_secs(60), ..ToolSpec::default() };
    let tools = [("look".into(), spec)].into();
    Config { template: "test".into(), tools: Arc::new(tools), ..Config::default() }
}

impl Actor {
    /// An agent that was made and claimed.
    pub(crate) fn new(store: &dyn AgentStore, name: &str) -> Self {
        let run = RunId::from_parts(START.as_millis(), &[7; 10]);
        let log = create(NewAgent { id: id(name), run, config: config() }, START).unwrap().events;
        let (kept, append) = Kept::create(owner(), &log).unwrap();
        assert_eq!(wait(store.create(append)), Ok(Creation::Made));
        let mut actor = Self { kept, log, epoch: 0, now: START };
        actor.claim(store);
        actor
    }

    /// Goes on with an agent that is there.
    pub(crate) fn resume(store: &dyn AgentStore, name: &str) -> Self {
        let kept = wait(store.load(&id(name))).unwrap().unwrap();
        let log = wait(store.events(&id(name), 0, u32::MAX)).unwrap();
        let now = kept.agent().last_event_at();
        let mut actor = Self { kept, log, epoch: 0, now };
        actor.claim(store);
        actor
    }

    fn claim(&mut self, store: &dyn AgentStore) {
        assert_eq!(wait(store.renew(&worker())), Ok(true));
        let id = self.kept.id().clone();
        let Lease::Held { epoch } = wait(store.claim(&id, &worker().id)).unwrap() else { panic!("not held") };
        self.epoch = epoch;
        if epoch > self.kept.agent().epoch() {
            self.give(store, Claim { owner: "w".into() });
        }
    }

    pub(crate) fn give(&mut self, store: &dyn AgentStore, command: impl Into<Command>) {
        assert_eq!(self.attempt(store, command), Ok(Appended::Done));
    }

    pub(crate) fn attempt(
        &mut self,
        store: &dyn AgentStore,
        command: impl Into<Command>,
    ) -> Result<Appended, StoreError> {
        let now = self.now.saturating_add(Duration::from_secs(1));
        let decision =
            decide(self.kept.agent(), command, Authority::Holder { epoch: self.epoch }, now).unwrap();
        let right = Right::Holder { epoch: self.epoch };
        let (kept, append) = self.kept.append(right, &decision.events).unwrap();
        let appended = wait(store.append(append))?;
        if appended == Appended::Done {
            self.kept = kept;
            self.now = now;
            self.log.extend(decision.events.into_iter().filter(|event| !event.expires()));
        }
        Ok(appended)
    }

    /// A message, a call of a tool, its result and an answer.
    pub(crate) fn turn(&mut self, store: &dyn AgentStore, words: &str) {
        self.say(store, words);
        let step = self.kept.agent().steps();
        self.answer(store, [Answer::Call { provider_id: None, name: "look".into(), input: Arc::default() }]);
        let call = CallId { step, index: 1 };
        let approval = ApprovalId::from_parts(1, &[1; 10]);
        self.give(
            store,
            Judged { call, policy: "p".into(), judgement: Judgement::Proceed, approval, expires_at: None },
        );
        let result =
            ToolResult { content: [Block::text(format!("seen for {words}"))].into(), is_error: false };
        self.give(store, ToolFinished { call, attempt: 1, result, spent: None });
        self.answer(store, [Answer::Block(Block::text(format!("done with {words}")))]);
    }

    /// Whatever comes next in a life of turns.
    pub(crate) fn next(&mut self, store: &dyn AgentStore) {
        let agent = self.kept.agent();
        if agent.status().state == AgentState::Ready {
            self.say(store, "go on");
        } else {
            self.answer(store, [Answer::Block(Block::text("going"))]);
        }
        if self.kept.agent().history().len() > 60 && self.kept.agent().status().state == AgentState::Ready {
            self.compress(store);
        }
    }

    pub(crate) fn say(&mut self, store: &dyn AgentStore, words: &str) {
        self.give(store, self.saying(words));
    }

    /// The next message.
    pub(crate) fn saying(&self, words: &str) -> SendMessage {
        let id = MessageId(format!("m{}", self.kept.seq()).into());
        SendMessage { id, kind: MessageKind::User, content: [Block::text(words)].into() }
    }

    pub(crate) fn answer(&mut self, store: &dyn AgentStore, content: impl Into<Vec<Answer>>) {
        self.give(store, self.answering_with(content));
    }

    /// The model's next words.
    pub(crate) fn answering(&self, words: &str) -> ModelAnswered {
        self.answering_with([Answer::Block(Block::text(words))])
    }

    fn answering_with(&self, content: impl Into<Vec<Answer>>) -> ModelAnswered {
        let usage = Usage { input: 10, output: 5, ..Usage::default() };
        let (step, content) = (self.kept.agent().steps(), content.into());
        let (stop, cost) = (StopReason::EndTurn, Usd::from_picos(1_000));
        ModelAnswered { step, attempt: 1, content, stop, usage, cost }
    }

    pub(crate) fn compress(&mut self, store: &dyn AgentStore) {
        self.give(store, Compress);
        let begun = |event: &&Event| matches!(event.fact, Fact::CompressionStarted { .. });
        let id = self.log.iter().rfind(begun).unwrap().seq;
        self.give(store, Compressed { id, summary: Ok("what was said".into()), spent: None });
    }

    pub(crate) fn snapshot(&mut self, store: &dyn AgentStore, name: &str) {
        self.give(store, TakeSnapshot { id: name.into(), label: None });
    }

    /// The agent in the store is this one, and so are its log and its messages.
    pub(crate) fn assert_kept(&self, store: &dyn AgentStore) {
        let loaded = wait(store.load(self.kept.id())).unwrap().unwrap();
        assert_eq!(loaded.agent(), &Agent::fold(&self.log).unwrap());
        assert_eq!((loaded.seq(), loaded.window()), (self.kept.seq(), self.kept.window()));
        assert_eq!(wait(store.events(self.kept.id(), 0, u32::MAX)).unwrap(), self.log);
        let row = wait(store.agent(self.kept.id())).unwrap().unwrap();
        assert_eq!(row, seawall_store::agents::AgentRow::of(self.kept.agent(), &owner(), self.kept.seq()));
    }
}

pub(crate) fn file(root: &Path, name: &str, file: &str) -> PathBuf {
    root.join("agents").join(name).join(file)
}

/// The beginning of the last append of a log.
pub(crate) fn last_append(log: &[u8]) -> usize {
    let marks = |at: &usize| {
        log[*at..].starts_with(b"{\"n\":") && {
            let line = log[*at..].split(|byte| *byte == b'\n').next().unwrap();
            serde_json::from_slice::<serde_json::Value>(line).unwrap().get("end").is_some()
        }
    };
    let starts = std::iter::once(0).chain(memchr::memchr_iter(b'\n', log).map(|at| at + 1));
    let ends: Vec<_> = starts.filter(|at| *at < log.len()).filter(marks).collect();
    let before = ends[ends.len() - 2];
    before + log[before..].iter().position(|byte| *byte == b'\n').unwrap() + 1
}
