//! An agent's history, as a model is to read it.

use std::collections::HashMap;
use std::sync::Arc;

use seawall_engine::{Block, History, Media, Message, Role, Source};
use seawall_llm::dialogue::{self, Part, Reasoning, ToolResult, ToolUse, Turn};
use seawall_store::StoreError;
use seawall_store::agents::BlobId;

use crate::session::Session;

/// So many bytes of what is not words are put into one request, in all of its blocks together.
const MOST: usize = 64 << 20;

/// What the turns of a history borrow, beside the history itself: one for each block of it, in the order in which they stand,
/// the blocks within results of tools after the result.
#[derive(Debug, Default)]
pub(crate) struct Borrowed(Vec<Lent>);

#[derive(Debug)]
enum Lent {
    /// The block has all that its part needs.
    Nothing,
    /// The name of a call.
    Name(String),
    /// The bytes of what is not words.
    Bytes(Arc<[u8]>),
    /// What is said in place of the block, which can't be shown.
    Instead(String),
}

impl Borrowed {
    /// What the turns of these messages borrow. Blobs are read from the store where they were not shown lately.
    ///
    /// # Errors
    /// A store that can't be read. A blob that is not there is told to the model in words.
    pub(crate) async fn of(messages: &History, session: &Session) -> Result<Self, StoreError> {
        let mut lent = Vec::new();
        let mut blobs = Blobs { session, known: HashMap::new(), left: MOST };
        for block in messages.iter().flat_map(|message| message.content.iter()) {
            match block {
                Block::ToolUse { id, .. } => lent.push(Lent::Name(id.to_string())),
                Block::ToolResult { tool_use_id, content, .. } => {
                    lent.push(Lent::Name(tool_use_id.to_string()));
                    for block in content.iter() {
                        lent.push(blobs.shown(block).await?);
                    }
                }
                block => lent.push(blobs.shown(block).await?),
            }
        }
        Ok(Self(lent))
    }

    /// The messages as turns.
    pub(crate) fn turns<'a>(&'a self, messages: &'a History, keep_thoughts: bool) -> Vec<Turn<'a>> {
        let mut lent = self.0.iter();
        messages.iter().map(|message| turn(message, &mut lent, keep_thoughts)).collect()
    }
}

/// What is not words, read for one request.
struct Blobs<'s> {
    session: &'s Session,
    /// Those that were read: one may stand in many blocks.
    known: HashMap<BlobId, Option<Arc<[u8]>>>,
    /// Bytes that the request may still have.
    left: usize,
}

impl Blobs<'_> {
    /// The bytes of a block that is not words.
    async fn shown(&mut self, block: &Block) -> Result<Lent, StoreError> {
        let (Block::Image(media) | Block::Audio(media) | Block::File(media)) = block else {
            return Ok(Lent::Nothing);
        };
        let Source::Blob(name) = &media.source else { return Ok(Lent::Nothing) };
        let Some(bytes) = self.bytes(name).await? else {
            return Ok(Lent::Instead(format!("[{}: it is not kept any more]", media.mime_type)));
        };
        match self.left.checked_sub(bytes.len()) {
            Some(left) => {
                self.left = left;
                Ok(Lent::Bytes(bytes))
            }
            None => Ok(Lent::Instead(format!("[{}: too much to be shown at once]", media.mime_type))),
        }
    }

    async fn bytes(&mut self, name: &str) -> Result<Option<Arc<[u8]>>, StoreError> {
        let Ok(id) = name.parse::<BlobId>() else { return Ok(None) };
        if let Some(known) = self.known.get(&id) {
            return Ok(known.clone());
        }
        let Session { shared, agent, run, .. } = self.session;
        let bytes = match shared.shown.get(*run, id) {
            Some(bytes) => Some(bytes),
            None => shared.store.blob(agent, &id).await?.map(Arc::from),
        };
        if let Some(bytes) = &bytes {
            shared.shown.keep(*run, id, bytes);
        }
        self.known.insert(id, bytes.clone());
        Ok(bytes)
    }
}

fn turn<'a>(message: &'a Message, lent: &mut std::slice::Iter<'a, Lent>, thoughts: bool) -> Turn<'a> {
    let role = match message.role {
        Role::User => dialogue::Role::User,
        Role::Assistant => dialogue::Role::Assistant,
    };
    let mut blocks = Vec::with_capacity(message.content.len());
    for block in message.content.iter() {
        let part = part(block, lent);
        if thoughts || !matches!(block, Block::Reasoning { meta: None, .. }) {
            blocks.push(part);
        }
    }
    Turn { role, blocks }
}

fn part<'a>(block: &'a Block, lent: &mut std::slice::Iter<'a, Lent>) -> Part<'a> {
    let own = lent.next().unwrap_or(&Lent::Nothing);
    let id = if let Lent::Name(name) = own { name } else { "" };
    match block {
        Block::Text { text } => Part::Text(text),
        Block::ToolUse { name, input, .. } => Part::ToolUse(ToolUse { id, name, input }),
        Block::ToolResult { content, is_error, .. } => {
            let content = content.iter().map(|block| part(block, lent)).collect();
            Part::ToolResult(ToolResult { id, content, is_error: *is_error })
        }
        Block::Reasoning { text, meta } => Part::Reasoning(Reasoning { text, signature: meta.as_deref() }),
        Block::Image(media) => seen(media, own).map_or_else(Part::Text, Part::Image),
        Block::Audio(media) => seen(media, own).map_or_else(Part::Text, Part::Audio),
        Block::File(media) => seen(media, own).map_or_else(Part::Text, Part::File),
    }
}

/// What is not words; words where it can't be shown.
fn seen<'a>(media: &'a Media, own: &'a Lent) -> Result<dialogue::Media<'a>, &'a str> {
    let source = match (&media.source, own) {
        (Source::Url(url), _) => dialogue::Source::Url(url),
        (Source::Blob(_), Lent::Bytes(bytes)) => dialogue::Source::Bytes(bytes),
        (Source::Blob(_), Lent::Instead(words)) => return Err(words),
        (Source::Blob(_), Lent::Nothing | Lent::Name(_)) => return Err("[it can't be shown]"),
    };
    Ok(dialogue::Media { mime_type: &media.mime_type, source })
}
