//! The store that a person can read: durable agents in a folder, their logs as lines of JSON.
//!
//! ```text
//! DIR/lock                      who uses it: one process at a time
//! DIR/agents/NAME/log.jsonl     everything that happened to the agent, a record a line: the truth
//!                 messages.jsonl, calls.jsonl, accepted.jsonl, snapshots.jsonl
//!                               rows that follow from it
//!                 state.json    the fold of it up to a point, so that loading reads what came after
//!                 agent.json    the index entry, so that opening reads no log
//!                 blobs/HASH    what is too large for a line
//! ```
//!
//! An append is one write to one log, and answered when the disk has it. Everything else is written without waiting and
//! made anew from the log where it is missing, behind or changed. Every line has a length and a checksum: the unfinished end
//! that a crash leaves is cut off and kept aside, and a log that somebody has changed is named and not used, but never
//! overwritten.
//!
//! For one person's agents on one machine, and for looking at what they did with the tools that there are for text. Who
//! has many processes, or very many agents at work at once, uses a database.

mod card;
mod chores;
mod fault;
mod folder;
mod frame;
mod index;
mod load;
mod log;
mod mend;
mod names;
mod open;
mod readers;
mod reading;
mod rows;
mod search;
mod shared;
mod store;
mod writer;

use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use seawall_engine::AgentId;
use seawall_store::StoreError;
use seawall_types::Clock;
use tokio::sync::{mpsc, oneshot};

use crate::readers::Readers;
use crate::shared::{Shared, closed};
use crate::writer::{Answer, Request};

/// A folder of agents. Dropping it writes what is to be written and lets go of the folder, as closing it does.
#[derive(Debug)]
pub struct JsonStore {
    shared: Arc<Shared>,
    readers: Readers,
    /// `None` only while it is being dropped.
    requests: Option<mpsc::Sender<Request>>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl JsonStore {
    /// Opens the folder `root`, making it where it is not there. Leases go by `clock`.
    ///
    /// An unfinished append at the end of a log is cut off, and kept beside it in a file whose name ends in `.damaged`.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] where another process uses the folder, naming it, or it can't be read or written. An
    /// agent whose log is damaged is no error here: it can't be loaded, and all others can.
    pub fn open(root: &Path, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        let lock = open::lock(root)?;
        let shared = Arc::new(open::open(root, clock)?);
        let no_thread =
            |error| StoreError::Unavailable { reason: format!("no thread can be started: {error}") };
        let readers = Readers::start().map_err(no_thread)?;
        let (requests, received) = mpsc::channel(writer::QUEUE);
        let its = Arc::clone(&shared);
        let writer = thread::Builder::new()
            .name("seawall-json-write".to_owned())
            .spawn(move || writer::run(&its, received, lock))
            .map_err(no_thread)?;
        Ok(Self { shared, readers, requests: Some(requests), writer: Mutex::new(Some(writer)) })
    }

    /// The folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.shared.root
    }

    /// Agents that can't be used, each with what is wrong with its log. They are found when the folder is opened, and when
    /// somebody reads the part of a log that was changed.
    #[must_use]
    pub fn damaged(&self) -> Vec<(AgentId, StoreError)> {
        self.shared.index().damaged()
    }

    /// Asks the writer.
    async fn ask<T>(&self, request: impl FnOnce(Answer<T>) -> Request) -> Result<T, StoreError> {
        self.shared.check_open()?;
        self.tell(request).await
    }

    /// Asks the writer, also while the store is being closed.
    async fn tell<T>(&self, request: impl FnOnce(Answer<T>) -> Request) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        let requests = self.requests.as_ref().ok_or_else(closed)?;
        requests.send(request(answer)).await.map_err(|_| closed())?;
        answered.await.map_err(|_| closed())?
    }

    /// Writes what is to be written and ends the writer. The second time there is nothing to do.
    async fn shut(&self) -> Result<(), StoreError> {
        if self.shared.is_closed.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        self.tell(Request::Close).await
    }
}

impl Drop for JsonStore {
    fn drop(&mut self) {
        self.shared.is_closed.store(true, Ordering::Release);
        self.requests = None;
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer {
            // A writer that panicked has said so; there is nobody to tell it here.
            let _ = writer.join();
        }
    }
}
