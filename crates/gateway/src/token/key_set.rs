//! When a published key set is to be read again. Whoever reads it does so off the way of any request.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::Uri;

use super::jwk::{self, KeySetError};
use super::key::Key;

/// How old the keys get while all is well.
const FRESH: Duration = Duration::from_secs(600);
/// How soon they are read again when a token names one that is not among them. Anybody can send such a token, so this is
/// also how often a stranger can make us ask the issuer.
const WANTED: Duration = Duration::from_secs(60);
/// The first wait after a failure; it doubles up to [`WANTED`].
const FAILED: Duration = Duration::from_secs(1);

/// A key set at a URL, with what was last read there. All times are monotonic readings.
pub struct KeySet {
    url: Uri,
    state: Mutex<State>,
}

#[derive(Debug, Clone, Default)]
struct State {
    keys: Vec<Key>,
    tried_at: Option<Duration>,
    failures: u32,
    wanted: bool,
}

impl State {
    fn wait(&self) -> Duration {
        match self.failures {
            0 if self.wanted => WANTED,
            0 => FRESH,
            failures => FAILED.saturating_mul(1 << (failures - 1).min(10)).min(WANTED),
        }
    }
}

impl KeySet {
    pub(super) fn new(url: Uri) -> Self {
        Self { url, state: Mutex::default() }
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> &Uri {
        &self.url
    }

    /// Whether it is time to read it. Saying yes counts as an attempt: only one caller is told to.
    #[must_use]
    pub fn is_due(&self, now: Duration) -> bool {
        let mut state = self.state();
        let due = state.tried_at.is_none_or(|at| now.saturating_sub(at) >= state.wait());
        if due {
            state.tried_at = Some(now);
        }
        due
    }

    /// It could not be read. The keys stay.
    pub fn failed(&self) {
        let mut state = self.state();
        state.failures = state.failures.saturating_add(1);
    }

    /// This was read there. Gives the number of usable keys.
    pub(super) fn replace(&self, document: &[u8]) -> Result<usize, KeySetError> {
        let keys = jwk::parse(document)?;
        let mut state = self.state();
        state.failures = 0;
        state.wanted = false;
        state.keys = keys;
        Ok(state.keys.len())
    }

    /// A token names a key that is not among ours.
    pub(super) fn want(&self) {
        self.state().wanted = true;
    }

    pub(super) fn keys(&self) -> Vec<Key> {
        self.state().keys.clone()
    }

    /// Takes over what another one has read at the same place.
    pub(super) fn inherit(&self, old: &Self) {
        let inherited = old.state().clone();
        *self.state() = inherited;
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeySet").field("url", &self.url).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: &[u8] = br#"{"keys":[]}"#;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// The first second at which it is due, looking once a second from `from` on.
    fn due_at(set: &KeySet, from: u64) -> u64 {
        (from..from + 10_000).find(|&now| set.is_due(seconds(now))).unwrap()
    }

    fn read_at(now: u64) -> KeySet {
        let set = KeySet::new(Uri::from_static("https://id.example/keys"));
        assert!(set.is_due(seconds(now)), "a new one is due at once");
        set.replace(NONE).unwrap();
        set
    }

    #[test]
    fn it_is_read_every_ten_minutes() {
        assert_eq!(due_at(&read_at(100), 101), 700);
    }

    #[test]
    fn unknown_keys_have_it_read_once_a_minute_at_most() {
        let set = read_at(100);
        let mut reads = 0;
        for now in 101..1_000 {
            set.want();
            if set.is_due(seconds(now)) {
                set.replace(NONE).unwrap();
                reads += 1;
            }
        }
        assert_eq!(reads, 14, "900 seconds, one a minute");
        set.want();
        assert_eq!(due_at(&read_at(100), 101), 700, "nobody wants it any more");
    }

    #[test]
    fn failures_are_tried_again_ever_more_slowly() {
        let set = KeySet::new(Uri::from_static("https://id.example/keys"));
        let mut times = vec![due_at(&set, 0)];
        for _ in 0..9 {
            set.failed();
            times.push(due_at(&set, times.last().unwrap() + 1));
        }
        let waits: Vec<u64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        set.replace(NONE).unwrap();
        let last = *times.last().unwrap();
        assert_eq!(due_at(&set, last + 1), last + 600);
    }

    #[test]
    fn a_broken_document_leaves_the_keys_as_they_were() {
        let set = read_at(0);
        let one =
            br#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
        assert_eq!(set.replace(one), Ok(1));
        assert_eq!(set.replace(b"<html>"), Err(KeySetError::NotAKeySet));
        assert_eq!(set.keys().len(), 1);
        let next = KeySet::new(Uri::from_static("https://id.example/keys"));
        next.inherit(&set);
        assert_eq!((next.keys().len(), due_at(&next, 1)), (1, 600));
    }
}
