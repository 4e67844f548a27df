//! What the runtime promises, tried with the simulated provider as its model.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test panics when something is not as claimed, and its tasks end with it"
)]

mod ahead;
mod dozing;
mod endings;
mod failures;
mod files;
mod following;
mod hooks;
mod leases;
mod rooms;
mod schedules;
mod scripted;
mod shrinking;
mod skills;
mod stage;
mod subagents;
mod todos;
mod turns;
mod watching;
mod wires;
