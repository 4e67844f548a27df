//! One agent with what is kept of it, as a runtime has them.

use std::sync::Arc;
use std::time::Duration;

use seawall_engine::{
    Agent, AgentId, Answer, ApprovalScope, Authority, Block, CallId, Claim, Command, Compress, Compressed,
    Config, Context, Decide, Effect, EffectClass, Event, Judged, Judgement, MessageId, MessageKind,
    ModelAnswered, NewAgent, Ruling, SendMessage, StopReason, Subject, ToolFinished, ToolResult, ToolSpec,
    create, decide, outstanding,
};
use seawall_types::{ApprovalId, RunId, Timestamp, Usage, Usd};
use serde_json::json;

use super::Opened;
use crate::agents::{
    AgentRow, AgentStore, Append, Appended, CallQuery, CallRow, Creation, Kept, Lease, MessageQuery,
    MessageRow, Owner, Right, SnapshotRow, Stats, Worker, WorkerId,
};

/// How long leases of workers last here.
pub(super) const LEASE: Duration = Duration::from_secs(30);

/// An agent that somebody works for.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) store: Arc<dyn AgentStore>,
    pub(super) kept: Kept,
    pub(super) epoch: u64,
    pub(super) now: Timestamp,
    /// Everything that was decided, what expires among it.
    pub(super) log: Vec<Event>,
}

pub(super) fn id(name: &str) -> AgentId {
    name.parse().unwrap()
}

pub(super) fn worker(name: &str) -> Worker {
    Worker { id: WorkerId(name.into()), lease: LEASE, max_agents: 10 }
}

/// A template with a tool of each class that is asked about here.
pub(super) fn config() -> Config {
    let classes =
        [("pure", EffectClass::Pure), ("keyed", EffectClass::Keyed), ("unsafe", EffectClass::Unsafe)];
    let spec = |effect| ToolSpec { effect, ..ToolSpec::default() };
    let tools = classes.into_iter().map(|(name, effect)| (name.into(), spec(effect))).collect();
    let context = Context { compress_at: None, keep: 4 };
    Config { template: "clerk".into(), tools: Arc::new(tools), context, ..Config::default() }
}

pub(super) fn owner(tenant: &str) -> Owner {
    let tenant = (!tenant.is_empty()).then(|| tenant.into());
    Owner { tenant, key: Some("key".into()), request: Some("hash".into()) }
}

/// The beginning of an agent. Its run is another one each time.
pub(super) fn beginning(name: &str, owner: Owner, config: Config, at: Timestamp) -> (Kept, Append) {
    let run = RunId::from_parts(at.as_millis(), &std::array::from_fn(|_| fastrand::u8(..)));
    let events = create(NewAgent { id: id(name), run, config }, at).unwrap().events;
    Kept::create(owner, &events).unwrap()
}

impl Stage {
    /// An agent of nobody's that the worker `w` holds.
    pub(super) async fn new(opened: &Opened, name: &str) -> Self {
        Self::of(opened, name, Owner::default(), config()).await
    }

    pub(super) async fn of(opened: &Opened, name: &str, owner: Owner, config: Config) -> Self {
        let now = opened.time.now().await;
        let mut stage = Self::unclaimed(opened, beginning(name, owner, config, now)).await;
        stage.claim("w").await;
        stage
    }

    /// An agent that was just made.
    pub(super) async fn unclaimed(opened: &Opened, (kept, first): (Kept, Append)) -> Self {
        let now = kept.agent().created_at();
        let log = events_of(&first);
        assert_eq!(opened.store.create(first).await.unwrap(), Creation::Made);
        Self { store: Arc::clone(&opened.store), kept, epoch: 0, now, log }
    }

    pub(super) fn id(&self) -> &AgentId {
        self.kept.id()
    }

    pub(super) fn agent(&self) -> &Agent {
        self.kept.agent()
    }

    /// A worker finds the agent and takes it.
    pub(super) async fn claim(&mut self, name: &str) {
        let worker = worker(name);
        assert!(self.store.renew(&worker).await.unwrap());
        let lease = self.store.claim(self.kept.id(), &worker.id).await.unwrap();
        let Lease::Held { epoch } = lease else { panic!("{lease:?}") };
        self.take_up(epoch, name).await;
    }

    /// A worker begins with an agent that it has claimed.
    pub(super) async fn take_up(&mut self, epoch: u64, name: &str) {
        self.epoch = epoch;
        self.kept = self.store.load(self.kept.id()).await.unwrap().unwrap();
        self.log.retain(|event| !event.expires());
        self.give(Claim { owner: name.into() }).await;
    }

    /// Decides and writes, as the holder.
    pub(super) async fn give(&mut self, command: impl Into<Command>) -> Vec<Effect> {
        let (next, append, events, effects) = self.decide(command, true);
        assert_eq!(self.store.append(append).await.unwrap(), Appended::Done);
        (self.kept, self.now) = (next, self.later());
        self.log.extend(events);
        effects
    }

    /// Decides and writes without a lease.
    pub(super) async fn give_outside(&mut self, command: impl Into<Command>) -> Appended {
        let (next, append, events, _) = self.decide(command, false);
        let appended = self.store.append(append).await.unwrap();
        if appended == Appended::Done {
            (self.kept, self.now) = (next, self.later());
            self.log.extend(events);
        }
        appended
    }

    /// What would be written for a command.
    pub(super) fn prepare(&self, command: impl Into<Command>, is_holder: bool) -> Append {
        self.decide(command, is_holder).1
    }

    fn later(&self) -> Timestamp {
        self.now.saturating_add(Duration::from_millis(1))
    }

    fn decide(
        &self,
        command: impl Into<Command>,
        is_holder: bool,
    ) -> (Kept, Append, Vec<Event>, Vec<Effect>) {
        let epoch = self.epoch;
        let (authority, right) = if is_holder {
            (Authority::Holder { epoch }, Right::Holder { epoch })
        } else {
            (Authority::Outsider, Right::Outsider)
        };
        let decision = decide(self.agent(), command, authority, self.now).unwrap();
        let (next, append) = self.kept.append(right, &decision.events).unwrap();
        (next, append, decision.events, decision.effects)
    }

    /// One turn: a message, a call of a tool, an answer.
    pub(super) async fn turn(&mut self, words: &str) {
        let step = self.agent().steps() + 1;
        let call = CallId { step, index: 1 };
        self.give(send(words, words)).await;
        self.give(answered(step, vec![wish("pure")])).await;
        self.give(judged(call, Judgement::Proceed)).await;
        self.give(gave(call, "r")).await;
        self.give(answered(step + 1, vec![text("done")])).await;
    }

    /// A summary takes the place of all but the last four messages.
    pub(super) async fn compress(&mut self, summary: &str) {
        self.give(Compress).await;
        let id = |effect| if let Effect::Compress { id, .. } = effect { Some(id) } else { None };
        let id = outstanding(self.agent()).into_iter().find_map(|(_, effect)| id(effect)).unwrap();
        self.give(Compressed { id, summary: Ok(summary.into()), spent: None }).await;
    }

    /// Everything that the store tells of the agent.
    pub(super) async fn whole(&self) -> Whole {
        whole(&*self.store, self.id()).await
    }
}

/// Everything that a store tells of an agent.
#[derive(Debug, PartialEq)]
pub(super) struct Whole {
    pub(super) row: Option<AgentRow>,
    pub(super) loaded: Option<Agent>,
    pub(super) events: Vec<Event>,
    pub(super) messages: Vec<MessageRow>,
    pub(super) calls: Vec<CallRow>,
    pub(super) snapshots: Vec<SnapshotRow>,
    pub(super) stats: Stats,
}

pub(super) async fn whole(store: &dyn AgentStore, id: &AgentId) -> Whole {
    let agent = Some(id.clone());
    let messages = MessageQuery { agent: agent.clone(), most: u32::MAX, ..MessageQuery::default() };
    let calls = CallQuery { agent, most: u32::MAX, ..CallQuery::default() };
    Whole {
        row: store.agent(id).await.unwrap(),
        loaded: store.load(id).await.unwrap().map(|kept| kept.agent().clone()),
        events: store.events(id, 0, u32::MAX).await.unwrap(),
        messages: store.messages(&messages).await.unwrap(),
        calls: store.calls(&calls).await.unwrap(),
        snapshots: store.snapshots(id).await.unwrap(),
        stats: Stats { bytes: None, ..store.stats(Some(id)).await.unwrap() },
    }
}

/// The events that an append writes.
pub(super) fn events_of(append: &Append) -> Vec<Event> {
    let json = |body: &crate::agents::Body| match body {
        crate::agents::Body::Inline(json) => json.clone(),
        crate::agents::Body::Blob(id) => {
            append.blobs.iter().find(|(known, _)| known == id).map(|(_, json)| json.clone()).unwrap()
        }
    };
    append.events.iter().map(|row| Event::read(&json(&row.body)).unwrap()).collect()
}

pub(super) fn send(id: &str, words: &str) -> SendMessage {
    let (id, content) = (MessageId(id.into()), [Block::text(words)].into());
    SendMessage { id, kind: MessageKind::User, content }
}

pub(super) fn text(words: &str) -> Answer {
    Answer::Block(Block::text(words))
}

pub(super) fn wish(tool: &str) -> Answer {
    let (provider_id, name) = (Some("toolcall-0".into()), tool.into());
    Answer::Call { provider_id, name, input: Arc::new(json!({ "n": 1, "a": "\u{1f512} \"x\"" })) }
}

pub(super) fn answered(step: u64, content: Vec<Answer>) -> ModelAnswered {
    again(step, 1, content)
}

/// An answer at a later attempt of the step.
pub(super) fn again(step: u64, attempt: u32, content: Vec<Answer>) -> ModelAnswered {
    let usage = Usage { input: 10, output: 5, ..Usage::default() };
    let (stop, cost) = (StopReason::EndTurn, Usd::from_picos(1_000_000));
    ModelAnswered { step, attempt, content, stop, usage, cost }
}

pub(super) fn judged(call: CallId, judgement: Judgement) -> Judged {
    let approval = ApprovalId::from_parts(call.step, &[u8::try_from(call.index).unwrap(); 10]);
    Judged { call, policy: "p1".into(), judgement, approval, expires_at: None }
}

pub(super) fn gave(call: CallId, words: &str) -> ToolFinished {
    let result = ToolResult { content: [Block::text(words)].into(), is_error: false };
    ToolFinished { call, attempt: 1, result, spent: None }
}

pub(super) fn allowed(call: CallId) -> Decide {
    let (subject, by, scope) = (Subject::Call(call), "ann".into(), ApprovalScope::Once);
    Decide { subject, ruling: Ruling::Allow, by, scope, note: None, arguments: None }
}
