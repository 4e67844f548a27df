//! How a run is to be.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use seawall_checkpoint::tool::{Approver, Resolver};
use seawall_config::Environment;
use seawall_types::{Actor, Usd};

use crate::{PolicyChoice, SystemResolver};

/// Whether the run is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum TraceChoice {
    /// In the data folder, as `runs/<date>/<run>/trace.jsonl`.
    #[default]
    Auto,
    /// Not at all. The policy and the budgets hold all the same.
    Off,
}

/// How a run is to be. The defaults are the safe ones: the preset `safe`, enforced, in a folder of the run's own, traced.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// What is allowed.
    pub policy: PolicyChoice,
    /// The folder that relative paths mean and that files are opened in; made if it is missing. `None`: the root that the
    /// policy names, else `sandboxes/<run>` in the data folder, which goes with the run when nothing was put into it.
    pub sandbox: Option<PathBuf>,
    /// Whether the sandbox may lie outside of the working folder.
    pub allow_outside_root: bool,
    /// Whether the run is written down.
    pub trace: TraceChoice,
    /// Whether findings refuse, where the policy does not say so itself. Otherwise they are recorded, and only budgets
    /// and limits refuse.
    pub strict: bool,
    /// The run's identifier, a UUID that was never used. `None`: a new one.
    pub run_id: Option<String>,
    /// What the run is to be known by; written into its first line.
    pub tags: BTreeMap<String, String>,
    /// The most money, in total.
    pub max_cost_usd: Option<Usd>,
    /// The most tokens, in total.
    pub max_tokens: Option<u64>,
    /// The most money in any sixty seconds.
    pub max_usd_per_minute: Option<Usd>,
    /// The folder of all state. `None`: `SEAWALL_HOME`, else `.seawall` in the working folder.
    pub data_dir: Option<PathBuf>,
    /// On whose behalf.
    pub actor: Actor,
    /// The variables that policies may refer to, and `SEAWALL_HOME`.
    pub environment: Environment,
    /// Who looks up names.
    pub resolver: Arc<dyn Resolver>,
    /// Who is asked where the policy says `ask`. `None`: nobody is there, so that such calls are refused.
    pub approver: Option<Arc<dyn Approver>>,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            policy: PolicyChoice::named("safe"),
            sandbox: None,
            allow_outside_root: false,
            trace: TraceChoice::Auto,
            strict: true,
            run_id: None,
            tags: BTreeMap::new(),
            max_cost_usd: None,
            max_tokens: None,
            max_usd_per_minute: None,
            data_dir: None,
            actor: Actor::default(),
            environment: Environment::capture(),
            resolver: Arc::new(SystemResolver),
            approver: None,
        }
    }
}

impl RunOptions {
    /// The defaults under this policy: a preset's name, or a file's path.
    #[must_use]
    pub fn policy(name: &str) -> Self {
        Self { policy: PolicyChoice::named(name), ..Self::default() }
    }

    /// The same with this sandbox.
    #[must_use]
    pub fn sandbox(self, folder: impl Into<PathBuf>) -> Self {
        Self { sandbox: Some(folder.into()), ..self }
    }

    /// The same with this data folder.
    #[must_use]
    pub fn data_dir(self, folder: impl Into<PathBuf>) -> Self {
        Self { data_dir: Some(folder.into()), ..self }
    }

    /// The same with findings that refuse, or don't.
    #[must_use]
    pub fn strict(self, strict: bool) -> Self {
        Self { strict, ..self }
    }

    /// The same with at most so much money.
    #[must_use]
    pub fn max_cost_usd(self, usd: Usd) -> Self {
        Self { max_cost_usd: Some(usd), ..self }
    }

    /// The same with at most so many tokens.
    #[must_use]
    pub fn max_tokens(self, tokens: u64) -> Self {
        Self { max_tokens: Some(tokens), ..self }
    }

    /// The same with at most so much money in any sixty seconds.
    #[must_use]
    pub fn max_usd_per_minute(self, usd: Usd) -> Self {
        Self { max_usd_per_minute: Some(usd), ..self }
    }
}
