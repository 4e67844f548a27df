//! What a tool is: a face, and something that can be called.

use std::collections::BTreeMap;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use seawall_engine::{AgentId, Block, CallId, Found, Todo, ToolResult, ToolSpec};
use seawall_policy::{Declared, Meaning, Performer};
use seawall_types::{Amount, Effect, RunId};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::{Failure, Place};

/// A future that is awaited where it was made, whatever its type.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Something that an agent can call.
pub trait Tool: fmt::Debug + Send + Sync {
    /// What it is. The same for as long as it lives.
    fn description(&self) -> &Description;

    /// Does what the call asks for. The arguments fit the schema that the description has.
    ///
    /// The future may be dropped at any moment; so everything that it began ends with it. Before that happens `cancel`
    /// is cancelled, and the tool has a moment to say how far it came.
    fn call<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Outcome>;

    /// What policies and traces call it, where that is not its name.
    fn action(&self) -> Option<&str> {
        None
    }

    /// Who does what is asked for: a server of tools knows its own folder, which paths are relative to.
    fn performer(&self) -> Performer {
        Performer::Us
    }

    /// Finds out whether a call took effect whose process died. Asked only of tools that are
    /// [reconcilable](seawall_engine::EffectClass::Reconcilable).
    fn reconcile<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Found> {
        let _unasked = call;
        Box::pin(std::future::ready(Found::Unknown))
    }
}

/// What is known of a tool before it is called.
#[derive(Debug, Clone, PartialEq)]
pub struct Description {
    /// Its name: 1 to 64 of `A-Z a-z 0-9 _ -`, which every provider takes.
    pub name: Arc<str>,
    /// What it does, for the model.
    pub description: Arc<str>,
    /// The JSON Schema of its arguments, an object. It is passed to models as it is.
    pub parameters: Arc<Value>,
    /// What the engine decides by.
    pub spec: ToolSpec,
    /// What its arguments are, for the policy: which of them name files, hosts or commands, and which are only text.
    pub effects: Declared,
    /// More than fits into a description; for the system prompt.
    pub manual: Option<Arc<str>>,
}

impl Description {
    /// A tool of which nothing more is known: it may do anything, and is never run again blindly.
    pub fn new(name: impl Into<Arc<str>>, description: impl Into<Arc<str>>, parameters: Value) -> Self {
        Self {
            name: name.into(),
            description: description.into(),
            parameters: Arc::new(parameters),
            spec: ToolSpec::default(),
            effects: Declared::Nothing,
            manual: None,
        }
    }

    /// Arguments of this name say what the tool does this to.
    pub(crate) fn touching(self, effect: Effect, names: &[&str]) -> Self {
        self.meaning(Meaning::Touches(effect), names)
    }

    /// Arguments of these names are text, whatever they look like.
    pub(crate) fn texts(self, names: &[&str]) -> Self {
        self.meaning(Meaning::Text, names)
    }

    fn meaning(mut self, meaning: Meaning, names: &[&str]) -> Self {
        let mut members = match self.effects {
            Declared::Members(members) => members,
            Declared::Nothing | Declared::Tool(_) | Declared::Parameters(_) => BTreeMap::new(),
        };
        members.extend(names.iter().map(|name| ((*name).to_owned(), meaning)));
        self.effects = Declared::Members(members);
        self
    }
}

/// One call of a tool, with all that belongs to it.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// Who calls.
    pub agent: &'a AgentId,
    /// In which run.
    pub run: RunId,
    /// The call's own name.
    pub id: CallId,
    /// The same for every attempt of this call, and for no other (`run/step/call`).
    pub key: &'a str,
    /// The epoch of the agent's holder. Another system that has seen a higher one refuses this.
    pub epoch: u64,
    /// How often the call was begun, this time included.
    pub attempt: u32,
    /// What the model wants.
    pub arguments: &'a Value,
    /// What the agent still wants to do.
    pub todos: &'a [Todo],
    /// Where the agent's files and processes are.
    pub place: &'a Arc<Place>,
    /// Tells that nobody wants the outcome any more.
    pub cancel: &'a CancellationToken,
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// What the model is told.
    pub result: ToolResult,
    /// What is to be changed of the agent, before the result is recorded.
    pub requests: Vec<Request>,
    /// Whoever does it can't be reached. After a crash it is then unknown whether the call took effect before.
    pub is_away: bool,
}

/// A change of the agent that a tool asks its runtime for. One that the engine refuses makes the call a failure with the
/// engine's words.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Request {
    /// Put this list in the place of the agent's todos ([`seawall_engine::SetTodos`]).
    SetTodos(Arc<[Todo]>),
    /// Count what others have cost that worked for the call towards the agent's limits
    /// ([`seawall_engine::ToolFinished::spent`]).
    Charge(Amount),
}

impl Outcome {
    /// What a model reads as JSON.
    #[must_use]
    pub fn json(value: &Value) -> Self {
        Self::text(value.to_string())
    }

    /// Words.
    #[must_use]
    pub fn text(text: impl Into<Arc<str>>) -> Self {
        ToolResult { content: [Block::text(text)].into(), is_error: false }.into()
    }

    /// A failure, in words that help the model on.
    #[must_use]
    pub fn error(text: impl Into<Arc<str>>) -> Self {
        ToolResult::error(text).into()
    }

    /// A failure because whoever does it can't be reached.
    #[must_use]
    pub fn away(text: impl Into<Arc<str>>) -> Self {
        Self { is_away: true, ..Self::error(text) }
    }
}

impl From<ToolResult> for Outcome {
    fn from(result: ToolResult) -> Self {
        Self { result, requests: Vec::new(), is_away: false }
    }
}

impl From<Failure> for Outcome {
    fn from(failure: Failure) -> Self {
        Self::error(failure.to_string())
    }
}

impl From<Result<Value, Failure>> for Outcome {
    fn from(result: Result<Value, Failure>) -> Self {
        result.map_or_else(Self::from, |value| Self::json(&value))
    }
}
