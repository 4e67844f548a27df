//! The journal: every change of the ledger, in files that are only appended to.
//!
//! A journal is a row of numbered segments. The ledger appends to the newest; a snapshot says from which
//! segment on the journal has to be replayed, and older ones are removed. What segments are made of is a
//! [`Medium`]: a folder of files, or in tests something that breaks on purpose.

mod folder;
mod mapped;
mod replay;
mod writer;

use std::fmt;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

pub(crate) use replay::replay;
pub(crate) use writer::{Otherwise, Writer, begin};

use crate::Error;
use crate::journal::folder::Folder;

/// Where segments are.
pub trait Medium: Send + Sync + fmt::Debug {
    /// The numbers of all segments that there are, rising.
    ///
    /// # Errors
    /// When the medium can't be read.
    fn segments(&self) -> io::Result<Vec<u64>>;

    /// The bytes of a segment.
    ///
    /// # Errors
    /// When there is no such segment or it can't be read.
    fn read(&self, segment: u64) -> io::Result<Box<dyn Read>>;

    /// Makes a new, empty segment and sees to it that it is still there after a power failure.
    ///
    /// # Errors
    /// When there is one of this number, or the medium can't be written.
    fn create(&self, segment: u64) -> io::Result<Arc<dyn Segment>>;

    /// Removes a segment.
    ///
    /// # Errors
    /// When the medium can't be written.
    fn remove(&self, segment: u64) -> io::Result<()>;

    /// Keeps the bytes of a segment from `from` on for a person to look at, where [`Medium::segments`] does
    /// not see them.
    ///
    /// # Errors
    /// When the medium can't be written.
    fn set_aside(&self, segment: u64, from: u64) -> io::Result<()>;
}

/// A segment that is appended to.
pub trait Segment: Send + Sync + fmt::Debug {
    /// Appends these bytes; when this returns, they survive the end of the process. Zeros may stand behind them.
    ///
    /// # Errors
    /// When not all of them could be written; some may have been.
    fn append(&self, bytes: &[u8]) -> io::Result<()>;

    /// Cuts the segment back to `length` bytes.
    ///
    /// # Errors
    /// When the medium can't be written.
    fn truncate(&self, length: u64) -> io::Result<()>;

    /// Waits until everything appended survives a power failure.
    ///
    /// # Errors
    /// When the medium says that it does not.
    fn sync(&self) -> io::Result<()>;
}

/// A journal that is not replayed yet: [`Ledger::open`](crate::Ledger::open) does that.
#[derive(Debug)]
pub struct Journal {
    pub(crate) medium: Arc<dyn Medium>,
}

impl Journal {
    /// The journal in `<data_dir>/ledger`, which is made when it is not there. One process has it at a time.
    ///
    /// # Errors
    /// When the folder can't be made or locked, or another process has it.
    pub fn open(data_dir: &Path) -> Result<Self, Error> {
        Folder::open(&data_dir.join("ledger")).map(Self::on)
    }

    /// The journal on another medium.
    pub fn on(medium: impl Medium + 'static) -> Self {
        Self { medium: Arc::new(medium) }
    }
}
