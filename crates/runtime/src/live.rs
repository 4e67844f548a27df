//! The agents that are held by this process: where to reach them, and which of them could be let go of.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use seawall_engine::AgentId;
use tokio::sync::mpsc;

use crate::holder::Job;
use crate::shared::Shared;

/// Jobs that wait for one agent; who brings more waits too.
const INBOX: usize = 256;

/// The agents that are held.
#[derive(Debug)]
pub(crate) struct Live {
    agents: Mutex<Agents>,
    most: usize,
    /// Places of agents that do nothing but wait for others.
    lent: AtomicUsize,
}

/// The place of an agent that waits for another one, which may take it meanwhile. So however many wait, there is room for
/// those that they wait for.
#[derive(Debug)]
pub(crate) struct Lent(Arc<Shared>);

impl Lent {
    pub(crate) fn by(shared: &Arc<Shared>) -> Self {
        shared.live.lent.fetch_add(1, Ordering::SeqCst);
        shared.due.notify_one();
        Self(Arc::clone(shared))
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.0.live.lent.fetch_sub(1, Ordering::SeqCst);
    }
}

#[derive(Debug, Default)]
struct Agents {
    by_id: HashMap<AgentId, Entry>,
    /// Rises with every use.
    tick: u64,
}

#[derive(Debug)]
struct Entry {
    inbox: mpsc::Sender<Job>,
    /// Whether it could be let go of.
    rests: bool,
    /// Whether it rests without its messages.
    dozes: bool,
    used: u64,
}

/// Where an agent is reached.
#[derive(Debug)]
pub(crate) enum Place {
    /// Here.
    Held(mpsc::Sender<Job>),
    /// Here as well, once somebody has begun to hold it: whoever is given this does.
    ToHold(mpsc::Sender<Job>, mpsc::Receiver<Job>),
    /// There is no room. This one, which rests, could make some.
    Full(Option<mpsc::Sender<Job>>),
}

impl Live {
    pub(crate) fn new(most: usize) -> Self {
        Self { agents: Mutex::default(), most: most.max(1), lent: AtomicUsize::new(0) }
    }

    fn most(&self) -> usize {
        self.most.saturating_add(self.lent.load(Ordering::SeqCst))
    }

    /// Of changes here none is half-done.
    fn agents(&self) -> MutexGuard<'_, Agents> {
        self.agents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where an agent is held, if it is.
    pub(crate) fn find(&self, id: &AgentId) -> Option<mpsc::Sender<Job>> {
        self.agents().touch(id)
    }

    /// Whether an agent is held here.
    pub(crate) fn holds(&self, id: &AgentId) -> bool {
        self.agents().by_id.contains_key(id)
    }

    /// Where an agent is held, or is to be held from now on. Of many who ask at once one is to hold it.
    pub(crate) fn enter(&self, id: &AgentId) -> Place {
        let mut agents = self.agents();
        if let Some(inbox) = agents.touch(id) {
            return Place::Held(inbox);
        }
        if agents.by_id.len() >= self.most() {
            return Place::Full(agents.least_used());
        }
        let (inbox, jobs) = mpsc::channel(INBOX);
        let entry = Entry { inbox: inbox.clone(), rests: false, dozes: false, used: agents.tick };
        agents.by_id.insert(id.clone(), entry);
        Place::ToHold(inbox, jobs)
    }

    /// An agent is held no more.
    pub(crate) fn leave(&self, id: &AgentId) {
        self.agents().by_id.remove(id);
    }

    /// Says whether an agent could be let go of.
    pub(crate) fn mark(&self, id: &AgentId, rests: bool) {
        if let Some(entry) = self.agents().by_id.get_mut(id) {
            entry.rests = rests;
        }
    }

    /// Says whether the messages of an agent are put away.
    pub(crate) fn mark_dozing(&self, id: &AgentId, dozes: bool) {
        if let Some(entry) = self.agents().by_id.get_mut(id) {
            entry.dozes = dozes;
        }
    }

    /// How many more could be held, were those let go of that rest.
    pub(crate) fn room(&self) -> usize {
        self.most().saturating_sub(self.len())
    }

    /// The one that rests and was used least lately.
    pub(crate) fn least_used(&self) -> Option<mpsc::Sender<Job>> {
        self.agents().least_used()
    }

    /// Tells all of them something.
    pub(crate) fn each(&self, tell: impl FnMut(&mpsc::Sender<Job>)) {
        self.agents().by_id.values().map(|entry| &entry.inbox).for_each(tell);
    }

    /// How many are held.
    pub(crate) fn len(&self) -> usize {
        self.agents().by_id.len()
    }

    /// How many are held without their messages.
    pub(crate) fn dozing(&self) -> usize {
        self.agents().by_id.values().filter(|entry| entry.dozes).count()
    }

    /// How many are held and rest.
    pub(crate) fn resting(&self) -> usize {
        self.agents().by_id.values().filter(|entry| entry.rests).count()
    }
}

impl Agents {
    fn touch(&mut self, id: &AgentId) -> Option<mpsc::Sender<Job>> {
        self.tick = self.tick.wrapping_add(1);
        let tick = self.tick;
        self.by_id.get_mut(id).map(|entry| {
            entry.used = tick;
            entry.inbox.clone()
        })
    }

    fn least_used(&self) -> Option<mpsc::Sender<Job>> {
        let resting = self.by_id.values().filter(|entry| entry.rests);
        resting.min_by_key(|entry| entry.used).map(|entry| entry.inbox.clone())
    }
}
