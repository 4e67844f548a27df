//! Recorded actions through another policy: what would have been decided otherwise, and what that would have saved.
//!
//! Every action of a trace is judged once, in the order in which it happened: model calls by their model and the texts that
//! are recorded, tool calls by name and arguments, also those that were only seen in what a model asked for. How often a tool
//! is called is counted by the times in the trace. Nothing is performed, resolved or reserved, and budgets, rate limits and
//! credentials are not asked again: what they refused stays refused.
//!
//! What the trace does not hold is not guessed. It is counted in [`NotHeld`], and what can be said without it is said.

mod judged;
mod past;
mod profiling;
mod recorded;
mod texts;

use std::collections::HashMap;

use seawall_policy::Policy;
use seawall_trace::Error;
use seawall_trace::read::Line;
use seawall_types::{ActionId, Actor, EventKind, Finding, RunId, Usd, Verdict};
use serde::Serialize;

use self::judged::Judged;
use self::past::Past;
pub use self::profiling::{Profiled, Profiling};
use self::recorded::Recorded;

/// What another policy would have changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Replayed {
    /// How many actions were judged.
    pub actions: u64,
    /// Those with another verdict, by run and then in their order.
    pub changed: Vec<Change>,
    /// What it would have cost more, in dollars; less has a minus. Calls that the policy would have refused are not paid for;
    /// what calls would have cost that it would have let through is not known, and counted in `not_held`.
    pub cost_delta_usd: String,
    /// What the trace does not hold.
    pub not_held: NotHeld,
}

/// An action with another verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// In which run.
    pub run: RunId,
    /// The action; for a tool that a model asked for, the model call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<ActionId>,
    /// The number of the line that it began with, from 0.
    pub seq: u64,
    /// `model_call`, `tool_call` or `process`.
    pub kind: String,
    /// The model or tool.
    pub name: String,
    /// What was decided then.
    pub from: Verdict,
    /// What this policy decides.
    pub to: Verdict,
    /// Why.
    pub findings: Vec<Finding>,
    /// Parts of it were taken out before it was written down, so that rules about those parts were asked about the marks.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub redacted: bool,
}

/// How many actions could be judged in part only, by what was missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct NotHeld {
    /// Tool calls without their arguments: judged by name alone.
    pub arguments: u64,
    /// Model calls without what was said: judged by model alone.
    pub texts: u64,
    /// Actions of which a payload was cut.
    pub cut: u64,
    /// Actions with parts taken out. That a secret or something personal was there is known, and judged.
    pub redacted: u64,
    /// Actions that would have been let through, with costs that nobody knows.
    pub costs: u64,
}

/// Judges runs, one after the other.
#[derive(Debug)]
pub struct PolicyReplay<'p> {
    policy: &'p Policy,
    actions: u64,
    changed: Vec<Change>,
    saved: Usd,
    not_held: NotHeld,
}

impl<'p> PolicyReplay<'p> {
    /// A replay through this policy.
    #[must_use]
    pub fn new(policy: &'p Policy) -> Self {
        Self { policy, actions: 0, changed: Vec::new(), saved: Usd::ZERO, not_held: NotHeld::default() }
    }

    /// Judges the actions of one run.
    ///
    /// # Errors
    /// When a line can't be read: a replay with holes would say too little.
    pub fn run(&mut self, lines: impl IntoIterator<Item = Result<Line, Error>>) -> Result<(), Error> {
        let mut course =
            Course { policy: self.policy, pasts: HashMap::new(), judged: Vec::new(), open: HashMap::new() };
        for line in lines {
            course.event(&Recorded::of(&line?.parsed));
        }
        for judged in course.judged {
            self.take(judged);
        }
        Ok(())
    }

    fn take(&mut self, judged: Judged) {
        let NotHeld { arguments, texts, cut, redacted, costs } = &mut self.not_held;
        self.actions += 1;
        *arguments += u64::from(judged.lacks_arguments);
        *texts += u64::from(judged.lacks_texts);
        *cut += u64::from(judged.cut);
        *redacted += u64::from(judged.redacted);
        let to = judged.to(self.policy);
        if to == judged.from {
            return;
        }
        *costs += u64::from(judged.was_refused && !matches!(to, Verdict::Deny | Verdict::Ask));
        if judged.is_saved(self.policy) {
            self.saved = self.saved.saturating_add(judged.cost);
        }
        self.changed.push(judged.into_change(to));
    }

    /// What came of it.
    #[must_use]
    pub fn finish(mut self) -> Replayed {
        self.changed.sort_by_key(|change| (change.run, change.seq));
        let sign = if self.saved == Usd::ZERO { "" } else { "-" };
        Replayed {
            actions: self.actions,
            changed: self.changed,
            cost_delta_usd: format!("{sign}{}", self.saved),
            not_held: self.not_held,
        }
    }
}

/// One run while it is judged.
struct Course<'p> {
    policy: &'p Policy,
    /// A guarded run is one caller's. A server's run is of many, who are told apart as the proxy of tools does.
    pasts: HashMap<Actor, Past>,
    judged: Vec<Judged>,
    /// Where the actions are that have not ended.
    open: HashMap<ActionId, Open>,
}

/// Where an action is that has not ended, and the tools that it asked for.
struct Open {
    at: usize,
    tools: Vec<usize>,
}

impl Course<'_> {
    fn event(&mut self, event: &Recorded<'_>) {
        match event.kind {
            EventKind::ActionAdmitted | EventKind::ActionDenied => self.begin(event),
            EventKind::ActionSettled | EventKind::ActionAbandoned => self.end(event),
            EventKind::ToolCalled => self.tool(event),
            _ => {}
        }
    }

    /// A tool that a model asked for.
    fn tool(&mut self, event: &Recorded<'_>) {
        let judged = Judged::tool(self.policy, event, past(&mut self.pasts, event.actor));
        if let Some(open) = event.action.and_then(|action| self.open.get_mut(&action)) {
            open.tools.push(self.judged.len());
            if let Some(call) = self.judged.get_mut(open.at) {
                call.add_tool(&judged);
            }
        }
        self.judged.push(judged);
    }

    fn begin(&mut self, event: &Recorded<'_>) {
        let judged = if event.is_model_call() {
            Judged::model(self.policy, event)
        } else {
            Judged::tool(self.policy, event, past(&mut self.pasts, event.actor))
        };
        if let Some(action) = event.action.filter(|_| event.kind == EventKind::ActionAdmitted) {
            self.open.insert(action, Open { at: self.judged.len(), tools: Vec::new() });
        }
        self.judged.push(judged);
    }

    /// What was decided when it ended, what it cost, and what the model or the tool gave.
    fn end(&mut self, event: &Recorded<'_>) {
        let Some(open) = event.action.and_then(|action| self.open.remove(&action)) else { return };
        if let Some(judged) = self.judged.get_mut(open.at) {
            judged.end(self.policy, event);
        }
        for at in open.tools {
            if let Some(tool) = self.judged.get_mut(at) {
                tool.end_with_call(event);
            }
        }
    }
}

/// What this caller did in the run before.
fn past<'c>(pasts: &'c mut HashMap<Actor, Past>, actor: &Actor) -> &'c mut Past {
    pasts.entry(actor.clone()).or_default()
}

#[cfg(test)]
mod tests;
