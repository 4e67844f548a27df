//! Telephone numbers: international ones with `+` (ITU-T E.164), North American ones (NANP), Chinese mobile ones, and
//! those with a trunk prefix (`030 2586030`) or an international one (`0044 …`) where the text before speaks of one.
//!
//! A bare run of digits is a telephone number only where the text before speaks of one: model answers are full of
//! timestamps and identifiers.

use super::numeral::{Numeral, begins, ends};
use crate::text::alphabet::Alphabet;
use crate::text::kind::Kind;
use crate::text::window::{Hit, Judged, Open, Spoken, Window};

static SPOKEN: Spoken = Spoken::new(&[
    b"phone",
    b"tel:",
    b"tel ",
    b"tel.",
    b"mobile",
    b"call ",
    b"cell",
    b"fax",
    b"whatsapp",
    b"sms",
    "电话".as_bytes(),
    "手机".as_bytes(),
    "联系".as_bytes(),
]);
const SPOKEN_WITHIN: usize = 24;
/// E.164 §6.
const MOST_DIGITS: usize = 15;
/// Fewer digits after a `+` are a difference, or an offset of time.
const LEAST_GROUPED: usize = 9;
const LEAST_BARE: usize = 10;
/// A number within a country, its trunk prefix included.
const MOST_NATIONAL: usize = 12;
const MOST_EXTENSION: usize = 6;

/// The telephone number that the number is, or begins with.
pub(super) fn judge(window: &Window<'_>, numeral: &Numeral) -> Judged {
    let Some(&(start, _)) = numeral.groups.first() else { return Ok(None) };
    let found = match window.before(start) {
        Some(b'+') => international(window, numeral, start),
        _ => north_american(window, numeral, start)
            .or_else(|| chinese(window, numeral, start))
            .or_else(|| with_zero(window, numeral, start)),
    };
    let Some((start, end)) = found else { return Ok(None) };
    let end = extension(window, end)?;
    Ok(ends(window, end)?.then_some(Hit::whole(Kind::Phone, start, end)))
}

/// Past the number of a telephone within a house, as in `555-2671x204`.
fn extension(window: &Window<'_>, end: usize) -> Result<usize, Open> {
    if window.peek(end)? != Some(b'x') {
        return Ok(end);
    }
    let digits_end = window.run(end + 1, Alphabet::DIGIT, MOST_EXTENSION + 1)?;
    Ok(if (1..=MOST_EXTENSION).contains(&(digits_end - end - 1)) { digits_end } else { end })
}

/// `030 2586030`, `(0306) 9990041`, `03 73 34 61 93`: the trunk prefix of most countries; `0044 …`, the usual way abroad.
fn with_zero(window: &Window<'_>, numeral: &Numeral, start: usize) -> Option<(usize, usize)> {
    let most = match numeral.digits(1) {
        [0, 0, ..] => MOST_DIGITS,
        [0, ..] => MOST_NATIONAL,
        _ => return None,
    };
    if !window.speaks_of(&SPOKEN, start, SPOKEN_WITHIN) {
        return None;
    }
    let (groups, count) = within(numeral, most);
    let bracket = window.before(start) == Some(b'(');
    let start = start - usize::from(bracket);
    (count >= LEAST_GROUPED && begins(window, start)).then_some((start, numeral.end(groups.checked_sub(1)?)?))
}

/// How many groups make up no more digits than these, and how many they make up.
fn within(numeral: &Numeral, most: usize) -> (usize, usize) {
    let (mut groups, mut count) = (0, 0);
    while numeral.length(groups) > 0 && count + numeral.length(groups) <= most {
        count += numeral.length(groups);
        groups += 1;
    }
    (groups, count)
}

/// As many groups as make up no more digits than a number has.
fn international(window: &Window<'_>, numeral: &Numeral, start: usize) -> Option<(usize, usize)> {
    let digits = numeral.digits(1);
    let most = match digits {
        [0, ..] => return None,
        [1, ..] => 11,
        [8, 6, ..] => 13,
        _ => MOST_DIGITS,
    };
    let (groups, count) = within(numeral, most);
    let least = if groups > 1 { LEAST_GROUPED } else { LEAST_BARE };
    let plus = start - 1;
    let end = numeral.end(groups.checked_sub(1)?)?;
    (count >= least && begins(window, plus) && !window.bytes.get(end).is_some_and(u8::is_ascii_digit))
        .then_some((plus, end))
}

/// `(415) 555-2671`, `415-555-2671`, `415.555.2671`, `1-415-555-2671`; with spaces or bare where one is spoken of.
fn north_american(window: &Window<'_>, numeral: &Numeral, start: usize) -> Option<(usize, usize)> {
    let first = usize::from(numeral.length(0) == 1 && numeral.digits(1) == [1]);
    let digits = numeral.digits(first + 3);
    let national = digits.get(first..)?;
    let spoken = || window.speaks_of(&SPOKEN, start, SPOKEN_WITHIN);
    let bare = numeral.length(0) == 10;
    let grouped =
        [3, 3, 4].iter().enumerate().all(|(group, length)| numeral.length(first + group) == *length);
    let bracket =
        first == 0 && window.before(start) == Some(b'(') && numeral.separator(window, 0) == Some(b')');
    let separator = numeral.separator(window, first + 1);
    let same = separator == numeral.separator(window, first) || bracket || first == 1;
    // The words before are looked for last: logs are full of long numbers, and few of them can be one.
    if !(grouped || bare) || !is_north_american(national) {
        return None;
    }
    let written = grouped
        && same
        && (matches!(separator, Some(b'-' | b'.')) || (separator.is_some() && (bracket || spoken())));
    if !(written || (bare && spoken())) {
        return None;
    }
    let last = if bare { 0 } else { first + 2 };
    let start = start - usize::from(bracket);
    begins(window, start).then_some((start, numeral.end(last)?))
}

/// Area and exchange begin with 2 to 9, and neither ends in 11.
fn is_north_american(digits: &[u8]) -> bool {
    let code = |code: &[u8]| matches!(code, [2..=9, second, third] if (*second, *third) != (1, 1));
    digits.get(..3).is_some_and(code) && digits.get(3..6).is_some_and(code)
}

/// `138 0013 8000`, `138-0013-8000`; bare where one is spoken of.
fn chinese(window: &Window<'_>, numeral: &Numeral, start: usize) -> Option<(usize, usize)> {
    let grouped = numeral.begins(&[3, 4, 4]) && numeral.separated(window, 3, b" -");
    let mobile = matches!(numeral.digits(1), [1, 3..=9, ..]);
    let bare = mobile && numeral.length(0) == 11 && window.speaks_of(&SPOKEN, start, SPOKEN_WITHIN);
    let end = numeral.end(if grouped { 2 } else { 0 })?;
    ((grouped || bare) && mobile && begins(window, start)).then_some((start, end))
}
