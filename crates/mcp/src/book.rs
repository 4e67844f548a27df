//! What is awaited from a server: requests that were passed on and not answered yet.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use rmcp::model::RequestId;
use seawall_checkpoint::Denial;
use seawall_checkpoint::tool::{ToolEnd, ToolPermit};
use seawall_policy::Policy;
use seawall_types::{Actor, Code};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::task::AbortHandle;

use crate::Host;
use crate::answer;
use crate::body::{Frame, Frames, event, frames};
use crate::desk::Desk;
use crate::metrics::Ended;
use crate::noted::Whose;
use crate::tasks::About;

/// What a request asked for, as far as its answer is treated by it.
#[derive(Debug)]
pub(crate) enum What {
    /// A call of a tool.
    Call(Box<ToolPermit>),
    /// What a resource holds.
    Resource(Box<ToolPermit>),
    /// Which tools there are.
    Tools,
    /// How a task of an earlier call goes, or what it gave.
    Task(About),
    /// Which version of the protocol is spoken.
    Hello(Arc<Version>),
    /// Anything else.
    Other,
}

/// The version of the protocol that a client and its server have agreed on, once they have.
pub(crate) type Version = OnceLock<String>;

/// A request that was passed on.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) what: What,
    /// The policy that its answer is looked at with.
    pub(crate) policy: Arc<Policy>,
    pub(crate) actor: Arc<Actor>,
    pub(crate) whose: Whose,
    /// Its client reads protocol versions that name a result's type.
    pub(crate) is_modern: bool,
    /// Where its answer goes, and what belongs to it.
    pub(crate) reply: Option<Reply>,
    /// What ends it when its time is up. Stopped when it is dropped.
    pub(crate) timer: Option<Timer>,
    /// Which process of its session it went to, once it has gone to one.
    pub(crate) generation: Option<u64>,
    /// How long its answer may take.
    pub(crate) limit: Duration,
    /// Tells it from a later one with the same identifier.
    pub(crate) serial: u64,
}

impl What {
    fn is_action(&self) -> bool {
        matches!(self, Self::Call(_) | Self::Resource(_))
    }

    /// How long an answer may take where a server's may take so long: a policy may allow tools less.
    pub(crate) fn limit(&self, of_server: Duration) -> Duration {
        match self {
            Self::Call(permit) => permit.time_limit().map_or(of_server, |limit| limit.min(of_server)),
            Self::Resource(_) | Self::Tools | Self::Task(_) | Self::Hello(_) | Self::Other => of_server,
        }
    }
}

/// Where an answer goes.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) to: mpsc::Sender<Frame>,
    /// It takes events, so that other messages may go the same way.
    pub(crate) takes_events: bool,
    /// What notifications of its progress are known by.
    pub(crate) progress: Option<serde_json::Value>,
}

/// The room of a way: what comes while its client reads slowly makes the server wait.
const ROOM: usize = 8;

impl Reply {
    /// A way for an answer, and its other end.
    pub(crate) fn channel(takes_events: bool, progress: Option<serde_json::Value>) -> (Self, Frames) {
        let (to, frames) = frames(ROOM);
        (Self { to, takes_events, progress }, frames)
    }

    /// Sends an answer; a client that is gone does not get it. `came_in` is what it was made of, whose memory it takes over.
    pub(crate) async fn send(self, message: Bytes, came_in: Option<Frame>) {
        let frame = self.frame(message, came_in);
        let _gone = self.to.send(frame).await;
    }

    /// Sends an answer without waiting for a client that reads slowly.
    pub(crate) fn send_soon(self, host: &Host, message: Bytes) {
        let frame = self.frame(message, None);
        if let Err(TrySendError::Full(frame)) = self.to.try_send(frame) {
            host.spawn("last words to an MCP client", async move {
                let _gone = self.to.send(frame).await;
            });
        }
    }

    fn frame(&self, message: Bytes, came_in: Option<Frame>) -> Frame {
        let bytes = if self.takes_events { event(message) } else { message };
        match came_in {
            Some(frame) => frame.with(bytes),
            None => Frame::new(bytes, None),
        }
    }
}

/// A task that is ended with this.
#[derive(Debug)]
pub(crate) struct Timer(Option<AbortHandle>);

impl Timer {
    pub(crate) fn new(task: AbortHandle) -> Self {
        Self(Some(task))
    }

    /// Lets the task go on.
    pub(crate) fn let_go(mut self) {
        self.0 = None;
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
    }
}

/// Why a request gets no answer of its server.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Unanswered<'a> {
    /// The time is up.
    TimedOut,
    /// The server is gone, and this is what is said about it.
    Away(&'a str),
    /// Its client wants no answer any more.
    Unwanted(&'a str),
}

impl Entry {
    /// Settles it without an answer of the server. What its client is told, if there is anything to tell.
    pub(crate) fn give_up(
        self,
        desk: &Desk,
        server: &str,
        id: &RequestId,
        why: Unanswered<'_>,
    ) -> Option<Bytes> {
        let Self { what, is_modern, limit, .. } = self;
        let (permit, is_call) = match what {
            What::Call(permit) => (Some(permit), true),
            What::Resource(permit) => (Some(permit), false),
            What::Tools | What::Task(_) | What::Hello(_) | What::Other => (None, false),
        };
        let action = permit.as_ref().map(|permit| permit.action());
        let name = permit.as_ref().map_or(server, |permit| permit.name()).to_owned();
        if let Some(permit) = permit {
            let (end, ended) = match why {
                Unanswered::TimedOut => (ToolEnd::TimedOut, Ended::TimedOut),
                Unanswered::Away(reason) | Unanswered::Unwanted(reason) => {
                    (ToolEnd::Failed(reason), Ended::Failed)
                }
            };
            let _it_gave_nothing = permit.settle(end, None);
            desk.metrics().called(server, ended);
        }
        match why {
            Unanswered::Unwanted(_) => None,
            Unanswered::Away(reason) => Some(answer::error(Some(id.clone()), answer::AWAY, reason, None)),
            Unanswered::TimedOut => {
                let message = format!("{name} did not answer within {}s", limit.as_secs_f64());
                let remedy = format!(
                    "ask for less at once, or raise mcp.servers.{server}.timeout or limits.tool_seconds of the policy"
                );
                let denial = Denial::new(Code::Timeout, message, remedy);
                Some(match action.filter(|_| is_call) {
                    Some(action) => answer::denied_call(id.clone(), action, &denial, is_modern),
                    None => answer::denied(Some(id.clone()), &denial),
                })
            }
        }
    }
}

/// So many requests that are over are remembered, of those that were answered and of those that were given up.
const MOST_PAST: usize = 256;

/// What is said of a request whose name another one has.
pub(crate) const NOT_NEW: &str = "a request with this id is under way or was given up; take a new one";

/// The requests of one session.
#[derive(Debug, Default)]
pub(crate) struct Book(Mutex<Pages>);

#[derive(Debug, Default)]
struct Pages {
    open: HashMap<String, (RequestId, Entry)>,
    /// Hashes of the names of those that are over; of those that were given up, of actions alone.
    answered: VecDeque<u64>,
    given_up: VecDeque<u64>,
    hasher: RandomState,
}

/// What an answer is to.
#[derive(Debug)]
pub(crate) enum Found {
    /// A request that waits for it.
    Open(Box<Entry>),
    /// One that was answered before.
    Answered,
    /// One that nobody waits for any more: it is settled, and what comes now must not pass for an answer.
    GivenUp,
    /// None that is known.
    Nothing,
}

/// Some clients and servers take `7` and `"7"` for the same name, so that only one of them may be under way.
pub(crate) fn key(id: &RequestId) -> String {
    id.to_string()
}

impl Pages {
    /// Takes a request out, and remembers how it ended.
    fn close(&mut self, key: &str, is_answered: bool) -> Option<(RequestId, Entry)> {
        let closed = self.open.remove(key)?;
        if !is_answered && !closed.1.what.is_action() {
            return Some(closed);
        }
        let hash = self.hasher.hash_one(key);
        let past = if is_answered { &mut self.answered } else { &mut self.given_up };
        if past.len() >= MOST_PAST {
            past.pop_front();
        }
        past.push_back(hash);
        Some(closed)
    }

    fn close_same(&mut self, id: &RequestId, serial: u64, is_answered: bool) -> Option<Entry> {
        let key = key(id);
        self.open.get(&key).filter(|(_, entry)| entry.serial == serial)?;
        self.close(&key, is_answered).map(|(_, entry)| entry)
    }
}

impl Book {
    /// Writes a request down.
    ///
    /// # Errors
    /// One with this identifier is not answered yet, or was given up and may be answered still: the entry comes back.
    pub(crate) fn enter(&self, id: RequestId, entry: Entry) -> Result<(), Box<Entry>> {
        let mut pages = self.lock();
        let key = key(&id);
        let is_given_up = pages.given_up.contains(&pages.hasher.hash_one(&key));
        if is_given_up || pages.open.contains_key(&key) {
            return Err(Box::new(entry));
        }
        pages.open.insert(key, (id, entry));
        Ok(())
    }

    /// An answer has come: takes out what it is to.
    pub(crate) fn answered(&self, id: &RequestId) -> Found {
        let (mut pages, key) = (self.lock(), key(id));
        if let Some((_, entry)) = pages.close(&key, true) {
            return Found::Open(Box::new(entry));
        }
        let hash = pages.hasher.hash_one(&key);
        match (pages.given_up.contains(&hash), pages.answered.contains(&hash)) {
            (true, _) => Found::GivenUp,
            (false, true) => Found::Answered,
            (false, false) => Found::Nothing,
        }
    }

    /// The same for this one alone.
    pub(crate) fn answered_same(&self, id: &RequestId, serial: u64) -> Option<Entry> {
        self.lock().close_same(id, serial, true)
    }

    /// Nobody waits any more: takes out what was waited for.
    pub(crate) fn give_up(&self, id: &RequestId) -> Option<Entry> {
        self.lock().close(&key(id), false).map(|(_, entry)| entry)
    }

    /// The same for this one alone.
    pub(crate) fn give_up_same(&self, id: &RequestId, serial: u64) -> Option<Entry> {
        self.lock().close_same(id, serial, false)
    }

    /// Nothing that was awaited comes any more: takes all out, or those that went to one process.
    pub(crate) fn take_all(&self, generation: Option<u64>) -> Vec<(RequestId, Entry)> {
        let mut pages = self.lock();
        let goes = |entry: &Entry| generation.is_none() || entry.generation == generation;
        pages.open.extract_if(|_, (_, entry)| goes(entry)).map(|(_, open)| open).collect()
    }

    /// It goes to this process now.
    pub(crate) fn set_generation(&self, id: &RequestId, serial: u64, generation: u64) {
        self.change(id, serial, |entry| entry.generation = Some(generation));
    }

    /// Puts in what ends the entry when its time is up.
    pub(crate) fn set_timer(&self, id: &RequestId, serial: u64, timer: Timer) {
        self.change(id, serial, |entry| entry.timer = Some(timer));
    }

    fn change(&self, id: &RequestId, serial: u64, change: impl FnOnce(&mut Entry)) {
        let mut pages = self.lock();
        let open = pages.open.get_mut(&key(id)).map(|(_, entry)| entry);
        if let Some(entry) = open.filter(|entry| entry.serial == serial) {
            change(entry);
        }
    }

    /// Where progress goes that is known by this.
    pub(crate) fn reply_of_progress(&self, token: &serde_json::Value) -> Option<Reply> {
        let pages = self.lock();
        let replies = pages.open.values().filter_map(|(_, entry)| entry.reply.as_ref());
        replies
            .filter(|reply| reply.takes_events && !reply.to.is_closed())
            .find(|reply| reply.progress.as_ref() == Some(token))
            .cloned()
    }

    /// Where a message goes that belongs to no request in particular: the way of the newest one.
    pub(crate) fn newest_reply(&self) -> Option<Reply> {
        let pages = self.lock();
        let open = pages.open.values().map(|(_, entry)| entry).filter(|entry| {
            entry.reply.as_ref().is_some_and(|reply| reply.takes_events && !reply.to.is_closed())
        });
        open.max_by_key(|entry| entry.serial).and_then(|entry| entry.reply.clone())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lock().open.is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, Pages> {
        // A map is never half-changed by what is done here.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
