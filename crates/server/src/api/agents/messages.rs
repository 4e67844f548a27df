//! `/api/agents/{id}/messages`: what is said to an agent, and what was said.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use seawall_base::id;
use seawall_engine::{Block, Bookmark, Message, MessageId, MessageKind, Queued, Role};
use seawall_store::agents::MessageQuery;
use serde::de::value::SeqAccessDeserializer;
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::blobs;
use super::found::Found;
use super::input::{Asked, Input, Page};
use super::waiting::{Ended, end_of_turn, patience};
use crate::App;
use crate::problem::Problem;

/// Words, or blocks.
#[derive(Debug)]
pub(super) struct Content(pub(super) Arc<[Block]>);

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WordsOrBlocks)
    }
}

/// Not an untagged enum: that one could not say which block is wrong.
struct WordsOrBlocks;

impl<'de> Visitor<'de> for WordsOrBlocks {
    type Value = Content;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, or a list of blocks")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Content, E> {
        Ok(Content([Block::text(text)].into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, blocks: A) -> Result<Content, A::Error> {
        let blocks = Vec::deserialize(SeqAccessDeserializer::new(blocks))?;
        Ok(Content(blocks.into()))
    }
}

/// The body of `POST …/messages`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sent {
    content: Content,
    #[serde(default)]
    kind: MessageKind,
}

/// Whether to wait for the end of the turn, and for how many seconds.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Waiting {
    #[serde(default)]
    wait: bool,
    #[serde(default)]
    timeout: Option<u64>,
}

/// The body of `POST …/message`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Short {
    message: Content,
}

/// The query of `POST …/message`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Timeout {
    #[serde(default)]
    timeout: Option<u64>,
}

/// It is durable.
#[derive(Debug, Serialize)]
struct Received {
    message_id: String,
    bookmark: Bookmark,
}

pub(super) async fn send(
    State(app): State<Arc<App>>,
    found: Found,
    Asked(Waiting { wait, timeout }): Asked<Waiting>,
    headers: HeaderMap,
    Input(Sent { content, kind }): Input<Sent>,
) -> Result<Response, Problem> {
    // A reminder begins nothing: there is no end to wait for.
    let waits = wait && kind == MessageKind::User;
    let timeout = waits.then_some(timeout);
    say(&app, &found, &headers, kind, content, timeout).await
}

pub(super) async fn complete(
    State(app): State<Arc<App>>,
    found: Found,
    Asked(Timeout { timeout }): Asked<Timeout>,
    headers: HeaderMap,
    Input(Short { message }): Input<Short>,
) -> Result<Response, Problem> {
    say(&app, &found, &headers, MessageKind::User, message, Some(timeout)).await
}

/// Accepts a message, and waits for the end of the turn where a time for that is given.
async fn say(
    app: &App,
    found: &Found,
    headers: &HeaderMap,
    kind: MessageKind,
    Content(content): Content,
    timeout: Option<Option<u64>>,
) -> Result<Response, Problem> {
    let patience = timeout.map(patience).transpose()?;
    if content.is_empty() {
        let message = "the message says nothing";
        return Err(Problem::input("/content", message, "send a text, or at least one block"));
    }
    blobs::verify(found, &content).await?;
    let name = name(app, headers)?;
    let message_id = name.to_string();
    let done = found.runtime.send(found.id(), name, kind, content).await?;
    if let Some(patience) = patience
        && let Some(completed) = end_of_turn(app, found, done, patience).await?
    {
        return Ok(Json(Ended::new(message_id, completed)).into_response());
    }
    let received = Received { message_id, bookmark: done.bookmark };
    Ok((StatusCode::ACCEPTED, Json(received)).into_response())
}

/// The name of a message: its key, or else a new one.
pub(super) fn name(app: &App, headers: &HeaderMap) -> Result<MessageId, Problem> {
    const LONGEST: usize = 255;
    let Some(key) = headers.get("idempotency-key") else {
        return Ok(MessageId(format!("msg-{}", id::new_request(&*app.parts.clock)).into()));
    };
    match key.to_str() {
        Ok(text) if !text.is_empty() && text.len() <= LONGEST => Ok(MessageId(text.into())),
        _ => {
            let message = format!("the Idempotency-Key is not 1 to {LONGEST} visible ASCII characters");
            Err(Problem::input("", message, "send a UUID, or another name of the message"))
        }
    }
}

/// Which messages.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Filter {
    #[serde(default)]
    role: Option<Role>,
    #[serde(default)]
    limit: Option<u32>,
    #[serde(default)]
    offset: Option<u32>,
}

/// The answer of `GET …/messages`.
#[derive(Debug, Serialize)]
pub(super) struct Listed {
    messages: Vec<Shown>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_offset: Option<u32>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Shown {
    Said(Arc<Message>),
    Queued { role: Role, content: Arc<[Block]>, seq: u64, state: &'static str },
}

impl Shown {
    fn queued(queued: &Queued) -> Self {
        let content = Arc::clone(&queued.content);
        Self::Queued { role: Role::User, content, seq: queued.seq, state: "queued" }
    }
}

pub(super) async fn list(found: Found, Asked(filter): Asked<Filter>) -> Result<Json<Listed>, Problem> {
    let page = Page::new(filter.limit, filter.offset)?;
    let query = MessageQuery {
        agent: Some(found.id().clone()),
        role: filter.role,
        skip: page.skip,
        most: page.with_one_more(),
        ..MessageQuery::default()
    };
    // The queue first: what leaves it meanwhile is in the history then, and in neither the other way round.
    let kept = found.runtime.load(found.id()).await?;
    let (rows, next_offset) = page.cut(found.store().messages(&query).await?);
    let said: HashSet<u64> = rows.iter().map(|row| row.message.seq).collect();
    let mut messages: Vec<_> = rows.into_iter().map(|row| Shown::Said(row.message)).collect();
    if next_offset.is_none() && filter.role != Some(Role::Assistant) {
        let waiting = kept.agent().queued().iter().filter(|queued| !said.contains(&queued.seq));
        messages.extend(waiting.map(Shown::queued));
    }
    Ok(Json(Listed { messages, next_offset }))
}
