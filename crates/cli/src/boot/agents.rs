//! Agents in a server: their store, their tools, and the way from them to models, which is the gateway's.

use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use http::Request as HttpRequest;
use http::header::CONTENT_TYPE;
use http_body_util::BodyExt;
use seawall_checkpoint::Checkpoint;
use seawall_config::{ConfigError, Environment};
use seawall_gateway::{Caller, Gateway, GatewayBody, OwnCall};
use seawall_guard::SystemResolver;
use seawall_llm_client::{Requester, client_config};
use seawall_policy::Policy;
use seawall_runtime::{
    BoxFuture, Model, NoReply, Parts, Pieces, Policies, Question, Reply, Runtime, Settings, Templates,
};
use seawall_sandbox::Sandbox;
use seawall_store::AgentStore;
use seawall_store::agents::{Measured, Owner};
use seawall_store_json::JsonStore;
use seawall_store_postgres::{Options as PostgresOptions, PostgresStore};
use seawall_store_sqlite::SqliteAgents;
use seawall_tools::{HttpFetch, Registry, built_in};
use seawall_types::{Actor, Clock, Secret};

use super::agent_servers::AgentServers;
use super::places::Places;
use crate::exit::Failure;
use crate::policy;
use crate::settings::{AgentSettings, StoreChoice};

/// How long agents have to let go of what they do when the server stops. What they were at goes on at the next start.
const LETTING_GO: Duration = Duration::from_secs(10);

/// How long a connection to a tool behind a URL may take to be made.
const CONNECTING: Duration = Duration::from_secs(5);

/// Agents that run, and the threads that they run on.
#[derive(Debug)]
pub(crate) struct Agents {
    pub(crate) runtime: Runtime,
    /// Their store, which counts what it is asked.
    pub(crate) store: Arc<Measured<dyn AgentStore>>,
    threads: tokio::runtime::Runtime,
}

/// What agents need of the server.
pub(crate) struct Around<'a> {
    pub(crate) settings: &'a AgentSettings,
    pub(crate) gateway: &'a Arc<Gateway>,
    pub(crate) checkpoint: &'a Arc<Checkpoint>,
    pub(crate) store: Arc<dyn AgentStore>,
    /// Whether agents are run here, or only written to.
    pub(crate) works: bool,
    pub(crate) environment: &'a Environment,
    pub(crate) clock: &'a Arc<dyn Clock>,
    pub(crate) data_dir: &'a Path,
    pub(crate) workers: usize,
    pub(crate) approval_expires: Duration,
}

/// Where agents live. Several processes may share what is in PostgreSQL.
pub(crate) fn store(
    choice: &StoreChoice,
    data_dir: &Path,
    clock: &Arc<dyn Clock>,
) -> Result<Arc<dyn AgentStore>, Failure> {
    Ok(match choice {
        StoreChoice::Own | StoreChoice::Sqlite(_) => {
            Arc::new(SqliteAgents::open(&choice.database(data_dir), Arc::clone(clock))?)
        }
        StoreChoice::Json(folder) => Arc::new(JsonStore::open(folder, Arc::clone(clock))?),
        StoreChoice::Postgres(url) => Arc::new(PostgresStore::open(&postgres(url)?)?),
    })
}

/// How PostgreSQL is reached.
pub(crate) fn postgres(url: &Secret<String>) -> Result<PostgresOptions, Failure> {
    PostgresOptions::parse(url.expose()).map_err(|error| Failure::usage(format!("store: {error}")))
}

/// Starts them. Agents that were at work when the last process ended go on.
pub(crate) fn start(around: &Around<'_>) -> Result<Agents, Failure> {
    let Around { settings, gateway, checkpoint, environment, clock, data_dir, .. } = around;
    let threads = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(around.workers)
        .thread_name("agents")
        .enable_all()
        .build()
        .context("no threads can be started for agents")?;
    let folders = [data_dir.join(&settings.templates), PathBuf::from(&settings.templates)];
    let templates = Templates::load(&folders).map_err(|errors| {
        let lines: Vec<_> = errors.iter().map(ToString::to_string).collect();
        Failure::usage(lines.join("\n"))
    })?;
    let entered = threads.enter();
    let store = Arc::new(Measured::new(Arc::clone(&around.store), Arc::clone(clock)));
    let policies = RulesOf {
        gateway: Arc::clone(gateway),
        environment: (*environment).clone(),
        known: Mutex::new((Arc::clone(&gateway.snapshot().policy), 1)),
    };
    let runtime = Runtime::start(Parts {
        store: Arc::clone(&store) as Arc<dyn AgentStore>,
        checkpoint: Arc::clone(checkpoint),
        policies: Arc::new(policies),
        resolver: Arc::new(SystemResolver),
        model: Arc::new(Through {
            gateway: Arc::clone(gateway),
            places: Places::new(environment, clock, around.workers),
            workers: around.workers,
            turn: AtomicUsize::new(0),
        }),
        templates: Arc::new(templates),
        tools: Arc::new(tools()?),
        servers: Some(Arc::new(AgentServers::new(gateway))),
        sandbox: Sandbox::of_this_program(),
        requester: Requester::new(&client_config()?, CONNECTING),
        hooks: Vec::new(),
        clock: Arc::clone(clock),
        settings: Settings {
            works: around.works,
            max_agents: settings.max_agents,
            idle_after: settings.idle_after,
            lease: settings.lease,
            approval_expires: Some(around.approval_expires),
            queue: settings.queue,
            places: data_dir.join("agents"),
            private: Some(data_dir.to_path_buf()),
            ..Settings::default()
        },
    });
    drop(entered);
    Ok(Agents { runtime, store, threads })
}

/// The tools that templates choose among.
fn tools() -> Result<Registry, Failure> {
    let fetch = HttpFetch::new(client_config()?, Arc::new(seawall_tools::SystemResolver));
    let all = built_in().into_iter().chain([Arc::new(fetch) as Arc<dyn seawall_tools::Tool>]);
    Ok(Registry::with(all).context("the built-in tools contradict each other")?)
}

impl Agents {
    /// Lets go of all agents. What they were at goes on at the next start, here or elsewhere.
    pub(crate) fn stop(self) {
        if !self.threads.block_on(self.runtime.stop(LETTING_GO)) {
            tracing::warn!("some agents did not let go in time");
        }
        self.threads.shutdown_timeout(Duration::from_secs(1));
    }
}

/// The gateway, asked without a network in between.
#[derive(Debug)]
struct Through {
    gateway: Arc<Gateway>,
    places: Places,
    workers: usize,
    turn: AtomicUsize,
}

impl Model for Through {
    fn ask(&self, question: Question) -> BoxFuture<'_, Result<Reply, NoReply>> {
        Box::pin(async move {
            let upstream = question.place.as_ref().map(|place| self.places.upstream(place)).transpose()?;
            let caller = self.caller(&question)?;
            let own = OwnCall { caller, run: question.run, upstream, cost: question.cost };
            let request = HttpRequest::post(&question.path).header(CONTENT_TYPE, "application/json");
            let request =
                question.headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
            let request = request.body(question.body).map_err(|error| NoReply(error.to_string()))?;
            let worker = self.turn.fetch_add(1, Ordering::Relaxed) % self.workers.max(1);
            let response = self.gateway.call(worker, own, request).await;
            let (head, body) = response.into_parts();
            let body = Box::new(Answer(Box::pin(body)));
            Ok(Reply { status: head.status, headers: head.headers, body })
        })
    }
}

impl Through {
    /// On whose behalf an agent calls. A key that was taken from its owner calls nothing any more.
    fn caller(&self, question: &Question) -> Result<Arc<Caller>, NoReply> {
        let Owner { key, tenant, .. } = &question.owner;
        let actor = Arc::new(Actor {
            key: key.clone(),
            tenant: tenant.clone(),
            agent: Some(question.agent.as_str().into()),
        });
        let Some(key) = key else { return Ok(Arc::new(Caller { actor, ..Caller::anonymous() })) };
        let keys = self.gateway.keys();
        let known = keys.by_name(key).ok_or_else(|| {
            NoReply(format!(
                "the key {key:?} that this agent was made with is gone; make one of this name again"
            ))
        })?;
        known
            .verify_at(self.gateway.checkpoint().clock().now())
            .map_err(|error| NoReply(format!("the key {key:?} that this agent was made with: {error}")))?;
        Ok(Arc::new(Caller { actor, ..(**known).clone() }))
    }
}

#[derive(Debug)]
struct Answer(Pin<Box<GatewayBody>>);

impl Pieces for Answer {
    fn next(&mut self) -> BoxFuture<'_, Option<Result<Bytes, NoReply>>> {
        Box::pin(async {
            loop {
                match self.0.frame().await? {
                    Ok(frame) => {
                        if let Ok(data) = frame.into_data() {
                            return Some(Ok(data));
                        }
                    }
                    Err(error) => return Some(Err(NoReply(error.to_string()))),
                }
            }
        })
    }
}

/// The policy that is in force, for the folder of each agent.
#[derive(Debug)]
struct RulesOf {
    gateway: Arc<Gateway>,
    environment: Environment,
    /// The policy when it was last looked at, and how many there have been.
    known: Mutex<(Arc<Policy>, u64)>,
}

impl Policies for RulesOf {
    fn generation(&self) -> u64 {
        let now = Arc::clone(&self.gateway.snapshot().policy);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(&known.0, &now) {
            *known = (now, known.1.wrapping_add(1));
        }
        known.1
    }

    fn policy_for(&self, owner: &Owner, folder: &Path) -> Arc<Policy> {
        let snapshot = self.gateway.snapshot();
        let keys = self.gateway.keys();
        let own =
            owner.key.as_ref().and_then(|key| keys.by_name(key)).and_then(|caller| caller.policy.clone());
        if let Some(own) = own {
            return own;
        }
        let policy::Named { policy, .. } =
            policy::configured_in(&snapshot.settings, &self.environment, Some(folder));
        policy.map_or_else(
            |errors| {
                // Where alone: what is wrong there may quote a value that came by reference, and the reload has told it.
                let place = |error: &ConfigError| format!("{} {}", error.origin, error.key);
                let faulty: Vec<String> = errors.0.iter().map(place).collect();
                tracing::error!(?faulty, "the policy can't be read any more; the one in force holds");
                Arc::clone(&snapshot.policy)
            },
            Arc::new,
        )
    }
}
