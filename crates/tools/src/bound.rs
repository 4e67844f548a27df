//! How much of a result a model is given. The rest is kept in a file that it can read piece by piece.

use std::sync::Arc;

use seawall_engine::{Block, CallId, ToolResult};

use crate::{Outcome, Place};

/// The most text that a result has, in bytes. More is cut.
pub const RESULT_BYTES: usize = 64 * 1024;

/// What the line in the middle may take.
const LINE_BYTES: usize = 512;

/// The outcome with at most [`RESULT_BYTES`] of text; what was longer is whole in a file of the place.
pub(crate) fn bound(outcome: Outcome, call: CallId, place: &Place) -> Outcome {
    let Outcome { result, requests, is_away } = outcome;
    let bytes: usize = result.content.iter().map(|block| words(block).len()).sum();
    if bytes <= RESULT_BYTES {
        return Outcome { result, requests, is_away };
    }
    let whole: String = result.content.iter().map(words).collect();
    let rest = match place.keep(&format!("{call}.txt"), whole.as_bytes()) {
        Ok(path) => {
            format!("the whole is in {}; read it with fs_read (offset, limit, byte_offset)", path.display())
        }
        Err(failure) => format!("the rest is lost: {failure}"),
    };
    let cut = Block::text(cut(&whole, RESULT_BYTES, &rest));
    let others = result.content.iter().filter(|block| !matches!(block, Block::Text { .. })).cloned();
    let content: Arc<[Block]> = std::iter::once(cut).chain(others).collect();
    Outcome { result: ToolResult { content, is_error: result.is_error }, requests, is_away }
}

fn words(block: &Block) -> &str {
    match block {
        Block::Text { text } => text,
        _ => "",
    }
}

/// The beginning and the end of a text that is longer than `most` bytes, with a line between them that says how much is
/// missing and `rest`.
pub(crate) fn cut(text: &str, most: usize, rest: &str) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let room = most.saturating_sub(LINE_BYTES);
    let (head, tail) = (text.floor_char_boundary(room / 2), text.ceil_char_boundary(text.len() - room / 2));
    let (head, tail) = (text.get(..head).unwrap_or_default(), text.get(tail..).unwrap_or_default());
    join(head, tail, text.len() as u64, rest)
}

/// A beginning and an end of a text of `bytes` bytes, and what is to be said between them.
pub(crate) fn join(head: &str, tail: &str, bytes: u64, rest: &str) -> String {
    let left_out = bytes.saturating_sub(head.len() as u64).saturating_sub(tail.len() as u64);
    format!("{head}\n[… {left_out} of {bytes} bytes left out; {rest} …]\n{tail}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_short_text_stays_as_it_is() {
        assert_eq!(cut("short", 64, "x"), "short");
    }

    #[test]
    fn the_line_says_how_much_is_missing_and_where_it_is() {
        let text = "a".repeat(10_000);
        let short = cut(&text, 1_000, "the whole is in FILE");
        let kept = short.matches('a').count() - "a".len() * "the whole is in FILE".matches('a').count();
        assert!(short.contains("; the whole is in FILE …]"), "{short}");
        assert!(short.contains(&format!("[… {} of 10000 bytes left out", 10_000 - kept)), "{short}");
    }

    proptest! {
        #[test]
        fn a_cut_text_is_within_its_bound_and_made_of_whole_characters(text in "\\PC{0,400}", most in 512_usize..700) {
            let text = text.repeat(4);
            let short = cut(&text, most, "the rest is elsewhere");
            prop_assert!(short.len() <= most.max(text.len().min(most)));
            if text.len() <= most {
                prop_assert_eq!(short, text);
            } else {
                let (head, rest) = short.split_once("\n[… ").unwrap();
                let (_, tail) = rest.split_once(" …]\n").unwrap();
                prop_assert!(text.starts_with(head) && text.ends_with(tail));
            }
        }
    }
}
