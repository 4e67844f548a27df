//! What callers see of an agent, and of a call of a tool.

use std::sync::Arc;

use seawall_engine::{
    AgentId, AgentState, Ancestor, Approval, Audit, Block, Bookmark, Breakpoint, CallId, CallState,
    EffectClass, ToolResult,
};
use seawall_store::agents::{AgentRow, CallRow, Kept};
use seawall_types::{RunId, Timestamp, Tokens, Usd};
use serde::Serialize;
use serde_json::Value;

/// An agent.
#[derive(Debug, Serialize)]
pub(super) struct Face {
    id: AgentId,
    run: RunId,
    template: Arc<str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    template_version: Option<Arc<str>>,
    state: AgentState,
    breakpoint: Breakpoint,
    step_count: u64,
    message_count: u64,
    bookmark: Bookmark,
    epoch: u64,
    /// The worker that claimed it last.
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<Arc<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<Arc<str>>,
    cost_usd: Usd,
    tokens: Tokens,
    lineage: Arc<[Ancestor]>,
    created_at: Timestamp,
    updated_at: Timestamp,
    archived: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Arc<Value>>,
}

impl From<AgentRow> for Face {
    fn from(row: AgentRow) -> Self {
        Self {
            bookmark: Bookmark { seq: row.seq, timestamp: row.updated_at },
            id: row.id,
            run: row.run,
            template: row.template,
            template_version: row.template_version,
            state: row.state,
            breakpoint: row.breakpoint,
            step_count: row.steps,
            message_count: row.messages,
            epoch: row.epoch,
            owner: None,
            tenant: row.owner.tenant,
            cost_usd: row.cost,
            tokens: row.tokens,
            lineage: row.lineage,
            created_at: row.created_at,
            updated_at: row.updated_at,
            archived: row.is_archived,
            metadata: None,
        }
    }
}

impl Face {
    /// With what the index entry does not have.
    pub(super) fn whole(kept: &Kept) -> Self {
        let agent = kept.agent();
        let row = AgentRow::of(agent, kept.owner(), kept.seq());
        let (owner, metadata) = (agent.owner().map(Into::into), agent.config().metadata.clone());
        Self { owner, metadata, ..row.into() }
    }
}

/// A call of a tool, as it stands in the ledger.
#[derive(Debug, Serialize)]
pub(super) struct CallFace {
    agent: AgentId,
    run: RunId,
    id: CallId,
    name: Arc<str>,
    input: Arc<Value>,
    /// What a person put in the place of the input.
    #[serde(skip_serializing_if = "Option::is_none")]
    edited: Option<Arc<Value>>,
    state: CallState,
    #[serde(skip_serializing_if = "Option::is_none")]
    effect: Option<EffectClass>,
    attempt: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<Arc<[Block]>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    approval: Option<Approval>,
    created_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    completed_at: Option<Timestamp>,
    audit: Vec<Audit>,
}

impl From<CallRow> for CallFace {
    fn from(row: CallRow) -> Self {
        let call = row.call;
        let error = call.result.as_ref().filter(|result| result.is_error).map(words);
        Self {
            agent: row.agent,
            run: row.run,
            id: call.id,
            name: call.name,
            input: call.input,
            edited: call.edited,
            state: call.state,
            effect: call.effect,
            attempt: call.attempt,
            result: call.result.map(|result| result.content),
            error,
            approval: call.approval,
            created_at: row.created_at,
            started_at: call.started_at,
            completed_at: call.completed_at,
            audit: call.audit,
        }
    }
}

fn words(result: &ToolResult) -> String {
    let words = result.content.iter().filter_map(|block| match block {
        Block::Text { text } => Some(&**text),
        _ => None,
    });
    words.collect()
}
