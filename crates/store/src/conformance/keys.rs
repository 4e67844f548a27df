//! Claims about keys.

use seawall_types::{KeyId, Usd, Window};

use super::{Pair, at};
use crate::{KeyBudget, KeyRow, Keys, StoreError};

fn key(name: &str, number: u8) -> KeyRow {
    KeyRow {
        id: KeyId::from_parts(u64::from(number), &[number; 10]),
        name: name.to_owned(),
        tenant: None,
        hash: [number; 32],
        prefix: format!("sk-sw-{number:04}…"),
        created_at: at(u64::from(number)),
        expires_at: None,
        revoked_at: None,
        rotated_to: None,
        budget: None,
        rpm: None,
        tpm: None,
        models: Vec::new(),
        ips: Vec::new(),
        policy: None,
        scopes: vec!["gateway".to_owned()],
    }
}

fn full_key() -> KeyRow {
    KeyRow {
        tenant: Some("Ümläut & Söhne".to_owned()),
        expires_at: Some(at(99)),
        budget: Some(KeyBudget { usd: Usd::from_picos(u128::MAX), window: Window::Month }),
        rpm: Some(u64::MAX),
        tpm: Some(1),
        models: vec!["gpt-*".to_owned(), "claude, \"quoted\"".to_owned()],
        ips: vec!["10.0.0.0/8".to_owned()],
        policy: Some("strict".to_owned()),
        scopes: vec!["gateway".to_owned(), "admin".to_owned()],
        ..key("full", 1)
    }
}

/// Every field is kept, whatever is in it.
pub fn a_key_is_read_back_as_it_was_kept((store, other): &Pair) {
    let keys = [full_key(), key("bare", 2)];
    keys.iter().for_each(|key| store.create(key).unwrap());
    assert_eq!(Keys::list(&**other).unwrap(), keys);
    assert_eq!(other.by_name("full").unwrap().as_ref(), keys.first());
    assert_eq!(other.by_name("none").unwrap(), None);
}

/// Who reads keys again whenever the number of changes is another one misses nothing.
pub fn each_write_of_a_key_shows_to_others((store, other): &Pair) {
    let mut seen = vec![other.changes().unwrap()];
    store.create(&key("ci", 1)).unwrap();
    seen.push(other.changes().unwrap());
    store.rotate("ci", &key("ci", 2), at(9)).unwrap();
    seen.push(other.changes().unwrap());
    store.revoke("ci", at(5)).unwrap();
    seen.push(other.changes().unwrap());
    let mut distinct = seen.clone();
    distinct.dedup();
    assert_eq!(distinct, seen);
}

/// A second key of a name is refused while the first is current.
pub fn a_name_has_one_current_key((store, other): &Pair) {
    store.create(&key("ci", 1)).unwrap();
    assert!(matches!(other.create(&key("ci", 2)), Err(StoreError::Conflict { .. })));
    assert_eq!(Keys::list(&**store).unwrap().len(), 1);
}

/// A revoked key is history; the name may be used again and means the new key.
pub fn a_name_is_free_again_when_its_key_is_revoked((store, _): &Pair) {
    store.create(&key("ci", 1)).unwrap();
    store.revoke("ci", at(5)).unwrap();
    assert_eq!(store.by_name("ci").unwrap().unwrap().revoked_at, Some(at(5)));
    store.create(&key("ci", 2)).unwrap();
    assert_eq!(store.by_name("ci").unwrap().unwrap(), key("ci", 2));
}

/// Two keys never have one hash.
pub fn a_known_hash_is_refused((store, _): &Pair) {
    store.create(&key("a", 1)).unwrap();
    let same_hash = KeyRow { hash: [1; 32], ..key("b", 2) };
    assert!(matches!(store.create(&same_hash), Err(StoreError::Conflict { .. })));
}

/// Whoever revokes a name wants all of its keys to end.
pub fn revoking_ends_overlapping_keys_too((store, _): &Pair) {
    store.create(&key("ci", 1)).unwrap();
    store.rotate("ci", &key("ci", 2), at(500)).unwrap();
    store.revoke("ci", at(20)).unwrap();
    store.revoke("ci", at(30)).unwrap();
    assert!(Keys::list(&**store).unwrap().iter().all(|key| key.revoked_at == Some(at(20))));
}

/// A name that never was can't be revoked.
pub fn revoking_an_unknown_key_is_refused((store, _): &Pair) {
    assert!(matches!(store.revoke("none", at(1)), Err(StoreError::NotFound { .. })));
}

/// The old key goes on until the overlap is over, or until it would have ended anyway.
pub fn a_rotated_key_ends_when_the_overlap_does((store, _): &Pair) {
    store.create(&key("ci", 1)).unwrap();
    store.create(&KeyRow { expires_at: Some(at(50)), ..key("short", 2) }).unwrap();
    store.rotate("ci", &key("ignored", 3), at(100)).unwrap();
    store.rotate("short", &key("short", 4), at(100)).unwrap();
    let rows = Keys::list(&**store).unwrap();
    let expected = [
        KeyRow { expires_at: Some(at(100)), rotated_to: Some(key("", 3).id), ..key("ci", 1) },
        KeyRow { expires_at: Some(at(50)), rotated_to: Some(key("", 4).id), ..key("short", 2) },
        key("ci", 3),
        key("short", 4),
    ];
    assert_eq!(rows, expected);
    assert_eq!(store.by_name("ci").unwrap().unwrap(), key("ci", 3));
}

/// What is revoked or was never there is not rotated.
pub fn rotating_needs_a_current_key((store, _): &Pair) {
    assert!(matches!(store.rotate("ci", &key("ci", 1), at(9)), Err(StoreError::NotFound { .. })));
    store.create(&key("ci", 1)).unwrap();
    store.revoke("ci", at(5)).unwrap();
    assert!(matches!(store.rotate("ci", &key("ci", 2), at(9)), Err(StoreError::NotFound { .. })));
}

/// All of a rotation happens or nothing.
pub fn a_refused_rotation_changes_nothing((store, _): &Pair) {
    store.create(&key("ci", 1)).unwrap();
    let known = KeyRow { hash: [1; 32], ..key("ci", 2) };
    assert!(matches!(store.rotate("ci", &known, at(9)), Err(StoreError::Conflict { .. })));
    assert_eq!(Keys::list(&**store).unwrap(), [key("ci", 1)]);
}
