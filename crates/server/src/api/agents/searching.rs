//! `/api/messages`, `/api/tool-calls` and `/api/stats`: what all agents have said and done, and how much there is.
//!
//! Who has a tenant finds what is of that tenant's agents. How much there is of all together is nobody's who has one.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use seawall_engine::{AgentId, CallState, Message, Role};
use seawall_store::agents::{CallQuery, MessageQuery, MessageRow, Stats};
use seawall_types::{Code, Timestamp};
use serde::{Deserialize, Serialize};

use super::calls::Listed as Calls;
use super::found::Visit;
use super::input::{Asked, Page};
use crate::problem::Problem;

/// Which messages.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OfMessages {
    #[serde(default)]
    agent: Option<AgentId>,
    #[serde(default)]
    role: Option<Role>,
    #[serde(default)]
    from: Option<Timestamp>,
    #[serde(default)]
    until: Option<Timestamp>,
    #[serde(default)]
    limit: Option<u32>,
    #[serde(default)]
    offset: Option<u32>,
}

/// A message, and whose it is.
#[derive(Debug, Serialize)]
struct Said {
    agent: AgentId,
    at: Timestamp,
    #[serde(flatten)]
    message: Arc<Message>,
}

impl From<MessageRow> for Said {
    fn from(MessageRow { agent, at, message, .. }: MessageRow) -> Self {
        Self { agent, at, message }
    }
}

/// The answer of `GET /api/messages`.
#[derive(Debug, Serialize)]
pub(super) struct Messages {
    messages: Vec<Said>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_offset: Option<u32>,
}

pub(super) async fn messages(
    visit: Visit,
    Asked(filter): Asked<OfMessages>,
) -> Result<Json<Messages>, Problem> {
    let page = Page::new(filter.limit, filter.offset)?;
    let query = MessageQuery {
        agent: filter.agent,
        tenant: visit.who.tenant().cloned(),
        role: filter.role,
        from: filter.from,
        until: filter.until,
        skip: page.skip,
        most: page.with_one_more(),
        ..MessageQuery::default()
    };
    let (rows, next_offset) = page.cut(visit.store().messages(&query).await?);
    Ok(Json(Messages { messages: rows.into_iter().map(Into::into).collect(), next_offset }))
}

/// Which calls.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OfCalls {
    #[serde(default)]
    agent: Option<AgentId>,
    #[serde(default)]
    tool: Option<String>,
    #[serde(default)]
    state: Option<CallState>,
    #[serde(default)]
    from: Option<Timestamp>,
    #[serde(default)]
    until: Option<Timestamp>,
    #[serde(default)]
    limit: Option<u32>,
    #[serde(default)]
    offset: Option<u32>,
}

pub(super) async fn calls(visit: Visit, Asked(filter): Asked<OfCalls>) -> Result<Json<Calls>, Problem> {
    let page = Page::new(filter.limit, filter.offset)?;
    let query = CallQuery {
        agent: filter.agent,
        tenant: visit.who.tenant().cloned(),
        tool: filter.tool.map(Into::into),
        state: filter.state,
        from: filter.from,
        until: filter.until,
        skip: page.skip,
        most: page.with_one_more(),
    };
    Ok(Json(Calls::of(page, visit.store().calls(&query).await?)))
}

/// The answer of `GET /api/stats`.
#[derive(Debug, Serialize)]
pub(super) struct Aggregate {
    agents: u64,
    agents_by_state: BTreeMap<Arc<str>, u64>,
    waiting: u64,
    messages: u64,
    tool_calls: u64,
    snapshots: u64,
    tool_calls_by_name: BTreeMap<Arc<str>, u64>,
    tool_calls_by_state: BTreeMap<Arc<str>, u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
}

pub(super) async fn stats(visit: Visit) -> Result<Json<Aggregate>, Problem> {
    if visit.who.tenant().is_some() {
        let detail = "this is about the agents of all tenants";
        return Err(Problem::new(Code::Forbidden, detail, "ask with a key that has no tenant"));
    }
    let census = visit.store().census().await?;
    let Stats { agents, messages, calls, snapshots, calls_by_tool, calls_by_state, bytes } =
        visit.store().stats(None).await?;
    Ok(Json(Aggregate {
        agents,
        waiting: census.waits(),
        agents_by_state: census.states,
        messages,
        tool_calls: calls,
        snapshots,
        tool_calls_by_name: calls_by_tool,
        tool_calls_by_state: calls_by_state,
        bytes,
    }))
}
