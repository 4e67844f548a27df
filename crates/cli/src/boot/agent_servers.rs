//! Tools of MCP servers, as agents are given them: `mcp__SERVER__TOOL` is the tool TOOL of the server SERVER of the
//! configuration, called `SERVER.TOOL` in policies and traces like everybody's calls of it.
//!
//! The agent's call is judged like any of its calls, and then passed on by the proxy. Each agent has a session of its own with
//! a server, and so a process of its own where the server is a program.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use seawall_engine::{AgentId, Block, EffectClass, ToolResult, ToolSpec};
use seawall_gateway::Gateway;
use seawall_mcp::{Client, MessageLimits, Visitor};
use seawall_policy::Performer;
use seawall_runtime::{BoxFuture, ToolServers};
use seawall_tools::{Call, Description, Outcome, Tool};
use seawall_types::Actor;
use serde_json::{Value, json};

/// How long what a server has told of its tools is believed.
const BELIEVED: Duration = Duration::from_mins(1);
/// How long a server has to tell of them: an agent waits for it.
const PATIENCE: Duration = Duration::from_secs(20);
/// Each call has the time of its server, which the proxy holds it to.
const LONGEST: Duration = Duration::from_hours(24);
/// Sessions that are remembered.
const MOST_CLIENTS: usize = 1_000;
/// The longest name of a tool.
const LONGEST_NAME: usize = 64;

/// The servers of the configuration.
#[derive(Debug)]
pub(crate) struct AgentServers {
    clients: Arc<Clients>,
    /// What servers told, and when.
    told: Mutex<HashMap<String, (Duration, Vec<Value>)>>,
}

/// The clients of agents.
#[derive(Debug)]
struct Clients {
    gateway: Arc<Gateway>,
    known: Mutex<HashMap<Whose, Arc<Client>>>,
}

/// A server, and the agent that has a session with it; none for what is asked for all.
type Whose = (String, Option<AgentId>);

impl Clients {
    /// The client of an agent; of nobody's for what is asked for all.
    fn of(&self, server: &str, agent: Option<&AgentId>) -> Arc<Client> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let whose = (server.to_owned(), agent.cloned());
        if known.len() >= MOST_CLIENTS && !known.contains_key(&whose) {
            // Who comes back begins another session.
            known.retain(|_, client| Arc::strong_count(client) > 1);
        }
        let client = known.entry(whose).or_insert_with(|| {
            let limits = self.gateway.snapshot().settings.limits;
            let limits = MessageLimits { message: limits.body, buffer: limits.buffer };
            let agent = agent.map(|agent| agent.as_str().into());
            let actor = Arc::new(Actor { agent, ..Actor::default() });
            // The agent's own action has paid, and was judged by its policy.
            let visitor = Visitor { id: None, actor, policy: None, scopes: Default::default() };
            Arc::new(Client::new(Arc::clone(self.gateway.mcp()), server, visitor, limits))
        });
        Arc::clone(client)
    }
}

impl AgentServers {
    pub(crate) fn new(gateway: &Arc<Gateway>) -> Self {
        let clients = Clients { gateway: Arc::clone(gateway), known: Mutex::default() };
        Self { clients: Arc::new(clients), told: Mutex::default() }
    }

    /// What the server says of its tools, now or lately.
    async fn told(&self, server: &str) -> Result<Vec<Value>, String> {
        let now = self.clients.gateway.checkpoint().clock().monotonic();
        let known = self.told.lock().unwrap_or_else(PoisonError::into_inner).get(server).cloned();
        let before = match known {
            Some((at, tools)) if now.saturating_sub(at) < BELIEVED => return Ok(tools),
            other => other.map(|(_, tools)| tools),
        };
        let client = self.clients.of(server, None);
        match tokio::time::timeout(PATIENCE, client.tools()).await {
            Ok(Ok(tools)) => {
                let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
                told.insert(server.to_owned(), (now, tools.clone()));
                Ok(tools)
            }
            // What is away now may be back when it is called.
            Ok(Err(error)) => before.ok_or_else(|| error.to_string()),
            Err(_elapsed) => before.ok_or_else(|| {
                format!("the server {server} did not tell of its tools within {}s", PATIENCE.as_secs())
            }),
        }
    }
}

impl ToolServers for AgentServers {
    fn tools<'a>(&'a self, server: &'a str) -> BoxFuture<'a, Result<Vec<Arc<dyn Tool>>, String>> {
        Box::pin(async move {
            let mcp = self.clients.gateway.mcp();
            if !mcp.has(server) {
                let known = mcp.names().join(", ");
                return Err(format!("there is no server {server:?} in mcp.servers; there are: {known}"));
            }
            let told = self.told(server).await?;
            let tools = told.iter().filter_map(|told| Served::new(server, told, &self.clients));
            Ok(tools.map(|tool| Arc::new(tool) as Arc<dyn Tool>).collect())
        })
    }
}

/// A tool of a server.
#[derive(Debug)]
struct Served {
    description: Description,
    server: String,
    /// As the server calls it.
    tool: String,
    /// As policies do.
    action: String,
    clients: Arc<Clients>,
}

impl Served {
    /// A tool as its server describes it; none where it has no name that can be used.
    fn new(server: &str, told: &Value, clients: &Arc<Clients>) -> Option<Self> {
        let tool = told.get("name").and_then(Value::as_str)?;
        let is_plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '-';
        let plain: String = tool.chars().map(|letter| if is_plain(letter) { letter } else { '_' }).collect();
        let name = format!("mcp__{server}__{plain}");
        if name.len() > LONGEST_NAME {
            tracing::warn!(server, tool, "the name of this tool is too long for models, and it is left out");
            return None;
        }
        let words = told.get("description").and_then(Value::as_str).unwrap_or_default();
        let schema = told.get("inputSchema").cloned().unwrap_or_else(|| json!({ "type": "object" }));
        let description = Description { spec: spec(told), ..Description::new(name, words, schema) };
        let action = format!("{server}.{tool}");
        let (server, tool, clients) = (server.to_owned(), tool.to_owned(), Arc::clone(clients));
        Some(Self { description, server, tool, action, clients })
    }

    async fn perform(&self, call: Call<'_>) -> Outcome {
        let client = self.clients.of(&self.server, Some(call.agent));
        let answer = tokio::select! {
            answer = client.call(&self.tool, call.arguments) => answer.map_err(|error| error.to_string()),
            // Dropping the call cancels it.
            () = call.cancel.cancelled() => Err("not waited for any longer".to_owned()),
        };
        match answer {
            Ok(result) => result_of(&result).into(),
            Err(words) if self.description.spec.mutates == Some(false) => Outcome::error(words),
            Err(words) => Outcome::error(format!("{words}; it may have taken effect")),
        }
    }
}

impl Tool for Served {
    fn description(&self) -> &Description {
        &self.description
    }

    fn call<'a>(&'a self, call: Call<'a>) -> seawall_tools::BoxFuture<'a, Outcome> {
        Box::pin(self.perform(call))
    }

    fn action(&self) -> Option<&str> {
        Some(&self.action)
    }

    fn performer(&self) -> Performer {
        Performer::Server
    }
}

/// What the server's hints say of running it again. Where they say nothing it is never run again blindly.
fn spec(told: &Value) -> ToolSpec {
    let hint = |name: &str| told.pointer(&format!("/annotations/{name}")).and_then(Value::as_bool);
    let is_read_only = hint("readOnlyHint");
    let effect = match (is_read_only, hint("idempotentHint")) {
        (Some(true), _) => EffectClass::Pure,
        (_, Some(true)) => EffectClass::Idempotent,
        _ => EffectClass::Unsafe,
    };
    ToolSpec { effect, mutates: is_read_only.map(|is| !is), timeout: LONGEST, ..ToolSpec::default() }
}

/// The protocol's result as models read it.
fn result_of(result: &Value) -> ToolResult {
    let is_error = result.get("isError").and_then(Value::as_bool).unwrap_or_default();
    let content = result.get("content").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut blocks: Vec<_> = content.iter().map(|part| Block::text(words(part))).collect();
    if let Some(structured) = result.get("structuredContent").filter(|_| blocks.is_empty()) {
        blocks.push(Block::text(structured.to_string()));
    }
    ToolResult { content: blocks.into(), is_error }
}

fn words(part: &Value) -> String {
    let word = |pointer: &str| part.pointer(pointer).and_then(Value::as_str);
    match (word("/type"), word("/text"), word("/resource/text")) {
        (Some("text"), Some(text), _) | (_, _, Some(text)) => text.to_owned(),
        (Some(kind @ ("image" | "audio")), ..) => {
            let bytes = word("/data").map_or(0, |data| data.len() / 4 * 3);
            let mime = word("/mimeType").unwrap_or("of an unknown kind");
            format!("[{kind} {mime}, about {bytes} bytes, is not shown]")
        }
        _ => part.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_say_what_running_again_does() {
        for (annotations, effect, mutates) in [
            (json!({}), EffectClass::Unsafe, None),
            (json!({"readOnlyHint": true}), EffectClass::Pure, Some(false)),
            (json!({"readOnlyHint": false, "idempotentHint": true}), EffectClass::Idempotent, Some(true)),
            (json!({"idempotentHint": true}), EffectClass::Idempotent, None),
            (json!({"readOnlyHint": "yes"}), EffectClass::Unsafe, None),
        ] {
            let spec = spec(&json!({"name": "t", "annotations": annotations}));
            assert_eq!((spec.effect, spec.mutates), (effect, mutates), "{annotations}");
        }
    }

    #[test]
    fn a_result_is_told_in_words_whatever_it_is_made_of() {
        let content = json!([
            {"type": "text", "text": "words"},
            {"type": "image", "mimeType": "image/png", "data": "AAAAAAAA"},
            {"type": "resource", "resource": {"uri": "file:///a", "text": "inside"}},
            {"type": "resource_link", "uri": "file:///b"},
        ]);
        let result = result_of(&json!({"content": content, "isError": true}));
        let told: Vec<_> = result.content.iter().map(|block| format!("{block:?}")).collect();
        assert!(result.is_error && told.len() == 4);
        for (told, part) in told.iter().zip(["words", "image/png, about 6 bytes", "inside", "file:///b"]) {
            assert!(told.contains(part), "{told}");
        }
        let structured = result_of(&json!({"structuredContent": {"n": 1}}));
        assert_eq!(structured.content[..], [Block::text("{\"n\":1}")]);
    }
}
