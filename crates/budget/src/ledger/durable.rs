//! What makes the ledger survive power failures, and keeps its journal short: syncs and snapshots.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Ledger;
use crate::Error;
use crate::journal::{Medium, Writer, begin};
use crate::snapshot::{Snapshot, Snapshots};

/// A longer segment makes [`Ledger::sync`] save a snapshot.
const LONG_SEGMENT: u64 = 64 << 20;
/// How many calls of [`Ledger::sync`] pass after a snapshot failed, before it tries again.
const REST: u32 = 50;

/// Where the ledger is kept.
pub(super) struct Durable {
    medium: Arc<dyn Medium>,
    snapshots: Arc<dyn Snapshots>,
    /// The number of the next segment; one that could not be made is not used again.
    next: AtomicU64,
    /// Held over a sync, so that no segment is synced before the one that it follows.
    syncing: Mutex<()>,
    /// Held over a checkpoint. Taken before `syncing`.
    checkpointing: Mutex<()>,
    rest: AtomicU32,
}

impl Durable {
    pub(super) fn new(medium: Arc<dyn Medium>, snapshots: Arc<dyn Snapshots>, next: u64) -> Self {
        Self {
            medium,
            snapshots,
            next: AtomicU64::new(next),
            syncing: Mutex::new(()),
            checkpointing: Mutex::new(()),
            rest: AtomicU32::new(0),
        }
    }

    /// Saves a snapshot and removes the segments that it covers. One that can't be removed is tried again
    /// next time; it is never replayed.
    pub(super) fn keep(&self, snapshot: &Snapshot) -> Result<(), Error> {
        self.snapshots.save(snapshot)?;
        let segments = self.medium.segments().unwrap_or_default();
        for covered in segments.into_iter().filter(|segment| *segment < snapshot.journal) {
            let _ = self.medium.remove(covered);
        }
        Ok(())
    }

    /// Whether a snapshot may be tried in this call.
    fn is_rested(&self) -> bool {
        self.rest.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |rest| rest.checked_sub(1)).is_err()
    }
}

impl Ledger {
    /// Waits until every change so far survives a power failure. Blocks on the disk: call it every few
    /// milliseconds from a thread of its own. It writes what waited for a journal that failed, too, and takes
    /// a [checkpoint](Ledger::checkpoint) when the journal needs one.
    ///
    /// # Errors
    /// When the journal or the store can't be written. Calling again tries again.
    pub fn sync(&self) -> Result<(), Error> {
        let Some(durable) = &self.durable else { return Ok(()) };
        if self.needs_checkpoint() && durable.is_rested() {
            return self.checkpoint().inspect_err(|_| durable.rest.store(REST, Ordering::Relaxed));
        }
        let _one_at_a_time = wait_for(&durable.syncing);
        let unsynced = self.lock().writer.as_mut().and_then(|writer| writer.take_unsynced());
        let Some((number, segment)) = unsynced else { return Ok(()) };
        segment.sync().map_err(|error| {
            if let Some(writer) = &mut self.lock().writer {
                writer.sync_failed(number, &error);
            }
            Error::journal("syncing a segment")(error)
        })
    }

    fn needs_checkpoint(&self) -> bool {
        let mut inner = self.lock();
        inner.writer.as_mut().is_some_and(|writer| {
            writer.write_pending();
            writer.has_gap() || writer.length() > LONG_SEGMENT
        })
    }

    /// Saves a snapshot, begins a new segment of the journal, and removes the older ones, unless nothing
    /// happened since the last one. A crash at any point of this loses nothing.
    ///
    /// # Errors
    /// When the journal or the store can't be written. Nothing is lost then, and the journal goes on.
    pub fn checkpoint(&self) -> Result<(), Error> {
        let Some(durable) = &self.durable else { return Ok(()) };
        let _one_at_a_time = wait_for(&durable.checkpointing);
        if !self.lock().writer.as_ref().is_some_and(Writer::has_news) {
            return Ok(());
        }
        let snapshot = self.turn_journal(durable)?;
        durable.keep(&snapshot)?;
        if let Some(writer) = &mut self.lock().writer {
            writer.covered_before(snapshot.journal);
        }
        Ok(())
    }

    /// Begins a new segment, and says how things stood at that moment.
    fn turn_journal(&self, durable: &Durable) -> Result<Snapshot, Error> {
        let _one_at_a_time = wait_for(&durable.syncing);
        let number = durable.next.fetch_add(1, Ordering::Relaxed);
        let begun = begin(&*durable.medium, number).map_err(|error| {
            if let Some(writer) = &mut self.lock().writer {
                writer.failed(&error);
            }
            Error::journal("beginning a segment")(error)
        })?;
        let mut inner = self.lock();
        let before = inner.writer.as_mut().map(|writer| (writer.number(), writer.turn_to(begun)));
        let snapshot = inner.state.snapshot(number);
        drop(inner);
        let synced = before.map(|(number, segment)| segment.sync().map_err(|error| (number, error)));
        if let (Some(Err((number, error))), Some(writer)) = (synced, &mut self.lock().writer) {
            writer.sync_failed(number, &error);
        }
        Ok(snapshot)
    }
}

fn wait_for(mutex: &Mutex<()>) -> MutexGuard<'_, ()> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
