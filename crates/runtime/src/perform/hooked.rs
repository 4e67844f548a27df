//! Hooks around a model call: what it is asked, and what of its answer goes on.

use std::sync::Arc;

use seawall_engine::History;
use seawall_llm::dialogue::{Failure, FailureClass, Input, Reply, Said, Stop};
use seawall_types::Usage;
use serde_json::{Value, json};

use super::model::Call;
use crate::Template;
use crate::hooks::{self, BeforeModel};
use crate::session::Session;

/// What a model is to be asked, or what is said in its place.
pub(super) enum Asked {
    /// With other words before the conversation, and with another one, where hooks say so.
    Model { system: Option<String>, messages: Option<History> },
    /// It is not asked.
    Answered(Reply),
}

/// Lets hooks look at what is to be asked.
pub(super) async fn before(
    session: &Arc<Session>,
    template: &Template,
    call: &Call,
) -> Result<Asked, Failure> {
    let said = hooks::before_model(session, call.step, session.system_prompt(template), &call.messages).await;
    let BeforeModel { system, messages, answer } =
        said.map_err(|why| Failure::new(FailureClass::Denied, &why))?;
    if let Some(words) = answer {
        let (parts, usage) = (vec![Said::Text(words)], Usage::default());
        return Ok(Asked::Answered(Reply { parts, stop: Stop::Done, usage, model: None }));
    }
    Ok(Asked::Model { system, messages })
}

/// Lets hooks look at an answer. Nobody has heard of it yet.
pub(super) async fn after(session: &Session, step: u64, mut reply: Reply) -> Result<Reply, Failure> {
    if !session.has_hooks(hooks::Moment::PostModel) {
        return Ok(reply);
    }
    let calls: Vec<_> = reply.parts.iter().filter_map(call).collect();
    let said = hooks::after_model(session, step, &reply.text(), &calls).await;
    if let Some(words) = said.map_err(|why| Failure::new(FailureClass::Denied, &why))? {
        // Thoughts that led to other words go with those.
        reply.parts.retain(|part| matches!(part, Said::Call(_)));
        if !words.trim().is_empty() {
            reply.parts.insert(0, Said::Text(words));
        }
    }
    Ok(reply)
}

fn call(part: &Said) -> Option<Value> {
    let Said::Call(call) = part else { return None };
    let arguments = match &call.input {
        Input::Object(fields) => Value::Object(fields.clone()),
        Input::Unreadable(text) => Value::String(text.clone()),
    };
    Some(json!({ "tool": call.name, "arguments": arguments }))
}
