//! `seawall config`: what is configured, and whether that is good.

use std::process::ExitCode;

use seawall_config::{Document, Entry, schema, show};
use serde_json::json;

use super::{World, import};
use crate::args::{ConfigCommand, ServeArgs};
use crate::boot::Request;
use crate::exit::{Failure, Outcome};
use crate::output;
use crate::settings::{self, Settings};

pub(crate) fn run(world: &World<'_>, command: &ConfigCommand) -> Outcome {
    match command {
        ConfigCommand::Schema => {
            output::json(&schema(Settings::declare));
            Ok(ExitCode::SUCCESS)
        }
        ConfigCommand::Show => show_values(world),
        ConfigCommand::Check => check(world),
        ConfigCommand::Import { from, file, out } => import::run(world, *from, file, out.as_deref()),
    }
}

fn show_values(world: &World<'_>) -> Outcome {
    let sources = settings::sources(world.global, world.environment, Vec::new());
    let document = Document::load(&sources).map_err(Failure::usage)?;
    let entries = show(&document, Settings::declare);
    if world.global.json {
        output::json(&json!({ "values": entries }));
    } else {
        output::table(&["KEY", "VALUE", "FROM"], &rows(&entries));
    }
    // In the place of a value that is faulty stands its default, and that is not in force.
    settings::load(&sources).map_err(Failure::usage)?;
    Ok(ExitCode::SUCCESS)
}

fn rows(entries: &[Entry]) -> Vec<Vec<String>> {
    let row = |entry: &Entry| vec![entry.key.clone(), entry.value.to_string(), entry.origin.to_string()];
    entries.iter().map(row).collect()
}

/// Everything that a start checks before it opens a port.
fn check(world: &World<'_>) -> Outcome {
    let request = Request {
        global: world.global.clone(),
        args: ServeArgs::default(),
        environment: world.environment.clone(),
        workers: 1,
        listens: false,
    };
    let plan = request.plan();
    if world.global.json {
        let errors: Vec<String> = plan
            .as_ref()
            .err()
            .map(|failure| failure.to_string().lines().map(str::to_owned).collect())
            .unwrap_or_default();
        output::json(&json!({ "ok": errors.is_empty(), "errors": errors }));
        return Ok(ExitCode::from(if errors.is_empty() { 0 } else { 2 }));
    }
    plan?;
    output::line("the configuration is good");
    Ok(ExitCode::SUCCESS)
}
