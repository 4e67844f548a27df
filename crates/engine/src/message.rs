//! Messages and the blocks that they are made of, in the one form that logs, stores and clients see.
//!
//! What a provider's wire makes of them is a codec's. Large values are put into the blob store before they get here:
//! a block then names the blob.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{CallId, MessageId};

/// Who says a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// A person, a reminder, or the results of tools.
    User,
    /// The model.
    Assistant,
}

/// Where the bytes of an image, a sound or a file are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// In the blob store, under this hash.
    Blob(Arc<str>),
    /// At this address.
    Url(Arc<str>),
}

/// A piece of a message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Block {
    /// Words.
    Text {
        /// The words.
        text: Arc<str>,
    },
    /// The model asks for a tool.
    ToolUse {
        /// Our name of the call.
        id: CallId,
        /// The tool.
        name: Arc<str>,
        /// Its arguments, as the model gave them.
        input: Arc<Value>,
    },
    /// What became of the call.
    ToolResult {
        /// The call.
        tool_use_id: CallId,
        /// What the model is told.
        content: Arc<[Block]>,
        /// Whether that is a failure.
        is_error: bool,
    },
    /// What the model thought before it spoke.
    Reasoning {
        /// The thoughts.
        text: Arc<str>,
        /// What the provider wants to see again with them (a signature), unread by us.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        meta: Option<Arc<Value>>,
    },
    /// A picture.
    Image(Media),
    /// A sound.
    Audio(Media),
    /// Any other file.
    File(Media),
}

/// What is not words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Media {
    /// Where it is.
    #[serde(flatten)]
    pub source: Source,
    /// What it is (RFC 6838).
    pub mime_type: Arc<str>,
}

impl Block {
    /// A block of words.
    #[must_use]
    pub fn text(text: impl Into<Arc<str>>) -> Self {
        Self::Text { text: text.into() }
    }
}

/// What a tool gave, or what the model is told instead.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolResult {
    /// What the model is told.
    pub content: Arc<[Block]>,
    /// Whether that is a failure.
    pub is_error: bool,
}

impl ToolResult {
    /// A failure in words.
    #[must_use]
    pub fn error(text: impl Into<Arc<str>>) -> Self {
        Self { content: [Block::text(text)].into(), is_error: true }
    }

    /// The first words of it: what events call the error.
    pub(crate) fn words(&self) -> &str {
        let words = |block: &Block| matches!(block, Block::Text { .. });
        match self.content.iter().find(|block| words(block)) {
            Some(Block::Text { text }) => text,
            _ => "",
        }
    }
}

/// One message of a history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Who says it.
    pub role: Role,
    /// What.
    pub content: Arc<[Block]>,
    /// The number of the event by which it arrived. Unique in the agent, rising through a history.
    pub seq: u64,
}

/// What kind of message was sent to an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageKind {
    /// Somebody wants an answer: an agent that is ready starts to work.
    #[default]
    User,
    /// The model should know with its next step. Nobody waits, so nothing starts.
    Reminder,
}

/// A message that waits for the next step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Queued {
    /// Its name.
    pub id: MessageId,
    /// Whether it starts a step.
    pub kind: MessageKind,
    /// What it says.
    pub content: Arc<[Block]>,
    /// The number of the event by which it arrived.
    pub seq: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_have_the_shapes_of_the_contract() {
        let call = CallId { step: 1, index: 1 };
        let cases = [
            (Block::text("hi"), r#"{"type":"text","text":"hi"}"#),
            (
                Block::ToolUse { id: call, name: "f".into(), input: Arc::new(Value::Bool(true)) },
                r#"{"type":"tool_use","id":"call_1_1","name":"f","input":true}"#,
            ),
            (
                Block::ToolResult { tool_use_id: call, content: [Block::text("ok")].into(), is_error: false },
                r#"{"type":"tool_result","tool_use_id":"call_1_1","content":[{"type":"text","text":"ok"}],"is_error":false}"#,
            ),
            (Block::Reasoning { text: "so".into(), meta: None }, r#"{"type":"reasoning","text":"so"}"#),
            (
                Block::Image(Media { source: Source::Blob("ab".into()), mime_type: "image/png".into() }),
                r#"{"type":"image","blob":"ab","mime_type":"image/png"}"#,
            ),
            (
                Block::File(Media {
                    source: Source::Url("https://x/y".into()),
                    mime_type: "text/csv".into(),
                }),
                r#"{"type":"file","url":"https://x/y","mime_type":"text/csv"}"#,
            ),
        ];
        for (block, text) in cases {
            assert_eq!(serde_json::to_string(&block).unwrap(), text);
            assert_eq!(serde_json::from_str::<Block>(text).unwrap(), block);
        }
    }
}
