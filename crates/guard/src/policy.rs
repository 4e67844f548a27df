//! From what was named to a compiled policy.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use seawall_config::{Environment, Errors};
use seawall_policy::load::{self, Files};
use seawall_policy::{Policy, PolicyFile, Setting};
use seawall_types::Mode;

use crate::Error;

/// What is allowed in a run.
#[derive(Debug, Clone)]
pub enum PolicyChoice {
    /// A preset's name, or the path of a file. One that is neither keeps the run from beginning.
    Named(String),
    /// One that was loaded before, and may be used for any number of runs.
    Loaded(Arc<PolicySource>),
    /// Everything: budgets and the trace alone.
    Off,
}

impl PolicyChoice {
    /// A preset's name, or the path of a file.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self::Named(name.to_owned())
    }
}

/// A policy that was read and not yet put anywhere: which folder it holds for is the run's to say.
#[derive(Debug, Clone)]
pub struct PolicySource {
    file: PolicyFile,
    name: String,
    sandbox: Option<PathBuf>,
}

impl PolicySource {
    /// Reads a preset, or a file with all that it begins with.
    ///
    /// # Errors
    /// [`Error::Config`] with everything that is wrong, a line each.
    pub fn load(name: &str, environment: &Environment) -> Result<Self, Error> {
        let loaded = load::named(name, &working_folder(), environment, &Disk);
        let file = loaded.file.map_err(|errors| faults(&errors))?;
        Ok(Self { file, name: name.to_owned(), sandbox: None })
    }

    /// The same policy with this folder for a sandbox, where the run names none.
    #[must_use]
    pub fn in_sandbox(self, folder: impl Into<PathBuf>) -> Self {
        Self { sandbox: Some(folder.into()), ..self }
    }

    /// The folder that it was put into.
    #[must_use]
    pub fn sandbox(&self) -> Option<&Path> {
        self.sandbox.as_deref()
    }

    /// The policy as it holds in a folder: in `sandbox`, whatever root it names, else in the root that it names, else in
    /// `otherwise`.
    #[must_use]
    pub fn compile(&self, strict: bool, sandbox: Option<&Path>, otherwise: &Path) -> Policy {
        let mode = if strict { Mode::Strict } else { Mode::Warn };
        self.file.clone().compile(&Setting { mode, folder: otherwise, sandbox }, &self.name)
    }
}

/// Everything that is wrong with a policy, a line each.
fn faults(errors: &Errors) -> Error {
    let line = |error: &seawall_config::ConfigError| {
        let line = error.to_string();
        format!("policy: {}", line.strip_prefix("configuration: ").unwrap_or(&line))
    };
    Error::Config(errors.0.iter().map(line).collect::<Vec<_>>().join("\n"))
}

/// The files of this machine.
#[derive(Debug)]
struct Disk;

impl Files for Disk {
    fn read(&self, path: &Path) -> io::Result<String> {
        std::fs::read_to_string(path)
    }
}

/// Where relative paths begin. A folder that was removed under the process opens nothing.
pub(crate) fn working_folder() -> PathBuf {
    std::env::current_dir().unwrap_or_else(|_gone| PathBuf::from("/nowhere"))
}
