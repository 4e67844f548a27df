//! Tools of other servers, which an agent's template names: who knows them is given by whoever puts everything together.
//!
//! A server may be away when an agent is taken up. What is then known of its tools, by the agent's own log, is kept in their
//! places ([`Placeholder`]), so that the agent stays what it was; nothing is called through that.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use seawall_engine::ToolSpec;
use seawall_tools::{Call, Description, Outcome, Registry, Tool};
use seawall_types::{Code, Pattern};
use serde_json::json;
use tokio::task::JoinSet;

use crate::model::BoxFuture;

/// What names of such tools begin with.
const PREFIX: &str = "mcp__";

type Specs = BTreeMap<Arc<str>, ToolSpec>;

/// Knows the tools of servers. Their names are `mcp__SERVER__TOOL`.
pub trait ToolServers: fmt::Debug + Send + Sync {
    /// The tools of a server. In bounded time, whatever the server does.
    ///
    /// # Errors
    /// Why there are none.
    fn tools<'a>(
        &'a self,
        server: &'a str,
        asking: Asking,
    ) -> BoxFuture<'a, Result<Vec<Arc<dyn Tool>>, NoTools>>;
}

/// How a server is asked that may be away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asking {
    /// Once: whoever asks can go on without it. What has hung lately need not be asked at all.
    Once,
    /// Once, whatever has been: without it whoever asks can't go on.
    Needed,
    /// Again and again for as long as a server may take to answer: something depends on it.
    UntilBack,
}

/// A server has no tools for us.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoTools {
    /// Nobody knows a server of this name.
    #[error("{0}")]
    Unknown(String),
    /// It is not there at the moment, or does not tell.
    #[error("{0}")]
    Away(String),
}

/// What servers have brought of what a template names.
#[derive(Debug, Default)]
pub(crate) struct Served {
    pub(crate) tools: Registry,
    /// The servers that are away, and why.
    pub(crate) away: BTreeMap<String, String>,
    /// What is named and not there, in words.
    pub(crate) lacking: Vec<String>,
}

/// Whether a template means a tool of a server by this.
pub(crate) fn is_served(name: &str) -> bool {
    name.starts_with(PREFIX)
}

/// The server whose tool this is.
pub(crate) fn server_of(name: &str) -> Option<&str> {
    let (server, tool) = name.strip_prefix(PREFIX)?.split_once("__")?;
    (!tool.is_empty()).then_some(server)
}

/// What a model is told of a tool that can't be reached.
pub(crate) fn unreached(why: &str) -> String {
    format!("[seawall] {}: {why}; try again later, or go on without it", Code::UpstreamUnreachable)
}

/// The tools of these names; one `*` in the part after the server stands for any text. All servers are asked at once.
///
/// # Errors
/// In words: a name that can't be of a server's tool, a server that nobody knows.
pub(crate) async fn select<S: AsRef<str>>(
    servers: Option<&Arc<dyn ToolServers>>,
    names: &[S],
    asking: Asking,
) -> Result<Served, String> {
    let mut wanted = BTreeMap::<&str, Vec<&str>>::new();
    for name in names.iter().map(AsRef::as_ref) {
        let server = server_of(name).filter(|server| !server.contains('*'));
        let server = server.ok_or_else(|| {
            format!("{name:?} names no tool of a server; write mcp__SERVER__TOOL, or mcp__SERVER__*")
        })?;
        wanted.entry(server).or_default().push(name);
    }
    let mut served = Served::default();
    let Some((first, servers)) = wanted.values().flatten().next().map(|first| (first, servers)) else {
        return Ok(served);
    };
    let servers = servers.ok_or_else(|| format!("{first:?}: this program has no servers of tools"))?;
    let mut answers = ask(servers, wanted.keys().copied(), asking).await;
    for (server, names) in wanted {
        match answers.remove(server) {
            Some(Ok(all)) => served.take(server, &all, &names),
            Some(Err(NoTools::Unknown(why))) => return Err(why),
            Some(Err(NoTools::Away(why))) => _ = served.away.insert(server.to_owned(), why),
            None => _ = served.away.insert(server.to_owned(), "asking it broke off".to_owned()),
        }
    }
    Ok(served)
}

/// Asks servers, each in a task of its own.
async fn ask<'s>(
    servers: &Arc<dyn ToolServers>,
    names: impl Iterator<Item = &'s str>,
    asking: Asking,
) -> BTreeMap<String, Result<Registry, NoTools>> {
    let mut asked = JoinSet::new();
    for server in names.map(str::to_owned) {
        let servers = Arc::clone(servers);
        asked.spawn(async move {
            let tools = servers.tools(&server, asking).await.map(|tools| usable(&server, tools));
            (server, tools)
        });
    }
    let mut answers = BTreeMap::new();
    while let Some(answer) = asked.join_next().await {
        answers.extend(answer.ok());
    }
    answers
}

/// What a server declares is not ours to mend: the others can be used.
fn usable(server: &str, tools: Vec<Arc<dyn Tool>>) -> Registry {
    let mut all = Registry::new();
    for tool in tools {
        if let Err(error) = all.register(tool) {
            tracing::warn!(server, %error, "a tool of a server can't be used, and is left out");
        }
    }
    all
}

impl Served {
    fn take(&mut self, server: &str, all: &Registry, names: &[&str]) {
        for name in names {
            match all.select([name]) {
                Ok(found) => self.tools.join(found),
                Err(error) => self.lacking.push(format!("the server {server}: {error}")),
            }
        }
    }

    /// Everything that was named must be there.
    ///
    /// # Errors
    /// What is not.
    pub(crate) fn whole(self) -> Result<Self, String> {
        let away = self.away.values().next();
        match away.or_else(|| self.lacking.first()) {
            Some(why) => Err(why.clone()),
            None => Ok(self),
        }
    }

    /// Puts what is known of the tools of servers that are away into their places.
    pub(crate) fn keep_known<S: AsRef<str>>(&mut self, names: &[S], known: &Specs) {
        let patterns: Vec<Pattern> = names.iter().filter_map(|name| name.as_ref().parse().ok()).collect();
        for (name, spec) in known {
            let Some((server, why)) = server_of(name).and_then(|server| self.away.get_key_value(server))
            else {
                continue;
            };
            if patterns.iter().any(|pattern| pattern.matches(name)) {
                let kept = self.tools.add(Arc::new(Placeholder::new(name, server, why, spec)));
                if let Err(error) = kept {
                    tracing::warn!(tool = %name, %error, "nothing can be kept in the place of a tool");
                }
            }
        }
    }

    /// What clients are told of what is not as the template has it.
    pub(crate) fn told(&self) -> Vec<String> {
        let of = |server: &str| self.tools.descriptions().any(|tool| server_of(&tool.name) == Some(server));
        let away = self.away.iter().map(|(server, why)| {
            let goes_on = if of(server) {
                "its tools stay, and it is asked again when one is called, and with a later turn"
            } else {
                "the agent goes on without its tools, and it is asked again with a later turn"
            };
            format!("the server of tools {server} is away ({why}); {goes_on}")
        });
        let lacking = self.lacking.iter().map(|what| format!("{what}; the agent goes on without it"));
        away.chain(lacking).collect()
    }

    /// The names of what servers are away for.
    pub(crate) fn names_of<'n>(names: &'n [String], servers: &BTreeSet<&str>) -> Vec<&'n str> {
        let is_of = |name: &&str| server_of(name).is_some_and(|server| servers.contains(server));
        names.iter().map(String::as_str).filter(is_of).collect()
    }
}

/// What stands in the place of a tool whose server is away.
#[derive(Debug)]
struct Placeholder {
    description: Description,
    why: String,
}

impl Placeholder {
    fn new(name: &Arc<str>, server: &str, why: &str, spec: &ToolSpec) -> Self {
        let words = format!(
            "A tool of the server {server}, which can't be reached at the moment. What it takes is not known until the server \
             is back; a call asks the server again."
        );
        // Who looks at results is found out anew.
        let spec = ToolSpec { post_hook: false, ..spec.clone() };
        let description =
            Description { spec, ..Description::new(Arc::clone(name), words, json!({ "type": "object" })) };
        Self { description, why: why.to_owned() }
    }
}

impl Tool for Placeholder {
    fn description(&self) -> &Description {
        &self.description
    }

    fn call<'a>(&'a self, _call: Call<'a>) -> seawall_tools::BoxFuture<'a, Outcome> {
        Box::pin(std::future::ready(Outcome::away(unreached(&self.why))))
    }
}
