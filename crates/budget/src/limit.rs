//! Limits: how much, for whom, over what time.

use seawall_types::{Amount, Scope, Tokens, Usd, Window};
use serde::{Deserialize, Serialize};

/// What happens to a reservation under a limit when the ledger's journal can't be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnStoreDown {
    /// It is refused: the limit holds whatever happens.
    #[default]
    Closed,
    /// It is admitted and counted in memory: service goes before exactness.
    Open,
}

/// How much a scope may spend over a window.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Limit {
    /// Whom it counts for.
    pub scope: Scope,
    /// Over what time.
    #[serde(default)]
    pub window: Window,
    /// The most money; `None`: any amount.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usd: Option<Usd>,
    /// The most tokens; `None`: any number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<Tokens>,
    /// What happens when the journal can't be written.
    #[serde(default)]
    pub on_store_down: OnStoreDown,
}

impl Limit {
    /// What the limit allows, without whom and when.
    #[must_use]
    pub const fn ceiling(&self) -> Ceiling {
        Ceiling { usd: self.usd, tokens: self.tokens, on_store_down: self.on_store_down }
    }

    /// Allows no more than this besides.
    pub fn tighten(&mut self, usd: Option<Usd>, tokens: Option<Tokens>) {
        self.usd = self.usd.into_iter().chain(usd).min();
        self.tokens = self.tokens.into_iter().chain(tokens).min();
    }
}

/// What a limit allows, without whom and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Ceiling {
    /// The most money; `None`: any amount.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usd: Option<Usd>,
    /// The most tokens; `None`: any number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<Tokens>,
    /// What happens when the journal can't be written.
    #[serde(default)]
    pub on_store_down: OnStoreDown,
}

impl Ceiling {
    /// The part of the ceiling that `taken` passes, money before tokens.
    pub(crate) fn passed_by(&self, taken: Amount) -> Option<LimitValue> {
        let usd = self.usd.filter(|limit| taken.usd > *limit).map(LimitValue::Usd);
        usd.or_else(|| self.tokens.filter(|limit| taken.tokens > *limit).map(LimitValue::Tokens))
    }

    /// What is left under the ceiling when `taken` is gone.
    pub(crate) fn left(&self, taken: Amount) -> Amount {
        Amount {
            usd: self.usd.map_or(Usd::MAX, |limit| limit.saturating_sub(taken.usd)),
            tokens: self.tokens.map_or(Tokens::MAX, |limit| limit.saturating_sub(taken.tokens)),
        }
    }
}

/// The figure of a limit that was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LimitValue {
    /// So much money.
    Usd(Usd),
    /// So many tokens.
    Tokens(Tokens),
}
