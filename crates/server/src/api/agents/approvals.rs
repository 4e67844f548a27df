//! What agents ask of people, among `/api/approvals`.
//!
//! An agent's question is part of its log. What waits is found by the state of its call; what was decided by the time that its
//! name begins with (UUIDv7), so that no list of all calls there ever were has to be read.

use std::sync::Arc;
use std::time::Duration;

use seawall_engine::{
    AgentId, Approval, ApprovalScope, Bookmark, CallId, CallState, Decide, Decided, Ruling, Subject,
};
use seawall_store::agents::{CallQuery, CallRow};
use seawall_store::{AgentStore, ApprovalState};
use seawall_types::{ApprovalId, RunId, Timestamp};
use serde::Serialize;
use serde_json::Value;

use super::deciding::settle;
use super::found::Visit;
use crate::problem::Problem;

/// Rows of the ledger that are read at a time.
const PAGE: u32 = 256;

/// How long before its question a call may have been wanted: judging it takes moments, and after a crash it is judged anew.
const EARLIER: Duration = Duration::from_hours(1);

/// A question of an agent.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Question {
    id: ApprovalId,
    agent: AgentId,
    run: RunId,
    call_id: CallId,
    tool: Arc<str>,
    arguments: Arc<Value>,
    arguments_hash: String,
    summary: Arc<str>,
    pub(crate) asked_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
    pub(crate) state: ApprovalState,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<ApprovalScope>,
    #[serde(skip_serializing_if = "Option::is_none")]
    decided_by: Option<Arc<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    decided_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<Arc<str>>,
}

impl Question {
    fn of(row: CallRow) -> Option<Self> {
        let CallRow { agent, run, call, .. } = row;
        let Approval { id, binding, summary, asked_at, expires_at, decided, .. } = call.approval?;
        let question = Self {
            id,
            agent,
            run,
            call_id: call.id,
            tool: call.name,
            arguments: call.input,
            arguments_hash: binding.to_string(),
            summary,
            asked_at,
            expires_at,
            // Given up before anybody decided: nobody can any more.
            state: if call.state == CallState::ApprovalRequired {
                ApprovalState::Pending
            } else {
                ApprovalState::Expired
            },
            scope: None,
            decided_by: None,
            decided_at: None,
            note: None,
        };
        Some(match decided {
            Some(decided) => question.decided(decided),
            None => question,
        })
    }

    fn decided(self, decided: Decided) -> Self {
        let Decided { ruling, by, at, scope, note, .. } = decided;
        let state = match ruling {
            Ruling::Allow => ApprovalState::Allowed,
            Ruling::Deny if &*by == "expired" => ApprovalState::Expired,
            Ruling::Deny => ApprovalState::Denied,
        };
        Self { state, scope: Some(scope), decided_by: Some(by), decided_at: Some(at), note, ..self }
    }
}

/// The questions of agents that wait, of those that the caller may see.
pub(crate) async fn waiting(visit: &Visit, most: u32) -> Result<Vec<Question>, Problem> {
    let query = CallQuery { state: Some(CallState::ApprovalRequired), most, ..of_tenant(visit) };
    let rows = visit.store().calls(&query).await?;
    let questions = rows.into_iter().filter_map(Question::of);
    Ok(questions.filter(|question| question.state == ApprovalState::Pending).collect())
}

/// The question of this name, of those that the caller may see.
pub(crate) async fn find(visit: &Visit, id: ApprovalId) -> Result<Option<Question>, Problem> {
    let pending = CallQuery { state: Some(CallState::ApprovalRequired), ..of_tenant(visit) };
    if let Some(row) = search(visit.store(), pending, id).await? {
        return Ok(Question::of(row));
    }
    let asked = asked_at(id).as_micros();
    let earlier = u64::try_from(EARLIER.as_micros()).unwrap_or(u64::MAX);
    let from = Timestamp::from_micros(asked.saturating_sub(earlier));
    let until = Timestamp::from_micros(asked).saturating_add(Duration::from_secs(1));
    let around = CallQuery { from: Some(from), until: Some(until), ..of_tenant(visit) };
    Ok(search(visit.store(), around, id).await?.and_then(Question::of))
}

fn of_tenant(visit: &Visit) -> CallQuery {
    CallQuery { tenant: visit.who.tenant().cloned(), ..CallQuery::default() }
}

async fn search(
    store: &Arc<dyn AgentStore>,
    mut query: CallQuery,
    id: ApprovalId,
) -> Result<Option<CallRow>, Problem> {
    query.most = PAGE;
    loop {
        let rows = store.calls(&query).await?;
        let count = u32::try_from(rows.len()).unwrap_or(u32::MAX);
        let is_meant = |row: &CallRow| row.call.approval.as_ref().is_some_and(|asked| asked.id == id);
        if let Some(found) = rows.into_iter().find(is_meant) {
            return Ok(Some(found));
        }
        if count < PAGE {
            return Ok(None);
        }
        query.skip = query.skip.saturating_add(count);
    }
}

/// When an approval was named: the first 48 bits of its name are milliseconds (RFC 9562, 5.7).
fn asked_at(id: ApprovalId) -> Timestamp {
    let digits: String = id.to_string().chars().filter(char::is_ascii_hexdigit).take(12).collect();
    let millis = u64::from_str_radix(&digits, 16).unwrap_or(0);
    Timestamp::from_micros(millis.saturating_mul(1_000))
}

/// What a person says to a question of an agent.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) ruling: Ruling,
    pub(crate) scope: ApprovalScope,
    pub(crate) note: Option<Arc<str>>,
}

/// Decides on a question that was found for the caller.
pub(crate) async fn decide(visit: Visit, question: Question, said: Said) -> Result<Question, Problem> {
    let by: Arc<str> = visit.who.name().into();
    let Said { ruling, scope, note } = said;
    let subject = Subject::Approval(question.id);
    let decide = Decide { subject, ruling, by: Arc::clone(&by), scope, note: note.clone(), arguments: None };
    let found = visit.find(question.agent.clone()).await?;
    let Bookmark { timestamp: at, .. } = settle(&found.runtime, &found.row, decide).await?;
    // The first decision stands as it was given; the same again changes nothing of it.
    if question.state != ApprovalState::Pending {
        return Ok(question);
    }
    Ok(question.decided(Decided { ruling, by, at, scope, note, arguments: None }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_an_approval_tells_when_it_was_asked() {
        let id = ApprovalId::from_parts(1_700_000_000_123, &[9; 10]);
        assert_eq!(asked_at(id), Timestamp::from_micros(1_700_000_000_123_000));
    }
}
