//! Templates as files.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Template, TemplateError};

/// What a file of a template is called.
const EXTENSIONS: [&str; 3] = ["yaml", "yml", "json"];

/// The templates of these folders, by their ids.
pub(super) fn load(folders: &[PathBuf]) -> Result<BTreeMap<String, Arc<Template>>, Vec<TemplateError>> {
    let (mut found, mut wrong) = (BTreeMap::new(), Vec::new());
    for folder in folders {
        let mut here: BTreeMap<String, PathBuf> = BTreeMap::new();
        for path in files(folder) {
            match read(&path) {
                Ok(template) => {
                    if let Some(other) = here.insert(template.id.clone(), path.clone()) {
                        let reason = format!("{} has the same id, {:?}", other.display(), template.id);
                        wrong.push(TemplateError::Unreadable { path, reason });
                        continue;
                    }
                    found.entry(template.id.clone()).or_insert_with(|| Arc::new(template));
                }
                Err(error) => wrong.push(error),
            }
        }
    }
    if wrong.is_empty() { Ok(found) } else { Err(wrong) }
}

/// The files of a folder, by their names. A folder that can't be read has none.
fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let is_meant = |path: &PathBuf| {
        path.extension().and_then(|extension| extension.to_str()).is_some_and(|it| EXTENSIONS.contains(&it))
    };
    let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).filter(is_meant).collect();
    files.sort();
    files
}

fn read(path: &Path) -> Result<Template, TemplateError> {
    let text = fs::read_to_string(path)
        .map_err(|error| TemplateError::Unreadable { path: path.to_owned(), reason: error.to_string() })?;
    Template::parse(&text, path)
}
