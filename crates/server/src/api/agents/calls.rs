//! `/api/agents/{id}/tool-calls`: the ledger of an agent's calls of tools, and what a person finds out about one in doubt.

use std::sync::Arc;

use axum::Json;
use axum::extract::FromRequestParts;
use http::request::Parts;
use seawall_engine::{Block, CallId, CallState, Resolution, Resolve, ToolResult};
use seawall_store::agents::{CallQuery, CallRow};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::answer::Accepted;
use super::face::CallFace;
use super::found::{Found, of_path};
use super::input::{Asked, Input, Page};
use crate::App;
use crate::problem::Problem;

/// Which calls.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Filter {
    #[serde(default)]
    tool: Option<String>,
    #[serde(default)]
    state: Option<CallState>,
    #[serde(default)]
    limit: Option<u32>,
    #[serde(default)]
    offset: Option<u32>,
}

/// The answer of `GET …/tool-calls`.
#[derive(Debug, Serialize)]
pub(super) struct Listed {
    tool_calls: Vec<CallFace>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_offset: Option<u32>,
}

impl Listed {
    pub(super) fn of(page: Page, rows: Vec<CallRow>) -> Self {
        let (rows, next_offset) = page.cut(rows);
        Self { tool_calls: rows.into_iter().map(Into::into).collect(), next_offset }
    }
}

pub(super) async fn list(found: Found, Asked(filter): Asked<Filter>) -> Result<Json<Listed>, Problem> {
    let page = Page::new(filter.limit, filter.offset)?;
    let query = CallQuery {
        agent: Some(found.id().clone()),
        tool: filter.tool.map(Into::into),
        state: filter.state,
        skip: page.skip,
        most: page.with_one_more(),
        ..CallQuery::default()
    };
    Ok(Json(Listed::of(page, found.store().calls(&query).await?)))
}

/// The call of the path.
#[derive(Debug)]
pub(super) struct Named(CallId);

impl FromRequestParts<Arc<App>> for Named {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let text = of_path(parts, app, "call").await?;
        let wrong = |error: seawall_engine::ParseCallIdError| {
            Problem::input("/call", error.to_string(), "see GET /api/agents/{id}/tool-calls for their ids")
        };
        text.parse().map(Self).map_err(wrong)
    }
}

/// What was found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Done,
    NotDone,
}

/// The body of a resolution.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Finding {
    outcome: Outcome,
    #[serde(default)]
    result: Option<Value>,
    note: Arc<str>,
}

pub(super) async fn resolve(
    found: Found,
    Named(call): Named,
    Input(Finding { outcome, result, note }): Input<Finding>,
) -> Result<Json<Accepted>, Problem> {
    if note.trim().is_empty() {
        return Err(Problem::input("/note", "the note says nothing", "say how it was found out"));
    }
    let resolution = match (outcome, result) {
        (Outcome::Done, result) => Resolution::Done { result: told(result) },
        (Outcome::NotDone, None) => Resolution::NotDone,
        (Outcome::NotDone, Some(_)) => {
            let message = "what was not done has no result";
            return Err(Problem::input("/result", message, "leave the result out"));
        }
    };
    let command = Resolve { call, resolution, by: found.who.name().into(), note };
    let done = found.runtime.command(found.id(), command).await?;
    Ok(Json(Accepted { bookmark: done.bookmark }))
}

/// What the model is told of a call that was done.
pub(super) fn told(result: Option<Value>) -> ToolResult {
    let text = match result {
        Some(Value::String(text)) => text,
        Some(value) => value.to_string(),
        None => {
            "[seawall] a person found out that this call took effect; its result is not known.".to_owned()
        }
    };
    ToolResult { content: [Block::text(text)].into(), is_error: false }
}
