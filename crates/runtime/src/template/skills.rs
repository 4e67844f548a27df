//! Folders of skills, as templates name them.

use std::path::{Path, PathBuf};

use seawall_tools::Skills;

/// The folders as the file of a template means them: relative ones begin where the file is.
///
/// # Errors
/// When nobody knows where that is.
pub(super) fn rooted(folders: &[PathBuf], file: &Path) -> Result<Vec<PathBuf>, String> {
    let base = file.parent().unwrap_or_else(|| Path::new(""));
    let whole = |folder: &PathBuf| {
        let path = base.join(folder);
        std::path::absolute(&path).map_err(|error| format!("skills: {}: {error}", path.display()))
    };
    folders.iter().map(whole).collect()
}

/// The skills in these folders, all of which have to be there.
///
/// # Errors
/// The first that is not.
pub(crate) fn find(folders: &[PathBuf]) -> Result<Skills, String> {
    for folder in folders {
        if folder.is_relative() {
            return Err(format!(
                "skills: {} is relative to nothing here; write the whole path (in a file it is relative to the file)",
                folder.display()
            ));
        }
        if !folder.is_dir() {
            return Err(format!(
                "skills: there is no folder {}; make it, or take it out of skills",
                folder.display()
            ));
        }
    }
    Ok(Skills::find(folders))
}

/// The same for a template that is being loaded: a skill in them that can't be used is an error too.
///
/// # Errors
/// The first folder or skill that is wrong.
pub(super) fn check(folders: &[PathBuf]) -> Result<(), String> {
    match find(folders)?.refused() {
        [] => Ok(()),
        [first, ..] => Err(format!("skills: {first}")),
    }
}
