//! What the server's own routes can see and do.

use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts, Registry};
use seawall_checkpoint::Approvals;
use seawall_gateway::Gateway;
use seawall_llm_client::sim::Sim;
use seawall_runtime::Runtime;
use seawall_store::agents::Measured;
use seawall_store::{AgentStore, Store};
use seawall_types::{Clock, Secret};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::agent_metrics::AgentMetrics;
use crate::api::ready::Readiness;
use crate::process::CpuMeter;

/// What a reload changed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct ReloadOutcome {
    /// Keys that changed and hold from now on.
    pub changed: Vec<String>,
    /// Keys that changed and hold after a restart only.
    pub needs_restart: Vec<String>,
}

/// Reads the configuration again and puts it into force. An error changes nothing.
pub type Reloader = Box<dyn Fn() -> Result<ReloadOutcome, String> + Send + Sync>;

/// What an application is made of.
pub struct AppParts {
    /// The gateway.
    pub gateway: Arc<Gateway>,
    /// All metrics.
    pub registry: Registry,
    /// The store.
    pub store: Arc<dyn Store>,
    /// What waits for a person.
    pub approvals: Arc<Approvals>,
    /// Durable agents. `None`: there are none here, and their paths are unknown ones.
    pub agents: Option<Runtime>,
    /// The store of those agents, where it is measured.
    pub agent_store: Option<Arc<Measured<dyn AgentStore>>>,
    /// The simulated provider, when it answers in this process.
    pub sim: Option<Sim>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The token that the command line of the same user presents.
    pub token: Secret<String>,
    /// The folder of all state.
    pub data_dir: std::path::PathBuf,
    /// How to reload.
    pub reloader: Reloader,
    /// Takes keys over from the store at once, instead of at the next look; gives their number.
    pub keys_changed: Box<dyn Fn() -> Result<usize, String> + Send + Sync>,
}

impl fmt::Debug for AppParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppParts").field("data_dir", &self.data_dir).finish_non_exhaustive()
    }
}

/// The server's state, shared by all workers.
pub struct App {
    pub(crate) parts: AppParts,
    pub(crate) started: Duration,
    pub(crate) address: OnceLock<SocketAddr>,
    pub(crate) readiness: Readiness,
    pub(crate) cpu: Mutex<CpuMeter>,
    pub(crate) reload_failures: IntCounter,
    reloads: IntCounter,
    pub(crate) connections: IntGauge,
    last_reload_error: Mutex<Option<String>>,
    trace_events: IntCounter,
    trace_dropped: IntCounter,
    approvals_pending: IntGauge,
    approvals_decided: IntCounterVec,
    agents: Option<AgentMetrics>,
    reading: Mutex<()>,
    stopping: CancellationToken,
    /// Whether the metrics are among our other routes.
    pub(crate) metrics_here: OnceLock<bool>,
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").field("address", &self.address).finish_non_exhaustive()
    }
}

impl App {
    /// An application of these parts.
    ///
    /// # Errors
    /// When the registry has one of the server's metrics already.
    pub fn new(parts: AppParts) -> prometheus::Result<Arc<Self>> {
        let counter = |name: &str, help: &str| {
            let counter = IntCounter::new(name, help)?;
            parts.registry.register(Box::new(counter.clone())).map(|()| counter)
        };
        let connections = IntGauge::new("seawall_connections", "Open connections of clients.")?;
        parts.registry.register(Box::new(connections.clone()))?;
        let approvals_pending =
            IntGauge::new("seawall_approvals_pending", "Calls of tools that wait for a person.")?;
        parts.registry.register(Box::new(approvals_pending.clone()))?;
        let decided = Opts::new("seawall_approvals_decided_total", "Approvals by what was decided.");
        let approvals_decided = IntCounterVec::new(decided, &["decision"])?;
        parts.registry.register(Box::new(approvals_decided.clone()))?;
        let agents = parts.agents.as_ref();
        let agents =
            agents.map(|agents| AgentMetrics::register(&parts.registry, agents, parts.agent_store.as_ref()));
        let app = Self {
            started: parts.clock.monotonic(),
            address: OnceLock::new(),
            readiness: Readiness::default(),
            cpu: Mutex::default(),
            reload_failures: counter(
                "seawall_config_reload_failures_total",
                "Configurations that were refused while running.",
            )?,
            reloads: counter(
                "seawall_config_reloads_total",
                "Configurations that were put into force while running.",
            )?,
            trace_events: counter("seawall_trace_events_total", "Events written to the trace.")?,
            trace_dropped: counter(
                "seawall_trace_dropped_total",
                "Events that could not be written to the trace.",
            )?,
            connections,
            approvals_pending,
            approvals_decided,
            last_reload_error: Mutex::default(),
            agents: agents.transpose()?,
            reading: Mutex::default(),
            stopping: CancellationToken::new(),
            metrics_here: OnceLock::new(),
            parts,
        };
        Ok(Arc::new(app))
    }

    /// The gateway.
    #[must_use]
    pub fn gateway(&self) -> &Arc<Gateway> {
        &self.parts.gateway
    }

    /// From now on the server says that it is not ready, and ends each connection with its answer.
    pub(crate) fn stop(&self) {
        self.stopping.cancel();
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.is_cancelled()
    }

    /// Ends when the server begins to stop: for answers that would go on for as long as their client likes.
    pub(crate) fn stops(&self) -> &CancellationToken {
        &self.stopping
    }

    /// Reads the configuration again. A refused one is logged, counted and changes nothing.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn reload(&self) -> Result<ReloadOutcome, String> {
        let outcome = (self.parts.reloader)();
        let error = outcome.as_ref().err().cloned();
        match &outcome {
            Ok(outcome) => {
                self.reloads.inc();
                tracing::info!(changed = ?outcome.changed, needs_restart = ?outcome.needs_restart, "configuration reloaded");
            }
            Err(error) => {
                self.reload_failures.inc();
                tracing::error!(%error, "configuration refused; the old one stays in force");
            }
        }
        *self.last_reload_error.lock().unwrap_or_else(PoisonError::into_inner) = error;
        outcome
    }

    pub(crate) fn last_reload_error(&self) -> Option<String> {
        self.last_reload_error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Brings the counters of the trace up to date with its writer.
    pub(crate) fn refresh_metrics(&self) {
        self.parts.gateway.refresh_gauges();
        let stats = self.parts.gateway.checkpoint().trace().stats();
        let _one_at_a_time = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        self.trace_events.inc_by(stats.events.saturating_sub(self.trace_events.get()));
        self.trace_dropped.inc_by(stats.dropped.saturating_sub(self.trace_dropped.get()));
        self.refresh_approvals();
        if let (Some(metrics), Some(agents)) = (&self.agents, &self.parts.agents) {
            metrics.refresh(agents);
        }
    }

    fn refresh_approvals(&self) {
        let counts = self.parts.approvals.counts();
        let pending = counts.pending.load(Ordering::Relaxed);
        self.approvals_pending.set(i64::try_from(pending).unwrap_or(i64::MAX));
        let decided =
            [("allowed", &counts.allowed), ("denied", &counts.denied), ("expired", &counts.expired)];
        for (decision, count) in decided {
            let counter = self.approvals_decided.with_label_values(&[decision]);
            counter.inc_by(count.load(Ordering::Relaxed).saturating_sub(counter.get()));
        }
    }
}
