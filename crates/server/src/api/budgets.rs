//! `/api/budgets`: what is left, and why something was refused; limits set by an operator.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use seawall_budget::{AccountView, Limit, OnStoreDown};
use seawall_store::{Limits, StoreError};
use seawall_types::{Code, Scope, Tokens, Usd, Window};
use serde::{Deserialize, Serialize};

use super::may_block;
use crate::App;
use crate::problem::Problem;

/// The answer of `GET /api/budgets`.
#[derive(Debug, Serialize)]
pub(crate) struct Budgets {
    budgets: Vec<AccountView>,
}

/// Which budget, and what it is to be.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    scope: Scope,
    #[serde(default)]
    window: Option<Window>,
    #[serde(default)]
    usd: Option<Usd>,
    #[serde(default)]
    tokens: Option<Tokens>,
}

type Input<T> = Result<Json<T>, JsonRejection>;

fn input<T>(body: Input<T>) -> Result<T, Problem> {
    let remedy = "send {\"scope\":\"global\",\"window\":\"total\",\"usd\":\"10\"}";
    body.map(|Json(value)| value).map_err(|rejection| Problem::input("", rejection.body_text(), remedy))
}

pub(crate) async fn show(State(app): State<Arc<App>>) -> Json<Budgets> {
    budgets(&app)
}

fn budgets(app: &App) -> Json<Budgets> {
    let ledger = app.gateway().checkpoint().ledger();
    Json(Budgets { budgets: ledger.show(app.parts.clock.now()) })
}

pub(crate) async fn set(State(app): State<Arc<App>>, body: Input<Wanted>) -> Result<Json<Budgets>, Problem> {
    let Wanted { scope, window, usd, tokens } = input(body)?;
    if usd.is_none() && tokens.is_none() {
        return Err(Problem::input("/usd", "a budget needs usd or tokens", "send one of them"));
    }
    let window = window.unwrap_or_default();
    let limit = Limit { scope, window, usd, tokens, on_store_down: OnStoreDown::Closed };
    may_block(move || {
        let now = app.parts.clock.now();
        Limits::set(&*app.parts.store, &limit, now).map_err(|error| stored(&error))?;
        take_over(&app)
    })
    .await
}

pub(crate) async fn remove(
    State(app): State<Arc<App>>,
    body: Input<Wanted>,
) -> Result<Json<Budgets>, Problem> {
    let Wanted { scope, window, .. } = input(body)?;
    let window = window.unwrap_or_default();
    may_block(move || {
        if !Limits::remove(&*app.parts.store, &scope, window).map_err(|error| stored(&error))? {
            let detail = format!("no limit was set by hand for {scope} ({window})");
            let remedy = "see GET /api/budgets; a limit of the configuration is removed there";
            return Err(Problem::new(Code::NotFound, detail, remedy));
        }
        take_over(&app)
    })
    .await
}

/// Works all limits out anew: what was set by hand stands above what is configured, and what is removed lays that bare
/// again, with what was spent under both.
fn take_over(app: &App) -> Result<Json<Budgets>, Problem> {
    (app.parts.keys_changed)().map_err(|error| {
        tracing::error!(%error, "limits can't be taken over");
        Problem::new(Code::LedgerUnavailable, "the limit is stored and not yet in force", "see the log")
    })?;
    Ok(budgets(app))
}

pub(crate) async fn reset(
    State(app): State<Arc<App>>,
    body: Input<Wanted>,
) -> Result<Json<Budgets>, Problem> {
    let Wanted { scope, window, .. } = input(body)?;
    may_block(move || {
        let now = app.parts.clock.now();
        app.gateway().checkpoint().ledger().reset(&scope, window, now).map_err(|error| {
            if matches!(error, seawall_budget::Error::UnknownAccount { .. }) {
                return Problem::new(Code::NotFound, error.to_string(), "see GET /api/budgets");
            }
            tracing::error!(%error, "a reset could not be journalled");
            journal_unavailable()
        })?;
        Ok(budgets(&app))
    })
    .await
}

fn journal_unavailable() -> Problem {
    let remedy = "free the disk of the data directory";
    Problem::new(Code::LedgerUnavailable, "the ledger can't be written", remedy)
}

fn stored(error: &StoreError) -> Problem {
    tracing::error!(%error, "the store refused a change");
    Problem::new(Code::LedgerUnavailable, "the store can't be written", "see the log")
}
