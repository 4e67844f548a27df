//! `agents`: how agents are run.

use std::time::Duration;

use seawall_config::Reader;
use seawall_runtime::QueueLimits;

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(86_400);

/// `agents`.
#[derive(Debug, Clone)]
pub(crate) struct AgentSettings {
    /// How many are held at the same time.
    pub(crate) max_agents: usize,
    /// When one that rests is let go of.
    pub(crate) idle_after: Duration,
    /// How long a worker that says nothing is taken for alive.
    pub(crate) lease: Duration,
    /// How much may wait for a worker.
    pub(crate) queue: QueueLimits,
    /// The folder of templates.
    pub(crate) templates: String,
}

pub(super) fn declare(reader: &mut Reader<'_>) -> AgentSettings {
    reader.section("agents", "Durable agents.", |agents| {
        let doc = "How many agents one process holds at the same time, working or resting.";
        let max_agents = agents.integer("max_agents", doc, 1_000, 1..=1_000_000);
        AgentSettings {
            max_agents: usize::try_from(max_agents).unwrap_or(usize::MAX),
            idle_after: agents.duration(
                "idle_after",
                "How long an agent that rests is held in memory; nothing is lost when it is let go of.",
                60 * SECOND,
                SECOND..=DAY,
            ),
            lease: agents.duration(
                "lease",
                "How long a worker that has died is waited for before others take its agents over.",
                30 * SECOND,
                SECOND..=DAY,
            ),
            queue: QueueLimits {
                depth: agents.optional_integer(
                    "max_queue",
                    "How many agents may wait for a worker; messages that would begin more work are refused with 429 and \
                     Retry-After. Default: any number.",
                    1..=1_000_000_000,
                ),
                age: agents.optional_duration(
                    "max_queue_age",
                    "How long the first of them may have waited; the same then. Default: as long as it takes.",
                    SECOND..=DAY,
                ),
                tenant_depth: agents.optional_integer(
                    "max_queue_per_tenant",
                    "How many agents of one tenant may wait; the same then for that tenant alone. Default: any number.",
                    1..=1_000_000_000,
                ),
            },
            templates: agents.text(
                "templates",
                "The folder of templates, looked for in the data directory and in the working directory.",
                "templates",
            ),
        }
    })
}
