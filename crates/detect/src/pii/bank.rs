//! Bank accounts: ISO 13616 numbers (IBAN), with the length of their country and the check digits.

use smallvec::SmallVec;

use crate::text::alphabet::Alphabet;
use crate::text::kind::Kind;
use crate::text::window::{Hit, Judged, Window};

/// How long the numbers of a country are (SWIFT, "IBAN registry"), in the order of their letters.
const COUNTRIES: &[(&[u8; 2], usize)] = &[
    (b"AD", 24),
    (b"AE", 23),
    (b"AL", 28),
    (b"AT", 20),
    (b"AZ", 28),
    (b"BA", 20),
    (b"BE", 16),
    (b"BG", 22),
    (b"BH", 22),
    (b"BI", 27),
    (b"BR", 29),
    (b"BY", 28),
    (b"CH", 21),
    (b"CR", 22),
    (b"CY", 28),
    (b"CZ", 24),
    (b"DE", 22),
    (b"DJ", 27),
    (b"DK", 18),
    (b"DO", 28),
    (b"EE", 20),
    (b"EG", 29),
    (b"ES", 24),
    (b"FI", 18),
    (b"FK", 18),
    (b"FO", 18),
    (b"FR", 27),
    (b"GB", 22),
    (b"GE", 22),
    (b"GI", 23),
    (b"GL", 18),
    (b"GR", 27),
    (b"GT", 28),
    (b"HR", 21),
    (b"HU", 28),
    (b"IE", 22),
    (b"IL", 23),
    (b"IQ", 23),
    (b"IS", 26),
    (b"IT", 27),
    (b"JO", 30),
    (b"KW", 30),
    (b"KZ", 20),
    (b"LB", 28),
    (b"LC", 32),
    (b"LI", 21),
    (b"LT", 20),
    (b"LU", 20),
    (b"LV", 21),
    (b"LY", 25),
    (b"MC", 27),
    (b"MD", 24),
    (b"ME", 22),
    (b"MK", 19),
    (b"MN", 20),
    (b"MR", 27),
    (b"MT", 31),
    (b"MU", 30),
    (b"NI", 28),
    (b"NL", 18),
    (b"NO", 15),
    (b"OM", 23),
    (b"PK", 24),
    (b"PL", 28),
    (b"PS", 29),
    (b"PT", 25),
    (b"QA", 29),
    (b"RO", 24),
    (b"RS", 22),
    (b"RU", 33),
    (b"SA", 24),
    (b"SC", 31),
    (b"SD", 18),
    (b"SE", 24),
    (b"SI", 19),
    (b"SK", 24),
    (b"SM", 27),
    (b"SO", 23),
    (b"ST", 25),
    (b"SV", 28),
    (b"TL", 23),
    (b"TN", 24),
    (b"TR", 26),
    (b"UA", 29),
    (b"VA", 22),
    (b"VG", 24),
    (b"XK", 20),
    (b"YE", 30),
];

/// The account whose check digits begin at `at`.
pub(super) fn judge(window: &Window<'_>, at: usize) -> Judged {
    let Some(start) = at.checked_sub(2) else { return Ok(None) };
    let country = window.left(at, 2);
    if !country.iter().all(u8::is_ascii_uppercase) {
        return Ok(None);
    }
    if !window.starts_word(start) {
        return Ok(None);
    }
    let known = COUNTRIES.binary_search_by(|(name, _)| name.as_slice().cmp(country)).ok();
    let Some((_, length)) = known.and_then(|index| COUNTRIES.get(index)) else { return Ok(None) };
    let mut characters: SmallVec<[u8; 40]> = SmallVec::new();
    let mut end = start;
    while characters.len() < *length {
        match window.peek(end)? {
            // A space comes after every fourth character, or nowhere.
            Some(b' ') if characters.len().is_multiple_of(4) && window.before(end) != Some(b' ') => {}
            Some(byte) if Alphabet::UPPER_ALPHANUMERIC.has(byte) => characters.push(byte),
            _ => return Ok(None),
        }
        end += 1;
    }
    let found = has_valid_checksum(&characters) && window.ends_word(end)?;
    Ok(found.then_some(Hit::whole(Kind::Iban, start, end)))
}

/// ISO 7064, MOD 97-10, over the number with its first four characters behind the others.
fn has_valid_checksum(characters: &[u8]) -> bool {
    let Some((head, rest)) = characters.split_at_checked(4) else { return false };
    let number = rest.iter().chain(head).fold(0_u64, |number, byte| {
        // Divided now and then only: a remainder and one more character are far from the end of 64 bits.
        let number = if number > u64::MAX / 1_000 { number % 97 } else { number };
        match byte {
            b'0'..=b'9' => number * 10 + u64::from(byte - b'0'),
            _ => number * 100 + u64::from(byte.saturating_sub(b'A')) + 10,
        }
    });
    head.get(2..).is_some_and(|check| check.iter().all(u8::is_ascii_digit)) && number % 97 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_countries_are_in_the_order_of_their_letters() {
        assert!(COUNTRIES.is_sorted_by_key(|(name, _)| name));
    }
}
