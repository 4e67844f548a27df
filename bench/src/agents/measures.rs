//! What is measured of durable agents. Each gives one document; times are in microseconds.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use seawall_engine::{AgentId, Block, MessageId, MessageKind};
use seawall_runtime::{CreateAgent, ForkAt, Runtime, Status};
use serde_json::{Value, json};

use crate::quantiles::Times;

/// Turns that give a history of a hundred messages, of which the last is made while it is measured.
const HISTORY: usize = 24;

/// So many agents are taken up at the same time.
const AT_ONCE: usize = 500;

/// So many may be awake while others are taken up. Each has two files of its trace open, and a system allows so many: often 20,000.
const AWAKE: usize = 7_500;

/// How often it is looked whether they are.
const AGAIN: Duration = Duration::from_millis(50);

/// Agents that were just talked to keep a little more for a moment.
const RESTED: Duration = Duration::from_secs(15);

/// How many agents make how many turns each.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// At the same time.
    pub agents: usize,
    /// One after the other.
    pub turns: usize,
}

/// Turns a second, and how long one takes.
///
/// # Errors
/// When a turn does not end well.
pub async fn turns(runtime: &Runtime, plan: Plan) -> anyhow::Result<Value> {
    let mut ids = Vec::new();
    for number in 0..plan.agents {
        ids.push(make(runtime, &format!("bench-{}-{number}", std::process::id())).await?);
    }
    let begun = Instant::now();
    let times = all(runtime, &ids, plan.turns).await?;
    let elapsed = begun.elapsed().as_secs_f64();
    let turns = plan.agents * plan.turns;
    Ok(json!({
        "agents": plan.agents,
        "turns": turns,
        "seconds": elapsed,
        "turns_a_second": a_second(turns, elapsed),
        "turn_us": times.summary(),
    }))
}

/// Makes agents with histories of just below a hundred messages, for [`memory`] and [`resume`].
///
/// # Errors
/// When one can't be made.
pub async fn seed(runtime: &Runtime, agents: usize) -> anyhow::Result<Value> {
    let first = make(runtime, "first").await?;
    live(runtime.clone(), first.clone(), HISTORY).await?;
    for number in 0..agents {
        runtime.fork(&first, Some(seeded(number)?), ForkAt::Now).await?;
    }
    Ok(json!({ "agents": agents, "messages": HISTORY * 4 }))
}

/// Memory of this process before any agent of a store is held, and of each of so many when all are held and rest.
///
/// # Errors
/// When the memory of this process can't be read.
pub async fn memory(runtime: &Runtime, agents: usize) -> anyhow::Result<Value> {
    let parked = resident()?;
    let ids: Vec<_> = (0..agents).map(seeded).collect::<Result<_, _>>()?;
    // Not all at once: a store turns work away when too much of it waits.
    for some in ids.chunks(AT_ONCE) {
        all(runtime, some, 1).await?;
        while awake(runtime) > AWAKE {
            tokio::time::sleep(AGAIN).await;
        }
    }
    let held = runtime.gauges().held;
    ensure!(held == agents, "{held} of {agents} agents are held");
    tokio::time::sleep(RESTED).await;
    let live = resident()?;
    #[expect(clippy::cast_precision_loss, reason = "bytes of a process")]
    let each = live.saturating_sub(parked) as f64 / agents.max(1) as f64;
    Ok(
        json!({ "agents": agents, "messages": (HISTORY + 1) * 4, "resident_bytes": parked, "live_bytes_each": each }),
    )
}

/// Agents that are held and have not rested for long.
fn awake(runtime: &Runtime) -> usize {
    let gauges = runtime.gauges();
    gauges.held.saturating_sub(gauges.dozing)
}

/// How long it takes to have an agent as it was, from the store.
///
/// # Errors
/// When one can't be read.
pub async fn resume(runtime: &Runtime, agents: usize) -> anyhow::Result<Value> {
    let mut times = Times::default();
    for number in 0..agents {
        let id = seeded(number)?;
        let begun = Instant::now();
        let kept = runtime.load(&id).await?;
        times.push(nanos(begun.elapsed()));
        ensure!(kept.agent().history().len() == HISTORY * 4, "{} messages", kept.agent().history().len());
    }
    Ok(json!({ "agents": agents, "messages": HISTORY * 4, "resume_us": times.summary() }))
}

fn seeded(number: usize) -> anyhow::Result<AgentId> {
    Ok(format!("seeded-{number}").parse()?)
}

pub(super) async fn make(runtime: &Runtime, name: &str) -> anyhow::Result<AgentId> {
    let id: AgentId = name.parse()?;
    let template = "bench".to_owned();
    runtime.create(CreateAgent { id: Some(id.clone()), template, ..CreateAgent::default() }).await?;
    Ok(id)
}

/// Turns of all of these agents at the same time.
async fn all(runtime: &Runtime, ids: &[AgentId], turns: usize) -> anyhow::Result<Times> {
    let mut working = tokio::task::JoinSet::new();
    for id in ids {
        working.spawn(live(runtime.clone(), id.clone(), turns));
    }
    let mut times = Times::default();
    while let Some(lived) = working.join_next().await {
        lived??.into_iter().for_each(|time| times.push(nanos(time)));
    }
    Ok(times)
}

/// The turns of one agent, one after the other.
pub(super) async fn live(runtime: Runtime, id: AgentId, turns: usize) -> anyhow::Result<Vec<Duration>> {
    let mut times = Vec::with_capacity(turns);
    for turn in 0..turns {
        let begun = Instant::now();
        let content = [Block::text("What is the weather like?")].into();
        let name = MessageId(format!("m{turn}-{}", fastrand::u64(..)).into());
        let sent = runtime.send(&id, name, MessageKind::User, content).await?;
        let completed = runtime.wait(&id, sent.first).await?;
        ensure!(completed.status == Status::Ok, "{completed:?}");
        times.push(begun.elapsed());
    }
    Ok(times)
}

pub(super) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[expect(clippy::cast_precision_loss, reason = "a count of turns")]
pub(super) fn a_second(count: usize, seconds: f64) -> f64 {
    count as f64 / seconds
}

/// Memory of this process that is in use, in bytes.
fn resident() -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kib: u64 = line.trim().trim_end_matches(" kB").trim().parse()?;
    Ok(kib * 1024)
}
