//! What happens under the ledger's lock.

use std::io;

use seawall_types::{Amount, HoldId, Timestamp};

use crate::Error;
use crate::hold::{Reservation, Settled, Swept};
use crate::journal::{Otherwise, Writer};
use crate::limit::OnStoreDown;
use crate::record::{self, Record};
use crate::refusal::Refusal;
use crate::state::{LimitChange, Payers, State};

/// How many holds are swept before others get the lock.
pub(super) const SWEEP_BATCH: usize = 1_000;

/// What the lock guards.
pub(super) struct Inner {
    pub(super) state: State,
    /// `None`: nothing is kept.
    pub(super) writer: Option<Writer>,
    pub(super) counts: Counts,
}

/// What happened since the ledger was opened.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    pub(super) reservations: u64,
    pub(super) refusals: u64,
    pub(super) swept: u64,
    pub(super) over_estimate: u64,
}

impl Inner {
    #[expect(clippy::result_large_err, reason = "as for Ledger::reserve")]
    pub(super) fn reserve(&mut self, wanted: &Reservation<'_>, now: Timestamp) -> Result<(), Refusal> {
        if !record::are_writable(wanted.scopes) {
            return Err(Refusal::Unavailable {
                reason: "too many scopes, or a name that is too long".to_owned(),
            });
        }
        let on_store_down = self.state.check(wanted, now)?;
        let payers = self.state.payers(wanted.scopes);
        self.journal_reservation(wanted, &payers, on_store_down, now)?;
        self.state.hold(wanted, payers, now);
        Ok(())
    }

    /// Books a reservation that nobody was asked about, and ends it at once.
    pub(super) fn charge(&mut self, spent: &Reservation<'_>, now: Timestamp) -> bool {
        if !record::are_writable(spent.scopes) || self.state.knows(spent.hold) {
            return false;
        }
        let payers = self.state.payers(spent.scopes);
        // With `Open` what can't be journalled now waits in memory for it, so there is no refusal to look at.
        let _kept = self.journal_reservation(spent, &payers, OnStoreDown::Open, now);
        self.state.hold(spent, payers, now);
        self.settle(spent.hold, spent.amount, now);
        true
    }

    #[expect(clippy::result_large_err, reason = "as for Ledger::reserve")]
    fn journal_reservation(
        &mut self,
        wanted: &Reservation<'_>,
        payers: &Payers,
        on_store_down: OnStoreDown,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let Some(writer) = &mut self.writer else { return Ok(()) };
        let mark = writer.mark();
        let mut named = Payers::new();
        for &id in payers {
            let Some(entry) = self.state.books.get_mut(id) else { continue };
            if entry.named_in != writer.chapter() {
                entry.named_in = writer.chapter();
                named.push(id);
                writer.push(&Record::Name { id, scope: entry.scope.clone() });
            }
        }
        let Reservation { hold, run, action, amount, deadline, .. } = *wanted;
        writer.push(&Record::Reserve {
            hold,
            run,
            action,
            amount,
            deadline,
            at: now,
            scopes: payers.clone(),
        });
        let otherwise = match on_store_down {
            OnStoreDown::Closed => Otherwise::Refuse,
            OnStoreDown::Open => Otherwise::Keep,
        };
        if writer.commit(mark, otherwise) {
            return Ok(());
        }
        let reason = writer.last_error().to_owned();
        for id in named {
            if let Some(entry) = self.state.books.get_mut(id) {
                entry.named_in = 0;
            }
        }
        Err(Refusal::Unavailable { reason })
    }

    pub(super) fn settle(&mut self, hold: HoldId, actual: Amount, now: Timestamp) -> Settled {
        if !self.state.knows(hold) {
            return Settled::Unknown;
        }
        self.write(&Record::Settle { hold, actual, at: now });
        let settled = self.state.settle(hold, actual, now);
        if settled == (Settled::First { over_estimate: true }) {
            self.counts.over_estimate += 1;
        }
        settled
    }

    pub(super) fn sweep(&mut self, now: Timestamp, swept: &mut Vec<Swept>) {
        let overdue = self.state.overdue(now, SWEEP_BATCH);
        if let Some(writer) = self.writer.as_mut().filter(|_| !overdue.is_empty()) {
            let mark = writer.mark();
            overdue.iter().for_each(|hold| writer.push(&Record::Sweep { hold: *hold, at: now }));
            writer.commit(mark, Otherwise::Keep);
        }
        for hold in overdue {
            swept.extend(self.state.sweep(hold, now));
            self.counts.swept += 1;
        }
    }

    pub(super) fn change(&mut self, change: &LimitChange) {
        let now = self.state.latest();
        self.write(&match change.clone() {
            LimitChange::Set(limit) => Record::SetLimit { limit, at: now },
            LimitChange::Remove(scope, window) => Record::RemoveLimit { scope, window },
        });
        self.state.change(change, now);
    }

    /// Journals a change that happens in any case.
    fn write(&mut self, record: &Record) {
        if let Some(writer) = &mut self.writer {
            let mark = writer.mark();
            writer.push(record);
            writer.commit(mark, Otherwise::Keep);
        }
    }

    /// Journals a change that must not happen otherwise.
    pub(super) fn must_write(&mut self, record: &Record) -> Result<(), Error> {
        let Some(writer) = &mut self.writer else { return Ok(()) };
        let mark = writer.mark();
        writer.push(record);
        if writer.commit(mark, Otherwise::Refuse) {
            return Ok(());
        }
        Err(Error::journal("writing a change")(io::Error::other(writer.last_error().to_owned())))
    }
}
