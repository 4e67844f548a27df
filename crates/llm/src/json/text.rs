//! What stands inside strings and numbers: escaping, unescaping, lengths, whole numbers.
//!
//! Works on text that the scanner has accepted; on anything else it gives something harmless.

use std::borrow::Cow;
use std::cmp::Ordering;

use wide::u8x16;

use super::scan::LANES;

/// Writes a string.
pub(crate) fn quote(out: &mut Vec<u8>, text: &str) {
    out.reserve(text.len() + 2);
    seawall_types::quote::quote(text, |piece| out.extend_from_slice(piece.as_bytes()));
}

/// One stretch of a string's content.
enum Piece<'a> {
    Plain(&'a [u8]),
    Escaped(char),
}

/// The content of a string, escape by escape.
struct Pieces<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Pieces<'a> {
    type Item = Piece<'a>;

    fn next(&mut self) -> Option<Piece<'a>> {
        match memchr::memchr(b'\\', self.rest) {
            Some(0) => {
                let (character, length) = escape(self.rest)?;
                self.rest = self.rest.get(length..).unwrap_or_default();
                Some(Piece::Escaped(character))
            }
            Some(backslash) => self.plain(backslash),
            None if self.rest.is_empty() => None,
            None => self.plain(self.rest.len()),
        }
    }
}

impl<'a> Pieces<'a> {
    fn plain(&mut self, length: usize) -> Option<Piece<'a>> {
        let (plain, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(Piece::Plain(plain))
    }
}

/// The character that the escape at the start of `text` stands for, and the escape's length.
fn escape(text: &[u8]) -> Option<(char, usize)> {
    let character = match text.get(1)? {
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return Some(unicode(text)),
        other => char::from(*other),
    };
    Some((character, 2))
}

/// `\uXXXX`, or two of them that are a surrogate pair; a lone surrogate is U+FFFD.
fn unicode(text: &[u8]) -> (char, usize) {
    let high = hex(text, 2);
    if (0xD800..0xDC00).contains(&high) && text.get(6..8) == Some(b"\\u") {
        let low = hex(text, 8);
        if (0xDC00..0xE000).contains(&low) {
            let scalar = 0x1_0000 + ((high - 0xD800) << 10) + (low - 0xDC00);
            return (char::from_u32(scalar).unwrap_or(char::REPLACEMENT_CHARACTER), 12);
        }
    }
    (char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER), 6)
}

fn hex(text: &[u8], at: usize) -> u32 {
    let digits = text.get(at..at + 4).unwrap_or_default();
    digits.iter().fold(0, |number, digit| number * 16 + char::from(*digit).to_digit(16).unwrap_or(0))
}

/// The unescaped bytes; borrowed when there is nothing to unescape.
pub(super) fn decode_bytes(quoted: &[u8]) -> Cow<'_, [u8]> {
    // Most are keys and other words, too short for a vector search.
    if !quoted.contains(&b'\\') {
        return Cow::Borrowed(quoted);
    }
    let mut bytes = Vec::new();
    unescape(quoted, &mut bytes);
    Cow::Owned(bytes)
}

/// Puts the unescaped bytes behind what is in `out`.
///
/// Listings have an escape in every twenty bytes, so a search from one to the next would cost more than it finds: sixteen
/// bytes are copied as they come, and what was copied of an escape is taken back.
fn unescape(quoted: &[u8], out: &mut Vec<u8>) {
    out.reserve(quoted.len());
    let mut rest = quoted;
    while let Some(first) = rest.first() {
        if let Some((bytes, behind)) = rest.split_first_chunk::<LANES>() {
            let plain = plain_bytes(*bytes);
            out.extend_from_slice(bytes);
            if plain == LANES {
                rest = behind;
                continue;
            }
            out.truncate(out.len() - (LANES - plain));
            rest = rest.get(plain..).unwrap_or_default();
        } else if *first != b'\\' {
            out.push(*first);
            rest = rest.get(1..).unwrap_or_default();
            continue;
        }
        let Some((character, length)) = escape(rest) else { return };
        match u8::try_from(character) {
            Ok(ascii) if ascii.is_ascii() => out.push(ascii),
            _ => out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
        }
        rest = rest.get(length..).unwrap_or_default();
    }
}

/// How many of the bytes stand before the first backslash; all of them where there is none.
#[inline]
fn plain_bytes(bytes: [u8; LANES]) -> usize {
    let backslashes = u8x16::new(bytes).simd_eq(u8x16::splat(b'\\')).to_bitmask();
    (backslashes | 1 << LANES).trailing_zeros() as usize
}

/// Whether there is an escape of half a surrogate pair, which stands for no character.
pub(super) fn has_half_a_pair(quoted: &[u8]) -> bool {
    let mut rest = quoted;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        rest = rest.get(at..).unwrap_or_default();
        let length = match rest.get(1) {
            Some(b'u') if (0xD800..0xE000).contains(&hex(rest, 2)) => match unicode(rest) {
                (char::REPLACEMENT_CHARACTER, _) => return true,
                (_, length) => length,
            },
            Some(b'u') => 6,
            _ => 2,
        };
        rest = rest.get(length..).unwrap_or_default();
    }
    false
}

/// Whether `quoted` stands for `wanted`. An escape is longer than what it stands for, so equal lengths mean that there
/// is none, and most keys are told apart by length or by their first byte.
pub(super) fn reads_as(quoted: &[u8], wanted: &[u8]) -> bool {
    match quoted.len().cmp(&wanted.len()) {
        Ordering::Less => false,
        Ordering::Equal => quoted == wanted && !quoted.contains(&b'\\'),
        Ordering::Greater => {
            let begins_alike = quoted.first() == wanted.first() || quoted.first() == Some(&b'\\');
            begins_alike && quoted.contains(&b'\\') && *decode_bytes(quoted) == *wanted
        }
    }
}

/// The unescaped text.
pub(super) fn decode(quoted: &[u8]) -> Cow<'_, str> {
    match decode_bytes(quoted) {
        Cow::Borrowed(bytes) => String::from_utf8_lossy(bytes),
        Cow::Owned(bytes) => Cow::Owned(
            String::from_utf8(bytes).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned()),
        ),
    }
}

/// The unescaped text: borrowed when there is nothing to unescape, else written over what is in `room`, so that reading
/// one text after another allocates nothing.
pub(super) fn read_into<'r>(quoted: &'r [u8], room: &'r mut String) -> Option<&'r str> {
    if memchr::memchr(b'\\', quoted).is_none() {
        return std::str::from_utf8(quoted).ok();
    }
    let mut bytes = std::mem::take(room).into_bytes();
    bytes.clear();
    unescape(quoted, &mut bytes);
    *room = String::from_utf8(bytes).ok()?;
    Some(room)
}

/// How long the unescaped text is, without making it.
pub(super) fn decoded_len(quoted: &[u8]) -> u64 {
    let length = |piece| match piece {
        Piece::Plain(plain) => plain.len(),
        Piece::Escaped(character) => character.len_utf8(),
    };
    let bytes: usize = (Pieces { rest: quoted }).map(length).sum();
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

/// The value of a JSON number when it is whole, not negative and in range. Exact: no float is involved.
pub(super) fn whole_number(raw: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(raw).ok()?;
    if let Ok(number) = text.parse() {
        return Some(number);
    }
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i16>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let fraction = fraction.trim_end_matches('0');
    let shift = i32::from(exponent) - i32::try_from(fraction.len()).ok()?;
    let digits: u64 = format!("{whole}{fraction}").parse().ok()?;
    match u32::try_from(shift) {
        Ok(shift) => digits.checked_mul(10_u64.checked_pow(shift)?),
        Err(_) => {
            let divisor = 10_u64.checked_pow(shift.unsigned_abs())?;
            digits.is_multiple_of(divisor).then_some(digits / divisor)
        }
    }
}
