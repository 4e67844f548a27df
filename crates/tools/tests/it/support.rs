//! An agent with a place of its own, and something outside of it that is none of its business.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use seawall_engine::{AgentId, Block, CallId, Found, Todo};
use seawall_sandbox::Sandbox;
use seawall_tools::{Call, Outcome, Place, PlaceSettings, Registry, Tool, built_in};
use seawall_types::RunId;
use serde_json::Value;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// What commands are started through.
pub(crate) const LAUNCHER: &str = env!("CARGO_BIN_EXE_seawall-tools-launcher");

pub(crate) struct Agent {
    folder: TempDir,
    id: AgentId,
    pub(crate) tools: Registry,
    pub(crate) place: Arc<Place>,
    pub(crate) todos: Vec<Todo>,
    pub(crate) cancel: CancellationToken,
    /// Steps so far, of those that are not named.
    steps: AtomicU64,
}

/// How a call is made.
#[derive(Clone, Copy)]
pub(crate) struct Attempt {
    pub(crate) id: CallId,
    pub(crate) attempt: u32,
}

impl Attempt {
    pub(crate) const FIRST: Self = Self { id: CallId { step: 1, index: 1 }, attempt: 1 };

    pub(crate) fn of_step(step: u64) -> Self {
        Self { id: CallId { step, index: 1 }, attempt: 1 }
    }

    pub(crate) fn again(self) -> Self {
        Self { attempt: self.attempt + 1, ..self }
    }
}

impl Agent {
    pub(crate) fn new() -> Self {
        Self::with(built_in(), |_| {})
    }

    pub(crate) fn with(tools: Vec<Arc<dyn Tool>>, change: impl FnOnce(&mut PlaceSettings)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["root", "outside"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        std::fs::write(folder.path().join("outside/secret"), "PRIVATE KEY\n").unwrap();
        let mut agent = Self {
            place: Arc::new(Place::open(settings(folder.path())).unwrap()),
            folder,
            id: "tester".parse().unwrap(),
            tools: Registry::with(tools).unwrap(),
            todos: Vec::new(),
            cancel: CancellationToken::new(),
            steps: AtomicU64::new(0),
        };
        let mut settings = settings(agent.folder.path());
        change(&mut settings);
        agent.place = Arc::new(Place::open(settings).unwrap());
        agent
    }

    /// As after the end of the process: what was in memory is gone.
    pub(crate) fn restart(&mut self) {
        self.place = Arc::new(Place::open(settings(self.folder.path())).unwrap());
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("root").join(name)
    }

    pub(crate) fn outside(&self, name: &str) -> PathBuf {
        self.folder.path().join("outside").join(name)
    }

    /// Somebody else writes a file.
    pub(crate) fn put(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub(crate) fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    pub(crate) async fn outcome(&self, tool: &str, arguments: Value, how: Attempt) -> Outcome {
        self.tools.run(tool, self.call(&arguments, how, &key(how))).await
    }

    pub(crate) async fn reconcile(&self, tool: &str, arguments: Value, how: Attempt) -> Found {
        self.tools.reconcile(tool, self.call(&arguments, how, &key(how))).await
    }

    fn call<'a>(&'a self, arguments: &'a Value, how: Attempt, key: &'a str) -> Call<'a> {
        Call {
            agent: &self.id,
            run: RunId::from_parts(1_700_000_000_000, &[7; 10]),
            id: how.id,
            key,
            epoch: 3,
            attempt: how.attempt,
            arguments,
            todos: &self.todos,
            place: &self.place,
            cancel: &self.cancel,
        }
    }

    /// A call of a step of its own.
    fn next(&self) -> Attempt {
        Attempt::of_step(self.steps.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// What a tool gives that succeeds.
    pub(crate) async fn ok(&self, tool: &str, arguments: Value) -> Value {
        let outcome = self.outcome(tool, arguments, self.next()).await;
        assert!(!outcome.result.is_error, "{}", words(&outcome));
        serde_json::from_str(&words(&outcome)).unwrap()
    }

    /// What a tool says that fails.
    pub(crate) async fn error(&self, tool: &str, arguments: Value) -> String {
        let outcome = self.outcome(tool, arguments, self.next()).await;
        assert!(outcome.result.is_error, "{}", words(&outcome));
        words(&outcome)
    }
}

fn settings(folder: &Path) -> PlaceSettings {
    let launcher = Sandbox::with_launcher(Path::new(LAUNCHER));
    PlaceSettings::of(&folder.join("root"), &folder.join("scratch"), launcher)
}

pub(crate) fn key(how: Attempt) -> String {
    format!("run/{}/{}", how.id.step, how.id.index)
}

/// The words of an outcome.
pub(crate) fn words(outcome: &Outcome) -> String {
    let text = |block: &Block| match block {
        Block::Text { text } => text.to_string(),
        other => panic!("no words: {other:?}"),
    };
    outcome.result.content.iter().map(text).collect()
}
