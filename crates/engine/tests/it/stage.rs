//! One agent with its log, as a runtime keeps them; every step checks that the log is the agent.

use std::sync::Arc;
use std::time::Duration;

use seawall_engine::{
    Agent, AgentState, Answer, ApprovalScope, Authority, Block, Breakpoint, CallId, CallState, Claim,
    Command, Config, Decide, Decision, Effect, EffectClass, Event, Judged, Judgement, Message, MessageId,
    MessageKind, ModelAnswered, NewAgent, Refused, Ruling, SendMessage, StopReason, Subject, ToolFinished,
    ToolResult, ToolSpec, create, decide, project,
};
use seawall_types::{ApprovalId, RunId, Timestamp, Usage, Usd};
use serde_json::{Value, json};

pub(crate) const START: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

pub(crate) struct Stage {
    pub(crate) agent: Agent,
    pub(crate) log: Vec<Event>,
    pub(crate) epoch: u64,
    pub(crate) now: Timestamp,
}

/// A template with one tool of each class, named after it.
pub(crate) fn config() -> Config {
    let classes = [
        ("pure", EffectClass::Pure),
        ("idempotent", EffectClass::Idempotent),
        ("keyed", EffectClass::Keyed),
        ("reconcilable", EffectClass::Reconcilable),
        ("unsafe", EffectClass::Unsafe),
    ];
    let spec = |effect| ToolSpec { effect, timeout: Duration::from_secs(60), ..ToolSpec::default() };
    let tools = classes.into_iter().map(|(name, effect)| (name.into(), spec(effect))).collect();
    Config { template: "test".into(), tools: Arc::new(tools), ..Config::default() }
}

/// The same with permissions as they are written.
pub(crate) fn permitted(permission: &Value) -> Config {
    Config { permission: serde_json::from_value(permission.clone()).unwrap(), ..config() }
}

pub(crate) fn run() -> RunId {
    RunId::from_parts(1, &[1; 10])
}

pub(crate) fn approval(number: u8) -> ApprovalId {
    ApprovalId::from_parts(1, &[number; 10])
}

pub(crate) fn call(step: u64, index: u32) -> CallId {
    CallId { step, index }
}

pub(crate) fn send(id: &str, text: &str) -> SendMessage {
    let (id, content) = (MessageId(id.into()), [Block::text(text)].into());
    SendMessage { id, kind: MessageKind::User, content }
}

pub(crate) fn text(words: &str) -> Answer {
    Answer::Block(Block::text(words))
}

pub(crate) fn wish(tool: &str) -> Answer {
    Answer::Call {
        provider_id: Some("toolcall-0".into()),
        name: tool.into(),
        input: Arc::new(json!({"n": 1})),
    }
}

pub(crate) fn answered(step: u64, attempt: u32, content: Vec<Answer>) -> ModelAnswered {
    let usage = Usage { input: 10, output: 5, ..Usage::default() };
    ModelAnswered {
        step,
        attempt,
        content,
        stop: StopReason::EndTurn,
        usage,
        cost: Usd::from_picos(1_000_000),
    }
}

pub(crate) fn judged(call: CallId, judgement: Judgement) -> Judged {
    let number = u8::try_from((call.step * 16 + u64::from(call.index)) % 251).unwrap();
    Judged { call, policy: "p1".into(), judgement, approval: approval(number), expires_at: None }
}

pub(crate) fn gave(call: CallId, attempt: u32, words: &str) -> ToolFinished {
    let result = ToolResult { content: [Block::text(words)].into(), is_error: false };
    ToolFinished { call, attempt, result, spent: None }
}

pub(crate) fn said(call: CallId, ruling: Ruling) -> Decide {
    let (subject, by) = (Subject::Call(call), "ann".into());
    Decide { subject, ruling, by, scope: ApprovalScope::Once, note: None, arguments: None }
}

impl Stage {
    pub(crate) fn new(config: Config) -> Self {
        let new = NewAgent { id: "a".parse().unwrap(), run: run(), config };
        let log = create(new, START).unwrap().events;
        let mut stage = Self { agent: Agent::fold(&log).unwrap(), log, epoch: 0, now: START };
        stage.claim();
        stage
    }

    /// An agent that was sent a message, at its first model call.
    pub(crate) fn asked(config: Config) -> Self {
        let mut stage = Self::new(config);
        stage.give(send("m1", "go"));
        stage
    }

    /// An agent whose model wants these tools.
    pub(crate) fn wanting(config: Config, tools: &[&str]) -> Self {
        let mut stage = Self::asked(config);
        stage.give(answered(1, 1, tools.iter().map(|tool| wish(tool)).collect()));
        stage
    }

    /// The same with all of them begun.
    pub(crate) fn running(config: Config, tools: &[&str]) -> Self {
        let mut stage = Self::wanting(config, tools);
        for index in 1..=u32::try_from(tools.len()).unwrap() {
            stage.give(judged(call(1, index), Judgement::Proceed));
        }
        stage
    }

    /// As after `kill -9` of whoever had it.
    pub(crate) fn claim(&mut self) -> Vec<Effect> {
        self.agent = Agent::fold(&self.log).unwrap();
        self.epoch += 1;
        self.give(Claim { owner: format!("worker-{}", self.epoch).into() })
    }

    pub(crate) fn give(&mut self, command: impl Into<Command>) -> Vec<Effect> {
        self.attempt(command).unwrap()
    }

    pub(crate) fn refuse(&mut self, command: impl Into<Command>) -> Refused {
        let before = self.agent.clone();
        let refused = self.attempt(command).unwrap_err();
        assert_eq!(self.agent, before, "a refusal changes nothing");
        assert!(!matches!(refused, Refused::Fault(_)), "{refused}");
        refused
    }

    pub(crate) fn attempt(&mut self, command: impl Into<Command>) -> Result<Vec<Effect>, Refused> {
        self.now = self.now.saturating_add(Duration::from_secs(1));
        let decision = decide(&self.agent, command, Authority::Holder { epoch: self.epoch }, self.now)?;
        Ok(self.take(decision))
    }

    /// What an API without a lease does.
    pub(crate) fn outside(&mut self, command: impl Into<Command>) -> Result<Vec<Effect>, Refused> {
        let decision = decide(&self.agent, command, Authority::Outsider, self.now)?;
        Ok(self.take(decision))
    }

    fn take(&mut self, decision: Decision) -> Vec<Effect> {
        for event in decision.events {
            self.agent.apply(&event).unwrap();
            assert_eq!(self.agent.seq(), event.last_seq());
            assert_eq!(project(&event).last().unwrap().bookmark.seq, event.last_seq());
            self.log.push(event);
        }
        let folded = Agent::fold(&self.log).unwrap();
        assert_eq!(folded, self.agent.clone().settle(), "the log is the agent");
        decision.effects
    }

    pub(crate) fn state(&self) -> (AgentState, Breakpoint) {
        let status = self.agent.status();
        (status.state, status.breakpoint)
    }

    /// The kinds of the last events.
    pub(crate) fn last_kinds(&self, count: usize) -> Vec<&'static str> {
        let skipped = self.log.len() - count;
        self.log.iter().skip(skipped).map(|event| event.fact.kind()).collect()
    }

    pub(crate) fn call_state(&self, id: CallId) -> CallState {
        self.agent.call(id).unwrap().state
    }

    /// The results in the last message of the history.
    pub(crate) fn results(&self) -> Vec<String> {
        let last = Arc::clone(self.agent.history().newest_first().next().unwrap());
        last.content.iter().filter_map(|block| Some(words(block)?.to_owned())).collect()
    }

    pub(crate) fn roles_and_words(&self) -> Vec<String> {
        self.agent.history().iter().map(|message| words_of(message)).collect()
    }
}

fn words(result: &Block) -> Option<&str> {
    let Block::ToolResult { content, .. } = result else { return None };
    match content.first() {
        Some(Block::Text { text }) => Some(text),
        _ => Some(""),
    }
}

fn words_of(message: &Message) -> String {
    let words = |block: &Block| match block {
        Block::Text { text } => text.to_string(),
        Block::ToolUse { id, .. } => format!("+{id}"),
        Block::ToolResult { tool_use_id, .. } => format!("-{tool_use_id}"),
        other => format!("{other:?}"),
    };
    message.content.iter().map(words).collect::<Vec<_>>().join(" ")
}
