//! The document: all layers merged into one tree.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;

use super::environment::Environment;
use super::error::{ConfigError, Errors};
use super::layer;
use super::node::{Content, Node, Origin, Spelling};
use super::reference;
use super::withhold;

/// Where a configuration comes from, lowest layer first.
#[derive(Clone, Default)]
pub struct Sources {
    /// Files, and folders with `defaults.*` and `<environment>.*`; later ones lie over earlier ones.
    pub files: Vec<PathBuf>,
    /// Which environment's layer to take from the folders; when `None`, what `SEAWALL_ENV` says, if anything.
    pub env_name: Option<String>,
    /// The environment variables: for `SEAWALL_SECTION__KEY`, for `${…}` in the files, and for `SEAWALL_ENV`.
    pub environment: Environment,
    /// Flags of the command line: the key with dots, and its value. Texts are read as their key demands.
    pub flags: Vec<(String, Value)>,
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flags: Vec<&str> = self.flags.iter().map(|(key, _)| key.as_str()).collect();
        f.debug_struct("Sources")
            .field("files", &self.files)
            .field("env_name", &self.env_name)
            .field("environment", &self.environment)
            .field("flags", &flags)
            .finish()
    }
}

/// A merged configuration whose every value knows where it was written. Shows none of them.
#[derive(Clone)]
pub struct Document {
    pub(crate) root: Node,
    /// References that lead nowhere. Kept, so that they are reported together with everything else that is wrong.
    pub(crate) unresolved: Vec<ConfigError>,
    files: Vec<PathBuf>,
    empty: Vec<PathBuf>,
}

impl Document {
    /// Reads and merges all layers.
    ///
    /// # Errors
    /// Every file that can't be found, read or parsed, and every variable or flag whose place does not exist.
    /// References that lead nowhere are reported by [`read`](super::read), with the errors of the keys.
    pub fn load(sources: &Sources) -> Result<Self, Errors> {
        let named = sources.env_name.as_deref().or_else(|| sources.environment.get("SEAWALL_ENV"));
        let mut errors = Vec::new();
        let files = layer::files(&sources.files, named.filter(|name| !name.is_empty()), &mut errors);
        let mut root = Node::empty_table(&Arc::default());
        let mut empty = Vec::new();
        for path in &files {
            match layer::read(path) {
                Ok(node) => {
                    if matches!(&node.content, Content::Table(keys) if keys.is_empty()) {
                        empty.push(path.clone());
                    }
                    root.merge(node);
                }
                Err(error) => errors.push(error),
            }
        }
        overlay_environment(&mut root, &sources.environment, &mut errors);
        overlay_flags(&mut root, &sources.flags, &mut errors);
        if errors.is_empty() {
            Ok(Self { empty, ..Self::resolved(root, files, &sources.environment) })
        } else {
            Err(Errors(errors))
        }
    }

    /// The document of one file's text, as [`Document::load`] would read it from `path`.
    ///
    /// # Errors
    /// The extension is unknown or the text can't be parsed.
    pub fn from_text(path: &Path, text: &str, environment: &Environment) -> Result<Self, Errors> {
        let root = layer::from_text(path, text).map_err(|error| Errors(vec![error]))?;
        Ok(Self::resolved(root, vec![path.to_owned()], environment))
    }

    /// The document of a value that was not written anywhere. References in it are not resolved.
    #[must_use]
    pub fn from_value(value: &Value) -> Self {
        let root = Node::from_value(value, &Arc::default(), &Spelling::Literal);
        Self { root, unresolved: Vec::new(), files: Vec::new(), empty: Vec::new() }
    }

    /// The files that were read, lowest layer first: the ones to watch for changes.
    #[must_use]
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// Those of the files in which nothing is written: perhaps somebody is about to.
    #[must_use]
    pub fn empty_files(&self) -> &[PathBuf] {
        &self.empty
    }

    /// What is said about the value of a key (with dots and indices), in which values that came by reference stand as they
    /// were written (`${NAME}`).
    #[must_use]
    pub fn keep_back(&self, key: &str, text: &str) -> String {
        withhold::from(text, self.root.reach(key))
    }

    /// Where the value of a key (with dots and indices) was written, or the table that it would stand in. `None`: neither.
    #[must_use]
    pub fn origin(&self, key: &str) -> Option<&Origin> {
        let reached = self.root.reach(key);
        (!std::ptr::eq(reached, &raw const self.root)).then_some(&*reached.origin)
    }

    fn resolved(mut root: Node, files: Vec<PathBuf>, environment: &Environment) -> Self {
        let mut unresolved = Vec::new();
        reference::resolve(&mut root, "", environment, &mut unresolved);
        Self { root, unresolved, files, empty: Vec::new() }
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document").field("files", &self.files).finish_non_exhaustive()
    }
}

fn overlay_environment(root: &mut Node, environment: &Environment, errors: &mut Vec<ConfigError>) {
    for (name, path, text) in environment.config_keys() {
        overlay(root, &path, &Value::String(text.to_owned()), Origin::Env(name.to_owned()), errors);
    }
}

fn overlay_flags(root: &mut Node, flags: &[(String, Value)], errors: &mut Vec<ConfigError>) {
    for (key, value) in flags {
        let path: Vec<String> = key.split('.').map(str::to_owned).collect();
        overlay(root, &path, value, Origin::Flag, errors);
    }
}

fn overlay(root: &mut Node, path: &[String], value: &Value, origin: Origin, errors: &mut Vec<ConfigError>) {
    let node = Node::from_value(value, &Arc::new(origin.clone()), &Spelling::Outside);
    if let Err(message) = root.insert(path, node) {
        errors.push(ConfigError::new(origin, &path.join("."), &message, ""));
    }
}
