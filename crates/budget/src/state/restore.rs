//! To a snapshot and back.

use seawall_types::HoldId;
use smallvec::SmallVec;

use super::State;
use crate::account::Account;
use crate::hold::{Hold, HoldView, Leg};
use crate::snapshot::{HoldRow, LegRow, Snapshot, SweptRow};

impl State {
    /// The whole state as rows, in an order that depends on nothing but them.
    pub(crate) fn snapshot(&self, journal: u64) -> Snapshot {
        let mut accounts: Vec<_> = self
            .books
            .iter()
            .flat_map(|(_, entry)| entry.accounts().map(|account| account.to_row(&entry.scope)))
            .collect();
        accounts.sort_by(|a, b| (&a.scope, a.window).cmp(&(&b.scope, b.window)));
        let mut holds: Vec<_> = self.holds.iter().map(|(id, hold)| self.hold_row(*id, hold)).collect();
        holds.sort_by_key(|row| row.hold);
        let swept = self.swept_order.iter().filter_map(|id| {
            let (hold, swept_at) = self.swept.get(id)?;
            Some(SweptRow { hold: self.hold_row(*id, hold), swept_at: *swept_at })
        });
        Snapshot { journal, latest: self.latest, accounts, holds, swept: swept.collect() }
    }

    fn hold_row(&self, id: HoldId, hold: &Hold) -> HoldRow {
        let HoldView { scopes, .. } = self.hold_view(id, hold);
        let Hold { run, action, amount, at, deadline, .. } = *hold;
        let mut legs: Vec<_> = hold.legs.iter().filter_map(|leg| self.leg_row(*leg)).collect();
        legs.sort_by(|a, b| (&a.scope, a.window).cmp(&(&b.scope, b.window)));
        HoldRow { hold: id, run, action, scopes, amount, at, deadline, legs }
    }

    /// A leg by name; `None` when the account that it stood in is no more.
    fn leg_row(&self, leg: Leg) -> Option<LegRow> {
        let entry = self.books.get(leg.scope)?;
        let current = entry.account(leg.window).is_some_and(|account| account.serial == leg.serial);
        current.then(|| LegRow { scope: entry.scope.clone(), window: leg.window, period: leg.period })
    }

    pub(crate) fn hold_view(&self, id: HoldId, hold: &Hold) -> HoldView {
        let scopes = hold.scopes.iter().filter_map(|scope| self.books.get(*scope));
        let scopes = scopes.map(|entry| entry.scope.clone()).collect();
        let Hold { run, action, amount, at, deadline, .. } = *hold;
        HoldView { hold: id, run, action, scopes, amount, at, deadline }
    }

    /// Every live hold, oldest first.
    pub(crate) fn hold_views(&self) -> Vec<HoldView> {
        let mut views: Vec<_> = self.holds.iter().map(|(id, hold)| self.hold_view(*id, hold)).collect();
        views.sort_by_key(|view| (view.at, view.hold));
        views
    }

    /// The state that a snapshot tells of.
    pub(crate) fn restore(snapshot: &Snapshot) -> Self {
        let mut state = Self::new();
        state.latest = snapshot.latest;
        for row in &snapshot.accounts {
            let id = state.books.open(&row.scope);
            let serial = state.books.next_serial();
            state.books.put(id, Account::from_row(row, serial));
        }
        for row in &snapshot.holds {
            let hold = state.restore_hold(row);
            for leg in &hold.legs {
                if let Some(account) = state.books.account_of(*leg) {
                    account.hold_again(hold.amount, leg.period);
                }
            }
            state.deadlines.insert((hold.deadline, row.hold));
            state.holds.insert(row.hold, hold);
        }
        for row in &snapshot.swept {
            let hold = state.restore_hold(&row.hold);
            state.remember_swept(row.hold.hold, hold, row.swept_at);
        }
        state
    }

    fn restore_hold(&mut self, row: &HoldRow) -> Hold {
        let HoldRow { run, action, amount, at, deadline, .. } = *row;
        let scopes = row.scopes.iter().map(|scope| self.books.open(scope)).collect();
        let legs: SmallVec<_> = row.legs.iter().filter_map(|row| self.restore_leg(row)).collect();
        Hold { run, action, amount, at, deadline, scopes, legs }
    }

    fn restore_leg(&self, row: &LegRow) -> Option<Leg> {
        let scope = self.books.find(&row.scope)?;
        let account = self.books.get(scope)?.account(row.window)?;
        Some(Leg { scope, window: row.window, serial: account.serial, period: row.period })
    }
}
