//! How a run is to be.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use seawall_checkpoint::Approver;
use seawall_checkpoint::tool::Resolver;
use seawall_config::Environment;
use seawall_types::{Actor, ApprovalId, Usd};

use crate::{Patience, PolicyChoice, SystemResolver};

/// Whether the run is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum TraceChoice {
    /// In the data folder, as `runs/<date>/<run>/trace.jsonl`.
    #[default]
    Auto,
    /// Not at all. The policy and the budgets hold all the same.
    Off,
}

/// What the trace keeps of what tools are given and give.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum TraceContent {
    /// Nothing.
    None,
    /// All of it but the secrets and the personal data that the detectors know.
    #[default]
    Redacted,
    /// All of it.
    Full,
}

impl std::str::FromStr for TraceContent {
    type Err = crate::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "none" => Ok(Self::None),
            "redacted" => Ok(Self::Redacted),
            "full" => Ok(Self::Full),
            _ => Err(crate::Error::Config(format!(
                "{text:?} is nothing that a trace can keep of contents; take none, redacted or full"
            ))),
        }
    }
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
    /// What the trace keeps of what tools are given and give. `None`: what the run keeps that this one is in, else
    /// [`TraceContent::Redacted`].
    pub content: Option<TraceContent>,
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
    /// Who asks people where the policy says `ask`. `None`: approvals in the data folder, for `seawall approvals` and
    /// whatever else decides them.
    pub approver: Option<Arc<dyn Approver>>,
    /// Approvals that [`ApprovalRequired`](crate::ApprovalRequired) named in earlier runs: each is good for the call that it
    /// was asked for, if the same makes it again.
    pub approvals: Vec<ApprovalId>,
    /// How long a call waits for the person. Zero: it is refused with the approval's name, and succeeds when it is made
    /// again after the person has allowed it. Waiting blocks the thread.
    pub wait_for_approval: Duration,
    /// How long people have. After that the call is refused.
    pub approvals_expire_after: Duration,
    /// How calls wait for a person that say nothing else themselves.
    pub patience: Patience,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            policy: PolicyChoice::named("safe"),
            sandbox: None,
            allow_outside_root: false,
            trace: TraceChoice::Auto,
            content: None,
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
            approvals: Vec::new(),
            wait_for_approval: Duration::ZERO,
            approvals_expire_after: Duration::from_secs(3_600),
            patience: Patience::default(),
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

    /// The same, waiting so long for the person where one has to allow a call.
    #[must_use]
    pub fn wait_for_approval(self, at_most: Duration) -> Self {
        Self { wait_for_approval: at_most, ..self }
    }

    /// The same with approvals that were given to earlier runs.
    #[must_use]
    pub fn approvals(self, approvals: impl IntoIterator<Item = ApprovalId>) -> Self {
        Self { approvals: approvals.into_iter().collect(), ..self }
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
