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

use crate::shared::{Policies, Shared};
use crate::template::SandboxSettings;

/// Opens it. Why not, in words: an agent without a place can talk, and its tools fail.
pub(crate) async fn open(
    shared: &Shared,
    agent: &AgentId,
    owner: &Owner,
    sandbox: &SandboxSettings,
) -> Result<Arc<Place>, String> {
    let wanted = Wanted {
        sandbox: sandbox.clone(),
        own: shared.settings.places.join(agent.as_str()),
        private: shared.settings.private.clone(),
        launcher: shared.sandbox.clone(),
        policies: Arc::clone(&shared.policies),
        owner: owner.clone(),
    };
    let opening = tokio::task::spawn_blocking(move || wanted.open());
    opening.await.unwrap_or_else(|_| Err("the runtime ends".to_owned()))
}

/// A place that is to be.
struct Wanted {
    sandbox: SandboxSettings,
    /// The agent's own folder.
    own: PathBuf,
    /// What no agent gets to see.
    private: Option<PathBuf>,
    launcher: Sandbox,
    policies: Arc<dyn Policies>,
    owner: Owner,
}

impl Wanted {
    fn open(self) -> Result<Arc<Place>, String> {
        let root = self.root()?;
        let mut settings = PlaceSettings::of(&root, &self.own.join("kept"), self.launcher);
        if let Some(commands) = settings.commands.as_mut().filter(|_| self.sandbox.network) {
            commands.confinement.network = Network::Any;
        }
        if self.sandbox.commands == Some(false) {
            settings.commands = None;
        }
        let settings = settings.under(&self.policies.policy_for(&self.owner, &root));
        Place::open(settings).map(Arc::new).map_err(|error| error.to_string())
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
