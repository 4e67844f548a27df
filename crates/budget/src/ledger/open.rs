//! Opening a ledger that survives the process: the last snapshot, and what the journal tells since.

use std::sync::{Arc, Mutex};

use seawall_types::Timestamp;

use super::Ledger;
use super::durable::Durable;
use super::inner::{Counts, Inner};
use crate::Error;
use crate::hold::HoldView;
use crate::journal::{Journal, Writer, begin, replay};
use crate::limit::Limit;
use crate::snapshot::Snapshots;
use crate::state::State;

/// What was found when the ledger was opened.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recovery {
    /// Holds that nobody settled, oldest first. They stay until they are settled or swept.
    pub holds: Vec<HoldView>,
    /// How many records of the journal were done again.
    pub replayed: u64,
    /// Something of the journal was missing or unreadable. Unreadable bytes are kept beside it
    /// (`journal.<n>.torn`); after a power failure a last record that is cut off is normal.
    pub torn: bool,
}

impl Ledger {
    /// Opens the ledger as it was when the last process ended, however that was, with exactly these limits in
    /// force: the last of several for one scope and window.
    ///
    /// # Errors
    /// When the journal or the snapshot can't be read or written.
    pub fn open(
        limits: Vec<Limit>,
        journal: Journal,
        snapshots: Arc<dyn Snapshots>,
        now: Timestamp,
    ) -> Result<(Self, Recovery), Error> {
        let Journal { medium } = journal;
        let snapshot = snapshots.load()?;
        let mut state = snapshot.as_ref().map_or_else(State::new, State::restore);
        let replayed = replay(&*medium, snapshot.map(|snapshot| snapshot.journal), &mut state)?;
        let recovery =
            Recovery { holds: state.hold_views(), replayed: replayed.records, torn: replayed.torn };
        for change in state.changes_to(limits) {
            state.change(&change, now);
        }
        // From here on the recovered state is the snapshot's, so that no later start depends on the old
        // journal.
        let begun = begin(&*medium, replayed.next).map_err(Error::journal("beginning a segment"))?;
        let durable = Durable::new(medium, snapshots, replayed.next.saturating_add(1));
        durable.keep(&state.snapshot(replayed.next))?;
        let mut writer = Writer::new(begun);
        writer.covered_before(replayed.next);
        let inner = Inner { state, writer: Some(writer), counts: Counts::default() };
        Ok((Self { inner: Mutex::new(inner), durable: Some(durable) }, recovery))
    }
}
