//! Tokens of callers: JSON Web Tokens (RFC 7519) that an issuer has signed, checked as RFC 8725 advises.
//!
//! The configuration fixes the algorithms; a key is used for the one that it is made for, whatever a token says. The
//! verifier is pure: it is told the time, and key sets that are published at a URL are handed to it by whoever reads them.
//! It makes no token, and decides on nothing but who the holder is.

mod algorithm;
mod claims;
mod compact;
mod error;
mod jwk;
mod key;
mod key_set;
mod settings;
mod spki;
mod verified;

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use http::Uri;
use seawall_types::Timestamp;

pub use algorithm::{Algorithm, UnknownAlgorithm};
pub use claims::ClaimNames;
pub use error::TokenError;
pub use jwk::KeySetError;
pub use key::{Key, KeyError};
pub use key_set::KeySet;
pub(crate) use settings::declare;
pub use settings::{JwtKey, JwtSettings, KeySource};

pub use compact::looks_like_token;

use crate::Caller;
use claims::Rules;
use compact::Compact;
use verified::Verified;

/// The longest token that is looked at, in bytes.
const MAX_TOKEN: usize = 8 * 1024;

/// Verifies tokens. Shared by all workers; its keys may change while it is used.
pub struct Tokens {
    rules: Rules,
    algorithms: Vec<Algorithm>,
    /// The keys that the configuration itself has.
    configured: Vec<Key>,
    sets: Vec<KeySet>,
    in_force: ArcSwap<InForce>,
}

/// All keys at a time, with the tokens that they have verified.
#[derive(Debug, Default)]
struct InForce {
    keys: Vec<Key>,
    verified: Verified,
}

/// A key file of the configuration can't be used.
#[derive(Debug, thiserror::Error)]
pub enum TokensError {
    /// It can't be read.
    #[error("auth.jwt.keys[{index}].public_key: {}: {source}", path.escape_debug())]
    File {
        /// Which key.
        index: usize,
        /// The file.
        path: String,
        /// Why not.
        source: std::io::Error,
    },
    /// There is no usable key in it.
    #[error("auth.jwt.keys[{index}].public_key: {}: {source}", path.escape_debug())]
    Key {
        /// Which key.
        index: usize,
        /// The file.
        path: String,
        /// Why not.
        source: KeyError,
    },
    /// The key in it is for another algorithm.
    #[error(
        "auth.jwt.keys[{index}].public_key: {}: the key is for {algorithm}; add it to auth.jwt.algorithms",
        path.escape_debug()
    )]
    Algorithm {
        /// Which key.
        index: usize,
        /// The file.
        path: String,
        /// The one algorithm that the key is for.
        algorithm: Algorithm,
    },
}

impl Tokens {
    /// A verifier with these settings; `read` gives the text of a key file.
    ///
    /// # Errors
    /// Every key file that can't be read, or whose key can't be used.
    pub fn new(
        settings: &JwtSettings,
        read: impl Fn(&str) -> std::io::Result<String>,
    ) -> Result<Self, Vec<TokensError>> {
        let (mut configured, mut sets, mut faults) = (Vec::new(), Vec::new(), Vec::new());
        for key in &settings.keys {
            match &key.source {
                KeySource::Here(key) => configured.push(key.clone()),
                KeySource::File(path) => match from_file(settings, key, path, &read) {
                    Ok(key) => configured.push(key),
                    Err(fault) => faults.push(fault),
                },
                KeySource::Url(url) => sets.push(KeySet::new(url.clone())),
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let JwtSettings { issuer, audience, algorithms, claims, .. } = settings.clone();
        let rules = Rules { issuer, audience, names: claims };
        let tokens = Self { rules, algorithms, configured, sets, in_force: ArcSwap::default() };
        tokens.put_keys_into_force();
        Ok(tokens)
    }

    /// Takes over from an earlier verifier what it has read at the same URLs, so that a reload refuses nobody.
    pub fn inherit(&self, old: &Self) {
        for set in &self.sets {
            if let Some(earlier) = old.sets.iter().find(|earlier| earlier.url() == set.url()) {
                set.inherit(earlier);
            }
        }
        self.put_keys_into_force();
    }

    /// The key sets that are to be read from time to time.
    #[must_use]
    pub fn key_sets(&self) -> &[KeySet] {
        &self.sets
    }

    /// Takes over what was read at `url`, and gives the number of keys in it that can be used.
    ///
    /// # Errors
    /// When it is no key set; the keys stay as they were.
    pub fn replace_keys(&self, url: &Uri, document: &[u8]) -> Result<usize, KeySetError> {
        let mut usable = 0;
        for set in self.sets.iter().filter(|set| set.url() == url) {
            usable = set.replace(document)?;
        }
        self.put_keys_into_force();
        Ok(usable)
    }

    /// Whose token this is, when it is good.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Arc<Caller>, TokenError> {
        if token.len() > MAX_TOKEN {
            return Err(TokenError::TooLong);
        }
        let in_force = self.in_force.load();
        let hash = *blake3::hash(token.as_bytes()).as_bytes();
        if let Some(caller) = in_force.verified.find(&hash, now) {
            return Ok(caller);
        }
        let compact = Compact::parse(token)?;
        self.check_signature(&in_force.keys, &compact)?;
        let (caller, validity) = self.rules.check(&compact.claims, now)?;
        let caller = Arc::new(caller);
        in_force.verified.keep(hash, Arc::clone(&caller), validity, now);
        Ok(caller)
    }

    fn check_signature(&self, keys: &[Key], token: &Compact<'_>) -> Result<(), TokenError> {
        let algorithm: Algorithm = token.header.alg.parse().map_err(|_unknown| TokenError::Algorithm)?;
        if !self.algorithms.contains(&algorithm) {
            return Err(TokenError::Algorithm);
        }
        let kid = token.header.kid.as_deref();
        let mut candidates = keys.iter().filter(|key| key.may_be(kid)).peekable();
        if candidates.peek().is_none() {
            self.want_keys();
            return Err(TokenError::UnknownKey);
        }
        let mut fitting = candidates.filter(|key| key.algorithm() == algorithm).peekable();
        if fitting.peek().is_none() {
            return Err(TokenError::Algorithm);
        }
        if fitting.any(|key| key.has_signed(token.signed.as_bytes(), &token.signature)) {
            return Ok(());
        }
        if kid.is_none_or(|kid| !keys.iter().any(|key| key.is_named(kid))) {
            self.want_keys();
        }
        Err(TokenError::Signature)
    }

    /// The issuer may have a key that we have not read yet.
    fn want_keys(&self) {
        self.sets.iter().for_each(KeySet::want);
    }

    fn put_keys_into_force(&self) {
        let published = self.sets.iter().flat_map(KeySet::keys);
        let keys = self.configured.iter().cloned().chain(published).collect();
        self.in_force.store(Arc::new(InForce { keys, verified: Verified::default() }));
    }
}

fn from_file(
    settings: &JwtSettings,
    key: &JwtKey,
    path: &str,
    read: impl Fn(&str) -> std::io::Result<String>,
) -> Result<Key, TokensError> {
    let (index, path) = (key.index, path.to_owned());
    let text = match read(&path) {
        Ok(text) => text,
        Err(source) => return Err(TokensError::File { index, path, source }),
    };
    match Key::from_pem(key.kid.as_deref(), &text) {
        Err(source) => Err(TokensError::Key { index, path, source }),
        Ok(key) if settings.algorithms.contains(&key.algorithm()) => Ok(key),
        Ok(key) => Err(TokensError::Algorithm { index, path, algorithm: key.algorithm() }),
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("rules", &self.rules).field("sets", &self.sets).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
