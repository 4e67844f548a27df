//! Tokens that were verified, so that a caller who comes again costs the look-up of a hash.
//!
//! Only what passed every check gets in, so strangers can't fill it. It lives as long as the keys that verified: other
//! keys begin with an empty one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use seawall_types::Timestamp;

use super::claims::Validity;
use crate::Caller;

/// Workers seldom meet in one of them.
const SHARDS: usize = 16;
/// 10,000 tokens in all.
const SHARD_SIZE: usize = 625;

/// The BLAKE3 hash of a token. The token itself is kept nowhere.
pub(super) type Hash = [u8; 32];

#[derive(Debug, Default)]
pub(super) struct Verified([Mutex<HashMap<Hash, Entry>>; SHARDS]);

#[derive(Debug)]
struct Entry {
    caller: Arc<Caller>,
    validity: Validity,
}

impl Verified {
    /// The holder of this token, while it is good.
    pub(super) fn find(&self, hash: &Hash, now: Timestamp) -> Option<Arc<Caller>> {
        let shard = self.shard(hash)?.lock().unwrap_or_else(PoisonError::into_inner);
        shard.get(hash).filter(|entry| entry.validity.contains(now)).map(|entry| Arc::clone(&entry.caller))
    }

    /// Keeps it. Where there is no room, what is over goes, then whatever stands in the way.
    pub(super) fn keep(&self, hash: Hash, caller: Arc<Caller>, validity: Validity, now: Timestamp) {
        let Some(shard) = self.shard(&hash) else { return };
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        if shard.len() >= SHARD_SIZE {
            shard.retain(|_, entry| !entry.validity.is_over(now));
        }
        if shard.len() >= SHARD_SIZE
            && let Some(any) = shard.keys().next().copied()
        {
            shard.remove(&any);
        }
        shard.insert(hash, Entry { caller, validity });
    }

    fn shard(&self, hash: &Hash) -> Option<&Mutex<HashMap<Hash, Entry>>> {
        self.0.get(usize::from(hash[0]) % SHARDS)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.iter().map(|shard| shard.lock().unwrap().len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::claims::{ClaimNames, Rules};
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    fn until(seconds: u64) -> (Arc<Caller>, Validity) {
        let name = String::new();
        let names = ClaimNames { tenant: name.clone(), roles: name.clone(), models: name };
        let rules = Rules { issuer: "i".to_owned(), audience: "a".to_owned(), names };
        let claims = json!({ "iss": "i", "aud": "a", "sub": "s", "exp": seconds, "nbf": 100 });
        let (caller, validity) = rules.check(claims.as_object().unwrap(), at(100)).unwrap();
        (Arc::new(caller), validity)
    }

    #[test]
    fn a_token_is_found_while_it_is_good_and_not_after() {
        let verified = Verified::default();
        let (caller, validity) = until(1_000);
        verified.keep([7; 32], caller, validity, at(100));
        for (now, found) in [(69, false), (70, true), (1_029, true), (1_030, false)] {
            assert_eq!(verified.find(&[7; 32], at(now)).is_some(), found, "{now}");
        }
        assert!(verified.find(&[8; 32], at(100)).is_none());
    }

    #[test]
    fn it_never_grows_past_its_bound_and_forgets_what_is_over_first() {
        let verified = Verified::default();
        let keep = |number: u32, seconds, now| {
            let hash = *blake3::hash(&number.to_le_bytes()).as_bytes();
            let (caller, validity) = until(seconds);
            verified.keep(hash, caller, validity, at(now));
            hash
        };
        for number in 0..30_000 {
            keep(number, 1_000, 100);
        }
        assert_eq!(verified.len(), SHARDS * SHARD_SIZE);
        let hash = keep(30_000, 9_000, 2_000);
        assert_eq!(verified.len(), (SHARDS - 1) * SHARD_SIZE + 1);
        assert!(verified.find(&hash, at(2_000)).is_some());
    }
}
