//! `seawall doctor --capacity`: how many agents this machine carries, measured on it and not taken from a table.
//!
//! Turns are those of [`seawall_runtime::measure`]: a message, a model that answers at once, a tool, the model again, all of it
//! written durably. What real models take comes on top, and is no load of this machine.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use rustix::process::{Resource, getrlimit};
use seawall_base::clock::SystemClock;
use seawall_engine::{AgentId, Block, MessageId, MessageKind};
use seawall_runtime::measure::{Around, TEMPLATE, around};
use seawall_runtime::{CreateAgent, Runtime, Status};
use seawall_store::AgentStore;
use seawall_store_postgres::Scratch;
use seawall_types::Clock;
use serde::Serialize;
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::commands::World;
use crate::exit::{Failure, Outcome};
use crate::settings::StoreChoice;
use crate::{boot, output, settings};

/// Agents that work at the same time.
const TOGETHER: usize = 50;
/// How long turns are counted.
const ALONE_FOR: Duration = Duration::from_secs(1);
const TOGETHER_FOR: Duration = Duration::from_secs(2);
/// Agents by which memory is measured.
const HELD: usize = 500;
/// Writes that wait for the disk.
const SYNCS: usize = 100;
/// What is written each time.
const BLOCK: [u8; 4096] = [0; 4096];

/// What was measured.
#[derive(Debug, Serialize)]
struct Capacity {
    store: &'static str,
    turns_per_second: Turns,
    bytes_per_agent: Bytes,
    fsync_ms: Fsync,
    memory_available_bytes: u64,
    /// How many agents in memory take half of what is free.
    agents_in_half_of_memory: u64,
    open_files: Option<u64>,
    cpus: usize,
}

#[derive(Debug, Serialize)]
struct Turns {
    one_agent: f64,
    fifty_agents: f64,
}

#[derive(Debug, Serialize)]
struct Bytes {
    /// Held in memory, with one turn behind it.
    live: u64,
    /// In the store alone.
    parked: u64,
}

#[derive(Debug, Serialize)]
struct Fsync {
    p50: f64,
    p99: f64,
}

pub(crate) fn run(world: &World<'_>, store: Option<String>) -> Outcome {
    let flags = store.map(|store| ("store".to_owned(), Value::String(store)));
    let sources = settings::sources(world.global, world.environment, flags.into_iter().collect());
    let (_, settings) = settings::load(&sources).map_err(Failure::usage)?;
    let near = near(&settings.store, &world.data_dir());
    let folder = TempDir::with_prefix_in(".capacity-", &near)
        .with_context(|| format!("{} can't be written to", near.display()))?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let threads = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let Beside { kind, store, scratch } = Beside::of(&settings.store, folder.path(), &clock)?;
    let capacity = threads.block_on(measured(folder.path(), store, kind));
    threads.shutdown_timeout(Duration::from_secs(1));
    let removed = scratch.map(Scratch::remove).transpose();
    let capacity = capacity?;
    removed?;
    if world.global.json {
        output::json(&capacity);
    } else {
        show(&capacity);
    }
    Ok(ExitCode::SUCCESS)
}

/// The folder on whose disk the store is.
fn near(choice: &StoreChoice, data_dir: &Path) -> PathBuf {
    let place = match choice {
        StoreChoice::Sqlite(file) => file.parent().map(Path::to_path_buf),
        StoreChoice::Json(folder) => folder.parent().map(Path::to_path_buf),
        StoreChoice::Own | StoreChoice::Postgres(_) => None,
    };
    let place = place.unwrap_or_else(|| data_dir.to_owned());
    let is_place = |folder: &&Path| folder.as_os_str().is_empty() || folder.is_dir();
    let there = place.ancestors().find(is_place).unwrap_or_else(|| Path::new("."));
    if there.as_os_str().is_empty() { PathBuf::from(".") } else { there.to_owned() }
}

/// A store of the same kind that nobody has agents in: in the folder, or in a schema of its own.
struct Beside {
    kind: &'static str,
    store: Arc<dyn AgentStore>,
    scratch: Option<Scratch>,
}

impl Beside {
    fn of(choice: &StoreChoice, folder: &Path, clock: &Arc<dyn Clock>) -> Result<Self, Failure> {
        let (kind, choice) = match choice {
            StoreChoice::Own | StoreChoice::Sqlite(_) => {
                ("sqlite", StoreChoice::Sqlite(folder.join("seawall.db")))
            }
            StoreChoice::Json(_) => ("json", StoreChoice::Json(folder.join("agents"))),
            StoreChoice::Postgres(url) => {
                let scratch = Scratch::open(&boot::postgres(url)?)?;
                let store = Arc::clone(scratch.store()) as Arc<dyn AgentStore>;
                return Ok(Self { kind: "postgres", store, scratch: Some(scratch) });
            }
        };
        Ok(Self { kind, store: boot::agent_store(&choice, folder, clock)?, scratch: None })
    }
}

async fn measured(
    folder: &Path,
    store: Arc<dyn AgentStore>,
    kind: &'static str,
) -> Result<Capacity, Failure> {
    let fsync = fsync(folder)?;
    let Around { runtime, writer } =
        around(folder, Arc::clone(&store), 1).map_err(|fault| anyhow!("nothing can be measured: {fault}"))?;
    let outcome = carried(&runtime).await;
    runtime.stop(Duration::from_secs(10)).await;
    let _counts = writer.stop();
    store.close().await?;
    let (turns_per_second, bytes_per_agent) = outcome?;
    let memory_available_bytes = memory("MemAvailable:").unwrap_or(0);
    Ok(Capacity {
        store: kind,
        agents_in_half_of_memory: (memory_available_bytes / 2).checked_div(bytes_per_agent.live).unwrap_or(0),
        turns_per_second,
        bytes_per_agent,
        fsync_ms: fsync,
        memory_available_bytes,
        open_files: getrlimit(Resource::Nofile).current,
        cpus: std::thread::available_parallelism().map_or(1, Into::into),
    })
}

/// What agents take, first of time, then of memory.
async fn carried(runtime: &Runtime) -> anyhow::Result<(Turns, Bytes)> {
    let one_agent = turns(runtime, "one", 1, ALONE_FOR).await?;
    let fifty_agents = turns(runtime, "of-many", TOGETHER, TOGETHER_FOR).await?;
    let before = resident()?;
    // All at once: what is written at the same time waits for the disk once.
    let mut made = JoinSet::new();
    for number in 0..HELD {
        let (runtime, id) = (runtime.clone(), named("held", number)?);
        made.spawn(async move { create(&runtime, &id).await.map(|()| id) });
    }
    let ids = made.join_all().await;
    let parked = resident()?;
    let mut talks = JoinSet::new();
    for id in ids {
        let (runtime, id) = (runtime.clone(), id?);
        talks.spawn(async move { turn(&runtime, &id, 0).await });
    }
    talks.join_all().await.into_iter().collect::<anyhow::Result<()>>()?;
    let live = resident()?;
    let each = |from: u64, to: u64| to.saturating_sub(from) / u64::try_from(HELD).unwrap_or(u64::MAX);
    let bytes = Bytes { live: each(parked, live), parked: each(before, parked) };
    Ok((Turns { one_agent, fifty_agents }, bytes))
}

/// How many turns so many agents make in a second.
async fn turns(runtime: &Runtime, name: &str, agents: usize, long: Duration) -> anyhow::Result<f64> {
    let mut lives = JoinSet::new();
    let together = Arc::new(Barrier::new(agents));
    for number in 0..agents {
        let (runtime, id, together) = (runtime.clone(), named(name, number)?, Arc::clone(&together));
        lives.spawn(async move {
            // The first turn opens what there is to open.
            let opened = async {
                create(&runtime, &id).await?;
                turn(&runtime, &id, 0).await
            };
            let opened = opened.await;
            // Also those that failed: the others would wait for ever.
            together.wait().await;
            opened?;
            let (began, mut turns) = (Instant::now(), 0_u32);
            while began.elapsed() < long {
                turns = turns.saturating_add(1);
                turn(&runtime, &id, turns).await?;
            }
            anyhow::Ok(f64::from(turns) / began.elapsed().as_secs_f64())
        });
    }
    lives.join_all().await.into_iter().sum()
}

fn named(name: &str, number: usize) -> anyhow::Result<AgentId> {
    Ok(format!("capacity-{name}-{number}").parse()?)
}

async fn create(runtime: &Runtime, id: &AgentId) -> anyhow::Result<()> {
    let template = TEMPLATE.to_owned();
    runtime.create(CreateAgent { id: Some(id.clone()), template, ..CreateAgent::default() }).await?;
    Ok(())
}

async fn turn(runtime: &Runtime, id: &AgentId, number: u32) -> anyhow::Result<()> {
    let name = MessageId(format!("m{number}").into());
    let sent = runtime.send(id, name, MessageKind::User, [Block::text("How is the weather?")].into()).await?;
    let completed = runtime.wait(id, sent.first).await?;
    if completed.status != Status::Ok {
        bail!("a turn ended as {}: {:?}", completed.status.as_str(), completed.error);
    }
    Ok(())
}

/// How long the disk takes to keep what it was given.
fn fsync(folder: &Path) -> anyhow::Result<Fsync> {
    let path = folder.join("fsync");
    let mut file = File::create(&path)?;
    let mut took = Vec::with_capacity(SYNCS);
    for _ in 0..SYNCS {
        let began = Instant::now();
        file.write_all(&BLOCK)?;
        file.sync_data()?;
        took.push(began.elapsed());
    }
    fs::remove_file(&path)?;
    took.sort_unstable();
    let of = |percent: usize| {
        let place = took.len().saturating_sub(1).saturating_mul(percent) / 100;
        took.get(place).map_or(0.0, Duration::as_secs_f64) * 1e3
    };
    Ok(Fsync { p50: of(50), p99: of(99) })
}

/// A line of what the kernel says of memory, in bytes.
fn memory(name: &str) -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    kilobytes(&text, name)
}

/// The memory of this process.
fn resident() -> anyhow::Result<u64> {
    let text = fs::read_to_string("/proc/self/status")?;
    kilobytes(&text, "VmRSS:").context("the kernel does not say how much memory this process has")
}

fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let number: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(number.saturating_mul(1024))
}

fn show(capacity: &Capacity) {
    let Capacity { turns_per_second: turns, bytes_per_agent: bytes, fsync_ms: fsync, .. } = capacity;
    let megabytes = capacity.memory_available_bytes / (1024 * 1024);
    let files = capacity.open_files.map_or_else(|| "no limit".to_owned(), |files| files.to_string());
    let rows = [
        ("store", capacity.store.to_owned()),
        ("turns a second, one agent", format!("{:.0}", turns.one_agent)),
        ("turns a second, 50 agents", format!("{:.0}", turns.fifty_agents)),
        ("memory, an agent that is held", format!("{:.1} KiB", kibibytes(bytes.live))),
        ("memory, an agent in the store alone", format!("{} B", bytes.parked)),
        ("memory that is free", format!("{megabytes} MiB")),
        ("agents held in half of that", capacity.agents_in_half_of_memory.to_string()),
        ("disk, write and sync of 4 KiB", format!("{:.2} ms p50, {:.2} ms p99", fsync.p50, fsync.p99)),
        ("open files", files),
        ("CPUs", capacity.cpus.to_string()),
    ];
    let rows: Vec<_> = rows.into_iter().map(|(what, value)| vec![what.to_owned(), value]).collect();
    output::table(&["MEASURED HERE", ""], &rows);
}

#[expect(clippy::cast_precision_loss, reason = "for people's eyes")]
fn kibibytes(bytes: u64) -> f64 {
    bytes as f64 / 1024.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_says_is_read() {
        let text = "VmPeak:\t 9 kB\nVmRSS:\t  2048 kB\nThreads:\t1\n";
        assert_eq!(kilobytes(text, "VmRSS:"), Some(2 * 1024 * 1024));
        assert_eq!(kilobytes(text, "Threads:"), None);
        assert!(resident().unwrap() > 0 && memory("MemAvailable:").unwrap() > 0);
    }
}
