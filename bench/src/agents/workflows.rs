//! Durable steps as the peers are measured: workflows that begin with nothing, so many at the same time, each begun when one
//! before it has ended. A workflow of ours is an agent with one turn.

use std::time::{Duration, Instant};

use seawall_runtime::Runtime;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::measures::{a_second, live, make, nanos};
use crate::quantiles::Times;

/// What isn't counted: connections are made, files have grown to their size.
const WARM_UP: Duration = Duration::from_secs(1);

/// How many workflows are kept going, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct Workflows {
    /// At the same time.
    pub at_once: usize,
    /// What is counted.
    pub span: Duration,
    /// Steps of each: calls of a tool, one after the other.
    pub steps: usize,
}

/// Steps a second, and how long a workflow takes from its making to its end.
///
/// # Errors
/// When a turn does not end well.
pub async fn workflows(runtime: &Runtime, plan: Workflows) -> anyhow::Result<Value> {
    many(runtime, plan.at_once, WARM_UP).await?;
    let begun = Instant::now();
    let times = many(runtime, plan.at_once, plan.span).await?;
    let elapsed = begun.elapsed().as_secs_f64();
    let count = times.len();
    Ok(json!({
        "at_once": plan.at_once,
        "workflows": count,
        "seconds": elapsed,
        "steps_a_second": a_second(count * plan.steps, elapsed),
        "workflow_us": times.summary(),
    }))
}

async fn many(runtime: &Runtime, at_once: usize, span: Duration) -> anyhow::Result<Times> {
    let end = Instant::now() + span;
    let mut clients = JoinSet::new();
    for _ in 0..at_once {
        clients.spawn(one_after_another(runtime.clone(), end));
    }
    let mut times = Times::default();
    while let Some(client) = clients.join_next().await {
        client??.into_iter().for_each(|time| times.push(nanos(time)));
    }
    Ok(times)
}

async fn one_after_another(runtime: Runtime, end: Instant) -> anyhow::Result<Vec<Duration>> {
    let mut times = Vec::new();
    while Instant::now() < end {
        let begun = Instant::now();
        let id = make(&runtime, &format!("workflow-{:016x}", fastrand::u64(..))).await?;
        live(runtime.clone(), id, 1).await?;
        times.push(begun.elapsed());
    }
    Ok(times)
}
