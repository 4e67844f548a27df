//! Why nothing was reserved.

use seawall_types::{ActionId, Amount, Code, Scope, Timestamp, Window};

use crate::limit::LimitValue;

/// A reservation that was not made. Nothing is held for it in any scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It would have passed a limit. Where it would have passed several, this is the one that frees up last.
    #[error("{}", sentence(.scope, *.window, &Shortage {
        limit: *.limit, spent: *.spent, held: *.held, wanted: *.wanted, frees_at: *.frees_at, code: *.code }))]
    Exceeded {
        /// Whose limit.
        scope: Scope,
        /// Over what time.
        window: Window,
        /// The figure that would have been passed.
        limit: LimitValue,
        /// What is spent in the window.
        spent: Amount,
        /// What is held for calls under way.
        held: Amount,
        /// What was asked for.
        wanted: Amount,
        /// When the same reservation would fit if nothing else happened; `None`: not by waiting.
        frees_at: Option<Timestamp>,
        /// `BUDGET_EXCEEDED`, `TOKENS_EXCEEDED` or, for money by the minute, `BURN_RATE_EXCEEDED`.
        code: Code,
    },
    /// The journal can't be written, and a limit that applies says to refuse then.
    #[error("the ledger's journal can't be written ({reason}); free its disk or set on_store_down: open")]
    Unavailable {
        /// What the system said.
        reason: String,
    },
    /// A hold of this name exists.
    #[error("a hold of this name exists already; make a new one for each action")]
    DuplicateHold,
}

/// What an account lacked for a reservation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shortage {
    pub(crate) limit: LimitValue,
    pub(crate) spent: Amount,
    pub(crate) held: Amount,
    pub(crate) wanted: Amount,
    pub(crate) frees_at: Option<Timestamp>,
    pub(crate) code: Code,
}

impl Shortage {
    pub(crate) fn into_refusal(self, scope: Scope, window: Window) -> Refusal {
        let Self { limit, spent, held, wanted, frees_at, code } = self;
        Refusal::Exceeded { scope, window, limit, spent, held, wanted, frees_at, code }
    }

    /// Whether one waits longer for this than for `other`; longest for what waiting does not help.
    pub(crate) fn frees_up_after(&self, other: &Self) -> bool {
        match (self.frees_at, other.frees_at) {
            (None, Some(_)) => true,
            (Some(mine), Some(theirs)) => mine > theirs,
            (_, None) => false,
        }
    }
}

/// A shortage as an account remembers it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Note {
    pub(crate) at: Timestamp,
    pub(crate) action: ActionId,
    pub(crate) shortage: Shortage,
}

/// A shortage in a sentence.
pub(crate) fn sentence(scope: &Scope, window: Window, shortage: &Shortage) -> String {
    let Shortage { limit, spent, held, wanted, .. } = shortage;
    match limit {
        LimitValue::Usd(limit) => format!(
            "{scope} ({window}) is limited to ${limit}: ${} spent, ${} held, ${} wanted",
            spent.usd, held.usd, wanted.usd
        ),
        LimitValue::Tokens(limit) => format!(
            "{scope} ({window}) is limited to {limit} tokens: {} spent, {} held, {} wanted",
            spent.tokens, held.tokens, wanted.tokens
        ),
    }
}
