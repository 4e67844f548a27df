//! Which names of messages an agent has accepted: found without reading all of them each time.
//!
//! For agents that are asked about, the places of their rows are held by hashes of the names, eight bytes and a place each.
//! Those of an agent are read once, and from then on only what was added. There is a limit to all of them together;
//! beyond it those that were asked about least recently are forgotten, and read again when they are needed.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::ControlFlow;
use std::sync::{Mutex, PoisonError};

use seawall_engine::{AgentId, MessageId};
use seawall_store::agents::Accepted;

use crate::fault::Fault;
use crate::folder::Folder;
use crate::rows::{self, Rows};

/// Names that are held, of all agents together: about 30 MB.
const MOST: usize = 1 << 20;

/// Names of accepted messages.
#[derive(Debug, Default)]
pub(crate) struct Names(Mutex<Held>);

#[derive(Debug, Default)]
struct Held {
    agents: BTreeMap<AgentId, Places>,
    /// How often anything was asked, to tell what was asked for last.
    asked: u64,
}

#[derive(Debug, Default)]
struct Places {
    generation: u64,
    /// How much of the file was read.
    read: u64,
    /// Where rows begin, by the hash of their names. Where two names have one hash, there are two places.
    places: HashMap<u64, Vec<u64>>,
    count: usize,
    asked: u64,
}

/// The rows of an agent that count.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Extent {
    pub(crate) generation: u64,
    pub(crate) length: u64,
}

impl Names {
    /// How a message of this name was accepted, if it was.
    pub(crate) fn find(
        &self,
        folder: &Folder,
        id: &AgentId,
        message: &MessageId,
        extent: Extent,
    ) -> Result<Option<Accepted>, Fault> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.asked = held.asked.saturating_add(1);
        let asked = held.asked;
        let places = held.agents.entry(id.clone()).or_default();
        places.asked = asked;
        places.read_on(folder, extent)?;
        let candidates = places.places.get(&hash(message)).cloned().unwrap_or_default();
        held.forget(id);
        drop(held);
        for at in candidates.into_iter().filter(|at| *at < extent.length) {
            let mut found = None;
            rows::read(folder, Rows::Accepted, at, extent.length, |_, row: Accepted| {
                found = Some(row);
                ControlFlow::Break(())
            })?;
            if let Some(row) = found.filter(|row| row.message == *message) {
                return Ok(Some(row));
            }
        }
        Ok(None)
    }
}

impl Places {
    fn read_on(&mut self, folder: &Folder, extent: Extent) -> Result<(), Fault> {
        if self.generation != extent.generation {
            *self = Self { generation: extent.generation, asked: self.asked, ..Self::default() };
        }
        let from = self.read;
        let mut new = Vec::new();
        rows::read(folder, Rows::Accepted, from, extent.length, |at, row: Accepted| {
            new.push((hash(&row.message), at));
            ControlFlow::Continue(())
        })?;
        self.count = self.count.saturating_add(new.len());
        for (hash, at) in new {
            self.places.entry(hash).or_default().push(at);
        }
        self.read = self.read.max(extent.length);
        Ok(())
    }
}

impl Held {
    /// Forgets others until there are few enough.
    fn forget(&mut self, but: &AgentId) {
        let count =
            |agents: &BTreeMap<AgentId, Places>| agents.values().map(|places| places.count).sum::<usize>();
        while count(&self.agents) > MOST || self.agents.len() > 4096 {
            let others = self.agents.iter().filter(|(id, _)| *id != but);
            let Some(oldest) = others.min_by_key(|(_, places)| places.asked).map(|(id, _)| id.clone()) else {
                return;
            };
            self.agents.remove(&oldest);
        }
    }
}

fn hash(message: &MessageId) -> u64 {
    let mut hasher = DefaultHasher::new();
    message.hash(&mut hasher);
    hasher.finish()
}
