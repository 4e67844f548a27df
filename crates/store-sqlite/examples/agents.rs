//! How much the store of agents does: appends a second, bytes a step, and what it takes to find an agent again.
//!
//! ```text
//! cargo run --release -p seawall-store-sqlite --example agents [FOLDER]
//! ```
//!
//! An append is what one step of a turn leaves behind: five events, the model's message and the tool's results, and the
//! row of one call. Everything is as durable as it is in production. Give a folder on the disk that is meant.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement ends when something fails, and prints"
)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use seawall_budget::{Limit, OnStoreDown};
use seawall_engine::{
    Answer, Authority, Block, CallId, Claim, Command, Compressed, Config, Context, Effect, Judged, Judgement,
    MessageId, MessageKind, ModelAnswered, NewAgent, SendMessage, StopReason, ToolFinished, ToolResult,
    ToolSpec, create, decide, outstanding,
};
use seawall_store::Limits as _;
use seawall_store::agents::{
    AgentStore, Append, Appended, Creation, Kept, Lease, Owner, Right, Worker, WorkerId,
};
use seawall_store_sqlite::{SqliteAgents, SqliteStore};
use seawall_types::{ApprovalId, ManualClock, RunId, Scope, Timestamp, Usage, Usd, Window};
use serde_json::json;
use tempfile::TempDir;
use tokio::task::JoinSet;

const NOW: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

/// Messages that a model sees before its history is compressed.
const WINDOW: usize = 100;

/// An agent in the middle of a turn that never ends.
struct Player {
    store: Arc<SqliteAgents>,
    kept: Kept,
    epoch: u64,
}

impl Player {
    async fn new(store: &Arc<SqliteAgents>, name: &str) -> Self {
        let tools = Arc::new([("search".into(), ToolSpec::default())].into());
        let context = Context { compress_at: Some(1_000), keep: 20 };
        let config = Config { template: "bench".into(), tools, context, ..Config::default() };
        let new = NewAgent { id: name.parse().unwrap(), run: RunId::from_bytes([1; 16]), config };
        let (kept, first) = Kept::create(Owner::default(), &create(new, NOW).unwrap().events).unwrap();
        assert_eq!(store.create(first).await.unwrap(), Creation::Made);
        let worker = Worker { id: WorkerId("w".into()), lease: Duration::from_hours(1), max_agents: 1000 };
        assert!(store.renew(&worker).await.unwrap());
        let Lease::Held { epoch } = store.claim(kept.id(), &worker.id).await.unwrap() else {
            return Self { store: Arc::clone(store), kept, epoch: 0 };
        };
        let mut player = Self { store: Arc::clone(store), kept, epoch };
        let content = [Block::text("please find out")].into();
        let hello = SendMessage { id: MessageId("m".into()), kind: MessageKind::User, content };
        player.give([Claim { owner: "w".into() }.into(), hello.into()]).await;
        player
    }

    /// Decides on commands one after the other, and writes what follows in one append.
    async fn give<const N: usize>(&mut self, commands: [Command; N]) {
        let (next, append) = self.prepare(commands);
        assert_eq!(self.store.append(append).await.unwrap(), Appended::Done);
        self.kept = next;
    }

    fn prepare<const N: usize>(&self, commands: [Command; N]) -> (Kept, Append) {
        let (mut agent, mut events) = (self.kept.agent().clone(), Vec::new());
        for command in commands {
            let holder = Authority::Holder { epoch: self.epoch };
            for event in decide(&agent, command, holder, NOW).unwrap().events {
                agent.apply(&event).unwrap();
                events.push(event);
            }
        }
        self.kept.append(Right::Holder { epoch: self.epoch }, &events).unwrap()
    }

    fn step_commands(&self) -> [Command; 3] {
        let step = self.kept.agent().steps();
        let call = CallId { step, index: 1 };
        let full = self.kept.agent().history().len() >= WINDOW;
        let usage = Usage { input: if full { 1_000 } else { 10 }, ..Usage::default() };
        let input = Arc::new(json!({ "query": "a".repeat(100), "step": step }));
        let content = vec![Answer::Call { provider_id: None, name: "search".into(), input }];
        let (stop, cost) = (StopReason::ToolUse, Usd::from_picos(1));
        let (approval, policy) = (ApprovalId::from_bytes([1; 16]), "p".into());
        let judgement = Judgement::Proceed;
        let result = ToolResult { content: [Block::text("r".repeat(1_000))].into(), is_error: false };
        [
            ModelAnswered { step, attempt: 1, content, stop, usage, cost }.into(),
            Judged { call, policy, judgement, approval, expires_at: None }.into(),
            ToolFinished { call, attempt: 1, result, spent: None }.into(),
        ]
    }

    async fn step(&mut self) {
        self.give(self.step_commands()).await;
        let open = outstanding(self.kept.agent());
        let compression = open.into_iter().find_map(|(_, effect)| match effect {
            Effect::Compress { id, .. } => Some(id),
            _ => None,
        });
        if let Some(id) = compression {
            self.give([Compressed { id, summary: Ok("what was said before".into()), spent: None }.into()])
                .await;
        }
    }
}

/// A store in a folder of its own, which goes with it.
fn open(folder: &Path) -> (TempDir, Arc<SqliteAgents>) {
    let own = tempfile::tempdir_in(folder).unwrap();
    let clock = Arc::new(ManualClock::new(NOW));
    let store = Arc::new(SqliteAgents::open(&own.path().join("seawall.db"), clock).unwrap());
    (own, store)
}

async fn appends(folder: &Path, producers: usize) {
    let (folder, store) = open(folder);
    let mut players = Vec::new();
    for number in 0..producers {
        players.push(Player::new(&store, &format!("a{number}")).await);
    }
    let before = store.stats(None).await.unwrap().bytes.unwrap();
    let began = Instant::now();
    let end = Duration::from_secs(4);
    let file = folder.path().join("seawall.db");
    let beside = std::thread::spawn(move || write_beside(&file, end));
    let mut tasks = JoinSet::new();
    for mut player in players {
        tasks.spawn(async move {
            let mut took = Vec::new();
            while began.elapsed() < end {
                let at = Instant::now();
                player.step().await;
                took.push(at.elapsed());
            }
            took
        });
    }
    let mut took = tasks.join_all().await.concat();
    let elapsed = began.elapsed();
    let bytes = store.stats(None).await.unwrap().bytes.unwrap() - before;
    took.sort_unstable();
    let count = took.len();
    println!(
        "{producers:>4} producers: {:>7.0} appends/s, {:>7.0} events/s, p50 {:?}, p99 {:?}, max {:?}, {} bytes a step",
        rate(count, elapsed),
        5.0 * rate(count, elapsed),
        took.get(count / 2).unwrap(),
        took.get(count * 99 / 100).unwrap(),
        took.last().unwrap(),
        bytes / u64::try_from(count).unwrap(),
    );
    let (p50, longest) = beside.join().unwrap();
    println!("     beside them a limit is set: p50 {p50:?}, max {longest:?}");
    store.close().await.unwrap();
}

/// Somebody who writes a limit now and then, through another connection: how long each takes, the median and the longest.
fn write_beside(file: &Path, during: Duration) -> (Duration, Duration) {
    let (store, began) = (SqliteStore::open(file).unwrap(), Instant::now());
    let (scope, window, on_store_down) = (Scope::Global, Window::Day, OnStoreDown::Closed);
    let limit = Limit { scope, window, usd: None, tokens: Some(1), on_store_down };
    let mut took = Vec::new();
    while began.elapsed() < during {
        let at = Instant::now();
        store.set(&limit, NOW).unwrap();
        took.push(at.elapsed());
        std::thread::sleep(Duration::from_millis(20));
    }
    took.sort_unstable();
    (*took.get(took.len() / 2).unwrap(), *took.last().unwrap())
}

fn rate(count: usize, elapsed: Duration) -> f64 {
    f64::from(u32::try_from(count).unwrap()) / elapsed.as_secs_f64()
}

async fn loads(store: &Arc<SqliteAgents>, player: &Player) -> (Duration, Duration) {
    let mut took = Vec::new();
    for _ in 0..300 {
        let at = Instant::now();
        let kept = store.load(player.kept.id()).await.unwrap().unwrap();
        took.push(at.elapsed());
        assert_eq!(kept.seq(), player.kept.seq());
    }
    took.sort_unstable();
    (*took.get(150).unwrap(), *took.get(297).unwrap())
}

/// The same agent, younger and older.
async fn ages(folder: &Path) {
    let (_folder, store) = open(folder);
    let mut player = Player::new(&store, "a").await;
    let mut done = 0;
    for steps in [10, 49, 100, 500, 2_500, 5_000] {
        while done < steps - 50_i32 {
            player.step().await;
            done += 1;
        }
        let mut took = Vec::new();
        while done < steps {
            let at = Instant::now();
            player.step().await;
            took.push(at.elapsed());
            done += 1;
        }
        took.sort_unstable();
        let (p50, p99) = loads(&store, &player).await;
        println!(
            "{steps:>5} steps, {:>3} messages seen: append p50 {:?}; load p50 {p50:?}, p99 {p99:?}",
            player.kept.agent().history().len(),
            took.get(took.len() / 2).unwrap(),
        );
    }
    store.close().await.unwrap();
}

fn main() {
    let folder = std::env::args_os().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    runtime.block_on(async {
        for producers in [1, 50, 512] {
            appends(&folder, producers).await;
        }
        ages(&folder).await;
    });
}
