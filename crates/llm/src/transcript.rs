//! What a model wrote, taken down while its answer is read, for whoever wants to keep it.
//!
//! It is bounded, so that an answer of any length costs no more memory than its beginning. Nothing is judged or changed here,
//! and nothing is written anywhere: what is kept of it, and in which form, is the trace's business.

use std::fmt;

use crate::answer::ToolCall;
use crate::dialogue::Ear;
use crate::json::Value;

/// The most that is taken down of one text, in bytes.
const LONGEST_TEXT: usize = 64 * 1024;
/// The most that is taken down of one answer, in bytes.
const LONGEST_ANSWER: usize = 128 * 1024;
/// The most texts of one answer that are told apart. What comes in further ones is not taken down.
const MOST_TEXTS: usize = 256;

/// A text as far as there was room for it.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Taken {
    /// Its beginning, or all of it.
    pub text: String,
    /// The length of all of it, in bytes.
    pub bytes: u64,
}

impl Taken {
    /// The beginning of a text that is there as a whole, not longer than `most` bytes.
    #[must_use]
    pub fn beginning(text: &str, most: usize) -> Self {
        let kept = text.get(..text.floor_char_boundary(most)).unwrap_or_default();
        Self { text: kept.to_owned(), bytes: length(text) }
    }

    /// Whether there was more of it.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        length(&self.text) < self.bytes
    }

    /// Takes what comes next, with this much room; how much of it was used.
    fn push(&mut self, piece: &str, room: usize) -> usize {
        let room = if self.is_cut() { 0 } else { room.min(LONGEST_TEXT.saturating_sub(self.text.len())) };
        let kept = piece.get(..piece.floor_char_boundary(room)).unwrap_or_default();
        self.text.push_str(kept);
        self.bytes = self.bytes.saturating_add(length(piece));
        kept.len()
    }
}

impl fmt::Debug for Taken {
    /// Without the text: nobody has looked yet at what is in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Taken").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

/// What a text is to its reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// Said to the user: text, refusals, the words of speech.
    Text,
    /// Thought before.
    Reasoning,
}

/// One text of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// What it is.
    pub channel: Channel,
    /// The choice, candidate, block or item that it belongs to. Texts of several grow at the same time.
    pub index: u64,
    /// The text.
    pub taken: Taken,
}

/// What an answer says, word by word.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Transcript {
    parts: Vec<Part>,
    arguments: Vec<Taken>,
    used: usize,
    /// Who hears all of it instead: an agent, whose own conversation this is.
    ear: Option<Ear>,
}

impl Transcript {
    /// The texts, in the order in which they began.
    #[must_use]
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// All of it, to be kept: the texts, and each tool call's arguments, empty where it has none.
    #[must_use]
    pub fn into_taken(self) -> (Vec<Part>, Vec<Taken>) {
        (self.parts, self.arguments)
    }

    /// The arguments of the answer's `call`-th tool call, as JSON where the model wrote JSON.
    #[must_use]
    pub fn arguments(&self, call: usize) -> Option<&Taken> {
        self.arguments.get(call).filter(|taken| taken.bytes > 0)
    }

    /// Nothing is taken down here, and everything is heard.
    pub(crate) fn heard() -> Self {
        Self { ear: Some(Ear::default()), ..Self::default() }
    }

    pub(crate) fn ear(&mut self) -> Option<&mut Ear> {
        self.ear.as_mut()
    }

    pub(crate) fn call_begins(&mut self, call: usize, tool: &ToolCall) {
        if let Some(ear) = &mut self.ear {
            ear.called(call, tool);
        }
    }

    pub(crate) fn say(&mut self, channel: Channel, index: u64, text: &str) {
        if let Some(ear) = &mut self.ear {
            return ear.said(channel, index, text);
        }
        if text.is_empty() {
            return;
        }
        let is_it = |part: &Part| part.channel == channel && part.index == index;
        let at = self.parts.iter().rposition(is_it).unwrap_or_else(|| {
            if self.parts.len() < MOST_TEXTS {
                self.parts.push(Part { channel, index, taken: Taken::default() });
                return self.parts.len() - 1;
            }
            MOST_TEXTS
        });
        let room = LONGEST_ANSWER.saturating_sub(self.used);
        if let Some(part) = self.parts.get_mut(at) {
            self.used += part.taken.push(text, room);
        }
    }

    pub(crate) fn argue(&mut self, call: usize, piece: &str) {
        if let Some(ear) = &mut self.ear {
            return ear.argued(call, piece);
        }
        let room = LONGEST_ANSWER.saturating_sub(self.used);
        if let Some(taken) = self.call(call) {
            let used = taken.push(piece, room);
            self.used += used;
        }
    }

    /// The arguments of a call came once more and whole: they take the place of what its pieces were.
    pub(crate) fn argue_whole(&mut self, call: usize, arguments: &str) {
        if let Some(ear) = &mut self.ear {
            return ear.argued_whole(call, arguments);
        }
        let Some(taken) = self.call(call) else { return };
        let before = std::mem::take(taken);
        self.used = self.used.saturating_sub(before.text.len());
        self.argue(call, arguments);
    }

    fn call(&mut self, call: usize) -> Option<&mut Taken> {
        if self.arguments.len() <= call && call < MOST_TEXTS {
            self.arguments.resize_with(call + 1, Taken::default);
        }
        self.arguments.get_mut(call)
    }
}

/// The words of a value: those of a string, else its JSON.
pub(crate) fn words<'a>(value: &Value<'a>) -> std::borrow::Cow<'a, str> {
    value.as_str().unwrap_or_else(|| String::from_utf8_lossy(value.raw()))
}

fn length(text: &str) -> u64 {
    u64::try_from(text.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_ends_where_there_is_no_more_room_and_says_how_long_it_was() {
        let mut transcript = Transcript::default();
        let piece = "é".repeat(10_000);
        (0..10).for_each(|_| transcript.say(Channel::Text, 0, &piece));
        (0..10).for_each(|_| transcript.say(Channel::Reasoning, 0, &piece));
        transcript.argue(0, &piece);
        let [text, reasoning] = transcript.parts() else { panic!("two texts") };
        assert_eq!((text.taken.text.len(), text.taken.bytes), (LONGEST_TEXT, 200_000));
        assert_eq!((reasoning.taken.text.len(), reasoning.taken.bytes), (LONGEST_TEXT, 200_000));
        let arguments = transcript.arguments(0).unwrap();
        assert_eq!((arguments.text.as_str(), arguments.bytes, arguments.is_cut()), ("", 20_000, true));
    }

    #[test]
    fn nothing_is_taken_up_again_behind_a_cut() {
        let mut taken = Taken::default();
        assert_eq!(taken.push("abc", 2), 2);
        assert_eq!(taken.push("d", 2), 0, "or it would read as if nothing were missing");
        assert_eq!((taken.text.as_str(), taken.bytes), ("ab", 4));
    }

    #[test]
    fn texts_that_grow_at_the_same_time_stay_apart() {
        let mut transcript = Transcript::default();
        for (index, piece) in [(0, "one "), (1, "two "), (0, "and"), (1, "and")] {
            transcript.say(Channel::Text, index, piece);
        }
        let texts: Vec<&str> = transcript.parts().iter().map(|part| part.taken.text.as_str()).collect();
        assert_eq!(texts, ["one and", "two and"]);
    }

    #[test]
    fn arguments_that_come_again_whole_are_there_once() {
        let mut transcript = Transcript::default();
        transcript.argue(1, "{\"a\"");
        transcript.argue_whole(1, "{\"a\":1}");
        assert_eq!(transcript.arguments(1).unwrap().text, "{\"a\":1}");
        assert_eq!(transcript.used, 7);
        assert_eq!(transcript.arguments(0), None);
    }
}
