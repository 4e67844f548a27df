//! What the runtime promises, tried with the simulated provider as its model.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    clippy::needless_pass_by_value,
    reason = "a test panics when something is not as claimed, and its tasks end with it"
)]

mod failures;
mod following;
mod leases;
mod stage;
mod turns;
