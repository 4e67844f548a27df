//! `POST /admin/reload`: reads the configuration again.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use seawall_types::Code;

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
