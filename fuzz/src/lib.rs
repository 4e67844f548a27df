//! What the fuzz targets share: how the first bytes of an input decide what is done with the rest.
//!
//! The deciding bytes count from `a`, so that seeds can be written by hand: `a` is the first choice, `b` the second; any
//! other byte is a choice too, so no input is wasted. The laws themselves stand in the targets.

use bytes::Bytes;
use seawall_llm::Wire;

/// Every wire format.
pub const WIRES: [Wire; 11] = [
    Wire::OpenAiChat,
    Wire::OpenAiResponses,
    Wire::OpenAiCompletions,
    Wire::OpenAiEmbeddings,
    Wire::AnthropicMessages,
    Wire::AnthropicCountTokens,
    Wire::GeminiGenerate,
    Wire::GeminiStream,
    Wire::GeminiCountTokens,
    Wire::GeminiEmbed,
    Wire::Other,
];

/// An input that is taken apart from the front.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    /// The whole input.
    #[must_use]
    pub fn new(data: &'a [u8]) -> Self {
        Self(data)
    }

    /// The next deciding byte: 0 for `a` and for an input that has ended.
    pub fn decision(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        first.wrapping_sub(b'a')
    }

    /// One of `choices`.
    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[usize::from(self.decision()) % choices.len()]
    }

    /// Yes or no; `a` is no.
    pub fn flag(&mut self) -> bool {
        self.decision() % 2 == 1
    }

    /// Everything that was not taken.
    #[must_use]
    pub fn rest(self) -> &'a [u8] {
        self.0
    }
}

/// Cuts `bytes` as a network might: `decision` 0 leaves them whole, any other says how long the pieces are, with every
/// third one of a single byte.
pub fn pieces(bytes: &[u8], decision: u8) -> impl Iterator<Item = Bytes> + '_ {
    let mut rest = bytes;
    let mut turn = 0_u8;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        turn = turn.wrapping_add(1);
        let wanted = match decision {
            0 => rest.len(),
            _ if turn % 3 == 0 => 1,
            length => usize::from(length),
        };
        let (piece, after) = rest.split_at(wanted.min(rest.len()));
        rest = after;
        Some(Bytes::copy_from_slice(piece))
    })
}
