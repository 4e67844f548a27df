//! A new agent: its folder is made under a passing name, and gets its own when everything in it is on the disk. So there is
//! no folder of an agent without a whole first append, whatever happens.

use std::fs::{self, File};
use std::io;

use seawall_store::StoreError;
use seawall_store::agents::{AgentRow, Append, Creation};

use super::append::put_blobs;
use crate::card::{Card, NewPoint};
use crate::folder::{self, Folder, failed};
use crate::log;
use crate::rows::{Lengths, NewRows};
use crate::shared::Shared;

/// What came of beginning.
pub(super) enum Begun {
    /// Its folder has to reach the disk.
    Drafted(Box<Drafted>),
    /// There is one of this name.
    Exists(Box<AgentRow>),
}

/// An agent in a folder that has not got its name.
pub(super) struct Drafted {
    pub(super) log: File,
    /// The folder itself, for the names in it.
    pub(super) names: File,
    folder: Folder,
    append: Append,
    lengths: Lengths,
    is_published: bool,
}

/// An agent that is there, but for its folder's name on the disk.
pub(super) struct Made {
    card: Card,
    point: Option<NewPoint>,
}

/// Writes the folder of an agent, if there is none.
pub(super) fn begin(shared: &Shared, append: Append) -> Result<Begun, StoreError> {
    let index = shared.index();
    if let Some(entry) = index.get(&append.agent) {
        return Ok(Begun::Exists(Box::new(entry.row.clone())));
    }
    if let Some(error) = index.lost(&append.agent) {
        return Err(error.clone());
    }
    if let Some(twin) = index.twin(&append.agent).filter(|_| shared.folds_case) {
        let what = format!("agent {twin}, which this file system can't tell from {},", append.agent);
        return Err(StoreError::Conflict { what });
    }
    drop(index);
    let folder = Folder::passing(&shared.root, "new");
    let drafted = Drafted::write(folder.clone(), append).inspect_err(|_| {
        let _ = fs::remove_dir_all(&folder.0);
    })?;
    Ok(Begun::Drafted(Box::new(drafted)))
}

impl Drafted {
    fn write(folder: Folder, append: Append) -> Result<Self, StoreError> {
        let bytes = log::encode(&append, Some(&append.row.owner))?;
        folder::make(&folder.0).map_err(failed(&folder.0))?;
        put_blobs(&folder, &append)?;
        let path = folder.log();
        let log = folder::open(&path).map_err(failed(&path))?;
        folder::append(&log, 0, &bytes).map_err(failed(&path))?;
        let lengths = Lengths { log: u64::try_from(bytes.len()).unwrap_or(u64::MAX), ..Lengths::default() };
        let rows = NewRows::of(&append)?;
        rows.write(&folder, &lengths)?;
        let lengths = rows.after(lengths);
        Card { row: append.row.clone(), lengths }.write(&folder)?;
        let names = File::open(&folder.0).map_err(failed(&folder.0))?;
        Ok(Self { log, names, folder, append, lengths, is_published: false })
    }

    /// Gives the folder its name.
    pub(super) fn publish(mut self, shared: &Shared, synced: io::Result<()>) -> Result<Made, StoreError> {
        let path = shared.folder(&self.append.agent).0;
        synced.map_err(failed(&self.folder.0))?;
        fs::rename(&self.folder.0, &path).map_err(failed(&path))?;
        self.is_published = true;
        let (row, lengths) = (self.append.row.clone(), self.lengths);
        let state = self.append.state.as_ref();
        let point = state.and_then(|state| NewPoint::of(row.run, state, &self.append.blobs, lengths));
        Ok(Made { card: Card { row, lengths }, point })
    }
}

impl Drop for Drafted {
    fn drop(&mut self) {
        if !self.is_published {
            // What is left is removed at the next start.
            let _ = fs::remove_dir_all(&self.folder.0);
        }
    }
}

/// The disk has said whether it has the name. Where it has not, the agent may or may not be there after a crash; until then
/// it is.
pub(super) fn finish(
    shared: &Shared,
    made: Made,
    synced: Result<(), StoreError>,
) -> Result<Creation, StoreError> {
    let Made { card, point } = made;
    let id = card.row.id.clone();
    let mut index = shared.index();
    index.put(card);
    let generation = index.get(&id).map_or(0, |entry| entry.generation);
    drop(index);
    if let Some(point) = point {
        shared.chores.note(&id, Some((generation, point)));
    }
    synced.map(|()| Creation::Made)
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use seawall_engine::{Config, NewAgent, create};
    use seawall_store::agents::{Kept, Owner};
    use seawall_types::{ManualClock, RunId, Timestamp};

    use super::*;
    use crate::index::Index;

    fn first(name: &str) -> Append {
        let at = Timestamp::from_micros(1);
        let run = RunId::from_parts(1, &[1; 10]);
        let new = NewAgent { id: name.parse().unwrap(), run, config: Config::default() };
        Kept::create(Owner::default(), &create(new, at).unwrap().events).unwrap().1
    }

    /// A store on a file system of one kind or the other, with an agent.
    fn with_agent(root: &Path, name: &str, folds_case: bool) -> Shared {
        let clock = Arc::new(ManualClock::new(Timestamp::from_micros(1)));
        let shared = Shared::new(root.to_owned(), clock, Index::default(), folds_case);
        folder::make(&folder::agents(root)).unwrap();
        let Begun::Drafted(drafted) = begin(&shared, first(name)).unwrap() else { panic!("it is not there") };
        let made = drafted.publish(&shared, Ok(())).unwrap();
        assert_eq!(finish(&shared, made, Ok(())), Ok(Creation::Made));
        shared
    }

    #[test]
    fn names_that_the_file_system_cannot_tell_apart_are_refused() {
        for (folds_case, other, is_refused) in
            [(true, "WRITER", true), (true, "writers", false), (false, "WRITER", false)]
        {
            let root = tempfile::tempdir().unwrap();
            let shared = with_agent(root.path(), "Writer", folds_case);
            assert!(matches!(begin(&shared, first("Writer")), Ok(Begun::Exists(_))));
            match begin(&shared, first(other)) {
                Err(StoreError::Conflict { what }) if is_refused => {
                    assert!(what.contains("Writer"), "{what}")
                }
                begun => assert!(begun.is_ok() && !is_refused, "{other}"),
            }
        }
    }

    #[test]
    fn what_does_not_reach_the_disk_leaves_nothing_behind() {
        let root = tempfile::tempdir().unwrap();
        let shared = with_agent(root.path(), "a", false);
        let Begun::Drafted(drafted) = begin(&shared, first("b")).unwrap() else { panic!("it is not there") };
        assert!(drafted.publish(&shared, Err(io::Error::other("no disk"))).is_err());
        let names: Vec<_> = fs::read_dir(folder::agents(root.path())).unwrap().collect();
        assert_eq!(names.len(), 1);
    }
}
