//! From one store to another one: agents whole, with everything that follows from their logs.

use std::collections::BTreeSet;

use seawall_engine::{AgentId, Event};

use super::media::mentioned;
use super::{AgentOrder, AgentQuery, AgentRow, AgentStore, Append, Appended, Creation, Kept, Right};
use crate::StoreError;

/// Events that are read, and written at once.
const PAGE: u32 = 256;

/// What was copied.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Copied {
    /// Agents that are in the other store now and were not, or not whole.
    pub agents: u64,
    /// Agents that were there already, as they are here.
    pub known: u64,
    /// Events that were written.
    pub events: u64,
}

/// Copies every agent, those put away too, to another store. Leases are not copied: nobody holds a copy.
///
/// Nothing is overwritten. A copy that was broken off, or made before its agents went on, goes on where it ended when
/// it is made again. What is written meanwhile is copied the next time.
///
/// # Errors
/// [`StoreError::Conflict`] at the first agent of which the other store has one of the same name that is not an earlier
/// state of it; those before it are copied. Otherwise where a store can't be read or written, or is damaged.
pub async fn copy<F: AgentStore + ?Sized, T: AgentStore + ?Sized>(
    from: &F,
    to: &T,
) -> Result<Copied, StoreError> {
    let mut copied = Copied::default();
    for row in everybody(from).await? {
        copied.count(copy_agent(from, to, &row).await?);
    }
    Ok(copied)
}

/// Copies one agent, of which this is the entry here. How many events were written: none where it was there already.
///
/// # Errors
/// As of [`copy`].
pub async fn copy_agent<F: AgentStore + ?Sized, T: AgentStore + ?Sized>(
    from: &F,
    to: &T,
    row: &AgentRow,
) -> Result<u64, StoreError> {
    Copying::new(from, to, row).await?.copy().await
}

/// The entries of all agents, those put away too, the oldest first.
///
/// # Errors
/// Where the store can't be read.
pub async fn everybody<S: AgentStore + ?Sized>(store: &S) -> Result<Vec<AgentRow>, StoreError> {
    let mut all = Vec::new();
    loop {
        let query = AgentQuery {
            archived: true,
            order: AgentOrder::Oldest,
            skip: u32::try_from(all.len()).unwrap_or(u32::MAX),
            most: PAGE,
            ..AgentQuery::default()
        };
        let rows = store.agents(&query).await?;
        if rows.is_empty() {
            return Ok(all);
        }
        all.extend(rows);
    }
}

impl Copied {
    /// Counts an agent of which this many events were written.
    pub fn count(&mut self, events: u64) {
        self.events = self.events.saturating_add(events);
        let count = if events > 0 { &mut self.agents } else { &mut self.known };
        *count = count.saturating_add(1);
    }
}

/// One agent on its way.
struct Copying<'a, F: ?Sized, T: ?Sized> {
    from: &'a F,
    to: &'a T,
    row: &'a AgentRow,
    /// The last number that the other store has.
    there: u64,
    /// The agent as far as it has been read.
    kept: Option<Kept>,
}

impl<'a, F: AgentStore + ?Sized, T: AgentStore + ?Sized> Copying<'a, F, T> {
    async fn new(from: &'a F, to: &'a T, row: &'a AgentRow) -> Result<Self, StoreError> {
        let there = to.agent(&row.id).await?;
        let is_earlier =
            |there: &AgentRow| there.run == row.run && there.owner == row.owner && there.seq <= row.seq;
        if there.as_ref().is_some_and(|there| !is_earlier(there)) {
            return Err(another(&row.id));
        }
        let copying = Self { from, to, row, there: there.as_ref().map_or(0, |there| there.seq), kept: None };
        if there.is_some_and(|there| there.seq == row.seq && there != *row) || !copying.ends_alike().await? {
            return Err(another(&row.id));
        }
        Ok(copying)
    }

    /// Where nothing is to be written: whether both logs end with the same event, which has its time to the microsecond.
    async fn ends_alike(&self) -> Result<bool, StoreError> {
        if self.there != self.row.seq {
            return Ok(true);
        }
        let before = self.there.saturating_sub(1);
        let here = self.from.events(&self.row.id, before, 1).await?;
        Ok(self.to.events(&self.row.id, before, 1).await? == here)
    }

    /// How many events were written.
    async fn copy(mut self) -> Result<u64, StoreError> {
        if self.there == self.row.seq {
            return Ok(0);
        }
        let mut written: u64 = 0;
        loop {
            let after = self.kept.as_ref().map_or(0, Kept::seq);
            let mut events = self.from.events(&self.row.id, after, PAGE).await?;
            if events.is_empty() {
                return Ok(written);
            }
            let known = events.partition_point(|event| event.last_seq() <= self.there);
            let new = events.split_off(known);
            if !events.is_empty() {
                self.pass(&events, after).await?;
            }
            if !new.is_empty() {
                self.write(&new).await?;
                written = written.saturating_add(u64::try_from(new.len()).unwrap_or(u64::MAX));
            }
        }
    }

    /// Reads over what is there already, and makes sure that it is the same.
    async fn pass(&mut self, events: &[Event], after: u64) -> Result<(), StoreError> {
        let count = u32::try_from(events.len()).unwrap_or(u32::MAX);
        if self.to.events(&self.row.id, after, count).await? != events {
            return Err(another(&self.row.id));
        }
        (self.kept, _) = self.next(events)?;
        Ok(())
    }

    async fn write(&mut self, events: &[Event]) -> Result<(), StoreError> {
        let is_new = self.kept.is_none();
        let (kept, mut append) = self.next(events)?;
        let blobs: BTreeSet<_> = events.iter().flat_map(mentioned).collect();
        for blob in blobs {
            let bytes = self.from.blob(&self.row.id, &blob).await?;
            append.blobs.extend(bytes.map(|bytes| (blob, bytes)));
        }
        let is_written = if is_new {
            self.to.create(append).await? == Creation::Made
        } else {
            self.to.append(append).await? == Appended::Done
        };
        self.kept = kept;
        if is_written { Ok(()) } else { Err(another(&self.row.id)) }
    }

    fn next(&self, events: &[Event]) -> Result<(Option<Kept>, Append), StoreError> {
        let (kept, append) = match &self.kept {
            Some(kept) => kept.append(Right::Outsider, events)?,
            None => Kept::create(self.row.owner.clone(), events)?,
        };
        Ok((Some(kept), append))
    }
}

fn another(id: &AgentId) -> StoreError {
    StoreError::Conflict { what: format!("in the other store, another agent {id}") }
}
