//! How a text is cut into the pieces that leave one by one.

/// No piece is longer than this many characters, so that a text without spaces streams too.
const LONGEST_WORD: usize = 64;

/// Where to cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pieces {
    /// Before the white space that follows a word.
    Words,
    /// After so many characters (at least one).
    Characters(usize),
}

impl Pieces {
    /// The first piece of `text`; none when it is empty. All pieces, one after the other, are the text.
    pub(crate) fn next(self, text: &str) -> Option<&str> {
        let length = match self {
            Self::Characters(count) => after_characters(text, count.max(1)),
            Self::Words => word_length(text).min(after_characters(text, LONGEST_WORD)),
        };
        text.get(..length).filter(|piece| !piece.is_empty())
    }
}

fn after_characters(text: &str, count: usize) -> usize {
    text.char_indices().nth(count).map_or(text.len(), |(at, _)| at)
}

/// White space, then a word.
fn word_length(text: &str) -> usize {
    let word = text.len() - text.trim_start().len();
    text.get(word..)
        .and_then(|rest| rest.find(char::is_whitespace))
        .map_or(text.len(), |length| word + length)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(pieces: Pieces, text: &str) -> Vec<&str> {
        let mut rest = text;
        let mut found = Vec::new();
        while let Some(piece) = pieces.next(rest) {
            found.push(piece);
            rest = &rest[piece.len()..];
        }
        found
    }

    #[test]
    fn words_keep_the_space_before_them() {
        assert_eq!(all(Pieces::Words, "Hello  big\nworld "), ["Hello", "  big", "\nworld", " "]);
    }

    #[test]
    fn a_piece_never_ends_inside_a_character() {
        assert_eq!(all(Pieces::Characters(1), "aé漢😀"), ["a", "é", "漢", "😀"]);
        assert_eq!(all(Pieces::Characters(3), "aé漢😀"), ["aé漢", "😀"]);
    }

    #[test]
    fn a_text_without_spaces_is_cut_too() {
        assert_eq!(
            all(Pieces::Words, &"x".repeat(130)).iter().map(|piece| piece.len()).collect::<Vec<_>>(),
            [64, 64, 2]
        );
    }

    proptest! {
        #[test]
        fn all_pieces_together_are_the_text(text in ".{0,200}", count in 0_usize..9) {
            let pieces = if count == 0 { Pieces::Words } else { Pieces::Characters(count) };
            prop_assert_eq!(all(pieces, &text).concat(), text);
        }
    }
}
