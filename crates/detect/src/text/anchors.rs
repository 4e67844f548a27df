//! The places that the scan stops at, and the way to the next of them.
//!
//! Every kind has one byte that none of its matches lacks and that ordinary text rarely holds: `@`, the first digit of a
//! number, the dash of `sk-`. Everything between two of them is passed over, 64 bytes at a time. Digits are common, so of
//! those more is asked before a validator is: whether enough of them follow for any number that is looked for, or whether
//! what stands before them can begin a match. What is asked here never decides: it only leaves out what no validator takes.

use super::places::{Around, BLOCK, Written, after, any_of, block, digits};
use super::window::Window;
use super::{Selection, has_numbers};
use crate::pii::{self, PiiKind};

/// The signs that stand in a match of these kinds.
const OF_SECRETS: &[u8] = b"-_=:SKJz";
const OF_EMAIL: u8 = b'@';
const OF_IP: u8 = b':';
const SIGNS: usize = OF_SECRETS.len() + 1;
/// An address of the fourth version has three.
const LEAST_DOTS: u32 = 3;
/// Where the sign of an escape stands before a digit that follows it: `\n1`, `%3D1`, `\x0a1`, `\u000a1`.
const BACKSLASH_BEFORE: [u32; 3] = [2, 4, 6];
const PERCENT_BEFORE: u32 = 3;
/// How far before the first digit of a number anything is looked at: the prefix of a token of Databricks.
const FARTHEST_BEFORE: u32 = 14;

/// What the scan stops at.
#[derive(Debug)]
pub(super) struct Anchors {
    /// Signs, some of them more than once where fewer are looked for.
    signs: Option<[u8; SIGNS]>,
    /// Whether secrets are looked for that stand at a digit.
    secrets: bool,
    numbers: bool,
}

/// How far a scan has come.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cursor {
    /// Where the block begins whose places these are, and where the next one does.
    start: usize,
    next: usize,
    left: u64,
    /// What stands before the next block, where that is known.
    behind: Option<Around>,
}

impl Cursor {
    /// A scan that begins at `from`.
    pub(crate) fn at(from: usize) -> Self {
        Self { start: from, next: from, left: 0, behind: None }
    }

    /// The same scan, going on at `from` or later.
    pub(crate) fn skip_to(&mut self, from: usize) {
        if from >= self.next {
            *self = Self::at(from);
        } else if let Some(places) = from.checked_sub(self.start) {
            self.left &= u64::MAX.unbounded_shl(u32::try_from(places).unwrap_or(u32::MAX));
        }
    }
}

impl Anchors {
    pub(super) fn new(selection: Selection) -> Self {
        let mut wanted = Vec::new();
        if selection.secrets {
            wanted.extend(OF_SECRETS);
        }
        if selection.pii.has(PiiKind::Email) {
            wanted.push(OF_EMAIL);
        }
        if selection.pii.has(PiiKind::Ip) && !selection.secrets {
            wanted.push(OF_IP);
        }
        let signs = (!wanted.is_empty()).then(|| {
            let mut repeated = wanted.iter().copied().cycle();
            std::array::from_fn(|_| repeated.next().unwrap_or(0))
        });
        Self { signs, secrets: selection.secrets, numbers: has_numbers(selection.pii) }
    }

    /// The next anchor, if the text has one.
    #[inline]
    pub(super) fn next(&self, window: &Window<'_>, cursor: &mut Cursor) -> Option<usize> {
        while cursor.left == 0 {
            if cursor.next >= window.bytes.len() {
                return None;
            }
            self.read(window, cursor);
        }
        let offset = cursor.left.trailing_zeros();
        cursor.left &= cursor.left - 1;
        Some(cursor.start + usize::try_from(offset).unwrap_or(0))
    }

    /// Reads the block after this one.
    #[inline]
    fn read(&self, window: &Window<'_>, cursor: &mut Cursor) {
        cursor.start = cursor.next;
        cursor.next += BLOCK;
        let mut room = [0; BLOCK];
        let block = block(window.bytes, cursor.start, &mut room);
        cursor.left = self.signs.as_ref().map_or(0, |signs| any_of(block, signs));
        let digits = if self.secrets || self.numbers { digits(block) } else { 0 };
        if digits == 0 {
            cursor.behind = None;
            return;
        }
        let around = Around::of(block);
        let behind = cursor.behind.unwrap_or_else(|| {
            if digits.trailing_zeros() < FARTHEST_BEFORE {
                Around::before(window.bytes, cursor.start)
            } else {
                Around::default()
            }
        });
        let first = digits & !after(digits, behind.digits, 1);
        let word = (around.alphanumeric | around.underscore, behind.alphanumeric | behind.underscore);
        let in_word = first & after(word.0, word.1, 1);
        let mut stops = 0;
        if self.secrets {
            stops |= in_word & may_be_databricks(&around, &behind);
        }
        if self.numbers {
            let two_letters = after(around.upper, behind.upper, 1) & after(around.upper, behind.upper, 2);
            stops |= in_word & two_letters;
            let free = first & !in_word | in_word & follows_an_escape(&around, &behind);
            let joined = after(around.alphanumeric, behind.alphanumeric, 2);
            let free = free & !(joined & after(around.joint, behind.joint, 1));
            let only_address = joined & after(around.joint_of_groups, behind.joint_of_groups, 1);
            let written = Written::of(block, digits);
            stops |= long_enough(window, cursor, &Free { free, only_address, digits, written });
        }
        let taken = cursor.next - cursor.start;
        let within = u64::MAX.unbounded_shr(u32::try_from(BLOCK - taken).unwrap_or(0));
        cursor.left = (cursor.left | stops) & within;
        cursor.behind = Some(around.behind(taken));
    }
}

/// The places that a `p` stands before as it stands before the first digit of a token of Databricks: 2 to 14 bytes.
fn may_be_databricks(around: &Around, behind: &Around) -> u64 {
    let one = u128::from(around.letter_p) << u64::BITS | u128::from(behind.letter_p);
    let two = one | one << 1;
    let four = two | two << 2;
    let thirteen = four | four << 4 | four << 8 | one << (FARTHEST_BEFORE - 2);
    u64::try_from((thirteen << 2) >> u64::BITS).unwrap_or(u64::MAX)
}

/// The places at which a word may begin although a letter or a digit stands before.
fn follows_an_escape(around: &Around, behind: &Around) -> u64 {
    let escaped = after(around.percent, behind.percent, PERCENT_BEFORE);
    BACKSLASH_BEFORE.iter().fold(escaped, |any, by| any | after(around.backslash, behind.backslash, *by))
}

/// The numbers of a block that do not stand within a word.
struct Free {
    /// Where they begin.
    free: u64,
    /// Where what stands before leaves nothing to be found but the address of a machine.
    only_address: u64,
    digits: u64,
    written: Written,
}

/// Of the places at which a number begins, those that have enough behind them for one that is looked for, or that can't be
/// told. A number that the block does not hold whole is left to the next block.
fn long_enough(window: &Window<'_>, cursor: &mut Cursor, numbers: &Free) -> u64 {
    let Free { mut free, only_address, digits, written } = *numbers;
    let mut stops = 0;
    while free != 0 {
        let place = free.trailing_zeros();
        let bit = free & free.wrapping_neg();
        free ^= bit;
        let length = (written.joined >> place).trailing_ones();
        let end = place + length;
        if end == u64::BITS && place >= u64::BITS / 2 {
            cursor.next = cursor.start + usize::try_from(place).unwrap_or(BLOCK);
            break;
        }
        let of_it = u64::MAX.unbounded_shr(u64::BITS - length) << place;
        let ends_with_text = cursor.start + usize::try_from(end).unwrap_or(0) >= window.bytes.len();
        let unknown = end == u64::BITS || ends_with_text && !window.complete;
        let address = (written.dot & of_it).count_ones() >= LEAST_DOTS;
        let group = only_address & bit == 0 && (digits & of_it).count_ones() >= pii::LEAST_DIGITS;
        if unknown || address || group {
            stops |= bit;
        }
    }
    stops
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::text::TextDetector;

    fn piece() -> impl Strategy<Value = String> {
        prop_oneof![
            4 => "[0-9]{1,4}",
            2 => "[0-9]{5,21}",
            4 => "[-. ()+/,]",
            1 => prop::sample::select(vec![
                "4111 1111 1111 1111", "3782-822463-10005", "078-05-1121", "ssn 219 09 9998", "tel 415 555 2671",
                "1-415-555-2671", "138 0013 8000", "11010519491231002X", "2026-11-22 15:32:02.123", "10.24.0.7",
                "DE89370400440532013000", "0306 9990041", "\\n", "%3D", "x", "tel ",
            ]).prop_map(str::to_owned),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_number_is_passed_over_that_a_validator_takes(pieces in prop::collection::vec(piece(), 1..40)) {
            let text = pieces.concat();
            let pii = PiiKind::ALL.iter().copied().filter(|kind| *kind != PiiKind::Email).collect();
            let detector = TextDetector::new(Selection { secrets: false, pii, injection: false });
            let window = Window { bytes: text.as_bytes(), floor: 0, complete: true };
            let mut cursor = Cursor::at(0);
            let stops: BTreeSet<_> =
                std::iter::from_fn(|| detector.anchors.next(&window, &mut cursor)).collect();
            for (at, byte) in text.bytes().enumerate() {
                let takes = byte.is_ascii_digit() && matches!(detector.judge_number(&window, at), Ok(Some(_)));
                prop_assert!(!takes || stops.contains(&at), "{text:?} at {at}");
            }
        }
    }
}
