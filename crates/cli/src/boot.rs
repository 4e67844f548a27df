//! Putting a server together: store, ledger, trace, checkpoint, gateway, in the order in which they need one another.

mod agent_servers;
mod agents;
mod approvals;
mod callers;
mod directory;
mod housekeeping;
mod key_policies;
pub(crate) mod key_sets;
mod limits;
mod mcp;
mod places;
mod plan;
mod reload;
mod watch;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use prometheus::Registry;
use seawall_base::clock::SystemClock;
use seawall_base::id;
use seawall_base::lock::DataDirLock;
use seawall_base::memory::ByteBudget;
use seawall_budget::{Journal, Ledger, Snapshots};
use seawall_checkpoint::{Approvals, Approver, Checkpoint};
use seawall_gateway::{AuthMode, Gateway, Metrics, Parts, People, Snapshot};
use seawall_guard::SystemResolver;
use seawall_llm_client::{client_config, sim};
use seawall_mcp::Proxy;
use seawall_policy::Policy;
use seawall_server::{App, AppParts, Server, ServerSettings, ServerState};
use seawall_store::{Limits, Store};
use seawall_store_sqlite::SqliteStore;
use seawall_trace::sign::SigningHeads;
use seawall_trace::{Heads, Observer, Options as TraceOptions, Writer};
use seawall_types::{Clock, EventKind, Mode, RunId, Scope, Secret, Window};
use serde::Serialize;
use tokio::sync::mpsc::Receiver;

use crate::exit::Failure;
use crate::{otlp, settings};

pub(crate) use agents::{Agents, postgres, store as agent_store};
pub(crate) use housekeeping::Housekeeper;
pub(crate) use key_policies::KeyPolicies;
pub(crate) use limits::limits;
pub(crate) use plan::{Plan, Request};
pub(crate) use watch::{Watching, changed};

/// A server that listens and does not answer yet, with what must outlive it.
#[derive(Debug)]
pub(crate) struct Booted {
    pub(crate) server: Server,
    pub(crate) app: Arc<App>,
    pub(crate) run: RunId,
    /// End before the writer.
    pub(crate) agents: Agents,
    pub(crate) writer: Writer,
    /// Sends spans; ends after the writer.
    pub(crate) exporter: Option<otlp::live::Exporter>,
    pub(crate) housekeeper: Housekeeper,
    pub(crate) data_dir: PathBuf,
    /// Says when a file of the configuration has changed.
    pub(crate) changes: Receiver<()>,
    pub(crate) lock: DataDirLock,
}

/// Starts everything up to the listening socket.
pub(crate) fn boot(request: &Request, plan: &Plan) -> Result<Booted, Failure> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let data_dir = settings::data_dir(&request.global, &request.environment);
    let address = Server::address_of(&plan.settings.gateway.listen).map_err(Failure::usage)?;
    make_private_dir(&data_dir)?;
    let lock = DataDirLock::acquire(&data_dir)?;

    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&plan.settings.database(&data_dir))?);
    let heads = heads(plan, &store);
    let run = id::new_run(&*clock);
    let runs = data_dir.join("runs");
    close_crashed_runs(&runs, &*heads, &*clock)?;
    let registry = Registry::new();
    let (tap, exporter) = match &plan.settings.otlp {
        Some(endpoint) => {
            let (tap, exporter) = otlp::live::start(endpoint, &registry)?;
            (Some(Box::new(tap) as Box<dyn Observer>), Some(exporter))
        }
        None => (None, None),
    };
    let (writer, trace) =
        Writer::start_observed(trace_options(plan, runs.clone()), heads, Arc::clone(&clock), tap)?;
    // Read before the keys: what changes them from here on is taken over by the housekeeper.
    let changes_at_start = store.changes()?;
    let callers = callers::read(&*store, &plan.settings.gateway, &request.environment)?;
    let ledger = open_ledger(plan, run, &data_dir, &store, &callers.policies, &*clock)?;
    let checkpoint = Arc::new(Checkpoint::new(Arc::new(ledger), trace, Arc::clone(&clock)));

    let approvals = Arc::new(Approvals::new(
        Arc::clone(&store),
        checkpoint.trace().clone(),
        Arc::clone(&clock),
        Some(run),
        plan.settings.approvals.expires_after,
    ));
    let desk = approvals::ApprovalDesk::open(&plan.settings.approvals, Arc::clone(&approvals))?;

    let sim = sim::Sim::new(sim::Options::default(), Arc::clone(&clock));
    let directory = directory::build(&plan.settings.gateway, &sim, request.workers, None)?;
    let simulated = directory.upstreams.iter().any(|upstream| upstream.is_simulated());
    let key = request.environment.get("SEAWALL_UPSTREAM_API_KEY").filter(|key| !key.is_empty());
    if key.is_some() && directory.upstreams.iter().all(|upstream| upstream.is_simulated()) {
        tracing::warn!(
            "SEAWALL_UPSTREAM_API_KEY is set and no upstream takes it: name one with --upstream URL"
        );
    }
    let snapshot = Snapshot {
        key_required: key_required(request, plan, address),
        tokens: plan.tokens.clone(),
        settings: plan.settings.gateway.clone(),
        directory,
        policy: Arc::clone(&plan.policy),
        prices: Arc::clone(&plan.prices),
        generation: 0,
    };
    let metrics = Metrics::register(&registry)?;
    let people = People { approvals: Arc::clone(&approvals), wait: plan.settings.approvals.wait };
    let memory = ByteBudget::new();
    let tools = seawall_mcp::Parts {
        run,
        checkpoint: Arc::clone(&checkpoint),
        resolver: Arc::new(SystemResolver),
        approver: Some(Arc::clone(&approvals) as Arc<dyn Approver>),
        metrics: seawall_mcp::Metrics::register(&registry, metrics.violations())?,
        memory: Arc::clone(&memory),
        trace_before_sending: plan.settings.gateway.trace_before_sending,
    };
    let remote = seawall_mcp::RemoteParts { tls: client_config()?, workers: request.workers };
    let mcp = Proxy::start(tools, remote, plan.mcp.clone()).context("no thread can be started")?;
    let parts = Parts {
        run,
        checkpoint: Arc::clone(&checkpoint),
        snapshot,
        keys: callers.ring,
        metrics,
        people: Some(people),
        memory,
        mcp,
    };
    let gateway = Gateway::new(parts);
    let (watching, changes) = Watching::start();
    let reloading = Arc::new(reload::Reloading::new(
        request.clone(),
        plan,
        Arc::clone(&gateway),
        sim.clone(),
        Arc::clone(&store),
        watching,
    ));
    reloading.follow(&callers.policies);
    let housekeeper = Housekeeper::start(
        Arc::clone(&gateway),
        Arc::clone(&store),
        housekeeping::Retention::of(&plan.settings.trace, runs),
        Arc::clone(&reloading),
        desk,
        changes_at_start,
    )?;
    let agents = agents::start(&agents::Around {
        settings: &plan.settings.agents,
        gateway: &gateway,
        checkpoint: &checkpoint,
        store: agents::store(&plan.settings.store, &data_dir, &clock)?,
        works: !request.args.agents.no_workers,
        environment: &request.environment,
        clock: &clock,
        data_dir: &data_dir,
        workers: request.workers,
        approval_expires: plan.settings.approvals.expires_after,
    })?;
    let token = new_token()?;
    let for_keys = Arc::clone(&reloading);
    let app = App::new(AppParts {
        gateway,
        registry,
        store,
        approvals,
        agents: Some(agents.runtime.clone()),
        agent_store: Some(Arc::clone(&agents.store)),
        sim: simulated.then_some(sim),
        clock: Arc::clone(&clock),
        token: Secret::new(token.clone()),
        data_dir: data_dir.clone(),
        reloader: Box::new(move || reloading.reload()),
        keys_changed: Box::new(move || for_keys.keys_changed()),
    })?;
    let server = Server::bind(
        Arc::clone(&app),
        &ServerSettings {
            listen: plan.settings.gateway.listen.clone(),
            workers: request.workers,
            busy_poll: plan.settings.gateway.busy_poll,
            metrics: plan.settings.metrics.clone(),
        },
    )?;
    start_run(&checkpoint, run, &plan.policy, &server, simulated);
    // Whoever reads the ready line may look the run up at once.
    checkpoint.trace().flush().context("the trace can't be written")?;
    ServerState::of_this_process(server.address(), &token).write(&data_dir)?;
    Ok(Booted { server, app, run, agents, writer, exporter, housekeeper, data_dir, changes, lock })
}

/// The first line of the session's trace.
fn start_run(checkpoint: &Checkpoint, run: RunId, policy: &Policy, server: &Server, simulated: bool) {
    #[derive(Serialize)]
    struct Started<'a> {
        version: &'a str,
        listen: String,
        mode: Mode,
        simulated: bool,
    }
    let listen = server.address().to_string();
    let started = Started { version: env!("CARGO_PKG_VERSION"), listen, mode: policy.mode, simulated };
    checkpoint.trace().start_run(run, "proxy", &started);
    checkpoint.announce_policy(run, EventKind::PolicyLoaded, policy);
}

/// On loopback the machine's users are trusted; elsewhere, or where it is configured, callers show a key.
pub(crate) fn key_required(request: &Request, plan: &Plan, address: std::net::SocketAddr) -> bool {
    let elsewhere = !address.ip().is_loopback() && !request.args.insecure;
    plan.settings.gateway.auth == AuthMode::Required || elsewhere
}

pub(crate) fn make_private_dir(data_dir: &Path) -> Result<(), Failure> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(data_dir)
        .with_context(|| format!("the data directory {} can't be made", data_dir.display()))?;
    Ok(())
}

fn trace_options(plan: &Plan, runs: PathBuf) -> TraceOptions {
    TraceOptions {
        durability: plan.settings.trace.durability,
        on_unavailable: plan.on_unavailable(),
        content: plan.settings.trace.content.content(),
        ..TraceOptions::new(runs)
    }
}

/// Where the heads of the chains are kept, signed where there is a key.
fn heads(plan: &Plan, store: &Arc<dyn Store>) -> Arc<dyn Heads> {
    let heads: Arc<dyn Heads> = Arc::<dyn Store>::clone(store);
    match &plan.settings.trace.sign_key {
        Some(key) => Arc::new(SigningHeads::new(heads, Arc::clone(key))),
        None => heads,
    }
}

/// Runs whose process died get their proper end, before another one begins.
fn close_crashed_runs(runs: &Path, heads: &dyn Heads, clock: &dyn Clock) -> Result<(), Failure> {
    for recovered in seawall_trace::recover::recover(runs, heads, clock)? {
        tracing::warn!(run = %recovered.run, abandoned = recovered.abandoned.len(), "closed the trace of a run that had crashed");
    }
    Ok(())
}

fn open_ledger(
    plan: &Plan,
    run: RunId,
    data_dir: &Path,
    store: &Arc<dyn Store>,
    policies: &KeyPolicies,
    clock: &dyn Clock,
) -> Result<Ledger, Failure> {
    if let Some(usd) = plan.budget {
        let limit = limits::limit(Scope::Global, Window::Total, Some(usd), None);
        Limits::set(&**store, &limit, clock.now())?;
    }
    let limits = limits(&plan.settings.gateway, &plan.policy, run, &**store, policies)?;
    let snapshots: Arc<dyn Snapshots> = Arc::<dyn Store>::clone(store);
    let (ledger, recovery) = Ledger::open(limits, Journal::open(data_dir)?, snapshots, clock.now())?;
    if recovery.torn {
        tracing::error!(
            "the ledger's journal was damaged; what could not be read is kept beside it as journal.<n>.torn"
        );
    }
    if !recovery.holds.is_empty() {
        tracing::warn!(
            holds = recovery.holds.len(),
            "calls were under way when the last process ended; they are charged at their estimate when their time is up"
        );
    }
    Ok(ledger)
}

/// 32 random bytes, as text.
fn new_token() -> Result<String, Failure> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("no randomness from the kernel: {error}"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
