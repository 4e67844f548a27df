//! What is done to an agent from the terminal: as a request to the server that has it, and as a command for its store.

use std::sync::Arc;

use seawall_base::clock::SystemClock;
use seawall_base::id;
use seawall_engine::{
    ApprovalScope, Block, CallId, Command, Decide, Interrupt, Mend, MessageId, MessageKind, Repair,
    Resolution, Resolve, Ruling, Subject, ToolResult,
};
use serde_json::{Value, json};

use crate::args::RepairArgs;
use crate::exit::Failure;

/// Who is said to have done it where no server is asked.
const TERMINAL: &str = "terminal";

/// What is done.
pub(super) struct Deed {
    /// Under the agent's path.
    pub(super) path: String,
    pub(super) body: Value,
    pub(super) command: Command,
    /// What is said when it is done.
    pub(super) done: &'static str,
}

impl Deed {
    fn new(path: impl Into<String>, body: Value, command: impl Into<Command>, done: &'static str) -> Self {
        Self { path: path.into(), body, command: command.into(), done }
    }

    pub(super) fn interrupt(note: Option<String>) -> Self {
        let body = json!({ "note": note });
        let command = Interrupt { by: TERMINAL.into(), note: note.map(Into::into) };
        Self::new("interrupt", body, command, "interrupted")
    }

    pub(super) fn resume(note: Option<String>) -> Self {
        let body = json!({ "note": note });
        let command = Repair { mend: Mend::Resume, by: TERMINAL.into(), note: note.map(Into::into) };
        Self::new("resume", body, command, "goes on")
    }

    pub(super) fn decide(call: &str, deny: bool, note: Option<String>, scope: &str) -> Result<Self, Failure> {
        let (ruling, done) = if deny { (Ruling::Deny, "deny") } else { (Ruling::Allow, "allow") };
        let body = json!({ "call_id": call, "decision": done, "note": note, "scope": scope });
        let scope: ApprovalScope = serde_json::from_value(json!(scope)).map_err(Failure::usage)?;
        let (subject, by, note) = (Subject::Call(named(call)?), TERMINAL.into(), note.map(Into::into));
        let command = Decide { subject, ruling, by, scope, note, arguments: None };
        Ok(Self::new("decide", body, command, done))
    }

    pub(super) fn repair(args: &RepairArgs) -> Result<Self, Failure> {
        let note = &args.note;
        if note.trim().is_empty() {
            return Err(Failure::usage("--note says nothing: say why the agent is repaired"));
        }
        let by_hand = |mend, body: Value, done| {
            let command = Repair { mend, by: TERMINAL.into(), note: Some(note.as_str().into()) };
            Ok(Self::new("repair", body, command, done))
        };
        if let Some(call) = &args.answer {
            let result = value(args.result.as_deref().unwrap_or_default());
            let (call_id, is_error) = (named(call)?, args.failed);
            let body = json!({ "repair": "answer_call", "call_id": call_id, "result": result, "is_error": is_error, "note": note });
            let mend = Mend::AnswerCall { call: call_id, result: told(&result, is_error) };
            return by_hand(mend, body, "the call is answered");
        }
        if let Some(call) = args.done.as_ref().or(args.not_done.as_ref()) {
            return Self::resolve(call, args);
        }
        if let Some(text) = args.message.as_ref().or(args.reminder.as_ref()) {
            let kind = if args.message.is_some() { MessageKind::User } else { MessageKind::Reminder };
            let body = json!({ "repair": "inject_message", "content": text, "kind": kind, "note": note });
            let id = MessageId(format!("msg-{}", id::new_request(&SystemClock::new())).into());
            let content = [Block::text(text.as_str())].into();
            return by_hand(Mend::InjectMessage { id, kind, content }, body, "the message is in");
        }
        if let Some(event) = &args.event {
            let data = args.data.as_deref().map(value);
            let body = json!({ "repair": "inject_event", "event": event, "data": data, "note": note });
            let mend = Mend::InjectEvent { event: event.as_str().into(), data: data.map(Arc::new) };
            return by_hand(mend, body, "the event is in");
        }
        by_hand(Mend::SkipStep, json!({ "repair": "skip_step", "note": note }), "the step is skipped")
    }

    /// What was found out about a call in doubt.
    fn resolve(call: &str, args: &RepairArgs) -> Result<Self, Failure> {
        let call = named(call)?;
        let is_done = args.done.is_some();
        let result = args.result.as_deref().map(value);
        let mut body = json!({ "outcome": if is_done { "done" } else { "not_done" }, "note": args.note });
        if let (Some(fields), Some(result)) = (body.as_object_mut(), &result) {
            fields.insert("result".to_owned(), result.clone());
        }
        let unknown =
            json!("[seawall] a person found out that this call took effect; its result is not known.");
        let resolution = if is_done {
            Resolution::Done { result: told(result.as_ref().unwrap_or(&unknown), false) }
        } else {
            Resolution::NotDone
        };
        let (by, note) = (TERMINAL.into(), args.note.as_str().into());
        let command = Resolve { call, resolution, by, note };
        Ok(Self::new(format!("tool-calls/{call}/resolve"), body, command, "the call is settled"))
    }
}

fn named(call: &str) -> Result<CallId, Failure> {
    call.parse().map_err(|error| Failure::usage(format!("{error}; see `seawall agent show`")))
}

/// JSON, or else a text.
fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

/// What the model is told.
fn told(result: &Value, is_error: bool) -> ToolResult {
    let text = result.as_str().map_or_else(|| result.to_string(), str::to_owned);
    ToolResult { content: [Block::text(text)].into(), is_error }
}
