//! Asking all hooks of an agent, one after the other, and making one of what they say.

use std::sync::Arc;

use seawall_engine::{Block, CallId, History, Judgement, Message, Note, Role, Tell, ToolResult};
use seawall_types::Code;
use serde::Deserialize;
use serde_json::Value;

use super::{About, Hook, HookAnswer, Moment, OnFailure, What};
use crate::session::Session;

/// What hooks say of a call before it runs.
#[derive(Debug, Default)]
pub(crate) struct Looked {
    /// It is refused or answered. Nobody else is asked then.
    pub(crate) settled: Option<Judgement>,
    /// Why a person is to be asked.
    pub(crate) asks: Option<Arc<str>>,
    /// Other arguments.
    pub(crate) arguments: Option<Arc<Value>>,
}

/// Asks about a call. Where a person has approved exactly these arguments, no hook may change them any more.
pub(crate) async fn before_tool(
    session: &Session,
    call: CallId,
    tool: &str,
    arguments: &Arc<Value>,
    is_approved: bool,
) -> Looked {
    let mut looked = Looked::default();
    for hook in session.hooks(Moment::PreTool, Some(tool)) {
        let now = looked.arguments.as_ref().unwrap_or(arguments);
        let what = What::Call { call, tool, arguments: now };
        match ask(session, &**hook, Moment::PreTool, what).await {
            Ok(HookAnswer::Pass) => {}
            Ok(HookAnswer::Ask { reason }) => looked.asks = Some(reason),
            Ok(HookAnswer::Deny { reason }) => {
                let message = format!("a hook of the operator refuses this call: {reason}");
                looked.settled = Some(denied(&message));
            }
            Ok(HookAnswer::Answer { with, is_error }) => {
                looked.settled = Some(Judgement::Answer { result: result_of(with, is_error) });
            }
            Ok(HookAnswer::Rewrite { .. }) if is_approved => {}
            Ok(HookAnswer::Rewrite { with }) => looked.arguments = Some(Arc::new(with)),
            Err(why) => {
                let message = format!(
                    "a hook of the operator could not look at this call, so it was not run: {why}. Tell the operator, or do \
                     without"
                );
                looked.settled = Some(denied(&message));
            }
        }
        if looked.settled.is_some() {
            break;
        }
    }
    looked
}

fn denied(message: &str) -> Judgement {
    Judgement::Deny { code: Code::ToolNotAllowed, message: message.into() }
}

/// Asks about what a tool gave. What the model reads instead, if anything.
pub(crate) async fn after_tool(
    session: &Session,
    call: CallId,
    tool: &str,
    result: &ToolResult,
) -> Option<ToolResult> {
    let mut instead: Option<ToolResult> = None;
    for hook in session.hooks(Moment::PostTool, Some(tool)) {
        let result = instead.as_ref().unwrap_or(result);
        let is_error = result.is_error;
        match ask(session, &**hook, Moment::PostTool, What::Result { call, tool, result }).await {
            Ok(HookAnswer::Pass) => {}
            Ok(HookAnswer::Rewrite { with }) => instead = Some(result_of(with, is_error)),
            Ok(HookAnswer::Answer { with, is_error }) => instead = Some(result_of(with, is_error)),
            Ok(HookAnswer::Deny { reason } | HookAnswer::Ask { reason }) => {
                let words = format!(
                    "[seawall] the tool has run, and a hook of the operator withholds its result: {reason}"
                );
                instead = Some(ToolResult::error(words));
            }
            Err(why) => {
                let words = format!(
                    "[seawall] the tool has run, and a hook of the operator could not look at its result, which is \
                     withheld: {why}. Tell the operator, or do without"
                );
                instead = Some(ToolResult::error(words));
            }
        }
    }
    instead
}

/// A result as a hook gives it: a text, or any JSON.
fn result_of(with: Value, is_error: bool) -> ToolResult {
    ToolResult { content: [Block::text(words_of(with))].into(), is_error }
}

fn words_of(with: Value) -> String {
    match with {
        Value::String(words) => words,
        other => other.to_string(),
    }
}

/// What hooks say of a request to a model.
#[derive(Debug, Default)]
pub(crate) struct BeforeModel {
    pub(crate) system: Option<String>,
    pub(crate) messages: Option<History>,
    /// The words in the place of the model's.
    pub(crate) answer: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rewritten {
    system: Option<String>,
    messages: Option<Vec<RewrittenMessage>>,
}

/// A message as a hook gives it; what else it was given with it is passed over.
#[derive(Debug, Deserialize)]
struct RewrittenMessage {
    role: Role,
    content: Arc<[Block]>,
}

/// Asks about a request.
///
/// # Errors
/// Why the model is not to be asked.
pub(crate) async fn before_model(
    session: &Session,
    step: u64,
    system: &str,
    messages: &History,
) -> Result<BeforeModel, String> {
    let mut said = BeforeModel::default();
    for hook in session.hooks(Moment::PreModel, None) {
        let system = said.system.as_deref().unwrap_or(system);
        let messages = said.messages.as_ref().unwrap_or(messages);
        match ask(session, &**hook, Moment::PreModel, What::Request { step, system, messages }).await {
            Ok(HookAnswer::Pass) => {}
            Ok(HookAnswer::Deny { reason } | HookAnswer::Ask { reason }) => {
                return Err(format!("a hook of the operator refuses this: {reason}"));
            }
            Ok(HookAnswer::Answer { with, .. }) => {
                said.answer = Some(words_of(with));
                break;
            }
            Ok(HookAnswer::Rewrite { with }) => {
                let rewritten: Rewritten = serde_json::from_value(with).map_err(|error| {
                    format!("the hook {} rewrites what can't be read: {error}", hook.name())
                })?;
                said.system = rewritten.system.or(said.system);
                said.messages = rewritten.messages.map(history).or(said.messages);
            }
            Err(why) => {
                return Err(format!(
                    "a hook of the operator could not look at this, so no model was asked: {why}"
                ));
            }
        }
    }
    Ok(said)
}

fn history(messages: Vec<RewrittenMessage>) -> History {
    let numbered = (1..).zip(messages);
    numbered
        .map(|(seq, message)| Arc::new(Message { role: message.role, content: message.content, seq }))
        .collect()
}

/// Asks about a model's answer: its words, and the tools that it asks for. Other words, if any.
///
/// # Errors
/// Why nobody is to hear it.
pub(crate) async fn after_model(
    session: &Session,
    step: u64,
    text: &str,
    calls: &[Value],
) -> Result<Option<String>, String> {
    let mut instead: Option<String> = None;
    for hook in session.hooks(Moment::PostModel, None) {
        let text = instead.as_deref().unwrap_or(text);
        match ask(session, &**hook, Moment::PostModel, What::Reply { step, text, calls }).await {
            Ok(HookAnswer::Pass) => {}
            Ok(HookAnswer::Rewrite { with } | HookAnswer::Answer { with, .. }) => {
                instead = Some(words_of(with))
            }
            Ok(HookAnswer::Deny { reason } | HookAnswer::Ask { reason }) => {
                return Err(format!("a hook of the operator withholds the model's answer: {reason}"));
            }
            Err(why) => {
                return Err(format!(
                    "a hook of the operator could not look at the model's answer, which is withheld: {why}"
                ));
            }
        }
    }
    Ok(instead)
}

/// Tells of messages that are new.
pub(crate) async fn has_changed(session: &Session, count: u64, messages: &[Arc<Message>]) {
    for hook in session.hooks(Moment::MessagesChanged, None) {
        let what = What::Messages { count, messages };
        let _told_of_by_itself = ask(session, &**hook, Moment::MessagesChanged, what).await;
    }
}

/// Asks one hook. One that fails is told of; whether it has said nothing then, or what it was asked about must not be, is
/// the hook's to say.
async fn ask(
    session: &Session,
    hook: &dyn Hook,
    moment: Moment,
    what: What<'_>,
) -> Result<HookAnswer, String> {
    let about = About { moment, agent: &session.agent, what };
    let limit = hook.timeout();
    let answer = match tokio::time::timeout(limit, hook.ask(about)).await {
        Ok(Ok(answer)) => return Ok(answer),
        Ok(Err(failed)) => failed.0,
        Err(_elapsed) => format!("it did not answer within {}s", limit.as_secs_f64()),
    };
    tracing::warn!(agent = %session.agent, hook = hook.name(), moment = moment.as_str(), why = answer, "a hook failed");
    let message = format!("the {} hook {} failed: {answer}", moment.as_str(), hook.name()).into();
    session.report(Tell { note: Note::Error { message } }).await;
    match hook.on_failure() {
        OnFailure::Deny => Err(answer),
        OnFailure::Allow => Ok(HookAnswer::Pass),
    }
}
