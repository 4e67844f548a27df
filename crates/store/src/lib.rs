//! What is kept: traits and row types of durable state, and the suite that every store passes.
//!
//! An [`AgentStore`] keeps durable agents ([`agents`]). A [`Store`] keeps API keys, limits that operators set, approvals,
//! the ledger's snapshots and the heads of the trace's chains. This crate has the traits, what works on any store (copies,
//! forks, checks, measures), stores in [`memory`], and, with the feature `conformance`, the claims that every store is
//! tested against. It knows no database.

pub mod agents;
pub mod approval;
mod error;
mod key;
mod limits;
pub mod memory;

#[cfg(feature = "conformance")]
pub mod conformance;

use seawall_budget::Snapshots;
use seawall_trace::Heads;

pub use agents::AgentStore;
pub use approval::{ApprovalDecision, ApprovalRow, ApprovalScope, ApprovalState, Approvals, AskedApproval};
pub use error::StoreError;
pub use key::{KEY_PREFIX, KeyBudget, KeyRow, Keys};
pub use limits::Limits;

/// Everything that one place keeps.
///
/// Each call is atomic and durable when it returns. Calls block: make them where that does no harm. Several
/// processes may use one store.
pub trait Store: Keys + Limits + Approvals + Snapshots + Heads {
    /// A number that is another one after keys or limits were written, by this process or another.
    ///
    /// # Errors
    /// When the store can't be read.
    fn changes(&self) -> Result<u64, StoreError>;

    /// Whether the store can be read and written now.
    ///
    /// # Errors
    /// When it can't.
    fn ping(&self) -> Result<(), StoreError>;
}
