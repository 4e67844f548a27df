//! What a report says, gathered from a run's lines in one pass.

mod gather;

use std::collections::{BTreeMap, VecDeque};

use seawall_types::{ActionId, RunId, Timestamp, Usd};
use serde::Serialize;

pub use self::gather::summarise;
use super::Latency;
use crate::verify;

/// A run in a page.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Summary {
    /// The run; `None` when no line could be read.
    pub run: Option<RunId>,
    /// What kind of work it was.
    pub kind: String,
    /// When its first line was written.
    pub started_at: Option<Timestamp>,
    /// When it finished; `None` while it goes on.
    pub finished_at: Option<Timestamp>,
    /// When its newest line was written.
    pub last_event_at: Option<Timestamp>,
    /// Why it finished, when its last line says so.
    pub ended: Option<String>,
    /// Lines.
    pub events: u64,
    /// Lines that could not be read, and what was wrong with the first.
    pub unreadable: u64,
    /// What was wrong with the first line that could not be read.
    pub first_unreadable: Option<String>,
    /// Events that the trace itself says were dropped.
    pub dropped: u64,
    /// What verification said, when it was asked.
    pub chain: Option<ChainState>,
    /// How many actions had which verdict or end.
    pub verdicts: VerdictCount,
    /// What everything cost.
    pub cost_usd: Usd,
    /// Tokens of everything.
    pub tokens: TokenCount,
    /// How long actions took.
    pub latency: Latency,
    /// By the name that was asked for: models, tools, commands.
    pub by_name: BTreeMap<String, ModelRow>,
    /// By the upstream that was tried.
    pub by_upstream: BTreeMap<String, UpstreamRow>,
    /// By the tool, as seen in model traffic.
    pub tools: BTreeMap<String, CallCount>,
    /// By code and rule.
    pub findings: BTreeMap<String, FindingCount>,
    /// The first and last actions.
    pub timeline: Timeline,
    /// The first refused actions.
    pub refusals: Vec<Refusal>,
    /// How many more were refused.
    pub more_refusals: u64,
    /// The first payloads: what was asked, answered, and said to and by tools.
    pub payloads: Vec<PayloadRow>,
    /// How many more there were.
    pub more_payloads: u64,
    /// The first notes, errors and changes of policy.
    pub notices: Vec<Notice>,
    /// How many more there were.
    pub more_notices: u64,
}

/// What verification said.
#[derive(Debug, Clone, Serialize)]
pub struct ChainState {
    /// Everything is as it was written, as far as can be known.
    pub ok: bool,
    /// Lines found good.
    pub checked: u64,
    /// How the end compares to the head in the store.
    pub head: verify::HeadState,
    /// What is wrong, with the line.
    pub problem: Option<String>,
}

impl From<&verify::Report> for ChainState {
    fn from(report: &verify::Report) -> Self {
        let problem = report.first_bad.as_ref().map(|bad| format!("line {}: {}", bad.line, bad.reason));
        Self { ok: report.ok, checked: report.checked, head: report.head, problem }
    }
}

impl Summary {
    /// The same summary, with what verification said.
    #[must_use]
    pub fn with_chain(mut self, report: &verify::Report) -> Self {
        self.chain = Some(report.into());
        self
    }
}

/// How many actions had which verdict or end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct VerdictCount {
    /// Admitted without a word.
    pub allow: u64,
    /// Admitted, with findings.
    pub warn: u64,
    /// Admitted with parts taken out.
    pub redact: u64,
    /// A person was asked.
    pub ask: u64,
    /// Refused.
    pub deny: u64,
    /// Of the admitted: ended, and their cost is known.
    pub settled: u64,
    /// Of the admitted: nobody said how they ended.
    pub abandoned: u64,
    /// Of the settled: with an error status.
    pub failed: u64,
}

impl VerdictCount {
    /// All actions.
    #[must_use]
    pub fn actions(&self) -> u64 {
        self.admitted() + self.deny
    }

    /// Actions that were admitted.
    #[must_use]
    pub fn admitted(&self) -> u64 {
        self.allow + self.warn + self.redact + self.ask
    }

    /// Actions that are admitted and have not ended.
    #[must_use]
    pub fn in_flight(&self) -> u64 {
        self.admitted().saturating_sub(self.settled + self.abandoned)
    }
}

/// Tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct TokenCount {
    /// Read.
    pub input: u64,
    /// Written.
    pub output: u64,
    /// Of those read: from a cache.
    pub cached: u64,
    /// Calls whose tokens we counted ourselves.
    pub estimated_calls: u64,
}

/// What was asked for under one name.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ModelRow {
    /// Actions that ended.
    pub calls: u64,
    /// Of those, with an error status.
    pub failed: u64,
    /// Tokens.
    pub tokens: TokenCount,
    /// What they cost.
    pub cost_usd: Usd,
    /// How long they took.
    pub latency: Latency,
}

/// Tries at one upstream.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct UpstreamRow {
    /// All.
    pub attempts: u64,
    /// Of those, without an answer or with an error status.
    pub failed: u64,
    /// What they cost.
    pub cost_usd: Usd,
}

/// Calls of one tool.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct CallCount {
    /// A model asked for it.
    pub called: u64,
    /// Its result went to a model.
    pub returned: u64,
    /// Of those, as an error.
    pub failed: u64,
}

/// Findings of one code and rule.
#[derive(Debug, Clone, Default, Serialize)]
pub struct FindingCount {
    /// How often.
    pub count: u64,
    /// How much it matters.
    pub severity: String,
    /// What the first one said.
    pub example: String,
}

/// One action on the timeline.
#[derive(Debug, Clone, Serialize)]
pub struct ActionRow {
    /// When it ended.
    pub at: Timestamp,
    /// Which.
    pub action: Option<ActionId>,
    /// `model_call`, `tool_call`, `process`.
    pub kind: String,
    /// The model, tool or command.
    pub name: String,
    /// The verdict; `abandoned` where nobody said how it ended.
    pub verdict: String,
    /// The status that the caller got.
    pub status: Option<u16>,
    /// How it ended, where not with a complete answer.
    pub ended: Option<String>,
    /// How long it took, in microseconds.
    pub duration_us: Option<u64>,
    /// Tokens, read and written.
    pub tokens: Option<u64>,
    /// What it cost.
    pub cost_usd: Option<Usd>,
}

/// The first and the last actions of a run.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Timeline {
    /// The first.
    pub first: Vec<ActionRow>,
    /// How many were left out between them.
    pub omitted: u64,
    /// The last.
    pub last: VecDeque<ActionRow>,
}

/// One refused action.
#[derive(Debug, Clone, Serialize)]
pub struct Refusal {
    /// When.
    pub at: Timestamp,
    /// Which.
    pub action: Option<ActionId>,
    /// On whose behalf: the key's name.
    pub key: Option<String>,
    /// The model, tool or command.
    pub name: String,
    /// The status that the caller got.
    pub status: Option<u16>,
    /// Why, with what to do about it.
    pub reasons: Vec<Reason>,
}

/// One reason of a refusal.
#[derive(Debug, Clone, Serialize)]
pub struct Reason {
    /// The stable code.
    pub code: String,
    /// The rule.
    pub rule: String,
    /// What was found.
    pub message: String,
    /// Where.
    pub location: String,
    /// What to do about it.
    pub remedy: String,
}

/// A payload, as far as the trace holds it and a report bears it.
#[derive(Debug, Clone, Serialize)]
pub struct PayloadRow {
    /// When.
    pub at: Timestamp,
    /// Of which action.
    pub action: Option<ActionId>,
    /// `prompt`, `answer`, `arguments` or `output`.
    pub kind: &'static str,
    /// The model or tool.
    pub name: String,
    /// What it says: a text as it is, else JSON.
    pub text: String,
}

/// Something in the run that is no action.
#[derive(Debug, Clone, Serialize)]
pub struct Notice {
    /// When.
    pub at: Timestamp,
    /// What kind of event it is.
    pub kind: String,
    /// What it says.
    pub text: String,
}
