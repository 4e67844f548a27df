//! `/api/agents/{id}/todos`: what an agent still wants to do.

use std::sync::Arc;

use axum::Json;
use seawall_engine::{SetTodos, Todo};
use serde::{Deserialize, Serialize};

use super::found::Found;
use super::input::Input;
use crate::problem::Problem;

/// The list.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Todos {
    todos: Arc<[Todo]>,
}

pub(super) async fn show(found: Found) -> Result<Json<Todos>, Problem> {
    let kept = found.runtime.load(found.id()).await?;
    Ok(Json(Todos { todos: kept.agent().todos().into() }))
}

/// Puts this list in the place of the one there is.
pub(super) async fn set(found: Found, Input(Todos { todos }): Input<Todos>) -> Result<Json<Todos>, Problem> {
    found.runtime.command(found.id(), SetTodos { todos: Arc::clone(&todos) }).await?;
    Ok(Json(Todos { todos }))
}
