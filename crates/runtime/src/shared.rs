//! What all agents of a process share.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use seawall_base::id;
use seawall_base::tasks::Group;
use seawall_checkpoint::Checkpoint;
use seawall_checkpoint::tool::Resolver;
use seawall_engine::AgentId;
use seawall_llm_client::Requester;
use seawall_policy::Policy;
use seawall_sandbox::Sandbox;
use seawall_store::AgentStore;
use seawall_store::agents::{Owner, Worker, WorkerId};
use seawall_tools::Registry;
use seawall_types::Clock;
use tokio::runtime::Handle;
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::Templates;
use crate::census::Counted;
use crate::doubt::Doubt;
use crate::hooks::Hook;
use crate::hub::Hub;
use crate::live::Live;
use crate::member::Member;
use crate::metrics::{Counters, Durations};
use crate::model::Model;
use crate::perform::Shown;
use crate::pressure::QueueLimits;
use crate::served::ToolServers;

/// Places of agents that are opened at once.
const OPENING: usize = 8;

/// What a runtime is made of.
#[derive(Debug)]
pub struct Parts {
    /// Where agents live.
    pub store: Arc<dyn AgentStore>,
    /// What admits their actions.
    pub checkpoint: Arc<Checkpoint>,
    /// The policies that decide on calls of tools.
    pub policies: Arc<dyn Policies>,
    /// Who looks up names for the policy.
    pub resolver: Arc<dyn Resolver>,
    /// The way to models.
    pub model: Arc<dyn Model>,
    /// The templates.
    pub templates: Arc<Templates>,
    /// The tools that templates choose among.
    pub tools: Arc<Registry>,
    /// Who knows tools of other servers, if anybody does.
    pub servers: Option<Arc<dyn ToolServers>>,
    /// What agents' commands are started by.
    pub sandbox: Sandbox,
    /// What calls tools behind URLs.
    pub requester: Requester,
    /// What is asked around everything that agents do, before what their templates declare.
    pub hooks: Vec<Arc<dyn Hook>>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Everything else.
    pub settings: Settings,
}

/// Which policy holds for whom.
pub trait Policies: fmt::Debug + Send + Sync {
    /// Another number whenever a policy may be another one.
    fn generation(&self) -> u64;

    /// The policy for what is done on somebody's behalf in a folder.
    fn policy_for(&self, owner: &Owner, folder: &Path) -> Arc<Policy>;
}

/// How agents are run.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Whether agents are run here at all; else only messages and decisions are accepted, for workers elsewhere.
    pub works: bool,
    /// How many are held at once, working or not.
    pub max_agents: usize,
    /// How long one that rests is held.
    pub idle_after: Duration,
    /// How long one rests before its messages are put away, to be read again when somebody talks to it.
    pub doze_after: Duration,
    /// How long this process is taken for alive after it last said so.
    pub lease: Duration,
    /// How often a model is asked once more after a failure that may pass.
    pub retries: u32,
    /// How long to wait before the first of these, and before any of them.
    pub retry_after: (Duration, Duration),
    /// How long people have to decide. `None`: as long as they like.
    pub approval_expires: Option<Duration>,
    /// How much may wait for a worker before more is turned away.
    pub queue: QueueLimits,
    /// The folder of the agents' places.
    pub places: PathBuf,
    /// A folder that no template may name as the root of a sandbox, nor one around it or in it: keys, traces and stores are
    /// there.
    pub private: Option<PathBuf>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            works: true,
            max_agents: 1_000,
            idle_after: Duration::from_mins(1),
            doze_after: Duration::from_secs(10),
            lease: Duration::from_secs(30),
            retries: 3,
            retry_after: (Duration::from_secs(1), Duration::from_mins(1)),
            approval_expires: None,
            queue: QueueLimits::default(),
            places: PathBuf::from("agents"),
            private: None,
        }
    }
}

/// What all agents of a process share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) store: Arc<dyn AgentStore>,
    pub(crate) checkpoint: Arc<Checkpoint>,
    pub(crate) policies: Arc<dyn Policies>,
    pub(crate) resolver: Arc<dyn Resolver>,
    pub(crate) model: Arc<dyn Model>,
    pub(crate) templates: Arc<Templates>,
    pub(crate) tools: Arc<Registry>,
    pub(crate) servers: Option<Arc<dyn ToolServers>>,
    pub(crate) sandbox: Sandbox,
    pub(crate) requester: Requester,
    pub(crate) hooks: Vec<Arc<dyn Hook>>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) settings: Settings,
    pub(crate) hub: Arc<Hub>,
    pub(crate) live: Live,
    pub(crate) counters: Counters,
    pub(crate) durations: Arc<Durations>,
    /// What models were shown lately that is not words.
    pub(crate) shown: Shown,
    /// How many agents there were in the store when it was last looked at.
    pub(crate) census: Counted,
    member: Mutex<Arc<Member>>,
    /// Places that may be opened at once.
    pub(crate) opening: Semaphore,
    /// There may be agents that are due.
    pub(crate) due: Notify,
    /// Whether the store may have given us more than we know of.
    pub(crate) doubt: Doubt,
    /// Agents are let go of.
    pub(crate) stopping: CancellationToken,
    pub(crate) tasks: Group,
    /// Where everything runs, whoever asks for it: a thread that serves requests ends before agents do.
    pub(crate) home: Handle,
}

impl Shared {
    pub(crate) fn new(parts: Parts) -> Arc<Self> {
        let Parts {
            store,
            checkpoint,
            policies,
            resolver,
            model,
            templates,
            tools,
            servers,
            sandbox,
            requester,
            hooks,
            clock,
            settings,
        } = parts;
        let member = Mutex::new(new_member(&settings, &clock));
        let live = Live::new(settings.max_agents);
        let (hub, due) = (Arc::default(), Notify::new());
        let (stopping, tasks) = (CancellationToken::new(), Group::new());
        let (counters, durations, census) = (Counters::default(), Arc::default(), Counted::default());
        Arc::new(Self {
            store,
            checkpoint,
            policies,
            resolver,
            model,
            templates,
            tools,
            servers,
            sandbox,
            requester,
            hooks,
            clock,
            settings,
            hub,
            live,
            counters,
            durations,
            shown: Shown::default(),
            census,
            member,
            due,
            doubt: Doubt::default(),
            opening: Semaphore::new(OPENING),
            stopping,
            tasks,
            home: Handle::current(),
        })
    }

    /// The worker that this process is now.
    pub(crate) fn member(&self) -> Arc<Member> {
        Arc::clone(&self.member.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Begins as another worker, after a lease has lapsed.
    pub(crate) fn begin_anew(&self) -> Arc<Member> {
        let new = new_member(&self.settings, &self.clock);
        *self.member.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&new);
        new
    }

    /// Somebody of this process has written for an agent.
    pub(crate) fn was_written(&self, agent: &AgentId) {
        self.hub.nudge(agent);
        self.due.notify_one();
    }
}

fn new_member(settings: &Settings, clock: &Arc<dyn Clock>) -> Arc<Member> {
    let id = WorkerId(id::new_run(&**clock).to_string().into());
    let most = u32::try_from(settings.max_agents).unwrap_or(u32::MAX);
    let max_agents = if settings.works { most } else { 0 };
    Member::new(Worker { id, lease: settings.lease, max_agents }, Arc::clone(clock))
}
