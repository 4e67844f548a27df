//! What a child is told: where its store and its witness are, and how it is to end.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use seawall_store::AgentStore;
use seawall_store_json::JsonStore;
use seawall_store_postgres::{Options, PostgresStore};
use seawall_store_sqlite::SqliteAgents;
use seawall_types::Clock;
use serde::{Deserialize, Serialize};

/// A part that a child plays.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Plan {
    /// Where agents are kept.
    pub(crate) store: Place,
    /// The folder of the witness, the traces and the agents' files.
    pub(crate) folder: PathBuf,
    /// The agent.
    pub(crate) agent: String,
    /// The how-manieth process of the story, from 1.
    pub(crate) life: u32,
    /// How it ends before its time.
    pub(crate) end: Option<End>,
    /// Whether all others who used the store are known to be dead: whoever killed them says so, instead of waiting.
    pub(crate) is_alone: bool,
    /// How long it is taken for alive, in milliseconds.
    pub(crate) lease: u64,
    /// How far its clock is off, in seconds.
    pub(crate) offset: i64,
    /// By how many seconds the clock jumps while the tool with this number runs.
    pub(crate) jumps: Vec<(u64, i64)>,
    /// The tool with this number goes on when there is a file `gate` in the folder.
    pub(crate) gated: Option<u64>,
    /// The client waits for a file `go` in the folder before it says anything to the agent.
    pub(crate) waits: bool,
    /// More words for each message.
    pub(crate) padding: usize,
    /// Whether the agent is a room, and the story what is said in it.
    pub(crate) is_room: bool,
}

/// Where agents are kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Place {
    Sqlite(PathBuf),
    Json(PathBuf),
    Postgres(String),
}

/// An end before the time.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct End {
    pub(crate) at: At,
    pub(crate) how: How,
}

/// When.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum At {
    /// Right before the n-th write to the store.
    Before(u32),
    /// Right after it, when it is durable and nobody has heard of it.
    After(u32),
    /// When the first agent is claimed because it is due, and nobody has heard of it.
    Claim,
    /// At each so-manieth write, claims and releases too.
    Each(u32),
    /// When the policy is asked for the n-th time: between the intent of a call and the call.
    Policy(u32),
    /// Right before the write that is to make this event durable.
    BeforeEvent(Nth),
    /// Right after it.
    AfterEvent(Nth),
}

/// An event of a story by what it is: how many share a write, and so the numbers of writes, is another one each time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Nth {
    pub(crate) kind: String,
    /// The how-manieth of its kind that a process writes, from 1.
    pub(crate) number: u32,
}

/// How.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum How {
    Killed,
    /// Until somebody wakes it.
    Frozen,
    /// It lives on, and is told that the write has failed, which was made.
    Unheard,
}

impl Plan {
    /// A story from its beginning to its end.
    pub(crate) fn new(store: &Place, folder: &Path, agent: &str) -> Self {
        Self {
            store: store.clone(),
            folder: folder.to_owned(),
            agent: agent.to_owned(),
            life: 1,
            end: None,
            is_alone: true,
            lease: 30_000,
            offset: 0,
            jumps: Vec::new(),
            gated: None,
            waits: false,
            padding: 0,
            is_room: false,
        }
    }

    pub(crate) fn life(&self, life: u32) -> Self {
        Self { life, ..self.clone() }
    }

    pub(crate) fn ends(&self, at: At, how: How) -> Self {
        Self { end: Some(End { at, how }), ..self.clone() }
    }
}

impl Place {
    /// Opens it. Leases in files go by this clock.
    pub(crate) fn open(&self, clock: Arc<dyn Clock>) -> Arc<dyn AgentStore> {
        match self {
            Self::Sqlite(file) => Arc::new(SqliteAgents::open(file, clock).unwrap()),
            Self::Json(folder) => Arc::new(JsonStore::open(folder, clock).unwrap()),
            Self::Postgres(url) => Arc::new(PostgresStore::open(&Options::parse(url).unwrap()).unwrap()),
        }
    }
}
