//! What other processes write, found by looking: SQLite tells nobody.
//!
//! A thread looks several times a second, as long as somebody listens. It asks the connection that writes, whose
//! `data_version` changes with what others commit and not with its own, so a process that is alone reads one number.

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

use rusqlite::Connection;
use seawall_engine::AgentId;
use seawall_store::StoreError;
use seawall_store::agents::{Hint, Hints};

use super::columns::AgentColumns;
use super::threads::{Door, Threads};
use crate::failed;

/// How often is looked.
const EVERY: Duration = Duration::from_millis(100);

/// Agents that are named; where more were written everybody is told.
const NAMED: usize = 64;

const WRITTEN: &str = "SELECT DISTINCT id FROM agent_event JOIN agent ON agent.number = agent_event.agent
  WHERE agent_event.rowid > ?1 LIMIT ?2";

/// Who looks, once somebody listens.
#[derive(Debug, Default)]
pub(super) struct Watch {
    listeners: Arc<Mutex<Vec<Weak<Mutex<News>>>>>,
    /// Dropped when it is to end.
    until: Mutex<Option<mpsc::Sender<()>>>,
}

/// What a listener has not been told yet.
#[derive(Debug, Default)]
struct News {
    agents: BTreeSet<AgentId>,
    is_all: bool,
    waker: Option<Waker>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Watch {
    pub(super) fn listen(&self, threads: &Threads) -> Box<dyn Hints> {
        let news = Arc::default();
        lock(&self.listeners).push(Arc::downgrade(&news));
        let mut until = lock(&self.until);
        if until.is_none() {
            let (sender, ended) = mpsc::channel();
            let (door, listeners) = (threads.door(), Arc::clone(&self.listeners));
            let look = move || look(&door, &listeners, &ended);
            // Without a thread there are no hints, and everybody looks now and then anyway.
            let thread = thread::Builder::new().name("agents-watch".to_owned()).spawn(look);
            *until = thread.ok().map(|_| sender);
        }
        Box::new(Listener { news })
    }

    pub(super) fn end(&self) {
        lock(&self.until).take();
    }
}

/// How far was looked.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    version: i64,
    row: i64,
}

fn look(door: &Door, listeners: &Mutex<Vec<Weak<Mutex<News>>>>, ended: &mpsc::Receiver<()>) {
    let mut seen = None;
    while ended.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
        lock(listeners).retain(|listener| listener.strong_count() > 0);
        if lock(listeners).is_empty() {
            continue;
        }
        let Ok(channels) = door.open() else { return };
        // What can't be read now is looked for the next time.
        let Ok((next, written)) = channels.write_and_wait(move |connection| since(connection, seen)) else {
            continue;
        };
        seen = Some(next);
        let told: Vec<_> = lock(listeners).iter().filter_map(Weak::upgrade).collect();
        told.iter().for_each(|news| lock(news).add(&written));
    }
}

impl News {
    fn add(&mut self, hints: &[Hint]) {
        for hint in hints {
            match hint {
                Hint::Agent(agent) if self.agents.len() < NAMED => drop(self.agents.insert(agent.clone())),
                Hint::Agent(_) | Hint::All => self.is_all = true,
            }
        }
        if let Some(waker) = self.waker.take_if(|_| !hints.is_empty()) {
            waker.wake();
        }
    }

    fn next(&mut self) -> Option<Hint> {
        if std::mem::take(&mut self.is_all) {
            self.agents.clear();
            return Some(Hint::All);
        }
        self.agents.pop_first().map(Hint::Agent)
    }
}

/// What was written since; anything may have been when it is looked for the first time.
fn since(connection: &Connection, seen: Option<Seen>) -> Result<(Seen, Vec<Hint>), StoreError> {
    let number = |sql| -> Result<i64, StoreError> {
        let number =
            connection.prepare_cached(sql).and_then(|mut query| query.query_row((), |row| row.get(0)));
        number.map_err(failed)
    };
    let version = number("PRAGMA data_version")?;
    if let Some(seen) = seen
        && seen.version == version
    {
        return Ok((seen, Vec::new()));
    }
    let row = number("SELECT coalesce(max(rowid), 0) FROM agent_event")?;
    let hints = match seen {
        Some(seen) if seen.row <= row => written(connection, seen.row)?,
        // It was not looked before, or rows were removed and their numbers are given again.
        Some(_) | None => vec![Hint::All],
    };
    Ok((Seen { version, row }, hints))
}

fn written(connection: &Connection, row: i64) -> Result<Vec<Hint>, StoreError> {
    let limit = i64::try_from(NAMED + 1).unwrap_or(i64::MAX);
    let mut query = connection.prepare_cached(WRITTEN).map_err(failed)?;
    let rows = query.query_map([row, limit], |row| row.agent("id")).map_err(failed)?;
    let agents: BTreeSet<AgentId> = rows.collect::<rusqlite::Result<_>>().map_err(failed)?;
    Ok(if agents.len() > NAMED { vec![Hint::All] } else { agents.into_iter().map(Hint::Agent).collect() })
}

#[derive(Debug)]
struct Listener {
    news: Arc<Mutex<News>>,
}

impl Hints for Listener {
    fn next(&mut self) -> Pin<Box<dyn Future<Output = Hint> + Send + '_>> {
        Box::pin(poll_fn(|context| {
            let mut news = lock(&self.news);
            match news.next() {
                Some(hint) => Poll::Ready(hint),
                None => {
                    news.waker = Some(context.waker().clone());
                    Poll::Pending
                }
            }
        }))
    }
}
