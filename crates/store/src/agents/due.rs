//! When an agent is to be run.

use seawall_engine::Agent;
use seawall_types::Timestamp;

/// When somebody has to run the agent: at once (the time of its last event), at a time that it sleeps until, or not
/// before something is said to it (`None`).
#[must_use]
pub fn due(agent: &Agent) -> Option<Timestamp> {
    if agent.rests() { agent.wake_at() } else { Some(agent.last_event_at()) }
}
