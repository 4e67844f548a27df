//! What a server says, before it reaches a client: results of calls are settled and looked through, lists of tools are
//! filtered, and every other text is read by the policy's rules about texts.

use std::sync::Arc;

use bytes::Bytes;
use rmcp::model::{ErrorCode, RequestId};
use seawall_checkpoint::Denial;
use seawall_checkpoint::tool::{ToolEnd, ToolPermit, inspect};
use seawall_policy::{Judgement, Policy};
use seawall_types::{Actor, Verdict};
use serde_json::Value;

use crate::answer;
use crate::book::{Entry, What};
use crate::judge::name_of;
use crate::message::{Kind, Message};
use crate::metrics::Ended;
use crate::noted::Whose;
use crate::server::Server;
use crate::tasks::{About, NOTIFICATION, Told, task_in};

/// Fields of contents that hold bytes in base64: no text, and nothing in them can be taken out without breaking them. Beside
/// each stands what tells such contents from anything else.
const BINARY: [(&str, &str); 2] = [("data", "mimeType"), ("blob", "uri")];
/// Shorter ones are looked at like any text: a key can have the same letters.
const LEAST_BINARY: usize = 256;

/// Answers that are looked through where they arrive.
const AT_ONCE: usize = 256 * 1024;

/// With whose eyes a message is looked at that belongs to no request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Eyes<'a> {
    pub(crate) server: &'a Server,
    pub(crate) policy: &'a Policy,
    pub(crate) actor: &'a Arc<Actor>,
    pub(crate) whose: Whose,
}

/// The answer to a request, settled and looked through; large ones beside
/// this thread, which has other things to do.
pub(crate) async fn looked_through(
    server: &Arc<Server>,
    id: RequestId,
    entry: Entry,
    message: Message,
) -> Bytes {
    if message.bytes().len() <= AT_ONCE {
        return answered(server, &id, entry, &message);
    }
    let (server, for_error) = (Arc::clone(server), id.clone());
    let beside = tokio::task::spawn_blocking(move || answered(&server, &id, entry, &message));
    beside.await.unwrap_or_else(|broken| {
        tracing::error!(%broken, "an answer could not be looked through");
        answer::error(
            Some(for_error),
            ErrorCode::INTERNAL_ERROR,
            "the answer could not be looked through",
            None,
        )
    })
}

/// The answer to a request, as its client gets it.
fn answered(server: &Server, id: &RequestId, entry: Entry, message: &Message) -> Bytes {
    let Entry { what, policy, actor, whose, is_modern, .. } = entry;
    let eyes = Eyes { server, policy: &policy, actor: &actor, whose };
    let is_error = matches!(message.kind, Kind::Answer { is_error: true, .. });
    match what {
        What::Call(permit) | What::Resource(permit) if is_error => eyes.failed(*permit, message),
        What::Call(permit) => match eyes.put_off(permit, message) {
            Ok(()) => eyes.again(id, message),
            Err(permit) => eyes.called(*permit, id, message, is_modern),
        },
        What::Task(about) => eyes.told_of(&about, id, message, is_modern),
        What::Resource(permit) => eyes.read(*permit, id, message),
        What::Tools if !is_error => eyes.tools(message),
        What::Hello(version) => {
            if let Some(agreed) = message.value().get("protocolVersion").and_then(Value::as_str) {
                version.get_or_init(|| agreed.to_owned());
            }
            eyes.said(message)
        }
        What::Tools | What::Other => eyes.said(message),
    }
}

impl Eyes<'_> {
    fn failed(self, permit: ToolPermit, message: &Message) -> Bytes {
        let error = message.value();
        let text = error.get("message").and_then(Value::as_str).unwrap_or("it gave an error");
        let _it_gave_nothing = permit.settle(ToolEnd::Failed(text), None);
        self.server.desk.metrics().called(&self.server.name, Ended::Failed);
        self.said(message)
    }

    fn called(self, permit: ToolPermit, id: &RequestId, message: &Message, is_modern: bool) -> Bytes {
        let action = permit.action();
        match settle(permit, message) {
            Ok(bytes) => {
                self.server.desk.metrics().called(&self.server.name, Ended::Answered);
                bytes
            }
            Err(denial) => {
                self.server.desk.metrics().called(&self.server.name, Ended::Denied);
                self.server.desk.metrics().found(denial.code, Verdict::Deny);
                answer::denied_call(id.clone(), action, &denial, is_modern)
            }
        }
    }

    fn read(self, permit: ToolPermit, id: &RequestId, message: &Message) -> Bytes {
        settle(permit, message).unwrap_or_else(|denial| {
            self.server.desk.metrics().found(denial.code, Verdict::Deny);
            answer::denied(Some(id.clone()), &denial)
        })
    }

    /// Keeps the permit of a call that was answered with a task; gives it back where it was not.
    fn put_off(self, permit: Box<ToolPermit>, message: &Message) -> Result<(), Box<ToolPermit>> {
        match task_in(&message.value()) {
            Some(task) => self.server.tasks.keep(self.whose.caller, task, permit, self.server.desk.now()),
            None => Err(permit),
        }
    }

    /// What is told of a task. Its call is settled once the task is over.
    fn told_of(self, about: &About, id: &RequestId, message: &Message, is_modern: bool) -> Bytes {
        let is_error = matches!(message.kind, Kind::Answer { is_error: true, .. });
        let told = match (about.is_result, is_error) {
            (true, _) => Told::Done,
            // What can't be told goes on as far as we know.
            (false, true) => Told::GoesOn,
            (false, false) => Told::of(&message.value()),
        };
        let take = || self.server.tasks.take(self.whose.caller, &about.task);
        let permit = if told == Told::GoesOn { None } else { take() };
        match (permit, told) {
            (None, _) => self.again(id, message),
            (Some(permit), Told::Over(reason)) => {
                let _it_gave_nothing = permit.settle(ToolEnd::Failed(reason), None);
                self.server.desk.metrics().called(&self.server.name, Ended::Failed);
                self.again(id, message)
            }
            (Some(permit), _) if is_error => self.failed(*permit, message),
            (Some(permit), _) if about.is_result => self.called(*permit, id, message, is_modern),
            (Some(permit), _) => {
                self.server.desk.metrics().called(&self.server.name, Ended::Answered);
                self.read(*permit, id, message)
            }
        }
    }

    /// A task whose end its server tells by itself, with what it gave. What must not go on is left out: that the task is over
    /// is told all the same.
    fn told_by_itself(self, message: &Message) -> Option<Bytes> {
        let mut parameters = message.value();
        if message.method() != Some(NOTIFICATION) || Told::of(&parameters) != Told::Done {
            return None;
        }
        let task = parameters.get("taskId").and_then(Value::as_str)?;
        let permit = self.server.tasks.take(self.whose.caller, task)?;
        self.server.desk.metrics().called(&self.server.name, Ended::Answered);
        Some(settle(*permit, message).unwrap_or_else(|denial| {
            self.server.desk.metrics().found(denial.code, Verdict::Deny);
            if let Some(fields) = parameters.as_object_mut() {
                fields.remove("result");
            }
            message.with(&parameters)
        }))
    }

    /// The list of tools without those that may not be called, each with what may be said of it.
    fn tools(self, message: &Message) -> Bytes {
        let mut result = message.value();
        let Some(tools) = result.get_mut("tools").and_then(Value::as_array_mut) else {
            return self.said(message);
        };
        let mut is_changed = false;
        tools.retain_mut(|tool| {
            let (stays, changed) = self.tool(tool);
            is_changed |= !stays || changed;
            stays
        });
        if is_changed { message.with(&result) } else { message.bytes().clone() }
    }

    /// Whether a tool may be listed, and whether something in it was replaced.
    fn tool(self, tool: &mut Value) -> (bool, bool) {
        let name = name_of(&self.server.name, tool.get("name").and_then(Value::as_str).unwrap_or_default());
        if self.policy.judge_name(&name).verdict == Verdict::Deny {
            return (false, false);
        }
        let (found, changed) = self.texts(tool);
        let verdict = self.policy.in_mode(found.would());
        // Clients ask for their lists again and again.
        if !found.is_empty() && self.server.desk.noted.is_new(&(self.whose, &name, verdict, tool.to_string()))
        {
            self.server.desk.note(self.actor, &name, verdict, found.findings());
        }
        (verdict != Verdict::Deny, changed)
    }

    /// Anything else that a server says.
    pub(crate) fn said(self, message: &Message) -> Bytes {
        if let Some(told) = self.told_by_itself(message) {
            return told;
        }
        if self.policy.text_from_tool().detector().is_none() {
            return message.bytes().clone();
        }
        let mut value = message.value();
        let (found, mut changed) = self.texts(&mut value);
        if found.is_empty() {
            return message.bytes().clone();
        }
        let verdict = self.policy.in_mode(found.would());
        let about = match message.method() {
            Some(method) => name_of(&self.server.name, method),
            None => self.server.name.to_string(),
        };
        self.server.desk.note(self.actor, &about, verdict, found.findings());
        if verdict >= Verdict::Ask {
            match &message.kind {
                Kind::Answer { id: Some(id), .. } => {
                    return answer::denied(Some(id.clone()), &Denial::by_policy(found.into_findings()));
                }
                // Who waits for it can't be told; it gets the rest of it.
                Kind::Answer { id: None, .. } | Kind::Request { .. } | Kind::Notification { .. } => {
                    changed |= self.take_out(&mut value);
                }
            }
        }
        if changed { message.with(&value) } else { message.bytes().clone() }
    }

    /// An answer that came before and comes again, or whose request is not known: it may be what a tool gave, and is looked
    /// through like it.
    pub(crate) fn again(self, id: &RequestId, message: &Message) -> Bytes {
        let mut value = message.value();
        let taken = take_binary(&mut value);
        let seen = inspect(self.policy, &mut value);
        if let Some(denial) = seen.refused {
            return answer::denied(Some(id.clone()), &denial);
        }
        if seen.redacted { with_binary(message, value, taken) } else { message.bytes().clone() }
    }

    /// Reads every text of a value. What was found, and whether something was taken out of it.
    fn texts(self, value: &mut Value) -> (Judgement, bool) {
        let (rules, mode) = (self.policy.text_from_tool(), self.policy.mode);
        let (mut found, mut changed) = (Judgement::default(), false);
        if rules.detector().is_none() {
            return (found, false);
        }
        each_text(value, &mut String::new(), &mut |text, at| {
            let read = rules.read(mode, text, true, |kind, verdict| {
                if verdict != Verdict::Allow {
                    found.add(verdict, rules.finding(kind, at.to_owned()));
                }
            });
            changed |= read.text.is_some();
            read.text
        });
        (found, changed)
    }

    /// Takes out everything that is looked for.
    fn take_out(self, value: &mut Value) -> bool {
        let Some(detector) = self.policy.text_from_tool().detector() else { return false };
        let mut changed = false;
        each_text(value, &mut String::new(), &mut |text, _at| {
            let without = detector.redact(text);
            changed |= without.is_some();
            without
        });
        changed
    }
}

/// Settles a call with what it gave. The message as it goes on.
fn settle(permit: ToolPermit, message: &Message) -> Result<Bytes, Denial> {
    if !permit.looks_into_result() && permit.policy().limits.output_bytes.is_none() {
        let bytes = u64::try_from(message.bytes().len()).unwrap_or(u64::MAX);
        return permit.settle(ToolEnd::ReturnedBytes(bytes), None).map(|_settled| message.bytes().clone());
    }
    let mut result = message.value();
    let taken = take_binary(&mut result);
    let binary = taken.iter().map(|(_, bytes)| u64::try_from(bytes.len()).unwrap_or(u64::MAX)).sum();
    if permit.policy().limits.output_bytes.is_some_and(|most| binary > most) {
        return permit.settle(ToolEnd::ReturnedBytes(binary), None).map(|_settled| message.bytes().clone());
    }
    let settled = permit.settle(ToolEnd::Returned(&mut result), None)?;
    if !settled.redacted {
        return Ok(message.bytes().clone());
    }
    Ok(with_binary(message, result, taken))
}

/// The message with this in the place of its result, and in it the bytes that were taken out.
fn with_binary(message: &Message, mut result: Value, taken: Vec<(String, String)>) -> Bytes {
    for (place, bytes) in taken {
        if let Some(value) = result.pointer_mut(&place) {
            *value = Value::String(bytes);
        }
    }
    message.with(&result)
}

/// Takes bytes out of contents, while the texts around them are looked at; gives them with their places.
fn take_binary(value: &mut Value) -> Vec<(String, String)> {
    let mut taken = Vec::new();
    each_binary(value, &mut String::new(), &mut |text, at| {
        taken.push((at.to_owned(), std::mem::take(text)));
    });
    taken
}

fn each_binary(value: &mut Value, at: &mut String, each: &mut dyn FnMut(&mut String, &str)) {
    let mut below = |name: &str, value: &mut Value, is_binary: bool| {
        let length = step(at, name);
        match value {
            Value::String(text) if is_binary && is_base64(text) => each(text, at),
            other => each_binary(other, at, each),
        }
        at.truncate(length);
    };
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                below(&index.to_string(), item, false);
            }
        }
        Value::Object(fields) => {
            let binary = BINARY.map(|(field, beside)| fields.contains_key(beside).then_some(field));
            for (name, value) in fields.iter_mut() {
                below(name, value, binary.contains(&Some(name.as_str())));
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Goes one step down a JSON pointer (RFC 6901); gives how long it was.
fn step(at: &mut String, name: &str) -> usize {
    let length = at.len();
    at.push('/');
    at.push_str(&name.replace('~', "~0").replace('/', "~1"));
    length
}

/// Whether a text can be bytes in base64; else it is looked at like any other.
fn is_base64(text: &str) -> bool {
    let letters = text.trim_end_matches('=');
    text.len() >= LEAST_BINARY
        && text.len().is_multiple_of(4)
        && text.len() - letters.len() <= 2
        && letters
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_'))
}

/// Gives every text of a value, with the JSON pointer (RFC 6901) of its place, and puts in its place what comes back. Names
/// of fields are left as they are: programs read them, and models don't.
pub(crate) fn each_text(
    value: &mut Value,
    at: &mut String,
    each: &mut dyn FnMut(&str, &str) -> Option<String>,
) {
    match value {
        Value::String(text) => {
            if let Some(other) = each(text, at) {
                *text = other;
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                below(&index.to_string(), item, at, each);
            }
        }
        Value::Object(fields) => {
            for (name, value) in fields.iter_mut() {
                below(name, value, at, each);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn below(name: &str, value: &mut Value, at: &mut String, each: &mut dyn FnMut(&str, &str) -> Option<String>) {
    let length = step(at, name);
    each_text(value, at, each);
    at.truncate(length);
}
