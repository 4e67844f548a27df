//! What all runs of this process share that have one data folder: the store, the trace's writer, the ledger.
//!
//! Made for the first run and closed after the last. Other processes have their own on the same folder: each run's trace
//! is locked by whoever writes it, and the store takes several. The ledger is in memory only. Budgets here are those of
//! runs, a run never outlives its process, and its trace has every cent: a journal would have no reader.

use std::collections::HashMap;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use seawall_base::clock::SystemClock;
use seawall_budget::Ledger;
use seawall_checkpoint::{Checkpoint, PayloadRedactor};
use seawall_store::{Store, StoreError};
use seawall_store_sqlite::SqliteStore;
use seawall_trace::content::Content;
use seawall_trace::{Handle, Heads, Options, Writer, recover};
use seawall_types::Clock;

use crate::{Error, TraceChoice, TraceContent};

/// The name of the store's file.
const STORE: &str = "seawall.db";

/// What the runs of a process share.
#[derive(Debug)]
pub(crate) struct Home {
    pub(crate) data_dir: PathBuf,
    pub(crate) content: TraceContent,
    pub(crate) checkpoint: Arc<Checkpoint>,
    /// None where nothing is written down.
    pub(crate) archive: Option<Archive>,
    /// The process that made it. After a fork the writer's thread is in the other one.
    pid: u32,
}

/// Where traces go.
#[derive(Debug)]
pub(crate) struct Archive {
    pub(crate) runs: PathBuf,
    pub(crate) heads: Arc<SqliteStore>,
    /// Writes until it is dropped.
    _writer: Writer,
}

type Key = (PathBuf, TraceChoice, TraceContent);

impl Home {
    /// The home in this folder, made when this process has none there.
    pub(crate) fn open(
        data_dir: &Path,
        trace: TraceChoice,
        content: TraceContent,
    ) -> Result<Arc<Self>, Error> {
        static HOMES: OnceLock<Mutex<HashMap<Key, Weak<Home>>>> = OnceLock::new();
        let data_dir = std::path::absolute(data_dir).map_err(Error::config)?;
        // A list of what can be found again is never half-done.
        let mut homes = HOMES.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
        let key = (data_dir, trace, content);
        if let Some(home) = homes.get(&key).and_then(Weak::upgrade).filter(|home| home.is_of_this_process()) {
            return Ok(home);
        }
        let home = Arc::new(Self::make(&key.0, trace, content)?);
        homes.retain(|_, home| home.strong_count() > 0);
        homes.insert(key, Arc::downgrade(&home));
        Ok(home)
    }

    fn make(data_dir: &Path, trace: TraceChoice, content: TraceContent) -> Result<Self, Error> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let (archive, handle) = match trace {
            TraceChoice::Auto => {
                let (archive, handle) = Archive::open(data_dir, &clock, content)?;
                (Some(archive), handle)
            }
            TraceChoice::Off => (None, Handle::off(Arc::clone(&clock))),
        };
        let ledger = Arc::new(Ledger::in_memory(Vec::new()));
        let checkpoint = Arc::new(Checkpoint::new(ledger, handle, clock));
        Ok(Self { data_dir: data_dir.to_owned(), content, checkpoint, archive, pid: std::process::id() })
    }

    pub(crate) fn is_of_this_process(&self) -> bool {
        self.pid == std::process::id()
    }

    /// The store in the folder, which is opened now where nothing is written down.
    pub(crate) fn store(&self) -> Result<Arc<dyn Store>, StoreError> {
        if let Some(archive) = &self.archive {
            return Ok(Arc::clone(&archive.heads) as Arc<dyn Store>);
        }
        make_private(&self.data_dir)
            .map_err(|error| StoreError::Unavailable { reason: error.to_string() })?;
        Ok(Arc::new(SqliteStore::open(&self.data_dir.join(STORE))?))
    }
}

impl Archive {
    fn open(data_dir: &Path, clock: &Arc<dyn Clock>, content: TraceContent) -> Result<(Self, Handle), Error> {
        make_private(data_dir)?;
        let store = SqliteStore::open(&data_dir.join(STORE)).map_err(Error::config)?;
        let heads = Arc::new(store);
        let runs = data_dir.join("runs");
        for recovered in recover::recover(&runs, &*heads, &**clock).map_err(Error::config)? {
            tracing::warn!(run = %recovered.run, abandoned = recovered.abandoned.len(), "closed the trace of a run that had crashed");
        }
        let options = Options { content: content.into(), ..Options::new(runs.clone()) };
        let (writer, handle) =
            Writer::start(options, Arc::clone(&heads) as Arc<dyn Heads>, Arc::clone(clock))
                .map_err(Error::config)?;
        Ok((Self { runs, heads, _writer: writer }, handle))
    }
}

impl From<TraceContent> for Content {
    fn from(content: TraceContent) -> Self {
        match content {
            TraceContent::None => Self::None,
            TraceContent::Redacted => Self::Redacted(Arc::new(PayloadRedactor::new())),
            TraceContent::Full => Self::Full,
        }
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if !self.is_of_this_process() {
            // Its thread can't be waited for here, and its files are the other process's.
            std::mem::forget(self.archive.take());
        }
    }
}

/// Makes a folder and those above it, for the owner only.
pub(crate) fn make_private(folder: &Path) -> Result<(), Error> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|error| Error::Config(format!("the folder {} can't be made: {error}", folder.display())))
}
