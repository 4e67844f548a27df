//! Opening the folder: the lock, what is left of things under way, and every agent's index entry. Logs are not read, but
//! those that are longer than their entry says.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use seawall_base::lock::{DataDirLock, LockError};
use seawall_engine::AgentId;
use seawall_store::StoreError;
use seawall_types::Clock;

use crate::card::Card;
use crate::folder::{self, Folder, failed};
use crate::index::{Condition, Index};
use crate::mend::{self, Reach};
use crate::shared::Shared;

/// Takes the lock, making the folder where it is not there; says who holds it if somebody does.
pub(crate) fn lock(root: &Path) -> Result<DataDirLock, StoreError> {
    let is_new = |path: &&Path| !path.as_os_str().is_empty() && !path.exists();
    let new: Vec<_> = root.ancestors().take_while(is_new).collect();
    let lock = DataDirLock::acquire(root).map_err(|error| {
        let reason = match error {
            LockError::Held { pid: Some(pid), .. } => {
                format!("process {pid} uses {}; stop it, or name another folder", root.display())
            }
            LockError::Held { pid: None, .. } => {
                format!("another process uses {}; stop it, or name another folder", root.display())
            }
            LockError::Io { path, source } => format!("{}: {source}", path.display()),
        };
        StoreError::Unavailable { reason }
    })?;
    // An agent is not on the disk as long as the names of the folders that it is in are not.
    for folder in new.into_iter().filter_map(Path::parent) {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        folder::sync(folder).map_err(failed(folder))?;
    }
    Ok(lock)
}

/// Reads what is there.
pub(crate) fn open(root: &Path, clock: Arc<dyn Clock>) -> Result<Shared, StoreError> {
    let agents = folder::agents(root);
    if folder::make(&agents).map_err(failed(&agents))? {
        folder::sync(root).map_err(failed(root))?;
    }
    let mut index = Index::default();
    for entry in fs::read_dir(&agents).map_err(failed(&agents))? {
        let name = entry.map_err(failed(&agents))?.file_name();
        let Some(name) = name.to_str() else { continue };
        if name.starts_with(".new-") || name.starts_with(".gone-") {
            let left = agents.join(name);
            fs::remove_dir_all(&left).map_err(failed(&left))?;
        } else if let Ok(id) = name.parse::<AgentId>() {
            enter(&mut index, &Folder::of(root, &id), &id)?;
        }
    }
    let folds_case = folds_case(root).map_err(failed(root))?;
    Ok(Shared::new(root.to_owned(), clock, index, folds_case))
}

/// Takes one agent in.
fn enter(index: &mut Index, folder: &Folder, id: &AgentId) -> Result<(), StoreError> {
    let length = match fs::metadata(folder.log()) {
        Ok(metadata) => metadata.len(),
        // A folder without a log is nobody's agent.
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            tracing::warn!(path = %folder.log().display(), "there is no log here, so this is no agent");
            return Ok(());
        }
        Err(error) => return Err(failed(&folder.log())(error)),
    };
    let known = Card::read(folder).filter(|card| card.row.id == *id);
    match known {
        Some(card) if card.lengths.log == length => index.put(card),
        known => match mend::mend(folder, id, known.as_ref(), Reach::SinceState) {
            Ok(card) => index.put(card),
            Err(error) => {
                tracing::error!(agent = %id, %error, "an agent can't be used");
                // What is known of it is shown all the same. On a disk that is full for now it is tried again.
                let is_for_now = matches!(error, StoreError::Unavailable { .. }) && known.is_some();
                if let Some(card) = known {
                    index.put(card);
                }
                index.spoil(id, if is_for_now { Condition::Behind } else { Condition::Damaged(error) });
            }
        },
    }
    Ok(())
}

/// Whether the file system takes `a` and `A` for the same name.
fn folds_case(root: &Path) -> io::Result<bool> {
    let probe = root.join(".Case");
    fs::write(&probe, b"")?;
    let folds = root.join(".cASE").try_exists()?;
    fs::remove_file(&probe)?;
    Ok(folds)
}
