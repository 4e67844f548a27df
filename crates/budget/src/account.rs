//! One account: a limit, what is spent under it, and what is held.
//!
//! Reading an account never changes it: a day that is over shows as a new one, and begins only with the next
//! hold. So the account's history is the journal's, whoever looked at it in between.

use std::collections::VecDeque;

use seawall_types::{ActionId, Amount, Code, Scope, Timestamp, Usd, Window};

use crate::limit::{Ceiling, LimitValue};
use crate::minute::Minute;
use crate::period::{self, Period};
use crate::refusal::{Note, Shortage, sentence};
use crate::snapshot::AccountRow;
use crate::view::{AccountView, RefusalView};

/// How many refusals an account remembers.
const NOTES: usize = 10;

/// An account.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) window: Window,
    /// Tells it from an account that stood in its place before.
    pub(crate) serial: u32,
    /// `None`: it only counts.
    pub(crate) ceiling: Option<Ceiling>,
    period: Period,
    spent: Amount,
    held: Amount,
    holds: u64,
    /// Takes the place of `spent` where the window slides.
    minute: Option<Box<Minute>>,
    notes: VecDeque<Note>,
}

/// What an account amounts to at some moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Standing {
    pub(crate) spent: Amount,
    pub(crate) held: Amount,
    pub(crate) holds: u64,
}

impl Account {
    /// An account with nothing in it, in the period of `at`.
    pub(crate) fn new(window: Window, serial: u32, ceiling: Option<Ceiling>, at: Timestamp) -> Self {
        Self {
            window,
            serial,
            ceiling,
            period: period::period(window, at),
            spent: Amount::ZERO,
            held: Amount::ZERO,
            holds: 0,
            minute: (window == Window::Minute).then(|| Box::new(Minute::new())),
            notes: VecDeque::new(),
        }
    }

    /// How it stands at `now`.
    pub(crate) fn standing(&self, now: Timestamp) -> Standing {
        match &self.minute {
            Some(minute) => Standing { spent: minute.spent(now), held: self.held, holds: self.holds },
            None if self.period_at(now) > self.period => Standing::default(),
            None => Standing { spent: self.spent, held: self.held, holds: self.holds },
        }
    }

    /// A clock that goes back does not bring an old period back.
    fn period_at(&self, now: Timestamp) -> Period {
        self.period.max(period::period(self.window, now))
    }

    /// What is missing for `wanted`, if something is.
    pub(crate) fn shortage(&self, wanted: Amount, now: Timestamp) -> Option<Shortage> {
        let ceiling = self.ceiling?;
        let Standing { spent, held, .. } = self.standing(now);
        let passed = ceiling.passed_by(spent.saturating_add(held).saturating_add(wanted))?;
        // What the call passes by itself does not free up, whatever else does.
        let limit = ceiling.passed_by(wanted).unwrap_or(passed);
        let code = match (limit, self.window) {
            // That many tokens a minute are a rate like any other: it frees up by itself, in moments.
            (LimitValue::Tokens(_), Window::Minute) => Code::RateLimited,
            (LimitValue::Tokens(_), Window::Total | Window::Day | Window::Month) => Code::TokensExceeded,
            (LimitValue::Usd(_), Window::Minute) => Code::BurnRateExceeded,
            (LimitValue::Usd(_), Window::Total | Window::Day | Window::Month) => Code::BudgetExceeded,
        };
        let frees_at = self.frees_at(&ceiling, wanted, now);
        Some(Shortage { limit, spent, held, wanted, frees_at, code })
    }

    fn frees_at(&self, ceiling: &Ceiling, wanted: Amount, now: Timestamp) -> Option<Timestamp> {
        let fits = |amount: Amount| ceiling.passed_by(amount).is_none();
        match &self.minute {
            Some(minute) => {
                minute.frees_at(|spent| fits(spent.saturating_add(self.held).saturating_add(wanted)))
            }
            None if fits(wanted) => period::end(self.window, self.period_at(now)),
            None => None,
        }
    }

    /// What the limit still allows.
    pub(crate) fn headroom(&self, now: Timestamp) -> Amount {
        let Standing { spent, held, .. } = self.standing(now);
        self.ceiling.map_or(Amount { usd: Usd::MAX, tokens: u64::MAX }, |ceiling| {
            ceiling.left(spent.saturating_add(held))
        })
    }

    /// Holds `amount` and says to which period that belongs.
    pub(crate) fn hold(&mut self, amount: Amount, now: Timestamp) -> Period {
        let period = self.period_at(now);
        if period > self.period {
            (self.period, self.spent, self.held, self.holds) = (period, Amount::ZERO, Amount::ZERO, 0);
        }
        self.held = self.held.saturating_add(amount);
        self.holds += 1;
        self.period
    }

    /// Puts a hold back that belongs to `period`; `false` when that is over.
    pub(crate) fn hold_again(&mut self, amount: Amount, period: Period) -> bool {
        let current = period == self.period;
        if current {
            self.held = self.held.saturating_add(amount);
            self.holds += 1;
        }
        current
    }

    /// A hold that belongs to `period` ends with `actual`.
    pub(crate) fn settle(&mut self, period: Period, estimate: Amount, actual: Amount, now: Timestamp) {
        if period != self.period {
            return;
        }
        self.held = self.held.saturating_sub(estimate);
        self.holds = self.holds.saturating_sub(1);
        match &mut self.minute {
            Some(minute) => minute.add(actual, now),
            None => self.spent = self.spent.saturating_add(actual),
        }
    }

    /// Replaces an estimate that was charged at `counted_at`, in `period`, by the real cost.
    pub(crate) fn correct(
        &mut self,
        period: Period,
        (estimate, actual): (Amount, Amount),
        counted_at: Timestamp,
        now: Timestamp,
    ) {
        if period != self.period {
            return;
        }
        match &mut self.minute {
            Some(minute) => minute.correct(estimate, actual, counted_at, now),
            None => self.spent = self.spent.saturating_sub(estimate).saturating_add(actual),
        }
    }

    /// Remembers a refusal.
    pub(crate) fn note(&mut self, at: Timestamp, action: ActionId, shortage: Shortage) {
        if self.notes.len() >= NOTES {
            self.notes.pop_front();
        }
        self.notes.push_back(Note { at, action, shortage });
    }

    /// Whether nothing is held.
    pub(crate) const fn is_idle(&self) -> bool {
        self.holds == 0
    }

    /// How it looks from outside; the age of the oldest hold is not known here.
    pub(crate) fn view(&self, scope: &Scope, now: Timestamp) -> AccountView {
        let Standing { spent, held, holds } = self.standing(now);
        let refusal = |note: &Note| RefusalView {
            at: note.at,
            action: note.action,
            code: note.shortage.code,
            wanted_usd: note.shortage.wanted.usd,
            message: sentence(scope, self.window, &note.shortage),
        };
        AccountView {
            scope: scope.clone(),
            window: self.window,
            limit_usd: self.ceiling.and_then(|ceiling| ceiling.usd),
            limit_tokens: self.ceiling.and_then(|ceiling| ceiling.tokens),
            spent_usd: spent.usd,
            held_usd: held.usd,
            spent_tokens: spent.tokens,
            held_tokens: held.tokens,
            holds,
            resets_at: period::end(self.window, self.period_at(now)),
            refusals: self.notes.iter().map(refusal).collect(),
            oldest_hold_seconds: None,
        }
    }

    pub(crate) fn to_row(&self, scope: &Scope) -> AccountRow {
        AccountRow {
            scope: scope.clone(),
            window: self.window,
            limit: self.ceiling,
            period: self.period,
            spent: self.spent,
            minute: self.minute.as_deref().map(Minute::to_row),
        }
    }

    /// The account of a row; what is held comes back with the holds.
    pub(crate) fn from_row(row: &AccountRow, serial: u32) -> Self {
        let mut account = Self::new(row.window, serial, row.limit, Timestamp::default());
        account.period = row.period;
        account.spent = row.spent;
        if let (Some(minute), Some(row)) = (&mut account.minute, &row.minute) {
            **minute = Minute::from_row(row);
        }
        account
    }
}
