//! The bench of durable agents: `world` is a runtime whose model costs nothing, `measures` is what is measured of it.
//!
//! Everything but the model is real: the store, the checkpoint, the ledger, the trace.

mod measures;
mod world;

pub use measures::{Plan, memory, resume, seed, turns};
pub use world::{Around, around};
