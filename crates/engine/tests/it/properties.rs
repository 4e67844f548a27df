//! Whatever is commanded in whatever order, and wherever a process dies: the promises hold.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use seawall_engine::{
    Agent, Answer, Approval, ApprovalScope, Authority, Block, CallId, CallState, Claim, Command, Compress,
    Compressed, Config, Context, Decide, Effect, EffectClass, Event, Fact, FailureClass, Found, History,
    Interrupt, Judged, Judgement, ModelFailed, ModelFailure, NewAgent, NewFork, OnInDoubt, Part, Plan,
    Reconciled, Refused, Resolution, Resolve, Reviewed, Ruling, SetSchedule, StreamKind, Streamed, Subject,
    ToolFinished, ToolResult, ToolSpec, ToolUnreached, Trigger, Unschedule, Wake, create, decide, fork,
    idempotency_key, outstanding, project,
};
use seawall_types::{Amount, Usd};

use crate::stage::{START, answered, approval, config, run, send, text};

/// What happens next. Where it needs an effect it takes the n-th that is outstanding.
#[derive(Debug, Clone, Copy)]
enum Act {
    Send,
    /// Answers an effect, well or badly.
    Answer {
        which: usize,
        how: u8,
    },
    Interrupt,
    Decide {
        allow: bool,
        edited: bool,
        scope: u8,
    },
    Wake,
    Resolve {
        done: bool,
    },
    Compress,
    Schedule {
        kind: u8,
    },
    Stream {
        whole: bool,
    },
    /// Kill the process after this many events of the next decision got into the log, and take the agent up again.
    Crash {
        kept: usize,
    },
    /// Kill it between two decisions; pieces of answers are lost or not.
    Claim {
        pieces_lost: bool,
    },
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        3 => Just(Act::Send),
        14 => (0..4_usize, any::<u8>()).prop_map(|(which, how)| Act::Answer { which, how }),
        1 => Just(Act::Interrupt),
        3 => (any::<bool>(), any::<bool>(), 0..3_u8)
            .prop_map(|(allow, edited, scope)| Act::Decide { allow, edited, scope }),
        1 => Just(Act::Wake),
        1 => any::<bool>().prop_map(|done| Act::Resolve { done }),
        1 => Just(Act::Compress),
        1 => (0..3_u8).prop_map(|kind| Act::Schedule { kind }),
        3 => any::<bool>().prop_map(|whole| Act::Stream { whole }),
        2 => (0..6_usize).prop_map(|kept| Act::Crash { kept }),
        1 => any::<bool>().prop_map(|pieces_lost| Act::Claim { pieces_lost }),
    ];
    proptest::collection::vec(act, 1..120)
}

fn template(parks: bool) -> Config {
    let mut tools = (*config().tools).clone();
    tools.insert("hooked".into(), ToolSpec { post_hook: true, ..ToolSpec::default() });
    let on_in_doubt = if parks { OnInDoubt::Park } else { OnInDoubt::Seal };
    let context = Context { compress_at: Some(15), keep: 4 };
    Config { tools: Arc::new(tools), on_in_doubt, context, ..config() }
}

/// The world around one agent: it remembers what it was told and what it was asked to do.
struct World {
    agent: Agent,
    log: Vec<Event>,
    epoch: u64,
    now: seawall_types::Timestamp,
    sent: u64,
    acknowledged: Vec<Arc<str>>,
    /// Numbers that a client has seen.
    seen: BTreeSet<u64>,
    /// Every beginning of a call that was performed.
    runs: Vec<(CallId, u32)>,
    questions: u8,
    cut: Option<usize>,
}

impl World {
    fn new(parks: bool) -> Self {
        let new = NewAgent { id: "a".parse().unwrap(), run: run(), config: template(parks) };
        let log = create(new, START).unwrap().events;
        let agent = Agent::fold(&log).unwrap();
        let mut world = Self {
            agent,
            log: Vec::new(),
            epoch: 0,
            now: START,
            sent: 0,
            acknowledged: Vec::new(),
            seen: BTreeSet::new(),
            runs: Vec::new(),
            questions: 0,
            cut: None,
        };
        world.tell(&log);
        world.log = log;
        world.claim();
        world
    }

    fn tell(&mut self, events: &[Event]) {
        for event in events {
            for face in project(event) {
                assert!(self.seen.insert(face.bookmark.seq), "number {} was given twice", face.bookmark.seq);
            }
        }
    }

    fn claim(&mut self) {
        self.agent = Agent::fold(&self.log).unwrap();
        self.epoch += 1;
        self.command(Claim { owner: format!("w{}", self.epoch).into() });
    }

    /// Gives a command; a refusal is fine, a fault is not.
    fn command(&mut self, command: impl Into<Command>) {
        self.now = self.now.saturating_add(Duration::from_secs(1));
        let holder = Authority::Holder { epoch: self.epoch };
        let command = command.into();
        let spent = self.agent.spent().saturating_add(spent_by(&command));
        let decision = match decide(&self.agent, command, holder, self.now) {
            Ok(decision) => decision,
            Err(Refused::Fault(fault)) => panic!("{fault}"),
            Err(_) => return,
        };
        if let Some(kept) = self.cut.take() {
            // The process died while it wrote: nobody was told, nothing was performed.
            self.log.extend(decision.events.into_iter().take(kept));
            return self.claim();
        }
        for event in &decision.events {
            self.agent.apply(event).unwrap();
        }
        assert_eq!(self.agent.spent(), spent, "what answers have cost is counted, once");
        self.tell(&decision.events);
        self.acknowledge(&decision.events);
        self.log.extend(decision.events);
        self.perform(&decision.effects);
        self.check();
    }

    fn acknowledge(&mut self, events: &[Event]) {
        for event in events {
            if let Fact::MessageReceived { content, .. } = &event.fact
                && let Some(Block::Text { text }) = content.first()
            {
                self.acknowledged.push(Arc::clone(text));
            }
        }
    }

    fn perform(&mut self, effects: &[Effect]) {
        for effect in effects {
            match effect {
                Effect::CallModel { messages, .. } => assert_paired(messages),
                Effect::RunTool { call, attempt, key, .. } => {
                    assert_eq!(*key, idempotency_key(run(), *call));
                    assert!(!self.runs.contains(&(*call, *attempt)), "an attempt is performed once");
                    self.runs.push((*call, *attempt));
                }
                _ => {}
            }
        }
    }

    fn check(&self) {
        let folded = Agent::fold(&self.log).unwrap();
        assert_eq!(folded, self.agent.clone().settle(), "the log is the agent");
        let lasting = self.log.iter().filter(|event| !event.expires());
        assert_eq!(Agent::fold(lasting).unwrap(), folded, "pieces that expire leave nothing behind");
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Send => {
                self.sent += 1;
                let words = format!("message {}", self.sent);
                self.command(send(&words, &words));
            }
            Act::Answer { which, how } => self.answer(which, how),
            Act::Interrupt => self.command(Interrupt { by: "ann".into(), note: None }),
            Act::Decide { allow, edited, scope } => self.decide(allow, edited, scope),
            Act::Wake => {
                self.now = self.now.saturating_add(Duration::from_secs(100));
                self.command(Wake);
            }
            Act::Resolve { done } => self.resolve(done),
            Act::Compress => self.command(Compress),
            Act::Schedule { kind } => {
                let at = self.now.saturating_add(Duration::from_secs(50));
                let spec = "* * * * *".into();
                let triggers = [Trigger::Steps { every: 2 }, Trigger::Time { at }, Trigger::Cron { spec }];
                let trigger = triggers[usize::from(kind)].clone();
                self.command(SetSchedule { id: kind.to_string().into(), trigger, text: "mind".into() });
            }
            Act::Stream { whole } => self.stream(whole),
            Act::Crash { kept } => self.cut = Some(kept),
            Act::Claim { pieces_lost } => {
                self.log.retain(|event| !pieces_lost || !event.expires());
                self.claim();
            }
        }
    }

    fn decide(&mut self, allow: bool, edited: bool, scope: u8) {
        // A call that was stopped keeps its question undecided: who dies while it stops several leaves such a one first.
        let waits = |call: &&seawall_engine::Call| call.state == CallState::ApprovalRequired;
        let open = |asked: &&Approval| asked.decided.is_none();
        let mut asked = self.agent.calls().iter().filter(waits).filter_map(|call| call.approval.as_ref());
        let Some(asked) = asked.find(open) else { return };
        let scopes = [ApprovalScope::Once, ApprovalScope::Run, ApprovalScope::Arguments];
        self.command(Decide {
            subject: Subject::Approval(asked.id),
            ruling: if allow { Ruling::Allow } else { Ruling::Deny },
            by: "ann".into(),
            scope: scopes[usize::from(scope)],
            note: None,
            arguments: (edited && allow).then(|| Arc::new(serde_json::json!({"edited": true}))),
        });
    }

    fn resolve(&mut self, done: bool) {
        let in_doubt = |call: &&seawall_engine::Call| call.state == CallState::InDoubt;
        let Some(call) = self.agent.calls().iter().find(in_doubt).map(|call| call.id) else { return };
        let resolution = if done { Resolution::Done { result: result(false) } } else { Resolution::NotDone };
        self.command(Resolve { call, resolution, by: "ann".into(), note: "looked".into() });
    }

    fn stream(&mut self, whole: bool) {
        let Some((_, Effect::CallModel { step, attempt, .. })) = outstanding(&self.agent)
            .into_iter()
            .find(|(_, effect)| matches!(effect, Effect::CallModel { .. }))
        else {
            return;
        };
        let part = if whole {
            Part::Whole(Block::text("said"))
        } else {
            Part::Delta { stream: StreamKind::Text, text: "sa".into() }
        };
        self.command(Streamed { step, attempt, part });
    }

    fn answer(&mut self, which: usize, how: u8) {
        let open = outstanding(&self.agent);
        let Some((_, effect)) = open.get(which % open.len().max(1)).cloned() else { return };
        match effect {
            Effect::CallModel { step, attempt, .. } => self.speak(step, attempt, how),
            Effect::Judge { call, .. } => {
                self.questions = self.questions.wrapping_add(1);
                let judgement = match how % 8 {
                    0 => Judgement::Deny { code: seawall_types::Code::CmdForbidden, message: "no".into() },
                    1 => Judgement::Answer { result: result(false) },
                    2 | 3 => Judgement::Ask { summary: "why".into() },
                    4 => Judgement::Unreached { result: result(true) },
                    _ => Judgement::Proceed,
                };
                let expires_at = (how > 128).then(|| self.now.saturating_add(Duration::from_secs(20)));
                let policy = if how % 16 == 3 { "p2" } else { "p1" }.into();
                let approval = approval(self.questions);
                self.command(Judged { call, policy, judgement, approval, expires_at });
            }
            Effect::RunTool { call, attempt, .. } if how % 7 == 3 => {
                self.command(ToolUnreached { call, attempt, result: result(true) });
            }
            Effect::RunTool { call, attempt, .. } => {
                self.command(ToolFinished {
                    call,
                    attempt,
                    result: result(how.is_multiple_of(5)),
                    spent: cost(how),
                });
            }
            Effect::Reconcile { call, attempt, .. } => {
                let found = match how % 3 {
                    0 => Found::Done { result: result(false) },
                    1 => Found::NotDone,
                    _ => Found::Unknown,
                };
                self.command(Reconciled { call, attempt, found });
            }
            Effect::Review { call, .. } => {
                self.command(Reviewed { call, result: how.is_multiple_of(2).then(|| result(true)) });
            }
            Effect::Compress { id, .. } => {
                let summary = if how.is_multiple_of(3) { Err("no".into()) } else { Ok("sum".into()) };
                self.command(Compressed { id, summary, spent: cost(how) });
            }
            Effect::PlanSchedule { id, .. } => {
                let next = (!how.is_multiple_of(4)).then(|| self.now.saturating_add(Duration::from_secs(30)));
                self.command(Plan { id, next });
            }
            Effect::AskApproval { .. }
            | Effect::WakeAt { .. }
            | Effect::Deliver { .. }
            | Effect::WatchFiles { .. }
            | Effect::Abort { .. } => {}
        }
    }

    fn speak(&mut self, step: u64, attempt: u32, how: u8) {
        const TOOLS: [&str; 7] =
            ["pure", "idempotent", "keyed", "reconcilable", "unsafe", "hooked", "invented"];
        if how.is_multiple_of(11) {
            let class =
                if how.is_multiple_of(2) { FailureClass::ContextLength } else { FailureClass::Unavailable };
            let failure = ModelFailure { class, message: "no".into() };
            return self.command(ModelFailed { step, attempt, failure, spent: cost(how) });
        }
        let mut content = Vec::new();
        // What was streamed whole has to be in the answer; how often that was is not known from outside.
        let streamed =
            self.log.iter().rev().take_while(|event| !matches!(event.fact, Fact::StepStarted { .. }));
        let current = streamed.take_while(|event| !matches!(event.fact, Fact::AgentResumed { .. }));
        let whole =
            current.filter(|event| matches!(event.fact, Fact::StreamClosed { block: Some(_), .. })).count();
        content.extend(std::iter::repeat_n(text("said"), whole.max(1)));
        let calls = usize::from(how % 4);
        content.extend(TOOLS.iter().cycle().skip(usize::from(how)).take(calls).map(|tool| Answer::Call {
            provider_id: None,
            name: (*tool).into(),
            input: Arc::new(serde_json::json!({"n": how % 2})),
        }));
        self.command(answered(step, attempt, content));
    }

    /// Lets everything end: answers what is open until nothing is.
    fn finish(&mut self) {
        let schedules: Vec<_> = self.agent.schedules().keys().cloned().collect();
        for id in schedules {
            self.command(Unschedule { id });
        }
        for round in 0..300_u32 {
            let how = u8::try_from(round % 200).unwrap().max(4);
            self.decide(true, false, 0);
            self.resolve(true);
            // Who is too late to decide is told so; the time does it.
            self.command(Wake);
            let model = |effect: &Effect| match effect {
                Effect::CallModel { step, attempt, .. } => Some((*step, *attempt)),
                _ => None,
            };
            let open = outstanding(&self.agent);
            if open.is_empty() && !self.agent.calls().iter().any(|call| !call.state.is_settled()) {
                return;
            }
            if let Some((step, attempt)) = open.iter().find_map(|(_, effect)| model(effect)) {
                self.speak(step, attempt, 4);
            } else {
                self.answer(usize::try_from(round).unwrap(), if how.is_multiple_of(8) { 5 } else { how });
            }
        }
    }
}

fn result(is_error: bool) -> ToolResult {
    ToolResult { content: [Block::text("gave")].into(), is_error }
}

/// What an answer has cost, if it says.
fn cost(how: u8) -> Option<Amount> {
    let amount = Amount { usd: Usd::from_picos(u128::from(how)), tokens: how.into() };
    (!how.is_multiple_of(3)).then_some(amount)
}

fn spent_by(command: &Command) -> Amount {
    match command {
        Command::ModelAnswered(answered) => Amount { usd: answered.cost, tokens: answered.usage.total() },
        Command::ModelFailed(ModelFailed { spent, .. })
        | Command::Compressed(Compressed { spent, .. })
        | Command::ToolFinished(ToolFinished { spent, .. }) => spent.unwrap_or_default(),
        _ => Amount::ZERO,
    }
}

/// The rule of every provider: each wish has exactly one result, in the next message, and no result is without a wish.
fn assert_paired(messages: &History) {
    let mut open: Vec<CallId> = Vec::new();
    let mut all = BTreeSet::new();
    for message in messages.iter() {
        let results: Vec<_> = message.content.iter().filter_map(result_of).collect();
        assert_eq!(results, open, "the message after the wishes has their results and no others");
        open = message.content.iter().filter_map(wish_of).collect();
        assert!(open.iter().all(|call| all.insert(*call)), "two wishes have one name");
    }
    assert!(open.is_empty(), "a model is asked before all results are there");
}

fn result_of(block: &Block) -> Option<CallId> {
    if let Block::ToolResult { tool_use_id, .. } = block { Some(*tool_use_id) } else { None }
}

fn wish_of(block: &Block) -> Option<CallId> {
    if let Block::ToolUse { id, .. } = block { Some(*id) } else { None }
}

/// Every beginning of a call after the first follows from something that allows it.
fn assert_no_blind_repetition(log: &[Event]) {
    for (at, event) in log.iter().enumerate() {
        let Fact::ToolStarted { call, attempt, effect, .. } = &event.fact else { continue };
        let before = log.iter().take(at).rev();
        let earlier = before.take_while(|event| !matches!(event.fact, Fact::StepStarted { .. }));
        let told_undone = |event: &Event| match &event.fact {
            Fact::ToolResolved { call: told, resolution: Resolution::NotDone, .. } => told.id == call.id,
            _ => false,
        };
        let may = *attempt == 1 || *effect != EffectClass::Unsafe || earlier.clone().any(told_undone);
        assert!(may, "{} was run again blindly", call.id);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn nothing_acknowledged_is_lost_and_nothing_is_done_twice_blindly(acts in acts(), parks in any::<bool>()) {
        let mut world = World::new(parks);
        for act in acts {
            world.act(act);
        }
        world.cut = None;
        world.claim();
        world.finish();
        assert_no_blind_repetition(&world.log);
        // Messages are in the history, or wait, or a summary has taken their place.
        let delivered: Vec<_> = received(&world.log);
        for words in &world.acknowledged {
            prop_assert!(delivered.contains(words), "{words} was acknowledged and is gone");
        }
        let idle = outstanding(&world.agent).into_iter().all(|(_, effect)| matches!(effect, Effect::WakeAt { .. }));
        prop_assert!(idle, "what is answered comes to an end: {:?}", outstanding(&world.agent));
        assert_paired(world.agent.history());
    }

    #[test]
    fn whoever_takes_an_agent_up_finds_all_that_is_to_be_done(acts in acts()) {
        let mut world = World::new(false);
        for act in acts {
            world.act(act);
            let holder = Authority::Holder { epoch: world.epoch + 1 };
            let folded = Agent::fold(&world.log).unwrap();
            let taken = decide(&folded, Claim { owner: "next".into() }, holder, world.now).unwrap();
            let mut next = folded;
            taken.events.iter().for_each(|event| next.apply(event).unwrap());
            let all: Vec<_> = outstanding(&next).into_iter().map(|(_, effect)| effect).collect();
            prop_assert_eq!(all, taken.effects);
            prop_assert!(next.calls().iter().all(|call| !call.is_lost || call.effect == Some(EffectClass::Reconcilable)));
        }
    }

    #[test]
    fn a_fork_at_any_time_has_a_history_that_can_be_sent(acts in acts()) {
        let mut world = World::new(true);
        for act in acts {
            world.act(act);
            let new = NewFork { id: "b".parse().unwrap(), run: run(), config: None };
            let decision = fork(&world.agent, new, world.now).unwrap();
            let child = Agent::fold(&decision.events).unwrap();
            assert_paired(child.history());
        }
    }
}

/// What the log has of messages.
fn received(log: &[Event]) -> Vec<Arc<str>> {
    let text = |event: &Event| match &event.fact {
        Fact::MessageReceived { content, .. } => match content.first() {
            Some(Block::Text { text }) => Some(Arc::clone(text)),
            _ => None,
        },
        _ => None,
    };
    log.iter().filter_map(text).collect()
}
