//! What a model says, piece by piece.

use std::sync::Arc;

use super::answer::kind;
use crate::agent::Phase;
use crate::decide::{Draft, Refused};
use crate::event::Fact;
use crate::{Block, StreamKind};

/// A piece of an answer that is streamed.
#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    /// Some words of it, put together from what came in about 100 ms or 4 KiB.
    Delta {
        /// Of the answer, or of the thoughts before it.
        stream: StreamKind,
        /// The words.
        text: Arc<str>,
    },
    /// It is whole: a text or thoughts.
    Whole(Block),
}

/// The model says something. Thoughts that clients are not to see are not told here but with the answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Streamed {
    /// The step.
    pub step: u64,
    /// Which time in this step.
    pub attempt: u32,
    /// What it says.
    pub part: Part,
}

impl Streamed {
    pub(super) fn run(self, draft: &mut Draft) -> Result<(), Refused> {
        at_model(draft, self.step, self.attempt)?;
        let step = self.step;
        match self.part {
            Part::Delta { stream, text } => {
                open(draft, stream)?;
                let reserved = draft.turn().stream.map_or(0, |stream| stream.reserved);
                if draft.agent.seq() >= reserved {
                    let message = "too many pieces; the answer is told whole at its end";
                    return Err(Refused::Invalid(message.to_owned()));
                }
                draft.record(Fact::StreamChunk { step, stream, delta: text })
            }
            Part::Whole(block) => close(draft, block),
        }
    }
}

/// Refuses what is not about the model call that is under way.
pub(super) fn at_model(draft: &Draft, step: u64, attempt: u32) -> Result<(), Refused> {
    let is_current = draft.agent.steps() == step && draft.turn().attempt == attempt;
    if draft.phase() == Phase::Model && is_current {
        return Ok(());
    }
    Err(Refused::Late { what: "the model call" })
}

fn open(draft: &mut Draft, stream: StreamKind) -> Result<(), Refused> {
    match draft.turn().stream {
        Some(open) if open.kind == stream => Ok(()),
        Some(_) => {
            Err(Refused::Invalid("one piece of an answer is whole before the next one begins".to_owned()))
        }
        None => {
            let (step, attempt) = (draft.agent.steps(), draft.turn().attempt);
            draft.record(Fact::StreamOpened { step, attempt, stream })
        }
    }
}

/// Tells a whole piece, whether or not any of it was told before.
pub(super) fn close(draft: &mut Draft, block: Block) -> Result<(), Refused> {
    let Some(stream) = kind(&block) else {
        return Err(Refused::Invalid("only text and reasoning are streamed".to_owned()));
    };
    open(draft, stream)?;
    draft.record(Fact::StreamClosed { step: draft.agent.steps(), stream, block: Some(block) })
}

/// Tells clients that what they were shown is void.
pub(super) fn discard(draft: &mut Draft) -> Result<(), Refused> {
    match draft.turn().stream {
        Some(stream) => {
            let step = draft.agent.steps();
            draft.record(Fact::StreamClosed { step, stream: stream.kind, block: None })
        }
        None => Ok(()),
    }
}
