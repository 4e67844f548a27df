//! The checkpoint for calls of tools: judge, look up, ask, reserve; then look through what the tool gave.
//!
//! It runs no tool and connects to nothing. Whoever performs the call uses the arguments as the policy
//! [replaced](ToolPermit::apply) them and the [addresses](ToolPermit::addresses) that were checked, keeps the
//! [time](ToolPermit::time_limit), and hands back what came out.

mod admit;
mod drift;
mod inspect;
mod observed;
mod permit;
mod run_state;
mod spend;
mod targets;

use std::sync::Arc;
use std::time::Duration;

use seawall_policy::{Declared, Performer, Policy};
use seawall_trace::OnUnavailable;
use seawall_types::{Actor, ApprovalId, RunId, Scope, Usd};
use serde_json::Value;

pub use admit::Foreseen;
pub use inspect::{Inspected, inspect};
pub use observed::Observed;
pub use permit::{Settled, ToolEnd, ToolPermit};
pub use run_state::RunState;
pub use spend::ModelSpend;
pub use targets::{Resolved, Resolver};

use crate::{Approver, Binding};

/// How long a hold for a tool lasts where the policy limits no tool's time. Then it becomes spend.
pub(crate) const LONGEST_HOLD: Duration = Duration::from_secs(3_600);

/// A call of a tool that is about to be made.
#[derive(Debug, Clone, Copy)]
pub struct ToolCall<'a> {
    /// In which run.
    pub run: RunId,
    /// What happened in that run before: the same for all of its calls.
    pub state: &'a Arc<RunState>,
    /// On whose behalf.
    pub actor: &'a Arc<Actor>,
    /// The tool.
    pub name: &'a str,
    /// Its arguments as they were written, an object by rule.
    pub arguments: &'a Value,
    /// What they describe, where they are not themselves what the tool gets. An approval is bound to it as well.
    pub binding: &'a Binding,
    /// What it touches, as far as somebody said so.
    pub effects: &'a Declared,
    /// Who performs it.
    pub performer: Performer,
    /// What it costs, held from now on.
    pub cost: Usd,
    /// Whose budgets pay, every one of them. One with nothing left refuses also what costs nothing.
    pub scopes: &'a [Scope],
    /// The policy that decides.
    pub policy: &'a Arc<Policy>,
    /// Who looks up names. It may block.
    pub resolver: &'a dyn Resolver,
    /// Who is asked where the policy says `ask`; it may block. `None`: nobody, and such calls are refused.
    pub approver: Option<&'a dyn Approver>,
    /// Approvals that the caller was given before, in whatever run. The one for this very call is good for it.
    pub approvals: &'a [ApprovalId],
    /// How long to wait for the person. Zero: the caller is told what it waits for, and comes back.
    pub wait_for_approval: Duration,
    /// What happens while the trace can't be written.
    pub on_unavailable: OnUnavailable,
}
