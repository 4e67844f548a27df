//! The links between lines: how a line is hashed and how a hash is written.

/// A hash as it stands in a line.
pub(crate) type Hex = [u8; 64];

/// What the first line of a run names as its predecessor.
pub(crate) const GENESIS: Hex = [b'0'; 64];

/// BLAKE3 hashes chunks of 1,024 bytes side by side, but only those that it is given in one piece from the start: from two
/// whole chunks on it pays to put the parts together. What is longer than this is hashed side by side soon enough.
const IN_ONE_PIECE: std::ops::Range<usize> = 2 * 1_024..64 * 1_024;

/// The hash of a line whose predecessor's hash is written `prev` and whose bytes before `,"hash":` are `body`.
pub(crate) fn hash(prev: &[u8], body: &[u8]) -> Hex {
    let hash = if IN_ONE_PIECE.contains(&(prev.len() + body.len())) {
        blake3::hash(&[prev, body].concat())
    } else {
        blake3::Hasher::new().update(prev).update(body).finalize()
    };
    to_hex(hash.into())
}

/// The 64 lower-case characters of a hash.
pub(crate) fn to_hex(hash: [u8; 32]) -> Hex {
    let mut hex = GENESIS;
    for (slot, character) in hex.iter_mut().zip(blake3::Hash::from(hash).to_hex().bytes()) {
        *slot = character;
    }
    hex
}

/// The hash that these characters stand for; `None` when they are not 64 lower-case hexadecimal digits.
pub(crate) fn from_hex(hex: &[u8]) -> Option<[u8; 32]> {
    let hash = blake3::Hash::from_hex(hex).ok()?;
    (hash.to_hex().as_bytes() == hex).then(|| hash.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_read_back_as_it_was_written() {
        let hex = hash(&GENESIS, b"{}");
        assert_eq!(from_hex(&hex).map(to_hex), Some(hex));
    }

    #[test]
    fn a_hash_is_the_blake3_of_the_two_parts_in_a_row() {
        for length in [0, 4, 1_983, 1_984, 2_600, 65_471, 65_472, 200_000] {
            let body = vec![b'x'; length];
            let whole = blake3::hash(&[GENESIS.as_slice(), &body].concat());
            assert_eq!(hash(&GENESIS, &body), to_hex(whole.into()), "{length} bytes");
        }
    }

    #[test]
    fn only_lower_case_digits_are_a_hash() {
        assert_eq!(from_hex(&[b'A'; 64]), None);
        assert_eq!(from_hex(&[b'a'; 63]), None);
        assert!(from_hex(&[b'a'; 64]).is_some());
    }
}
