//! Passing a stream of events on, each message looked at, and every other byte as it came.

use std::fmt::Display;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use rmcp::model::RequestId;
use seawall_llm::sse::{RawEvent, Splitter};
use seawall_policy::Policy;
use seawall_types::Actor;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::sessions::Link;
use crate::answer;
use crate::batch::{is_batch, parts};
use crate::body::{Frame, event};
use crate::book::{Found, Unanswered, key};
use crate::message::{Kind, Message, on_one_line};
use crate::proxy::MessageLimits;
use crate::screen::{Eyes, looked_through};
use crate::server::Server;

/// An answer that has to come, or somebody has to be told that it does not. Dropping it means that its client hung up.
#[derive(Debug)]
pub(super) struct Awaited {
    server: Arc<Server>,
    link: Arc<Link>,
    pub(super) id: RequestId,
    serial: u64,
}

impl Awaited {
    pub(super) fn new(server: &Arc<Server>, link: &Arc<Link>, id: &RequestId, serial: u64) -> Self {
        Self { server: Arc::clone(server), link: Arc::clone(link), id: id.clone(), serial }
    }

    /// The answer has come, whatever it is.
    pub(super) async fn answered(self, message: Message) -> Bytes {
        let Some(entry) = self.link.book.answered_same(&self.id, self.serial) else {
            return too_late(self.id.clone());
        };
        looked_through(&self.server, self.id.clone(), entry, message).await
    }

    /// Whether this is its name, as the book reads names.
    fn is_for(&self, id: &RequestId) -> bool {
        key(&self.id) == key(id)
    }

    /// It will not come. `said` goes to the client, and `reason` into the log.
    pub(super) fn away(self, said: &str, reason: &dyn Display) -> Bytes {
        tracing::warn!(server = %self.server.name, %reason, "an MCP server gave no answer");
        self.give_up(Unanswered::Away(said))
            .unwrap_or_else(|| answer::error(Some(self.id.clone()), answer::AWAY, said, None))
    }

    /// Its time is up.
    pub(super) fn timed_out(self) -> Bytes {
        self.give_up(Unanswered::TimedOut)
            .unwrap_or_else(|| answer::error(Some(self.id.clone()), answer::AWAY, "it took too long", None))
    }

    fn give_up(&self, why: Unanswered<'_>) -> Option<Bytes> {
        let entry = self.link.book.give_up_same(&self.id, self.serial)?;
        entry.give_up(&self.server.desk, &self.server.name, &self.id, why)
    }
}

impl Drop for Awaited {
    fn drop(&mut self) {
        self.give_up(Unanswered::Unwanted("its client hung up"));
    }
}

/// What a stream is waited on for, and how long.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) awaited: Awaited,
    pub(super) until: Instant,
    /// The stream itself is the answer; it ends when the server stops.
    pub(super) is_subscription: bool,
}

/// A stream on its way from a server to a client.
#[derive(Debug)]
pub(super) struct Relay {
    pub(super) server: Arc<Server>,
    pub(super) link: Arc<Link>,
    pub(super) policy: Arc<Policy>,
    pub(super) actor: Arc<Actor>,
    pub(super) limits: MessageLimits,
    pub(super) to: mpsc::Sender<Frame>,
    pub(super) waiting: Option<Waiting>,
    /// Whatever is answered on it was asked where we know of it.
    pub(super) knows_requests: bool,
}

/// How a stream ended.
enum End {
    /// By itself, or because it can't be read any further.
    Over(String),
    HungUp,
    TimedOut,
    Stopped,
}

impl Relay {
    /// Passes the stream on until it ends. The request that its server is to be told of, since nobody waits any more.
    pub(super) async fn run(mut self, mut body: Incoming) -> Option<RequestId> {
        let mut splitter = Splitter::new(self.limits.message);
        let mut is_resumable = false;
        let end = loop {
            match splitter.next_event() {
                Ok(Some(event)) => {
                    is_resumable |= has_id(&event);
                    if !self.pass(event).await {
                        break End::HungUp;
                    }
                    continue;
                }
                Ok(None) => {}
                Err(error) => break End::Over(error.to_string()),
            }
            tokio::select! {
                frame = body.frame() => match frame {
                    Some(Ok(frame)) => frame.into_data().into_iter().for_each(|chunk| splitter.push(chunk)),
                    Some(Err(error)) => break End::Over(error.to_string()),
                    None => break End::Over("its stream ended".to_owned()),
                },
                end = self.interrupted() => break end,
            }
        };
        drop(body);
        self.finish(end, is_resumable).await
    }

    /// What ends a stream from our side.
    async fn interrupted(&self) -> End {
        let awaits = self.waiting.as_ref().is_some_and(|waiting| !waiting.is_subscription);
        let time_is_up = async {
            match &self.waiting {
                Some(waiting) => sleep_until(waiting.until).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.to.closed() => End::HungUp,
            () = time_is_up => End::TimedOut,
            () = self.server.desk.draining.cancelled(), if !awaits => End::Stopped,
            () = self.server.closed.cancelled() => End::Stopped,
        }
    }

    /// Passes one event on; `false` when its client is gone.
    async fn pass(&mut self, raw: RawEvent) -> bool {
        let data = raw.data().into_owned();
        let mut memory = self.server.desk.parts.memory.share();
        if !memory.take(raw.bytes.len(), self.limits.buffer) {
            tracing::error!(server = %self.server.name, "all buffered bytes are in use; a message is lost");
            return true;
        }
        // Without data an event keeps a connection alive, or says where to resume.
        if data.is_empty() {
            return self.to.send(Frame::new(raw.bytes, Some(memory))).await.is_ok();
        }
        let data = Bytes::from(data);
        let told = if is_batch(&data) { self.told_all(&data).await } else { self.told(&data).await };
        let Some(told) = told else { return true };
        let bytes = if told == data { raw.bytes } else { rewritten(&raw.bytes, &on_one_line(told)) };
        self.to.send(Frame::new(bytes, Some(memory))).await.is_ok()
    }

    /// A message as its client gets it, if it may have it.
    async fn told(&mut self, data: &Bytes) -> Option<Bytes> {
        let message = match Message::of_server(data.clone()) {
            Ok(message) => message,
            Err(error) => {
                tracing::warn!(server = %self.server.name, %error, "an event of the server is no message, and goes nowhere");
                return None;
            }
        };
        if let Kind::Answer { id: Some(id), .. } = &message.kind {
            let id = id.clone();
            return self.answered(id, message).await;
        }
        Some(self.eyes().said(&message))
    }

    /// Several messages at once, those of them that their client may have.
    async fn told_all(&mut self, data: &Bytes) -> Option<Bytes> {
        let parts = parts(data).unwrap_or_else(|error| {
            tracing::warn!(server = %self.server.name, %error, "a batch of the server goes nowhere");
            Vec::new()
        });
        let mut told = Vec::new();
        for part in parts {
            told.extend(self.told(&part).await);
        }
        (!told.is_empty()).then(|| [b"[".as_slice(), &told.join(b",".as_slice()), b"]"].concat().into())
    }

    /// An answer. One that comes again, to a client that has asked for it again, is looked through again.
    async fn answered(&mut self, id: RequestId, message: Message) -> Option<Bytes> {
        match self.link.book.answered(&id) {
            Found::Open(entry) => {
                self.waiting.take_if(|waiting| waiting.awaited.is_for(&id));
                Some(looked_through(&self.server, id, *entry, message).await)
            }
            Found::GivenUp => Some(too_late(id)),
            Found::Nothing if self.knows_requests => {
                tracing::warn!(server = %self.server.name, "an answer to nothing that was asked goes nowhere");
                None
            }
            Found::Answered | Found::Nothing => Some(self.eyes().again(&id, &message)),
        }
    }

    fn eyes(&self) -> Eyes<'_> {
        Eyes { server: &self.server, policy: &self.policy, actor: &self.actor, whose: self.link.whose() }
    }

    /// Sees to what is still awaited.
    async fn finish(mut self, end: End, is_resumable: bool) -> Option<RequestId> {
        let Waiting { awaited, until, .. } = self.waiting.take()?;
        match end {
            // The rest comes by another stream, on which its client asks for it.
            End::Over(_) | End::HungUp if is_resumable => {
                drop(self.to);
                tokio::select! {
                    () = sleep_until(until) => {}
                    () = self.server.closed.cancelled() => {}
                }
                awaited.timed_out();
                None
            }
            End::Over(reason) => {
                let said = format!("the server {} ended its answer before its end", self.server.name);
                let told = awaited.away(&said, &reason);
                let _gone = self.to.send(Frame::new(event(told), None)).await;
                None
            }
            End::TimedOut => {
                let id = awaited.id.clone();
                let told = awaited.timed_out();
                let _gone = self.to.send(Frame::new(event(told), None)).await;
                Some(id)
            }
            End::Stopped => {
                let told = awaited.away("the server is shutting down", &"shutting down");
                let _gone = self.to.send(Frame::new(event(told), None)).await;
                None
            }
            End::HungUp => None,
        }
    }
}

/// What stands in the place of an answer to what was given up: its call is settled, and nothing of it may pass any more.
fn too_late(id: RequestId) -> Bytes {
    answer::error(Some(id), answer::AWAY, "the answer came when nobody waited for it any more", None)
}

/// Whether an event says where to resume.
fn has_id(event: &RawEvent) -> bool {
    event.bytes.split(|byte| matches!(byte, b'\n' | b'\r')).any(|line| line.starts_with(b"id:"))
}

/// The event with other data, on one line; what else it says stays.
fn rewritten(raw: &[u8], data: &[u8]) -> Bytes {
    let mut event = Vec::with_capacity(raw.len());
    for line in raw.split(|byte| matches!(byte, b'\n' | b'\r')) {
        if !line.is_empty() && !line.starts_with(b"data") {
            event.extend_from_slice(line);
            event.push(b'\n');
        }
    }
    event.extend_from_slice(b"data: ");
    event.extend_from_slice(data);
    event.extend_from_slice(b"\n\n");
    event.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_data_leaves_what_else_an_event_says() {
        for (raw, expected) in [
            ("event: message\nid: 7\ndata: {}\n\n", "event: message\nid: 7\ndata: NEW\n\n"),
            ("data: {\r\ndata: }\r\nretry: 5\r\n\r\n", "retry: 5\ndata: NEW\n\n"),
            (": note\ndata:{}\nid\n\n", ": note\nid\ndata: NEW\n\n"),
        ] {
            assert_eq!(rewritten(raw.as_bytes(), b"NEW"), expected, "{raw:?}");
        }
    }
}
