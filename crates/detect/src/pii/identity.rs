//! Numbers that states give to people: of the United States and of China.

use super::numeral::{Numeral, begins, ends};
use crate::text::kind::Kind;
use crate::text::window::{Hit, Judged, Spoken, Window};

/// Numbers that stood on specimen cards and in advertisements, and belong to nobody.
const PUBLISHED: [[u8; 9]; 2] = [[0, 7, 8, 0, 5, 1, 1, 2, 0], [2, 1, 9, 0, 9, 9, 9, 9, 9]];
static SPOKEN: Spoken = Spoken::new(&[b"ssn", b"social security", b"soc sec"]);
const SPOKEN_WITHIN: usize = 32;

/// A US social security number: with dashes; with spaces or without anything where the text before speaks of one.
pub(super) fn social_security(window: &Window<'_>, numeral: &Numeral) -> Judged {
    let Some(&(start, first_end)) = numeral.groups.first() else { return Ok(None) };
    let spoken = || window.speaks_of(&SPOKEN, start, SPOKEN_WITHIN);
    let grouped = numeral.begins(&[3, 2, 4]);
    let bare = numeral.length(0) == 9;
    let count = if bare { 1 } else { 3 };
    if !(grouped || bare) || !begins(window, start) || !is_issued(numeral.digits(count)) {
        return Ok(None);
    }
    let dashed = grouped && numeral.separated(window, 3, b"-");
    let spaced = grouped && numeral.separated(window, 3, b" ");
    // The words before are looked for last: logs are full of numbers with nine digits.
    if !(dashed || ((spaced || bare) && spoken())) {
        return Ok(None);
    }
    let end = numeral.end(count - 1).unwrap_or(first_end);
    Ok(ends(window, end)?.then_some(Hit::whole(Kind::Ssn, start, end)))
}

/// Areas 000, 666 and 900 on, group 00 and serial 0000 are never given out (SSA, "SSN randomization").
fn is_issued(digits: &[u8]) -> bool {
    match digits {
        [0, 0, 0, ..] | [6, 6, 6, ..] | [9, ..] | [_, _, _, 0, 0, ..] | [.., 0, 0, 0, 0] => false,
        _ => !PUBLISHED.iter().any(|published| published == digits),
    }
}

/// The first two digits: provinces, regions and municipalities (GB/T 2260).
const PROVINCES: &[u8] = &[
    11, 12, 13, 14, 15, 21, 22, 23, 31, 32, 33, 34, 35, 36, 37, 41, 42, 43, 44, 45, 46, 50, 51, 52, 53, 54,
    61, 62, 63, 64, 65, 71, 81, 82, 83,
];

/// A Chinese resident identity number (GB 11643): place, day of birth, order, check digit.
pub(super) fn chinese(window: &Window<'_>, numeral: &Numeral) -> Judged {
    let Some(&(start, end)) = numeral.groups.first() else { return Ok(None) };
    let check = match end - start {
        18 => window.before(end).map(|digit| u32::from(digit - b'0')),
        17 => matches!(window.peek(end)?, Some(b'X' | b'x')).then_some(10),
        _ => None,
    };
    let Some(check) = check else { return Ok(None) };
    let end = start + 18;
    let digits = numeral.digits(1);
    let found = begins(window, start)
        && is_resident(digits.get(..17).unwrap_or_default(), check)
        && ends(window, end)?;
    Ok(found.then_some(Hit::whole(Kind::CnId, start, end)))
}

fn is_resident(digits: &[u8], check: u32) -> bool {
    let [province, ten, _, _, _, _, y1, y2, y3, y4, m1, m2, d1, d2, ..] = digits else { return false };
    let year = [y1, y2, y3, y4].iter().fold(0_u16, |year, digit| year * 10 + u16::from(**digit));
    PROVINCES.contains(&(province * 10 + ten))
        && (1800..2100).contains(&year)
        && (1..=12).contains(&(m1 * 10 + m2))
        && (1..=31).contains(&(d1 * 10 + d2))
        && check_digit(digits) == check
}

/// ISO 7064, MOD 11-2; ten is written X.
fn check_digit(digits: &[u8]) -> u32 {
    let product = digits.iter().fold(0, |product, digit| (product + u32::from(*digit)) * 2 % 11);
    (12 - product) % 11
}
