//! The bench of durable agents: `measures` is what is measured of a runtime whose model costs nothing (the runtime's `measure`),
//! `workflows` what is set beside other engines.
//!
//! Everything but the model is real: the store, the checkpoint, the ledger, the trace.

mod measures;
mod workflows;

pub use measures::{Plan, memory, resume, seed, turns};
pub use seawall_runtime::measure::{Around, around};
pub use workflows::{Workflows, workflows};
