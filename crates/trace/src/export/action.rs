//! Joining the events of each action into one row, in one pass with bounded memory.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use seawall_types::{ActionId, Actor, Event, EventKind, RunId, Timestamp, Usd};

use crate::data::{Data, Finding, Usage};
use crate::read::Parsed;

/// Actions that may be under way at once. More are only seen when their ends were lost; then the oldest are given out.
const MAX_OPEN: usize = 100_000;
/// Tools that are kept of one action.
const MAX_TOOLS: usize = 200;
/// The kind of a run whose first line is not there.
const UNKNOWN: &str = "unknown";

/// An event, on its way into the trace or read back from it.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    ts: Timestamp,
    run: RunId,
    kind: EventKind,
    action: Option<ActionId>,
    parent: Option<ActionId>,
    actor: &'a Actor,
    data: &'a str,
}

impl<'a> From<&'a Event> for Seen<'a> {
    fn from(event: &'a Event) -> Self {
        let Event { ts, run, kind, action, parent, actor, data, charged: _ } = event;
        Self { ts: *ts, run: *run, kind: *kind, action: *action, parent: *parent, actor, data }
    }
}

impl<'a> From<&'a Parsed> for Seen<'a> {
    fn from(event: &'a Parsed) -> Self {
        let Parsed { seq: _, ts, run, kind, action, parent, actor, data } = event;
        Self { ts: *ts, run: *run, kind: *kind, action: *action, parent: *parent, actor, data: data.get() }
    }
}

/// How an action ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It was performed and its cost is known.
    Settled,
    /// It was refused.
    Denied,
    /// It was admitted and nobody said how it ended.
    Abandoned,
    /// The trace ends while it is under way.
    Open,
}

impl End {
    /// The name in exports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Settled => "settled",
            Self::Denied => "denied",
            Self::Abandoned => "abandoned",
            Self::Open => "open",
        }
    }
}

/// A tool that a model asked for in its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolUse {
    /// When that was seen.
    pub at: Timestamp,
    /// The tool.
    pub name: String,
    /// The identifier that its result will name, where there is one.
    pub call_id: Option<String>,
}

/// One action, from its admission to its end.
#[derive(Debug)]
pub struct ActionRow {
    /// In which run.
    pub run: RunId,
    /// What kind of work that run is.
    pub run_kind: Arc<str>,
    /// The action.
    pub action: ActionId,
    /// The action that caused it.
    pub parent: Option<ActionId>,
    /// On whose behalf.
    pub actor: Actor,
    /// When it was admitted, or refused.
    pub started_at: Timestamp,
    /// When it ended; `None` while it is under way.
    pub ended_at: Option<Timestamp>,
    /// How it ended.
    pub end: End,
    /// The tools that it asked for.
    pub tools: Vec<ToolUse>,
    /// What was said when it began.
    pub(crate) begun: Data,
    /// What was said when it ended.
    pub(crate) over: Data,
}

/// A run, once it has ended or its trace has.
#[derive(Debug, Clone)]
pub struct RunRow {
    /// The run.
    pub run: RunId,
    /// What kind of work it is.
    pub kind: Arc<str>,
    /// When it began.
    pub started_at: Timestamp,
    /// When its last event happened.
    pub ended_at: Timestamp,
}

/// What comes of events.
#[derive(Debug)]
pub enum Row {
    /// An action has ended.
    Action(Box<ActionRow>),
    /// A run has ended.
    Run(RunRow),
}

impl ActionRow {
    /// What the end says, else what the beginning said.
    fn either<'a, T: ?Sized>(&'a self, field: impl Fn(&'a Data) -> Option<&'a T>) -> Option<&'a T> {
        field(&self.over).or_else(|| field(&self.begun))
    }

    pub(crate) fn kind(&self) -> &str {
        self.either(|data| data.kind.as_deref()).unwrap_or_default()
    }

    pub(crate) fn name(&self) -> &str {
        self.either(|data| data.name.as_deref()).unwrap_or_default()
    }

    pub(crate) fn verdict(&self) -> Option<&str> {
        self.either(|data| data.verdict.as_deref())
    }

    pub(crate) fn cache(&self) -> Option<&str> {
        self.either(|data| data.cache.as_deref())
    }

    pub(crate) fn usage(&self) -> Option<&Usage> {
        self.over.usage.as_ref()
    }

    /// What it is charged: an action without an end stays charged at its reservation.
    pub(crate) fn cost(&self) -> Option<Usd> {
        self.over.cost_usd
    }

    /// The upstream that answered, or was asked last, and the model that it was asked for.
    pub(crate) fn last_attempt(&self) -> Option<(&str, &str)> {
        self.over.attempts.last().map(|attempt| (attempt.upstream.as_str(), attempt.model.as_str()))
    }

    /// What was found, in the request and then in the answer.
    pub(crate) fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.begun.findings.iter().chain(&self.over.findings)
    }

    /// The time from admission to end, in microseconds, as measured where it is recorded.
    pub(crate) fn duration_us(&self) -> Option<u64> {
        self.over.duration_us
    }
}

/// Joins events into rows. Events come in the order of their run's lines; runs may be mixed.
#[derive(Debug, Default)]
pub struct Actions {
    runs: HashMap<RunId, RunRow>,
    open: BTreeMap<ActionId, Box<ActionRow>>,
}

impl Actions {
    /// Takes the next event; gives back the rows that it completes.
    pub fn take<'a>(&mut self, event: impl Into<Seen<'a>>) -> Vec<Row> {
        let event = event.into();
        let run = self.runs.entry(event.run).or_insert_with(|| RunRow {
            run: event.run,
            kind: kind_of(&event),
            started_at: event.ts,
            ended_at: event.ts,
        });
        run.ended_at = event.ts;
        match (event.kind, event.action) {
            (EventKind::RunFinished, _) => self.end_run(event.run),
            (EventKind::ActionAdmitted, Some(action)) => self.admit(action, &event),
            (EventKind::ActionDenied, Some(action)) => self.end(action, &event, End::Denied),
            (EventKind::ActionSettled, Some(action)) => self.end(action, &event, End::Settled),
            (EventKind::ActionAbandoned, Some(action)) => self.end(action, &event, End::Abandoned),
            (EventKind::ToolCalled, Some(action)) => self.tool(action, &event),
            _ => Vec::new(),
        }
    }

    /// The events are over: what is still under way, and the runs that have not ended.
    #[must_use]
    pub fn finish(mut self) -> Vec<Row> {
        let runs: Vec<RunId> = self.runs.keys().copied().collect();
        runs.into_iter().flat_map(|run| self.end_run(run)).collect()
    }

    fn admit(&mut self, action: ActionId, event: &Seen<'_>) -> Vec<Row> {
        let begun = Data::parse(event.data);
        let row = Box::new(self.row(action, event, begun));
        self.open.insert(action, row);
        if self.open.len() <= MAX_OPEN {
            return Vec::new();
        }
        self.open.pop_first().map(|(_, oldest)| Row::Action(oldest)).into_iter().collect()
    }

    fn tool(&mut self, action: ActionId, event: &Seen<'_>) -> Vec<Row> {
        if let Some(row) = self.open.get_mut(&action).filter(|row| row.tools.len() < MAX_TOOLS) {
            let Data { name, call_id, .. } = Data::parse(event.data);
            row.tools.push(ToolUse { at: event.ts, name: name.unwrap_or_default(), call_id });
        }
        Vec::new()
    }

    fn end(&mut self, action: ActionId, event: &Seen<'_>, end: End) -> Vec<Row> {
        let open = self.open.remove(&action);
        let mut row = open.unwrap_or_else(|| Box::new(self.row(action, event, Data::default())));
        row.over = Data::parse(event.data);
        row.ended_at = Some(event.ts);
        row.end = end;
        vec![Row::Action(row)]
    }

    fn row(&self, action: ActionId, event: &Seen<'_>, begun: Data) -> ActionRow {
        let run_kind = self.runs.get(&event.run).map_or_else(|| UNKNOWN.into(), |run| Arc::clone(&run.kind));
        ActionRow {
            run: event.run,
            run_kind,
            action,
            parent: event.parent,
            actor: event.actor.clone(),
            started_at: event.ts,
            ended_at: None,
            end: End::Open,
            tools: Vec::new(),
            begun,
            over: Data::default(),
        }
    }

    fn end_run(&mut self, run: RunId) -> Vec<Row> {
        let (ended, open) = std::mem::take(&mut self.open).into_iter().partition(|(_, row)| row.run == run);
        self.open = open;
        let ended: BTreeMap<ActionId, Box<ActionRow>> = ended;
        let rows = ended.into_values().map(Row::Action);
        rows.chain(self.runs.remove(&run).map(Row::Run)).collect()
    }
}

fn kind_of(event: &Seen<'_>) -> Arc<str> {
    let started = event.kind == EventKind::RunStarted;
    let kind = started.then(|| Data::parse(event.data).kind).flatten();
    kind.map_or_else(|| UNKNOWN.into(), Into::into)
}
