//! What the ledger promises, from outside.

mod contention;
mod crash;
mod disk;
mod failure;
mod given;
mod model;
mod money;
mod operator;
mod windows;
