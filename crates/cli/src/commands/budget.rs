//! `seawall budget`: through the running server, when there is one; else on the data directory itself.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use http::Method;
use seawall_base::clock::SystemClock;
use seawall_base::lock::DataDirLock;
use seawall_budget::{Journal, Ledger, Limit, OnStoreDown, Snapshots};
use seawall_store::{Keys, Limits, Store};
use seawall_types::{Clock, RunId, Scope, Usd, Window};
use serde_json::{Value, json};

use super::{World, keys};
use crate::args::{BudgetCommand, ServeArgs};
use crate::boot::{self, KeyPolicies, Request};
use crate::exit::{Failure, Outcome};
use crate::{client, output};

pub(crate) fn run(world: &World<'_>, command: BudgetCommand) -> Outcome {
    let change = Change::of(command)?;
    let budgets = match client::running(&world.data_dir()) {
        Some(server) => {
            let (method, path, body) = change.as_request();
            client::ask(&server, method, path, body.as_ref())?
        }
        None => offline(world, &change)?,
    };
    if world.global.json {
        output::json(&budgets);
    } else {
        print(&budgets);
    }
    Ok(ExitCode::SUCCESS)
}

/// What is to be done.
enum Change {
    Nothing,
    Set(Limit),
    Remove(Scope, Window),
    Reset(Scope, Option<Window>),
}

impl Change {
    fn of(command: BudgetCommand) -> Result<Self, Failure> {
        Ok(match command {
            BudgetCommand::Show => Self::Nothing,
            BudgetCommand::Set { scope, usd, tokens, window } => {
                let usd = usd.as_deref().map(|text| read::<Usd>("--usd", text)).transpose()?;
                let (scope, window) = (read("scope", &scope)?, read("--window", &window)?);
                Self::Set(Limit { scope, window, usd, tokens, on_store_down: OnStoreDown::Closed })
            }
            BudgetCommand::Remove { scope, window } => {
                Self::Remove(read("scope", &scope)?, read("--window", &window)?)
            }
            BudgetCommand::Reset { scope, window } => {
                let window = window.as_deref().map(|text| read("--window", text)).transpose()?;
                Self::Reset(read("scope", &scope)?, window)
            }
        })
    }

    fn as_request(&self) -> (Method, &'static str, Option<Value>) {
        match self {
            Self::Nothing => (Method::GET, "/api/budgets", None),
            Self::Set(Limit { scope, window, usd, tokens, .. }) => {
                let body = json!({ "scope": scope, "window": window, "usd": usd, "tokens": tokens });
                (Method::PUT, "/api/budgets", Some(body))
            }
            Self::Remove(scope, window) => {
                (Method::DELETE, "/api/budgets", Some(json!({ "scope": scope, "window": window })))
            }
            Self::Reset(scope, window) => {
                (Method::POST, "/api/budgets/reset", Some(json!({ "scope": scope, "window": window })))
            }
        }
    }
}

fn read<T: std::str::FromStr<Err: std::fmt::Display>>(what: &str, text: &str) -> Result<T, Failure> {
    text.parse().map_err(|error| Failure::usage(format!("{what}: {error}")))
}

/// Without a server: the ledger is opened here, under the lock that keeps a server from starting meanwhile.
fn offline(world: &World<'_>, change: &Change) -> Result<Value, Failure> {
    let request = Request {
        global: world.global.clone(),
        args: ServeArgs::default(),
        environment: world.environment.clone(),
        workers: 1,
        listens: false,
    };
    let plan = request.plan()?;
    let data_dir = world.data_dir();
    let store: Arc<dyn Store> = Arc::new(keys::open(world)?);
    let _lock = DataDirLock::acquire(&data_dir)?;
    let now = SystemClock::new().now();
    match change {
        Change::Set(limit) => Limits::set(&*store, limit, now)?,
        Change::Remove(scope, window) => {
            if !Limits::remove(&*store, scope, *window)? {
                return Err(Failure::usage(format!("no limit was set by hand for {scope} ({window})")));
            }
        }
        Change::Nothing | Change::Reset(..) => {}
    }
    // Limits of runs that are over do not count; no run has this identifier.
    let no_run = RunId::from_bytes([0; 16]);
    let gateway = &plan.settings.gateway;
    let policies = KeyPolicies::read(&Keys::list(&*store)?, gateway.mode, world.environment);
    let limits = boot::limits(gateway, &plan.policy, no_run, &*store, &policies)?;
    let snapshots: Arc<dyn Snapshots> = Arc::<dyn Store>::clone(&store);
    let (ledger, _) = Ledger::open(limits, Journal::open(&data_dir)?, snapshots, now)
        .context("the ledger can't be opened")?;
    if let Change::Reset(scope, window) = change {
        ledger.reset(scope, *window, now)?;
    }
    let accounts = ledger.show(now);
    ledger.checkpoint()?;
    Ok(json!({ "budgets": accounts }))
}

fn print(budgets: &Value) {
    let text = |row: &Value, key: &str| match row.get(key) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => "-".to_owned(),
    };
    let rows: Vec<&Value> = budgets.get("budgets").and_then(Value::as_array).into_iter().flatten().collect();
    let columns =
        ["scope", "window", "limit_usd", "spent_usd", "held_usd", "limit_tokens", "holds", "resets_at"];
    let cells =
        rows.iter().map(|row| columns.iter().map(|column| text(row, column)).collect()).collect::<Vec<_>>();
    output::table(
        &["SCOPE", "WINDOW", "LIMIT $", "SPENT $", "HELD $", "LIMIT TOKENS", "HOLDS", "RESETS"],
        &cells,
    );
    for row in rows {
        for refusal in row.get("refusals").and_then(Value::as_array).into_iter().flatten() {
            output::line(format!("refused at {}: {}", text(refusal, "at"), text(refusal, "message")));
        }
    }
}
