//! Waiting for an agent that works for another one: until its turn is over, however long people take to decide in between.

use std::time::Duration;

use seawall_engine::{Agent, AgentId, AgentState, Channel};
use serde_json::{Value, json};

use super::tell;
use crate::{AgentError, Runtime, Told};

/// How often to see whether the agent is still there, when nothing is heard of it.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// The agent's last words in the turn after this number. Those who follow its parent are told when people have to decide.
///
/// # Errors
/// In words for the model: why there are none.
pub(super) async fn of(
    runtime: &Runtime,
    parent: &AgentId,
    child: &AgentId,
    since: u64,
) -> Result<String, String> {
    let mut feed = runtime.follow(child, &[Channel::Progress, Channel::Monitor], since);
    let mut heard = Heard::default();
    loop {
        match tokio::time::timeout(LOOK_EVERY, feed.next()).await {
            Ok(Ok(told)) => {
                if let Some(end) = heard.hear(child, &told) {
                    return end;
                }
                if told.kind == "state_changed"
                    && let Some(approvals) = asked(runtime, child).await
                {
                    let data = json!({ "agent": child, "approvals": approvals });
                    tell(runtime, parent, "agent_waits", data).await;
                }
            }
            // The store can't be read: whatever the agent does goes on, and is read later.
            Ok(Err(error)) => {
                tracing::warn!(agent = %child, %error, "an agent can't be followed; trying again");
                tokio::time::sleep(LOOK_EVERY).await;
            }
            Err(_elapsed) => {
                if let Err(AgentError::NotFound(_)) = runtime.load(child).await {
                    return Err(format!("the agent {child} was removed before it was done"));
                }
            }
        }
    }
}

/// What people have to decide on before the agent goes on, if that is what it waits for.
async fn asked(runtime: &Runtime, child: &AgentId) -> Option<Value> {
    let is_up_to_people = |agent: &Agent| {
        agent.rests() && matches!(agent.status().state, AgentState::Paused | AgentState::Parked)
    };
    let kept = runtime.load(child).await.ok().filter(|kept| is_up_to_people(kept.agent()))?;
    let asked = kept.agent().calls().iter().filter_map(|call| call.approval.as_ref());
    Some(asked.filter(|asked| asked.decided.is_none()).map(|asked| json!(asked.id)).collect())
}

/// What was heard of a turn.
#[derive(Debug, Default)]
struct Heard {
    /// The words of the step at hand.
    text: String,
    /// Why it has failed.
    error: Option<String>,
}

impl Heard {
    /// Takes something in. The end of the turn, if that is what it is.
    fn hear(&mut self, child: &AgentId, told: &Told) -> Option<Result<String, String>> {
        let face: Value = serde_json::from_str(&told.json).unwrap_or_default();
        let word = |name: &str| {
            let value = face.get("event").and_then(|event| event.get(name));
            value.and_then(Value::as_str).unwrap_or_default()
        };
        match told.kind {
            // The model is asked, or asked anew: what it had said before counts no more.
            "step_started" | "agent_resumed" => self.text.clear(),
            "error" if word("severity") == "warn" && word("phase") == "model" => self.text.clear(),
            "text_chunk_end" => self.text.push_str(word("text")),
            "error" if word("severity") == "error" => self.error = Some(word("message").to_owned()),
            "agent_archived" => {
                return Some(Err(format!("the agent {child} was put away before it was done")));
            }
            "done" => {
                return Some(match word("reason") {
                    "completed" => Ok(std::mem::take(&mut self.text)),
                    "interrupted" => Err(format!("the agent {child} was interrupted before it was done")),
                    _ => {
                        let why = self.error.take().unwrap_or_else(|| "see its events".to_owned());
                        Err(format!("the agent {child} failed: {why}"))
                    }
                });
            }
            _ => {}
        }
        None
    }
}
