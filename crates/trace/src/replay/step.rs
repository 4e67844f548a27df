//! The steps of a run: its actions in the order in which they began, and the tools' results that came to its models.

use std::collections::HashMap;
use std::fmt;

use seawall_types::{ActionId, EventKind};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Error;
use crate::read::{Line, Parsed};

/// The kind of a step that is a tool's result in what a model was told.
const TOOL_RESULT: &str = "tool_result";

/// What makes two steps the same question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fingerprint {
    /// `model_call`, `tool_call`, `process`, or `tool_result`.
    pub kind: String,
    /// The model, tool or program.
    pub name: String,
    /// BLAKE3, in hexadecimal, of the arguments as JSON with sorted keys; `None` where they are not recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arguments: Option<String>,
}

/// What came of a step, as far as it can be the same again.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Outcome {
    /// `settled`, `denied`, `abandoned`, or `open`.
    pub end: &'static str,
    /// The verdict.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<String>,
    /// The HTTP status that the caller got.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// In a word, when there was no complete answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<String>,
    /// It is a failure, as the caller says.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_error: bool,
    /// The tools that a model asked for, each with its arguments where they are recorded.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<Fingerprint>,
    /// BLAKE3 of the output, made like that of the arguments.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_hash: Option<String>,
    /// The output itself, where the trace holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<Value>,
}

/// One recorded step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// The number of the line that it began with, from 0.
    pub seq: u64,
    /// The action; for a tool's result the call that it was told to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<ActionId>,
    /// What was asked.
    pub fingerprint: Fingerprint,
    /// What came of it.
    pub outcome: Outcome,
}

/// The part of `data` that a replay looks at. All of it may be absent.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Said {
    kind: Option<String>,
    name: Option<String>,
    verdict: Option<String>,
    status: Option<u16>,
    ended: Option<String>,
    is_error: bool,
    arguments: Option<Value>,
    prompt: Option<Value>,
    arguments_hash: Option<String>,
    #[serde(alias = "answer")]
    output: Option<Value>,
    output_hash: Option<String>,
    /// How long those of them were that are cut.
    cut: Option<Value>,
}

impl Fingerprint {
    /// The question of an action of this kind and name with these arguments.
    #[must_use]
    pub fn new(kind: &str, name: &str, arguments: Option<&Value>) -> Self {
        Self { kind: kind.to_owned(), name: name.to_owned(), arguments: arguments.map(hash) }
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.kind, self.name)?;
        let arguments = self.arguments.as_deref().map(|hash| hash.get(..12).unwrap_or(hash));
        arguments.map_or(Ok(()), |arguments| write!(f, " with arguments {arguments}"))
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.end)?;
        if let Some(verdict) = self.verdict.as_deref().filter(|verdict| !matches!(*verdict, "allow" | "deny"))
        {
            write!(f, " with the verdict {verdict:?}")?;
        }
        if let Some(status) = self.status {
            write!(f, " {status}")?;
        }
        if self.is_error {
            f.write_str(" as an error")?;
        }
        if let Some(ended) = &self.ended {
            write!(f, " ({ended})")?;
        }
        for tool in &self.tools {
            write!(f, ", asks for {tool}")?;
        }
        match (&self.output, &self.output_hash) {
            // As JSON, so that no output can command a terminal.
            (Some(output), _) => write!(f, ", output {output}"),
            (None, Some(hash)) => write!(f, ", output {}", hash.get(..12).unwrap_or(hash)),
            (None, None) => Ok(()),
        }
    }
}

/// Reads the steps of a run.
pub(super) fn steps(lines: impl IntoIterator<Item = Result<Line, Error>>) -> Result<Vec<Step>, Error> {
    let mut run = Run::default();
    for line in lines {
        run.event(&line?.parsed);
    }
    Ok(run.steps)
}

#[derive(Default)]
struct Run {
    steps: Vec<Step>,
    /// Where the actions are that have not ended.
    open: HashMap<ActionId, usize>,
}

impl Run {
    fn event(&mut self, event: &Parsed) {
        let said = || serde_json::from_str::<Said>(event.data.get()).unwrap_or_default();
        match (event.kind, event.action) {
            (EventKind::ActionAdmitted, Some(action)) => self.begin(event, action, &said()),
            (EventKind::ActionDenied, Some(action)) => self.end(event, action, said(), "denied"),
            (EventKind::ActionSettled, Some(action)) => self.end(event, action, said(), "settled"),
            (EventKind::ActionAbandoned, Some(action)) => self.end(event, action, said(), "abandoned"),
            (EventKind::ToolCalled, Some(action)) => self.tool(action, &said()),
            (EventKind::ToolReturned, _) => self.result(event, said()),
            _ => {}
        }
    }

    fn begin(&mut self, event: &Parsed, action: ActionId, said: &Said) {
        self.open.insert(action, self.steps.len());
        let fingerprint = said.fingerprint(said.kind.as_deref().unwrap_or_default());
        let outcome = Outcome { end: "open", verdict: said.verdict.clone(), ..Outcome::default() };
        self.steps.push(Step { seq: event.seq, action: Some(action), fingerprint, outcome });
    }

    /// What was never admitted begins where it ends.
    fn end(&mut self, event: &Parsed, action: ActionId, said: Said, end: &'static str) {
        if !self.open.contains_key(&action) {
            self.begin(event, action, &said);
        }
        let Some(step) = self.open.remove(&action).and_then(|at| self.steps.get_mut(at)) else { return };
        let tools = std::mem::take(&mut step.outcome.tools);
        let verdict = said.verdict.clone().or_else(|| step.outcome.verdict.take());
        step.outcome = Outcome { tools, verdict, ..said.outcome(end) };
    }

    fn tool(&mut self, action: ActionId, said: &Said) {
        if let Some(step) = self.open.get(&action).and_then(|at| self.steps.get_mut(*at)) {
            step.outcome.tools.push(said.fingerprint("tool_call"));
        }
    }

    fn result(&mut self, event: &Parsed, said: Said) {
        let fingerprint = said.fingerprint(TOOL_RESULT);
        let outcome = said.outcome("settled");
        self.steps.push(Step { seq: event.seq, action: event.action, fingerprint, outcome });
    }
}

impl Said {
    fn fingerprint(&self, kind: &str) -> Fingerprint {
        let name = self.name.clone().unwrap_or_default();
        let arguments = self.arguments.as_ref().map(|arguments| self.hash(arguments));
        let prompt = || self.prompt.as_ref().map(|prompt| self.hash(&without_identifiers(prompt)));
        let arguments = arguments.or_else(prompt).or_else(|| self.arguments_hash.clone());
        Fingerprint { kind: kind.to_owned(), name, arguments }
    }

    /// Two of which only the beginnings are known differ when their lengths do.
    fn hash(&self, value: &Value) -> String {
        match &self.cut {
            Some(cut) => hash(&Value::Array(vec![value.clone(), cut.clone()])),
            None => hash(value),
        }
    }

    fn outcome(self, end: &'static str) -> Outcome {
        let recorded = self.output.as_ref().map(|output| self.hash(output));
        Outcome {
            end,
            verdict: self.verdict,
            status: self.status,
            ended: self.ended,
            is_error: self.is_error,
            tools: Vec::new(),
            output_hash: recorded.or(self.output_hash),
            output: self.output,
        }
    }
}

/// A prompt names the calls whose results it brings, by identifiers that differ each time.
fn without_identifiers(value: &Value) -> Value {
    const IDENTIFIERS: [&str; 4] = ["id", "call_id", "tool_call_id", "tool_use_id"];
    match value {
        Value::Array(items) => items.iter().map(without_identifiers).collect(),
        Value::Object(fields) => {
            let kept = fields.iter().filter(|(name, _)| !IDENTIFIERS.contains(&name.as_str()));
            Value::Object(kept.map(|(name, value)| (name.clone(), without_identifiers(value))).collect())
        }
        other => other.clone(),
    }
}

/// The order of keys means nothing in JSON and changes from one client to the next.
fn hash(value: &Value) -> String {
    let mut value = value.clone();
    value.sort_all_objects();
    blake3::hash(value.to_string().as_bytes()).to_string()
}
