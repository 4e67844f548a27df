//! Waiting for the end of a turn, for a while.

use std::time::Duration;

use seawall_engine::Bookmark;
use seawall_runtime::{Completed, Done, Status};
use seawall_types::ApprovalId;
use serde::Serialize;

use super::found::Found;
use crate::App;
use crate::problem::Problem;

/// How long is waited where nothing is said, and at the most.
const PATIENCE: u64 = 60;
const LONGEST: u64 = 3_600;

/// How long to wait.
pub(super) fn patience(timeout: Option<u64>) -> Result<Duration, Problem> {
    let seconds = timeout.unwrap_or(PATIENCE);
    if seconds > LONGEST {
        let message = format!("the timeout is {seconds}, more than {LONGEST} seconds");
        return Err(Problem::input(
            "/timeout",
            message,
            "follow GET /api/agents/{id}/events for as long as you like",
        ));
    }
    Ok(Duration::from_secs(seconds))
}

/// The end of the turn that a message begins. `None`: it has not come in time, or the server stops; the message is safe.
pub(super) async fn end_of_turn(
    app: &App,
    found: &Found,
    sent: Done,
    patience: Duration,
) -> Result<Option<Completed>, Problem> {
    tokio::select! {
        completed = found.runtime.wait(found.id(), sent.first) => Ok(Some(completed?)),
        () = tokio::time::sleep(patience) => Ok(None),
        () = app.stops().cancelled() => Ok(None),
    }
}

/// How a turn ended.
#[derive(Debug, Serialize)]
pub(super) struct Ended {
    message_id: String,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Failure>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    approvals: Vec<ApprovalId>,
    bookmark: Bookmark,
}

#[derive(Debug, Serialize)]
struct Failure {
    code: String,
    message: String,
}

impl Ended {
    pub(super) fn new(message_id: String, completed: Completed) -> Self {
        let Completed { status, text, error, approvals, bookmark } = completed;
        let silent =
            || (status == Status::Failed).then(|| ("failed".to_owned(), "the turn failed".to_owned()));
        let error = error.or_else(silent).map(|(code, message)| Failure { code, message });
        let text = text.map(|text| text.to_string());
        Self { message_id, status: status.as_str(), text, error, approvals, bookmark }
    }
}
