//! Admit, then settle: the one way to the world for every action.
//!
//! [`Checkpoint::admit`] decides on an action, reserves what it may cost and writes that down; the [`Permit`] it gives is
//! the proof. Whoever performed the action hands the permit back with the [`Outcome`], and the real cost takes the
//! reservation's place. A permit that is dropped instead stays charged at its reservation and is written down as
//! abandoned: the system errs on the safe side of money.
//!
//! Where the policy wants a person to decide, [`Approvals`] asks one and gives the answer.
//!
//! The checkpoint performs nothing itself and knows no provider; it joins the policy, the ledger and the trace.

pub mod approvals;
mod checkpoint;
mod content;
mod denial;
mod findings;
mod kept;
mod permit;
mod places;
mod record;
pub mod replay;
pub mod tool;

pub use approvals::{Answer, ApprovalCounts, ApprovalRequest, Approvals, Approver, Binding};
pub use checkpoint::{Checkpoint, Counts, ModelCall};
pub use content::PayloadRedactor;
pub use denial::{Denial, ExhaustedBudget, PendingApproval};
pub use permit::{Attempt, Outcome, Passed, Permit, ToolRequest, ToolReturn};
