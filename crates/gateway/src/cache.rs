//! Answers that are kept, to be given again to whoever asks exactly the same.
//!
//! What is the same is said by [`Key`], how much is kept by [`shelf`]; of requests that are the same and come together one
//! goes upstream and the others wait for it ([`Ticket`]). Which answers may be kept at all is the phases' decision.

mod key;
mod policies;
mod recorder;
mod shelf;
mod ticket;

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use seawall_llm::answer::ToolCall;
use seawall_policy::Policy;
use seawall_types::Clock;
use tokio::sync::watch;

use crate::settings::CacheSettings;
pub(crate) use key::Key;
use policies::Policies;
pub(crate) use recorder::Recorder;
use shelf::Shelf;
pub(crate) use ticket::Ticket;

/// What an answer takes beside its body: its key, its place in the order, its counters.
const OVERHEAD: usize = 512;

/// An answer that is kept.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) content_type: HeaderValue,
    /// The body as the client got it: JSON, or the whole stream of events.
    pub(crate) body: Bytes,
    /// The tools that the model asks for in it; the trace names them each time it is given.
    pub(crate) tools: Vec<ToolCall>,
}

impl Kept {
    fn size(&self) -> usize {
        let tools = self.tools.iter().map(|tool| tool.name.len() + tool.id.as_ref().map_or(0, String::len));
        OVERHEAD + self.body.len() + tools.sum::<usize>()
    }
}

/// All answers that are kept. Shared by all workers; it lives in memory only.
#[derive(Debug)]
pub(crate) struct Cache {
    clock: Arc<dyn Clock>,
    /// Bytes that all answers together may take, by the configuration in force.
    size: AtomicUsize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    shelf: Shelf,
    policies: Policies,
    /// Requests that are upstream, which others wait for.
    under_way: HashMap<Key, watch::Receiver<()>>,
}

/// What there is for a request.
#[derive(Debug)]
pub(crate) enum Found {
    /// The answer.
    Kept(Arc<Kept>),
    /// Another request that is the same is upstream; this ends when that has an answer, or has failed.
    UnderWay(watch::Receiver<()>),
    /// Nothing: this one goes, and others wait for it.
    Nothing(Ticket),
}

impl Cache {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self { clock, size: AtomicUsize::default(), state: Mutex::default() })
    }

    /// Forgets every answer, since another configuration may answer otherwise, and obeys these settings from here on. `None`:
    /// nothing is kept.
    pub(crate) fn renew(&self, settings: Option<&CacheSettings>) {
        let mut state = self.state();
        self.size.store(settings.map_or(0, |settings| settings.size), Ordering::Relaxed);
        state.shelf.clear();
    }

    /// Bytes that all answers together may take.
    fn size(&self) -> usize {
        self.size.load(Ordering::Relaxed)
    }

    /// What this policy is called in keys.
    pub(crate) fn number_of(&self, policy: &Arc<Policy>) -> u64 {
        self.state().policies.number_of(policy)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer to this request if it is not older than `ttl`, or whom to wait for.
    pub(crate) fn find(self: &Arc<Self>, key: Key, ttl: Duration) -> Found {
        let now = self.clock.monotonic();
        let mut state = self.state();
        if let Some(kept) = state.shelf.get(&key, now, ttl) {
            return Found::Kept(kept);
        }
        if let Some(other) = state.under_way.get(&key) {
            return Found::UnderWay(other.clone());
        }
        let (done, waiting) = watch::channel(());
        state.under_way.insert(key, waiting);
        Found::Nothing(Ticket::leading(Arc::clone(self), key, done))
    }

    fn keep(&self, key: Key, kept: Kept) {
        let now = self.clock.monotonic();
        let mut state = self.state();
        // Read under the lock: what the configuration before this one would have kept does not stay.
        state.shelf.put(key, kept, now, self.size());
    }

    fn is_done(&self, key: &Key) {
        self.state().under_way.remove(key);
    }

    /// Bytes that are kept.
    pub(crate) fn bytes(&self) -> usize {
        self.state().shelf.bytes()
    }
}

#[cfg(test)]
mod tests {
    use seawall_types::{ManualClock, Timestamp};

    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);
    const KEY: Key = Key([1; 32]);

    fn cache() -> Arc<Cache> {
        let cache = Cache::new(Arc::new(ManualClock::new(Timestamp::default())));
        cache.renew(Some(&sized(1 << 20)));
        cache
    }

    fn sized(size: usize) -> CacheSettings {
        CacheSettings { ttl: HOUR, size }
    }

    fn kept() -> Kept {
        Kept {
            content_type: HeaderValue::from_static("x/y"),
            body: Bytes::from_static(b"z"),
            tools: Vec::new(),
        }
    }

    fn ticket(cache: &Arc<Cache>) -> Ticket {
        match cache.find(KEY, HOUR) {
            Found::Nothing(ticket) => ticket,
            other => panic!("{other:?}"),
        }
    }

    fn under_way(cache: &Arc<Cache>) -> watch::Receiver<()> {
        match cache.find(KEY, HOUR) {
            Found::UnderWay(waiting) => waiting,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn who_waits_is_woken_by_an_answer_and_finds_it() {
        let cache = cache();
        let first = ticket(&cache);
        let mut second = under_way(&cache);
        assert!(!second.has_changed().unwrap());
        first.keep(kept());
        assert!(second.changed().await.is_err());
        assert!(matches!(cache.find(KEY, HOUR), Found::Kept(found) if *found == kept()));
    }

    #[tokio::test]
    async fn who_waits_is_woken_by_a_failure_and_one_of_them_goes_next() {
        let cache = cache();
        let first = ticket(&cache);
        let mut others = [under_way(&cache), under_way(&cache)];
        drop(first);
        for other in &mut others {
            assert!(other.changed().await.is_err());
        }
        let _second = ticket(&cache);
        under_way(&cache);
    }

    #[test]
    fn what_was_asked_before_a_reload_has_the_room_of_the_configuration_after_it() {
        let cache = cache();
        let asked_before = ticket(&cache);
        cache.renew(Some(&sized(1 << 30)));
        let large = Kept { body: Bytes::from(vec![b'x'; 2 << 20]), ..kept() };
        Ticket::alone(Arc::clone(&cache), Key([2; 32])).keep(large);
        asked_before.keep(kept());
        assert!(cache.bytes() > 2 << 20, "the smaller cache of before throws nothing out");

        let asked_before = Ticket::alone(Arc::clone(&cache), KEY);
        cache.renew(None);
        asked_before.keep(kept());
        assert_eq!(cache.bytes(), 0, "a cache that was turned off keeps nothing");
    }

    #[test]
    fn who_does_not_lead_keeps_an_answer_and_wakes_nobody() {
        let cache = cache();
        let _first = ticket(&cache);
        let waiting = under_way(&cache);
        Ticket::alone(Arc::clone(&cache), KEY).keep(kept());
        assert!(!waiting.has_changed().unwrap());
        assert!(matches!(cache.find(KEY, HOUR), Found::Kept(_)));
    }
}
