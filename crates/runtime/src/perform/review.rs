//! Hooks that look at what a tool gave, before its model does.

use seawall_engine::{CallId, Reviewed, ToolResult};

use crate::hooks;
use crate::session::Session;

/// Lets hooks look at a result, and tells the holder what they put in its place.
pub(super) async fn review(session: &Session, call: CallId, tool: &str, result: ToolResult) {
    let result = hooks::after_tool(session, call, tool, &result).await;
    session.report(Reviewed { call, result }).await;
}
