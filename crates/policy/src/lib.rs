//! Policies: what is written becomes an immutable compiled object that judges actions.
//!
//! It performs nothing and keeps nothing: budgets, traces and approvals are the checkpoint's.

mod file;
mod policy;
mod when;

pub use file::{PRESETS, PolicyFile};
pub use policy::{Policy, PolicyLimits};
pub use when::{Condition, Facts, LONGEST_LIST, ParseConditionError, UndecidedError};
