//! Metrics of agents: what a runtime counts, under the names that a scrape asks for.

use std::sync::Arc;
use std::time::Duration;

use prometheus::{Counter, Gauge, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};
use seawall_engine::AgentState;
use seawall_runtime::{Counts, Runtime};
use seawall_store::AgentStore;
use seawall_store::agents::{Census, Measured};
use seawall_types::Usd;

use crate::times::Times;

/// What a counter is called, what it is, and where it comes from.
type Row = (&'static str, &'static str, fn(&Counts) -> u64);

const COUNTERS: [Row; 11] = [
    // A count, since what is called so is one by Prometheus' rules; how many there are now is a gauge below.
    ("kode_agents_total", "Agents that this process has taken up since its start.", |counts| counts.taken_up),
    ("seawall_agent_claims_total", "Agents that were claimed because they were due.", |counts| counts.claims),
    ("seawall_agent_takeovers_total", "Agents taken over from a worker that had died.", |counts| {
        counts.takeovers
    }),
    ("seawall_agent_model_calls_total", "Model calls of agents that were answered.", |counts| {
        counts.model_calls
    }),
    ("seawall_agent_model_failures_total", "Model calls of agents that failed.", |counts| {
        counts.model_failures
    }),
    ("seawall_agent_model_retries_total", "Model calls of agents that were made once more.", |counts| {
        counts.model_retries
    }),
    ("seawall_agent_tool_calls_total", "Calls of tools that agents ran.", |counts| counts.tool_calls),
    ("seawall_agent_tool_failures_total", "Calls of tools that agents ran and that failed.", |counts| {
        counts.tool_failures
    }),
    ("seawall_agent_tool_denials_total", "Calls of agents' tools that were refused.", |counts| {
        counts.tool_denials
    }),
    ("seawall_agent_steps_total", "Steps of agents: calls of models with what came of them.", |counts| {
        counts.steps
    }),
    (
        "seawall_agent_in_doubt_total",
        "Calls of agents' tools of which nobody knew after a crash whether they took effect.",
        |counts| counts.in_doubt,
    ),
];

/// All states, in the order of the documentation.
const STATES: [AgentState; 5] =
    [AgentState::Ready, AgentState::Working, AgentState::Paused, AgentState::Parked, AgentState::Failed];

/// What is exposed.
#[derive(Debug)]
pub(crate) struct AgentMetrics {
    held: IntGauge,
    resting: IntGauge,
    counters: Vec<(IntCounter, Row)>,
    tokens: IntCounterVec,
    cost: Counter,
    states: IntGaugeVec,
    queue: IntGauge,
    queue_age: Gauge,
}

impl AgentMetrics {
    pub(crate) fn register(
        registry: &Registry,
        agents: &Runtime,
        store: Option<&Arc<Measured<dyn AgentStore>>>,
    ) -> prometheus::Result<Self> {
        let counter = |row: Row| put(registry, IntCounter::new(row.0, row.1)?).map(|counter| (counter, row));
        times(registry, agents, store)?;
        let tokens = Opts::new("seawall_agent_tokens_total", "Tokens of agents' model calls.");
        let states = Opts::new("seawall_agents", "Agents of the store by state, those put away apart.");
        Ok(Self {
            held: put(
                registry,
                IntGauge::new("seawall_agent_held", "Agents that this process holds, working or not.")?,
            )?,
            resting: put(
                registry,
                IntGauge::new(
                    "seawall_agent_resting",
                    "Those of them that wait for a message or for people.",
                )?,
            )?,
            counters: COUNTERS.into_iter().map(counter).collect::<Result<_, _>>()?,
            tokens: put(registry, IntCounterVec::new(tokens, &["kind"])?)?,
            cost: put(
                registry,
                Counter::new("seawall_agent_cost_usd_total", "Dollars spent on agents' model calls.")?,
            )?,
            states: put(registry, IntGaugeVec::new(states, &["state"])?)?,
            queue: put(
                registry,
                IntGauge::new("seawall_agent_queue_depth", "Agents of the store that wait for a worker.")?,
            )?,
            queue_age: put(
                registry,
                Gauge::new("seawall_agent_queue_age_seconds", "How long the first of them has waited.")?,
            )?,
        })
    }

    /// Brings everything up to date. One caller at a time: two would count the same difference twice.
    pub(crate) fn refresh(&self, agents: &Runtime) {
        let gauges = agents.gauges();
        self.held.set(i64::try_from(gauges.held).unwrap_or(i64::MAX));
        self.resting.set(i64::try_from(gauges.resting).unwrap_or(i64::MAX));
        for (counter, (_, _, read)) in &self.counters {
            raise(counter, read(&gauges.counts));
        }
        let counts = &gauges.counts;
        for (kind, tokens) in [("input", counts.tokens_read), ("output", counts.tokens_written)] {
            raise(&self.tokens.with_label_values(&[kind]), tokens);
        }
        let cost = Usd::from_picos(counts.cost_picos.into()).as_f64_for_metrics();
        self.cost.inc_by((cost - self.cost.get()).max(0.0));
        if let Some(census) = agents.census() {
            self.show(&census);
        }
    }

    fn show(&self, census: &Census) {
        for state in STATES {
            let agents = i64::try_from(census.of(state)).unwrap_or(i64::MAX);
            self.states.with_label_values(&[state.as_str()]).set(agents);
        }
        self.queue.set(i64::try_from(census.waits()).unwrap_or(i64::MAX));
        self.queue_age.set(census.oldest.as_secs_f64());
    }
}

fn put<M: prometheus::core::Collector + Clone + 'static>(
    registry: &Registry,
    metric: M,
) -> prometheus::Result<M> {
    registry.register(Box::new(metric.clone())).map(|()| metric)
}

fn raise(counter: &IntCounter, to: u64) {
    counter.inc_by(to.saturating_sub(counter.get()));
}

/// How long tools, models and the store take.
fn times(
    registry: &Registry,
    agents: &Runtime,
    store: Option<&Arc<Measured<dyn AgentStore>>>,
) -> prometheus::Result<()> {
    let [tools, models] = [Arc::clone(agents.durations()), Arc::clone(agents.durations())];
    let (tool_bounds, model_bounds) = (tools.tools.bounds(), models.models.bounds());
    let named = ("kode_tool_duration_seconds", "How long agents' calls of tools took.", "tool");
    Times::register(registry, named, tool_bounds, move || tools.tools.read())?;
    let named = (
        "seawall_agent_model_duration_seconds",
        "How long models took for whole answers to agents.",
        "provider",
    );
    Times::register(registry, named, model_bounds, move || models.models.read())?;
    let Some(store) = store.map(Arc::clone) else { return Ok(()) };
    let bounds: &'static [Duration] = store.bounds();
    let named = (
        "seawall_agent_store_duration_seconds",
        "How long the store of agents took for what it was asked.",
        "operation",
    );
    Times::register(registry, named, bounds, move || store.timings())
}
