//! Keys of parts that this build does not have. A file that is written for the whole product loads here as long as it asks
//! nothing of them; what it does ask for is refused by name.

use std::time::Duration;

use seawall_config::Reader;

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(86_400);

pub(super) fn declare(reader: &mut Reader<'_>) {
    reader.section("agents", "Agents, which this build does not run; without effect here.", |agents| {
        agents.integer("max_agents", "Agents at the same time.", 1_000, 1..=1_000_000);
        agents.duration("idle_after", "When an idle one is parked.", 60 * SECOND, SECOND..=DAY);
        agents.duration("lease", "How long a worker holds one.", 30 * SECOND, SECOND..=DAY);
        agents.text("templates", "The folder of their templates.", "templates");
    });
}
