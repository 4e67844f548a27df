//! Durable agents: their logs, what is read out of these, who has the right to run them, and when they are to be run.
//!
//! The log is the truth. Everything else that an [`AgentStore`] keeps of an agent (messages, calls of tools, its index
//! entry) follows from the log and is written in the same transaction as the events that it follows from ([`Append`],
//! made by [`Kept`] alike for all stores). A store decides nothing: it checks two numbers and writes rows.
//!
//! Nothing here decides, executes or waits; what effects follow from a state is the engine's, performing them the
//! runtime's.

mod append;
mod blob;
mod census;
mod consistency;
mod copying;
mod due;
mod forking;
mod kept;
mod lease;
mod measured;
mod media;
mod query;
mod row;
mod turns;
mod window;

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;

use seawall_engine::{AgentId, Event, MessageId};

use crate::StoreError;

pub use append::{Append, Appended, Body, EventRow, Right, State};
pub use blob::{BlobId, INLINE};
pub use census::Census;
pub use consistency::{Consistency, Issue, Part, check_consistency};
pub use copying::{Copied, copy, copy_agent, everybody};
pub use due::due;
pub use forking::{ForkError, Forks, agent_at, batch_fork};
pub use kept::Kept;
pub use lease::{Claimed, Held, Holder, Lease, Worker, WorkerId};
pub use measured::{Latency, Measured, Metrics, Operations};
pub use query::{AgentOrder, AgentQuery, CallQuery, MessageQuery, Stats};
pub use row::{Accepted, AgentRow, CallRow, Health, MessageRow, Owner, SnapshotRow};
pub use turns::{Candidate, in_turn};
pub use window::Window;

/// What a store is going to answer. Dropping it may or may not undo a write: look before doing it again.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Where agents live.
///
/// Every write is atomic, and durable when it is answered. A store may be used by many tasks at once and, but for the
/// folder of files, by many processes. Time for leases is the store's own, so that no two machines can disagree about it.
pub trait AgentStore: Debug + Send + Sync {
    /// Makes an agent. Two calls at once with one name make one agent: the other is told what there is.
    fn create(&self, first: Append) -> Pending<'_, Creation>;

    /// An agent with the messages that its model sees, from one moment. `None`: there is none of this name.
    fn load<'a>(&'a self, id: &'a AgentId) -> Pending<'a, Option<Kept>>;

    /// Its index entry.
    fn agent<'a>(&'a self, id: &'a AgentId) -> Pending<'a, Option<AgentRow>>;

    /// Writes events with all that follows from them, if the right to do so holds and nobody has written in between.
    /// [`StoreError::Conflict`] where a message was accepted, or a snapshot taken, under a name that there is already.
    fn append(&self, append: Append) -> Pending<'_, Appended>;

    /// Events of which the last number is above `after`, oldest first.
    fn events<'a>(&'a self, id: &'a AgentId, after: u64, most: u32) -> Pending<'a, Vec<Event>>;

    /// How a message of this name was accepted, if it ever was.
    fn accepted<'a>(&'a self, id: &'a AgentId, message: &'a MessageId) -> Pending<'a, Option<Accepted>>;

    /// Agents as asked for.
    fn agents<'a>(&'a self, query: &'a AgentQuery) -> Pending<'a, Vec<AgentRow>>;

    /// Messages as asked for, also those that a summary has taken the place of.
    fn messages<'a>(&'a self, query: &'a MessageQuery) -> Pending<'a, Vec<MessageRow>>;

    /// Calls of tools as asked for.
    fn calls<'a>(&'a self, query: &'a CallQuery) -> Pending<'a, Vec<CallRow>>;

    /// Named points of an agent's log, oldest first.
    fn snapshots<'a>(&'a self, id: &'a AgentId) -> Pending<'a, Vec<SnapshotRow>>;

    /// How much there is of an agent, or of all (`None`).
    fn stats<'a>(&'a self, id: Option<&'a AgentId>) -> Pending<'a, Stats>;

    /// Keeps bytes for an agent under the hash of them. [`StoreError::NotFound`] where there is no such agent.
    fn put_blob<'a>(&'a self, id: &'a AgentId, bytes: &'a [u8]) -> Pending<'a, BlobId>;

    /// Bytes that were kept for this agent.
    fn blob<'a>(&'a self, id: &'a AgentId, blob: &'a BlobId) -> Pending<'a, Option<Vec<u8>>>;

    /// Whether bytes were kept for this agent. None of them are read.
    fn has_blob<'a>(&'a self, id: &'a AgentId, blob: &'a BlobId) -> Pending<'a, bool>;

    /// Removes an agent and everything of it. Whether it was there. An agent that somebody holds is removed too: the
    /// holder's next write is refused.
    fn purge<'a>(&'a self, id: &'a AgentId) -> Pending<'a, bool>;

    /// A worker begins, or says that it is still alive. `false`: its lease had lapsed, so what it held may be somebody
    /// else's by now; it must drop everything and begin under another name.
    fn renew<'a>(&'a self, worker: &'a Worker) -> Pending<'a, bool>;

    /// A worker ends: what it held is free.
    fn retire<'a>(&'a self, worker: &'a WorkerId) -> Pending<'a, ()>;

    /// Claims one agent, whether or not there is anything to do: raises its epoch, which every append is checked for. Who
    /// holds it already holds it under the same epoch on.
    fn claim<'a>(&'a self, id: &'a AgentId, worker: &'a WorkerId) -> Pending<'a, Lease>;

    /// Claims agents that are due and that nobody holds who is alive, the longest due first and tenants in turn
    /// ([`in_turn`]). None where the worker's own lease has lapsed.
    fn claim_due<'a>(&'a self, worker: &'a WorkerId, most: u32) -> Pending<'a, Vec<Claimed>>;

    /// Gives an agent up that is held under this epoch; nothing where it is not. What is appended under the epoch after
    /// that is refused.
    fn release<'a>(&'a self, id: &'a AgentId, epoch: u64) -> Pending<'a, ()>;

    /// What a worker holds, in no order, alive or not: where a claim was made whose answer was lost, nobody but the store knows
    /// of it.
    fn held<'a>(&'a self, worker: &'a WorkerId) -> Pending<'a, Vec<Held>>;

    /// When the next agent that nobody holds who is alive is due, by the store's clock from now. `None`: none is.
    fn next_due(&self) -> Pending<'_, Option<std::time::Duration>>;

    /// How many agents are in which state, and how many wait. By one look at all of them: not for every request.
    fn census(&self) -> Pending<'_, Census>;

    /// Workers that are alive.
    fn workers(&self) -> Pending<'_, Vec<Worker>>;

    /// Shows other processes pieces of an answer before it is whole. They need not survive anything. A store that only
    /// one process uses does nothing.
    fn show<'a>(&'a self, id: &'a AgentId, pieces: &'a [Event]) -> Pending<'a, ()> {
        let _ = (id, pieces);
        Box::pin(async { Ok(()) })
    }

    /// Pieces that other processes have shown, as far as they are there still.
    fn shown<'a>(&'a self, id: &'a AgentId, after: u64) -> Pending<'a, Vec<Event>> {
        let _ = (id, after);
        Box::pin(async { Ok(Vec::new()) })
    }

    /// Listens for what other processes write. `None`: no other process uses this store.
    fn listen(&self) -> Option<Box<dyn Hints>> {
        None
    }

    /// Whether the store can be read and written now, and how quickly.
    fn health(&self) -> Pending<'_, Health>;

    /// Writes what is to be written and lets go of everything. Calls after this fail.
    fn close(&self) -> Pending<'_, ()>;
}

/// What came of making an agent.
#[derive(Debug, Clone, PartialEq)]
pub enum Creation {
    /// It is there now.
    Made,
    /// There is one of this name.
    Exists(Box<AgentRow>),
}

/// What other processes have written. Hints may be lost: look for yourself now and then too.
pub trait Hints: Debug + Send {
    /// The next hint. Never ends; cancelling it loses nothing but hints.
    fn next(&mut self) -> Pin<Box<dyn Future<Output = Hint> + Send + '_>>;
}

/// Something was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hint {
    /// For this agent.
    Agent(AgentId),
    /// For anybody: hints may have been missed.
    All,
}
