//! Characters that a reader does not see and a model does: tags, overrides of direction, runs without width.

use memchr::memchr2_iter;

use super::Signals;

/// Flags of regions are written with at most seven tags (Unicode UTS #51, annex C.1).
const MOST_TAGS: usize = 7;
/// Some scripts and emoji need one now and then; a text written with them needs eight for every letter.
const MOST_WITHOUT_WIDTH: usize = 8;

/// What hides in the text.
pub(super) fn signals(text: &str, signals: &mut Signals) {
    let (mut tags, mut without_width) = (Run::default(), Run::default());
    // Every such character begins with one of these two bytes in UTF-8.
    for at in memchr2_iter(0xe2, 0xf3, text.as_bytes()) {
        let Some(character) = text.get(at..).and_then(|rest| rest.chars().next()) else { continue };
        let end = at + character.len_utf8();
        match character {
            '\u{e0000}'..='\u{e007f}' if tags.goes_on(at, end) > MOST_TAGS => {
                signals.add(tags.start..end, 70, "invisible tag characters");
            }
            '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}'
                if without_width.goes_on(at, end) > MOST_WITHOUT_WIDTH =>
            {
                signals.add(without_width.start..end, 60, "characters without width");
            }
            '\u{202d}' | '\u{202e}' => signals.add(at..end, 30, "an override of the direction of writing"),
            _ => {}
        }
    }
}

/// Characters of one kind, one right after the other.
#[derive(Debug, Default)]
struct Run {
    start: usize,
    end: usize,
    length: usize,
}

impl Run {
    /// How long the run is with this one.
    fn goes_on(&mut self, at: usize, end: usize) -> usize {
        if at != self.end {
            (self.start, self.length) = (at, 0);
        }
        self.end = end;
        self.length += 1;
        self.length
    }
}
