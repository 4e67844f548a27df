//! Agents to which anything happens in any order: what to do next is drawn by lot, from a seed.

use std::time::Duration;

use seawall_engine::{
    AgentId, ApprovalScope, Authority, Block, Call, CallState, Command, Compress, Compressed, Config,
    Context, Decide, Effect, EffectKey, Found, Interrupt, Judged, Judgement, Part, Plan, Reconciled,
    Resolution, Resolve, Reviewed, Ruling, SetSchedule, SetTodos, StreamKind, Streamed, Subject,
    TakeSnapshot, Todo, TodoStatus, ToolFinished, ToolResult, Trigger, Wake, decide, outstanding,
};
use seawall_types::{ApprovalId, Code};

use super::Opened;
use super::stage::{LEASE, Stage, again, beginning, config, owner, send, text, wish};
use crate::agents::{Appended, INLINE};

/// An agent and what is drawn for it.
pub(super) struct Walk {
    pub(super) stage: Stage,
    lots: fastrand::Rng,
    sent: u64,
    questions: u64,
    workers: u64,
    name: String,
}

impl Walk {
    pub(super) async fn new(opened: &Opened, seed: u64) -> Self {
        let context = Context { compress_at: Some(15), keep: 4 };
        let config = Config { context, ..config() };
        let name = format!("walk-{seed}");
        let (now, worker) = (opened.time.now().await, format!("{name}-0"));
        let mut stage = Stage::unclaimed(opened, beginning(&name, owner("t"), config, now)).await;
        stage.claim(&worker).await;
        Self { stage, lots: fastrand::Rng::with_seed(seed), sent: 0, questions: 0, workers: 0, name }
    }

    /// Does something.
    pub(super) async fn step(&mut self, opened: &Opened) {
        match self.lots.u8(..24) {
            0 => self.send_outside().await,
            1 => self.take_over(opened).await,
            lot => {
                let command = self.draw(lot);
                self.attempt(command).await;
            }
        }
    }

    /// Gives a command, if it may be given now.
    async fn attempt(&mut self, command: Option<Command>) {
        let Some(command) = command else { return };
        let authority = Authority::Holder { epoch: self.stage.epoch };
        let is_fine = decide(self.stage.agent(), command.clone(), authority, self.stage.now);
        if is_fine.is_ok() {
            self.stage.give(command).await;
        }
    }

    async fn send_outside(&mut self) {
        let words = self.words();
        let name = self.sent.to_string();
        if self.stage.agent().queued().len() < 5 {
            assert_eq!(self.stage.give_outside(send(&name, &words)).await, Appended::Done);
        }
    }

    /// Its worker dies, and another one takes it up.
    async fn take_over(&mut self, opened: &Opened) {
        opened.time.pass(LEASE * 2).await;
        self.workers += 1;
        let worker = format!("{}-{}", self.name, self.workers);
        self.stage.claim(&worker).await;
    }

    fn words(&mut self) -> String {
        self.sent += 1;
        let length = if self.lots.u8(..40) == 0 { INLINE } else { self.lots.usize(1..200) };
        "w\u{1f512}".repeat(length / 5 + 1)
    }

    fn draw(&mut self, lot: u8) -> Option<Command> {
        let at = self.stage.now.saturating_add(Duration::from_millis(self.lots.u64(1..20)));
        Some(match lot {
            2 | 3 => {
                let words = self.words();
                send(&self.sent.to_string(), &words).into()
            }
            4 => Interrupt { by: "ann".into(), note: None }.into(),
            5 => Compress.into(),
            6 => TakeSnapshot { id: format!("s{}", self.stage.kept.seq()).into(), label: None }.into(),
            7 => Wake.into(),
            8 => SetSchedule {
                id: "s".into(),
                trigger: if self.lots.bool() { Trigger::Time { at } } else { Trigger::Steps { every: 2 } },
                text: "mind".into(),
            }
            .into(),
            9 => {
                let (id, title, status) = ("t".into(), "do it".into(), TodoStatus::Pending);
                let todo = Todo { id, title, status, assignee: None, notes: None };
                SetTodos { todos: [todo].into() }.into()
            }
            10 => self.decide()?.into(),
            11 => self.resolve()?.into(),
            12 => self.stream()?.into(),
            _ => return self.answer(),
        })
    }

    fn decide(&mut self) -> Option<Decide> {
        let open = self.stage.agent().calls().iter().filter_map(|call| call.approval.as_ref());
        let asked = open.filter(|asked| asked.decided.is_none()).map(|asked| asked.id).next()?;
        let ruling = if self.lots.bool() { Ruling::Allow } else { Ruling::Deny };
        let (by, scope) = ("ann".into(), ApprovalScope::Arguments);
        Some(Decide { subject: Subject::Approval(asked), ruling, by, scope, note: None, arguments: None })
    }

    fn resolve(&self) -> Option<Resolve> {
        let in_doubt = |call: &&Call| call.state == CallState::InDoubt;
        let call = self.stage.agent().calls().iter().find(in_doubt)?.id;
        let (by, note) = ("ann".into(), "looked".into());
        Some(Resolve { call, resolution: Resolution::NotDone, by, note })
    }

    fn stream(&mut self) -> Option<Streamed> {
        let open = outstanding(self.stage.agent());
        let (step, attempt) = open.into_iter().find_map(|(key, _)| match key {
            EffectKey::Model(step, attempt) => Some((step, attempt)),
            _ => None,
        })?;
        Some(Streamed { step, attempt, part: Part::Delta { stream: StreamKind::Text, text: "sa".into() } })
    }

    fn answer(&mut self) -> Option<Command> {
        let open = outstanding(self.stage.agent());
        let (_, effect) = self.lots.choice(open)?;
        let result = || ToolResult { content: [Block::text("gave")].into(), is_error: false };
        Some(match effect {
            Effect::CallModel { step, attempt, .. } => {
                let tools = ["pure", "keyed", "unsafe", "invented"];
                let count = self.lots.usize(..3);
                let wishes = self.lots.choose_multiple(tools, count);
                let said = std::iter::once(text("said"));
                again(step, attempt, said.chain(wishes.into_iter().map(wish)).collect()).into()
            }
            Effect::Judge { call, .. } => {
                self.questions += 1;
                let judgement = match self.lots.u8(..6) {
                    0 => Judgement::Deny { code: Code::CmdForbidden, message: "no".into() },
                    1 | 2 => Judgement::Ask { summary: "why".into() },
                    _ => Judgement::Proceed,
                };
                let expires_at = Some(self.stage.now.saturating_add(Duration::from_millis(10)));
                let approval = ApprovalId::from_parts(self.questions, &[7; 10]);
                Judged { call, policy: "p".into(), judgement, approval, expires_at }.into()
            }
            Effect::RunTool { call, attempt, .. } => {
                ToolFinished { call, attempt, result: result(), spent: None }.into()
            }
            Effect::Reconcile { call, attempt, .. } => {
                Reconciled { call, attempt, found: Found::NotDone }.into()
            }
            Effect::Review { call, .. } => Reviewed { call, result: None }.into(),
            Effect::Compress { id, .. } => Compressed { id, summary: Ok("sum".into()), spent: None }.into(),
            Effect::PlanSchedule { id, .. } => Plan { id, next: None }.into(),
            Effect::AskApproval { .. }
            | Effect::WakeAt { .. }
            | Effect::Deliver { .. }
            | Effect::WatchFiles { .. }
            | Effect::Abort { .. } => return None,
        })
    }
}

/// An agent to which so much has happened, drawn from a seed. For tests that need one.
pub async fn life(opened: &Opened, seed: u64, steps: u32) -> AgentId {
    let mut walk = Walk::new(opened, seed).await;
    for _ in 0..steps {
        walk.step(opened).await;
    }
    walk.stage.id().clone()
}
