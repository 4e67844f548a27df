//! API keys of this server's callers.

use seawall_types::{KeyId, Timestamp, Usd, Window};
use serde::Serialize;

use crate::StoreError;

/// How every key of ours begins, so that it is told from a provider's.
pub const KEY_PREFIX: &str = "sk-sw-";

/// What a key may spend, as it was asked for when the key was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub struct KeyBudget {
    /// The most money.
    pub usd: Usd,
    /// Over what time.
    pub window: Window,
}

/// One key. The key itself is kept nowhere, only its hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyRow {
    /// Its identifier.
    pub id: KeyId,
    /// Its name. Budgets count by it, so a rotated key has the name of the one before.
    pub name: String,
    /// The tenant that it belongs to.
    pub tenant: Option<String>,
    /// The BLAKE3 hash of the key.
    #[serde(skip_serializing)]
    pub hash: [u8; 32],
    /// Its first characters, to recognise it by: `sk-sw-ab12…`.
    pub prefix: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// When it was, or will be, ended by an operator.
    pub revoked_at: Option<Timestamp>,
    /// The key that took its place.
    pub rotated_to: Option<KeyId>,
    /// What it may spend.
    pub budget: Option<KeyBudget>,
    /// Requests a minute.
    pub rpm: Option<u64>,
    /// Tokens a minute.
    pub tpm: Option<u64>,
    /// Models that may be called with it; empty: any.
    pub models: Vec<String>,
    /// Address ranges that it may be used from; empty: any.
    pub ips: Vec<String>,
    /// The policy for what is done with it.
    pub policy: Option<String>,
    /// Its roles: `gateway`, `viewer`, `operator`, `admin`.
    pub scopes: Vec<String>,
}

/// Keeps API keys.
///
/// A name has one current key at a time: the one that is neither revoked nor rotated. Older ones stay as
/// history.
pub trait Keys: Send + Sync {
    /// Keeps a new key.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the name has a current key, or the hash or identifier is known.
    fn create(&self, key: &KeyRow) -> Result<(), StoreError>;

    /// All keys, of every state, oldest first.
    ///
    /// # Errors
    /// When the store can't be read.
    fn list(&self) -> Result<Vec<KeyRow>, StoreError>;

    /// The current key of this name, or else the newest that was.
    ///
    /// # Errors
    /// When the store can't be read.
    fn by_name(&self, name: &str) -> Result<Option<KeyRow>, StoreError>;

    /// Ends every key of this name, also those that were rotated and still overlap. One that is revoked
    /// already keeps its time.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there never was a key of this name.
    fn revoke(&self, name: &str, at: Timestamp) -> Result<(), StoreError>;

    /// Puts `next` into the place of the name's current key, under the same name. The old one ends at
    /// `overlap_until`, or when it would have ended anyway if that is sooner.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the name has no current key; [`StoreError::Conflict`] when the hash or
    /// identifier of `next` is known.
    fn rotate(&self, name: &str, next: &KeyRow, overlap_until: Timestamp) -> Result<(), StoreError>;
}
