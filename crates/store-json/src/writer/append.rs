//! One write to the log of an agent that exists.

use std::fs::File;
use std::io;
use std::path::Path;

use seawall_store::StoreError;
use seawall_store::agents::{Append, Appended, BlobId, Body};

use super::upkeep;
use crate::card::NewPoint;
use crate::fault::Fault;
use crate::folder::{self, Folder, failed};
use crate::index::Condition;
use crate::log;
use crate::names::Extent;
use crate::reading;
use crate::rows::{Lengths, NewRows};
use crate::shared::Shared;

/// What came of beginning.
pub(super) enum Begun {
    /// It is in the file, and has to reach the disk.
    Written(Box<Written>),
    /// There is nothing to be written.
    Answered(Appended),
}

/// An append that is in its file.
pub(super) struct Written {
    pub(super) file: File,
    folder: Folder,
    append: Append,
    lengths: Lengths,
    /// The log's length with it.
    end: u64,
}

/// Writes an append, if it may be.
pub(super) fn begin(shared: &Shared, append: Append) -> Result<Begun, StoreError> {
    // Once more where somebody else has changed the file.
    for _ in 0..2 {
        upkeep::make_good(shared, &append.agent)?;
        let index = shared.index();
        if let Some(refused) = index.refuse(&append) {
            return Ok(Begun::Answered(refused));
        }
        let known = index.get(&append.agent).map(|entry| (entry.lengths, entry.generation));
        let Some((lengths, generation)) = known else { break };
        drop(index);
        if append.events.is_empty() {
            return Ok(Begun::Answered(Appended::Done));
        }
        let folder = shared.folder(&append.agent);
        match known_name(shared, &folder, &append, Extent { generation, length: lengths.accepted }, lengths) {
            Ok(None) => {}
            Ok(Some(what)) => return Err(StoreError::Conflict { what }),
            Err(Fault::Store(error)) => return Err(error),
            Err(Fault::Derived(_) | Fault::Moved) => {
                upkeep::mend_found(shared, &append.agent)?;
                continue;
            }
        }
        let path = folder.log();
        let file = folder::open(&path).map_err(failed(&path))?;
        let length = file.metadata().map_err(failed(&path))?.len();
        if length != lengths.log {
            shared.index().spoil(&append.agent, Condition::Behind);
            continue;
        }
        let end = write(&folder, &path, &file, &append, lengths.log)?;
        return Ok(Begun::Written(Box::new(Written { file, folder, append, lengths, end })));
    }
    Err(StoreError::Unavailable {
        reason: format!("somebody else writes to the log of agent {}", append.agent),
    })
}

/// A name in an append that was used before.
fn known_name(
    shared: &Shared,
    folder: &Folder,
    append: &Append,
    extent: Extent,
    lengths: Lengths,
) -> Result<Option<String>, Fault> {
    for row in &append.accepted {
        if shared.names.find(folder, &append.agent, &row.message, extent)?.is_some() {
            return Ok(Some(format!("message {:?}", row.message)));
        }
    }
    if append.snapshots.is_empty() {
        return Ok(None);
    }
    let known = reading::snapshots(folder, &lengths)?;
    let twice = append.snapshots.iter().find(|row| known.iter().any(|known| known.id == row.id));
    Ok(twice.map(|row| format!("snapshot {:?}", row.id)))
}

fn write(folder: &Folder, path: &Path, file: &File, append: &Append, at: u64) -> Result<u64, StoreError> {
    let bytes = log::encode(append, None)?;
    put_blobs(folder, append)?;
    folder::append(file, at, &bytes).map_err(failed(path))?;
    Ok(at.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX)))
}

/// Keeps what events and messages refer to. A state has its own file.
pub(super) fn put_blobs(folder: &Folder, append: &Append) -> Result<(), StoreError> {
    let is_event = |id: &BlobId| append.events.iter().any(|event| event.body == Body::Blob(*id));
    let is_state = |id: &BlobId| append.state.as_ref().is_some_and(|state| state.body == Body::Blob(*id));
    for (id, bytes) in append.blobs.iter().filter(|(id, _)| is_event(id) || !is_state(id)) {
        folder.put_blob(id, bytes).map_err(failed(&folder.file("blobs")))?;
    }
    Ok(())
}

impl Written {
    /// The disk has said whether it has it.
    pub(super) fn finish(self, shared: &Shared, synced: io::Result<()>) -> Result<Appended, StoreError> {
        let id = self.append.agent.clone();
        if let Err(error) = synced {
            // The system may have forgotten what it could not write, and would not say so again: what was there before
            // is all that is known, so this is what the file is put back to.
            let undone = self.file.set_len(self.lengths.log).and_then(|()| self.file.sync_all());
            if undone.is_err() {
                shared.index().spoil(&id, Condition::Behind);
            }
            return Err(failed(&self.folder.log())(error));
        }
        let lengths = Lengths { log: self.end, ..self.lengths };
        let rows = NewRows::of(&self.append)?;
        let written = rows.write(&self.folder, &lengths);
        let lengths = rows.after(lengths);
        let Append { row, state, blobs, .. } = self.append;
        let point = state.and_then(|state| NewPoint::of(row.run, &state, &blobs, lengths));
        let mut index = shared.index();
        index.moved(&id, row, lengths);
        let generation = index.get(&id).map_or(0, |entry| entry.generation);
        if let Err(error) = &written {
            // The log has it, which is what counts. The rest is made anew before it is read.
            tracing::warn!(agent = %id, %error, "rows could not be written; they will be made anew");
            index.spoil(&id, Condition::Behind);
        }
        drop(index);
        let point = point.filter(|_| written.is_ok()).map(|point| (generation, point));
        shared.chores.note(&id, point);
        Ok(Appended::Done)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Arc;

    use seawall_engine::{
        Authority, Block, Config, MessageId, MessageKind, NewAgent, SendMessage, create, decide,
    };
    use seawall_store::agents::{AgentRow, Kept, Owner, Right};
    use seawall_types::{ManualClock, RunId, Timestamp};

    use super::*;
    use crate::card::Card;
    use crate::index::Index;

    const AT: Timestamp = Timestamp::from_micros(1);

    /// A store with one agent in it.
    fn with_agent(root: &Path) -> (Shared, Kept) {
        let new = NewAgent {
            id: "a".parse().unwrap(),
            run: RunId::from_parts(1, &[1; 10]),
            config: Config::default(),
        };
        let (kept, first) = Kept::create(Owner::default(), &create(new, AT).unwrap().events).unwrap();
        let clock = Arc::new(ManualClock::new(AT));
        let shared = Shared::new(root.to_owned(), clock, Index::default(), false);
        let folder = shared.folder(kept.id());
        fs::create_dir_all(&folder.0).unwrap();
        let bytes = log::encode(&first, Some(&first.row.owner)).unwrap();
        fs::write(folder.log(), &bytes).unwrap();
        let lengths = Lengths { log: bytes.len() as u64, ..Lengths::default() };
        shared.index().put(Card { row: first.row, lengths });
        (shared, kept)
    }

    fn message(kept: &Kept) -> (Kept, Append) {
        let (id, content) = (MessageId("m".into()), [Block::text("hello")].into());
        let send = SendMessage { id, kind: MessageKind::User, content };
        let events = decide(kept.agent(), send, Authority::Outsider, AT).unwrap().events;
        kept.append(Right::Outsider, &events).unwrap()
    }

    fn written(shared: &Shared, append: Append) -> Written {
        match begin(shared, append).unwrap() {
            Begun::Written(written) => *written,
            Begun::Answered(appended) => panic!("{appended:?}"),
        }
    }

    #[test]
    fn what_the_disk_does_not_take_is_undone_and_can_be_written_again() {
        let root = tempfile::tempdir().unwrap();
        let (shared, kept) = with_agent(root.path());
        let log = shared.folder(kept.id()).log();
        let before = fs::read(&log).unwrap();
        let row = |shared: &Shared| -> AgentRow { shared.index().get(kept.id()).unwrap().row.clone() };
        let row_before = row(&shared);
        let (_, append) = message(&kept);
        let refused = written(&shared, append.clone()).finish(&shared, Err(io::Error::other("no disk")));
        assert!(matches!(refused, Err(StoreError::Unavailable { .. })), "{refused:?}");
        assert_eq!((fs::read(&log).unwrap(), row(&shared)), (before, row_before));
        assert_eq!(written(&shared, append.clone()).finish(&shared, Ok(())), Ok(Appended::Done));
        assert_eq!(row(&shared), append.row);
    }

    #[test]
    fn a_file_that_was_made_longer_meanwhile_is_not_written_over() {
        let root = tempfile::tempdir().unwrap();
        let (shared, kept) = with_agent(root.path());
        let folder = shared.folder(kept.id());
        let before = fs::read(folder.log()).unwrap();
        fs::write(folder.log(), [before.as_slice(), b"a note"].concat()).unwrap();
        let (_, append) = message(&kept);
        assert_eq!(written(&shared, append).finish(&shared, Ok(())), Ok(Appended::Done));
        assert_eq!(fs::read(folder.file("log.jsonl.damaged")).unwrap(), b"a note");
    }
}
