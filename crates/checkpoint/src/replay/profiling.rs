//! From recorded runs to the profile of a baseline: which tools they called, how often, and where those led.
//!
//! What was refused is no part of it: a baseline holds what may happen again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use seawall_policy::{Asked, Declared, Performer, Profile, ProfileBuilder};
use seawall_trace::Error;
use seawall_trace::read::{Line, Parsed};
use seawall_types::{ActionId, Actor, EventKind, Timestamp, Verdict};
use serde::Deserialize;
use serde_json::Value;

use super::recorded::Recorded;

/// Reads runs, one after the other, and adds them up.
#[derive(Debug)]
pub struct Profiling {
    builder: ProfileBuilder,
    root: Option<PathBuf>,
    otherwise: PathBuf,
    calls: u64,
    without_arguments: u64,
    /// What models asked for, by the call of the model, whose end tells what was refused of it.
    wished: BTreeMap<ActionId, Vec<Call>>,
}

/// A call of a tool.
#[derive(Debug)]
struct Call {
    tool: String,
    arguments: Option<Value>,
    actor: Actor,
    at: Timestamp,
    performer: Performer,
}

/// What came of it.
#[derive(Debug)]
pub struct Profiled {
    /// The profile.
    pub profile: Profile,
    /// How many calls of tools it was made of.
    pub calls: u64,
    /// Of how many the trace holds no arguments, so that only the tool is known.
    pub without_arguments: u64,
}

/// The part of `run.started` that says where paths begin.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Started {
    sandbox: Option<PathBuf>,
}

impl Profiling {
    /// A profile with paths below this root; without one, below the sandbox that a run was recorded with, or `otherwise`.
    #[must_use]
    pub fn new(root: Option<PathBuf>, otherwise: PathBuf) -> Self {
        let (builder, wished) = Default::default();
        Self { builder, root, otherwise, calls: 0, without_arguments: 0, wished }
    }

    /// Takes in one run.
    ///
    /// # Errors
    /// When a line can't be read: what a profile does not know would be told as new.
    pub fn run(&mut self, lines: impl IntoIterator<Item = Result<Line, Error>>) -> Result<(), Error> {
        self.builder.begin_run();
        let mut root = self.root.clone().unwrap_or_else(|| self.otherwise.clone());
        for line in lines {
            let parsed = line?.parsed;
            if let Some(sandbox) = sandbox(&parsed).filter(|_| self.root.is_none()) {
                root = sandbox;
            }
            self.event(&parsed, &root);
        }
        // Of what the trace ends before, nobody says that it was refused.
        for call in std::mem::take(&mut self.wished).into_values().flatten() {
            self.call(&call, &root);
        }
        Ok(())
    }

    fn event(&mut self, parsed: &Parsed, root: &Path) {
        let event = Recorded::of(parsed);
        match (event.kind, event.action) {
            (EventKind::ActionAdmitted, _) if event.is_tool_call() => {
                if let Some(call) = Call::of(event, Performer::Us) {
                    self.call(&call, root);
                }
            }
            (EventKind::ToolCalled, Some(action)) => {
                self.wished.entry(action).or_default().extend(Call::of(event, Performer::Client));
            }
            (EventKind::ActionSettled | EventKind::ActionAbandoned, Some(action)) => {
                for call in self.wished.remove(&action).unwrap_or_default() {
                    if event.verdict_on_tool(&call.tool) < Verdict::Ask {
                        self.call(&call, root);
                    }
                }
            }
            _ => {}
        }
    }

    fn call(&mut self, call: &Call, root: &Path) {
        self.calls += 1;
        self.without_arguments += u64::from(call.arguments.is_none());
        let asked = Asked {
            tool: &call.tool,
            args: call.arguments.as_ref().unwrap_or(&Value::Null),
            effects: &Declared::Nothing,
            actor: &call.actor,
            run: "",
            flow: None,
            performer: call.performer,
        };
        self.builder.call(root, &asked, call.at);
    }

    /// What came of all runs.
    #[must_use]
    pub fn finish(self) -> Profiled {
        let Self { builder, calls, without_arguments, .. } = self;
        Profiled { profile: builder.finish(), calls, without_arguments }
    }
}

impl Call {
    /// `None` where the event names no tool.
    fn of(event: Recorded<'_>, performer: Performer) -> Option<Self> {
        let Recorded { actor, ts, said, .. } = event;
        Some(Self { tool: said.name?, arguments: said.arguments, actor: actor.clone(), at: ts, performer })
    }
}

fn sandbox(parsed: &Parsed) -> Option<PathBuf> {
    let is_start = parsed.kind == EventKind::RunStarted;
    let started: Started = is_start.then(|| serde_json::from_str(parsed.data.get()).ok()).flatten()?;
    started.sandbox
}
