//! Times inside answers: when the provider sent an event, readable after any gateway has passed or rewritten it.
//!
//! A stamp is `~` and sixteen letters from `a` to `p`, one for each four bits. Digits would do as well, but a row of them
//! looks like a card number to a detector.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Bytes of a stamp.
pub const LENGTH: usize = 17;

const MARK: u8 = b'~';
const LETTERS: usize = LENGTH - 1;

/// Nanoseconds on the clock that all processes of the machine share (`CLOCK_MONOTONIC`).
#[must_use]
pub fn now() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    let seconds = Duration::from_secs(u64::try_from(time.tv_sec).unwrap_or(0));
    let nanos = Duration::from_nanos(u64::try_from(time.tv_nsec).unwrap_or(0));
    u64::try_from((seconds + nanos).as_nanos()).unwrap_or(u64::MAX)
}

/// The stamp of a time.
#[must_use]
pub fn encode(nanos: u64) -> [u8; LENGTH] {
    let mut stamp = [MARK; LENGTH];
    let letters = stamp.iter_mut().skip(1).rev();
    for (letter, shift) in letters.zip((0..64).step_by(4)) {
        *letter = b'a' + u8::try_from((nanos >> shift) & 0xf).unwrap_or(0);
    }
    stamp
}

/// Finds stamps in bytes that come in pieces of any size.
#[derive(Debug, Clone, Default)]
pub struct Scanner {
    /// Letters of the stamp that has begun, and what they say so far.
    begun: Option<(usize, u64)>,
}

impl Scanner {
    /// Calls `found` with the time of every stamp that ends in `bytes`.
    pub fn scan(&mut self, mut bytes: &[u8], mut found: impl FnMut(u64)) {
        loop {
            if self.begun.is_none() {
                let Some(at) = memchr::memchr(MARK, bytes) else { return };
                bytes = bytes.get(at + 1..).unwrap_or_default();
                self.begun = Some((0, 0));
            }
            let Some((&byte, rest)) = bytes.split_first() else { return };
            self.begun = match (self.begun, byte) {
                (Some((letters, value)), b'a'..=b'p') => {
                    bytes = rest;
                    let value = value << 4 | u64::from(byte - b'a');
                    if letters + 1 == LETTERS {
                        found(value);
                        None
                    } else {
                        Some((letters + 1, value))
                    }
                }
                _ => None,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found(pieces: &[&[u8]]) -> Vec<u64> {
        let (mut scanner, mut all) = (Scanner::default(), Vec::new());
        for piece in pieces {
            scanner.scan(piece, |stamp| all.push(stamp));
        }
        all
    }

    #[test]
    fn a_tilde_that_begins_no_stamp_is_passed_over() {
        let mut text = b"~abc ~~ ~".to_vec();
        text.extend_from_slice(&encode(7));
        text.extend_from_slice(b"~");
        assert_eq!(found(&[&text]), [7]);
    }

    proptest! {
        #[test]
        fn a_stamp_is_found_wherever_the_bytes_are_cut(first: u64, second: u64, cut in 0_usize..40) {
            let text = [b"x ".as_slice(), &encode(first), b" y", &encode(second)].concat();
            let (left, right) = text.split_at(cut.min(text.len()));
            prop_assert_eq!(found(&[left, right]), [first, second]);
        }
    }
}
