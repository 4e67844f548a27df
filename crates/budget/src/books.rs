//! Who has accounts: a bounded table of scopes, each with a `total` account and one for every further limit.
//!
//! A scope is looked up by its name once an operation and is a small number from then on. Numbers are used
//! again when a run is forgotten; serial numbers of accounts are not, so that a stale reference finds
//! nothing.

use std::collections::{HashMap, VecDeque};

use seawall_types::{Scope, Timestamp, Window};

use crate::account::Account;
use crate::hold::Leg;
use crate::limit::Ceiling;

/// How many keys and tenants without a limit are counted; further ones are served and not counted by name.
const UNLIMITED_NAMES: usize = 100_000;
/// How many runs without a limit are counted; the oldest idle one makes room for the next.
const UNLIMITED_RUNS: usize = 1_000;
/// How many runs are looked at to make room for one.
const EVICTION_TRIES: usize = 8;

/// The number of a scope in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ScopeId(pub(crate) u32);

/// A scope and its accounts.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) scope: Scope,
    /// In which chapter of the journal the scope's name was last written; 0: in none.
    pub(crate) named_in: u64,
    total: Account,
    /// Accounts of other windows, in the order of [`Window`].
    windows: Vec<Account>,
}

impl Entry {
    pub(crate) fn accounts(&self) -> impl Iterator<Item = &Account> {
        std::iter::once(&self.total).chain(&self.windows)
    }

    pub(crate) fn accounts_mut(&mut self) -> impl Iterator<Item = &mut Account> {
        std::iter::once(&mut self.total).chain(&mut self.windows)
    }

    pub(crate) fn account(&self, window: Window) -> Option<&Account> {
        self.accounts().find(|account| account.window == window)
    }

    pub(crate) fn account_mut(&mut self, window: Window) -> Option<&mut Account> {
        self.accounts_mut().find(|account| account.window == window)
    }

    /// Puts an account into its place, over the one that is there.
    fn put(&mut self, account: Account) {
        if account.window == Window::Total {
            self.total = account;
            return;
        }
        self.windows.retain(|other| other.window != account.window);
        self.windows.push(account);
        self.windows.sort_by_key(|account| account.window);
    }

    fn is_limited(&self) -> bool {
        self.accounts().any(|account| account.ceiling.is_some())
    }
}

/// The table of scopes.
#[derive(Debug, Default)]
pub(crate) struct Books {
    numbers: HashMap<Scope, ScopeId>,
    entries: Vec<Option<Entry>>,
    free: Vec<ScopeId>,
    /// Runs in the order in which they were first seen; those with a limit may be missing.
    runs: VecDeque<ScopeId>,
    names: usize,
    last_serial: u32,
}

impl Books {
    /// The table with `global`, which is always counted.
    pub(crate) fn new() -> Self {
        let mut books = Self::default();
        books.open(&Scope::Global);
        books
    }

    pub(crate) fn find(&self, scope: &Scope) -> Option<ScopeId> {
        self.numbers.get(scope).copied()
    }

    pub(crate) fn get(&self, id: ScopeId) -> Option<&Entry> {
        self.entries.get(usize::try_from(id.0).ok()?)?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, id: ScopeId) -> Option<&mut Entry> {
        self.entries.get_mut(usize::try_from(id.0).ok()?)?.as_mut()
    }

    /// The account that a leg stands in, unless it was reset or removed since.
    pub(crate) fn account_of(&mut self, leg: Leg) -> Option<&mut Account> {
        let account = self.get_mut(leg.scope)?.account_mut(leg.window)?;
        (account.serial == leg.serial).then_some(account)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (ScopeId, &Entry)> {
        (0_u32..).map(ScopeId).zip(&self.entries).filter_map(|(id, entry)| Some((id, entry.as_ref()?)))
    }

    pub(crate) fn next_serial(&mut self) -> u32 {
        self.last_serial = self.last_serial.wrapping_add(1);
        self.last_serial
    }

    /// The scope's number, which it gets now if it has none.
    pub(crate) fn open(&mut self, scope: &Scope) -> ScopeId {
        if let Some(id) = self.find(scope) {
            return id;
        }
        let total = Account::new(Window::Total, self.next_serial(), None, Timestamp::default());
        let entry = Entry { scope: scope.clone(), named_in: 0, total, windows: Vec::new() };
        let id = self.place(entry);
        match scope {
            Scope::Run(_) => self.runs.push_back(id),
            Scope::Key(_) | Scope::Tenant(_) => self.names += 1,
            Scope::Global => {}
        }
        self.numbers.insert(scope.clone(), id);
        id
    }

    /// Like [`Books::open`] for a scope that nobody limited, as far as there is room.
    pub(crate) fn open_unlimited(&mut self, scope: &Scope) -> Option<ScopeId> {
        let known = self.find(scope);
        if known.is_some() {
            return known;
        }
        let room = match scope {
            Scope::Global => true,
            Scope::Key(_) | Scope::Tenant(_) => self.names < UNLIMITED_NAMES,
            Scope::Run(_) => self.runs.len() < UNLIMITED_RUNS || self.forget_a_run(),
        };
        room.then(|| self.open(scope))
    }

    fn place(&mut self, entry: Entry) -> ScopeId {
        if let Some(id) = self.free.pop() {
            if let Some(slot) = usize::try_from(id.0).ok().and_then(|index| self.entries.get_mut(index)) {
                *slot = Some(entry);
            }
            return id;
        }
        self.entries.push(Some(entry));
        ScopeId(u32::try_from(self.entries.len() - 1).unwrap_or(u32::MAX))
    }

    /// Makes room for a run; `false` when the oldest ones are all at work.
    fn forget_a_run(&mut self) -> bool {
        for _ in 0..EVICTION_TRIES {
            let Some(id) = self.runs.pop_front() else { return true };
            let Some(entry) = self.get(id) else { continue };
            if entry.is_limited() {
                continue; // It comes back when the limit is removed.
            }
            if !entry.total.is_idle() {
                self.runs.push_back(id);
                continue;
            }
            self.numbers.remove(&entry.scope.clone());
            if let Some(slot) = usize::try_from(id.0).ok().and_then(|index| self.entries.get_mut(index)) {
                *slot = None;
            }
            self.free.push(id);
            return true;
        }
        self.runs.len() < UNLIMITED_RUNS
    }

    /// Puts an account into its scope's entry, over the one that is there.
    pub(crate) fn put(&mut self, id: ScopeId, account: Account) {
        if let Some(entry) = self.get_mut(id) {
            entry.put(account);
        }
    }

    /// Gives an account a ceiling. `false`: there is no such account yet.
    pub(crate) fn set_ceiling(&mut self, id: ScopeId, window: Window, ceiling: Ceiling) -> bool {
        let account = self.get_mut(id).and_then(|entry| entry.account_mut(window));
        account.map(|account| account.ceiling = Some(ceiling)).is_some()
    }

    /// Takes a limit away: the `total` account goes on counting, others go.
    pub(crate) fn remove_ceiling(&mut self, id: ScopeId, window: Window) {
        let Some(entry) = self.get_mut(id) else { return };
        entry.windows.retain(|account| account.window != window);
        if window == Window::Total {
            entry.total.ceiling = None;
        }
        let is_unlimited_run = matches!(entry.scope, Scope::Run(_)) && !entry.is_limited();
        if is_unlimited_run && !self.runs.contains(&id) {
            self.runs.push_back(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use seawall_types::{Amount, RunId};

    use super::*;

    fn run(number: u64) -> Scope {
        Scope::Run(RunId::from_parts(number, &[0; 10]))
    }

    #[test]
    fn the_oldest_idle_run_makes_room_and_a_busy_or_limited_one_does_not() {
        let mut books = Books::new();
        let busy = books.open_unlimited(&run(0)).unwrap();
        let limited = books.open_unlimited(&run(1)).unwrap();
        let idle = books.open_unlimited(&run(2)).unwrap();
        books.get_mut(busy).unwrap().total.hold(Amount::ZERO, Timestamp::default());
        books.set_ceiling(limited, Window::Total, Ceiling::default());
        for number in 3..=1_000 {
            books.open_unlimited(&run(number)).unwrap();
        }
        assert_eq!(books.find(&run(0)), Some(busy));
        assert_eq!(books.find(&run(1)), Some(limited));
        assert_eq!(books.find(&run(2)), None);
        assert_eq!(books.find(&run(1_000)), Some(idle), "the number is used again");
    }

    #[test]
    fn names_without_limit_are_bounded_and_limited_ones_are_not() {
        let mut books = Books::new();
        books.names = UNLIMITED_NAMES;
        let name = Scope::Key("late".into());
        assert_eq!(books.open_unlimited(&name), None);
        let id = books.open(&name);
        assert_eq!(books.open_unlimited(&name), Some(id));
    }
}
