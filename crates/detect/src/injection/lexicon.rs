//! The table of terms, arranged so that a text is searched for all of them at the pace of its words.
//!
//! Of every word four bytes are looked at, and most words begin no term, which a table of bits says. A Chinese, Japanese
//! or Korean character counts as a word: those languages put nothing between theirs.

use std::ops::Range;

use super::terms::{TERMS, Term};
use crate::text::places::{BLOCK, Words, block};

/// How many bytes of a word choose its terms.
const KEY: usize = 4;
/// How many bytes may stand between two words of a phrase: the end of a line and what marks the next one as quoted.
const LONGEST_GAP: usize = 8;
const SLOTS: usize = 1 << 14;

/// The terms by the word that is looked up for them.
#[derive(Debug)]
pub(super) struct Lexicon {
    /// Whether a term has a key with this hash.
    known: Box<[u64]>,
    /// Which of the lists has the terms with this hash.
    slots: Box<[u16]>,
    lists: Vec<Vec<Entry>>,
}

/// A term, and where in it the word stands that is looked up.
#[derive(Debug, Clone, Copy)]
struct Entry {
    term: &'static Term,
    key: usize,
    begin: Begin,
}

/// How a term goes on from its key, as far as its letters follow one another: most of what has the key of a term is told
/// apart by one comparison.
#[derive(Debug, Clone, Copy)]
struct Begin {
    bytes: u64,
    mask: u64,
}

impl Begin {
    fn of(term: &[u8]) -> Self {
        let letters = term.iter().take_while(|byte| **byte != b' ').take(size_of::<u64>()).count();
        let mask = u64::MAX.unbounded_shr(u64::BITS - 8 * u32::try_from(letters).unwrap_or(0));
        Self { bytes: in_one_case(first_word(term)) & mask, mask }
    }

    fn may_be(self, text: u64) -> bool {
        text & self.mask == self.bytes
    }
}

/// The first eight bytes, with zeros where there are less.
fn first_word(text: &[u8]) -> u64 {
    if let Some(word) = text.first_chunk() {
        return u64::from_le_bytes(*word);
    }
    text.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte))
}

/// Letters of both cases are the same; so are a few other signs.
const fn in_one_case(word: u64) -> u64 {
    word | 0x2020_2020_2020_2020
}

/// A term in a text.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) range: Range<usize>,
    pub(super) term: &'static Term,
}

/// What a search comes across.
#[derive(Debug, Clone)]
pub(super) enum Seen {
    Term(Found),
    /// A place in a word that is longer than words are.
    Long(usize),
    /// A place from which on letters stand apart.
    Apart(usize),
}

impl Lexicon {
    pub(super) fn new() -> Self {
        let mut lexicon = Self {
            known: vec![0; SLOTS / 64].into_boxed_slice(),
            slots: vec![0; SLOTS].into_boxed_slice(),
            lists: vec![Vec::new()],
        };
        for term in TERMS {
            if let Some(key) = key(term.text) {
                let begin = Begin::of(term.text.as_bytes().get(key..).unwrap_or_default());
                lexicon.put(Entry { term, key, begin });
            }
        }
        lexicon
    }

    fn put(&mut self, entry: Entry) {
        let key = entry.term.text.as_bytes().get(entry.key..).and_then(|word| word.first_chunk::<KEY>());
        let Some(hash) = key.map(|key| hash(*key)) else { return };
        if let (Some(bits), Some(slot)) = (self.known.get_mut(hash / 64), self.slots.get_mut(hash)) {
            *bits |= 1 << (hash % 64);
            if *slot == 0 {
                *slot = u16::try_from(self.lists.len()).unwrap_or(0);
                self.lists.push(Vec::new());
            }
            if let Some(list) = self.lists.get_mut(usize::from(*slot)) {
                list.push(entry);
            }
        }
    }

    /// Tells the terms in a text by the places of their keys, of those that have theirs at the same place the longest; and
    /// the places at which something may be written in disguise.
    pub(super) fn search(&self, text: &[u8], mut each: impl FnMut(Seen)) {
        let mut in_word = false;
        for start in (0..text.len()).step_by(BLOCK) {
            let mut room = [0; BLOCK];
            let words = Words::of(block(text, start, &mut room), &mut in_word);
            let mut starts = words.starts;
            while starts != 0 {
                let at = start + usize::try_from(starts.trailing_zeros()).unwrap_or(0);
                starts &= starts - 1;
                if let Some(found) = self.known_at(text, at).and_then(|hash| self.longest(text, at, hash)) {
                    each(Seen::Term(found));
                }
            }
            for (places, seen) in [(words.long, Seen::Long as fn(usize) -> Seen), (words.apart, Seen::Apart)]
            {
                if places != 0 {
                    each(seen(start + usize::try_from(places.trailing_zeros()).unwrap_or(0)));
                }
            }
        }
    }

    #[inline]
    fn known_at(&self, text: &[u8], at: usize) -> Option<usize> {
        let hash = hash(*text.get(at..)?.first_chunk::<KEY>()?);
        let bits = self.known.get(hash / 64)?;
        (bits >> (hash % 64) & 1 == 1).then_some(hash)
    }

    /// The longest term whose key stands at `at`.
    #[inline(never)]
    fn longest(&self, text: &[u8], at: usize, hash: usize) -> Option<Found> {
        let list = self.lists.get(usize::from(*self.slots.get(hash)?))?;
        let (before, behind) = text.split_at_checked(at)?;
        let word = in_one_case(first_word(behind));
        let may_stand_here = list.iter().filter(|entry| entry.begin.may_be(word));
        let found = may_stand_here.filter_map(|Entry { term, key, .. }| {
            let (head, tail) = term.text.as_bytes().split_at_checked(*key)?;
            let end = at + length(tail.iter(), behind.iter())?;
            let start = at - length(head.iter().rev(), before.iter().rev())?;
            Some(Found { range: start..end, term })
        });
        found.max_by_key(|found| found.range.len())
    }
}

/// Where the word of a term stands that is looked up for it: the longest one, since long words are rare ones.
fn key(term: &str) -> Option<usize> {
    let starts_word = |(at, character): &(usize, char)| {
        let before = term.get(..*at).and_then(|before| before.chars().next_back());
        character.is_alphanumeric() && !before.is_some_and(char::is_alphanumeric)
    };
    let words = term.char_indices().filter(starts_word).map(|(at, _)| at);
    let length = |at: &usize| {
        term.get(*at..)
            .map_or(0, |rest| rest.split(|c: char| !c.is_alphanumeric()).next().map_or(0, str::len))
    };
    words.filter(|at| term.len() - at >= KEY).max_by_key(length)
}

/// Letters of both cases have the same hash.
#[inline]
fn hash(key: [u8; KEY]) -> usize {
    let letters = u32::from_le_bytes(key) | 0x2020_2020;
    usize::try_from(letters.wrapping_mul(0x9e37_79b1) >> (u32::BITS - SLOTS.ilog2())).unwrap_or(0)
}

/// How many bytes of the text the term takes, if the text begins with it. A space in it stands for whatever separates
/// words in a text that is wrapped, indented or quoted.
fn length<'a>(term: impl Iterator<Item = &'a u8>, text: impl Iterator<Item = &'a u8>) -> Option<usize> {
    let (mut term, mut text) = (term.peekable(), text.peekable());
    let mut length = 0;
    while let Some(wanted) = term.next() {
        if *wanted != b' ' {
            text.next_if(|byte| byte.eq_ignore_ascii_case(wanted))?;
            length += 1;
            continue;
        }
        let (before, next) = (length, term.peek().copied());
        while length - before < LONGEST_GAP
            && text.next_if(|byte| separates(**byte) && Some(*byte) != next).is_some()
        {
            length += 1;
        }
        if length == before {
            return None;
        }
    }
    Some(length)
}

fn separates(byte: u8) -> bool {
    byte.is_ascii_whitespace() || b"*_>#/|\"'`".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_term_can_be_looked_up() {
        for term in TERMS {
            assert!(key(term.text).is_some(), "{term:?}");
            let mut found = Vec::new();
            let text = format!("\n\n{} ", term.text);
            Lexicon::new().search(text.as_bytes(), |seen| match seen {
                Seen::Term(one) => found.push(one.term.text),
                Seen::Long(_) | Seen::Apart(_) => {}
            });
            let longer = |text: &&str| text.to_ascii_lowercase().contains(term.text.trim_end());
            assert!(found.iter().any(longer), "{term:?}: {found:?}");
        }
    }
}
