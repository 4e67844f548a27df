//! Accounts as people and the API see them.

use std::collections::HashMap;

use seawall_types::{Timestamp, Window};

use super::State;
use crate::books::ScopeId;
use crate::view::AccountView;

impl State {
    /// Every account, by scope and window.
    pub(crate) fn show(&self, now: Timestamp) -> Vec<AccountView> {
        let oldest = self.oldest_holds();
        let mut views = Vec::new();
        for (id, entry) in self.books.iter() {
            views.extend(entry.accounts().map(|account| {
                let mut view = account.view(&entry.scope, now);
                let since = oldest.get(&(id, account.window, account.serial)).filter(|_| view.holds > 0);
                view.oldest_hold_seconds = since.map(|at| now.since(*at).as_secs());
                view
            }));
        }
        views.sort_by(|a, b| (&a.scope, a.window).cmp(&(&b.scope, b.window)));
        views
    }

    /// When the oldest hold of each account was made.
    fn oldest_holds(&self) -> HashMap<(ScopeId, Window, u32), Timestamp> {
        let mut oldest = HashMap::new();
        for hold in self.holds.values() {
            for leg in &hold.legs {
                let at = oldest.entry((leg.scope, leg.window, leg.serial)).or_insert(hold.at);
                *at = hold.at.min(*at);
            }
        }
        oldest
    }
}
