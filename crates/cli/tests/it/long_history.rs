//! An agent with 5,000 turns behind it, in SQLite: a turn, and taking the agent up, cost what they cost at the beginning.
//!
//! What is asserted is counted: bytes that the process reads and writes, requests to the store, bytes of the requests to the
//! model. What the clock says of it is printed (`--no-capture`), on whatever disk and beside whatever else.

use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use seawall_base::clock::SystemClock;
use seawall_budget::Ledger;
use seawall_checkpoint::Checkpoint;
use seawall_checkpoint::tool::Resolver;
use seawall_engine::{AgentId, Block, EffectClass, MessageId, MessageKind, ToolSpec};
use seawall_llm_client::{Requester, client_config};
use seawall_policy::{Declared, Policy};
use seawall_runtime::{
    BoxFuture, CreateAgent, Model, NoReply, Parts, Pieces, Policies, Question, Reply, Runtime, Settings,
    Status, Templates,
};
use seawall_sandbox::Sandbox;
use seawall_store::AgentStore;
use seawall_store::agents::{Measured, Owner, check_consistency};
use seawall_store_sqlite::SqliteAgents;
use seawall_tools::{Call, Description, Outcome, Registry, Tool};
use seawall_trace::{MemoryHeads, Writer};
use seawall_types::Mode;
use serde_json::{Value, json};

const TURNS: usize = 5_000;
const BLOCK: usize = 500;

/// It asks for a tool, and answers when it has the result. Where no tools are to be called it sums up.
#[derive(Debug, Default)]
struct Prompt {
    longest: AtomicUsize,
}

#[derive(Debug)]
struct Whole(Option<Bytes>);

impl Pieces for Whole {
    fn next(&mut self) -> BoxFuture<'_, Option<Result<Bytes, NoReply>>> {
        Box::pin(async { self.0.take().map(Ok) })
    }
}

impl Model for Prompt {
    fn ask(&self, question: Question) -> BoxFuture<'_, Result<Reply, NoReply>> {
        Box::pin(async move {
            self.longest.fetch_max(question.body.len(), Ordering::Relaxed);
            let body: Value = serde_json::from_slice(&question.body).unwrap();
            let last = body["messages"].as_array().unwrap().last().unwrap();
            let message = if body.get("tools").is_some() && last["role"] == "user" {
                let call = json!({ "name": "search", "arguments": "{\"query\":\"what was asked\"}" });
                let call = json!({ "id": "toolcall-0", "type": "function", "function": call });
                json!({ "role": "assistant", "content": null, "tool_calls": [call] })
            } else {
                json!({ "role": "assistant", "content": "answer ".repeat(60) })
            };
            let prompt = question.body.len() / 4;
            let answer = json!({
                "id": "c", "object": "chat.completion", "model": "m",
                "choices": [{ "index": 0, "message": message, "finish_reason": "stop" }],
                "usage": { "prompt_tokens": prompt, "completion_tokens": 100, "total_tokens": prompt + 100 },
            });
            let kind = (http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
            Ok(Reply {
                status: http::StatusCode::OK,
                headers: http::HeaderMap::from_iter([kind]),
                body: Box::new(Whole(Some(answer.to_string().into()))),
            })
        })
    }
}

#[derive(Debug)]
struct Search(Description);

impl Tool for Search {
    fn description(&self) -> &Description {
        &self.0
    }

    fn call<'a>(&'a self, _call: Call<'a>) -> seawall_tools::BoxFuture<'a, Outcome> {
        Box::pin(async { Outcome::text("found ".repeat(170)) })
    }
}

#[derive(Debug)]
struct Everything;

impl Policies for Everything {
    fn generation(&self) -> u64 {
        1
    }

    fn policy_for(&self, _owner: &Owner, _folder: &Path) -> Arc<Policy> {
        Arc::new(Policy::off(Mode::Strict))
    }
}

#[derive(Debug)]
struct NoNames;

impl Resolver for NoNames {
    fn resolve(&self, _host: &str) -> io::Result<Vec<IpAddr>> {
        Err(io::ErrorKind::NotFound.into())
    }
}

/// One life of a process: the store is opened, and a runtime started on it.
struct Life {
    runtime: Runtime,
    store: Arc<Measured<dyn AgentStore>>,
    model: Arc<Prompt>,
    writer: Writer,
}

impl Life {
    fn begin(folder: &Path, number: usize) -> Self {
        let clock = Arc::new(SystemClock::new());
        let agents = SqliteAgents::open(&folder.join("seawall.db"), Arc::clone(&clock) as _).unwrap();
        let agents: Arc<dyn AgentStore> = Arc::new(agents);
        let store = Arc::new(Measured::new(agents, Arc::clone(&clock) as _));
        let options = seawall_trace::Options::new(folder.join(format!("runs-{number}")));
        let (writer, trace) =
            Writer::start(options, Arc::new(MemoryHeads::default()), Arc::clone(&clock) as _).unwrap();
        let ledger = Arc::new(Ledger::in_memory(Vec::new()));
        let templates = Templates::new();
        let template = json!({
            "id": "clerk", "system_prompt": "You are a clerk.", "tools": "*",
            "model": { "provider": "openai", "name": "sim-1" },
            "context": { "compress_at": 8_000, "keep": 10 },
        });
        templates.add(serde_json::from_value(template).unwrap());
        let model = Arc::new(Prompt::default());
        let runtime = Runtime::start(Parts {
            store: Arc::clone(&store) as _,
            checkpoint: Arc::new(Checkpoint::new(ledger, trace, Arc::clone(&clock) as _)),
            policies: Arc::new(Everything),
            resolver: Arc::new(NoNames),
            model: Arc::clone(&model) as _,
            templates: Arc::new(templates),
            tools: Arc::new(Registry::with([search()]).unwrap()),
            servers: None,
            sandbox: Sandbox::of_this_program(),
            requester: Requester::new(&client_config().unwrap(), Duration::from_secs(5)),
            hooks: Vec::new(),
            clock,
            settings: Settings { places: folder.join("agents"), ..Settings::default() },
        });
        Self { runtime, store, model, writer }
    }

    async fn turn(&self, id: &AgentId, number: usize) {
        let content = [Block::text("please find out what was asked")].into();
        let name = MessageId(format!("m{number}").into());
        let sent = self.runtime.send(id, name, MessageKind::User, content).await.unwrap();
        let completed = self.runtime.wait(id, sent.first).await.unwrap();
        assert_eq!(completed.status, Status::Ok, "turn {number}: {completed:?}");
    }

    /// How often the store was asked to write, and to read.
    async fn asked(&self) -> (u64, u64) {
        let operations = self.store.metrics().await.unwrap().operations;
        (operations.saves, operations.loads)
    }

    async fn end(self) {
        assert!(self.runtime.stop(Duration::from_secs(10)).await);
        self.store.close().await.unwrap();
        let _counts = self.writer.stop();
    }
}

fn search() -> Arc<dyn Tool> {
    let parameters = json!({ "type": "object", "properties": { "query": { "type": "string" } } });
    Arc::new(Search(Description {
        name: "search".into(),
        description: "finds".into(),
        parameters: Arc::new(parameters),
        spec: ToolSpec { effect: EffectClass::Pure, ..ToolSpec::default() },
        effects: Declared::Nothing,
        manual: None,
    }))
}

/// Bytes that this process has read and written, files and pipes alike.
fn bytes() -> (u64, u64) {
    let text = std::fs::read_to_string("/proc/self/io").unwrap();
    let of = |name: &str| -> u64 {
        text.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().parse().unwrap()
    };
    (of("rchar:"), of("wchar:"))
}

/// What a block of turns took.
#[derive(Debug)]
struct Taken {
    /// Bytes read until the store was open and the agent read.
    resume_read: u64,
    /// Requests to the store until it had answered once.
    resume_loads: u64,
    resume: Duration,
    /// Bytes written for the turns after that.
    written: u64,
    saves: u64,
    loads: u64,
    longest_request: usize,
    turns: Duration,
}

async fn block(folder: &Path, id: &AgentId, from: usize) -> Taken {
    let (before, begun) = (bytes(), Instant::now());
    let life = Life::begin(folder, from);
    if from == 0 {
        let request =
            CreateAgent { id: Some(id.clone()), template: "clerk".to_owned(), ..CreateAgent::default() };
        life.runtime.create(request).await.unwrap();
    }
    // Read once by itself: how often the first turn has it read depends on who is quicker, its holder or who waits for it.
    life.runtime.load(id).await.unwrap();
    let read = bytes().0;
    life.turn(id, from).await;
    let (resumed, resume) = (bytes(), begun.elapsed());
    let (saves, resume_loads) = life.asked().await;
    let begun = Instant::now();
    for number in from + 1..from + BLOCK {
        life.turn(id, number).await;
    }
    let turns = begun.elapsed();
    let (written, asked) = (bytes().1 - resumed.1, life.asked().await);
    let longest_request = life.model.longest.load(Ordering::Relaxed);
    life.end().await;
    Taken {
        resume_read: read - before.0,
        resume_loads,
        resume,
        written,
        saves: asked.0 - saves,
        loads: asked.1 - resume_loads,
        longest_request,
        turns,
    }
}

/// A folder in memory where there is one: how long a disk takes is not what is claimed.
fn folder() -> tempfile::TempDir {
    let memory = PathBuf::from("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory).unwrap() } else { tempfile::tempdir().unwrap() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_five_thousandth_turn_costs_what_the_five_hundredth_did() {
    let (folder, id) = (folder(), "old".parse::<AgentId>().unwrap());
    let mut blocks = Vec::new();
    for from in (0..TURNS).step_by(BLOCK) {
        let taken = block(folder.path(), &id, from).await;
        eprintln!(
            "turns {from}..{}: {:.2} ms and {} bytes written a turn; resume and first turn {:.1} ms, {} bytes read to resume",
            from + BLOCK,
            taken.turns.as_secs_f64() * 1_000.0 / (BLOCK - 1) as f64,
            taken.written / (BLOCK as u64 - 1),
            taken.resume.as_secs_f64() * 1_000.0,
            taken.resume_read,
        );
        blocks.push(taken);
    }
    // The first block has no history to be taken up. The second is what all later ones are held against.
    let early = &blocks[1];
    assert!(early.written > 0 && early.saves > 1_000 && early.resume_read > 0, "{early:?}");
    for (number, later) in blocks.iter().enumerate().skip(2) {
        let at_most = |what: &str, is: u64, was: u64, percent: u64| {
            assert!(
                is * 100 <= was * percent,
                "block {number}, {what}: {is}, and {was} at the beginning\n{later:?}"
            );
        };
        at_most("bytes written", later.written, early.written, 125);
        at_most("bytes read at resume", later.resume_read, early.resume_read, 125);
        at_most("requests to write", later.saves, early.saves, 105);
        at_most("requests to read", later.loads, early.loads.max(10), 105);
        at_most("requests to read at resume", later.resume_loads, early.resume_loads.max(10), 105);
        at_most("bytes of a request", later.longest_request as u64, early.longest_request as u64, 110);
    }
    let store = SqliteAgents::open(&folder.path().join("seawall.db"), Arc::new(SystemClock::new())).unwrap();
    let row = store.agent(&id).await.unwrap().unwrap();
    assert!(row.messages >= 4 * TURNS as u64, "nothing of it is gone: {row:?}");
    assert!(check_consistency(&store, &id).await.unwrap().is_consistent());
}
