//! What operators do: set, remove and replace limits, and reset accounts.

use std::collections::BTreeMap;

use seawall_types::{Scope, Timestamp, Window};

use super::State;
use crate::account::Account;
use crate::books::ScopeId;
use crate::hold::Leg;
use crate::limit::{Ceiling, Limit};
use crate::period;

/// One step from the limits in force to others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LimitChange {
    Set(Limit),
    Remove(Scope, Window),
}

impl State {
    /// The latest moment that was seen.
    pub(crate) const fn latest(&self) -> Timestamp {
        self.latest
    }

    /// Puts a limit into force. An account that exists keeps what it has counted; a new one begins with the
    /// holds that belong to its window.
    pub(crate) fn set_limit(&mut self, limit: &Limit, now: Timestamp) {
        let id = self.books.open(&limit.scope);
        if !self.books.set_ceiling(id, limit.window, limit.ceiling()) {
            self.renew(id, limit.window, Some(limit.ceiling()), now);
        }
    }

    /// Takes a limit out of force.
    pub(crate) fn remove_limit(&mut self, scope: &Scope, window: Window) {
        if let Some(id) = self.books.find(scope) {
            self.books.remove_ceiling(id, window);
        }
    }

    /// What has to change so that exactly these limits are in force. The last of several for one account
    /// counts.
    pub(crate) fn changes_to(&self, limits: Vec<Limit>) -> Vec<LimitChange> {
        let wanted: BTreeMap<_, _> =
            limits.into_iter().map(|limit| ((limit.scope.clone(), limit.window), limit)).collect();
        let limited = self.books.iter().flat_map(|(_, entry)| {
            let accounts = entry.accounts().filter(|account| account.ceiling.is_some());
            accounts.map(|account| (entry.scope.clone(), account.window))
        });
        let gone = limited.filter(|account| !wanted.contains_key(account));
        let mut changes: Vec<_> = gone.map(|(scope, window)| LimitChange::Remove(scope, window)).collect();
        changes.extend(wanted.values().filter(|limit| !self.has_limit(limit)).cloned().map(LimitChange::Set));
        changes
    }

    /// Makes one of those changes.
    pub(crate) fn change(&mut self, change: &LimitChange, now: Timestamp) {
        match change {
            LimitChange::Set(limit) => self.set_limit(limit, now),
            LimitChange::Remove(scope, window) => self.remove_limit(scope, *window),
        }
    }

    /// Whether exactly this limit is in force.
    pub(crate) fn has_limit(&self, limit: &Limit) -> bool {
        let entry = self.books.find(&limit.scope).and_then(|id| self.books.get(id));
        let account = entry.and_then(|entry| entry.account(limit.window));
        account.is_some_and(|account| account.ceiling == Some(limit.ceiling()))
    }

    /// Whether there is an account to reset.
    pub(crate) fn has_account(&self, scope: &Scope, window: Option<Window>) -> bool {
        let entry = self.books.find(scope).and_then(|id| self.books.get(id));
        entry.is_some_and(|entry| window.is_none_or(|window| entry.account(window).is_some()))
    }

    /// Forgets what is spent in one account of the scope, or in all of them. Holds stay.
    pub(crate) fn reset(&mut self, scope: &Scope, window: Option<Window>, now: Timestamp) {
        let Some(id) = self.books.find(scope) else { return };
        let accounts = self.books.get(id).into_iter().flat_map(|entry| entry.accounts());
        let chosen: Vec<_> = accounts
            .filter(|account| window.is_none_or(|window| window == account.window))
            .map(|account| (account.window, account.ceiling))
            .collect();
        for (window, ceiling) in chosen {
            self.renew(id, window, ceiling, now);
        }
    }

    /// Puts a new account into its place. It gets the holds that pay from it and belong to its current
    /// period; swept holds stay with the account that they were charged to.
    fn renew(&mut self, scope: ScopeId, window: Window, ceiling: Option<Ceiling>, now: Timestamp) {
        let serial = self.books.next_serial();
        let mut account = Account::new(window, serial, ceiling, now);
        for hold in self.holds.values_mut().filter(|hold| hold.scopes.contains(&scope)) {
            let period = period::period(window, hold.at);
            if account.hold_again(hold.amount, period) {
                hold.attach(Leg { scope, window, serial, period });
            }
        }
        self.books.put(scope, account);
    }
}
