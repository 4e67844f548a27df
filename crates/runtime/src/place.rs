//! The place of an agent: the folder that its template names, or one of its own.

use std::path::PathBuf;
use std::sync::Arc;

use seawall_engine::AgentId;
use seawall_sandbox::{Network, Sandbox};
use seawall_tools::{Place, PlaceSettings};

use crate::Template;
use crate::shared::Shared;

/// Opens it. Why not, in words: an agent without a place can talk, and its tools fail.
pub(crate) async fn open(
    shared: &Shared,
    agent: &AgentId,
    template: &Template,
) -> Result<Arc<Place>, String> {
    let own = shared.settings.places.join(agent.as_str());
    let root = template.sandbox.root.clone().unwrap_or_else(|| own.join("work"));
    let launcher = shared.sandbox.clone();
    let (network, commands) = (template.sandbox.network, template.sandbox.commands.unwrap_or(true));
    let is_own = template.sandbox.root.is_none();
    let wanted = Wanted { root, is_own, own, launcher, network, commands };
    let opening = tokio::task::spawn_blocking(move || wanted.open());
    opening.await.unwrap_or_else(|_| Err("the runtime ends".to_owned()))
}

/// A place that is to be.
struct Wanted {
    root: PathBuf,
    /// The root is made where it is missing.
    is_own: bool,
    /// The agent's own folder.
    own: PathBuf,
    launcher: Sandbox,
    network: bool,
    commands: bool,
}

impl Wanted {
    fn open(self) -> Result<Arc<Place>, String> {
        if self.is_own {
            std::fs::create_dir_all(&self.root)
                .map_err(|error| format!("{}: {error}", self.root.display()))?;
        }
        let mut settings = PlaceSettings::of(&self.root, &self.own.join("kept"), self.launcher);
        if let Some(commands) = settings.commands.as_mut().filter(|_| self.network) {
            commands.confinement.network = Network::Any;
        }
        if !self.commands {
            settings.commands = None;
        }
        Place::open(settings).map(Arc::new).map_err(|error| error.to_string())
    }
}
