//! `/api/agents/{id}/events` as a websocket: what happens to an agent, as server-sent events tell it, and what a client says.
//!
//! A message of ours is an event's envelope, or `{"reply": …}` to one of the client's. Numbers are the same as everywhere, so
//! who comes back says `since`.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use seawall_base::id;
use seawall_engine::{Bookmark, MessageId, MessageKind};
use seawall_runtime::Feed;
use seawall_types::Code;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::blobs;
use super::deciding::{self, Decision};
use super::found::Found;
use super::messages::Content;
use crate::App;
use crate::problem::Problem;
use crate::socket::Socket;

/// How often a client is asked whether it is still there. Who says nothing between two questions is gone.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// How long a client may take to take a message.
const PATIENCE: Duration = Duration::from_secs(30);

/// After this time a client has to come back: who it is, and what it may do, is looked at anew then.
const LONGEST: Duration = Duration::from_hours(1);

/// What a client says.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
enum Said {
    Message {
        #[serde(default, rename = "ref")]
        reference: Option<Value>,
        content: Content,
        #[serde(default)]
        kind: MessageKind,
        /// The name of the message, as `Idempotency-Key` is.
        #[serde(default)]
        key: Option<String>,
    },
    Decide {
        #[serde(default, rename = "ref")]
        reference: Option<Value>,
        decision: Decision,
    },
    Interrupt {
        #[serde(default, rename = "ref")]
        reference: Option<Value>,
        #[serde(default)]
        note: Option<String>,
    },
}

/// A client that follows an agent and talks to it.
pub(super) struct Conversation {
    pub(super) app: Arc<App>,
    pub(super) found: Found,
    pub(super) feed: Feed,
    pub(super) address: Option<IpAddr>,
}

/// Why it is over.
enum Over {
    /// The client has ended it, or is gone.
    Gone,
    /// The server ends it, and says why.
    Ended(CloseCode, &'static str),
}

impl Conversation {
    pub(super) async fn run(mut self, mut socket: Socket) {
        let over = self.talk(&mut socket).await;
        if let Over::Ended(code, reason) = over {
            let frame = CloseFrame { code, reason: reason.into() };
            let _gone = tokio::time::timeout(PATIENCE, socket.close(Some(frame))).await;
        }
    }

    async fn talk(&mut self, socket: &mut Socket) -> Over {
        let stops = self.app.stops().clone();
        let mut beat = tokio::time::interval_at(Instant::now() + HEARTBEAT, HEARTBEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let end = tokio::time::sleep(LONGEST);
        tokio::pin!(end);
        let mut was_heard = true;
        loop {
            let next = tokio::select! {
                biased;
                () = stops.cancelled() => return Over::Ended(CloseCode::Away, "the server stops"),
                () = &mut end => return Over::Ended(CloseCode::Normal, "come back with the last number"),
                said = socket.next() => {
                    was_heard = true;
                    match said {
                        Some(Ok(Message::Text(_))) if !self.is_still_there().await => {
                            return Over::Ended(CloseCode::Normal, "the agent was removed");
                        }
                        Some(Ok(Message::Text(text))) => Message::text(self.answer(text.as_str()).await),
                        Some(Ok(Message::Binary(_))) => {
                            return Over::Ended(CloseCode::Unsupported, "messages are JSON texts");
                        }
                        // Pings are answered where they are read; a close is too.
                        Some(Ok(_)) => continue,
                        Some(Err(Error::Capacity(_))) => {
                            return Over::Ended(CloseCode::Size, "a message has at most 1 MiB");
                        }
                        Some(Err(_)) | None => return Over::Gone,
                    }
                }
                told = self.feed.next() => match told {
                    Ok(told) => Message::text(told.json),
                    Err(error) => {
                        let agent = self.found.id();
                        tracing::warn!(%agent, %error, "an agent can't be followed; its follower is let go of");
                        return Over::Ended(CloseCode::Error, "the store can't be read");
                    }
                },
                _ = beat.tick() => {
                    if !std::mem::take(&mut was_heard) {
                        return Over::Gone;
                    }
                    if !self.is_still_there().await {
                        return Over::Ended(CloseCode::Normal, "the agent was removed");
                    }
                    if !self.found.who.is_good_still(&self.app) {
                        return Over::Ended(CloseCode::Policy, "the key is not good any more");
                    }
                    Message::Ping(bytes::Bytes::new())
                }
            };
            match tokio::time::timeout(PATIENCE, socket.send(next)).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return Over::Gone,
            }
        }
    }

    /// Whether the agent is the one that the client was let through to: another may have its name by now, and be another
    /// tenant's. Where that can't be told, what is asked of the agent fails by itself.
    async fn is_still_there(&self) -> bool {
        match self.found.store().agent(self.found.id()).await {
            Ok(row) => row.is_some_and(|row| row.run == self.found.row.run),
            Err(_) => true,
        }
    }

    /// Does what a client says, and tells it what came of that.
    async fn answer(&self, text: &str) -> String {
        let said: Result<Said, _> = serde_json::from_str(text);
        let (reference, done) = match said {
            Err(error) => {
                let remedy =
                    "send {\"type\":\"message\"|\"decide\"|\"interrupt\", …}, see docs/agents-api.md";
                (None, Err(Problem::input("", error.to_string(), remedy)))
            }
            Ok(Said::Message { reference, content, kind, key }) => {
                (reference, self.send(content, kind, key).await)
            }
            Ok(Said::Decide { reference, decision }) => {
                let decided = match self.may_say("decide") {
                    Ok(()) => deciding::give(&self.found, decision).await,
                    Err(problem) => Err(problem),
                };
                (reference, decided)
            }
            Ok(Said::Interrupt { reference, note }) => (reference, self.interrupt(note).await),
        };
        let mut reply = match done {
            Ok(bookmark) => json!({ "bookmark": bookmark }),
            Err(Problem { code, detail, remedy, .. }) => {
                json!({ "error": { "code": code.as_str(), "detail": detail, "remedy": remedy } })
            }
        };
        if let (Some(fields), Some(reference)) = (reply.as_object_mut(), reference) {
            fields.insert("ref".to_owned(), reference);
        }
        json!({ "reply": reply }).to_string()
    }

    /// Whether the client may say so now: what it says here counts as the request that it stands for.
    fn may_say(&self, what: &str) -> Result<(), Problem> {
        if !self.found.who.is_good_still(&self.app) {
            let remedy = "connect anew with a key that is good";
            return Err(Problem::new(Code::Unauthenticated, "the key is not good any more", remedy));
        }
        if !self.found.who.may_change() {
            let remedy = "connect with a key that has the role operator";
            return Err(Problem::new(Code::Forbidden, "who may only look says nothing", remedy));
        }
        let path = format!("/api/agents/{}/{what}", self.found.id());
        self.found.who.take_rate(&self.app, &path, self.address)
    }

    async fn send(
        &self,
        Content(content): Content,
        kind: MessageKind,
        key: Option<String>,
    ) -> Result<Bookmark, Problem> {
        self.may_say("messages")?;
        let name = key.unwrap_or_else(|| format!("msg-{}", id::new_request(&*self.app.parts.clock)));
        if name.is_empty() || name.len() > 255 {
            return Err(Problem::input("/key", "a key has 1 to 255 bytes", "send a UUID"));
        }
        blobs::verify(&self.found, &content).await?;
        let (id, message) = (self.found.id(), MessageId(name.into()));
        Ok(self.found.runtime.send(id, message, kind, content).await?.bookmark)
    }

    async fn interrupt(&self, note: Option<String>) -> Result<Bookmark, Problem> {
        self.may_say("interrupt")?;
        let by = self.found.who.name();
        Ok(self.found.runtime.interrupt(self.found.id(), &by, note.as_deref()).await?.bookmark)
    }
}
