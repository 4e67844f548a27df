//! `/api/agents/{id}/repair` and `…/resume`: what an operator mends by hand. Who did it and why is in the agent's log.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use seawall_base::id;
use seawall_engine::{CallId, Mend, MessageId, MessageKind, Repair, ToolResult};
use serde::Deserialize;
use serde_json::Value;

use super::answer::Accepted;
use super::blobs;
use super::calls::told;
use super::found::Found;
use super::input::Input;
use super::messages::Content;
use crate::App;
use crate::problem::Problem;

/// The body of a repair.
#[derive(Debug, Deserialize)]
#[serde(tag = "repair", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Wanted {
    /// Give up what the step waits for.
    SkipStep { note: Arc<str> },
    /// Give a call its result.
    AnswerCall {
        call_id: CallId,
        result: Value,
        #[serde(default)]
        is_error: bool,
        note: Arc<str>,
    },
    /// Put a message in.
    InjectMessage {
        content: Content,
        #[serde(default)]
        kind: MessageKind,
        note: Arc<str>,
    },
    /// Tell clients something.
    InjectEvent {
        event: Arc<str>,
        #[serde(default)]
        data: Option<Arc<Value>>,
        note: Arc<str>,
    },
}

pub(super) async fn repair(
    State(app): State<Arc<App>>,
    found: Found,
    Input(wanted): Input<Wanted>,
) -> Result<Json<Accepted>, Problem> {
    let (mend, note) = match wanted {
        Wanted::SkipStep { note } => (Mend::SkipStep, note),
        Wanted::AnswerCall { call_id, result, is_error, note } => {
            let result = ToolResult { is_error, ..told(Some(result)) };
            (Mend::AnswerCall { call: call_id, result }, note)
        }
        Wanted::InjectMessage { content: Content(content), kind, note } => {
            blobs::verify(&found, &content).await?;
            let id = MessageId(format!("msg-{}", id::new_request(&*app.parts.clock)).into());
            (Mend::InjectMessage { id, kind, content }, note)
        }
        Wanted::InjectEvent { event, data, note } => (Mend::InjectEvent { event, data }, note),
    };
    if note.trim().is_empty() {
        return Err(Problem::input("/note", "the note says nothing", "say why the agent is repaired"));
    }
    give(&found, mend, Some(note)).await
}

/// The body of going on.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GoingOn {
    #[serde(default)]
    note: Option<Arc<str>>,
}

/// Goes on with a turn that failed, or that somebody stopped.
pub(super) async fn resume(
    found: Found,
    Input(GoingOn { note }): Input<GoingOn>,
) -> Result<Json<Accepted>, Problem> {
    give(&found, Mend::Resume, note).await
}

async fn give(found: &Found, mend: Mend, note: Option<Arc<str>>) -> Result<Json<Accepted>, Problem> {
    let repair = Repair { mend, by: found.who.name().into(), note };
    let done = found.runtime.command(found.id(), repair).await?;
    Ok(Json(Accepted { bookmark: done.bookmark }))
}
