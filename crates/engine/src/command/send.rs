//! Accepting a message.

use std::sync::Arc;

use crate::decide::{Draft, Refused};
use crate::event::Fact;
use crate::{Block, MessageId, MessageKind};

/// Accept a message. It waits for the next step; where the agent is ready, a message of a user begins one.
#[derive(Debug, Clone, PartialEq)]
pub struct SendMessage {
    /// Its name. A message that waits under this name already is the same one.
    pub id: MessageId,
    /// Whether somebody waits for an answer.
    pub kind: MessageKind,
    /// What it says.
    pub content: Arc<[Block]>,
}

impl SendMessage {
    pub(super) fn run(self, draft: &mut Draft) -> Result<(), Refused> {
        let queued = draft.agent.queued();
        if queued.iter().any(|queued| queued.id == self.id) {
            return Ok(());
        }
        if queued.len() >= draft.config().limits.queued {
            return Err(Refused::QueueFull(queued.len()));
        }
        let is_said = |block: &Block| match block {
            Block::Text { text } => !text.is_empty(),
            Block::Image(_) | Block::Audio(_) | Block::File(_) => true,
            Block::ToolUse { .. } | Block::ToolResult { .. } | Block::Reasoning { .. } => false,
        };
        if self.content.is_empty() || !self.content.iter().all(is_said) {
            let message = "a message is made of text, images, sounds and files, and is not empty";
            return Err(Refused::Invalid(message.to_owned()));
        }
        draft.record(Fact::MessageReceived { id: self.id, message: self.kind, content: self.content })
    }
}
