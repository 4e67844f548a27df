//! Finds the keys of the table of rules: by the byte that the scan stopped at and the one before it.

use super::rules::{RULES, Rule};
use crate::text::alphabet::Alphabet;
use crate::text::kind::Kind;
use crate::text::window::{Hit, Judged, Open, Tail, Window};

/// No key is longer; what goes on past this is a key all the same, and swallowed to its end.
const LONGEST_BODY: usize = 256;

/// The rules, arranged by what stands at and before the byte that the scan stopped at.
#[derive(Debug)]
pub(crate) struct Prefixes {
    /// By the anchor and the two bytes before it.
    by_anchor: Lists,
    /// By the anchor, where fewer than two bytes stand before it.
    by_anchor_alone: Lists,
    by_first: Lists,
    heads: Heads,
}

impl Prefixes {
    pub(crate) fn new() -> Self {
        let near = |rule: &Rule| near(rule.prefix, rule.anchor);
        Self {
            by_anchor: Lists::new(4096, near),
            by_anchor_alone: Lists::new(256, |rule| match near(rule) {
                None => rule.prefix.get(rule.anchor).copied().map(u32::from),
                Some(_) => None,
            }),
            by_first: Lists::new(256, |rule| rule.prefix.first().copied().map(u32::from)),
            heads: Heads::new(),
        }
    }

    /// The key whose anchor stands at `at`.
    #[inline]
    pub(crate) fn judge(&self, window: &Window<'_>, at: usize) -> Judged {
        let joint = near(window.bytes, at).map_or(&[][..], |key| self.by_anchor.of(key));
        let Some(anchor) = window.peek(at)? else { return Ok(None) };
        let alone =
            if matches!(anchor, b'-' | b'_') { &[][..] } else { self.by_anchor_alone.of(anchor.into()) };
        for rule in joint.iter().chain(alone).filter_map(|index| RULES.get(*index)) {
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
        for rule in self.by_first.of(first.into()).iter().filter_map(|index| RULES.get(*index)) {
            if let Some(hit) = rule.judge(window, start)? {
                return Ok(Some(hit));
            }
        }
        Ok(None)
    }

    /// Where the beginning of a prefix stands that ends at `at` before its anchor: the earliest such place, else `at`.
    pub(crate) fn begun(&self, window: &Window<'_>, at: usize) -> usize {
        self.heads.begun(window, at)
    }
}

/// The anchor and the two bytes before it, if there are as many.
#[inline]
fn near(bytes: &[u8], anchor: usize) -> Option<u32> {
    match bytes.get(anchor.checked_sub(2)?..=anchor)? {
        &[second, first, anchor] => Some(u32::from_le_bytes([anchor, first, second, 0])),
        _ => None,
    }
}

/// Lists of rules by a hash of a key: another key's rules may stand in a list too, and are told by their prefixes.
#[derive(Debug)]
struct Lists {
    /// Which list a hash leads to; the first one is empty.
    slots: Vec<u16>,
    lists: Vec<Vec<usize>>,
    shift: u32,
}

impl Lists {
    /// The rules by their keys, in as many slots; what has no key is in no list.
    fn new(slots: usize, key: impl Fn(&Rule) -> Option<u32>) -> Self {
        let shift = u32::BITS - slots.ilog2();
        let mut table = Self { slots: vec![0; slots], lists: vec![Vec::new()], shift };
        for (index, rule) in RULES.iter().enumerate() {
            if let Some(key) = key(rule) {
                table.put(key, index);
            }
        }
        table
    }

    fn put(&mut self, key: u32, index: usize) {
        let slot = hash(key, self.shift);
        let Some(list) = self.slots.get_mut(slot) else { return };
        if *list == 0 {
            *list = u16::try_from(self.lists.len()).unwrap_or(0);
            self.lists.push(Vec::new());
        }
        if let Some(list) = self.lists.get_mut(usize::from(*list)) {
            list.push(index);
        }
    }

    #[inline]
    fn of(&self, key: u32) -> &[usize] {
        let list = self.slots.get(hash(key, self.shift)).copied().unwrap_or(0);
        self.lists.get(usize::from(list)).map_or(&[], Vec::as_slice)
    }
}

/// The high bits of a product depend on all of the key (Knuth, TAOCP 6.4).
#[inline]
fn hash(key: u32, shift: u32) -> usize {
    usize::try_from(key.wrapping_mul(0x9e37_79b1) >> shift).unwrap_or(0)
}

/// The longest part of a prefix before its anchor.
pub(super) const LONGEST_HEAD: usize = 8;

/// The beginnings of prefixes that end before their anchors: what can stand at the end of a text and has to wait there.
#[derive(Debug)]
struct Heads {
    /// Whether a head has this hash: most ends of texts are none, and this table stays near.
    known: [u64; Self::SLOTS / 64],
    /// By the hash of the bytes: the bytes, and whether they have to begin a word.
    slots: Vec<(u64, bool)>,
}

impl Heads {
    const SLOTS: usize = 2048;

    fn new() -> Self {
        let mut table = Self { known: [0; Self::SLOTS / 64], slots: vec![(0, true); Self::SLOTS] };
        for rule in RULES {
            for length in 1..=rule.anchor {
                table.put(last(last_eight(rule.prefix, length), length), rule.own_word);
            }
        }
        table
    }

    fn put(&mut self, head: u64, own_word: bool) {
        let mut at = Self::slot(head);
        if let Some(bits) = self.known.get_mut(at / 64) {
            *bits |= 1 << (at % 64);
        }
        while let Some(slot) = self.slots.get_mut(at) {
            if slot.0 == 0 || slot.0 == head {
                *slot = (head, slot.1 && own_word);
                return;
            }
            at = (at + 1) % Self::SLOTS;
        }
    }

    /// Whether the bytes are a head, and then whether they have to begin a word.
    #[inline]
    fn find(&self, head: u64) -> Option<bool> {
        let mut at = Self::slot(head);
        if self.known.get(at / 64)? >> (at % 64) & 1 == 0 {
            return None;
        }
        loop {
            match self.slots.get(at)? {
                (0, _) => return None,
                (found, own_word) if *found == head => return Some(*own_word),
                _ => at = (at + 1) % Self::SLOTS,
            }
        }
    }

    fn slot(head: u64) -> usize {
        usize::try_from(head.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - Self::SLOTS.ilog2()))
            .unwrap_or(0)
    }

    #[inline]
    fn begun(&self, window: &Window<'_>, at: usize) -> usize {
        let letters = Alphabet::ALPHANUMERIC.run_back(window.left(at, LONGEST_HEAD));
        let tail = last_eight(window.bytes, at);
        let is_head = |length: &usize| {
            self.find(last(tail, *length))
                .is_some_and(|own_word| !own_word || window.starts_word(at - length))
        };
        (1..=letters).rev().find(is_head).map_or(at, |length| at - length)
    }
}

/// The last `length` of eight bytes.
#[inline]
fn last(eight: u64, length: usize) -> u64 {
    let bits = u32::try_from(8 * length).unwrap_or(0);
    eight.unbounded_shr(u64::BITS.saturating_sub(bits))
}

/// The eight bytes before `at`, the last one in the highest place; zeros before the first.
#[inline]
fn last_eight(bytes: &[u8], at: usize) -> u64 {
    let before = bytes.get(..at).unwrap_or_default();
    match before.last_chunk::<8>() {
        Some(eight) => u64::from_le_bytes(*eight),
        None => before.iter().fold(0, |eight, byte| eight >> 8 | u64::from(*byte) << 56),
    }
}

impl Rule {
    fn may_begin(&self, window: &Window<'_>, start: usize) -> bool {
        !self.own_word || window.starts_word(start)
    }

    fn judge(&self, window: &Window<'_>, start: usize) -> Judged {
        let rest = window.bytes.get(start..).unwrap_or_default();
        let known = rest.get(..self.prefix.len()).unwrap_or(rest);
        if !self.prefix.starts_with(known) || !self.may_begin(window, start) {
            return Ok(None);
        }
        if known.len() < self.prefix.len() {
            return if window.complete { Ok(None) } else { Err(Open::default()) };
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
    fn trim(&self, window: &Window<'_>, end: usize) -> Result<(usize, bool), Open> {
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
