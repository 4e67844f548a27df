//! What the threads of a store have in common.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use seawall_engine::AgentId;
use seawall_store::StoreError;
use seawall_types::Clock;

use crate::chores::Chores;
use crate::folder::Folder;
use crate::index::{Condition, Index};
use crate::names::Names;

/// A store's folder and what is known of it.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) root: PathBuf,
    pub(crate) clock: Arc<dyn Clock>,
    index: Mutex<Index>,
    pub(crate) chores: Chores,
    pub(crate) names: Names,
    /// Held while a state or an index entry is written, and while files are made anew or removed.
    keeping: Mutex<()>,
    /// Whether the file system takes names for the same that differ in the case of letters.
    pub(crate) folds_case: bool,
    pub(crate) is_closed: AtomicBool,
}

impl Shared {
    pub(crate) fn new(root: PathBuf, clock: Arc<dyn Clock>, index: Index, folds_case: bool) -> Self {
        Self {
            root,
            clock,
            index: Mutex::new(index),
            chores: Chores::default(),
            names: Names::default(),
            keeping: Mutex::new(()),
            folds_case,
            is_closed: AtomicBool::new(false),
        }
    }

    /// No thread leaves the index half changed: nothing that changes it can panic.
    pub(crate) fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn keeping(&self) -> MutexGuard<'_, ()> {
        self.keeping.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn folder(&self, id: &AgentId) -> Folder {
        Folder::of(&self.root, id)
    }

    /// Remembers damage, so that nobody goes on with the agent, and hands the error on.
    pub(crate) fn noted(&self, id: &AgentId, error: StoreError) -> StoreError {
        if let StoreError::Corrupt { .. } | StoreError::Newer { .. } = error {
            tracing::error!(agent = %id, %error, "an agent can't be used");
            self.index().spoil(id, Condition::Damaged(error.clone()));
        }
        error
    }

    pub(crate) fn check_open(&self) -> Result<(), StoreError> {
        if self.is_closed.load(Ordering::Acquire) { Err(closed()) } else { Ok(()) }
    }
}

pub(crate) fn closed() -> StoreError {
    StoreError::Unavailable { reason: "the store was closed".to_owned() }
}
