//! The writer thread and the disk: writing, rolling, forcing, and what happens when the disk refuses.

use std::io;
use std::time::Duration;

use seawall_types::RunId;

use super::{RETRY, Scribe, store};
use crate::Durability;
use crate::writer::run::RunLog;

impl Scribe {
    pub(super) fn write(&mut self) {
        if self.blocked.is_some() {
            return;
        }
        let waiting: Vec<RunId> = self.ids(|log| log.buffered() > 0);
        for run in waiting {
            self.write_run(run);
        }
    }

    pub(super) fn write_run(&mut self, run: RunId) {
        match self.try_write_run(run) {
            Ok(()) => self.roll_if_full(run),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => self.refuse(run, &error),
            Err(error) => self.fail(run, &error),
        }
    }

    fn try_write_run(&mut self, run: RunId) -> io::Result<()> {
        let Some(log) = self.runs.get_mut(&run) else { return Ok(()) };
        if !log.is_open() {
            log.open(&mut *self.files, &self.options.dir)?;
            store::list(&*self.heads, &self.queue, log);
        }
        let (lines, waited, bytes) = log.write()?;
        self.queue.count_written(lines, waited, bytes);
        Ok(())
    }

    fn roll_if_full(&mut self, run: RunId) {
        let segment_bytes = self.options.segment_bytes;
        if !self.runs.get(&run).is_some_and(|log| log.is_full(segment_bytes)) || !self.sync_run(run) {
            return;
        }
        if let Some(Err(error)) = self.runs.get_mut(&run).map(|log| log.roll(segment_bytes)) {
            tracing::warn!(%run, %error, "can't begin a new file of a trace; the old one goes on");
        }
    }

    /// The run's file belongs to somebody else, for good: its events are given up, and nobody else suffers.
    fn refuse(&mut self, run: RunId, error: &io::Error) {
        let Some(mut log) = self.runs.remove(&run) else { return };
        tracing::error!(%run, %error, "a run can't be traced; its events are dropped");
        self.queue.count_lost(log.give_up());
    }

    fn fail(&mut self, run: RunId, error: &io::Error) {
        let error = error.to_string();
        if self.outages.insert(run, error.clone()).is_none() {
            tracing::error!(%run, error, "the trace can't be written");
        }
        self.blocked = Some(error.clone());
        self.queue.fail(error);
    }

    pub(super) fn retry(&mut self, now: Duration) {
        self.retry_at = now + RETRY;
        self.blocked = None;
        self.write();
        self.sync(now);
        if self.blocked.is_none() {
            tracing::info!("the trace can be written again");
            self.queue.recover();
        }
    }

    pub(super) fn is_sync_due(&self, now: Duration) -> bool {
        match self.options.durability {
            Durability::Each => self.advanced < self.taken || self.runs.values().any(RunLog::is_dirty),
            Durability::Group { .. } => now >= self.sync_at && self.runs.values().any(RunLog::is_dirty),
            Durability::Buffered => now >= self.report_at && self.runs.values().any(RunLog::is_finishing),
        }
    }

    pub(super) fn sync(&mut self, now: Duration) {
        if let Durability::Group { every } = self.options.durability {
            self.sync_at = now + every;
        }
        for run in self.ids(RunLog::is_dirty) {
            self.sync_run(run);
        }
        if self.blocked.is_none() && self.advanced < self.taken {
            self.advanced = self.taken;
            self.queue.advance(self.taken);
        }
    }

    fn sync_run(&mut self, run: RunId) -> bool {
        let Some(log) = self.runs.get_mut(&run) else { return false };
        let Err(error) = log.sync() else { return true };
        // When the lines can't be read back either, all that is left is to try the sync again.
        if let Ok((lines, bytes)) = log.take_back() {
            self.queue.count_unwritten(lines, bytes);
        }
        self.fail(run, &error);
        false
    }
}
