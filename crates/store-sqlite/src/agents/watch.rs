//! What other processes write, found by looking: SQLite tells nobody.
//!
//! A thread looks several times a second, as long as somebody listens. It asks the connection that writes, whose
//! `data_version` changes with what others commit and not with its own, so a process that is alone reads one number.

use std::collections::HashSet;
use std::pin::Pin;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rusqlite::Connection;
use seawall_engine::AgentId;
use seawall_store::StoreError;
use seawall_store::agents::{Hint, Hints};
use tokio::sync::broadcast;

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
    looking: Mutex<Option<Looking>>,
}

#[derive(Debug)]
struct Looking {
    hints: broadcast::Sender<Hint>,
    /// Dropped when it is to end.
    _until: mpsc::Sender<()>,
}

impl Watch {
    pub(super) fn listen(&self, threads: &Threads) -> Box<dyn Hints> {
        let mut looking = self.looking.lock().unwrap_or_else(PoisonError::into_inner);
        let receiver = match &*looking {
            Some(looking) => looking.hints.subscribe(),
            None => {
                let (hints, receiver) = broadcast::channel(NAMED * 2);
                let (until, ended) = mpsc::channel();
                let (door, teller) = (threads.door(), hints.clone());
                let look = move || look(&door, &teller, &ended);
                // Without a thread there are no hints, and everybody looks now and then anyway.
                if thread::Builder::new().name("agents-watch".to_owned()).spawn(look).is_ok() {
                    *looking = Some(Looking { hints, _until: until });
                }
                receiver
            }
        };
        Box::new(Listener { receiver: Some(receiver) })
    }

    pub(super) fn end(&self) {
        self.looking.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// How far was looked.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    version: i64,
    row: i64,
}

fn look(door: &Door, hints: &broadcast::Sender<Hint>, ended: &mpsc::Receiver<()>) {
    let mut seen = None;
    while ended.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
        if hints.receiver_count() == 0 {
            continue;
        }
        let Ok(channels) = door.open() else { return };
        // What can't be read now is looked for the next time.
        let Ok((next, written)) = channels.write_and_wait(move |connection| since(connection, seen)) else {
            continue;
        };
        seen = Some(next);
        for hint in written {
            // Nobody listens any more where this fails.
            let _ = hints.send(hint);
        }
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
    let agents: HashSet<AgentId> = rows.collect::<rusqlite::Result<_>>().map_err(failed)?;
    Ok(if agents.len() > NAMED { vec![Hint::All] } else { agents.into_iter().map(Hint::Agent).collect() })
}

#[derive(Debug)]
struct Listener {
    /// `None`: there will be no more hints.
    receiver: Option<broadcast::Receiver<Hint>>,
}

impl Hints for Listener {
    fn next(&mut self) -> Pin<Box<dyn Future<Output = Hint> + Send + '_>> {
        Box::pin(async {
            let Some(receiver) = &mut self.receiver else { return std::future::pending().await };
            match receiver.recv().await {
                Ok(hint) => hint,
                Err(broadcast::error::RecvError::Lagged(_)) => Hint::All,
                Err(broadcast::error::RecvError::Closed) => {
                    self.receiver = None;
                    std::future::pending().await
                }
            }
        })
    }
}
