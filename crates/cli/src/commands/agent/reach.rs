//! Where the terminal finds agents: at the server that works on the data directory, or in their store itself.
//!
//! What is written into a store is done by whoever runs the agent: the holder, or who claims it next. Nothing is run here.

use std::sync::Arc;

use anyhow::Context;
use http::Method;
use seawall_base::clock::SystemClock;
use seawall_engine::AgentId;
use seawall_runtime::record;
use seawall_server::ServerState;
use seawall_store::AgentStore;
use seawall_store::agents::{AgentOrder, AgentQuery, AgentRow};
use serde_json::{Value, json};

use super::World;
use super::deed::Deed;
use crate::args::PlaceArgs;
use crate::commands::store::Opened;
use crate::exit::Failure;
use crate::{client, settings};

/// As many as are listed.
const MOST: u32 = 1_000;

/// Where agents are.
pub(super) enum Reach {
    Server(ServerState),
    Store(Arc<dyn AgentStore>),
}

impl Reach {
    pub(super) fn of(world: &World<'_>, place: &PlaceArgs) -> Result<Self, Failure> {
        if place.store.is_none()
            && let Some(server) = client::running(&world.data_dir())
        {
            return Ok(Self::Server(server));
        }
        let flags = place.store.iter().map(|store| ("store".to_owned(), Value::String(store.clone())));
        let sources = settings::sources(world.global, world.environment, flags.collect());
        let (_, settings) = settings::load(&sources).map_err(Failure::usage)?;
        Ok(Self::Store(Opened::existing(&settings.store, &world.data_dir())?.agents))
    }

    /// `{"agents": […]}`, what something happened to last first.
    pub(super) fn list(&self, template: Option<&str>, archived: bool) -> Result<Value, Failure> {
        let store = match self {
            Self::Server(server) => {
                let template = template.map(|name| format!("&template={}", encoded(name)));
                let template = template.unwrap_or_default();
                let path = format!("/api/agents?order=active&archived={archived}{template}");
                return Ok(client::ask(server, Method::GET, &path, None)?);
            }
            Self::Store(store) => store,
        };
        let (template, order) = (template.map(Into::into), AgentOrder::Active);
        let query = AgentQuery { template, archived, order, most: MOST, ..AgentQuery::default() };
        let agents = wait(store.agents(&query))??;
        Ok(json!({ "agents": agents.iter().map(described).collect::<Vec<_>>() }))
    }

    /// The agent, with `messages` and `calls`.
    pub(super) fn show(&self, id: &AgentId) -> Result<Value, Failure> {
        let (mut shown, messages, calls) = match self {
            Self::Server(server) => {
                let of =
                    |what: &str| client::ask(server, Method::GET, &format!("/api/agents/{id}{what}"), None);
                let member = |value: Value, name: &str| value.get(name).cloned().unwrap_or_default();
                let messages = member(of("/messages")?, "messages");
                (of("")?, messages, member(of("/tool-calls")?, "tool_calls"))
            }
            Self::Store(store) => {
                let kept = wait(store.load(id))??;
                let kept =
                    kept.with_context(|| format!("there is no agent {id}; see `seawall agent list`"))?;
                let agent = kept.agent();
                let row = AgentRow::of(agent, kept.owner(), kept.seq());
                let messages: Vec<_> = agent.history().iter().collect();
                (described(&row), json!(messages), json!(agent.calls()))
            }
        };
        if let Value::Object(fields) = &mut shown {
            fields.insert("messages".to_owned(), messages);
            fields.insert("calls".to_owned(), calls);
        }
        Ok(shown)
    }

    pub(super) fn perform(&self, id: &AgentId, deed: &Deed) -> Result<Value, Failure> {
        match self {
            Self::Server(server) => {
                let path = format!("/api/agents/{id}/{}", deed.path);
                Ok(client::ask(server, Method::POST, &path, Some(&deed.body))?)
            }
            Self::Store(store) => {
                let clock = SystemClock::new();
                let done = wait(record(&**store, &clock, id, &deed.command))?;
                let done = done?;
                wait(store.close())??;
                Ok(json!({ "bookmark": done.bookmark }))
            }
        }
    }
}

fn wait<T>(future: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(future))
}

/// A value of a query.
fn encoded(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let letter =
        |byte: u8| if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(letter).collect()
}

fn described(agent: &AgentRow) -> Value {
    json!({
        "id": agent.id,
        "template": agent.template,
        "state": agent.state,
        "breakpoint": agent.breakpoint,
        "step_count": agent.steps,
        "message_count": agent.messages,
        "cost_usd": agent.cost,
        "created_at": agent.created_at,
        "updated_at": agent.updated_at,
        "epoch": agent.epoch,
        "lineage": agent.lineage,
    })
}
