//! What is read out of files, on one of the reading threads.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::ops::ControlFlow;
use std::path::Path;

use seawall_engine::AgentId;
use seawall_store::StoreError;
use seawall_store::agents::{AgentRow, CallRow, MessageQuery, MessageRow, SnapshotRow, Stats};

use crate::fault::Fault;
use crate::folder::{self, Folder};
use crate::index::size;
use crate::rows::{self, Lengths, Rows};
use crate::shared::Shared;

/// Adds an agent's messages as asked for to those of other agents. Breaks when there are enough.
pub(crate) fn messages(
    folder: &Folder,
    moment: &Moment,
    query: &MessageQuery,
    skip: &mut u32,
    found: &mut Vec<MessageRow>,
) -> Result<(), Fault> {
    let (lengths, tenant) = (&moment.lengths, moment.row.owner.tenant.as_deref());
    let most = size(query.most);
    if found.len() >= most {
        return Ok(());
    }
    let from = if query.after == 0 { 0 } else { rows::message_at(folder, lengths.messages, query.after)? };
    rows::read(folder, Rows::Messages, from, lengths.messages, |_, row: MessageRow| {
        match (query.admits(&row, tenant), *skip) {
            (false, _) => {}
            (true, 0) => found.push(row),
            (true, _) => *skip = skip.saturating_sub(1),
        }
        if found.len() >= most { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })
}

/// An agent's calls as they are now, in the order in which they were asked for.
pub(crate) fn calls(folder: &Folder, lengths: &Lengths) -> Result<Vec<CallRow>, Fault> {
    let mut calls = BTreeMap::new();
    rows::read(folder, Rows::Calls, 0, lengths.calls, |_, row: CallRow| {
        calls.insert(row.call.id, row);
        ControlFlow::Continue(())
    })?;
    Ok(calls.into_values().collect())
}

/// An agent's named points.
pub(crate) fn snapshots(folder: &Folder, lengths: &Lengths) -> Result<Vec<SnapshotRow>, Fault> {
    let mut snapshots = Vec::new();
    rows::read(folder, Rows::Snapshots, 0, lengths.snapshots, |_, row| {
        snapshots.push(row);
        ControlFlow::Continue(())
    })?;
    Ok(snapshots)
}

/// Adds what there is of an agent.
pub(crate) fn add(stats: &mut Stats, folder: &Folder, lengths: &Lengths) -> Result<(), Fault> {
    let calls = calls(folder, lengths)?;
    let named: BTreeSet<_> = snapshots(folder, lengths)?.into_iter().map(|snapshot| snapshot.id).collect();
    let blobs = folder.blobs();
    let blobs = on_disk(&blobs).map_err(|error| Fault::Store(folder::failed(&blobs)(error)))?;
    let bytes = lengths.sum().saturating_add(blobs);
    let count = |length: usize| u64::try_from(length).unwrap_or(u64::MAX);
    stats.agents = stats.agents.saturating_add(1);
    // Their places are counted from 1.
    stats.messages = stats.messages.saturating_add(rows::last_place(folder, lengths.messages)?);
    stats.calls = stats.calls.saturating_add(count(calls.len()));
    stats.snapshots = stats.snapshots.saturating_add(count(named.len()));
    stats.bytes = Some(stats.bytes.unwrap_or_default().saturating_add(bytes));
    for call in &calls {
        *stats.calls_by_tool.entry(call.call.name.clone()).or_default() += 1;
        *stats.calls_by_state.entry(call.call.state.as_str().into()).or_default() += 1;
    }
    Ok(())
}

/// The bytes of all files in a folder. What is not there is not counted.
fn on_disk(path: &Path) -> io::Result<u64> {
    let mut sum = 0_u64;
    let entries = match fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        entries => entries?,
    };
    for entry in entries {
        match entry?.metadata() {
            Ok(metadata) => sum = sum.saturating_add(metadata.len()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(sum)
}

/// What is known of an agent at one moment.
#[derive(Debug, Clone)]
pub(crate) struct Moment {
    pub(crate) row: AgentRow,
    pub(crate) lengths: Lengths,
    pub(crate) generation: u64,
}

/// What came of trying to read of an agent.
pub(crate) enum Tried<T> {
    /// This.
    Read(T),
    /// There is no such agent.
    Gone,
    /// Its files have to be mended first.
    Mend(StoreError),
}

/// How often a reader looks again at an agent that moves on meanwhile.
const PATIENCE: u32 = 100;

/// Reads of an agent as it is at one moment, whatever is written meanwhile.
pub(crate) fn try_read<T>(
    shared: &Shared,
    id: &AgentId,
    read: impl Fn(&Folder, &Moment) -> Result<T, Fault>,
) -> Result<Tried<T>, StoreError> {
    use crate::index::Condition;
    let folder = shared.folder(id);
    for _ in 0..PATIENCE {
        let index = shared.index();
        let Some(entry) = index.get(id) else {
            return Ok(index.lost(id).map_or(Tried::Gone, |error| Tried::Mend(error.clone())));
        };
        if let Condition::Damaged(error) = &entry.condition {
            return Ok(Tried::Mend(error.clone()));
        }
        if entry.condition == Condition::Behind {
            let reason = format!("the files of agent {id} are behind its log");
            return Ok(Tried::Mend(StoreError::Corrupt { reason }));
        }
        let generation = entry.generation;
        let moment = Moment { row: entry.row.clone(), lengths: entry.lengths, generation };
        drop(index);
        let result = read(&folder, &moment);
        let is_same = shared.index().get(id).is_some_and(|entry| entry.generation == generation);
        match result {
            // It was removed, or made anew, while it was being read.
            _ if !is_same => {}
            Err(Fault::Moved) => {}
            Ok(value) => return Ok(Tried::Read(value)),
            Err(Fault::Derived(reason)) => {
                tracing::warn!(agent = %id, %reason, "a file that follows from a log is made anew");
                return Ok(Tried::Mend(StoreError::Corrupt { reason }));
            }
            Err(Fault::Store(error)) => return Err(shared.noted(id, error)),
        }
    }
    Err(Fault::Moved.into_store())
}
