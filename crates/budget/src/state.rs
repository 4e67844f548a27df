//! The ledger without its journal: accounts, holds, and what may be done with them.
//!
//! Everything here is a function of what was done before, in order; no clock, no I/O. That is what makes
//! replaying the journal give the same state. Checks are apart from changes, so that a change can be
//! journalled in between.

mod limits;
mod restore;
mod show;

use std::collections::{BTreeSet, HashMap, VecDeque};

use seawall_types::{Amount, HoldId, Scope, Timestamp, Tokens, Usd};
use smallvec::SmallVec;

pub(crate) use limits::LimitChange;

use crate::books::{Books, ScopeId};
use crate::hold::{Correction, Hold, Leg, Reservation, Settled, Swept};
use crate::limit::OnStoreDown;
use crate::refusal::Refusal;

/// How many swept holds may still be corrected.
const SWEPT: usize = 10_000;

/// The scopes that pay, by number.
pub(crate) type Payers = SmallVec<[ScopeId; 4]>;

/// The state of the ledger.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) books: Books,
    holds: HashMap<HoldId, Hold>,
    deadlines: BTreeSet<(Timestamp, HoldId)>,
    swept: HashMap<HoldId, (Hold, Timestamp)>,
    /// Names in `swept`, oldest first, and some that are settled since.
    swept_order: VecDeque<HoldId>,
    /// The latest moment that was seen.
    latest: Timestamp,
}

impl State {
    pub(crate) fn new() -> Self {
        Self {
            books: Books::new(),
            holds: HashMap::new(),
            deadlines: BTreeSet::new(),
            swept: HashMap::new(),
            swept_order: VecDeque::new(),
            latest: Timestamp::default(),
        }
    }

    pub(crate) fn holds(&self) -> usize {
        self.holds.len()
    }

    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    /// Whether `hold` may still be settled or corrected.
    pub(crate) fn knows(&self, hold: HoldId) -> bool {
        self.holds.contains_key(&hold) || self.swept.contains_key(&hold)
    }

    /// What a live hold was made for.
    pub(crate) fn estimate(&self, hold: HoldId) -> Option<Amount> {
        self.holds.get(&hold).map(|hold| hold.amount)
    }

    /// Agrees to a reservation, or refuses it in the name of the limit that frees up last, and remembers
    /// that. The answer says what is to happen when the journal can't be written: closed where one limit says
    /// so.
    #[expect(clippy::result_large_err, reason = "as for Ledger::reserve")]
    pub(crate) fn check(&mut self, wanted: &Reservation<'_>, now: Timestamp) -> Result<OnStoreDown, Refusal> {
        if self.knows(wanted.hold) {
            return Err(Refusal::DuplicateHold);
        }
        let mut on_store_down = OnStoreDown::Open;
        let mut worst = None;
        for id in wanted.scopes.iter().filter_map(|scope| self.books.find(scope)) {
            let accounts = self.books.get(id).into_iter().flat_map(|entry| entry.accounts());
            for (account, ceiling) in accounts.filter_map(|account| Some((account, account.ceiling?))) {
                if ceiling.on_store_down == OnStoreDown::Closed {
                    on_store_down = OnStoreDown::Closed;
                }
                let Some(shortage) = account.shortage(wanted.amount, now) else { continue };
                if worst.as_ref().is_none_or(|(_, _, other)| shortage.frees_up_after(other)) {
                    worst = Some((id, account.window, shortage));
                }
            }
        }
        let Some((id, window, shortage)) = worst else { return Ok(on_store_down) };
        if let Some(account) = self.books.get_mut(id).and_then(|entry| entry.account_mut(window)) {
            account.note(now, wanted.action, shortage);
        }
        let scope = self.books.get(id).map_or(Scope::Global, |entry| entry.scope.clone());
        Err(shortage.into_refusal(scope, window))
    }

    /// The numbers of everybody who pays, each once.
    pub(crate) fn payers(&mut self, scopes: &[Scope]) -> Payers {
        let mut payers = Payers::new();
        for scope in scopes {
            match self.books.open_unlimited(scope) {
                Some(id) if !payers.contains(&id) => payers.push(id),
                Some(_) | None => {}
            }
        }
        payers
    }

    /// Holds what was agreed to.
    pub(crate) fn hold(&mut self, wanted: &Reservation<'_>, payers: Payers, now: Timestamp) {
        self.see(now);
        let Reservation { hold, run, action, amount, deadline, .. } = *wanted;
        let mut legs = SmallVec::new();
        for &scope in &payers {
            let accounts = self.books.get_mut(scope).into_iter().flat_map(|entry| entry.accounts_mut());
            legs.extend(accounts.map(|account| {
                let period = account.hold(amount, now);
                Leg { scope, window: account.window, serial: account.serial, period }
            }));
        }
        self.deadlines.insert((deadline, hold));
        self.holds.insert(hold, Hold { run, action, amount, at: now, deadline, scopes: payers, legs });
    }

    /// Ends a hold at its real cost, or corrects what it was swept at.
    pub(crate) fn settle(&mut self, hold: HoldId, actual: Amount, now: Timestamp) -> Settled {
        self.see(now);
        match self.finish(hold, Some(actual), now) {
            Some(hold) => {
                let estimate = hold.amount;
                Settled::First { over_estimate: actual.usd > estimate.usd || actual.tokens > estimate.tokens }
            }
            None => self.correct(hold, actual, now),
        }
    }

    /// Takes a hold out of its accounts, at `actual` or at its estimate.
    fn finish(&mut self, hold: HoldId, actual: Option<Amount>, now: Timestamp) -> Option<Hold> {
        let ended = self.holds.remove(&hold)?;
        self.deadlines.remove(&(ended.deadline, hold));
        let actual = actual.unwrap_or(ended.amount);
        for leg in &ended.legs {
            if let Some(account) = self.books.account_of(*leg) {
                account.settle(leg.period, ended.amount, actual, now);
            }
        }
        Some(ended)
    }

    fn correct(&mut self, hold: HoldId, actual: Amount, now: Timestamp) -> Settled {
        let Some((swept, swept_at)) = self.swept.remove(&hold) else { return Settled::Unknown };
        for leg in &swept.legs {
            if let Some(account) = self.books.account_of(*leg) {
                account.correct(leg.period, (swept.amount, actual), swept_at, now);
            }
        }
        Settled::Late { correction: Correction::between(swept.amount, actual) }
    }

    /// Names of holds whose deadline has come, at most `most`, soonest first.
    pub(crate) fn overdue(&self, now: Timestamp, most: usize) -> Vec<HoldId> {
        let due = self.deadlines.iter().take_while(|(deadline, _)| *deadline <= now);
        due.take(most).map(|(_, hold)| *hold).collect()
    }

    /// Makes a hold spend at its estimate. It is remembered for a late settle.
    pub(crate) fn sweep(&mut self, hold: HoldId, now: Timestamp) -> Option<Swept> {
        self.see(now);
        let ended = self.finish(hold, None, now)?;
        let swept = ended.swept(hold);
        self.remember_swept(hold, ended, now);
        Some(swept)
    }

    fn remember_swept(&mut self, hold: HoldId, mut ended: Hold, at: Timestamp) {
        // Its legs say where it was charged; the scopes may be forgotten before it is.
        ended.scopes = Payers::new();
        self.swept.insert(hold, (ended, at));
        self.swept_order.push_back(hold);
        if self.swept_order.len() > SWEPT
            && let Some(oldest) = self.swept_order.pop_front()
        {
            self.swept.remove(&oldest);
        }
    }

    /// The least that every limit on these scopes still allows.
    pub(crate) fn headroom(&self, scopes: &[Scope], now: Timestamp) -> Amount {
        let ids = scopes.iter().filter_map(|scope| self.books.find(scope));
        let entries = ids.filter_map(|id| self.books.get(id));
        entries.flat_map(|entry| entry.accounts()).map(|account| account.headroom(now)).fold(
            Amount { usd: Usd::MAX, tokens: Tokens::MAX },
            |least, left| Amount { usd: least.usd.min(left.usd), tokens: least.tokens.min(left.tokens) },
        )
    }

    fn see(&mut self, now: Timestamp) {
        self.latest = self.latest.max(now);
    }
}
