//! What a validator sees of a text, and what it answers.
//!
//! A text may not have come whole. A validator that needs a byte which is not there yet answers [`Open`] (the `?` of
//! every look ahead does), and is asked again when there is more. It looks back at most [`LOOK_BACK`] bytes, so that its
//! answer is the same whether the text came in one piece or byte by byte: that is all that the redactor rests on.

use super::alphabet::Alphabet;
use super::kind::Kind;

/// How far a validator may look to the left of its anchor, in bytes.
pub(crate) const LOOK_BACK: usize = 128;

/// A text, or as much of it as there is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window<'a> {
    pub(crate) bytes: &'a [u8],
    /// The end of the last match: the next can't begin before.
    pub(crate) floor: usize,
    /// Whether nothing comes after these bytes.
    pub(crate) complete: bool,
}

/// Nothing can be said before more of the text is there.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Open {
    /// Where the match would begin, where that is to the right of the anchor.
    pub(crate) from: Option<usize>,
    /// What would have to come for the answer to change.
    pub(crate) wait: Option<Wait>,
}

/// As long as only bytes of this alphabet come, and fewer than up to here, the answer stays the same.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wait {
    pub(crate) alphabet: Alphabet,
    pub(crate) until: usize,
}

/// A match, certain from `start` to `end`, that goes on as `tail` says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hit {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) kind: Kind,
    pub(crate) tail: Tail,
}

/// What a validator answers.
pub(crate) type Judged = Result<Option<Hit>, Open>;

/// What belongs to a match after the bytes that made it one. Swallowed without being kept, so it needs no bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tail {
    /// Nothing.
    None,
    /// All that follows of an alphabet.
    Run(Alphabet),
    /// The parts of a JSON web token.
    Parts,
    /// The body of a PEM block with the line that ends it.
    Pem,
}

impl Hit {
    /// A match whose end is known.
    pub(crate) const fn whole(kind: Kind, start: usize, end: usize) -> Self {
        Self { start, end, kind, tail: Tail::None }
    }
}

impl<'a> Window<'a> {
    /// The byte at `at`; none after the end.
    pub(crate) fn peek(&self, at: usize) -> Result<Option<u8>, Open> {
        match self.bytes.get(at) {
            None if !self.complete => Err(Open::default()),
            byte => Ok(byte.copied()),
        }
    }

    /// Where the run of an alphabet ends that begins at `from`; `from + most` where it is longer.
    pub(crate) fn run(&self, from: usize, alphabet: Alphabet, most: usize) -> Result<usize, Open> {
        let until = from.saturating_add(most);
        let rest = self.bytes.get(from..until.min(self.bytes.len())).unwrap_or_default();
        let end = from + alphabet.run(rest);
        if end >= self.bytes.len() && end < until && !self.complete {
            return Err(Open { from: None, wait: Some(Wait { alphabet, until }) });
        }
        Ok(end)
    }

    /// Whether `wanted` stands at `at`.
    pub(crate) fn stands(&self, at: usize, wanted: &[u8]) -> Result<bool, Open> {
        let rest = self.bytes.get(at..).unwrap_or_default();
        if rest.len() < wanted.len() && !self.complete && wanted.starts_with(rest) {
            return Err(Open::default());
        }
        Ok(rest.starts_with(wanted))
    }

    /// The bytes from `start` to `end`, or none.
    pub(crate) fn slice(&self, start: usize, end: usize) -> &'a [u8] {
        self.bytes.get(start..end).unwrap_or_default()
    }

    /// At most `most` bytes before `at`, and never more than [`LOOK_BACK`].
    pub(crate) fn left(&self, at: usize, most: usize) -> &'a [u8] {
        self.bytes.get(at.saturating_sub(most.min(LOOK_BACK))..at).unwrap_or_default()
    }

    /// The byte before `at`.
    pub(crate) fn before(&self, at: usize) -> Option<u8> {
        self.left(at, 1).first().copied()
    }

    /// Whether a word can begin at `at`: what comes before is no letter or digit, or the end of an escape.
    ///
    /// Keys hide behind `\n`, `%3D` and `\u000a` in quoted texts and in URLs; that letter or digit is part of a sign.
    pub(crate) fn starts_word(&self, at: usize) -> bool {
        match self.left(at, 6) {
            [.., b'\\', b'n' | b'r' | b't'] => true,
            [.., b'%', high, low] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => true,
            [.., b'\\', b'x', _, _] | [b'\\', b'u', _, _, _, _] => true,
            [.., last] => !last.is_ascii_alphanumeric() && *last != b'_',
            [] => true,
        }
    }

    /// Whether a word ends at `at`.
    pub(crate) fn ends_word(&self, at: usize) -> Result<bool, Open> {
        Ok(!self.peek(at)?.is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_'))
    }

    /// Whether one of the words stands in the `within` bytes before `at`, in whatever case.
    pub(crate) fn speaks_of(&self, words: &Spoken, at: usize, within: usize) -> bool {
        let left = self.left(at, within);
        left.iter().enumerate().any(|(place, first)| {
            words.begin_with(*first) && left.get(place..).is_some_and(|rest| words.begin(rest))
        })
    }
}

/// Words, in small letters, that say what a number beside them is; and the bytes that any of them begins with, so that most
/// places of a text are passed over by one look.
#[derive(Debug)]
pub(crate) struct Spoken {
    words: &'static [&'static [u8]],
    first: [u64; 4],
}

impl Spoken {
    #[expect(clippy::indexing_slicing, reason = "evaluated while compiling")]
    pub(crate) const fn new(words: &'static [&'static [u8]]) -> Self {
        let mut first = [0; 4];
        let mut index = 0;
        while index < words.len() {
            let byte = words[index][0];
            let upper = byte.to_ascii_uppercase();
            first[byte as usize / 64] |= 1 << (byte % 64);
            first[upper as usize / 64] |= 1 << (upper % 64);
            index += 1;
        }
        Self { words, first }
    }

    fn begin_with(&self, byte: u8) -> bool {
        self.first.get(usize::from(byte / 64)).is_some_and(|bytes| bytes >> (byte % 64) & 1 == 1)
    }

    fn begin(&self, text: &[u8]) -> bool {
        let begins =
            |word: &&[u8]| text.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word));
        self.words.iter().any(begins)
    }
}

impl Tail {
    /// Goes on from `from`: where the tail ends, or how far it is known to reach, and whether it ends there.
    pub(crate) fn extend(self, window: &Window<'_>, from: usize) -> (usize, bool) {
        match self {
            Self::None => (from, true),
            Self::Run(alphabet) => {
                let end = from + alphabet.run(window.bytes.get(from..).unwrap_or_default());
                (end, window.complete || end < window.bytes.len())
            }
            Self::Parts => crate::secrets::jwt_tail(window, from),
            Self::Pem => crate::secrets::pem_tail(window, from),
        }
    }
}
