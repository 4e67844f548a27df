//! What approvals write into the trace: `approval.asked` and `approval.decided`.
//!
//! The arguments stay out, and so does the line that is made of them; the trace has what a call is recognised by.

use std::sync::Arc;

use seawall_store::{ApprovalRow, ApprovalScope, ApprovalState};
use seawall_types::{ApprovalId, Event, EventKind, Finding, RunId, Timestamp};
use serde::Serialize;

#[derive(Serialize)]
struct Asked<'a> {
    approval: ApprovalId,
    tool: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    call_id: Option<&'a str>,
    arguments_hash: String,
    expires_at: Timestamp,
    findings: &'a [Finding],
}

#[derive(Serialize)]
struct Decided<'a> {
    approval: ApprovalId,
    tool: &'a str,
    decision: ApprovalState,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<ApprovalScope>,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'a str>,
    decided_at: Option<Timestamp>,
    /// The run that asked, where it has ended and another one's trace has to say so.
    #[serde(skip_serializing_if = "Option::is_none")]
    of_run: Option<RunId>,
}

pub(super) fn asked(row: &ApprovalRow) -> Event {
    let data = Asked {
        approval: row.id,
        tool: &row.tool,
        call_id: row.call_id.as_deref(),
        arguments_hash: blake3::Hash::from_bytes(row.arguments_hash).to_hex().to_string(),
        expires_at: row.expires_at,
        findings: &row.findings,
    };
    about(row, Event::new(row.asked_at, row.run, EventKind::ApprovalAsked, &data))
}

/// The decision, for the trace of `run`.
pub(super) fn decided(row: &ApprovalRow, run: RunId, now: Timestamp) -> Event {
    let data = Decided {
        approval: row.id,
        tool: &row.tool,
        decision: row.state,
        scope: row.scope,
        by: row.decided_by.as_deref(),
        note: row.note.as_deref(),
        decided_at: row.decided_at,
        of_run: (run != row.run).then_some(row.run),
    };
    about(row, Event::new(now, run, EventKind::ApprovalDecided, &data))
}

fn about(row: &ApprovalRow, event: Event) -> Event {
    Event { action: row.action, actor: Arc::new(row.actor.clone()), ..event }
}
