//! Appending to the journal, and what is done when that fails.
//!
//! A record that must be there (a reservation under a `closed` limit) is dropped when it can't be written,
//! and the change is refused. Other records are kept and written before the next one, so that the journal
//! keeps the order of events. When too many wait, or when what a failed write left behind can't be cut off,
//! the journal has a gap, which only a snapshot closes; until then everything that must be there is refused.

use std::io;
use std::sync::Arc;

use super::{Medium, Segment};
use crate::record::{Encoder, FORMAT, Record};

/// How many bytes may wait for the medium.
const BACKLOG: usize = 1 << 20;

/// What becomes of a record that can't be written now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Otherwise {
    /// It is dropped: the change does not happen.
    Refuse,
    /// It waits: the change happens in memory.
    Keep,
}

/// The end of the journal.
#[derive(Debug)]
pub(crate) struct Writer {
    segment: Arc<dyn Segment>,
    number: u64,
    /// The length of the segment, of whole records.
    length: u64,
    /// Its length when it began.
    begun: u64,
    /// The segment that the last snapshot names.
    named: Option<u64>,
    /// Records that wait, and the one that is being made.
    pending: Vec<u8>,
    /// Written and not synced.
    dirty: bool,
    /// The last segment in which something is missing.
    gap: Option<u64>,
    /// Names of scopes hold for one chapter: a segment, or what follows a gap in it.
    chapter: u64,
    errors: u64,
    last_error: String,
}

/// A segment that was just made, with its first record in it.
#[derive(Debug)]
pub(crate) struct Begun {
    segment: Arc<dyn Segment>,
    number: u64,
    length: u64,
}

/// Makes a segment and writes its first record.
pub(crate) fn begin(medium: &dyn Medium, number: u64) -> io::Result<Begun> {
    let segment = medium.create(number)?;
    let mut first = Vec::new();
    Encoder(&mut first).push(&Record::Begin { format: FORMAT, segment: number });
    if let Err(error) = segment.append(&first) {
        // An empty segment does no harm, one a second on a full disk would. Where even this fails, the next
        // snapshot takes it away.
        let _ = medium.remove(number);
        return Err(error);
    }
    Ok(Begun { segment, number, length: length_of(&first) })
}

impl Writer {
    pub(crate) fn new(begun: Begun) -> Self {
        let Begun { segment, number, length } = begun;
        let pending = Vec::with_capacity(4_096);
        Self {
            segment,
            number,
            length,
            begun: length,
            named: None,
            pending,
            dirty: true,
            gap: None,
            chapter: 1,
            errors: 0,
            last_error: String::new(),
        }
    }

    /// Where names were written last, to compare with [`crate::books::Entry::named_in`].
    pub(crate) const fn chapter(&self) -> u64 {
        self.chapter
    }

    pub(crate) const fn number(&self) -> u64 {
        self.number
    }

    pub(crate) const fn length(&self) -> u64 {
        self.length
    }

    pub(crate) const fn errors(&self) -> u64 {
        self.errors
    }

    pub(crate) const fn has_gap(&self) -> bool {
        self.gap.is_some()
    }

    /// Whether everything that was committed is in the segment.
    pub(crate) const fn is_complete(&self) -> bool {
        self.gap.is_none() && self.pending.is_empty()
    }

    /// The last failure, in the system's words.
    pub(crate) fn last_error(&self) -> &str {
        &self.last_error
    }

    /// Where the next records begin, for [`Writer::commit`].
    pub(crate) fn mark(&self) -> usize {
        self.pending.len()
    }

    /// Makes a record ready to be committed.
    pub(crate) fn push(&mut self, record: &Record) {
        Encoder(&mut self.pending).push(record);
    }

    /// Writes everything that waits, in one write. `false`: the records since `mark` are not in the journal
    /// and will not be.
    pub(crate) fn commit(&mut self, mark: usize, otherwise: Otherwise) -> bool {
        if otherwise == Otherwise::Refuse && self.has_gap() {
            self.pending.truncate(mark);
            return false;
        }
        if self.write_pending() {
            return true;
        }
        if otherwise == Otherwise::Refuse {
            self.pending.truncate(mark);
            return false;
        }
        if self.pending.len() > BACKLOG {
            self.open_gap();
        }
        true
    }

    /// Tries to write what waits.
    pub(crate) fn write_pending(&mut self) -> bool {
        if self.pending.is_empty() {
            return true;
        }
        match self.segment.append(&self.pending) {
            Ok(()) => {
                self.length += length_of(&self.pending);
                self.pending.clear();
                self.dirty = true;
                true
            }
            Err(error) => {
                self.failed(&error);
                if self.segment.truncate(self.length).is_err() {
                    self.abandon_segment();
                }
                false
            }
        }
    }

    /// Counts a failure.
    pub(crate) fn failed(&mut self, error: &io::Error) {
        self.errors += 1;
        self.last_error = error.to_string();
    }

    /// What a sync that failed should have kept may be lost, and what was written before it too.
    pub(crate) fn sync_failed(&mut self, number: u64, error: &io::Error) {
        self.failed(error);
        self.gap = self.gap.max(Some(number));
    }

    /// Gives up what waits.
    fn open_gap(&mut self) {
        self.pending.clear();
        self.gap = self.gap.max(Some(self.number));
        self.chapter += 1;
    }

    /// The segment ends in bytes that are no record; nothing after them would be read.
    fn abandon_segment(&mut self) {
        self.open_gap();
        self.segment = Arc::new(Unwritable);
    }

    /// Goes on in another segment and gives the old one back, for its last sync.
    pub(crate) fn turn_to(&mut self, begun: Begun) -> Arc<dyn Segment> {
        if !self.write_pending() && !self.pending.is_empty() {
            self.open_gap();
        }
        self.number = begun.number;
        (self.begun, self.length) = (begun.length, begun.length);
        self.chapter += 1;
        self.dirty = true;
        std::mem::replace(&mut self.segment, begun.segment)
    }

    /// Whether something happened that no snapshot covers.
    pub(crate) fn has_news(&self) -> bool {
        self.named != Some(self.number) || self.length != self.begun || !self.is_complete()
    }

    /// A snapshot covers everything before segment `first`, which it names.
    pub(crate) fn covered_before(&mut self, first: u64) {
        self.named = Some(first);
        self.gap = self.gap.filter(|gap| *gap >= first);
    }

    /// The segment with its number, when something in it is not synced; it counts as synced from now on.
    pub(crate) fn take_unsynced(&mut self) -> Option<(u64, Arc<dyn Segment>)> {
        std::mem::take(&mut self.dirty).then(|| (self.number, Arc::clone(&self.segment)))
    }
}

fn length_of(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

/// Stands in for a segment that must not be appended to any more.
#[derive(Debug)]
struct Unwritable;

impl Unwritable {
    fn refused() -> io::Error {
        io::Error::other("the segment ends in a write that failed and could not be undone")
    }
}

impl Segment for Unwritable {
    fn append(&self, _bytes: &[u8]) -> io::Result<()> {
        Err(Self::refused())
    }

    fn truncate(&self, _length: u64) -> io::Result<()> {
        Err(Self::refused())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}
