//! How many actions are under way under each policy that limits their number.
//!
//! Counted by where the policy stands, so that the count goes on when a reload puts its changed text into force.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The actions under way, for those policies that limit them; the others cost nothing here.
#[derive(Debug, Default)]
pub(crate) struct Places(Mutex<HashMap<Box<str>, usize>>);

/// A place among the actions under way. Given back when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    places: Arc<Places>,
    policy: Box<str>,
}

impl Places {
    /// A place under this policy; `None` when `most` are taken. Looked at and taken in one step, so that no two actions
    /// get the last one.
    pub(crate) fn take(self: &Arc<Self>, policy: &str, most: usize) -> Option<Place> {
        let mut taken = self.lock();
        match taken.get_mut(policy) {
            Some(count) if *count >= most => return None,
            Some(count) => *count += 1,
            None if most == 0 => return None,
            None => _ = taken.insert(policy.into(), 1),
        }
        Some(Place { places: Arc::clone(self), policy: policy.into() })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Box<str>, usize>> {
        // A number is never half-changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.lock();
        match taken.get_mut(&self.policy) {
            Some(count) if *count > 1 => *count -= 1,
            _ => _ = taken.remove(&self.policy),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_places_as_there_are_and_each_policy_has_its_own() {
        let places = Arc::new(Places::default());
        let one = places.take("a", 2).unwrap();
        let _two = places.take("a", 2).unwrap();
        assert!(places.take("a", 2).is_none());
        assert!(places.take("b", 1).is_some() && places.take("b", 0).is_none());
        drop(one);
        assert!(places.take("a", 2).is_some(), "given back");
    }

    #[test]
    fn threads_that_come_at_once_never_take_one_too_many() {
        let places = Arc::new(Places::default());
        let barrier = std::sync::Barrier::new(8);
        let taken: usize = std::thread::scope(|scope| {
            let take = || {
                barrier.wait();
                (0..100).filter_map(|_| places.take("a", 50)).map(std::mem::forget).count()
            };
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(take)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(taken, 50);
    }
}
