//! `/api/approvals`: what waits for a person, and the person's decision.

use std::sync::Arc;

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::{Extension, Json};
use seawall_store::{ApprovalDecision, ApprovalRow, ApprovalScope, ApprovalState, StoreError};
use seawall_types::{ApprovalId, Code};
use serde::{Deserialize, Serialize};

use super::may_block;
use crate::App;
use crate::access::Admitted;
use crate::problem::Problem;

/// The answer of `GET /api/approvals`.
#[derive(Debug, Serialize)]
pub(crate) struct Listed {
    approvals: Vec<ApprovalRow>,
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

pub(crate) async fn list(
    State(app): State<Arc<App>>,
    filter: Result<Query<Filter>, QueryRejection>,
) -> Result<Json<Listed>, Problem> {
    let remedy = "ask for ?state=pending, allowed, denied or expired, or for none of them";
    let Query(Filter { state }) =
        filter.map_err(|rejection| Problem::input("/state", rejection.body_text(), remedy))?;
    may_block(move || {
        let approvals = app.parts.approvals.list(state).map_err(|error| problem(&error))?;
        Ok(Json(Listed { approvals }))
    })
    .await
}

pub(crate) async fn show(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Json<ApprovalRow>, Problem> {
    let id = read_id(&id)?;
    may_block(move || {
        let found = app.parts.approvals.show(id).map_err(|error| problem(&error))?;
        found.map(Json).ok_or_else(|| problem(&StoreError::NotFound { what: format!("approval {id}") }))
    })
    .await
}

pub(crate) async fn decide(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Extension(who): Extension<Admitted>,
    body: Result<Json<Decided>, JsonRejection>,
) -> Result<Json<ApprovalRow>, Problem> {
    let id = read_id(&id)?;
    let remedy =
        "send {\"decision\":\"allow\"} or \"deny\", with a note and a scope (once, arguments, run) if wanted";
    let Json(Decided { decision, note, scope }) =
        body.map_err(|rejection| Problem::input("", rejection.body_text(), remedy))?;
    let decision = ApprovalDecision { allow: decision == Decision::Allow, scope, by: who.name(), note };
    may_block(move || app.parts.approvals.decide(id, &decision).map(Json).map_err(|error| problem(&error)))
        .await
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
