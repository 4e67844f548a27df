//! Where the heads of the chains are kept.
//!
//! A chain alone can't show that its tail was cut off. So the newest line's number and hash are kept elsewhere too, in
//! the store; this module says what the trace needs of it.

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use seawall_types::{RunId, Timestamp, Usd};
use serde::Serialize;

/// One run, as listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RunRow {
    /// The run.
    pub run: RunId,
    /// What kind of work it is: `proxy`, `guard`, …
    pub kind: String,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended; `None` while it goes on, or when its process died.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// Its `trace.jsonl`, relative to the folder of all runs.
    pub path: PathBuf,
}

/// The newest line of a run's chain, with the run's totals up to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The run.
    pub run: RunId,
    /// The number of its newest line.
    pub seq: u64,
    /// The hash of that line.
    pub hash: [u8; 32],
    /// The number of the oldest line that retention has kept; older ones may be missing.
    pub first_seq: u64,
    /// Lines so far.
    pub events: u64,
    /// Actions admitted or denied so far.
    pub actions: u64,
    /// Of those, denied.
    pub denied: u64,
    /// What the settled and abandoned ones cost.
    pub cost_usd: Usd,
    /// The Ed25519 signature, where heads are signed; see [`crate::sign`].
    pub signature: Option<[u8; 64]>,
}

impl Head {
    /// What a store is to keep when it has `self` and is given `newer`.
    ///
    /// The writer doesn't know what retention removes, and retention may hold a head that the writer has passed; so
    /// the larger `first_seq` stays and, apart from it, the head with the larger `seq`.
    #[must_use]
    pub fn merged(self, newer: Self) -> Self {
        let first_seq = self.first_seq.max(newer.first_seq);
        let newest = if newer.seq >= self.seq { newer } else { self };
        Self { first_seq, ..newest }
    }
}

/// The store of heads failed.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct HeadsError(Box<dyn StdError + Send + Sync>);

impl HeadsError {
    /// Wraps the store's own error.
    pub fn new(error: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self(error.into())
    }
}

/// Where runs and the heads of their chains are kept.
///
/// The writer calls it from its own thread only and goes on when it fails: such an error is counted and logged. Calls
/// may block. They may be repeated after a crash, so each must bear that.
pub trait Heads: Send + Sync {
    /// A run began. A row that is there already stays.
    ///
    /// # Errors
    /// When it can't be kept.
    fn started(&self, run: &RunRow) -> Result<(), HeadsError>;

    /// These runs' chains have grown. A store keeps [`Head::merged`] of what it has and what it is given.
    ///
    /// # Errors
    /// When they can't be kept.
    fn heads(&self, heads: &[Head]) -> Result<(), HeadsError>;

    /// A run ended, with this as its last line; nothing may follow.
    ///
    /// # Errors
    /// When it can't be kept.
    fn finished(&self, run: RunId, at: Timestamp, head: &Head) -> Result<(), HeadsError>;

    /// The runs that began and did not end.
    ///
    /// # Errors
    /// When they can't be read.
    fn unfinished(&self) -> Result<Vec<RunRow>, HeadsError>;

    /// The head of a run's chain, if any is known.
    ///
    /// # Errors
    /// When it can't be read.
    fn head(&self, run: RunId) -> Result<Option<Head>, HeadsError>;

    /// All runs, oldest first.
    ///
    /// # Errors
    /// When they can't be read.
    fn runs(&self) -> Result<Vec<RunRow>, HeadsError>;

    /// A run's files were removed by retention: its row and head may go. An unknown run is no error.
    ///
    /// # Errors
    /// When they can't be removed.
    fn forget(&self, run: RunId) -> Result<(), HeadsError>;
}

/// Keeps nothing: for loose traces. A cut tail can't be seen then, and nothing is recovered.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoHeads;

impl Heads for NoHeads {
    fn started(&self, _: &RunRow) -> Result<(), HeadsError> {
        Ok(())
    }

    fn heads(&self, _: &[Head]) -> Result<(), HeadsError> {
        Ok(())
    }

    fn finished(&self, _: RunId, _: Timestamp, _: &Head) -> Result<(), HeadsError> {
        Ok(())
    }

    fn unfinished(&self) -> Result<Vec<RunRow>, HeadsError> {
        Ok(Vec::new())
    }

    fn head(&self, _: RunId) -> Result<Option<Head>, HeadsError> {
        Ok(None)
    }

    fn runs(&self) -> Result<Vec<RunRow>, HeadsError> {
        Ok(Vec::new())
    }

    fn forget(&self, _: RunId) -> Result<(), HeadsError> {
        Ok(())
    }
}

/// Keeps heads in memory: for tests, and as the shortest statement of what a store is to do.
#[derive(Debug, Default)]
pub struct MemoryHeads {
    runs: Mutex<BTreeMap<RunId, (RunRow, Option<Head>)>>,
}

impl MemoryHeads {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<RunId, (RunRow, Option<Head>)>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Heads for MemoryHeads {
    fn started(&self, run: &RunRow) -> Result<(), HeadsError> {
        self.lock().entry(run.run).or_insert_with(|| (run.clone(), None));
        Ok(())
    }

    fn heads(&self, heads: &[Head]) -> Result<(), HeadsError> {
        let mut runs = self.lock();
        for newer in heads {
            if let Some((_, head)) = runs.get_mut(&newer.run) {
                *head = Some(head.map_or(*newer, |old| old.merged(*newer)));
            }
        }
        Ok(())
    }

    fn finished(&self, run: RunId, at: Timestamp, head: &Head) -> Result<(), HeadsError> {
        self.heads(&[*head])?;
        if let Some((row, _)) = self.lock().get_mut(&run) {
            row.finished_at = Some(at);
        }
        Ok(())
    }

    fn unfinished(&self) -> Result<Vec<RunRow>, HeadsError> {
        let runs = self.lock();
        Ok(runs.values().filter(|(row, _)| row.finished_at.is_none()).map(|(row, _)| row.clone()).collect())
    }

    fn head(&self, run: RunId) -> Result<Option<Head>, HeadsError> {
        Ok(self.lock().get(&run).and_then(|(_, head)| *head))
    }

    fn runs(&self) -> Result<Vec<RunRow>, HeadsError> {
        Ok(self.lock().values().map(|(row, _)| row.clone()).collect())
    }

    fn forget(&self, run: RunId) -> Result<(), HeadsError> {
        self.lock().remove(&run);
        Ok(())
    }
}
