//! `seawall store copy`: all agents from one store to another.

use std::process::ExitCode;

use seawall_engine::AgentId;
use seawall_store::StoreError;
use seawall_store::agents::{Copied, copy_agent, everybody};
use serde_json::json;

use super::opened::{Opened, parse};
use super::{Progress, World, failed};
use crate::exit::{Failure, Outcome};
use crate::output;

pub(super) async fn run(world: &World<'_>, from: &str, to: &str, live: bool) -> Outcome {
    let (from, to, data_dir) = (parse(from)?, parse(to)?, world.data_dir());
    if Opened::is(&from, &to, &data_dir) {
        return Err(Failure::usage("FROM and TO are the same store"));
    }
    let from = Opened::existing(&from, &data_dir)?;
    let _no_server_at_the_source = if live { None } else { from.reserve()? };
    if !live {
        from.refuse_workers("; or copy with --live, and again when it has stopped").await?;
    }
    let to = Opened::open(&to, &data_dir)?;
    let _no_server_at_the_target = to.reserve()?;
    to.refuse_workers("").await?;
    let (copied, refused) = copy(world, &from, &to).await?;
    for opened in [&from, &to] {
        opened.agents.close().await.map_err(|error| failed(&opened.name, &error))?;
    }
    tell(world, &from, &to, copied, &refused);
    Ok(if refused.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Agents that could not be copied, and why.
type Refused = Vec<(AgentId, String)>;

async fn copy(world: &World<'_>, from: &Opened, to: &Opened) -> Result<(Copied, Refused), Failure> {
    let rows = everybody(&*from.agents).await.map_err(|error| failed(&from.name, &error))?;
    let (mut copied, mut refused) = (Copied::default(), Refused::new());
    let mut progress = Progress::new(world, "copied", rows.len());
    for (place, row) in rows.iter().enumerate() {
        match copy_agent(&*from.agents, &*to.agents, row).await {
            Ok(events) => copied.count(events),
            Err(StoreError::Conflict { .. }) => refused.push((row.id.clone(), another(row.id.as_str()))),
            Err(error @ StoreError::Corrupt { .. }) => refused.push((row.id.clone(), error.to_string())),
            // With any other failure the next agent would fare no better.
            Err(error) => {
                let so_far = format!("agent {}: {error}; {} agents are copied", row.id, copied.agents);
                return Err(failed(&format!("{} to {}", from.name, to.name), &so_far));
            }
        }
        progress.tell(place.saturating_add(1));
    }
    let is_listed = |agent: &AgentId| rows.iter().any(|row| row.id == *agent);
    for (agent, error) in from.damaged.iter().filter(|(agent, _)| !is_listed(agent)) {
        refused.push((agent.clone(), error.to_string()));
    }
    Ok((copied, refused))
}

fn another(agent: &str) -> String {
    format!(
        "the other store has another agent {agent}, or one that went on by itself; nothing of it was changed: \
         remove or keep one of the two"
    )
}

fn tell(world: &World<'_>, from: &Opened, to: &Opened, copied: Copied, refused: &Refused) {
    let Copied { agents, known, events } = copied;
    if world.global.json {
        let refused: Vec<_> =
            refused.iter().map(|(agent, error)| json!({ "agent": agent, "error": error })).collect();
        output::json(&json!({
            "from": from.name, "to": to.name, "agents": agents, "known": known, "events": events, "refused": refused,
        }));
        return;
    }
    for (agent, error) in refused {
        output::say(format!("agent {agent} is not copied: {error}"));
    }
    let counted = format!("copied {agents} agents with {events} events; {known} were there already");
    let refused =
        if refused.is_empty() { String::new() } else { format!("; {} were not copied", refused.len()) };
    output::line(format!("{} to {}: {counted}{refused}", from.name, to.name));
}
