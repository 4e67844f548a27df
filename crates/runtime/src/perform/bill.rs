//! What one call of a model has cost, also when nothing of its answer can be used.

use std::time::Duration;

use seawall_types::{Amount, Tokens, Usage, Usd};
use tokio::sync::watch;

/// So long it is waited for what an answer has cost that broke off or was given up. Whoever pays reads on for a moment, for the
/// usage that a provider tells last.
const SETTLES: Duration = Duration::from_secs(2);

/// What is known of it by now.
#[derive(Debug)]
pub(super) struct Bill {
    told: watch::Receiver<Option<Usd>>,
    tokens: Tokens,
}

impl Default for Bill {
    /// Of a call that is not made.
    fn default() -> Self {
        Self { told: watch::channel(None).1, tokens: 0 }
    }
}

impl Bill {
    /// The call begins: whoever makes it is to tell this what it costs, and drops it where that is nothing.
    pub(super) fn begin(&mut self) -> watch::Sender<Option<Usd>> {
        let (tell, told) = watch::channel(None);
        self.told = told;
        tell
    }

    /// The answer is whole, and says what it consumed.
    pub(super) fn consumed(&mut self, usage: &Usage) {
        self.tokens = usage.total();
    }

    /// Waits until the money is known. What is told later than in [`SETTLES`] is missing here, and nowhere else.
    pub(super) async fn settle(&mut self) {
        let _late_or_nothing = tokio::time::timeout(SETTLES, self.told.wait_for(Option::is_some)).await;
    }

    /// The money, as far as it is known.
    pub(super) fn cost(&self) -> Usd {
        self.told.borrow().unwrap_or(Usd::ZERO)
    }

    /// Both, where there is anything. Of an answer that broke off only the money is known.
    pub(super) fn spent(&self) -> Option<Amount> {
        let spent = Amount { usd: self.cost(), tokens: self.tokens };
        (spent != Amount::ZERO).then_some(spent)
    }
}
