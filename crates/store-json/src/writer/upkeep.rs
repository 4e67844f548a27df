//! What the writer does to the files of one agent beside appending: blobs, mending, removing.

use std::fs;

use seawall_engine::AgentId;
use seawall_store::StoreError;
use seawall_store::agents::BlobId;

use crate::card::Card;
use crate::folder::{self, Folder, failed};
use crate::index::Condition;
use crate::mend::{self, Reach};
use crate::shared::Shared;

/// Keeps bytes for an agent.
pub(super) fn put(shared: &Shared, id: &AgentId, bytes: &[u8]) -> Result<BlobId, StoreError> {
    if shared.index().get(id).is_none() {
        return Err(StoreError::NotFound { what: format!("agent {id}") });
    }
    let (folder, blob) = (shared.folder(id), BlobId::of(bytes));
    folder.put_blob(&blob, bytes).map_err(failed(&folder.file("blobs")))?;
    Ok(blob)
}

/// Mends an agent's files unless they are good already.
pub(super) fn make_good(shared: &Shared, id: &AgentId) -> Result<(), StoreError> {
    let is_good = shared.index().get(id).is_some_and(|entry| entry.condition == Condition::Good);
    if is_good { Ok(()) } else { mend(shared, id, Reach::SinceState) }
}

/// Brings an agent's files in line with its log, for somebody who has found that they are not. Where nobody knew, all of
/// them are made anew: it is not known what else is wrong.
pub(super) fn mend_found(shared: &Shared, id: &AgentId) -> Result<(), StoreError> {
    let is_known = shared.index().get(id).is_none_or(|entry| entry.condition != Condition::Good);
    mend(shared, id, if is_known { Reach::SinceState } else { Reach::Everything })
}

/// Brings an agent's files in line with its log. An agent that is not there has none.
pub(super) fn mend(shared: &Shared, id: &AgentId, reach: Reach) -> Result<(), StoreError> {
    let _keeping = shared.keeping();
    let index = shared.index();
    let known = index.get(id).map(|entry| Card { row: entry.row.clone(), lengths: entry.lengths });
    if known.is_none() && index.lost(id).is_none() {
        return Ok(());
    }
    drop(index);
    let mended = mend::mend(&shared.folder(id), id, known.as_ref(), reach);
    let card = mended.map_err(|error| shared.noted(id, error))?;
    shared.index().put(card);
    Ok(())
}

/// Removes an agent. Whether it was there.
pub(super) fn purge(shared: &Shared, id: &AgentId) -> Result<bool, StoreError> {
    let _keeping = shared.keeping();
    let (folder, passing) = (shared.folder(id), Folder::passing(&shared.root, "gone"));
    let mut index = shared.index();
    if index.get(id).is_none() && index.lost(id).is_none() {
        return Ok(false);
    }
    // Who reads sees either all of it or nothing.
    fs::rename(&folder.0, &passing.0).map_err(failed(&folder.0))?;
    index.remove(id);
    drop(index);
    let names = folder::agents(&shared.root);
    folder::sync(&names).map_err(failed(&names))?;
    if let Err(error) = fs::remove_dir_all(&passing.0) {
        tracing::warn!(agent = %id, %error, "what is left of a removed agent is removed at the next start");
    }
    Ok(true)
}
