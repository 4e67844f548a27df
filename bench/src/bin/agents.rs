//! How many turns agents make: user → model → tool → model → done, with a model that answers at once, everything else real.
//! Prints one JSON document.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Parser;
use seawall_base::clock::SystemClock;
use seawall_bench::agents::{Around, around};
use seawall_bench::quantiles::Times;
use seawall_engine::{AgentId, Block, MessageId, MessageKind};
use seawall_runtime::{CreateAgent, Runtime, Status};
use seawall_store::AgentStore;
use seawall_store_json::JsonStore;
use seawall_store_postgres::{Options, PostgresStore};
use seawall_store_sqlite::SqliteAgents;
use serde_json::json;

/// Lets agents work, and counts their turns
#[derive(Debug, Parser)]
struct Arguments {
    /// sqlite:PATH, json:FOLDER or postgres://…
    #[arg(long)]
    store: String,
    /// Agents at the same time
    #[arg(long, default_value_t = 1)]
    agents: usize,
    /// Turns of each
    #[arg(long, default_value_t = 100)]
    turns: usize,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let threads = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let folder = tempfile::tempdir()?;
    let store = open(&arguments.store)?;
    let _entered = threads.enter();
    let Around { runtime, writer } = around(folder.path(), store)?;
    let figures = threads.block_on(measure(&runtime, &arguments))?;
    writeln!(std::io::stdout(), "{figures}")?;
    threads.block_on(runtime.stop(Duration::from_secs(10)));
    writer.stop();
    Ok(())
}

fn open(store: &str) -> anyhow::Result<Arc<dyn AgentStore>> {
    let clock = Arc::new(SystemClock::new());
    if store.starts_with("postgres") {
        return Ok(Arc::new(PostgresStore::open(&Options::parse(store)?)?));
    }
    let (kind, path) = store.split_once(':').context("name a store: sqlite:PATH")?;
    let path = PathBuf::from(path);
    Ok(if kind == "json" {
        Arc::new(JsonStore::open(&path, clock)?)
    } else {
        Arc::new(SqliteAgents::open(&path, clock)?)
    })
}

async fn measure(runtime: &Runtime, arguments: &Arguments) -> anyhow::Result<serde_json::Value> {
    let mut ids = Vec::new();
    for number in 0..arguments.agents {
        let id: AgentId = format!("bench-{}-{number}", std::process::id()).parse()?;
        let template = "bench".to_owned();
        runtime.create(CreateAgent { id: Some(id.clone()), template, ..CreateAgent::default() }).await?;
        ids.push(id);
    }
    let begun = Instant::now();
    let mut working = tokio::task::JoinSet::new();
    for id in ids {
        working.spawn(live(runtime.clone(), id, arguments.turns));
    }
    let mut times = Times::default();
    while let Some(lived) = working.join_next().await {
        lived??.into_iter().for_each(|time| times.push(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)));
    }
    let elapsed = begun.elapsed().as_secs_f64();
    let turns = arguments.agents * arguments.turns;
    #[expect(clippy::cast_precision_loss, reason = "a count of turns")]
    let a_second = turns as f64 / elapsed;
    Ok(json!({
        "agents": arguments.agents,
        "turns": turns,
        "seconds": elapsed,
        "turns_a_second": a_second,
        "turn_us": times.summary(),
    }))
}

/// The turns of one agent, one after the other.
async fn live(runtime: Runtime, id: AgentId, turns: usize) -> anyhow::Result<Vec<Duration>> {
    let mut times = Vec::with_capacity(turns);
    for turn in 0..turns {
        let begun = Instant::now();
        let content = [Block::text("What is the weather like?")].into();
        let sent =
            runtime.send(&id, MessageId(format!("m{turn}").into()), MessageKind::User, content).await?;
        let completed = runtime.wait(&id, sent.first).await?;
        anyhow::ensure!(completed.status == Status::Ok, "{completed:?}");
        times.push(begun.elapsed());
    }
    Ok(times)
}
