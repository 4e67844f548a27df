//! `seawall store check`: whether what a store has of each agent is what the agent's log makes of it.

use std::process::ExitCode;

use seawall_engine::AgentId;
use seawall_store::StoreError;
use seawall_store::agents::{Issue, Part, check_consistency, everybody};
use serde_json::json;

use super::opened::{Opened, parse};
use super::{Progress, World, failed};
use crate::exit::{Failure, Outcome};
use crate::{output, settings};

pub(super) async fn run(world: &World<'_>, store: Option<&str>) -> Outcome {
    let choice = match store {
        Some(text) => parse(text)?,
        None => {
            let sources = settings::sources(world.global, world.environment, Vec::new());
            settings::load(&sources).map_err(Failure::usage)?.1.store
        }
    };
    let store = Opened::existing(&choice, &world.data_dir())?;
    let (checked, damaged) = check(world, &store).await?;
    tell(world, &store, checked, &damaged);
    Ok(if damaged.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Agents of which something does not fit.
type Damaged = Vec<(AgentId, Vec<Issue>)>;

async fn check(world: &World<'_>, store: &Opened) -> Result<(usize, Damaged), Failure> {
    let rows = everybody(&*store.agents).await.map_err(|error| failed(&store.name, &error))?;
    let (mut checked, mut damaged) = (0_usize, Damaged::new());
    let mut progress = Progress::new(world, "checked", rows.len());
    for row in &rows {
        match check_consistency(&*store.agents, &row.id).await {
            Ok(found) if found.is_consistent() => {}
            Ok(found) => damaged.push((row.id.clone(), found.issues)),
            // Removed since it was listed.
            Err(StoreError::NotFound { .. }) => continue,
            Err(error) => return Err(failed(&store.name, &error)),
        }
        checked = checked.saturating_add(1);
        progress.tell(checked);
    }
    let is_listed = |agent: &AgentId| rows.iter().any(|row| row.id == *agent);
    for (agent, error) in store.damaged.iter().filter(|(agent, _)| !is_listed(agent)) {
        checked = checked.saturating_add(1);
        damaged.push((agent.clone(), vec![Issue { part: Part::Log, message: error.to_string() }]));
    }
    Ok((checked, damaged))
}

fn tell(world: &World<'_>, store: &Opened, checked: usize, damaged: &Damaged) {
    if world.global.json {
        let damaged: Vec<_> =
            damaged.iter().map(|(agent, issues)| json!({ "agent": agent, "issues": issues })).collect();
        let consistent = damaged.is_empty();
        output::json(&json!({
            "store": store.name, "agents": checked, "consistent": consistent, "damaged": damaged,
        }));
        return;
    }
    for (agent, issues) in damaged {
        for issue in issues {
            output::line(format!("agent {agent}, {}: {}", issue.part.as_str(), issue.message));
        }
    }
    let found = match damaged.len() {
        0 => "everything fits".to_owned(),
        count => format!("{count} damaged"),
    };
    output::line(format!("{}: {checked} agents, {found}", store.name));
}
