//! From a name to a policy file: presets, files, and what they begin with.
//!
//! Files are read through [`Files`], so that this stays free of the disk; the binary gives it the real one.

use std::io;
use std::path::{Component, Path, PathBuf};

use seawall_config::{ConfigError, Document, Environment, Errors, Origin, attempt, nearest};
use serde_json::Value;

use crate::{PRESETS, PolicyFile, Preset, Profile};

/// How deep files may begin with files. A cycle that links hide is found by it.
const DEEPEST: usize = 16;

/// Where files come from.
pub trait Files {
    /// The text of a file.
    ///
    /// # Errors
    /// It is not there, can't be read, or is no text.
    fn read(&self, path: &Path) -> io::Result<String>;
}

/// What came out of loading a policy.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The file with all that it begins with, or everything that is wrong, at once.
    pub file: Result<PolicyFile, Errors>,
    /// Every file that was read or should have been: the ones to watch.
    pub files: Vec<PathBuf>,
}

/// Loads the preset or the file of this name. A file is found from `folder`.
pub fn named(name: &str, folder: &Path, environment: &Environment, files: &dyn Files) -> Loaded {
    let mut loader = Loader { environment, files, read: Vec::new(), open: Vec::new(), errors: Vec::new() };
    let file = match Preset::named(name) {
        Some(preset) => loader.preset(preset),
        None => loader.file(Path::new(name), folder, &Origin::Default),
    };
    loader.finish(file)
}

/// Loads a policy that is written somewhere else, such as in the configuration. Its files are found from `folder`.
pub fn inline(value: &Value, folder: &Path, environment: &Environment, files: &dyn Files) -> Loaded {
    let mut loader = Loader { environment, files, read: Vec::new(), open: Vec::new(), errors: Vec::new() };
    let file = loader.document(&Document::from_value(value), folder, &Origin::Default);
    loader.finish(Some(file))
}

struct Loader<'l> {
    environment: &'l Environment,
    files: &'l dyn Files,
    /// Every file that was asked for.
    read: Vec<PathBuf>,
    /// The files that are being read, from the outermost to the innermost.
    open: Vec<PathBuf>,
    errors: Vec<ConfigError>,
}

impl Loader<'_> {
    fn finish(self, file: Option<PolicyFile>) -> Loaded {
        let file = match file {
            Some(file) if self.errors.is_empty() => Ok(file),
            _ => Err(Errors(self.errors)),
        };
        Loaded { file, files: self.read }
    }

    fn preset(&mut self, preset: Preset) -> Option<PolicyFile> {
        let path = PathBuf::from(format!("{}.yaml", preset.name));
        let document = self.parsed(&path, preset.text)?;
        Some(self.document(&document, Path::new(""), &Origin::File(path)))
    }

    /// Reads a file that `named_by` names.
    fn file(&mut self, name: &Path, folder: &Path, named_by: &Origin) -> Option<PolicyFile> {
        let path = clean(&folder.join(name));
        if self.open.contains(&path) || self.open.len() >= DEEPEST {
            self.fault(
                named_by,
                format!("{} begins with itself", path.display()),
                "take it out of one `extends`",
            );
            return None;
        }
        if !self.read.contains(&path) {
            self.read.push(path.clone());
        }
        let text = match self.files.read(&path) {
            Ok(text) => text,
            Err(error) => {
                self.not_found(name, &path, named_by, &error);
                return None;
            }
        };
        let document = self.parsed(&path, &text)?;
        self.open.push(path.clone());
        let folder = path.parent().unwrap_or_else(|| Path::new(""));
        let file = self.document(&document, folder, &Origin::File(path.clone()));
        self.open.pop();
        Some(file)
    }

    fn parsed(&mut self, path: &Path, text: &str) -> Option<Document> {
        let parsed = Document::from_text(path, text, self.environment);
        parsed.map_err(|errors| self.errors.extend(errors.0)).ok()
    }

    /// The file of a document, over everything that it begins with.
    fn document(&mut self, document: &Document, folder: &Path, origin: &Origin) -> PolicyFile {
        let (file, outcome) = attempt(document, PolicyFile::declare);
        if let Err(errors) = outcome {
            self.errors.extend(errors.0);
        }
        let mut below = PolicyFile::default();
        for name in file.extends() {
            let parent = match Preset::named(name) {
                Some(preset) => self.preset(preset),
                None => self.file(Path::new(name), folder, origin),
            };
            below = below.under(parent.unwrap_or_default());
        }
        let file = self.with_baseline(file, folder, origin);
        below.under(file.rooted_at(folder))
    }

    /// Reads the profile that a file names. Without it everything would be new, or nothing: neither is what was written.
    fn with_baseline(&mut self, file: PolicyFile, folder: &Path, origin: &Origin) -> PolicyFile {
        let Some(name) = file.baseline().filter(|name| !name.as_os_str().is_empty()) else { return file };
        let path = clean(&folder.join(name));
        if !self.read.contains(&path) {
            self.read.push(path.clone());
        }
        let profile = match self.files.read(&path) {
            Ok(text) => Profile::parse(&text).map_err(|error| error.to_string()),
            Err(error) => Err(format!("it can't be read: {error}")),
        };
        match profile {
            Ok(profile) => file.compared_with(profile),
            Err(why) => {
                self.errors.push(ConfigError {
                    origin: origin.clone(),
                    key: "drift.baseline".to_owned(),
                    message: format!("{}: {why}", path.display()),
                    hint: Some("make it with `seawall trace profile`".to_owned()),
                });
                file
            }
        }
    }

    fn not_found(&mut self, name: &Path, path: &Path, named_by: &Origin, error: &io::Error) {
        let name = name.to_string_lossy();
        let hint = nearest(&name, PRESETS.iter().map(|preset| preset.name)).map_or_else(
            || format!("presets: {}", PRESETS.map(|preset| preset.name).join(", ")),
            |preset| format!("did you mean {preset}?"),
        );
        let why = match error.kind() {
            io::ErrorKind::NotFound => format!("there is no file {}", path.display()),
            _ => format!("{} can't be read: {error}", path.display()),
        };
        self.fault(named_by, format!("{name:?} is no preset, and {why}"), &hint);
    }

    fn fault(&mut self, origin: &Origin, message: String, hint: &str) {
        let key = if matches!(origin, Origin::Default) { "" } else { "extends" };
        self.errors.push(ConfigError {
            origin: origin.clone(),
            key: key.to_owned(),
            message,
            hint: Some(hint.to_owned()),
        });
    }
}

/// A path without `.` and, where that is safe to say without asking the disk, without `..`.
fn clean(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir if clean.file_name().is_some() => _ = clean.pop(),
            other => clean.push(other),
        }
    }
    clean
}
