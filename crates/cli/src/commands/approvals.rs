//! `seawall approvals`: through the running server, when there is one; else in the store itself.

use std::process::ExitCode;

use http::Method;
use seawall_base::clock::SystemClock;
use seawall_server::ServerState;
use seawall_store::{ApprovalDecision, ApprovalRow, ApprovalState, Approvals, StoreError};
use seawall_store_sqlite::SqliteStore;
use seawall_types::{ApprovalId, Clock, Timestamp};
use serde_json::{Value, json};

use super::{World, keys};
use crate::args::{ApprovalsCommand, DecideArgs};
use crate::exit::{Failure, Outcome};
use crate::{client, output};

/// As many as the server gives.
const MOST: u32 = 1_000;

pub(crate) fn run(world: &World<'_>, command: ApprovalsCommand) -> Outcome {
    let place = Place::find(world)?;
    match command {
        ApprovalsCommand::List { state } => list(world, &place, &state)?,
        ApprovalsCommand::Show { id } => {
            let row = place.show(place.resolve(&id)?)?;
            say(world, &row, || describe(&row));
        }
        ApprovalsCommand::Allow(args) => decide(world, &place, true, args)?,
        ApprovalsCommand::Deny(args) => decide(world, &place, false, args)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn list(world: &World<'_>, place: &Place, state: &str) -> Result<(), Failure> {
    let state = match state {
        "all" => None,
        word => Some(word.parse().map_err(|error| Failure::usage(format!("--state: {error}, or all")))?),
    };
    let listed = place.list(state)?;
    say(world, &listed, || table(&listed));
    Ok(())
}

fn decide(world: &World<'_>, place: &Place, allow: bool, args: DecideArgs) -> Result<(), Failure> {
    let id = place.resolve(&args.id)?;
    let decision = ApprovalDecision { allow, scope: args.scope, by: "operator".to_owned(), note: args.note };
    let row = place.decide(id, &decision)?;
    say(world, &row, || {
        output::line(format!(
            "{} {} for {}: {}",
            text(&row, "state"),
            id,
            text(&row, "scope"),
            summary(&row)
        ));
    });
    Ok(())
}

fn say(world: &World<'_>, answer: &Value, print: impl FnOnce()) {
    if world.global.json { output::json(answer) } else { print() }
}

/// Where approvals are reached.
enum Place {
    Server(ServerState),
    Store(SqliteStore, Timestamp),
}

impl Place {
    fn find(world: &World<'_>) -> Result<Self, Failure> {
        match client::running(&world.data_dir()) {
            Some(server) => Ok(Self::Server(server)),
            None => Ok(Self::Store(keys::open(world)?, SystemClock::new().now())),
        }
    }

    fn list(&self, state: Option<ApprovalState>) -> Result<Value, Failure> {
        match self {
            Self::Server(server) => {
                let query = state.map_or_else(String::new, |state| format!("?state={state}"));
                Ok(client::ask(server, Method::GET, &format!("/api/approvals{query}"), None)?)
            }
            Self::Store(store, now) => {
                store.expire(*now)?;
                Ok(json!({ "approvals": store.approvals(state, MOST)? }))
            }
        }
    }

    fn show(&self, id: ApprovalId) -> Result<Value, Failure> {
        match self {
            Self::Server(server) => {
                Ok(client::ask(server, Method::GET, &format!("/api/approvals/{id}"), None)?)
            }
            Self::Store(store, now) => {
                store.expire(*now)?;
                let row = store.approval(id)?;
                json_of(&row.ok_or_else(|| StoreError::NotFound { what: format!("approval {id}") })?)
            }
        }
    }

    fn decide(&self, id: ApprovalId, decision: &ApprovalDecision) -> Result<Value, Failure> {
        match self {
            Self::Server(server) => {
                let word = if decision.allow { "allow" } else { "deny" };
                let body = json!({ "decision": word, "note": decision.note, "scope": decision.scope });
                let path = format!("/api/approvals/{id}/decide");
                Ok(client::ask(server, Method::POST, &path, Some(&body))?)
            }
            // A process that waits for it looks by itself; the next server writes it into its trace.
            Self::Store(store, now) => json_of(&store.decide(id, decision, *now)?),
        }
    }

    /// The approval of this identifier, or the only one whose identifier begins like this.
    fn resolve(&self, begin: &str) -> Result<ApprovalId, Failure> {
        if let Ok(id) = begin.parse() {
            return Ok(id);
        }
        let listed = self.list(None)?;
        let ids = rows(&listed).iter().filter_map(|row| row.get("id")?.as_str());
        let found: Vec<&str> = ids.filter(|id| !begin.is_empty() && id.starts_with(begin)).collect();
        match found.as_slice() {
            [id] => id.parse().map_err(Failure::usage),
            [] => Err(Failure::usage(format!(
                "no approval begins with {begin:?}; see `seawall approvals list --state all`"
            ))),
            many => Err(Failure::usage(format!(
                "{} approvals begin with {begin:?}: {}",
                many.len(),
                many.join(", ")
            ))),
        }
    }
}

fn json_of(row: &ApprovalRow) -> Result<Value, Failure> {
    Ok(serde_json::to_value(row)?)
}

fn rows(listed: &Value) -> &[Value] {
    listed.get("approvals").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn table(listed: &Value) {
    let cells = |row: &Value| {
        let mut cells: Vec<String> =
            ["id", "state", "tool", "expires_at"].iter().map(|column| text(row, column)).collect();
        cells.push(summary(row));
        cells
    };
    let cells: Vec<Vec<String>> = rows(listed).iter().map(cells).collect();
    output::table(&["ID", "STATE", "TOOL", "EXPIRES", "WHAT"], &cells);
}

/// Everything that a person needs to decide.
fn describe(row: &Value) {
    for key in ["id", "state", "tool", "summary", "run", "agent", "asked_at", "expires_at"] {
        output::line(format!("{key:12} {}", text(row, key)));
    }
    for key in
        ["scope", "decided_by", "decided_at", "note", "used_at"].iter().filter(|key| row.get(**key).is_some())
    {
        output::line(format!("{key:12} {}", text(row, key)));
    }
    for finding in row.get("findings").and_then(Value::as_array).into_iter().flatten() {
        output::line(format!("{:12} {}: {}", "why", text(finding, "code"), text(finding, "message")));
    }
    let arguments = row.get("arguments").cloned().unwrap_or_default();
    let pretty = serde_json::to_string_pretty(&arguments).unwrap_or_default();
    output::line("arguments");
    pretty.lines().for_each(|line| output::line(format!("  {}", plain(line))));
}

fn summary(row: &Value) -> String {
    text(row, "summary")
}

fn text(row: &Value, key: &str) -> String {
    match row.get(key) {
        Some(Value::String(text)) => plain(text),
        Some(Value::Null) | None => "-".to_owned(),
        Some(other) => plain(&other.to_string()),
    }
}

/// The text as it is safe to show. It comes from a model: what moves the cursor, changes colours or turns the direction of
/// reading could make a call look like another one.
fn plain(text: &str) -> String {
    let is_unsafe = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    let show = |c: char| if is_unsafe(c) { c.escape_unicode().to_string() } else { c.to_string() };
    text.chars().map(show).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_model_wrote_can_not_disguise_itself_at_the_terminal() {
        for (text, shown) in [
            ("pay 5 to Zoë", "pay 5 to Zoë"),
            ("rm\u{1b}[2K\rls", "rm\\u{1b}[2K\\u{d}ls"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("a\u{202e}b", "a\\u{202e}b"),
            ("a\nb", "a\\u{a}b"),
        ] {
            assert_eq!(plain(text), shown);
        }
    }
}
