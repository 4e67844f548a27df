//! What a call is about to do to files, kept in the scratch folder before it is done, so that after a crash the files can
//! be held against it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use seawall_engine::CallId;
use serde::{Deserialize, Serialize};

use crate::place::own_folder;
use crate::{Failure, Place};

/// What a call is about to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Journal {
    /// The call's key: another run may have a call of the same name.
    pub(super) key: String,
    /// The files by their names, as tools show them.
    pub(super) files: BTreeMap<String, Record>,
    /// How the edits end when it is done.
    pub(super) done: Vec<Done>,
}

/// The hashes of a file's contents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) before: String,
    pub(super) after: String,
}

/// How an edit ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Done {
    /// So many places were replaced.
    Replaced(usize),
    /// It could not be made, for this reason; and so none of its file.
    Failed(String),
    /// Another one of its file could not be made.
    Skipped,
}

impl Journal {
    /// What an attempt of this call has noted.
    pub(super) fn read(place: &Place, call: CallId, key: &str) -> Option<Self> {
        let text = std::fs::read(folder(place).join(name(call))).ok()?;
        let journal: Self = serde_json::from_slice(&text).ok()?;
        (journal.key == key).then_some(journal)
    }

    /// Notes it, so that it is on the disk when this returns.
    pub(super) fn write(&self, place: &Place, call: CallId) -> Result<(), Failure> {
        let failed =
            |error| Failure::system("nothing was changed, since it could not be noted first", &error);
        let folder = own_folder(&folder(place)).map_err(failed)?;
        let text = serde_json::to_vec(self).map_err(|error| failed(error.into()))?;
        seawall_base::atomic::write(&folder.join(name(call)), &text, 0o600).map_err(failed)?;
        forget_before(&folder, call);
        Ok(())
    }
}

fn folder(place: &Place) -> PathBuf {
    place.scratch().join("edits")
}

fn name(call: CallId) -> String {
    format!("{call}.json")
}

/// Calls of earlier steps have ended, and nobody asks about them any more.
fn forget_before(folder: &std::path::Path, call: CallId) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let old = name.to_str().and_then(|name| name.strip_suffix(".json")?.parse::<CallId>().ok());
        if old.is_some_and(|old| old.step < call.step) {
            // What stays is only in the way.
            let _stays = std::fs::remove_file(entry.path());
        }
    }
}
