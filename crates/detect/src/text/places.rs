//! Sixty-four bytes of a text as sets of places: one bit for each byte, so that questions about neighbours are shifts.
//!
//! Bit `n` stands for the byte `n` of the block. What lies behind the end of the text is no byte of any set.

use wide::u8x16;

/// How many bytes are looked at together.
pub(crate) const BLOCK: usize = 64;
const LANES: usize = 16;

/// A block of a text; behind the end of the text it holds zeros.
pub(crate) type Block = [u8; BLOCK];

/// The block that begins at `start`; the last one of a text is put together in `room`.
#[inline]
pub(crate) fn block<'a>(bytes: &'a [u8], start: usize, room: &'a mut Block) -> &'a Block {
    let rest = bytes.get(start..).unwrap_or_default();
    if let Some(block) = rest.first_chunk::<BLOCK>() {
        return block;
    }
    if let Some(place) = room.get_mut(..rest.len()) {
        place.copy_from_slice(rest);
    }
    room
}

/// The places of a block at which `test` says so. It answers with all bits of a byte, or none.
#[inline]
fn places(block: &Block, test: impl Fn(u8x16) -> u8x16) -> u64 {
    let (lanes, _) = block.as_chunks::<LANES>();
    let bits = |lanes: &[u8; LANES]| u64::from(test(u8x16::new(*lanes)).to_bitmask());
    lanes.iter().rev().fold(0, |places, lanes| places << LANES | bits(lanes))
}

#[inline]
fn is(byte: u8) -> impl Fn(u8x16) -> u8x16 {
    move |bytes| bytes.simd_eq(u8x16::splat(byte))
}

/// Whether bytes lie in `first..=last`.
#[inline]
fn within(bytes: u8x16, first: u8, last: u8) -> u8x16 {
    let from_first = bytes - u8x16::splat(first);
    from_first.min(u8x16::splat(last - first)).simd_eq(from_first)
}

#[inline]
fn digit(bytes: u8x16) -> u8x16 {
    within(bytes, b'0', b'9')
}

/// The digits of a block.
#[inline]
pub(super) fn digits(block: &Block) -> u64 {
    places(block, digit)
}

/// The places of a block at which any of these bytes stands.
#[inline]
pub(super) fn any_of<const N: usize>(block: &Block, needles: &[u8; N]) -> u64 {
    let needles = needles.map(u8x16::splat);
    places(block, |bytes| needles.iter().fold(u8x16::splat(0), |any, needle| any | bytes.simd_eq(*needle)))
}

/// What stands around the digits of a block.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Around {
    pub(super) digits: u64,
    pub(super) alphanumeric: u64,
    pub(super) underscore: u64,
    /// What joins a number to the word before it, whatever kind of number is looked for.
    pub(super) joint: u64,
    /// What joins a number to the word before it, unless the number is an address.
    pub(super) joint_of_groups: u64,
    pub(super) upper: u64,
    pub(super) backslash: u64,
    pub(super) percent: u64,
    pub(super) letter_p: u64,
}

impl Around {
    /// What stands in the 64 bytes before `end`: the last of them is the highest bit.
    pub(super) fn before(bytes: &[u8], end: usize) -> Self {
        let start = end.saturating_sub(BLOCK);
        let mut room = [0; BLOCK];
        let block = block(bytes.get(..end).unwrap_or(bytes), start, &mut room);
        Self::of(block).behind(end - start)
    }

    #[inline]
    pub(super) fn of(block: &Block) -> Self {
        let letter = |bytes| within(bytes | u8x16::splat(0x20), b'a', b'z');
        Self {
            digits: digits(block),
            alphanumeric: places(block, |bytes| letter(bytes) | digit(bytes)),
            underscore: places(block, is(b'_')),
            joint: places(block, |bytes| is(b'-')(bytes) | is(b'.')(bytes)),
            joint_of_groups: places(block, |bytes| is(b'/')(bytes) | is(b',')(bytes)),
            upper: places(block, |bytes| within(bytes, b'A', b'Z')),
            backslash: places(block, is(b'\\')),
            percent: places(block, is(b'%')),
            letter_p: places(block, is(b'p')),
        }
    }

    /// These sets as a block sees them that begins `by` bytes later: their last bytes are the highest bits.
    pub(super) fn behind(self, by: usize) -> Self {
        let shift = u32::try_from(BLOCK - by.min(BLOCK)).unwrap_or(0);
        let move_up = |places: u64| places.unbounded_shl(shift);
        Self {
            digits: move_up(self.digits),
            alphanumeric: move_up(self.alphanumeric),
            underscore: move_up(self.underscore),
            joint: move_up(self.joint),
            joint_of_groups: move_up(self.joint_of_groups),
            upper: move_up(self.upper),
            backslash: move_up(self.backslash),
            percent: move_up(self.percent),
            letter_p: move_up(self.letter_p),
        }
    }
}

/// What a number is written with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Written {
    /// Digits and what may stand between two groups of them.
    pub(super) joined: u64,
    pub(super) dot: u64,
}

impl Written {
    #[inline]
    pub(super) fn of(block: &Block, digits: u64) -> Self {
        let dot = places(block, is(b'.'));
        let single = dot | places(block, |bytes| is(b' ')(bytes) | is(b'-')(bytes));
        let bracket = places(block, |bytes| is(b')')(bytes | u8x16::splat(1)));
        // Of two in a row the second ends the number, unless one is a bracket.
        let joined = digits | bracket | single & !(single << 1);
        Self { joined, dot }
    }
}

/// The places that follow, at a distance of `by`, on one of `places`, or on one of `behind` in the block before.
#[inline]
pub(super) fn after(places: u64, behind: u64, by: u32) -> u64 {
    places.unbounded_shl(by) | behind.unbounded_shr(u64::BITS - by)
}

/// The words of a block.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Words {
    /// Where one begins. A character of Chinese, Japanese or Korean is a word.
    pub(crate) starts: u64,
    /// Where sixteen letters and digits follow without anything between.
    pub(crate) long: u64,
    /// Where five letters follow that stand alone, with one byte between two of them.
    pub(crate) apart: u64,
}

impl Words {
    /// `in_word` says, and is told, whether the block before ends within a word.
    #[inline]
    pub(crate) fn of(block: &Block, in_word: &mut bool) -> Self {
        let ascii = places(block, |bytes| within(bytes | u8x16::splat(0x20), b'a', b'z') | digit(bytes));
        // Of what is not ASCII the highest bit is set, which is what a set of places is made of.
        let word = ascii | places(block, |bytes| bytes);
        let ideograph = places(block, |bytes| within(bytes, 0xe3, 0xed));
        let starts = word & !(word << 1 | u64::from(*in_word));
        *in_word = word >> (u64::BITS - 1) == 1;
        let four = ascii & ascii >> 1 & ascii >> 2 & ascii >> 3;
        let eight = four & four >> 4;
        let alone = starts & !(word >> 1);
        let three_alone = alone & alone >> 2 & alone >> 4;
        Self { starts: starts | ideograph, long: eight & eight >> 8, apart: three_alone & three_alone >> 4 }
    }
}
