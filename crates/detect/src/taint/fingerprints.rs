//! The fingerprints of a text.

/// A fingerprint is a hash of so many bytes.
const PIECE: usize = 24;

/// Of so many pieces that follow each other, the one with the smallest hash is a fingerprint.
const WINDOW: usize = 9;

/// Whatever two texts share is found if it has so many bytes, white space apart.
pub const SHORTEST: usize = PIECE + WINDOW - 1;

/// A piece of fewer different bytes says nothing.
const LEAST_VARIETY: usize = 6;

/// The hash is a polynomial modulo this prime, so that two different pieces meet once in 2^61 / 24 pairs.
const PRIME: u64 = (1 << 61) - 1;
const BASE: u64 = 0x0DA9_4F5B_1C86_3E27 % PRIME;

/// Calls `each` with the fingerprints of the text until it says that it has enough.
pub(super) fn fingerprints(bytes: &[u8], mut each: impl FnMut(u64) -> bool) {
    let mut window = Window::default();
    let mut pieces = Pieces::default();
    let normal = bytes.iter().filter(|byte| !byte.is_ascii_whitespace()).map(u8::to_ascii_lowercase);
    for byte in normal {
        if let Some(hash) = pieces.push(byte)
            && let Some(fingerprint) = window.push(hash)
            && each(fingerprint)
        {
            return;
        }
    }
}

/// The piece that ends at the last byte.
struct Pieces {
    ring: [u8; PIECE],
    at: usize,
    filled: usize,
    hash: u64,
    /// How often each byte is in the piece.
    counts: [u8; 256],
    variety: usize,
}

impl Default for Pieces {
    fn default() -> Self {
        Self { ring: [0; PIECE], at: 0, filled: 0, hash: 0, counts: [0; 256], variety: 0 }
    }
}

impl Pieces {
    /// The hash of the piece that `byte` ends; `u64::MAX` for one that says nothing.
    fn push(&mut self, byte: u8) -> Option<u64> {
        let oldest = std::mem::replace(self.ring.get_mut(self.at)?, byte);
        self.at = (self.at + 1) % PIECE;
        if self.filled == PIECE {
            self.count(oldest, |count| count.wrapping_sub(1));
            self.hash = reduced(self.hash + PRIME - multiplied(u64::from(oldest) + 1, HIGHEST));
        } else {
            self.filled += 1;
        }
        self.hash = reduced(multiplied(self.hash, BASE) + u64::from(byte) + 1);
        self.count(byte, |count| count + 1);
        let says_something = self.variety >= LEAST_VARIETY;
        (self.filled == PIECE).then_some(if says_something { scattered(self.hash) } else { u64::MAX })
    }

    fn count(&mut self, byte: u8, change: impl Fn(u8) -> u8) {
        let Some(count) = self.counts.get_mut(usize::from(byte)) else { return };
        let before = *count;
        *count = change(before);
        self.variety += usize::from(before == 0);
        self.variety -= usize::from(*count == 0);
    }
}

/// `BASE` to the power of the oldest byte's place.
const HIGHEST: u64 = {
    let mut power = 1;
    let mut place = 1;
    while place < PIECE {
        power = multiplied(power, BASE);
        place += 1;
    }
    power
};

#[expect(
    clippy::cast_possible_truncation,
    reason = "a product of two values of 61 bits is cut into halves of 61 bits"
)]
const fn multiplied(left: u64, right: u64) -> u64 {
    let product = left as u128 * right as u128;
    // 2^61 is 1 modulo the prime.
    reduced((product as u64 & PRIME) + (product >> 61) as u64)
}

/// A sum of two values below the prime, modulo the prime.
const fn reduced(sum: u64) -> u64 {
    if sum >= PRIME { sum - PRIME } else { sum }
}

/// Neighbouring hashes in an order that has nothing to do with the text (the finaliser of SplitMix64).
fn scattered(hash: u64) -> u64 {
    let mixed = (hash ^ (hash >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    // The highest value is kept for pieces that say nothing.
    (mixed ^ (mixed >> 31)) & !1
}

/// The last hashes, of which the smallest counts.
struct Window {
    hashes: [u64; WINDOW],
    at: usize,
    filled: usize,
    smallest: u64,
    /// What was given last: the same piece is given once.
    last: u64,
}

impl Default for Window {
    fn default() -> Self {
        Self { hashes: [u64::MAX; WINDOW], at: 0, filled: 0, smallest: u64::MAX, last: u64::MAX }
    }
}

impl Window {
    fn push(&mut self, hash: u64) -> Option<u64> {
        let gone = std::mem::replace(self.hashes.get_mut(self.at)?, hash);
        self.at = (self.at + 1) % WINDOW;
        self.filled = (self.filled + 1).min(WINDOW);
        self.smallest = if gone == self.smallest {
            self.hashes.iter().copied().min().unwrap_or(u64::MAX)
        } else {
            self.smallest.min(hash)
        };
        let is_new = self.filled == WINDOW && self.smallest != self.last;
        if is_new {
            self.last = self.smallest;
        }
        (is_new && self.smallest != u64::MAX).then_some(self.smallest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Vec<u64> {
        let mut all = Vec::new();
        fingerprints(text.as_bytes(), |fingerprint| {
            all.push(fingerprint);
            false
        });
        all
    }

    #[test]
    fn the_shortest_text_with_a_fingerprint_has_the_stated_length() {
        let text = "abcdefghijklmnopqrstuvwxyz0123456789";
        assert_eq!(all(&text[..SHORTEST - 1]).len(), 0);
        assert_eq!(all(&text[..SHORTEST]).len(), 1);
    }

    #[test]
    fn a_hash_is_that_of_its_piece_wherever_the_piece_stands() {
        let piece = b"the quick brown fox jump";
        let last = |text: &[u8]| {
            let mut pieces = Pieces::default();
            text.iter().filter_map(|byte| pieces.push(*byte)).last()
        };
        assert_eq!(last(piece), last(&[b"something else before it: ".as_slice(), piece].concat()));
    }

    #[test]
    fn case_and_white_space_do_not_count() {
        let text = "The quick brown fox jumps over the lazy dog, again and again.";
        assert_eq!(all(text), all(&text.to_uppercase().replace(' ', "\n\t  ")));
        assert!(!all(text).is_empty());
    }

    #[test]
    fn runs_of_few_characters_have_none() {
        assert_eq!(all(&"-".repeat(1000)).len(), 0);
        assert_eq!(all(&"01".repeat(1000)).len(), 0);
        assert_eq!(all(&"=-=+ ".repeat(1000)).len(), 0);
    }
}
