//! What can wait: writing states and index entries. One thread does it, so that no append waits for them.
//!
//! Nothing is lost where it is not done: the log has everything, and a state or an entry that is old is seen to be.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use seawall_engine::AgentId;

use crate::card::{Card, NewPoint};
use crate::shared::Shared;

/// How long an index entry may be older than its log. After a crash the logs of those that are have to be read.
const ENTRIES_EVERY: Duration = Duration::from_secs(1);

/// How many entries may wait, however little time has passed.
const MOST_ENTRIES: usize = 256;

/// What waits.
#[derive(Debug, Default)]
pub(crate) struct Chores {
    waiting: Mutex<Waiting>,
    news: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    /// States to be kept; of an agent the newest alone. The generation of its files is with it.
    points: BTreeMap<AgentId, (u64, NewPoint)>,
    /// Agents whose index entry has changed.
    entries: BTreeSet<AgentId>,
    is_over: bool,
}

impl Chores {
    /// An agent has changed.
    pub(crate) fn note(&self, id: &AgentId, point: Option<(u64, NewPoint)>) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.entries.insert(id.clone());
        if let Some(point) = point {
            waiting.points.insert(id.clone(), point);
            self.news.notify_one();
        }
    }

    /// Nothing more comes: what waits is written, and the thread ends.
    pub(crate) fn finish(&self) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).is_over = true;
        self.news.notify_one();
    }

    /// States that wait, or everything once a while has passed or nothing more comes.
    fn take(&self) -> Waiting {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let is_idle = |waiting: &mut Waiting| waiting.points.is_empty() && !waiting.is_over;
        let waited = self.news.wait_timeout_while(waiting, ENTRIES_EVERY, is_idle);
        let (mut waiting, time) = waited.unwrap_or_else(PoisonError::into_inner);
        let points = std::mem::take(&mut waiting.points);
        let is_time = time.timed_out() || waiting.is_over || waiting.entries.len() > MOST_ENTRIES;
        let entries = if is_time { std::mem::take(&mut waiting.entries) } else { BTreeSet::new() };
        Waiting { points, entries, is_over: waiting.is_over }
    }
}

/// The thread.
pub(crate) fn run(shared: &Shared) {
    loop {
        let Waiting { points, entries, is_over } = shared.chores.take();
        for (id, (generation, point)) in points {
            keep(shared, &id, generation, point);
        }
        for id in entries {
            enter(shared, &id);
        }
        if is_over {
            return;
        }
    }
}

fn keep(shared: &Shared, id: &AgentId, generation: u64, point: NewPoint) {
    let _keeping = shared.keeping();
    let is_current = shared.index().get(id).is_some_and(|entry| entry.generation == generation);
    if !is_current {
        return;
    }
    if let Err(error) = point.write(&shared.folder(id)) {
        tracing::warn!(agent = %id, %error, "a state could not be kept; loading the agent takes longer until one is");
    }
}

fn enter(shared: &Shared, id: &AgentId) {
    let _keeping = shared.keeping();
    let card = shared.index().get(id).map(|entry| Card { row: entry.row.clone(), lengths: entry.lengths });
    let Some(card) = card else { return };
    if let Err(error) = card.write(&shared.folder(id)) {
        tracing::warn!(agent = %id, %error, "an index entry could not be written; the next start reads the log instead");
    }
}
