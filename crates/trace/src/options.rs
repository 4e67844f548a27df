//! How a trace is to be written.

use std::path::PathBuf;
use std::time::Duration;

use crate::content::Content;

/// When events are forced to the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// When a file is closed. A power cut may lose what the kernel had not written; `kill -9` loses some milliseconds.
    Buffered,
    /// This often. A power cut loses at most this much.
    Group {
        /// The longest time between two forced writes while events come.
        every: Duration,
    },
    /// After every batch; [`crate::Handle::durable`] says when an event has got there.
    Each,
}

/// What happens while the trace can't be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnUnavailable {
    /// [`crate::Handle::check`] refuses, so that nothing new is admitted; the ends of admitted actions still fit.
    Refuse,
    /// Work goes on; what does not fit is counted, logged, and noted in the trace when it can be written again.
    Count,
}

/// How a trace is to be written.
#[derive(Debug, Clone)]
pub struct Options {
    /// The folder of all runs: `<data dir>/runs`.
    pub dir: PathBuf,
    /// When events are forced to the disk.
    pub durability: Durability,
    /// What happens while they can't be.
    pub on_unavailable: OnUnavailable,
    /// How many events may wait for the disk.
    pub capacity: usize,
    /// The size, in bytes, at which a file is closed and the next one begun.
    pub segment_bytes: u64,
    /// What is kept of payloads.
    pub content: Content,
}

impl Options {
    /// The defaults: forced every 20 ms, refusing when unavailable, 65,536 events waiting, segments of 256 MiB, no payloads.
    #[must_use]
    pub const fn new(dir: PathBuf) -> Self {
        Self {
            dir,
            durability: Durability::Group { every: Duration::from_millis(20) },
            on_unavailable: OnUnavailable::Refuse,
            capacity: 65_536,
            segment_bytes: 256 << 20,
            content: Content::None,
        }
    }
}
