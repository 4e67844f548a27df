//! Where an agent's files and processes are: a folder that is its own, what else is open to it, and what holds its commands.

mod changed;
mod files;
mod pool;
mod shell;
mod shells;
mod walk;
mod watch;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use seawall_detect::network::NetworkRules;
use seawall_detect::paths::{FileRules, Opened, Symlinks};
use seawall_policy::Policy;
use seawall_sandbox::{Confinement, Files, Sandbox};
use seawall_types::Secret;

pub use changed::ChangedFile;
pub(crate) use files::{Located, Present, TEXT_BYTES};
pub(crate) use pool::{Hash, Known, Pool};
pub(crate) use shell::{Attended, Shell, ShellEnd, characters, output, whole_characters};
pub(crate) use shells::{Shells, start};
pub(crate) use walk::{Visit, Walk};
pub use watch::Look;

use crate::Failure;

/// So many long results are kept for an agent, and as many outputs of its commands. Then the oldest go.
const MOST_FILES: usize = 100;

/// What a place is made of.
#[derive(Debug, Clone)]
pub struct PlaceSettings {
    /// Which files are open. Relative paths are below its root, which exists.
    pub files: FileRules,
    /// A folder for what tools keep for the agent: long outputs, what is needed after a crash. The agent can read it. It is
    /// made when it is missing, is nobody else's, and best lies outside of the root.
    pub scratch: PathBuf,
    /// How commands run; `None`: not at all.
    pub commands: Option<Commands>,
    /// Which hosts may be talked to, by tools that do so themselves; `None`: none.
    pub network: Option<NetworkRules>,
}

/// How commands run.
#[derive(Debug, Clone)]
pub struct Commands {
    /// What starts them.
    pub launcher: Sandbox,
    /// What holds them, beside the rules about files. Its root becomes the place's, its time limit each call's own.
    pub confinement: Confinement,
    /// Variables, beside the four that are always there. Commands can read them, and say them.
    pub environment: Vec<(String, Secret<String>)>,
}

impl PlaceSettings {
    /// The usual one: all of `root` may be read and written, commands may write there and nowhere else and have no network,
    /// and tools that talk to hosts may talk to those on the internet.
    #[must_use]
    pub fn of(root: &Path, scratch: &Path, launcher: Sandbox) -> Self {
        let mut confinement = Confinement::of(root);
        confinement.limits.memory_bytes = Some(1 << 30);
        confinement.limits.processes = Some(256);
        confinement.limits.file_bytes = Some(4 << 30);
        Self {
            files: FileRules {
                root: root.to_owned(),
                also: Vec::new(),
                max_file_bytes: None,
                symlinks: Symlinks::Inside,
            },
            scratch: scratch.to_owned(),
            commands: Some(Commands { launcher, confinement, environment: Vec::new() }),
            network: Some(NetworkRules::default()),
        }
    }
}

impl PlaceSettings {
    /// The same under a policy: its rules about files and about the network take the place of these, beneath the same root.
    /// What it has no rules about stays as it is. Commands keep what network they have: the kernel can't tell hosts apart.
    #[must_use]
    pub fn under(mut self, policy: &Policy) -> Self {
        if let Some(rules) = policy.files() {
            self.files = FileRules { root: self.files.root, ..rules.clone() };
        }
        if let Some(rules) = policy.network() {
            self.network = Some(rules.clone());
        }
        self
    }
}

/// A place can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// There is no such root.
    #[error("the root {} can't be used: {error}; make the folder, or name another", path.display())]
    Root {
        /// The root.
        path: PathBuf,
        /// Why not.
        #[source]
        error: io::Error,
    },
    /// A part of the root is to be read-only and is not there, so that commands can't be kept from making it.
    #[error("{} is to be read-only for commands and can't be looked at: {error}; make it, or take it out of the rules", path.display())]
    ReadOnly {
        /// The part.
        path: PathBuf,
        /// Why not.
        #[source]
        error: io::Error,
    },
    /// Nothing can be kept.
    #[error("the folder {} for an agent's own files can't be used: {error}", path.display())]
    Scratch {
        /// The folder.
        path: PathBuf,
        /// Why not.
        #[source]
        error: io::Error,
    },
}

/// Where an agent's files and processes are. It belongs to one agent; dropping it ends everything that the agent has started.
#[derive(Debug)]
pub struct Place {
    files: FileRules,
    scratch: PathBuf,
    commands: Option<Commands>,
    network: Option<NetworkRules>,
    pool: Mutex<Pool>,
    shells: Shells,
}

impl Place {
    /// Opens a place.
    ///
    /// # Errors
    /// When its folders are not there and can't be made.
    pub fn open(settings: PlaceSettings) -> Result<Self, PlaceError> {
        let PlaceSettings { mut files, scratch, mut commands, network } = settings;
        let root = files.root.canonicalize();
        files.root = root.map_err(|error| PlaceError::Root { path: files.root.clone(), error })?;
        let unusable = |error| PlaceError::Scratch { path: scratch.clone(), error };
        let scratch = own_folder(&scratch).map_err(unusable)?;
        let pool = Pool::open(&Self::seen_files(&scratch));
        let pool = pool.map_err(|error| PlaceError::Scratch { path: scratch.clone(), error })?;
        files.also.push(Opened { path: scratch.clone(), read_only: true });
        if let Some(commands) = &mut commands {
            hold_alike(&mut commands.confinement, &files)?;
        }
        let shells = Shells::new(scratch.join("shells"));
        Ok(Self { files, scratch, commands, network, pool: Mutex::new(pool), shells })
    }

    /// The file in a scratch folder that has what the agent has seen of its files. It is there once it has seen one.
    #[must_use]
    pub fn seen_files(scratch: &Path) -> PathBuf {
        scratch.join("seen.jsonl")
    }

    /// The folder that relative paths are below, without links in its path.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.files.root
    }

    /// The folder where long outputs are kept.
    #[must_use]
    pub fn scratch(&self) -> &Path {
        &self.scratch
    }

    /// Ends all processes that the agent has started; returns when none is left, or after some seconds. How many commands
    /// were ended. The place can be used on.
    pub async fn end_processes(&self) -> usize {
        self.shells.end_all().await
    }

    /// How many commands run.
    #[must_use]
    pub fn running(&self) -> usize {
        self.shells.running()
    }

    pub(crate) fn network(&self) -> Option<&NetworkRules> {
        self.network.as_ref()
    }

    pub(crate) fn shells(&self) -> &Shells {
        &self.shells
    }

    pub(crate) fn commands(&self) -> Result<&Commands, Failure> {
        self.commands.as_ref().ok_or_else(|| Failure::new("commands can't be run in this agent's place"))
    }

    /// What the agent has seen of its files. Whoever holds it is the only one of the agent's tools that writes.
    pub(crate) fn pool(&self) -> MutexGuard<'_, Pool> {
        // A hash is never half-written.
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps bytes in the scratch folder, where the agent can read them; a second time under the same name replaces them.
    pub(crate) fn keep(&self, name: &str, bytes: &[u8]) -> Result<PathBuf, Failure> {
        let folder = self.scratch.join("results");
        let path = folder.join(name);
        own_folder(&folder)
            .and_then(|_| std::fs::write(&path, bytes))
            .map_err(|error| Failure::system("it could not be kept", &error))?;
        forget_oldest(&folder, |_| false);
        Ok(path)
    }
}

/// Holds commands to the rules about files that tools are held to: what is open to these is open to those, and what is
/// read-only to these is to those as well.
fn hold_alike(confinement: &mut Confinement, rules: &FileRules) -> Result<(), PlaceError> {
    confinement.root.clone_from(&rules.root);
    let Files::Only { writable, readable } = &mut confinement.files else { return Ok(()) };
    // By their real names: what lies in what is told from them.
    for path in writable.iter_mut().chain(readable.iter_mut()) {
        if let Ok(real) = path.canonicalize() {
            *path = real;
        }
    }
    for opened in &rules.also {
        let path = rules.root.join(&opened.path);
        match path.canonicalize() {
            Ok(real) if opened.read_only => {
                writable.retain(|granted| *granted != real);
                readable.push(real);
            }
            Ok(real) if readable.contains(&real) => {}
            Ok(real) => writable.push(real),
            // A command could make what is not there, and nobody would hold it to be read-only then.
            Err(error) if opened.read_only && path.starts_with(&rules.root) => {
                return Err(PlaceError::ReadOnly { path, error });
            }
            // What is not there can't be granted.
            Err(_) => {}
        }
    }
    Ok(())
}

/// Removes the oldest files of a folder in which there are too many, but for those that are needed.
fn forget_oldest(folder: &Path, is_needed: impl Fn(&Path) -> bool) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    let Some(too_many) = paths.len().checked_sub(MOST_FILES).filter(|too_many| *too_many > 0) else { return };
    let changed = |path: PathBuf| Some((path.symlink_metadata().ok()?.modified().ok()?, path));
    let mut by_age: Vec<_> = paths.into_iter().filter_map(changed).collect();
    by_age.sort_unstable();
    for (_, path) in by_age.into_iter().filter(|(_, path)| !is_needed(path)).take(too_many) {
        // What stays is in the way of nobody.
        let _stays = std::fs::remove_file(path);
    }
}

/// A folder that is there, for us alone where we make it.
pub(crate) fn own_folder(path: &Path) -> io::Result<PathBuf> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    path.canonicalize()
}
