//! Answers that several routes give.

use seawall_engine::Bookmark;
use serde::Serialize;

/// It is done, and this is where the agent is.
#[derive(Debug, Serialize)]
pub(super) struct Accepted {
    pub(super) bookmark: Bookmark,
}
