//! The log of one open run: lines that wait, lines that are written, lines that are on the disk.

use std::io;
use std::path::Path;

use seawall_types::{Event, EventKind, RunId, Timestamp};

use super::queue::Waited;
use super::segment::Segment;
use super::sink::Files;
use crate::totals::Tip;
use crate::{Head, RunRow, layout, line};

/// A buffer that has grown beyond this gives its memory back, and so does one that is small, which is soon made anew.
const KEEP_BUFFER: usize = 4 << 20;
const SMALL_BUFFER: usize = 64 << 10;

#[derive(Debug)]
pub(super) struct RunLog {
    pub(super) row: RunRow,
    segment: Option<Segment>,
    /// The number that the current file will have when it is full.
    number: u32,
    /// Lines that are not in the file yet.
    buffer: Vec<u8>,
    /// Of those, the ones that count as waiting; notes of the writer itself don't.
    waited: Waited,
    /// The ends of what is encoded, written, and on the disk.
    encoded: Tip,
    written: Tip,
    synced: Tip,
    /// How many lines the store of heads knows of.
    pub(super) reported: u64,
    /// When `run.finished` happened, once it was encoded.
    finished_at: Option<Timestamp>,
    /// The store of runs has its row.
    pub(super) listed: bool,
    /// The size at which the next file is begun.
    roll_at: u64,
}

impl RunLog {
    pub(super) fn new(run: RunId, kind: &str, started_at: Timestamp) -> Self {
        let path = layout::relative(run, started_at);
        Self {
            row: RunRow { run, kind: kind.to_owned(), started_at, finished_at: None, path },
            segment: None,
            number: 1,
            buffer: Vec::new(),
            waited: Waited::default(),
            encoded: Tip::START,
            written: Tip::START,
            synced: Tip::START,
            reported: 0,
            finished_at: None,
            listed: false,
            roll_at: 0,
        }
    }

    /// Makes the next line of an event that counted for `size` bytes while it waited. `false` when the run is over.
    pub(super) fn append(&mut self, event: &Event, size: usize) -> bool {
        if self.finished_at.is_some() {
            return false;
        }
        self.waited.events += 1;
        self.waited.bytes += size;
        self.note(event);
        true
    }

    /// Makes the next line of an event of the writer's own.
    pub(super) fn note(&mut self, event: &Event) {
        if self.finished_at.is_none() {
            line::encode(&mut self.buffer, &mut self.encoded, event);
            self.finished_at = (event.kind == EventKind::RunFinished).then_some(event.ts);
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.segment.is_some()
    }

    /// Makes the run's folder and file.
    pub(super) fn open(&mut self, files: &mut dyn Files, dir: &Path) -> io::Result<()> {
        let path = dir.join(&self.row.path);
        let run_dir = path.parent().unwrap_or(dir);
        self.segment = Some(Segment::new(files.create(dir, run_dir)?));
        Ok(())
    }

    pub(super) fn buffered(&self) -> usize {
        self.buffer.len()
    }

    /// Writes the lines that wait; gives back how many, and what they had counted for. After an error all still wait.
    pub(super) fn write(&mut self) -> io::Result<(usize, Waited, usize)> {
        let segment = self.segment.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        segment.append(&self.buffer)?;
        let lines = usize::try_from(self.encoded.next_seq - self.written.next_seq).unwrap_or(usize::MAX);
        let bytes = self.buffer.len();
        self.written = self.encoded;
        self.buffer.clear();
        // Busy runs are few and go on with what they have; of quiet ones there are thousands.
        if self.buffer.capacity() > KEEP_BUFFER || self.buffer.capacity() < SMALL_BUFFER {
            self.buffer = Vec::new();
        }
        Ok((lines, std::mem::take(&mut self.waited), bytes))
    }

    /// Gives up what waits.
    pub(super) fn give_up(&mut self) -> Waited {
        self.buffer.clear();
        std::mem::take(&mut self.waited)
    }

    /// Whether the file has reached the size at which the next one is begun.
    pub(super) fn is_full(&self, segment_bytes: u64) -> bool {
        self.segment.as_ref().is_some_and(|segment| segment.len() >= self.roll_at.max(segment_bytes).max(1))
    }

    /// Goes on in a new file; what is in the old one must be on the disk. When that fails the old one goes on, and it
    /// is tried again a good deal later.
    pub(super) fn roll(&mut self, segment_bytes: u64) -> io::Result<()> {
        let segment = self.segment.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        self.roll_at = segment.len() + segment_bytes / 16;
        segment.roll(self.number)?;
        self.roll_at = 0;
        self.number += 1;
        Ok(())
    }

    /// Whether lines were written that may not be on the disk.
    pub(super) fn is_dirty(&self) -> bool {
        self.synced.next_seq < self.written.next_seq
    }

    pub(super) fn sync(&mut self) -> io::Result<()> {
        let segment = self.segment.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        segment.sync()?;
        self.synced = self.written;
        Ok(())
    }

    /// After a failed [`RunLog::sync`]: the lines that are not on the disk wait again. Gives back how many.
    pub(super) fn take_back(&mut self) -> io::Result<(u64, usize)> {
        let segment = self.segment.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        let bytes = segment.take_back()?;
        let lines = self.written.next_seq - self.synced.next_seq;
        let taken = bytes.len();
        self.buffer.splice(..0, bytes);
        self.written = self.synced;
        Ok((lines, taken))
    }

    /// Whether the store of heads has not heard of the newest lines.
    pub(super) fn has_news(&self, forced: bool) -> bool {
        self.reportable(forced).next_seq > self.reported
    }

    /// The head of what is on the disk or, where nobody forces anything there, of what is written.
    pub(super) fn head(&self, forced: bool) -> Option<Head> {
        self.reportable(forced).head(self.row.run)
    }

    fn reportable(&self, forced: bool) -> &Tip {
        if forced { &self.synced } else { &self.written }
    }

    /// When the run ended and what its last line is, once that line is on the disk.
    pub(super) fn finished(&self) -> Option<(Timestamp, Head)> {
        let complete = self.synced.next_seq == self.encoded.next_seq;
        self.finished_at.filter(|_| complete).zip(self.synced.head(self.row.run))
    }

    /// Whether `run.finished` is written but not yet on the disk.
    pub(super) fn is_finishing(&self) -> bool {
        self.finished_at.is_some() && self.is_dirty()
    }
}
