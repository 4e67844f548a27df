//! Tools of other servers, which an agent's template names: who knows them is given by whoever puts everything together.

use std::fmt;
use std::sync::Arc;

use seawall_tools::{Registry, Tool};

use crate::model::BoxFuture;

/// What names of such tools begin with.
const PREFIX: &str = "mcp__";

/// Knows the tools of servers. Their names are `mcp__SERVER__TOOL`.
pub trait ToolServers: fmt::Debug + Send + Sync {
    /// The tools of a server.
    ///
    /// # Errors
    /// Why there are none, in words.
    fn tools<'a>(&'a self, server: &'a str) -> BoxFuture<'a, Result<Vec<Arc<dyn Tool>>, String>>;
}

/// Whether a template means a tool of a server by this.
pub(crate) fn is_served(name: &str) -> bool {
    name.starts_with(PREFIX)
}

/// The tools of these names; one `*` in the part after the server stands for any text.
///
/// # Errors
/// In words: a server that is not there or does not answer, a name that no tool has.
pub(crate) async fn select(servers: Option<&dyn ToolServers>, names: &[&str]) -> Result<Registry, String> {
    let mut chosen = Registry::new();
    for name in names {
        let parts = name.strip_prefix(PREFIX).and_then(|rest| rest.split_once("__"));
        let Some((server, _)) = parts.filter(|(server, tool)| !server.contains('*') && !tool.is_empty())
        else {
            return Err(format!(
                "{name:?} names no tool of a server; write mcp__SERVER__TOOL, or mcp__SERVER__*"
            ));
        };
        let servers = servers.ok_or_else(|| format!("{name:?}: this program has no servers of tools"))?;
        let mut all = Registry::new();
        for tool in servers.tools(server).await? {
            // What a server declares is not ours to mend: the others can be used.
            if let Err(error) = all.register(tool) {
                tracing::warn!(server, %error, "a tool of a server can't be used, and is left out");
            }
        }
        let found = all.select([name]).map_err(|error| format!("the server {server}: {error}"))?;
        chosen.join(found);
    }
    Ok(chosen)
}
