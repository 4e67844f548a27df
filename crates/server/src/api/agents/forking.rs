//! `/api/agents/{id}/snapshots` and `…/fork`: named points of an agent, and agents that go on from one.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use seawall_base::id;
use seawall_engine::{AgentId, TakeSnapshot};
use seawall_runtime::ForkAt;
use seawall_store::agents::SnapshotRow;
use seawall_types::Timestamp;
use serde::{Deserialize, Serialize};

use super::face::Face;
use super::found::Found;
use super::input::Input;
use crate::App;
use crate::problem::Problem;

/// The body of a fork.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    #[serde(default)]
    id: Option<AgentId>,
    #[serde(default)]
    snapshot: Option<String>,
    #[serde(default)]
    seq: Option<u64>,
}

pub(super) async fn fork(
    found: Found,
    Input(Wanted { id, snapshot, seq }): Input<Wanted>,
) -> Result<(StatusCode, Json<Face>), Problem> {
    let at = match (snapshot, seq) {
        (None, None) => ForkAt::Now,
        (Some(snapshot), None) => ForkAt::Snapshot(snapshot),
        (None, Some(seq)) if seq == 0 || seq > found.row.seq => {
            let message =
                format!("the agent has events from 1 to {}, and none of the number {seq}", found.row.seq);
            return Err(Problem::input(
                "/seq",
                message,
                "fork at a number of its log, at a snapshot, or as it is",
            ));
        }
        (None, Some(seq)) => ForkAt::Seq(seq),
        (Some(_), Some(_)) => {
            let message = "a fork begins at a snapshot or at a number, not at both";
            return Err(Problem::input("/seq", message, "send one of them"));
        }
    };
    let row = found.runtime.fork(found.id(), id, at).await?;
    Ok((StatusCode::CREATED, Json(row.into())))
}

/// The body of a snapshot.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Named {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    label: Option<Arc<str>>,
}

/// A snapshot.
#[derive(Debug, Serialize)]
pub(super) struct Snapshot {
    id: Arc<str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<Arc<str>>,
    seq: u64,
    created_at: Timestamp,
}

impl From<SnapshotRow> for Snapshot {
    fn from(row: SnapshotRow) -> Self {
        Self { id: row.id, label: row.label, seq: row.seq, created_at: row.at }
    }
}

/// The answer of `GET …/snapshots`.
#[derive(Debug, Serialize)]
pub(super) struct Listed {
    snapshots: Vec<Snapshot>,
}

pub(super) async fn snapshot(
    State(app): State<Arc<App>>,
    found: Found,
    Input(Named { id, label }): Input<Named>,
) -> Result<(StatusCode, Json<Snapshot>), Problem> {
    let is_name =
        |text: &str| (1..=128).contains(&text.len()) && text.chars().all(|letter| !letter.is_control());
    if id.as_deref().is_some_and(|id| !is_name(id)) {
        let message = "a snapshot's id has 1 to 128 bytes and no control characters";
        return Err(Problem::input("/id", message, "choose another, or leave it out"));
    }
    let id: Arc<str> = id.unwrap_or_else(|| format!("snap-{}", id::new_request(&*app.parts.clock))).into();
    let command = TakeSnapshot { id: Arc::clone(&id), label: label.clone() };
    let done = found.runtime.command(found.id(), command).await?;
    let snapshot = Snapshot { id, label, seq: done.first, created_at: done.bookmark.timestamp };
    Ok((StatusCode::CREATED, Json(snapshot)))
}

pub(super) async fn snapshots(found: Found) -> Result<Json<Listed>, Problem> {
    let rows = found.store().snapshots(found.id()).await?;
    Ok(Json(Listed { snapshots: rows.into_iter().map(Into::into).collect() }))
}
