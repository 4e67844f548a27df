//! Where answers lie: so many bytes, each for so long; when there is no room the one that was asked for longest ago goes.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use super::{Kept, Key};

/// The answers, by what was asked and by when it was asked last.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    places: HashMap<Key, Place>,
    /// Keys by the number of their last use, the oldest first.
    order: BTreeMap<u64, Key>,
    uses: u64,
    bytes: usize,
}

#[derive(Debug)]
struct Place {
    kept: Arc<Kept>,
    since: Duration,
    last_use: u64,
}

impl Shelf {
    /// The answer, unless it is older than `ttl`.
    pub(super) fn get(&mut self, key: &Key, now: Duration, ttl: Duration) -> Option<Arc<Kept>> {
        let place = self.places.get_mut(key)?;
        if now.saturating_sub(place.since) >= ttl {
            self.remove(*key);
            return None;
        }
        self.uses += 1;
        self.order.remove(&place.last_use);
        self.order.insert(self.uses, *key);
        place.last_use = self.uses;
        Some(Arc::clone(&place.kept))
    }

    /// Puts an answer in the place of an earlier one. Of all together at most `most` bytes stay.
    pub(super) fn put(&mut self, key: Key, kept: Kept, now: Duration, most: usize) {
        self.remove(key);
        self.uses += 1;
        self.bytes += kept.size();
        self.order.insert(self.uses, key);
        self.places.insert(key, Place { kept: Arc::new(kept), since: now, last_use: self.uses });
        while self.bytes > most
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.remove(oldest);
        }
    }

    fn remove(&mut self, key: Key) {
        if let Some(place) = self.places.remove(&key) {
            self.order.remove(&place.last_use);
            self.bytes -= place.kept.size();
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use bytes::Bytes;
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::super::OVERHEAD;
    use super::*;

    const TTL: Duration = Duration::from_secs(10);
    const START: Duration = Duration::ZERO;

    fn key(number: u8) -> Key {
        Key([number; 32])
    }

    fn kept(length: usize) -> Kept {
        Kept {
            content_type: HeaderValue::from_static("x/y"),
            body: Bytes::from(vec![b'x'; length]),
            tools: Vec::new(),
        }
    }

    /// A shelf with room for three small answers, and two on it.
    fn shelf() -> (Shelf, usize) {
        let (mut shelf, most) = (Shelf::default(), 3 * (OVERHEAD + 1));
        shelf.put(key(1), kept(1), START, most);
        shelf.put(key(2), kept(1), START, most);
        (shelf, most)
    }

    #[test]
    fn the_answer_that_was_asked_for_longest_ago_makes_room() {
        let (mut shelf, most) = shelf();
        shelf.put(key(3), kept(1), START, most);
        shelf.get(&key(1), START, TTL).unwrap();
        shelf.put(key(4), kept(1), START, most);
        let there: Vec<u8> =
            (1..=4).filter(|&number| shelf.get(&key(number), START, TTL).is_some()).collect();
        assert_eq!(there, [1, 3, 4]);
    }

    #[test]
    fn an_answer_is_given_until_it_is_too_old() {
        let (mut shelf, _) = shelf();
        assert!(shelf.get(&key(1), TTL - Duration::from_nanos(1), TTL).is_some());
        assert!(shelf.get(&key(1), TTL, TTL).is_none());
        assert_eq!(shelf.bytes(), OVERHEAD + 1, "what is too old takes no room");
    }

    #[test]
    fn a_later_answer_takes_the_place_of_an_earlier_one() {
        let (mut shelf, most) = shelf();
        shelf.put(key(1), kept(0), TTL, most);
        assert_eq!(shelf.get(&key(1), TTL, TTL).unwrap().body.len(), 0);
        assert_eq!(shelf.bytes(), 2 * OVERHEAD + 1);
    }

    proptest! {
        #[test]
        fn never_more_is_kept_than_allowed_and_the_books_agree(
            steps in prop::collection::vec((any::<bool>(), 0..20_u8, 0..3_000_usize), 0..200),
            most in 0..10_000_usize,
        ) {
            let mut shelf = Shelf::default();
            for (puts, number, length) in steps {
                if puts {
                    shelf.put(key(number), kept(length), START, most);
                } else {
                    shelf.get(&key(number), START, TTL);
                }
                prop_assert!(shelf.bytes() <= most);
                prop_assert_eq!(shelf.bytes(), shelf.places.values().map(|place| place.kept.size()).sum::<usize>());
                let ordered: HashSet<Key> = shelf.order.values().copied().collect();
                prop_assert_eq!(ordered, shelf.places.keys().copied().collect::<HashSet<_>>());
                prop_assert_eq!(shelf.order.len(), shelf.places.len());
            }
        }
    }
}
