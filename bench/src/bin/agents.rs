//! Measures durable agents: a model that answers at once, everything else real. Prints one JSON document.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use clap::{Parser, Subcommand};
use seawall_base::clock::SystemClock;
use seawall_bench::agents::{Around, Plan, Workflows, around, memory, resume, seed, turns, workflows};
use seawall_store::AgentStore;
use seawall_store_json::JsonStore;
use seawall_store_postgres::{Options, PostgresStore};
use seawall_store_sqlite::SqliteAgents;

/// That of the product.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Lets agents work, and measures them
#[derive(Debug, Parser)]
struct Arguments {
    /// sqlite:PATH, json:FOLDER or postgres://…; best a new one
    #[arg(long)]
    store: String,
    /// A new folder for what else is written, which is left there: a file system that many files have just been removed from
    /// takes its time to make new ones. Without it one is made and removed
    #[arg(long)]
    folder: Option<PathBuf>,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Turns a second: user → model → tool → model → done
    Turns {
        /// Agents at the same time
        #[arg(long, default_value_t = 1)]
        agents: usize,
        /// Turns of each
        #[arg(long, default_value_t = 100)]
        turns: usize,
    },
    /// Durable steps a second: new agents, each with one turn of so many calls of a tool
    Steps {
        /// Agents at the same time
        #[arg(long, default_value_t = 1)]
        at_once: usize,
        /// What is counted, after a second that isn't
        #[arg(long, default_value_t = 5.0)]
        seconds: f64,
        /// Calls in a turn, one after the other
        #[arg(long, default_value_t = 10)]
        calls: usize,
    },
    /// Makes agents with histories, for the other two
    Seed {
        /// How many
        #[arg(long, default_value_t = 10_000)]
        agents: usize,
    },
    /// Memory of agents with a hundred messages: of the process before one is held, and of each that is held
    Memory {
        /// How many
        #[arg(long, default_value_t = 10_000)]
        agents: usize,
    },
    /// How long it takes to have an agent with a history again
    Resume {
        /// How many, one after the other
        #[arg(long, default_value_t = 200)]
        agents: usize,
    },
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let threads = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let own = if arguments.folder.is_none() { Some(tempfile::tempdir()?) } else { None };
    let folder = own.as_ref().map(|own| own.path().to_owned()).or(arguments.folder).context("no folder")?;
    let store = open(&arguments.store)?;
    let _entered = threads.enter();
    let calls = if let What::Steps { calls, .. } = arguments.what { calls } else { 1 };
    let Around { runtime, writer } = around(&folder, store, calls).map_err(|fault| anyhow!(fault))?;
    let figures = threads.block_on(async {
        match arguments.what {
            What::Turns { agents, turns: each } => turns(&runtime, Plan { agents, turns: each }).await,
            What::Steps { at_once, seconds, calls } => {
                let span = Duration::try_from_secs_f64(seconds)?;
                workflows(&runtime, Workflows { at_once, span, steps: calls }).await
            }
            What::Seed { agents } => seed(&runtime, agents).await,
            What::Memory { agents } => memory(&runtime, agents).await,
            What::Resume { agents } => resume(&runtime, agents).await,
        }
    })?;
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
