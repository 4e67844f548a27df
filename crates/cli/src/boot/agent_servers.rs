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
use seawall_mcp::{Client, ClientError, MessageLimits, Visitor};
use seawall_policy::Performer;
use seawall_runtime::{Asking, BoxFuture, NoTools, ToolServers};
use seawall_tools::{Call, Description, Outcome, Tool};
use seawall_types::{Actor, Code};
use serde_json::{Value, json};
use tokio::time::Instant;

/// How long what a server has told of its tools is believed.
const BELIEVED: Duration = Duration::from_mins(1);
/// How long a server has to tell of them, where its own time is not shorter: an agent waits for it.
const PATIENCE: Duration = Duration::from_secs(20);
/// For how long a server that let somebody wait in vain is not asked by those who can go on without it.
const HUNG: Duration = Duration::from_secs(30);
/// How long to wait before a server that is away is asked again, at first and at the most.
const AGAIN: Duration = Duration::from_millis(50);
const AGAIN_AT_MOST: Duration = Duration::from_secs(2);
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
    told: Mutex<HashMap<String, Told>>,
}

/// What a server has told of its tools, and whether it still tells.
#[derive(Debug, Default)]
struct Told {
    /// The tools, and when that was.
    tools: Option<(Duration, Vec<Value>)>,
    /// When it last let somebody wait in vain, and that in words.
    hung: Option<(Duration, String)>,
}

impl Told {
    /// What can be said without asking.
    fn lately(&self, now: Duration, asking: Asking) -> Option<Result<Vec<Value>, String>> {
        let tools = self.tools.as_ref();
        let believed = tools.filter(|(at, _)| now.saturating_sub(*at) < BELIEVED);
        if let Some((_, tools)) = believed {
            return Some(Ok(tools.clone()));
        }
        let (at, words) = self.hung.as_ref().filter(|_| asking == Asking::Once)?;
        let rests = HUNG.checked_sub(now.saturating_sub(*at)).filter(|rests| !rests.is_zero())?;
        let away = || format!("{words}, and is asked again in {}s", rests.as_secs().saturating_add(1));
        Some(tools.map(|(_, tools)| tools.clone()).ok_or_else(away))
    }
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

    fn patience(&self, server: &str) -> Duration {
        self.gateway.mcp().timeout(server).unwrap_or(PATIENCE).min(PATIENCE)
    }

    /// What a server says, as long as it says it in time.
    async fn within<T>(
        &self,
        server: &str,
        asked: impl Future<Output = Result<T, ClientError>>,
    ) -> Result<T, ClientError> {
        let patience = self.patience(server);
        tokio::time::timeout(patience, asked).await.unwrap_or_else(|_elapsed| {
            let words = format!("the server {server} did not answer within {}s", patience.as_secs_f64());
            Err(ClientError::Away(words))
        })
    }
}

/// How long a server that is away is asked again, by somebody who depends on it.
struct Patience {
    until: Instant,
    again: Duration,
}

impl Patience {
    fn new(lasts: Duration) -> Self {
        Self { until: Instant::now() + lasts, again: AGAIN }
    }

    /// Waits a little. Whether to ask again then.
    async fn waits(&mut self) -> bool {
        let next = Instant::now() + self.again;
        if next >= self.until {
            return false;
        }
        tokio::time::sleep_until(next).await;
        self.again = self.again.saturating_mul(2).min(AGAIN_AT_MOST);
        true
    }
}

impl AgentServers {
    pub(crate) fn new(gateway: &Arc<Gateway>) -> Self {
        let clients = Clients { gateway: Arc::clone(gateway), known: Mutex::default() };
        Self { clients: Arc::new(clients), told: Mutex::default() }
    }

    /// What the server says of its tools, now or lately.
    async fn told(&self, server: &str, asking: Asking) -> Result<Vec<Value>, String> {
        let now = || self.clients.gateway.checkpoint().clock().monotonic();
        let began = now();
        let lately = self.note(server, |told| told.lately(began, asking));
        if let Some(lately) = lately {
            return lately;
        }
        let asked = self.clients.within(server, Box::pin(self.ask(server, asking))).await;
        self.note(server, |told| match asked {
            Ok(tools) => {
                *told = Told { tools: Some((began, tools.clone())), hung: None };
                Ok(tools)
            }
            Err(error) => {
                let words = error.to_string();
                // One that refuses costs nobody any time.
                let is_hanging = now().saturating_sub(began) >= self.clients.patience(server) / 2;
                if asking != Asking::UntilBack && is_hanging {
                    told.hung = Some((now(), words.clone()));
                }
                // What is away now may be back when it is called.
                told.tools.as_ref().map(|(_, tools)| tools.clone()).ok_or(words)
            }
        })
    }

    fn note<T>(&self, server: &str, note: impl FnOnce(&mut Told) -> T) -> T {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        note(told.entry(server.to_owned()).or_default())
    }

    async fn ask(&self, server: &str, asking: Asking) -> Result<Vec<Value>, ClientError> {
        let client = self.clients.of(server, None);
        let mut patience = Patience::new(self.clients.patience(server));
        loop {
            let told = client.tools().await;
            if told.is_ok() || asking != Asking::UntilBack || !patience.waits().await {
                return told;
            }
        }
    }
}

impl ToolServers for AgentServers {
    fn tools<'a>(
        &'a self,
        server: &'a str,
        asking: Asking,
    ) -> BoxFuture<'a, Result<Vec<Arc<dyn Tool>>, NoTools>> {
        Box::pin(async move {
            let mcp = self.clients.gateway.mcp();
            if !mcp.has(server) {
                let known = mcp.names().join(", ");
                let words = format!("there is no server {server:?} in mcp.servers; there are: {known}");
                return Err(NoTools::Unknown(words));
            }
            let told = self.told(server, asking).await.map_err(NoTools::Away)?;
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
        let answer = tokio::select! {
            answer = self.answer(&call) => answer,
            // Dropping the call cancels it.
            () = call.cancel.cancelled() => {
                Err(ClientError::Refused(format!("the server {}: not waited for any longer", self.server)))
            }
        };
        let error = match answer {
            Ok(result) => return result_of(&result).into(),
            Err(error) => error,
        };
        let harmless = self.description.spec.mutates == Some(false);
        let told = match &error {
            ClientError::Away(_) => "nothing was done",
            _ if harmless => "it changes nothing",
            _ => "it may have taken effect",
        };
        let code = if matches!(error, ClientError::Away(_)) {
            Code::UpstreamUnreachable
        } else {
            Code::UpstreamBroken
        };
        match error {
            ClientError::Away(words) | ClientError::Lost(words) => Outcome::away(format!(
                "[seawall] {code}: {words}; {told}. Try again later, or go on without it"
            )),
            ClientError::Refused(words) if harmless => Outcome::error(words),
            ClientError::Refused(words) => Outcome::error(format!("{words}; {told}")),
        }
    }

    /// What the server gives. A call that a process has died over is worth waiting for a server that is away just now.
    async fn answer(&self, call: &Call<'_>) -> Result<Value, ClientError> {
        let client = self.clients.of(&self.server, Some(call.agent));
        let may_run_again = self.description.spec.effect != EffectClass::Unsafe;
        let mut patience = Patience::new(self.clients.patience(&self.server));
        loop {
            let answer = client.call(&self.tool, call.arguments).await;
            let may_ask = match &answer {
                Err(ClientError::Away(_)) => true,
                Err(ClientError::Lost(_)) => may_run_again,
                Ok(_) | Err(ClientError::Refused(_)) => false,
            };
            if call.attempt <= 1 || !may_ask || !patience.waits().await {
                return answer;
            }
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
