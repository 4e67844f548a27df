//! What the ledger promises, from outside.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test is to panic when something is not as claimed"
)]

mod contention;
mod crash;
mod disk;
mod failure;
mod given;
mod model;
mod money;
mod operator;
mod windows;
