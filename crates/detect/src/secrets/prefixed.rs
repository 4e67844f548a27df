//! Finds the keys of the table of rules: by the byte that the scan stopped at and the one before it.

use super::rules::{RULES, Rule};
use crate::text::alphabet::Alphabet;
use crate::text::kind::Kind;
use crate::text::window::{Hit, Judged, Tail, Window};

/// No key is longer; what goes on past this is a key all the same, and swallowed to its end.
const LONGEST_BODY: usize = 256;
/// The longest prefix, and how much of one can be at the end of a text.
pub(super) const LONGEST_PREFIX: usize = 20;

/// The rules, arranged by the bytes that lead to them: one bit for each.
#[derive(Debug)]
pub(crate) struct Prefixes {
    by_anchor: [u128; 256],
    by_byte_before: [u128; 256],
    by_second_before: [u128; 256],
    by_first: [u128; 256],
}

impl Prefixes {
    pub(crate) fn new() -> Self {
        let mut table = Self {
            by_anchor: [0; 256],
            by_byte_before: [0; 256],
            by_second_before: [0; 256],
            by_first: [0; 256],
        };
        for (index, rule) in RULES.iter().enumerate() {
            let bit = 1 << index;
            mark(&mut table.by_anchor, rule.prefix.get(rule.anchor), bit);
            mark(&mut table.by_first, rule.prefix.first(), bit);
            for (distance, before) in [(1, &mut table.by_byte_before), (2, &mut table.by_second_before)] {
                match rule.anchor.checked_sub(distance) {
                    Some(index) => mark(before, rule.prefix.get(index), bit),
                    None => before.iter_mut().for_each(|bits| *bits |= bit),
                }
            }
        }
        table
    }

    /// The key whose anchor stands at `at`.
    pub(crate) fn judge(&self, window: &Window<'_>, at: usize) -> Judged {
        let here = window.peek(at)?.map_or(0, |byte| look_up(&self.by_anchor, byte));
        let before = match window.left(at, 2) {
            [second, first] => {
                look_up(&self.by_byte_before, *first) & look_up(&self.by_second_before, *second)
            }
            [first] => look_up(&self.by_byte_before, *first),
            _ => u128::MAX,
        };
        for rule in rules(here & before) {
            let Some(start) = at.checked_sub(rule.anchor) else { continue };
            if let Some(hit) = rule.judge(window, start)? {
                return Ok(Some(hit));
            }
        }
        Ok(None)
    }

    /// The key that begins at `start`.
    pub(crate) fn judge_start(&self, window: &Window<'_>, start: usize) -> Judged {
        let Some(first) = window.peek(start)? else { return Ok(None) };
        for rule in rules(look_up(&self.by_first, first)) {
            if let Some(hit) = rule.judge(window, start)? {
                return Ok(Some(hit));
            }
        }
        Ok(None)
    }

    /// Where the beginning of a prefix stands that ends at `at`: the earliest such place, else `at`.
    pub(crate) fn begun(&self, window: &Window<'_>, at: usize) -> usize {
        let tail = window.left(at, LONGEST_PREFIX);
        let offset = at - tail.len();
        let begins = |index: usize, first: u8| {
            let begun = tail.get(index..).unwrap_or_default();
            rules(look_up(&self.by_first, first))
                .any(|rule| rule.prefix.starts_with(begun) && rule.may_begin(window, offset + index))
        };
        let found = tail.iter().enumerate().find(|(index, first)| begins(*index, **first));
        found.map_or(at, |(index, _)| offset + index)
    }
}

fn mark(table: &mut [u128; 256], byte: Option<&u8>, bit: u128) {
    if let Some(bits) = byte.and_then(|byte| table.get_mut(usize::from(*byte))) {
        *bits |= bit;
    }
}

fn look_up(table: &[u128; 256], byte: u8) -> u128 {
    table.get(usize::from(byte)).copied().unwrap_or(0)
}

/// The rules of these bits, in the order of the table.
fn rules(mut bits: u128) -> impl Iterator<Item = &'static Rule> {
    std::iter::from_fn(move || {
        let index = usize::try_from(bits.trailing_zeros()).ok()?;
        bits &= bits.wrapping_sub(1);
        RULES.get(index)
    })
}

impl Rule {
    fn may_begin(&self, window: &Window<'_>, start: usize) -> bool {
        !self.own_word || window.starts_word(start)
    }

    fn judge(&self, window: &Window<'_>, start: usize) -> Judged {
        let anchor = start + self.anchor;
        let here = window.slice(start, anchor.min(window.bytes.len()));
        if !self.prefix.starts_with(here)
            || !self.may_begin(window, start)
            || !window.stands(start, self.prefix)?
        {
            return Ok(None);
        }
        let body = start + self.prefix.len();
        let end = window.run(body, self.body, LONGEST_BODY)?;
        let whole = end - body < LONGEST_BODY;
        let (end, ended) = if whole { self.trim(window, end)? } else { (end, true) };
        let length = end.saturating_sub(body);
        let fits =
            length >= self.least && length <= self.most && ended && (self.check)(window.slice(body, end));
        let tail = if whole { Tail::None } else { Tail::Run(self.body) };
        Ok(fits.then_some(Hit { start, end, kind: self.kind, tail }))
    }

    /// A dot at the end ends the sentence, not the key; and a key of a known length ends where its word does.
    fn trim(&self, window: &Window<'_>, end: usize) -> Result<(usize, bool), crate::text::window::Open> {
        let dotted = self.body == Alphabet::BASE64_URL_DOTTED && window.before(end) == Some(b'.');
        let end = if dotted { end - 1 } else { end };
        Ok((end, self.most == usize::MAX || window.ends_word(end)?))
    }
}

/// The token of Databricks, whose prefix has no rare byte: found from its first digit, which stands early in it.
pub(crate) mod databricks {
    use super::{Alphabet, Hit, Judged, Kind, Window};
    use crate::secrets::entropy::is_varied;

    const PREFIX: &[u8] = b"dapi";
    const DIGITS: usize = 32;
    /// How many letters may come before the first digit; of random tokens one in 100,000 has more.
    const LETTERS: usize = 12;

    /// The token whose first digit stands at `at`.
    pub(crate) fn judge(window: &Window<'_>, at: usize) -> Judged {
        let Some(start) = begun(window, at) else { return Ok(None) };
        let body = start + PREFIX.len();
        let end = window.run(body, Alphabet::LOWER_HEX, DIGITS + 1)?;
        let fits = end - body == DIGITS && window.ends_word(end)? && is_varied(window.slice(body, end));
        Ok(fits.then_some(Hit::whole(Kind::DatabricksToken, start, end)))
    }

    /// Where a token may have begun whose first digit stands at `at` or later; else `at`.
    pub(crate) fn reach(window: &Window<'_>, at: usize) -> usize {
        let partial =
            || (1..PREFIX.len()).rev().find(|length| PREFIX.get(..*length) == Some(window.left(at, *length)));
        begun(window, at).or_else(|| partial().map(|length| at - length)).unwrap_or(at)
    }

    /// Where the prefix stands that only letters separate from `at`.
    fn begun(window: &Window<'_>, at: usize) -> Option<usize> {
        let left = window.left(at, LETTERS);
        let letters = left.iter().rev().take_while(|byte| matches!(byte, b'a'..=b'f')).count();
        let body = at - letters;
        let start = body.checked_sub(PREFIX.len()).filter(|_| window.left(body, PREFIX.len()) == PREFIX)?;
        window.starts_word(start).then_some(start)
    }
}
