//! Hooks: code of the operator's that looks at what an agent is about to do, or at what came of it.

use std::fmt;

use seawall_engine::{AgentId, Judgement, ToolResult};
use serde_json::Value;

use crate::model::BoxFuture;

/// What is called around calls of tools. Every method has a default that changes nothing.
pub trait Hooks: fmt::Debug + Send + Sync {
    /// Before a call is asked about or begun. `None`: nothing to say. What the policy and the agent's permission say counts
    /// besides, and the gravest wins.
    fn before_tool<'a>(
        &'a self,
        agent: &'a AgentId,
        tool: &'a str,
        arguments: &'a Value,
    ) -> BoxFuture<'a, Option<Judgement>> {
        let _unasked = (agent, tool, arguments);
        Box::pin(std::future::ready(None))
    }

    /// After a call has ended, for tools of which the description says so ([`seawall_engine::ToolSpec::post_hook`]). What
    /// is given takes the place of the result.
    fn after_tool<'a>(
        &'a self,
        agent: &'a AgentId,
        tool: &'a str,
        result: &'a ToolResult,
    ) -> BoxFuture<'a, Option<ToolResult>> {
        let _unasked = (agent, tool, result);
        Box::pin(std::future::ready(None))
    }
}

/// No hooks.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoHooks;

impl Hooks for NoHooks {}
