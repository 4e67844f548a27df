//! Large values, kept under the hash of their bytes.
//!
//! Each agent has its own: so removing an agent removes all that was ever said to it.

use std::fmt;
use std::str::FromStr;

/// Bytes up to which a value stays in its row.
pub const INLINE: usize = 64 * 1024;

/// The BLAKE3 hash of a value's bytes, shown as 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BlobId([u8; 32]);

/// The text is no hash.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} names no blob: use 64 hexadecimal digits")]
pub struct ParseBlobIdError(String);

impl BlobId {
    /// The name of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// The hash.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// From the hash.
    #[must_use]
    pub const fn from_bytes(hash: [u8; 32]) -> Self {
        Self(hash)
    }
}

impl fmt::Display for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(blake3::Hash::from_bytes(self.0).to_hex().as_str())
    }
}

impl FromStr for BlobId {
    type Err = ParseBlobIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let hash = blake3::Hash::from_hex(text);
        hash.map(|hash| Self(*hash.as_bytes())).map_err(|_| ParseBlobIdError(text.chars().take(80).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_read_back_as_it_was_shown() {
        let id = BlobId::of(b"words");
        assert_eq!(id.to_string().parse(), Ok(id));
        for text in ["", "../x", "ab", &"g".repeat(64)] {
            assert!(text.parse::<BlobId>().is_err(), "{text}");
        }
    }
}
