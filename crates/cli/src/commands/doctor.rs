//! `seawall doctor`: whether this machine and this configuration will do.

mod capacity;

use std::net::TcpListener;
use std::path::Path;
use std::process::ExitCode;

use rustix::process::{Resource, getrlimit};
use seawall_base::clock::SystemClock;
use seawall_mcp::{Place, ServerPlan};
use seawall_server::Server;
use seawall_store::Store;
use seawall_store_sqlite::SqliteStore;
use seawall_types::Clock;
use serde::Serialize;
use serde_json::json;

use super::World;
use crate::args::ServeArgs;
use crate::boot::{Plan, Request};
use crate::exit::Outcome;
use crate::{client, output};

/// Provider keys that the gateway would use.
const PROVIDER_KEYS: [&str; 3] = ["OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY"];
/// Coding-agent programs that can be pointed at the gateway.
const AGENTS: [&str; 6] = ["claude", "codex", "pi", "gemini", "opencode", "qwen"];
/// Open files that a busy gateway may need: two for each stream.
const WANTED_FILES: u64 = 8_192;
/// Before this program was written the clock is wrong: 2026-01-01.
const EARLIEST: u64 = 1_767_225_600;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
enum State {
    Pass,
    Warn,
    Fail,
}

#[derive(Debug, Serialize)]
struct Row {
    check: &'static str,
    state: State,
    evidence: String,
    remedy: &'static str,
}

fn row(check: &'static str, state: State, evidence: impl Into<String>, remedy: &'static str) -> Row {
    Row { check, state, evidence: evidence.into(), remedy: if state == State::Pass { "" } else { remedy } }
}

pub(crate) use self::capacity::run as capacity;

pub(crate) fn run(world: &World<'_>) -> Outcome {
    let request = Request {
        global: world.global.clone(),
        args: ServeArgs::default(),
        environment: world.environment.clone(),
        workers: 1,
        listens: false,
    };
    let data_dir = world.data_dir();
    let mut rows = Vec::new();
    match request.plan() {
        Ok(plan) => {
            rows.push(row("configuration", State::Pass, "good", ""));
            rows.push(port(&plan, &data_dir));
            rows.push(database(&plan, &data_dir));
            rows.extend(tools(&plan, world));
        }
        Err(failure) => {
            let remedy = "mend what is named; `seawall config schema` tells what is allowed";
            rows.push(row("configuration", State::Fail, failure.to_string(), remedy));
        }
    }
    rows.extend([keys(world), disk(&data_dir), files(), clock(), agents(world)]);
    let failed = rows.iter().any(|row| row.state == State::Fail);
    if world.global.json {
        output::json(&json!({ "ok": !failed, "checks": rows }));
    } else {
        let cells = |row: &Row| {
            vec![
                format!("{:?}", row.state).to_uppercase(),
                row.check.to_owned(),
                row.evidence.clone(),
                row.remedy.to_owned(),
            ]
        };
        output::table(&["", "CHECK", "EVIDENCE", "REMEDY"], &rows.iter().map(cells).collect::<Vec<_>>());
    }
    Ok(ExitCode::from(if failed { 5 } else { 0 }))
}

fn port(plan: &Plan, data_dir: &Path) -> Row {
    if let Some(server) = client::running(data_dir) {
        return row("port", State::Pass, format!("a server runs at {}", server.url), "");
    }
    let bound = Server::address_of(&plan.settings.gateway.listen)
        .map_err(|error| error.to_string())
        .and_then(|address| {
            TcpListener::bind(address).map(|_| address).map_err(|error| format!("{address}: {error}"))
        });
    match bound {
        Ok(address) => row("port", State::Pass, format!("{address} is free"), ""),
        Err(error) => row("port", State::Fail, error, "choose another with gateway.listen or --listen"),
    }
}

fn database(plan: &Plan, data_dir: &Path) -> Row {
    let file = plan.settings.database(data_dir);
    if !file.exists() {
        return row("database", State::Pass, format!("{} will be made", file.display()), "");
    }
    match SqliteStore::open(&file).and_then(|store| store.ping()) {
        Ok(()) => row("database", State::Pass, format!("{} answers", file.display()), ""),
        Err(error) => row("database", State::Fail, error.to_string(), "see the message"),
    }
}

/// Whether the programs of servers of tools are there. Servers elsewhere are not asked: a look must have no effect.
fn tools(plan: &Plan, world: &World<'_>) -> Option<Row> {
    let missing = |server: &&ServerPlan| match &server.settings.place {
        Place::Command { command, .. } => !command.first().is_some_and(|program| is_there(program, world)),
        Place::Url { .. } => false,
    };
    let names = |servers: &[&ServerPlan]| {
        servers.iter().map(|server| server.name.as_str()).collect::<Vec<_>>().join(", ")
    };
    let all: Vec<&ServerPlan> = plan.mcp.iter().collect();
    let lost: Vec<&ServerPlan> = plan.mcp.iter().filter(missing).collect();
    let remedy = "install its program, or mend mcp.servers.NAME.command";
    match (all.is_empty(), lost.is_empty()) {
        (true, _) => None,
        (false, true) => Some(row("servers of tools", State::Pass, names(&all), "")),
        (false, false) => {
            let evidence = format!("no program for {}", names(&lost));
            Some(row("servers of tools", State::Warn, evidence, remedy))
        }
    }
}

/// Whether a program is found as a shell finds it.
fn is_there(program: &str, world: &World<'_>) -> bool {
    if program.contains('/') {
        return Path::new(program).is_file();
    }
    let folders = world.environment.get("PATH").map(std::env::split_paths).into_iter().flatten();
    folders.into_iter().any(|folder| folder.join(program).is_file())
}

fn keys(world: &World<'_>) -> Row {
    let is_set = |name: &str| world.environment.get(name).is_some_and(|value| !value.is_empty());
    let states: Vec<String> = PROVIDER_KEYS
        .iter()
        .map(|name| format!("{name} {}", if is_set(name) { "set" } else { "not set" }))
        .collect();
    let any = PROVIDER_KEYS.iter().any(|name| is_set(name));
    let state = if any { State::Pass } else { State::Warn };
    row(
        "provider keys",
        state,
        states.join(", "),
        "without one the simulated provider answers, unless upstreams are configured",
    )
}

fn disk(data_dir: &Path) -> Row {
    let existing = data_dir.ancestors().find(|folder| folder.exists() || folder.as_os_str().is_empty());
    let folder = existing.filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    if !folder.is_dir() {
        let evidence = format!("{} is no folder", folder.display());
        return row("disk", State::Fail, evidence, "choose another with --data-dir");
    }
    let Ok(space) = rustix::fs::statvfs(folder) else {
        return row(
            "disk",
            State::Fail,
            format!("{} can't be looked at", folder.display()),
            "check --data-dir",
        );
    };
    let free = space.f_bavail.saturating_mul(space.f_frsize) / (1024 * 1024);
    let writable = rustix::fs::access(folder, rustix::fs::Access::WRITE_OK).is_ok();
    let evidence = format!("{} MB free at {}", free, folder.display());
    match (writable, free) {
        (false, _) => row(
            "disk",
            State::Fail,
            format!("{} can't be written", folder.display()),
            "choose another with --data-dir",
        ),
        (true, ..1_024) => {
            row("disk", State::Warn, evidence, "traces grow; free some space or set trace.retention")
        }
        _ => row("disk", State::Pass, evidence, ""),
    }
}

fn files() -> Row {
    let limit = getrlimit(Resource::Nofile).current;
    let evidence = limit.map_or_else(|| "no limit".to_owned(), |limit| format!("{limit} open files"));
    let state = if limit.is_none_or(|limit| limit >= WANTED_FILES) { State::Pass } else { State::Warn };
    row("open files", state, evidence, "raise it: ulimit -n 65536, or LimitNOFILE= in the systemd unit")
}

fn clock() -> Row {
    let now = SystemClock::new().now();
    let state = if now.as_secs() >= EARLIEST { State::Pass } else { State::Fail };
    row("clock", state, now.to_string(), "set the clock; expiry, windows and traces depend on it")
}

fn agents(world: &World<'_>) -> Row {
    let found: Vec<&str> = AGENTS.into_iter().filter(|name| is_there(name, world)).collect();
    let evidence = if found.is_empty() { "none found".to_owned() } else { found.join(", ") };
    row("agent programs", State::Pass, evidence, "")
}
