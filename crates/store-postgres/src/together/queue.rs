//! What waits to be done together, and who may not be in the next group.

use std::collections::{HashSet, VecDeque};

use seawall_engine::AgentId;
use seawall_store::StoreError;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::Work;

/// Bytes of a group, at the most.
const MOST_BYTES: usize = 2 * 1024 * 1024;

/// Who is told what a wish comes to.
pub(super) type Answer<W> = oneshot::Sender<Result<<W as Work>::Answer, StoreError>>;

/// A wish that waits.
pub(super) struct Waiting<W: Work> {
    pub(super) wish: W::Wish,
    pub(super) answer: Answer<W>,
    pub(super) until: Instant,
}

/// All that wait, and what is under way.
pub(super) struct Queue<W: Work> {
    pub(super) waiting: VecDeque<Waiting<W>>,
    /// Whose wishes are under way, and keep others of theirs waiting.
    pub(super) busy: HashSet<AgentId>,
    pub(super) groups: usize,
    pub(super) is_watched: bool,
}

impl<W: Work> Default for Queue<W> {
    fn default() -> Self {
        Self { waiting: VecDeque::new(), busy: HashSet::new(), groups: 0, is_watched: false }
    }
}

impl<W: Work> Queue<W> {
    /// The next group: oldest first. Where that is exclusive it has one wish of an agent, and none of agents that are under way.
    pub(super) fn take(&mut self) -> Vec<Waiting<W>> {
        let (mut group, mut later, mut bytes) = (Vec::new(), VecDeque::new(), 0_usize);
        while group.len() < W::MOST && bytes < MOST_BYTES {
            let Some(next) = self.waiting.pop_front() else { break };
            if !W::IS_EXCLUSIVE || self.busy.insert(W::agent(&next.wish).clone()) {
                bytes = bytes.saturating_add(W::weight(&next.wish));
                group.push(next);
            } else {
                later.push_back(next);
            }
        }
        later.append(&mut self.waiting);
        self.waiting = later;
        group
    }
}
