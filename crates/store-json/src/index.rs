//! All agents' index entries in memory, with who holds them and when they are due.
//!
//! Holding an agent is a thing of this process: no other one can use the folder, and with the process its workers are gone.
//! The epoch outlives it all the same, since who claims an agent writes a higher one into its log before it does anything.

mod lease;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use seawall_engine::AgentId;
use seawall_store::StoreError;
use seawall_store::agents::{AgentQuery, AgentRow, Append, Appended, Right, WorkerId};
use seawall_types::Timestamp;

use crate::card::Card;
use crate::rows::Lengths;

use lease::Workers;

/// What can be relied on of an agent's files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Condition {
    /// Everything.
    Good,
    /// They may not be in line with the log.
    Behind,
    /// The log is damaged, as was said.
    Damaged(StoreError),
}

/// An agent.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) row: AgentRow,
    pub(crate) lengths: Lengths,
    pub(crate) condition: Condition,
    /// Another one whenever files were made anew: what was read of them in parts may not fit together.
    pub(crate) generation: u64,
    epoch: u64,
    holder: Option<WorkerId>,
}

/// When an agent is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    /// Since then, by a clock that may have been put back in between.
    AtOnce(Timestamp),
    /// Not before.
    At(Timestamp),
}

impl Due {
    fn of(row: &AgentRow) -> Option<Self> {
        row.due.map(|due| if row.is_due_at_once() { Self::AtOnce(due) } else { Self::At(due) })
    }

    /// In how long.
    fn wait(self, now: Timestamp) -> Duration {
        match self {
            Self::AtOnce(_) => Duration::ZERO,
            Self::At(due) => due.since(now),
        }
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Index {
    agents: BTreeMap<AgentId, Entry>,
    /// Agents of which not even an index entry could be made.
    lost: BTreeMap<AgentId, StoreError>,
    /// When agents are due: first those that are at once, whatever the clock says, since when.
    due: BTreeSet<(Due, AgentId)>,
    workers: Workers,
    generations: u64,
}

impl Index {
    pub(crate) fn get(&self, id: &AgentId) -> Option<&Entry> {
        self.agents.get(id)
    }

    /// Why an agent has no entry, if it should have one.
    pub(crate) fn lost(&self, id: &AgentId) -> Option<&StoreError> {
        self.lost.get(id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&AgentId, &Entry)> {
        self.agents.iter()
    }

    /// Agents that can't be used, and why.
    pub(crate) fn damaged(&self) -> Vec<(AgentId, StoreError)> {
        let lost = self.lost.iter().map(|(id, error)| (id.clone(), error.clone()));
        let damaged = self.agents.iter().filter_map(|(id, entry)| match &entry.condition {
            Condition::Damaged(error) => Some((id.clone(), error.clone())),
            Condition::Good | Condition::Behind => None,
        });
        lost.chain(damaged).collect()
    }

    /// An agent is there as its files say.
    pub(crate) fn put(&mut self, card: Card) {
        self.generations = self.generations.saturating_add(1);
        let Card { row, lengths } = card;
        let id = row.id.clone();
        self.lost.remove(&id);
        let before = self.agents.remove(&id);
        let due = before.as_ref().and_then(|entry| Due::of(&entry.row));
        let (epoch, holder) = before.map_or((0, None), |entry| (entry.epoch, entry.holder));
        self.change_due(&id, due, Due::of(&row));
        let epoch = epoch.max(row.epoch);
        let (condition, generation) = (Condition::Good, self.generations);
        self.agents.insert(id, Entry { row, lengths, condition, generation, epoch, holder });
    }

    /// An agent's files can't be relied on.
    pub(crate) fn spoil(&mut self, id: &AgentId, condition: Condition) {
        match (self.agents.get_mut(id), condition) {
            (Some(entry), condition) => entry.condition = condition,
            (None, Condition::Damaged(error)) => _ = self.lost.insert(id.clone(), error),
            (None, Condition::Good | Condition::Behind) => {}
        }
    }

    /// An agent was written to.
    pub(crate) fn moved(&mut self, id: &AgentId, row: AgentRow, lengths: Lengths) {
        let Some(entry) = self.agents.get_mut(id) else { return };
        entry.epoch = entry.epoch.max(row.epoch);
        entry.lengths = lengths;
        let (before, after) = (Due::of(&entry.row), Due::of(&row));
        entry.row = row;
        self.change_due(id, before, after);
    }

    /// An agent is gone. Whether it was there.
    pub(crate) fn remove(&mut self, id: &AgentId) -> bool {
        let was_lost = self.lost.remove(id).is_some();
        let Some(entry) = self.agents.remove(id) else { return was_lost };
        self.change_due(id, Due::of(&entry.row), None);
        true
    }

    fn change_due(&mut self, id: &AgentId, before: Option<Due>, after: Option<Due>) {
        if let Some(due) = before {
            self.due.remove(&(due, id.clone()));
        }
        if let Some(due) = after {
            self.due.insert((due, id.clone()));
        }
    }

    /// Why an append is refused, if it is.
    pub(crate) fn refuse(&self, append: &Append) -> Option<Appended> {
        // An agent of the same name that has another run is another agent.
        let entry = self.agents.get(&append.agent).filter(|entry| entry.row.run == append.row.run);
        let Some(entry) = entry else { return Some(Appended::Gone) };
        match append.right {
            Right::Holder { epoch } if entry.holder.is_none() || epoch != entry.epoch => {
                Some(Appended::Fenced)
            }
            Right::Holder { .. } | Right::Outsider if append.after != entry.row.seq => Some(Appended::Moved),
            Right::Holder { .. } | Right::Outsider => None,
        }
    }

    /// A name that differs from this one in nothing but the case of letters.
    pub(crate) fn twin(&self, id: &AgentId) -> Option<&AgentId> {
        let is_twin = |other: &&AgentId| other.as_str().eq_ignore_ascii_case(id.as_str()) && *other != id;
        self.agents.keys().chain(self.lost.keys()).find(is_twin)
    }

    /// Agents as asked for.
    pub(crate) fn list(&self, query: &AgentQuery) -> Vec<AgentRow> {
        let rows = self.agents.values().map(|entry| &entry.row);
        let mut rows: Vec<_> = rows.filter(|row| query.admits(row)).collect();
        rows.sort_by(|a, b| query.order.compare(a, b));
        let (skip, most) = (size(query.skip), size(query.most));
        rows.into_iter().skip(skip).take(most).cloned().collect()
    }

    /// When the next agent that nobody holds is due.
    pub(crate) fn next_due(&self, now: Timestamp, elapsed: Duration) -> Option<Duration> {
        let is_free = |id: &AgentId| self.agents.get(id).is_some_and(|entry| self.is_free(entry, elapsed));
        self.due.iter().find(|(_, id)| is_free(id)).map(|(due, _)| due.wait(now))
    }
}

/// A count as a size.
pub(crate) fn size(count: u32) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}
