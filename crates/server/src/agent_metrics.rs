//! Metrics of agents: what a runtime counts, under the names that a scrape asks for.

use prometheus::{IntCounter, IntGauge, Registry};
use seawall_runtime::{Counts, Gauges};

/// What a counter is called, what it is, and where it comes from.
type Row = (&'static str, &'static str, fn(&Counts) -> u64);

const COUNTERS: [Row; 9] = [
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
];

/// What is exposed.
#[derive(Debug)]
pub(crate) struct AgentMetrics {
    held: IntGauge,
    resting: IntGauge,
    counters: Vec<(IntCounter, Row)>,
}

impl AgentMetrics {
    pub(crate) fn register(registry: &Registry) -> prometheus::Result<Self> {
        let gauge = |name: &str, help: &str| {
            let gauge = IntGauge::new(name, help)?;
            registry.register(Box::new(gauge.clone())).map(|()| gauge)
        };
        let counter = |row: Row| {
            let counter = IntCounter::new(row.0, row.1)?;
            registry.register(Box::new(counter.clone())).map(|()| (counter, row))
        };
        Ok(Self {
            held: gauge("seawall_agent_held", "Agents that this process holds, working or not.")?,
            resting: gauge("seawall_agent_resting", "Those of them that wait for a message or for people.")?,
            counters: COUNTERS.into_iter().map(counter).collect::<Result<_, _>>()?,
        })
    }

    /// Brings everything up to date. One caller at a time: two would count the same difference twice.
    pub(crate) fn refresh(&self, gauges: &Gauges) {
        self.held.set(i64::try_from(gauges.held).unwrap_or(i64::MAX));
        self.resting.set(i64::try_from(gauges.resting).unwrap_or(i64::MAX));
        for (counter, (_, _, read)) in &self.counters {
            counter.inc_by(read(&gauges.counts).saturating_sub(counter.get()));
        }
    }
}
