//! Reservations: what is asked for, what is kept, and how each ends.

use seawall_types::{ActionId, Amount, HoldId, RunId, Scope, Timestamp, Window};
use serde::Serialize;
use smallvec::SmallVec;

use crate::books::ScopeId;
use crate::period::Period;

/// What is to be held, for whom, until when.
#[derive(Debug, Clone, Copy)]
pub struct Reservation<'a> {
    /// The name of the hold; never used before.
    pub hold: HoldId,
    /// The run that asks.
    pub run: RunId,
    /// The action that it is for.
    pub action: ActionId,
    /// Everybody who pays: run, key, tenant, global. A scope that is named twice pays once.
    pub scopes: &'a [Scope],
    /// The most that the action can come to.
    pub amount: Amount,
    /// When the hold becomes spend at its estimate, if nobody has settled it.
    pub deadline: Timestamp,
}

/// A hold that is not settled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HoldView {
    /// Its name.
    pub hold: HoldId,
    /// The run that asked for it.
    pub run: RunId,
    /// The action that it is for.
    pub action: ActionId,
    /// Everybody who pays.
    pub scopes: Vec<Scope>,
    /// What is held.
    pub amount: Amount,
    /// When it was made.
    pub at: Timestamp,
    /// When it becomes spend.
    pub deadline: Timestamp,
}

/// A hold whose deadline passed: it became spend at its estimate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Swept {
    /// Its name.
    pub hold: HoldId,
    /// The run that asked for it.
    pub run: RunId,
    /// The action that it was for.
    pub action: ActionId,
    /// What it was charged at.
    pub amount: Amount,
}

/// What settling a hold did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// The real cost took the reservation's place.
    First {
        /// The real cost was more than the reservation, in money or tokens. It is charged in full.
        over_estimate: bool,
    },
    /// The hold had been swept: the estimate that it was charged at was corrected.
    Late {
        /// By how much.
        correction: Correction,
    },
    /// There is no such hold: never made, settled already, or swept so long ago that it is forgotten. Nothing
    /// changed.
    Unknown,
}

/// How the real cost differs from an estimate. At most one of the two is not nothing, for money and for
/// tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Correction {
    /// The real cost was more by this.
    pub added: Amount,
    /// The real cost was less by this.
    pub returned: Amount,
}

impl Correction {
    pub(crate) const fn between(estimate: Amount, actual: Amount) -> Self {
        Self { added: actual.saturating_sub(estimate), returned: estimate.saturating_sub(actual) }
    }
}

/// The share of a hold in one account.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Leg {
    pub(crate) scope: ScopeId,
    pub(crate) window: Window,
    /// The account's serial number: an account that was reset since is another one.
    pub(crate) serial: u32,
    /// The day or month that the hold belongs to.
    pub(crate) period: Period,
}

/// A hold as the ledger keeps it.
#[derive(Debug, Clone)]
pub(crate) struct Hold {
    pub(crate) run: RunId,
    pub(crate) action: ActionId,
    pub(crate) amount: Amount,
    pub(crate) at: Timestamp,
    pub(crate) deadline: Timestamp,
    pub(crate) scopes: SmallVec<[ScopeId; 4]>,
    pub(crate) legs: SmallVec<[Leg; 6]>,
}

impl Hold {
    /// Puts a share into an account; one in its predecessor is forgotten.
    pub(crate) fn attach(&mut self, leg: Leg) {
        self.legs.retain(|other| (other.scope, other.window) != (leg.scope, leg.window));
        self.legs.push(leg);
    }

    pub(crate) fn swept(&self, hold: HoldId) -> Swept {
        Swept { hold, run: self.run, action: self.action, amount: self.amount }
    }
}
