//! What one call of a model has cost, also when nothing of its answer can be used.

use std::sync::{Arc, OnceLock};

use seawall_types::{Amount, Tokens, Usage, Usd};

use crate::model::Reply;

/// What is known of it by now. Whoever asks a model keeps this outside of what may be given up: the money is known when the answer's
/// body has ended, or was dropped.
#[derive(Debug, Default)]
pub(super) struct Bill {
    cost: Arc<OnceLock<Usd>>,
    tokens: Tokens,
}

impl Bill {
    /// The answer has begun.
    pub(super) fn begin(&mut self, reply: &Reply) {
        self.cost = Arc::clone(&reply.cost);
    }

    /// The answer is whole, and says what it consumed.
    pub(super) fn consumed(&mut self, usage: &Usage) {
        self.tokens = usage.total();
    }

    /// The money.
    pub(super) fn cost(&self) -> Usd {
        self.cost.get().copied().unwrap_or(Usd::ZERO)
    }

    /// Both, where there is anything. Of an answer that broke off only the money is known.
    pub(super) fn spent(&self) -> Option<Amount> {
        let spent = Amount { usd: self.cost(), tokens: self.tokens };
        (spent != Amount::ZERO).then_some(spent)
    }
}
