//! The whole answer of a model.

use std::sync::Arc;

use seawall_types::{Amount, Usage, Usd};
use serde_json::Value;

use super::stream::{at_model, close, discard};
use crate::decide::{Draft, Refused};
use crate::event::{Fact, FailureClass, ModelFailure, Piece, StopReason};
use crate::{Block, CallId, ModelFailed, StreamKind};

/// A piece of an answer, as a provider's codec reads it.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// Words or thoughts.
    Block(Block),
    /// A call of a tool.
    Call {
        /// What the provider calls it, if anything.
        provider_id: Option<Arc<str>>,
        /// The tool.
        name: Arc<str>,
        /// Its arguments.
        input: Arc<Value>,
    },
}

/// The model has answered.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelAnswered {
    /// The step.
    pub step: u64,
    /// Which time in this step.
    pub attempt: u32,
    /// What, in order; what was streamed once more among it.
    pub content: Vec<Answer>,
    /// Why it stopped.
    pub stop: StopReason,
    /// What it consumed.
    pub usage: Usage,
    /// What that cost.
    pub cost: Usd,
}

impl ModelAnswered {
    pub(super) fn run(self, draft: &mut Draft) -> Result<(), Refused> {
        at_model(draft, self.step, self.attempt)?;
        if !self.content.iter().any(says_something) {
            return self.fail(draft);
        }
        let step = self.step;
        let content = Pieces::of(draft, self.content)?;
        let (stop, usage, cost) = (self.stop, self.usage, self.cost);
        draft.record(Fact::ModelFinished { step, content, stop, usage, cost })
    }

    /// An answer that says nothing is a failure, never an empty success.
    fn fail(self, draft: &mut Draft) -> Result<(), Refused> {
        let (class, message) = if self.stop == StopReason::ContentFilter {
            (FailureClass::ContentFilter, "the provider's content filter left nothing of the answer")
        } else {
            (FailureClass::Empty, "the model answered nothing; send the message again, or try another model")
        };
        let failure = ModelFailure { class, message: message.into() };
        let spent = Amount { usd: self.cost, tokens: self.usage.total() };
        let spent = (spent != Amount::ZERO).then_some(spent);
        ModelFailed { step: self.step, attempt: self.attempt, failure, spent }.run(draft)
    }
}

/// Thoughts alone are no answer, nor are words that are none.
fn says_something(answer: &Answer) -> bool {
    match answer {
        Answer::Call { .. } => true,
        Answer::Block(Block::Text { text }) => !text.trim().is_empty(),
        Answer::Block(block) => matches!(block, Block::Image(_) | Block::Audio(_) | Block::File(_)),
    }
}

/// How a block is streamed, if it is of a kind that can be.
pub(super) fn kind(block: &Block) -> Option<StreamKind> {
    match block {
        Block::Text { .. } => Some(StreamKind::Text),
        Block::Reasoning { .. } => Some(StreamKind::Think),
        _ => None,
    }
}

/// The pieces of an answer, with those that were streamed named instead of said twice.
struct Pieces {
    pieces: Vec<Piece>,
    /// How many of the parts that were streamed have been met.
    met: usize,
    calls: u32,
}

impl Pieces {
    fn of(draft: &mut Draft, content: Vec<Answer>) -> Result<Vec<Piece>, Refused> {
        let mut pieces = Self { pieces: Vec::with_capacity(content.len()), met: 0, calls: 0 };
        for answer in content {
            match answer {
                Answer::Block(block) => pieces.say(draft, block)?,
                Answer::Call { provider_id, name, input } => {
                    pieces.calls = pieces.calls.saturating_add(1);
                    let id = CallId { step: draft.agent.steps(), index: pieces.calls };
                    pieces.pieces.push(Piece::Call { id, provider_id, name, input });
                }
            }
        }
        pieces.pass_thoughts(draft, &Block::text(""));
        if pieces.met < draft.turn().parts.len() {
            return Err(Refused::Invalid("the answer lacks a piece that was streamed".to_owned()));
        }
        // What was begun and is not in the answer was broken off.
        discard(draft)?;
        Ok(pieces.pieces)
    }

    /// Passes over thoughts that were told and are not the next block. What a provider signs is known only at the end, and it
    /// may cut thoughts into other pieces then: clients have seen them, the history gets what was signed.
    fn pass_thoughts(&mut self, draft: &Draft, next: &Block) {
        let told = draft.turn().parts.iter().skip(self.met);
        let passed = told.take_while(|part| matches!(part, Block::Reasoning { .. }) && *part != next).count();
        self.met = self.met.saturating_add(passed);
    }

    fn say(&mut self, draft: &mut Draft, block: Block) -> Result<(), Refused> {
        if matches!(block, Block::ToolUse { .. } | Block::ToolResult { .. }) {
            return Err(Refused::Invalid("calls of tools come as calls".to_owned()));
        }
        self.pass_thoughts(draft, &block);
        let is_told = draft.turn().parts.get(self.met).is_some_and(|part| *part == block);
        let is_open = draft.turn().stream.is_some_and(|stream| kind(&block) == Some(stream.kind));
        // A text is told to clients in any case; thoughts only if they have begun to be.
        let is_text = matches!(block, Block::Text { .. }) && draft.turn().stream.is_none();
        if !is_told && !is_open && !is_text {
            self.pieces.push(Piece::Block(block));
            return Ok(());
        }
        if !is_told {
            if self.met < draft.turn().parts.len() {
                return Err(Refused::Invalid("the answer differs from what was streamed".to_owned()));
            }
            close(draft, block)?;
        }
        self.pieces.push(Piece::Streamed(self.met));
        self.met = self.met.saturating_add(1);
        Ok(())
    }
}
