//! The ledger: one lock around the state and the end of its journal.
//!
//! Each operation checks, journals and changes under the lock, in this order, so that the journal tells what
//! happened in the order in which it happened. Under it there is no I/O but that one record into the page
//! cache; syncing and saving snapshots happen beside it.

mod durable;
mod inner;
mod open;

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use seawall_types::{Amount, HoldId, Scope, Timestamp, Window};

pub use open::Recovery;

use crate::Error;
use crate::hold::{Reservation, Settled, Swept};
use crate::journal::Writer;
use crate::ledger::durable::Durable;
use crate::ledger::inner::{Counts, Inner, SWEEP_BATCH};
use crate::limit::Limit;
use crate::record::{self, Record};
use crate::refusal::Refusal;
use crate::state::{LimitChange, State};
use crate::view::AccountView;

/// The book of every budget. Shared by everything that spends.
pub struct Ledger {
    inner: Mutex<Inner>,
    durable: Option<Durable>,
}

/// How the ledger does, for metrics. Counts begin when it is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Reservations made.
    pub reservations: u64,
    /// Reservations refused.
    pub refusals: u64,
    /// Holds that became spend at their deadline.
    pub swept: u64,
    /// Holds that ended at more than their estimate.
    pub over_estimate: u64,
    /// Failures of the journal.
    pub journal_errors: u64,
    /// Holds not settled now.
    pub holds: u64,
    /// The size of the journal's newest segment.
    pub journal_bytes: u64,
    /// Whether everything is journalled now.
    pub journal_complete: bool,
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ledger").field("stats", &self.stats()).finish_non_exhaustive()
    }
}

impl Ledger {
    /// A ledger that forgets everything with the process.
    #[must_use]
    pub fn in_memory(limits: Vec<Limit>) -> Self {
        let mut state = State::new();
        for change in state.changes_to(limits) {
            state.change(&change, Timestamp::default());
        }
        Self { inner: Mutex::new(Inner { state, writer: None, counts: Counts::default() }), durable: None }
    }

    /// Nothing panics under the lock; should something, then between two changes and not in the middle of
    /// one.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Holds an amount in every scope and window that applies, or in none. When this returns, the hold
    /// survives the process.
    ///
    /// # Errors
    /// When a limit would be passed, the journal can't be written while a limit says to refuse then, or the
    /// hold's name is taken.
    #[expect(
        clippy::result_large_err,
        reason = "a refusal says all about itself, and boxing it would cost the refused more"
    )]
    pub fn reserve(&self, wanted: &Reservation<'_>, now: Timestamp) -> Result<(), Refusal> {
        let mut inner = self.lock();
        let result = inner.reserve(wanted, now);
        let counts = &mut inner.counts;
        *if result.is_ok() { &mut counts.reservations } else { &mut counts.refusals } += 1;
        result
    }

    /// Ends a hold at its real cost, exactly once. More than the estimate is charged too, past the limit if
    /// need be: the money is gone. A hold that was swept is corrected, once.
    pub fn settle(&self, hold: HoldId, actual: Amount, now: Timestamp) -> Settled {
        self.lock().settle(hold, actual, now)
    }

    /// Books what was spent without having been reserved, in every scope: the money is gone, so that no limit is asked
    /// and one may be passed. `false` when the hold's name is taken or a scope's can't be kept; nothing has changed then.
    pub fn charge(&self, spent: &Reservation<'_>, now: Timestamp) -> bool {
        self.lock().charge(spent, now)
    }

    /// Ends a hold at nothing: the action did not happen.
    pub fn release(&self, hold: HoldId, now: Timestamp) -> Settled {
        self.settle(hold, Amount::ZERO, now)
    }

    /// Ends a hold at its estimate: nobody said what the action cost. A hold that was swept is left as it is.
    pub fn abandon(&self, hold: HoldId, now: Timestamp) -> Settled {
        let mut inner = self.lock();
        let estimate = inner.state.estimate(hold);
        estimate.map_or(Settled::Unknown, |estimate| inner.settle(hold, estimate, now))
    }

    /// Makes every hold whose deadline has come spend at its estimate.
    pub fn sweep(&self, now: Timestamp) -> Vec<Swept> {
        let mut swept = Vec::new();
        loop {
            let before = swept.len();
            self.lock().sweep(now, &mut swept);
            if swept.len() < before + SWEEP_BATCH {
                return swept;
            }
        }
    }

    /// When the next hold is to be swept.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.lock().state.next_deadline()
    }

    /// The least that every limit on these scopes still allows; the largest amounts where nothing is limited.
    /// Another caller may have taken it before this one reserves it.
    #[must_use]
    pub fn headroom(&self, scopes: &[Scope], now: Timestamp) -> Amount {
        self.lock().state.headroom(scopes, now)
    }

    /// Puts a limit into force, in the place of the one for the same scope and window. What is spent and held
    /// there counts; an account that is new begins with the holds that belong to its window.
    ///
    /// # Errors
    /// When that can't be journalled; nothing has changed then.
    pub fn set_limit(&self, limit: Limit, now: Timestamp) -> Result<(), Error> {
        if !record::are_writable(std::slice::from_ref(&limit.scope)) {
            return Err(Error::NameTooLong);
        }
        let mut inner = self.lock();
        if inner.state.has_limit(&limit) {
            return Ok(());
        }
        let record = Record::SetLimit { limit, at: now };
        inner.must_write(&record)?;
        if let Record::SetLimit { limit, .. } = &record {
            inner.state.set_limit(limit, now);
        }
        Ok(())
    }

    /// Takes a limit out of force. What `total` accounts counted stays; other windows are forgotten.
    pub fn remove_limit(&self, scope: &Scope, window: Window) {
        let mut inner = self.lock();
        inner.change(&LimitChange::Remove(scope.clone(), window));
    }

    /// Puts exactly these limits into force; the last of several for one scope and window. What is spent and
    /// held stays.
    pub fn replace_limits(&self, limits: Vec<Limit>) {
        let mut inner = self.lock();
        for change in inner.state.changes_to(limits) {
            inner.change(&change);
        }
    }

    /// Forgets what is spent in one account of the scope, or in all of them. Holds stay.
    ///
    /// # Errors
    /// When there is no such account, or this can't be journalled; nothing has changed then.
    pub fn reset(&self, scope: &Scope, window: Option<Window>, now: Timestamp) -> Result<(), Error> {
        let mut inner = self.lock();
        if !inner.state.has_account(scope, window) {
            return Err(Error::UnknownAccount { scope: scope.clone() });
        }
        inner.must_write(&Record::Reset { scope: scope.clone(), window, at: now })?;
        inner.state.reset(scope, window, now);
        Ok(())
    }

    /// Every account, by scope and window.
    #[must_use]
    pub fn show(&self, now: Timestamp) -> Vec<AccountView> {
        self.lock().state.show(now)
    }

    /// How it does.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let inner = self.lock();
        let Counts { reservations, refusals, swept, over_estimate } = inner.counts;
        let writer = inner.writer.as_ref();
        Stats {
            reservations,
            refusals,
            swept,
            over_estimate,
            journal_errors: writer.map_or(0, Writer::errors),
            holds: u64::try_from(inner.state.holds()).unwrap_or(u64::MAX),
            journal_bytes: writer.map_or(0, Writer::length),
            journal_complete: writer.is_none_or(Writer::is_complete),
        }
    }
}
