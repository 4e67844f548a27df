//! Payment cards: ISO/IEC 7812 numbers of the known schemes, with the check digit.

use super::numeral::{Numeral, begins, ends};
use crate::text::kind::Kind;
use crate::text::window::{Hit, Judged, Window};

/// The first digits of a scheme: from, to (of as many digits as written), and the lengths that its numbers have.
const SCHEMES: &[(u32, u32, &[usize])] = &[
    (4, 4, &[13, 16, 19]),       // Visa
    (51, 55, &[16]),             // Mastercard
    (2221, 2720, &[16]),         // Mastercard
    (34, 34, &[15]),             // American Express
    (37, 37, &[15]),             // American Express
    (300, 305, &[14]),           // Diners Club
    (36, 36, &[14]),             // Diners Club
    (38, 39, &[14]),             // Diners Club
    (6011, 6011, &[16, 19]),     // Discover
    (644, 659, &[16, 19]),       // Discover
    (3528, 3589, &[16, 19]),     // JCB
    (62, 62, &[16, 17, 18, 19]), // UnionPay
    (2200, 2204, &[16]),         // Mir
    (5018, 5018, &[16, 18, 19]), // Maestro
    (5020, 5020, &[16, 18, 19]), // Maestro
    (5038, 5038, &[16, 18, 19]), // Maestro
    (6304, 6304, &[16, 18, 19]), // Maestro
    (6759, 6763, &[16, 18, 19]), // Maestro
];

/// How the digits of cards are grouped, where they are.
const GROUPINGS: &[&[usize]] = &[&[4, 4, 4, 4, 3], &[4, 4, 4, 4], &[4, 6, 5], &[4, 6, 4]];

/// The card that the number is, or begins with.
pub(super) fn judge(window: &Window<'_>, numeral: &Numeral) -> Judged {
    let Some(&(start, first_end)) = numeral.groups.first() else { return Ok(None) };
    // After a plus sign it is a telephone number, of which some have a right check digit.
    if !begins(window, start) || window.before(start) == Some(b'+') {
        return Ok(None);
    }
    let grouping = GROUPINGS
        .iter()
        .find(|grouping| numeral.begins(grouping) && numeral.separated(window, grouping.len(), b" -"));
    let count = grouping.map_or(1, |grouping| grouping.len());
    let end = numeral.end(count - 1).unwrap_or(first_end);
    let found = is_card(numeral.digits(count)) && ends(window, end)?;
    Ok(found.then_some(Hit::whole(Kind::Card, start, end)))
}

fn is_card(digits: &[u8]) -> bool {
    let scheme = |(from, to, lengths): &(u32, u32, &[usize])| {
        let known =
            digits.iter().take(written(*from)).fold(0, |number, digit| number * 10 + u32::from(*digit));
        (*from..=*to).contains(&known) && lengths.contains(&digits.len())
    };
    (13..=19).contains(&digits.len()) && luhn(digits) && SCHEMES.iter().any(scheme)
}

/// How many digits a number is written with.
fn written(number: u32) -> usize {
    match number {
        ..10 => 1,
        10..100 => 2,
        100..1000 => 3,
        _ => 4,
    }
}

/// ISO/IEC 7812-1, annex B.
fn luhn(digits: &[u8]) -> bool {
    let weigh = |(index, digit): (usize, &u8)| match (index % 2, u32::from(*digit)) {
        (1, digit) if digit > 4 => digit * 2 - 9,
        (1, digit) => digit * 2,
        (_, digit) => digit,
    };
    digits.iter().rev().enumerate().map(weigh).sum::<u32>().is_multiple_of(10)
}
