//! Numbers: reads a run of digits, and the groups that go on from it, once; what kind of number it is is decided on that.

use smallvec::SmallVec;

use super::{PiiKind, PiiKinds, bank, card, identity, ip, phone};
use crate::text::alphabet::Alphabet;
use crate::text::window::{Judged, Open, Window};

/// No number that is looked for has more digits in one piece.
const LONGEST_RUN: usize = 20;
/// A telephone number and a social security number have nine digits at least, and everything else more.
pub(crate) const LEAST_DIGITS: u32 = 9;
/// The code of an area with its trunk prefix, as in `08074 139738`.
const LONGEST_AREA: usize = 5;
/// Of them most numbers have fewer; more are kept all the same.
const MOST_DIGITS: usize = 32;
/// `+49 30 12 34 56 78` has six groups.
const MOST_GROUPS: usize = 7;

/// Groups of digits with one separator (or a bracket and one) between two of them.
#[derive(Debug, Default)]
pub(super) struct Numeral {
    /// Where each group begins and ends.
    pub(super) groups: SmallVec<[(usize, usize); MOST_GROUPS]>,
    /// The values of all digits.
    digits: SmallVec<[u8; MOST_DIGITS]>,
}

impl Numeral {
    fn add(&mut self, window: &Window<'_>, (start, end): (usize, usize)) {
        self.groups.push((start, end));
        self.digits.extend(window.slice(start, end).iter().map(|byte| byte - b'0'));
    }

    /// The length of a group; zero where there is none.
    pub(super) fn length(&self, group: usize) -> usize {
        self.groups.get(group).map_or(0, |(start, end)| end - start)
    }

    /// Where a group ends.
    pub(super) fn end(&self, group: usize) -> Option<usize> {
        self.groups.get(group).map(|(_, end)| *end)
    }

    /// The byte that ends a group where another follows.
    pub(super) fn separator(&self, window: &Window<'_>, group: usize) -> Option<u8> {
        let following = self.groups.get(group + 1).is_some();
        self.end(group).filter(|_| following).and_then(|end| window.bytes.get(end).copied())
    }

    /// Whether the first groups have these lengths.
    pub(super) fn begins(&self, lengths: &[usize]) -> bool {
        lengths.iter().enumerate().all(|(group, length)| self.length(group) == *length)
    }

    /// Whether the same one of these bytes stands after each of the first `count` groups but the last.
    pub(super) fn separated(&self, window: &Window<'_>, count: usize, by: &[u8]) -> bool {
        let first = self.separator(window, 0);
        first.is_some_and(|first| by.contains(&first))
            && (1..count.saturating_sub(1)).all(|group| self.separator(window, group) == first)
    }

    /// The digits of the first `count` groups.
    pub(super) fn digits(&self, count: usize) -> &[u8] {
        let length: usize = self.groups.iter().take(count).map(|(start, end)| end - start).sum();
        self.digits.get(..length).unwrap_or_default()
    }
}

/// The number whose first digit stands at `at`, if it is one of these kinds.
pub(crate) fn judge(kinds: PiiKinds, window: &Window<'_>, at: usize) -> Judged {
    if kinds.has(PiiKind::Iban)
        && let Some(hit) = bank::judge(window, at)?
    {
        return Ok(Some(hit));
    }
    // A digit within a word is part of an identifier or of a hash.
    if !window.starts_word(at) {
        return Ok(None);
    }
    let end = window.run(at, Alphabet::DIGIT, LONGEST_RUN)?;
    if end - at == LONGEST_RUN {
        return Ok(None);
    }
    if kinds.has(PiiKind::Ip)
        && let Some(hit) = ip::judge_v4(window, at, end)?
    {
        return Ok(Some(hit));
    }
    // Filled where it stands: there are many numbers in logs, and it is large to be handed about.
    let mut numeral = Numeral::default();
    read(&mut numeral, kinds, window, (at, end))?;
    if numeral.digits.len() < LEAST_DIGITS as usize {
        return Ok(None);
    }
    first(
        &[
            (PiiKind::CnId, identity::chinese),
            (PiiKind::Card, card::judge),
            (PiiKind::Ssn, identity::social_security),
            (PiiKind::Phone, phone::judge),
        ],
        kinds,
        window,
        &numeral,
    )
}

type Judge = fn(&Window<'_>, &Numeral) -> Judged;

fn first(judges: &[(PiiKind, Judge)], kinds: PiiKinds, window: &Window<'_>, numeral: &Numeral) -> Judged {
    for (kind, judge) in judges {
        if kinds.has(*kind)
            && let Some(hit) = judge(window, numeral)?
        {
            return Ok(Some(hit));
        }
    }
    Ok(None)
}

/// Reads on from the first group as long as that can lead anywhere.
fn read(
    numeral: &mut Numeral,
    kinds: PiiKinds,
    window: &Window<'_>,
    (at, first_end): (usize, usize),
) -> Result<(), Open> {
    numeral.add(window, (at, first_end));
    let international = window.before(at) == Some(b'+');
    let bracket = window.before(at) == Some(b'(');
    let grouped = kinds.has(PiiKind::Card) || kinds.has(PiiKind::Ssn) || kinds.has(PiiKind::Phone);
    let trunk = first_end - at <= LONGEST_AREA && window.peek(at)? == Some(b'0');
    let goes_on = international || matches!(first_end - at, 1 | 3 | 4) || bracket || trunk;
    let mut end = first_end;
    while grouped && goes_on && numeral.groups.len() < MOST_GROUPS {
        let Some(start) = next_group(window, end)? else { break };
        end = window.run(start, Alphabet::DIGIT, LONGEST_RUN)?;
        numeral.add(window, (start, end));
    }
    Ok(())
}

/// Where the next group of digits begins, after one separator or a bracket and one.
fn next_group(window: &Window<'_>, end: usize) -> Result<Option<usize>, Open> {
    let mut start = end;
    while start - end < 2 {
        match window.peek(start)? {
            Some(b' ' | b'-' | b'.') if start == end => start += 1,
            Some(b'(' | b')') => start += 1,
            Some(b' ' | b'-') if window.before(start) == Some(b')') => start += 1,
            _ => break,
        }
    }
    let digit = start > end && window.peek(start)?.is_some_and(|byte| byte.is_ascii_digit());
    Ok(digit.then_some(start))
}

/// Whether a number ends at `end`: no letter follows, and no dash or dot with another digit.
pub(super) fn ends(window: &Window<'_>, end: usize) -> Result<bool, Open> {
    match window.peek(end)? {
        Some(b'-' | b'.') => Ok(!window.peek(end + 1)?.is_some_and(|byte| byte.is_ascii_digit())),
        Some(byte) => Ok(!byte.is_ascii_alphanumeric() && byte != b'_'),
        None => Ok(true),
    }
}

/// Whether a number begins at `start`: not after a dash, a dot or a slash that joins it to something before.
pub(super) fn begins(window: &Window<'_>, start: usize) -> bool {
    match window.left(start, 2) {
        [.., last] if last.is_ascii_alphanumeric() || *last == b'_' => window.starts_word(start),
        [before, b'-' | b'.' | b'/' | b','] => !before.is_ascii_alphanumeric(),
        _ => true,
    }
}
