//! `/admin/…`: reading the configuration, or the keys, again.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use seawall_types::Code;
use serde::Serialize;

use crate::problem::Problem;
use crate::{App, ReloadOutcome};

pub(crate) async fn reload(State(app): State<Arc<App>>) -> Result<Json<ReloadOutcome>, Problem> {
    let reloaded = tokio::task::spawn_blocking(move || app.reload()).await;
    match reloaded {
        Ok(Ok(outcome)) => Ok(Json(outcome)),
        Ok(Err(error)) => {
            Err(Problem::new(Code::BadRequest, error, "mend the configuration; the old one stays in force"))
        }
        Err(_) => Err(Problem::new(Code::Internal, "the reload broke off", "see the log")),
    }
}

/// What taking keys over gave.
#[derive(Debug, Serialize)]
pub(crate) struct KeysReloaded {
    keys: usize,
}

/// The command line calls it after it changed a key, so that the change holds when the command returns.
pub(crate) async fn reload_keys(State(app): State<Arc<App>>) -> Result<Json<KeysReloaded>, Problem> {
    let taken = tokio::task::spawn_blocking(move || (app.parts.keys_changed)()).await;
    match taken {
        Ok(Ok(keys)) => Ok(Json(KeysReloaded { keys })),
        Ok(Err(error)) => {
            tracing::error!(%error, "keys can't be taken over; the old ones stay in force");
            Err(Problem::new(Code::Internal, "the keys can't be taken over", "see the log"))
        }
        Err(_) => Err(Problem::new(Code::Internal, "taking the keys over broke off", "see the log")),
    }
}
