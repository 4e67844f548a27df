//! Waiting for the end of a turn: what `complete` is made of.

use std::sync::Arc;

use seawall_engine::{Agent, AgentId, AgentState, Block, Bookmark, Channel, Role};
use seawall_types::ApprovalId;

use crate::{AgentError, Runtime};

/// How a turn ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Completed {
    /// In a word.
    pub status: Status,
    /// What the agent said last, if it did.
    pub text: Option<Arc<str>>,
    /// Why it failed.
    pub error: Option<(String, String)>,
    /// What people are asked.
    pub approvals: Vec<ApprovalId>,
    /// Where the agent is.
    pub bookmark: Bookmark,
}

/// How a turn ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// The model was done.
    Ok,
    /// People have to decide.
    Paused,
    /// It failed.
    Failed,
    /// Somebody stopped it.
    Interrupted,
}

impl Status {
    /// The word in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Paused => "paused",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
        }
    }
}

impl Runtime {
    /// Waits until an agent, after the number `since`, has ended a turn, or waits for people. Waits for ever; cancelling it
    /// changes nothing.
    ///
    /// # Errors
    /// [`AgentError::NotFound`], a store that fails.
    pub async fn wait(&self, id: &AgentId, since: u64) -> Result<Completed, AgentError> {
        let mut feed = self.follow(id, &[Channel::Progress, Channel::Monitor, Channel::Control], since);
        // It may be people who are waited for all along: nothing would be told of that any more.
        if is_up_to_people(self.load(id).await?.agent()) {
            return self.completed(id, Status::Paused, None).await;
        }
        let mut error = None;
        loop {
            let told = feed.next().await?;
            let face: serde_json::Value = serde_json::from_str(&told.json).unwrap_or_default();
            let event = face.get("event").unwrap_or(&serde_json::Value::Null);
            match told.kind {
                "error" if word(event, "severity") == "error" => error = Some(described(event)),
                "done" => {
                    let status = match word(event, "reason") {
                        "completed" => Status::Ok,
                        "interrupted" => Status::Interrupted,
                        _ => Status::Failed,
                    };
                    return self.completed(id, status, error).await;
                }
                "state_changed" => {
                    let kept = self.load(id).await?;
                    if is_up_to_people(kept.agent()) {
                        return self.completed(id, Status::Paused, None).await;
                    }
                }
                _ => {}
            }
        }
    }

    async fn completed(
        &self,
        id: &AgentId,
        status: Status,
        error: Option<(String, String)>,
    ) -> Result<Completed, AgentError> {
        let kept = self.load(id).await?;
        let agent = kept.agent();
        let said = agent.history().newest_first().find(|message| message.role == Role::Assistant);
        let text = said.filter(|_| status == Status::Ok).map(|message| words(&message.content));
        let open = agent.calls().iter().filter_map(|call| call.approval.as_ref());
        let approvals = open.filter(|asked| asked.decided.is_none()).map(|asked| asked.id).collect();
        let bookmark = Bookmark { seq: agent.seq(), timestamp: agent.last_event_at() };
        Ok(Completed { status, text, error, approvals, bookmark })
    }
}

/// Whether nothing happens before people decide or find out.
fn is_up_to_people(agent: &Agent) -> bool {
    agent.rests() && matches!(agent.status().state, AgentState::Paused | AgentState::Parked)
}

fn words(content: &[Block]) -> Arc<str> {
    let texts = content
        .iter()
        .filter_map(|block| if let Block::Text { text } = block { Some(&**text) } else { None });
    texts.collect::<String>().into()
}

/// Code and message of an error event.
fn described(event: &serde_json::Value) -> (String, String) {
    let detail = event.get("detail").unwrap_or(&serde_json::Value::Null);
    let code = ["class", "limit"].into_iter().map(|kind| word(detail, kind)).find(|code| !code.is_empty());
    (code.unwrap_or("failed").to_owned(), word(event, "message").to_owned())
}

/// A field that is a word.
fn word<'v>(value: &'v serde_json::Value, name: &str) -> &'v str {
    value.get(name).and_then(serde_json::Value::as_str).unwrap_or_default()
}
