//! `/api/agents/{id}/decide` and `…/interrupt`: what people say of what an agent wants, or does.

use std::sync::Arc;

use axum::Json;
use seawall_engine::{ApprovalScope, Bookmark, CallId, Decide, Refused, Ruling, Subject};
use seawall_runtime::{AgentError, Runtime};
use seawall_store::agents::{AgentRow, CallQuery, CallRow};
use seawall_types::ApprovalId;
use serde::Deserialize;
use serde_json::Value;

use super::answer::Accepted;
use super::found::Found;
use super::input::Input;
use crate::problem::Problem;

/// Rows of the ledger that are read at a time.
const PAGE: u32 = 256;

/// The body of a decision.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Decision {
    #[serde(default)]
    approval_id: Option<ApprovalId>,
    #[serde(default)]
    call_id: Option<CallId>,
    decision: Ruling,
    #[serde(default)]
    note: Option<Arc<str>>,
    #[serde(default)]
    scope: ApprovalScope,
    #[serde(default)]
    arguments: Option<Arc<Value>>,
}

/// The body of an interruption.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stop {
    #[serde(default)]
    note: Option<String>,
}

pub(super) async fn interrupt(
    found: Found,
    Input(Stop { note }): Input<Stop>,
) -> Result<Json<Accepted>, Problem> {
    let by = found.who.name();
    let done = found.runtime.interrupt(found.id(), &by, note.as_deref()).await?;
    Ok(Json(Accepted { bookmark: done.bookmark }))
}

pub(super) async fn decide(found: Found, Input(body): Input<Decision>) -> Result<Json<Accepted>, Problem> {
    Ok(Json(Accepted { bookmark: give(&found, body).await? }))
}

/// Gives a decision in the caller's name.
pub(super) async fn give(found: &Found, body: Decision) -> Result<Bookmark, Problem> {
    let subject = match (body.approval_id, body.call_id) {
        (Some(approval), None) => Subject::Approval(approval),
        (None, Some(call)) => Subject::Call(call),
        _ => {
            let message = "either approval_id or call_id says what is decided on";
            return Err(Problem::input("/approval_id", message, "send one of them"));
        }
    };
    if body.arguments.as_ref().is_some_and(|arguments| !arguments.is_object()) {
        let message = "arguments of a call are an object";
        return Err(Problem::input("/arguments", message, "send all arguments that the call is to run with"));
    }
    let by = found.who.name().into();
    let Decision { decision: ruling, note, scope, arguments, .. } = body;
    let decide = Decide { subject, ruling, by, scope, note, arguments };
    settle(&found.runtime, &found.row, decide).await
}

/// Decides. Once the step is over only the ledger knows of the question: the same answer again is still no error.
pub(super) async fn settle(runtime: &Runtime, row: &AgentRow, decide: Decide) -> Result<Bookmark, Problem> {
    let unknown = match runtime.decide(&row.id, decide.clone()).await {
        Ok(done) => return Ok(done.bookmark),
        Err(AgentError::Refused(unknown @ (Refused::NoSuchCall(_) | Refused::NoSuchApproval(_)))) => unknown,
        Err(error) => return Err(error.into()),
    };
    let Some(call) = recorded(runtime, row, decide.subject).await? else { return Err(unknown.into()) };
    let Some(asked) = call.call.approval else {
        return Err(Refused::Invalid("nobody was asked about this call".to_owned()).into());
    };
    match asked.decided {
        Some(decided) if decided.ruling == decide.ruling && decided.arguments == decide.arguments => {
            Ok(Bookmark { seq: row.seq, timestamp: row.updated_at })
        }
        Some(_) => Err(Refused::Decided.into()),
        None => Err(Refused::Late { what: "the question" }.into()),
    }
}

/// The call as it stands in the ledger.
async fn recorded(runtime: &Runtime, row: &AgentRow, subject: Subject) -> Result<Option<CallRow>, Problem> {
    let is_meant = |row: &CallRow| match subject {
        Subject::Call(id) => row.call.id == id,
        Subject::Approval(id) => row.call.approval.as_ref().is_some_and(|asked| asked.id == id),
    };
    let mut query = CallQuery { agent: Some(row.id.clone()), most: PAGE, ..CallQuery::default() };
    loop {
        let rows = runtime.store().calls(&query).await?;
        let count = u32::try_from(rows.len()).unwrap_or(u32::MAX);
        if let Some(found) = rows.into_iter().find(is_meant) {
            return Ok(Some(found));
        }
        if count < PAGE {
            return Ok(None);
        }
        query.skip = query.skip.saturating_add(count);
    }
}
