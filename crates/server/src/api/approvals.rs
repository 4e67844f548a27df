//! `/api/approvals`: what waits for a person, and the person's decision. Questions of agents are among them.

use std::sync::Arc;

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::{Extension, Json};
use seawall_engine::Ruling;
use seawall_store::{ApprovalDecision, ApprovalRow, ApprovalScope, ApprovalState, StoreError};
use seawall_types::{ApprovalId, Code, Timestamp};
use serde::{Deserialize, Serialize};

use super::agents::Visit;
use super::agents::approvals::{Question, Said, decide as agents_decide, find, waiting};
use super::may_block;
use crate::App;
use crate::access::Admitted;
use crate::problem::Problem;

/// Approvals that are listed at the most.
const MOST: u32 = 1_000;

/// The answer of `GET /api/approvals`.
#[derive(Debug, Serialize)]
pub(crate) struct Listed {
    approvals: Vec<Shown>,
}

/// One approval: of a call through the gateway or a guard, or of an agent.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Shown {
    Row(Box<ApprovalRow>),
    Agent(Box<Question>),
}

impl Shown {
    fn asked_at(&self) -> Timestamp {
        match self {
            Self::Row(row) => row.asked_at,
            Self::Agent(question) => question.asked_at,
        }
    }
}

impl From<ApprovalRow> for Shown {
    fn from(row: ApprovalRow) -> Self {
        Self::Row(Box::new(row))
    }
}

impl From<Question> for Shown {
    fn from(question: Question) -> Self {
        Self::Agent(Box::new(question))
    }
}

/// Which ones; all of them where nothing is said.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Filter {
    #[serde(default)]
    state: Option<ApprovalState>,
}

/// What is decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Decision {
    Allow,
    Deny,
}

/// The body of a decision.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Decided {
    decision: Decision,
    #[serde(default)]
    note: Option<String>,
    #[serde(default)]
    scope: Option<ApprovalScope>,
}

/// The newest of all. Agents' questions are among them for as long as they wait; what was decided of them is in the agent's
/// tool calls.
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    visit: Option<Visit>,
    filter: Result<Query<Filter>, QueryRejection>,
) -> Result<Json<Listed>, Problem> {
    let remedy = "ask for ?state=pending, allowed, denied or expired, or for none of them";
    let Query(Filter { state }) =
        filter.map_err(|rejection| Problem::input("/state", rejection.body_text(), remedy))?;
    let of_agents = match visit {
        Some(visit) if state.is_none_or(|state| state == ApprovalState::Pending) => {
            waiting(&visit, MOST).await?
        }
        _ => Vec::new(),
    };
    let rows = may_block(move || app.parts.approvals.list(state).map_err(|error| problem(&error))).await?;
    let mut approvals: Vec<_> = rows.into_iter().map(Shown::from).collect();
    approvals.extend(of_agents.into_iter().map(Shown::from));
    approvals.sort_by_key(Shown::asked_at);
    let most = usize::try_from(MOST).unwrap_or(usize::MAX);
    approvals.drain(..approvals.len().saturating_sub(most));
    Ok(Json(Listed { approvals }))
}

pub(crate) async fn show(
    State(app): State<Arc<App>>,
    visit: Option<Visit>,
    Path(id): Path<String>,
) -> Result<Json<Shown>, Problem> {
    let id = read_id(&id)?;
    if let Some(row) = at_the_desk(&app, id).await? {
        return Ok(Json(row.into()));
    }
    match of_an_agent(visit, id).await? {
        Some((_, question)) => Ok(Json(question.into())),
        None => Err(problem(&StoreError::NotFound { what: format!("approval {id}") })),
    }
}

pub(crate) async fn decide(
    State(app): State<Arc<App>>,
    visit: Option<Visit>,
    Path(id): Path<String>,
    Extension(who): Extension<Admitted>,
    body: Result<Json<Decided>, JsonRejection>,
) -> Result<Json<Shown>, Problem> {
    let id = read_id(&id)?;
    let remedy =
        "send {\"decision\":\"allow\"} or \"deny\", with a note and a scope (once, arguments, run) if wanted";
    let Json(Decided { decision, note, scope }) =
        body.map_err(|rejection| Problem::input("", rejection.body_text(), remedy))?;
    if at_the_desk(&app, id).await?.is_none()
        && let Some((visit, question)) = of_an_agent(visit, id).await?
    {
        let said = said(decision, note, scope);
        return Ok(Json(agents_decide(visit, question, said).await?.into()));
    }
    let decision = ApprovalDecision { allow: decision == Decision::Allow, scope, by: who.name(), note };
    let decided =
        may_block(move || app.parts.approvals.decide(id, &decision).map_err(|error| problem(&error)));
    Ok(Json(decided.await?.into()))
}

/// What a person says, in the words of the agents' engine.
fn said(decision: Decision, note: Option<String>, scope: Option<ApprovalScope>) -> Said {
    let ruling = match decision {
        Decision::Allow => Ruling::Allow,
        Decision::Deny => Ruling::Deny,
    };
    let scope = match scope {
        None | Some(ApprovalScope::Once) => seawall_engine::ApprovalScope::Once,
        Some(ApprovalScope::Arguments) => seawall_engine::ApprovalScope::Arguments,
        Some(ApprovalScope::Run) => seawall_engine::ApprovalScope::Run,
    };
    Said { ruling, scope, note: note.map(Into::into) }
}

/// The approval of this name, of those that are no agent's.
async fn at_the_desk(app: &Arc<App>, id: ApprovalId) -> Result<Option<ApprovalRow>, Problem> {
    let app = Arc::clone(app);
    may_block(move || app.parts.approvals.show(id).map_err(|error| problem(&error))).await
}

/// The question of this name that an agent asks, where there are agents.
async fn of_an_agent(visit: Option<Visit>, id: ApprovalId) -> Result<Option<(Visit, Question)>, Problem> {
    let Some(visit) = visit else { return Ok(None) };
    let question = find(&visit, id).await?;
    Ok(question.map(|question| (visit, question)))
}

fn read_id(text: &str) -> Result<ApprovalId, Problem> {
    let remedy = "see GET /api/approvals for their identifiers";
    text.parse()
        .map_err(|error: seawall_types::ParseIdError| Problem::input("/id", error.to_string(), remedy))
}

fn problem(error: &StoreError) -> Problem {
    match error {
        StoreError::NotFound { .. } => {
            let remedy =
                "see those that there are: `seawall approvals list --state all`, or GET /api/approvals";
            Problem::new(Code::NotFound, error.to_string(), remedy)
        }
        StoreError::Decided { .. } => {
            let remedy = "see who decided what: `seawall approvals show`, or GET /api/approvals/{id}";
            Problem::new(Code::Conflict, error.to_string(), remedy)
        }
        other => {
            tracing::error!(error = %other, "approvals can't be read or written");
            Problem::new(Code::LedgerUnavailable, "the store can't be read or written", "see the log")
        }
    }
}
