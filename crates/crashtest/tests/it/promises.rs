//! The promises, held against the store as it is in the end and against all that witnesses have told.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use seawall_base::clock::SystemClock;
use seawall_engine::{
    Agent, AgentId, Block, Call, CallState, Event, Fact, LimitKind, Message, Role, Ruling, project,
};
use seawall_store::AgentStore;
use seawall_store::agents::{CallQuery, Kept, check_consistency};
use serde_json::Value;

use crate::plan::Plan;
use crate::requests::assert_paired;
use crate::story::{CALLS, LAST_WORDS, STORY, ruling};
use crate::witness::{self, Line};

/// What there is in the end.
pub(crate) struct Found {
    pub(crate) log: Vec<Event>,
    kept: Kept,
    calls: Vec<Call>,
    lives: Vec<Vec<Line>>,
}

/// A name for exactly these events.
pub(crate) fn hash(log: &[Event]) -> String {
    blake3::hash(&serde_json::to_vec(log).unwrap()).to_hex().to_string()
}

/// Checks all of them, for lives that followed one another. Panics with what is broken.
pub(crate) fn assert_kept(plan: &Plan) -> Found {
    all(plan, true)
}

/// The same for lives of which one went on while another one began.
pub(crate) fn assert_kept_beside(plan: &Plan) -> Found {
    all(plan, false)
}

fn all(plan: &Plan, is_one_client: bool) -> Found {
    let threads = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let store = plan.store.open(Arc::new(SystemClock::new()));
    let found = threads.block_on(async {
        let found = Found::read(&*store, &plan.agent.parse().unwrap(), &plan.folder).await;
        store.close().await.unwrap();
        found
    });
    found.assert_numbers();
    found.assert_acknowledged();
    found.assert_told(is_one_client);
    found.assert_tools();
    found.assert_model();
    found.assert_end();
    found
}

impl Found {
    async fn read(store: &dyn AgentStore, id: &AgentId, folder: &Path) -> Self {
        let kept = store.load(id).await.unwrap().unwrap();
        let log = store.events(id, 0, u32::MAX).await.unwrap();
        let calls = CallQuery { agent: Some(id.clone()), most: 1_000, ..CallQuery::default() };
        let calls = store.calls(&calls).await.unwrap().into_iter().map(|row| row.call).collect();
        let checked = check_consistency(store, id).await.unwrap();
        assert!(checked.is_consistent(), "{:?}", checked.issues);
        Self { log, kept, calls, lives: witness::read(folder) }
    }

    fn lines(&self) -> impl Iterator<Item = &Line> {
        self.lives.iter().flatten()
    }

    /// Whether the agent was given up, as it must be when it kills whoever takes it up.
    pub(crate) fn was_given_up(&self) -> bool {
        let is_given_up =
            |event: &Event| matches!(event.fact, Fact::LimitReached { limit: LimitKind::Recoveries, .. });
        self.log.iter().any(is_given_up)
    }

    /// Whether the provider, which begins anew with each process, has refused one step as often as it is asked.
    fn ran_out_of_tries(&self) -> bool {
        const TRIES: usize = 3;
        self.log.iter().any(|event| {
            let Fact::ModelFailed { step, failure, .. } = &event.fact else { return false };
            let is_same =
                |event: &&Event| matches!(&event.fact, Fact::ModelRetried { step: of, .. } if of == step);
            failure.message.contains("503") && self.log.iter().filter(is_same).count() == TRIES
        })
    }

    /// How many events of a kind there are.
    pub(crate) fn count(&self, kind: &str) -> u32 {
        let of_kind = self.log.iter().filter(|event| event.fact.kind() == kind);
        of_kind.count().try_into().unwrap()
    }

    /// How far the call with this number has come.
    pub(crate) fn state_of(&self, number: u64) -> CallState {
        self.calls.iter().find(|call| call.arguments()["n"] == number).unwrap().state
    }

    /// How often somebody began to hold the agent.
    fn claims(&self) -> usize {
        self.log.iter().filter(|event| matches!(event.fact, Fact::AgentClaimed { .. })).count()
    }

    /// Numbers and epochs rise; the fold of the log is what is kept; everybody who has read the log has read the same.
    fn assert_numbers(&self) {
        let mut last = 0;
        for event in &self.log {
            assert!(event.seq > last, "the number {} comes after {last}", event.seq);
            last = event.last_seq();
        }
        assert!(self.log.is_sorted_by_key(|event| event.epoch), "epochs rise");
        assert_eq!(Agent::fold(&self.log).unwrap(), *self.kept.agent());
        for line in self.lines() {
            let Line::Log { seq, hash: read } = line else { continue };
            let same: Vec<_> =
                self.log.iter().take_while(|event| event.last_seq() <= *seq).cloned().collect();
            assert_eq!(hash(&same), *read, "the log up to {seq} was another one");
        }
    }

    /// Every write that the store has acknowledged is in the log as it was written, and so is all that clients were told is
    /// accepted or decided.
    fn assert_acknowledged(&self) {
        let log: BTreeMap<u64, Value> =
            self.log.iter().map(|event| (event.seq, serde_json::to_value(event).unwrap())).collect();
        for line in self.lines() {
            match line {
                Line::Wrote { events, .. } | Line::Found { events } => {
                    for event in events {
                        let seq = event["seq"].as_u64().unwrap();
                        assert_eq!(log.get(&seq), Some(event), "what was written under {seq} is lost");
                    }
                }
                Line::Accepted { message, seq } => self.assert_accepted(message, *seq),
                Line::Decided { call, allowed } => self.assert_decided(call, *allowed),
                _ => {}
            }
        }
        for said in &STORY {
            let is_it =
                |event: &&Event| matches!(&event.fact, Fact::MessageReceived { id, .. } if *id.0 == *said.id);
            assert_eq!(self.log.iter().filter(is_it).count(), 1, "{} was accepted once", said.id);
        }
    }

    fn assert_accepted(&self, message: &str, seq: u64) {
        let event = self.log.iter().find(|event| event.seq == seq);
        let is_it =
            |event: &Event| matches!(&event.fact, Fact::MessageReceived { id, .. } if *id.0 == *message);
        assert!(event.is_some_and(is_it), "{message} was accepted under {seq}: {event:?}");
    }

    fn assert_decided(&self, of: &str, is_allowed: bool) {
        let decided: Vec<_> = self
            .log
            .iter()
            .filter_map(|event| match &event.fact {
                Fact::ApprovalDecided { call, ruling, .. } if call.id.to_string() == of => Some(*ruling),
                _ => None,
            })
            .collect();
        assert_eq!(decided, [if is_allowed { Ruling::Allow } else { Ruling::Deny }], "decided on {of}");
    }

    /// Who comes back with a bookmark is told everything once and in order, and exactly as the log has it.
    fn assert_told(&self, is_one_client: bool) {
        let face =
            |event| project(event).map(|face| (face.bookmark.seq, serde_json::to_string(&face).unwrap()));
        let expected: BTreeMap<u64, String> = self.log.iter().flat_map(face).collect();
        let (mut last, mut all) = (0, BTreeSet::new());
        for life in &self.lives {
            if !is_one_client {
                last = 0;
            }
            for line in life {
                let Line::Told { seq, kind, said } = line else { continue };
                assert!(*seq > last, "{kind} came under {seq} after {last}");
                last = *seq;
                all.insert(*seq);
                match expected.get(seq) {
                    Some(face) => assert_eq!(face, said),
                    // Pieces of an answer expire.
                    None => assert!(kind.ends_with("_chunk"), "{kind} under {seq} is not in the log"),
                }
            }
        }
        let missing: Vec<_> = expected.iter().filter(|(seq, _)| !all.contains(seq)).collect();
        assert!(missing.is_empty(), "never told: {missing:?}");
    }

    /// What ran how often, by the kind of the tool.
    fn assert_tools(&self) {
        let mut keys = BTreeSet::new();
        for call in &self.calls {
            let number = call.arguments()["n"].as_u64().unwrap();
            let (of, state) = (call.id.to_string(), call.state);
            let ran: Vec<_> = self
                .lines()
                .filter_map(|line| match line {
                    Line::Ran { call, key, attempt, .. } if *call == of => Some((key, attempt)),
                    _ => None,
                })
                .collect();
            let times = ran.len();
            let is_known = CALLS.contains(&(number, &*call.name));
            assert!(is_known, "{} {number} was never asked for", call.name);
            let attempts: BTreeSet<_> = ran.iter().map(|(_, attempt)| *attempt).collect();
            assert_eq!(attempts.len(), times, "{of}: each attempt runs once: {ran:?}");
            if let Some((key, _)) = ran.first() {
                assert!(ran.iter().all(|(other, _)| other == key), "{of} ran under several keys: {ran:?}");
                assert!(keys.insert((*key).clone()), "{key} is the key of two calls");
            }
            assert!(call.state.is_settled(), "{of} is {state:?}");
            match &*call.name {
                "pure" | "idempotent" | "keyed" => {
                    assert!(
                        self.was_given_up() || state == CallState::Completed && times >= 1,
                        "{of}: {state:?}"
                    );
                }
                "reconcilable" => {
                    assert!(times <= 1, "{of} took effect {times} times");
                    assert!(
                        self.was_given_up() || state == CallState::Completed && times == 1,
                        "{of}: {state:?}"
                    );
                }
                _ => self.assert_unsafe(call, number, times),
            }
        }
        let all = self.lines().filter(|line| matches!(line, Line::Ran { .. })).count();
        let of_calls = |line: &&Line| matches!(line, Line::Ran { call: of, .. } if self.calls.iter().any(|call| call.id.to_string() == *of));
        assert_eq!(self.lines().filter(of_calls).count(), all, "something ran that nobody asked for");
        self.assert_intents();
    }

    /// Never twice; and what was denied never.
    fn assert_unsafe(&self, call: &Call, number: u64, times: usize) {
        let (of, state) = (call.id, call.state);
        assert!(times <= 1, "{of} is unsafe and ran {times} times");
        let is_asked = &*call.name == "asked";
        if is_asked && ruling(number) == Ruling::Deny {
            // Of an agent that was given up nobody is asked any more.
            let sealed = self.was_given_up() && state == CallState::Sealed;
            assert!(
                times == 0 && (sealed || state == CallState::Denied),
                "{of} was denied: {state:?}, {times} runs"
            );
            return;
        }
        match state {
            CallState::Completed => assert_eq!(times, 1, "{of} did not run and has a result"),
            CallState::Sealed => {}
            _ => panic!("{of} is {state:?}"),
        }
    }

    /// A tool runs only when its intent is durable.
    fn assert_intents(&self) {
        for life in &self.lives {
            let mut begun = BTreeSet::new();
            for line in life {
                match line {
                    Line::Wrote { events, .. } | Line::Found { events } => {
                        for event in events.iter().filter(|event| event["fact"]["kind"] == "tool.started") {
                            let data = &event["fact"]["data"];
                            begun.insert((data["call"]["id"].to_string(), data["attempt"].as_u64()));
                        }
                    }
                    Line::Ran { call, attempt, .. } => {
                        let intent = (format!("\"{call}\""), Some(u64::from(*attempt)));
                        assert!(begun.contains(&intent), "{call} ran before its intent was durable");
                    }
                    _ => {}
                }
            }
        }
    }

    /// What the model saw is paired, and it was asked no more than once for each answer, each holder that was lost, and each
    /// write that came to nothing.
    fn assert_model(&self) {
        let asked: Vec<_> = self
            .lines()
            .filter_map(|line| if let Line::Model { body } = line { Some(body) } else { None })
            .collect();
        asked.iter().for_each(|body| assert_paired(body));
        let answers =
            self.log.iter().filter(|event| matches!(event.fact, Fact::ModelFinished { .. })).count();
        let retried = self.log.iter().filter(|event| matches!(event.fact, Fact::ModelRetried { .. })).count();
        let failed = self.lines().filter(|line| matches!(line, Line::Moved | Line::Refused { .. })).count();
        let most = answers + retried + self.claims() + failed;
        assert!((answers..=most).contains(&asked.len()), "{} calls for {answers} answers", asked.len());
    }

    /// The story was played to its end, and the history has everything in pairs.
    fn assert_end(&self) {
        let failed = self.log.iter().find(|event| matches!(event.fact, Fact::ModelFailed { .. }));
        assert!(failed.is_none() || self.ran_out_of_tries(), "{failed:?}");
        let agent = self.kept.agent();
        assert!(agent.rests() && agent.queued().is_empty());
        let history: Vec<_> = agent.history().iter().collect();
        assert_each_call_is_answered(&history);
        let said = history.last().map(|message| message.content.to_vec());
        let texts = said.into_iter().flatten().filter_map(|block| match block {
            Block::Text { text } => Some(text.to_string()),
            _ => None,
        });
        assert!(self.ran_out_of_tries() || texts.collect::<String>() == LAST_WORDS);
        let numbers: BTreeSet<_> =
            self.calls.iter().filter_map(|call| call.arguments()["n"].as_u64()).collect();
        let all = CALLS.iter().map(|(number, _)| *number).collect();
        assert!(self.was_given_up() || numbers == all, "only {numbers:?} were asked for");
    }
}

fn assert_each_call_is_answered(history: &[&Arc<Message>]) {
    let mut open = BTreeSet::new();
    for message in history {
        for block in &*message.content {
            match block {
                Block::ToolUse { id, .. } => assert!(open.insert(*id), "{id} was called twice"),
                Block::ToolResult { tool_use_id, .. } => {
                    assert!(
                        open.remove(tool_use_id),
                        "{tool_use_id} has a second result, or one without a call"
                    );
                }
                _ => {}
            }
        }
        assert!(message.role == Role::Assistant || open.is_empty(), "without a result: {open:?}");
    }
    assert!(open.is_empty(), "without a result: {open:?}");
}
