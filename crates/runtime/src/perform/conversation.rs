//! An agent's history, as a model is to read it.

use seawall_engine::{Block, History, Media, Message, Role, Source};
use seawall_llm::dialogue::{self, Part, Reasoning, ToolResult, ToolUse, Turn};

/// Names of calls and bytes of media, which the turns borrow.
#[derive(Debug, Default)]
pub(crate) struct Borrowed {
    /// One for each block of each message; empty where it is no call and no result.
    names: Vec<String>,
}

impl Borrowed {
    /// What the turns of these messages borrow.
    pub(crate) fn of(messages: &History) -> Self {
        let blocks = messages.iter().flat_map(|message| message.content.iter());
        let names = blocks.map(|block| match block {
            Block::ToolUse { id, .. } | Block::ToolResult { tool_use_id: id, .. } => id.to_string(),
            _ => String::new(),
        });
        Self { names: names.collect() }
    }

    /// The messages as turns.
    pub(crate) fn turns<'a>(&'a self, messages: &'a History, keep_thoughts: bool) -> Vec<Turn<'a>> {
        let mut names = self.names.iter();
        messages.iter().map(|message| turn(message, &mut names, keep_thoughts)).collect()
    }
}

fn turn<'a>(message: &'a Message, names: &mut std::slice::Iter<'a, String>, thoughts: bool) -> Turn<'a> {
    let role = match message.role {
        Role::User => dialogue::Role::User,
        Role::Assistant => dialogue::Role::Assistant,
    };
    let blocks = message.content.iter().filter_map(|block| {
        let name = names.next().map_or("", String::as_str);
        match block {
            Block::Reasoning { meta: None, .. } if !thoughts => None,
            block => Some(part(block, name)),
        }
    });
    Turn { role, blocks: blocks.collect() }
}

fn part<'a>(block: &'a Block, id: &'a str) -> Part<'a> {
    match block {
        Block::Text { text } => Part::Text(text),
        Block::ToolUse { name, input, .. } => Part::ToolUse(ToolUse { id, name, input }),
        Block::ToolResult { content, is_error, .. } => {
            let content = content.iter().map(|block| part(block, "")).collect();
            Part::ToolResult(ToolResult { id, content, is_error: *is_error })
        }
        Block::Reasoning { text, meta } => Part::Reasoning(Reasoning { text, signature: meta.as_deref() }),
        Block::Image(media) => Part::Image(seen(media)),
        Block::Audio(media) => Part::Audio(seen(media)),
        Block::File(media) => Part::File(seen(media)),
    }
}

/// What is kept as a blob was put in before; what still names one could not be read.
fn seen(media: &Media) -> dialogue::Media<'_> {
    let source = match &media.source {
        Source::Url(url) => dialogue::Source::Url(url),
        Source::Blob(_) => dialogue::Source::Bytes(&[]),
    };
    dialogue::Media { mime_type: &media.mime_type, source }
}
