//! Claims about the engine as a runtime sees it.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "clippy knows test functions, and not the functions that they call"
)]

mod approvals;
mod faces;
mod golden;
mod logs;
mod properties;
mod recovery;
mod repairs;
mod rooms;
mod shrinking;
mod stage;
mod streaming;
mod sundry;
mod turns;
