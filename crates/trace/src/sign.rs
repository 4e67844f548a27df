//! Signed heads: who can write the files and the store, but has not the key, can't make a chain that verifies.
//!
//! A head is signed with Ed25519 (RFC 8032) when it is kept: the run, the number of its newest line and that line's
//! hash, behind a text that no other signature is made over. Through the chain this covers every line up to there. It
//! does not cover that older lines went by retention, nor the totals, which are only shown.
//!
//! The key stays with the process that writes. Lines that a crash left behind the last head are closed and signed as
//! they are found. A run that another process began is signed only when its head in the store bears our signature:
//! otherwise who takes that head away, or writes another, would have a restart sign what he likes.

mod key;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use seawall_types::{RunId, Timestamp};
use serde::Serialize;

pub use key::{KeyError, PublicKey, SignKey};

use crate::{Head, Heads, HeadsError, RunRow};

/// What every signed message begins with.
const DOMAIN: &[u8] = b"seawall trace head v1\0";

/// What is signed of a head.
fn message(head: &Head) -> Vec<u8> {
    [DOMAIN, &head.run.into_bytes(), &head.seq.to_be_bytes(), &head.hash].concat()
}

/// Whether a head bears a signature that holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SignatureState {
    /// It is signed with that key.
    Holds,
    /// It is not signed, or there is no head.
    Missing,
    /// It is signed with another key, or is not the head that was signed.
    Wrong,
}

impl PublicKey {
    /// Whether this key's signature on a head holds.
    #[must_use]
    pub fn check(&self, head: Option<&Head>) -> SignatureState {
        let Some((head, signature)) = head.and_then(|head| Some((head, head.signature?))) else {
            return SignatureState::Missing;
        };
        if self.verify(&message(head), &signature) { SignatureState::Holds } else { SignatureState::Wrong }
    }
}

/// Signs every head on its way into a store.
pub struct SigningHeads {
    inner: Arc<dyn Heads>,
    key: Arc<SignKey>,
    /// Runs that began here, and those whose head in the store bore our signature.
    ours: Mutex<HashSet<RunId>>,
}

impl std::fmt::Debug for SigningHeads {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningHeads").field("key", &self.key).finish_non_exhaustive()
    }
}

impl SigningHeads {
    /// Keeps heads in `inner`, signed with `key`.
    #[must_use]
    pub fn new(inner: Arc<dyn Heads>, key: Arc<SignKey>) -> Self {
        Self { inner, key, ours: Mutex::default() }
    }

    /// The head with our signature; as it came, where what the store has of this run is not ours.
    fn signed(&self, head: &Head) -> Result<Head, HeadsError> {
        if self.is_ours(head.run)? {
            return Ok(Head { signature: Some(self.key.sign(&message(head))), ..*head });
        }
        tracing::error!(run = %head.run, "the head that the store has of a run is not signed with trace.sign_key; its next one stays unsigned");
        Ok(*head)
    }

    fn is_ours(&self, run: RunId) -> Result<bool, HeadsError> {
        let mut ours = self.ours();
        if ours.contains(&run) {
            return Ok(true);
        }
        let stored = self.inner.head(run)?;
        let is_ours = self.key.public().check(stored.as_ref()) == SignatureState::Holds;
        if is_ours {
            ours.insert(run);
        }
        Ok(is_ours)
    }

    fn ours(&self) -> MutexGuard<'_, HashSet<RunId>> {
        self.ours.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Heads for SigningHeads {
    fn started(&self, run: &RunRow) -> Result<(), HeadsError> {
        self.inner.started(run)?;
        self.ours().insert(run.run);
        Ok(())
    }

    fn heads(&self, heads: &[Head]) -> Result<(), HeadsError> {
        let signed = heads.iter().map(|head| self.signed(head)).collect::<Result<Vec<_>, _>>()?;
        self.inner.heads(&signed)
    }

    fn finished(&self, run: RunId, at: Timestamp, head: &Head) -> Result<(), HeadsError> {
        self.inner.finished(run, at, &self.signed(head)?)?;
        self.ours().remove(&run);
        Ok(())
    }

    fn unfinished(&self) -> Result<Vec<RunRow>, HeadsError> {
        self.inner.unfinished()
    }

    fn head(&self, run: RunId) -> Result<Option<Head>, HeadsError> {
        self.inner.head(run)
    }

    fn runs(&self) -> Result<Vec<RunRow>, HeadsError> {
        self.inner.runs()
    }

    fn forget(&self, run: RunId) -> Result<(), HeadsError> {
        self.ours().remove(&run);
        self.inner.forget(run)
    }
}
