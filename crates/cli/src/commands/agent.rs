//! `seawall agent`: durable agents from the terminal.

mod chat;
mod deed;
mod reach;

use std::process::ExitCode;

use http::Method;
use seawall_engine::AgentId;
use serde_json::{Value, json};

use self::deed::Deed;
use self::reach::Reach;
use super::World;
use crate::args::AgentCommand;
use crate::exit::{Failure, Outcome};
use crate::{client, output};

pub(crate) fn run(world: &World<'_>, command: AgentCommand) -> Outcome {
    match command {
        AgentCommand::Chat(args) => return chat::run(world, args),
        AgentCommand::List { place, template, archived } => {
            list(world, &Reach::of(world, &place)?.list(template.as_deref(), archived)?);
        }
        AgentCommand::Show { id, place } => {
            let id = parse(&id)?;
            show(world, &Reach::of(world, &place)?.show(&id)?)?;
        }
        AgentCommand::Interrupt { id, place, note } => {
            perform(world, &id, &place, &Deed::interrupt(note))?;
        }
        AgentCommand::Resume { id, place, note } => perform(world, &id, &place, &Deed::resume(note))?,
        AgentCommand::Repair(args) => {
            let deed = Deed::repair(&args)?;
            perform(world, &args.id, &args.place, &deed)?;
        }
        AgentCommand::Approve { id, place, call, deny, note, scope } => {
            perform(world, &id, &place, &Deed::decide(&call, deny, note, &scope)?)?;
        }
        AgentCommand::Fork { id, seq, snapshot } => {
            told(world, &id, "fork", &json!({ "seq": seq, "snapshot": snapshot }), "forked")?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Does something to an agent, where it is.
fn perform(world: &World<'_>, id: &str, place: &crate::args::PlaceArgs, deed: &Deed) -> Result<(), Failure> {
    let id = parse(id)?;
    let answer = Reach::of(world, place)?.perform(&id, deed)?;
    if world.global.json {
        output::json(&answer);
    } else {
        output::line(format!("{id}: {}", deed.done));
    }
    Ok(())
}

fn parse(id: &str) -> Result<AgentId, Failure> {
    id.parse().map_err(Failure::usage)
}

fn list(world: &World<'_>, listed: &Value) {
    if world.global.json {
        output::json(listed);
        return;
    }
    let agents = listed.get("agents").and_then(Value::as_array).into_iter().flatten();
    output::table(&HEAD, &agents.map(cells).collect::<Vec<_>>());
}

/// What is told of an agent in a line.
const HEAD: [&str; 6] = ["AGENT", "TEMPLATE", "STATE", "MESSAGES", "COST", "LAST"];

fn cells(agent: &Value) -> Vec<String> {
    let of = |name: &str| match agent.get(name) {
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
        None => String::new(),
    };
    let cost = format!("${}", of("cost_usd"));
    vec![of("id"), of("template"), of("state"), of("message_count"), cost, of("updated_at")]
}

fn show(world: &World<'_>, shown: &Value) -> Result<(), Failure> {
    if world.global.json {
        output::json(shown);
        return Ok(());
    }
    output::table(&HEAD, &[cells(shown)]);
    for message in shown.get("messages").and_then(Value::as_array).into_iter().flatten() {
        let member = |name: &str| message.get(name).cloned().unwrap_or_default();
        let role = serde_json::from_value(member("role"))?;
        let content: Vec<seawall_engine::Block> = serde_json::from_value(member("content"))?;
        for block in &content {
            output::line(format!("\n{}", chat::shown(role, block)));
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
