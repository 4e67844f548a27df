//! Running totals of one run, for the list of runs.

use seawall_types::{EventKind, RunId, Usd};

use crate::{Head, chain};

/// What `trace list` says of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Totals {
    pub(crate) events: u64,
    pub(crate) actions: u64,
    pub(crate) denied: u64,
    pub(crate) cost_usd: Usd,
}

impl Totals {
    /// Counts one event; `charged` is the cost of the action that ended with it.
    pub(crate) fn count(&mut self, kind: EventKind, charged: Usd) {
        self.events += 1;
        match kind {
            EventKind::ActionAdmitted => self.actions += 1,
            EventKind::ActionDenied => {
                self.actions += 1;
                self.denied += 1;
            }
            EventKind::ActionSettled | EventKind::ActionAbandoned => {
                self.cost_usd = self.cost_usd.saturating_add(charged);
            }
            _ => {}
        }
    }
}

/// The end of a chain: where its next line goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tip {
    /// The number of the next line.
    pub(crate) next_seq: u64,
    /// The hash of the newest line; [`chain::GENESIS`] before the first.
    pub(crate) hash: chain::Hex,
    pub(crate) totals: Totals,
}

impl Tip {
    /// Before the first line.
    pub(crate) const START: Self = Self {
        next_seq: 0,
        hash: chain::GENESIS,
        totals: Totals { events: 0, actions: 0, denied: 0, cost_usd: Usd::ZERO },
    };

    /// The head of a chain that ends here; `None` before the first line.
    pub(crate) fn head(&self, run: RunId) -> Option<Head> {
        let Totals { events, actions, denied, cost_usd } = self.totals;
        let seq = self.next_seq.checked_sub(1)?;
        let hash = chain::from_hex(&self.hash)?;
        Some(Head { run, seq, hash, first_seq: 0, events, actions, denied, cost_usd, signature: None })
    }
}

impl From<&Head> for Totals {
    fn from(head: &Head) -> Self {
        Self { events: head.events, actions: head.actions, denied: head.denied, cost_usd: head.cost_usd }
    }
}
