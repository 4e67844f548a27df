//! The place of an agent: the folder that its template names, or one of its own, under the policy that holds for it there.
//!
//! Every call is judged by the policy of its day. What the place itself holds tools and commands to (the kernel, for commands)
//! is the policy of the day on which it was opened: the agent gets another one when it is taken up anew.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use seawall_engine::AgentId;
use seawall_sandbox::{Network, Sandbox};
use seawall_store::agents::Owner;
use seawall_tools::{Place, PlaceSettings};
use seawall_types::RunId;

use crate::shared::{Policies, Shared};
use crate::template::SandboxSettings;

/// Opens it. Why not, in words: an agent without a place can talk, and its tools fail.
pub(crate) async fn open(
    shared: &Shared,
    (agent, run): (&AgentId, RunId),
    owner: &Owner,
    sandbox: &SandboxSettings,
) -> Result<Arc<Place>, String> {
    let wanted = Wanted {
        sandbox: sandbox.clone(),
        own: shared.settings.places.join(agent.as_str()),
        run,
        private: shared.settings.private.clone(),
        launcher: shared.sandbox.clone(),
        policies: Arc::clone(&shared.policies),
        owner: owner.clone(),
    };
    // A few at a time: each waits for the disk on a thread, and a thread keeps memory.
    let _turn = shared.opening.acquire().await;
    let opening = tokio::task::spawn_blocking(move || wanted.open());
    opening.await.unwrap_or_else(|_| Err("the runtime ends".to_owned()))
}

/// Whether there is something kept of an agent's place that tells which files it has seen.
pub(crate) async fn was_used(shared: &Shared, agent: &AgentId, run: RunId) -> bool {
    let own = shared.settings.places.join(agent.as_str());
    let looking = tokio::task::spawn_blocking(move || Place::seen_files(&kept(&of_run(own, run))).is_file());
    looking.await.unwrap_or(false)
}

/// Removes what an agent that is no more has left: its own folder, on this machine.
pub(crate) async fn remove(shared: &Shared, agent: &AgentId, run: RunId) {
    let own = shared.settings.places.join(agent.as_str());
    let removing = tokio::task::spawn_blocking(move || std::fs::remove_dir_all(of_run(own, run)));
    if let Ok(Err(error)) = removing.await
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(%agent, %error, "the folder of an agent that was removed can't be");
    }
}

/// The folder of the agent with this run. Where another agent of its name has left one, on whatever machine the name was
/// freed, it has one beside that: nobody gets to see what was somebody else's.
fn of_run(own: PathBuf, run: RunId) -> PathBuf {
    if marked(&own).is_none_or(|marked| marked == run.to_string()) {
        return own;
    }
    let name = own.file_name().unwrap_or_default().to_string_lossy().into_owned();
    own.with_file_name(format!("{name}@{run}"))
}

/// What tells whose folder it is: a link to the name of the run. It is there at once and whole, and a file system that keeps
/// the order of what happens to names has it before any file of the agent's, without anybody waiting for the disk.
fn mark(own: &Path) -> PathBuf {
    own.join("run")
}

/// Whose folder it is. Older programs wrote it into a file, and so do we where there are no links.
fn marked(own: &Path) -> Option<String> {
    let mark = mark(own);
    match std::fs::read_link(&mark) {
        Ok(run) => Some(run.to_string_lossy().into_owned()),
        Err(_) => std::fs::read_to_string(mark).ok(),
    }
}

fn kept(own: &Path) -> PathBuf {
    own.join("kept")
}

/// A place that is to be.
struct Wanted {
    sandbox: SandboxSettings,
    /// The agent's own folder, unless another one of its name has left that.
    own: PathBuf,
    run: RunId,
    /// What no agent gets to see.
    private: Option<PathBuf>,
    launcher: Sandbox,
    policies: Arc<dyn Policies>,
    owner: Owner,
}

impl Wanted {
    fn open(mut self) -> Result<Arc<Place>, String> {
        self.own = of_run(self.own, self.run);
        let root = self.root()?;
        self.sign().map_err(|error| format!("{}: {error}", self.own.display()))?;
        let mut settings = PlaceSettings::of(&root, &kept(&self.own), self.launcher);
        if let Some(commands) = settings.commands.as_mut().filter(|_| self.sandbox.network) {
            commands.confinement.network = Network::Any;
        }
        if self.sandbox.commands == Some(false) {
            settings.commands = None;
        }
        let settings = settings.under(&self.policies.policy_for(&self.owner, &root));
        Place::open(settings).map(Arc::new).map_err(|error| error.to_string())
    }

    /// Says whose folder it is.
    fn sign(&self) -> std::io::Result<()> {
        if marked(&self.own).is_some() {
            return Ok(());
        }
        std::fs::create_dir_all(&self.own)?;
        let (run, mark) = (self.run.to_string(), mark(&self.own));
        match std::os::unix::fs::symlink(&run, &mark) {
            // The same run has come back while it was being opened.
            Err(_) if marked(&self.own).as_ref() == Some(&run) => Ok(()),
            // Not every file system has links.
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                seawall_base::atomic::write(&mark, run.as_bytes(), 0o600)
            }
            linked => linked,
        }
    }

    /// The folder, by its real name. The agent's own is made where it is missing.
    fn root(&self) -> Result<PathBuf, String> {
        let told = |path: &Path, error: std::io::Error| format!("{}: {error}", path.display());
        let Some(root) = &self.sandbox.root else {
            let root = self.own.join("work");
            std::fs::create_dir_all(&root).map_err(|error| told(&root, error))?;
            return root.canonicalize().map_err(|error| told(&root, error));
        };
        let real = root.canonicalize().map_err(|error| told(root, error))?;
        let private = self.private.as_ref().map(|private| private.canonicalize());
        match private {
            Some(Err(error)) => Err(told(self.private.as_deref().unwrap_or(root), error)),
            Some(Ok(private)) if real.starts_with(&private) || private.starts_with(&real) => Err(format!(
                "the sandbox.root {} and the server's own folder {} lie in one another, so the agent could read and write \
                 its keys, traces and other agents; keep them apart by another root or another --data-dir",
                real.display(),
                private.display()
            )),
            _ => Ok(real),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_whose_run_it_names_as_a_link_or_as_older_programs_did() {
        type Mark = fn(&Path, &str);
        let link: Mark = |mark, run| std::os::unix::fs::symlink(run, mark).unwrap();
        let file: Mark = |mark, run| std::fs::write(mark, run).unwrap();
        let [mine, other] = [1, 2].map(|number| RunId::from_parts(number, &[0; 10]));
        for signed in [link, file] {
            for (by, is_own) in [(None, true), (Some(mine), true), (Some(other), false)] {
                let folder = tempfile::tempdir().unwrap();
                let own = folder.path().join("a");
                std::fs::create_dir(&own).unwrap();
                if let Some(by) = by {
                    signed(&mark(&own), &by.to_string());
                }
                let beside = folder.path().join(format!("a@{mine}"));
                assert_eq!(of_run(own.clone(), mine), if is_own { own } else { beside }, "{by:?}");
            }
        }
    }
}
