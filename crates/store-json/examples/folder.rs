//! Measures the folder on this machine: turns a second appended by many agents, loading, and opening.
//!
//! `cargo run --release -p seawall-store-json --example folder [FOLDER [SECONDS]]`; the folder is to be a new one, on the
//! disk that is meant. A turn is one append of six events and two messages.

#![expect(clippy::print_stdout, reason = "printing what it measured is what it is for")]

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use seawall_base::clock::SystemClock;
use seawall_engine::{
    Agent, AgentState, Answer, Authority, Block, Claim, Command, Compress, Compressed, Config, Event, Fact,
    MessageId, MessageKind, ModelAnswered, NewAgent, SendMessage, StopReason, create, decide,
};
use seawall_store::AgentStore;
use seawall_store::agents::{Appended, Kept, Lease, Owner, Right, Worker, WorkerId};
use seawall_store_json::JsonStore;
use seawall_types::{RunId, Timestamp, Usage, Usd};

type Any = Box<dyn Error + Send + Sync>;

const AT: Timestamp = Timestamp::from_micros(1_767_323_045_000_000);

struct Actor {
    kept: Kept,
    epoch: u64,
}

fn worker() -> Worker {
    Worker { id: WorkerId("bench".into()), lease: Duration::from_secs(86_400), max_agents: 1 << 20 }
}

impl Actor {
    async fn new(store: &JsonStore, name: &str) -> Result<Self, Any> {
        let new =
            NewAgent { id: name.parse()?, run: RunId::from_parts(1, &[1; 10]), config: Config::default() };
        let (kept, first) = Kept::create(Owner::default(), &create(new, AT)?.events)?;
        store.create(first).await?;
        store.renew(&worker()).await?;
        let Lease::Held { epoch } = store.claim(kept.id(), &worker().id).await? else {
            return Err("held".into());
        };
        let mut actor = Self { kept, epoch };
        actor.write(store, [Claim { owner: "bench".into() }.into()]).await?;
        Ok(actor)
    }

    /// Commands that are decided one after the other, in one append.
    async fn write(
        &mut self,
        store: &JsonStore,
        commands: impl IntoIterator<Item = Command>,
    ) -> Result<(), Any> {
        let mut agent: Agent = self.kept.agent().clone();
        let mut events: Vec<Event> = Vec::new();
        for command in commands {
            for event in decide(&agent, command, Authority::Holder { epoch: self.epoch }, AT)?.events {
                agent.apply(&event)?;
                events.push(event);
            }
        }
        let (kept, append) = self.kept.append(Right::Holder { epoch: self.epoch }, &events)?;
        if store.append(append).await? != Appended::Done {
            return Err("somebody else writes".into());
        }
        self.kept = kept;
        Ok(())
    }

    async fn turn(&mut self, store: &JsonStore) -> Result<(), Any> {
        let id = MessageId(format!("m{}", self.kept.seq()).into());
        let text = Block::text("What is the weather like in the city where the next conference is held?");
        let send = SendMessage { id, kind: MessageKind::User, content: [text].into() };
        let answer =
            Block::text("It is sunny with a light breeze, about twenty degrees in the afternoon. ".repeat(4));
        let answer = ModelAnswered {
            step: self.kept.agent().steps().saturating_add(1),
            attempt: 1,
            content: vec![Answer::Block(answer)],
            stop: StopReason::EndTurn,
            usage: Usage { input: 500, output: 80, ..Usage::default() },
            cost: Usd::from_picos(1_000_000),
        };
        self.write(store, [send.into(), answer.into()]).await
    }

    async fn compress(&mut self, store: &JsonStore) -> Result<(), Any> {
        if self.kept.agent().status().state != AgentState::Ready {
            return Ok(());
        }
        let decision = decide(self.kept.agent(), Compress, Authority::Holder { epoch: self.epoch }, AT)?;
        let begun =
            decision.events.iter().find(|event| matches!(event.fact, Fact::CompressionStarted { .. }));
        let id = begun.map(|event| event.seq).unwrap_or_default();
        let summary = Ok("They spoke of the weather.".into());
        self.write(store, [Compress.into(), Compressed { id, summary, spent: None }.into()]).await
    }
}

/// Turns a second by so many agents at once.
async fn produce(store: &Arc<JsonStore>, producers: u64, time: Duration) -> Result<(), Any> {
    let mut actors = Vec::new();
    for number in 0..producers {
        actors.push(Actor::new(store, &format!("p{producers}-{number}")).await?);
    }
    let (turns, begun) = (Arc::new(AtomicU64::new(0)), Instant::now());
    let mut tasks = tokio::task::JoinSet::new();
    for mut actor in actors {
        let (store, turns) = (Arc::clone(store), Arc::clone(&turns));
        tasks.spawn(async move {
            while begun.elapsed() < time {
                actor.turn(&store).await?;
                turns.fetch_add(1, Ordering::Relaxed);
            }
            Ok::<_, Any>(())
        });
    }
    for ended in tasks.join_all().await {
        ended?;
    }
    let rate = per_second(turns.load(Ordering::Relaxed), begun.elapsed());
    let id = format!("p{producers}-0").parse()?;
    let (row, bytes) = (store.agent(&id).await?, store.stats(Some(&id)).await?.bytes.unwrap_or_default());
    let each = bytes / (row.map_or(2, |row| row.messages) / 2).max(1);
    println!("append  {producers:>4} agents  {rate:>8.0} turns/s  {each} bytes a turn");
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "for people")]
fn per_second(count: u64, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// An agent of so many turns, compressed every 50 or never: loading it, and one turn more.
async fn grow(store: &Arc<JsonStore>, name: &str, turns: u32, compressed: bool) -> Result<(), Any> {
    let mut actor = Actor::new(store, name).await?;
    for turn in 1..=turns {
        actor.turn(store).await?;
        if compressed && turn % 50 == 0 {
            actor.compress(store).await?;
        }
    }
    let (mut loads, mut appends) = (Vec::new(), Vec::new());
    for _ in 0..50 {
        let begun = Instant::now();
        store.load(actor.kept.id()).await?;
        loads.push(begun.elapsed());
        let begun = Instant::now();
        actor.turn(store).await?;
        appends.push(begun.elapsed());
    }
    let shape = if compressed { "compressed" } else { "whole" };
    println!("{turns:>5} turns, {shape:<10}  load p50 {:?}, append p50 {:?}", median(loads), median(appends));
    Ok(())
}

fn open(folder: &Path) -> Result<JsonStore, Any> {
    Ok(JsonStore::open(folder, Arc::new(SystemClock::new()))?)
}

async fn measure(folder: &Path, time: Duration) -> Result<(), Any> {
    let store = Arc::new(open(&folder.join("agents-at-work"))?);
    for producers in [1, 50, 512] {
        produce(&store, producers, time).await?;
    }
    grow(&store, "short", 10, true).await?;
    grow(&store, "hundred-messages", 50, false).await?;
    grow(&store, "long", 5_000, true).await?;
    store.close().await?;

    let store = Arc::new(open(&folder.join("many"))?);
    let begun = Instant::now();
    for thousand in 0..20 {
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..500 {
            let store = Arc::clone(&store);
            tasks.spawn(async move { Actor::new(&store, &format!("a{thousand}-{number}")).await.map(drop) });
        }
        for ended in tasks.join_all().await {
            ended?;
        }
    }
    println!("10,000 agents made and claimed in {:?}", begun.elapsed());
    store.close().await?;
    let begun = Instant::now();
    let store = open(&folder.join("many"))?;
    println!("10,000 agents opened in {:?}", begun.elapsed());
    store.close().await?;
    Ok(())
}

fn main() -> Result<(), Any> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().unwrap_or_else(|| "seawall-json-bench".to_owned());
    let time = Duration::from_secs(arguments.next().as_deref().unwrap_or("3").parse()?);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build()?;
    runtime.block_on(measure(Path::new(&folder), time))
}
