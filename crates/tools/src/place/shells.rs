//! The commands of an agent, by the names that it knows them by. They end with the place.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use seawall_sandbox::{Command, Stream};

use super::shell::Shell;
use super::{Place, forget_oldest, own_folder};
use crate::Failure;

/// So many commands run at the same time.
const MOST_RUNNING: usize = 16;
/// So many that have ended are remembered; the output of others stays in its file.
const MOST_REMEMBERED: usize = 64;
/// How long all of them have to end.
const END_TIME: Duration = Duration::from_secs(10);

/// Every command that was begun and is remembered.
#[derive(Debug)]
pub(crate) struct Shells {
    folder: PathBuf,
    known: Mutex<BTreeMap<String, Arc<Shell>>>,
}

impl Shells {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder, known: Mutex::default() }
    }

    /// Makes room for a command. It is to be [started](start) next.
    pub(crate) fn begin(&self, id: &str) -> Result<Arc<Shell>, Failure> {
        let mut known = self.known();
        let running = known.values().filter(|shell| shell.end().is_none()).count();
        if running >= MOST_RUNNING {
            return Err(Failure::new(format!(
                "{running} commands run already; end one with bash_kill, or wait"
            )));
        }
        let log = own_folder(&self.folder).map(|folder| folder.join(format!("{id}.log")));
        let made = log.and_then(|log| File::create(&log).map(|_| log));
        let log = made.map_err(|error| Failure::system("the command's output could not be kept", &error))?;
        let shell = Arc::new(Shell::new(id.to_owned(), log));
        known.insert(id.to_owned(), Arc::clone(&shell));
        while known.len() > MOST_REMEMBERED {
            let ended = known.iter().find(|(_, shell)| shell.end().is_some()).map(|(id, _)| id.clone());
            let Some(id) = ended else { break };
            known.remove(&id);
        }
        forget_oldest(&self.folder, |log| {
            known.values().any(|shell| shell.log() == log && shell.end().is_none())
        });
        Ok(shell)
    }

    /// Forgets a command that has ended, and all that it said.
    pub(crate) fn forget(&self, shell: &Shell) {
        self.known().remove(shell.id());
        // What stays goes with the oldest.
        let _stays = std::fs::remove_file(shell.log());
    }

    /// The command of this name.
    pub(crate) fn get(&self, id: &str) -> Option<Arc<Shell>> {
        self.known().get(id).cloned()
    }

    /// Where the output of a command is that is not remembered, but was begun.
    pub(crate) fn log_of(&self, id: &str) -> Option<PathBuf> {
        let is_plain = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let log = self.folder.join(format!("{id}.log"));
        (is_plain && log.is_file()).then_some(log)
    }

    /// The names of those that run.
    pub(crate) fn running_ids(&self) -> Vec<String> {
        let known = self.known();
        known.iter().filter(|(_, shell)| shell.end().is_none()).map(|(id, _)| id.clone()).collect()
    }

    pub(super) fn running(&self) -> usize {
        self.running_ids().len()
    }

    pub(super) async fn end_all(&self) -> usize {
        let running: Vec<_> = self.known().values().filter(|shell| shell.end().is_none()).cloned().collect();
        for shell in &running {
            shell.kill();
        }
        let all = async {
            for shell in &running {
                shell.ended().await;
            }
        };
        if tokio::time::timeout(END_TIME, all).await.is_err() {
            tracing::error!("commands of an agent did not end in time");
        }
        running.len()
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Shell>>> {
        // A map is whole whenever nobody is changing it.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Shells {
    fn drop(&mut self) {
        for shell in self.known().values() {
            shell.kill();
        }
    }
}

/// Starts a command that was begun; blocks for some milliseconds. Its output and its errors go the same way, its input is
/// empty. `readable` are more folders that it may read.
pub(crate) fn start(
    place: &Place,
    shell: &Arc<Shell>,
    command: Command,
    limit: Option<Duration>,
    readable: Vec<PathBuf>,
) {
    if let Err(failure) = try_start(place, shell, command, limit, readable) {
        shell.fail(failure);
    }
}

fn try_start(
    place: &Place,
    shell: &Arc<Shell>,
    mut command: Command,
    limit: Option<Duration>,
    more: Vec<PathBuf>,
) -> Result<(), Failure> {
    let commands = place.commands()?;
    let mut confinement = commands.confinement.clone();
    confinement.limits.wall_time = limit;
    if let seawall_sandbox::Files::Only { readable, .. } = &mut confinement.files {
        readable.extend(more);
    }
    for (name, value) in &commands.environment {
        command = command.env(name, value.expose());
    }
    let (reader, errors) = io::pipe().map_err(|error| Failure::system("no pipe can be made", &error))?;
    let output = errors.try_clone().map_err(|error| Failure::system("no pipe can be made", &error))?;
    let command = command.stdin(Stream::Null).stdout(Stream::Given(output.into()));
    let command = command.stderr(Stream::Given(errors.into()));
    let mut child = commands
        .launcher
        .spawn(confinement, command)
        .map_err(|error| Failure::new(format!("the command does not run: {error}")))?;
    child.stdout = Some(reader);
    shell.attend(child);
    Ok(())
}
