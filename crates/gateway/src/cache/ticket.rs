//! The right to keep an answer.

use std::sync::Arc;

use seawall_llm::answer::Answer;
use tokio::sync::watch;

use super::{Cache, Kept, Key};

/// An answer that is larger than this part of the whole cache is not kept: it would push out too many others.
const LARGEST_PART: usize = 8;

/// Goes along with a request that went upstream, until its answer is complete. Dropping it tells those who wait that there
/// is none.
#[derive(Debug)]
pub(crate) struct Ticket {
    cache: Arc<Cache>,
    key: Key,
    lead: Option<Lead>,
    /// The answer may be shorter than what was asked for, since a limit of ours stands in the request.
    limited: bool,
}

impl Ticket {
    /// The ticket of the request that others wait for.
    pub(super) fn leading(cache: Arc<Cache>, key: Key, done: watch::Sender<()>) -> Self {
        let lead = Lead { cache: Arc::clone(&cache), key, _done: done };
        Self { lead: Some(lead), ..Self::alone(cache, key) }
    }

    /// The ticket of a request that nobody waits for.
    pub(crate) fn alone(cache: Arc<Cache>, key: Key) -> Self {
        Self { cache, key, lead: None, limited: false }
    }

    /// The request goes upstream with a limit of ours on the length of its answer.
    pub(crate) fn limited(mut self, limited: bool) -> Self {
        self.limited = limited;
        self
    }

    /// The largest body that is kept.
    pub(crate) fn largest(&self) -> usize {
        self.cache.size() / LARGEST_PART
    }

    /// Whether this answer, which is complete, is worth keeping: what our budget cut short is not what others asked for.
    pub(crate) fn is_for(&self, answer: &Answer) -> bool {
        let ended_by_itself = || {
            matches!(
                answer.finish.as_deref(),
                None | Some(
                    "stop"
                        | "tool_calls"
                        | "function_call"
                        | "end_turn"
                        | "tool_use"
                        | "stop_sequence"
                        | "STOP"
                        | "completed"
                )
            )
        };
        !answer.failed && (!self.limited || ended_by_itself())
    }

    /// Keeps the answer, and tells those who wait.
    pub(crate) fn keep(self, kept: Kept) {
        if kept.body.len() <= self.largest() {
            self.cache.keep(self.key, kept);
        }
        drop(self.lead);
    }
}

/// The request that is upstream for all that are the same.
#[derive(Debug)]
struct Lead {
    cache: Arc<Cache>,
    key: Key,
    /// Dropped with this, which wakes those who wait.
    _done: watch::Sender<()>,
}

impl Drop for Lead {
    fn drop(&mut self) {
        self.cache.is_done(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use seawall_types::{ManualClock, Timestamp};

    use super::*;

    #[test]
    fn an_answer_that_our_limit_may_have_cut_short_is_not_kept() {
        let ticket = |limited| {
            Ticket::alone(Cache::new(Arc::new(ManualClock::new(Timestamp::default()))), Key([0; 32]))
                .limited(limited)
        };
        let ended = |finish: &str| Answer { finish: Some(finish.to_owned()), ..Answer::default() };
        for finish in ["length", "max_tokens", "MAX_TOKENS", "max_output_tokens", "something new"] {
            assert!(!ticket(true).is_for(&ended(finish)), "{finish}");
            assert!(ticket(false).is_for(&ended(finish)), "{finish}");
        }
        for finish in ["stop", "tool_use", "STOP", "completed"] {
            assert!(ticket(true).is_for(&ended(finish)), "{finish}");
        }
        assert!(!ticket(false).is_for(&Answer { failed: true, ..ended("stop") }));
    }
}
