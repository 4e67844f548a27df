//! `seawall agent`: durable agents from the terminal.

mod chat;

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use http::Method;
use seawall_engine::AgentId;
use seawall_store::AgentStore;
use seawall_store::agents::{AgentOrder, AgentQuery, AgentRow};
use serde_json::{Value, json};

use super::World;
use super::store::Opened;
use crate::args::AgentCommand;
use crate::exit::{Failure, Outcome};
use crate::{client, output, settings};

/// As many as are listed.
const MOST: u32 = 1_000;

pub(crate) fn run(world: &World<'_>, command: AgentCommand) -> Outcome {
    match command {
        AgentCommand::Chat(args) => return chat::run(world, args),
        AgentCommand::List { template, archived } => list(world, template, archived)?,
        AgentCommand::Show { id } => show(world, &id)?,
        AgentCommand::Interrupt { id, note } => {
            told(world, &id, "interrupt", &json!({ "note": note }), "interrupted")?;
        }
        AgentCommand::Approve { id, call, deny, note, scope } => {
            let decision = if deny { "deny" } else { "allow" };
            let body = json!({ "call_id": call, "decision": decision, "note": note, "scope": scope });
            told(world, &id, "decide", &body, decision)?;
        }
        AgentCommand::Fork { id, seq, snapshot } => {
            told(world, &id, "fork", &json!({ "seq": seq, "snapshot": snapshot }), "forked")?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn parse(id: &str) -> Result<AgentId, Failure> {
    id.parse().map_err(Failure::usage)
}

/// The configured store. A running server may use it at the same time, but for a folder of files.
fn store(world: &World<'_>) -> Result<Arc<dyn AgentStore>, Failure> {
    let sources = settings::sources(world.global, world.environment, Vec::new());
    let (_, settings) = settings::load(&sources).map_err(Failure::usage)?;
    Ok(Opened::existing(&settings.store, &world.data_dir())?.agents)
}

fn wait<T>(future: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(future))
}

fn list(world: &World<'_>, template: Option<String>, archived: bool) -> Result<(), Failure> {
    let store = store(world)?;
    let template = template.map(Into::into);
    let query =
        AgentQuery { template, archived, order: AgentOrder::Active, most: MOST, ..AgentQuery::default() };
    let agents = wait(store.agents(&query))??;
    if world.global.json {
        output::json(&json!({ "agents": agents.iter().map(described).collect::<Vec<_>>() }));
        return Ok(());
    }
    let rows: Vec<_> = agents.iter().map(cells).collect();
    output::table(&["AGENT", "TEMPLATE", "STATE", "MESSAGES", "COST", "LAST"], &rows);
    Ok(())
}

fn cells(agent: &AgentRow) -> Vec<String> {
    vec![
        agent.id.to_string(),
        agent.template.to_string(),
        agent.state.as_str().to_owned(),
        agent.messages.to_string(),
        format!("${}", agent.cost),
        agent.updated_at.to_string(),
    ]
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

fn show(world: &World<'_>, id: &str) -> Result<(), Failure> {
    let (store, id) = (store(world)?, parse(id)?);
    let kept = wait(store.load(&id))??
        .with_context(|| format!("there is no agent {id}; see `seawall agent list`"))?;
    let row = AgentRow::of(kept.agent(), kept.owner(), kept.seq());
    if world.global.json {
        let messages: Vec<_> = kept.agent().history().iter().collect();
        let mut shown = described(&row);
        if let Value::Object(fields) = &mut shown {
            fields.insert("messages".to_owned(), json!(messages));
            fields.insert("calls".to_owned(), json!(kept.agent().calls()));
        }
        output::json(&shown);
        return Ok(());
    }
    output::table(&["AGENT", "TEMPLATE", "STATE", "MESSAGES", "COST", "LAST"], &[cells(&row)]);
    for message in kept.agent().history().iter() {
        for block in message.content.iter() {
            output::line(format!("\n{}", chat::shown(message.role, block)));
        }
    }
    Ok(())
}

/// Tells the running server something about an agent.
fn told(world: &World<'_>, id: &str, what: &str, body: &Value, done: &str) -> Result<(), Failure> {
    let id = parse(id)?;
    let Some(server) = client::running(&world.data_dir()) else {
        return Err(Failure::usage("no server runs on this data directory; start one with `seawall up`"));
    };
    let answer = client::ask(&server, Method::POST, &format!("/api/agents/{id}/{what}"), Some(body))?;
    if world.global.json {
        output::json(&answer);
    } else {
        output::line(format!("{id}: {done}"));
    }
    Ok(())
}
