//! What was noted already: a list of tools is asked for again and again, and what is suspicious in it is told once.

use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Mutex, PoisonError};

use seawall_types::KeyId;

/// So many notes are remembered, over all sessions. What is forgotten is told once more.
const MOST: usize = 10_000;

/// Whom something was told to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Whose {
    /// `None`: nobody in particular.
    pub(crate) caller: Option<KeyId>,
    /// The session of this number, where there are sessions.
    pub(crate) session: Option<u64>,
}

/// Hashes of what was noted, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct Noted {
    hasher: RandomState,
    known: Mutex<(HashSet<u64>, VecDeque<u64>)>,
}

impl Noted {
    /// Whether this was not noted before. It is from now on.
    pub(crate) fn is_new(&self, note: &impl Hash) -> bool {
        let hash = self.hasher.hash_one(note);
        // A hash too many or too few is a note too many or too few.
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (set, order) = &mut *known;
        if !set.insert(hash) {
            return false;
        }
        order.push_back(hash);
        if order.len() > MOST
            && let Some(oldest) = order.pop_front()
        {
            set.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_noted_is_remembered_up_to_a_bound() {
        let noted = Noted::default();
        let [one, two] = [1, 2].map(|number| Whose { caller: None, session: Some(number) });
        assert!(noted.is_new(&(one, "a")) && noted.is_new(&(two, "a")));
        assert!(!noted.is_new(&(one, "a")));
        assert!((0..MOST).all(|number| noted.is_new(&number)));
        assert!(noted.is_new(&(one, "a")), "it was forgotten");
        assert_eq!(noted.known.lock().unwrap().0.len(), MOST);
    }
}
