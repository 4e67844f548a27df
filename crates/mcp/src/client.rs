//! A client of a server, in this process: for agents of ours, which are given a server's tools.
//!
//! It goes through the proxy like everybody: with a session of its own, and so with a process of its own where the server is
//! a program. What it asks for was judged before by whoever asks; a server's own policy counts besides.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use http_body_util::BodyExt;
use rmcp::model::ProtocolVersion;
use seawall_policy::Policy;
use seawall_types::Mode;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::Body;
use crate::answer::AWAY;
use crate::desk::Visitor;
use crate::proxy::{Held, MessageLimits, Proxy, Visit};
use crate::server::{SESSION, VERSION};

/// Pages of a list of tools that are read.
const MOST_PAGES: usize = 100;

/// A client of one server.
#[derive(Debug)]
pub struct Client {
    proxy: Arc<Proxy>,
    server: String,
    visitor: Visitor,
    policy: Arc<Policy>,
    limits: MessageLimits,
    /// What the server knows us by, once it does.
    session: Mutex<Option<Session>>,
    next: AtomicU64,
}

#[derive(Debug, Clone)]
struct Session {
    id: Option<HeaderValue>,
    version: HeaderValue,
}

/// The server did not do what it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// It can't be reached: it was not asked.
    #[error("{0}")]
    Away(String),
    /// It can't be reached any more. Whether it was asked before is unknown.
    #[error("{0}")]
    Lost(String),
    /// It refuses, or its answer is none.
    #[error("{0}")]
    Refused(String),
}

/// Why a request has no result.
enum Failed {
    /// The server does not know the session any more: nothing was done.
    Forgotten,
    /// It can't be reached, or not any more.
    Lost(String),
    Words(String),
}

impl Client {
    /// A client on somebody's behalf. Nothing is begun before something is asked for.
    #[must_use]
    pub fn new(proxy: Arc<Proxy>, server: &str, visitor: Visitor, limits: MessageLimits) -> Self {
        Self {
            proxy,
            server: server.to_owned(),
            visitor,
            policy: Arc::new(Policy::off(Mode::Strict)),
            limits,
            session: Mutex::default(),
            next: AtomicU64::new(1),
        }
    }

    /// The tools of the server, each as it describes it.
    ///
    /// # Errors
    /// When it does not tell.
    pub async fn tools(&self) -> Result<Vec<Value>, ClientError> {
        let (mut tools, mut cursor) = (Vec::new(), None);
        for _ in 0..MOST_PAGES {
            let parameters = cursor.map_or_else(|| json!({}), |cursor: Value| json!({ "cursor": cursor }));
            let mut page = self.ask("tools/list", &parameters).await?;
            if let Some(Value::Array(found)) = page.get_mut("tools").map(Value::take) {
                tools.extend(found);
            }
            cursor = page.get_mut("nextCursor").map(Value::take).filter(Value::is_string);
            if cursor.is_none() {
                return Ok(tools);
            }
        }
        Err(ClientError::Refused(format!("the server {} lists tools without an end", self.server)))
    }

    /// Calls a tool. Its result is the protocol's, failures of the tool among them. Dropping the future cancels the call.
    ///
    /// # Errors
    /// When there is none.
    pub async fn call(&self, tool: &str, arguments: &Value) -> Result<Value, ClientError> {
        self.ask("tools/call", &json!({ "name": tool, "arguments": arguments })).await
    }

    async fn ask(&self, method: &str, parameters: &Value) -> Result<Value, ClientError> {
        let session = self.session().await?;
        match self.request(method, parameters, Some(&session)).await {
            Ok((result, _)) => Ok(result),
            Err(Failed::Forgotten) => {
                *self.session.lock().await = None;
                let session = self.session().await?;
                let again = self.request(method, parameters, Some(&session)).await;
                again.map(|(result, _)| result).map_err(|failed| self.words(failed))
            }
            Err(failed) => Err(self.words(failed)),
        }
    }

    fn words(&self, failed: Failed) -> ClientError {
        let server = &self.server;
        match failed {
            Failed::Forgotten => ClientError::Away(format!("the server {server} forgets its sessions")),
            // The proxy names it already.
            Failed::Lost(words) if words.starts_with("the server ") => ClientError::Lost(words),
            Failed::Lost(words) => ClientError::Lost(format!("the server {server}: {words}")),
            Failed::Words(words) => ClientError::Refused(format!("the server {server}: {words}")),
        }
    }

    /// The session, begun if there is none.
    async fn session(&self) -> Result<Session, ClientError> {
        let mut known = self.session.lock().await;
        if let Some(session) = &*known {
            return Ok(session.clone());
        }
        let hello = json!({
            "protocolVersion": ProtocolVersion::LATEST_WITH_INITIALIZE.as_str(),
            "capabilities": {},
            "clientInfo": { "name": "seawall", "version": env!("CARGO_PKG_VERSION") },
        });
        // Whatever goes wrong here: what is wanted of it was not asked yet.
        let away = |failed| ClientError::Away(self.words(failed).to_string());
        let (result, headers) = self.request("initialize", &hello, None).await.map_err(away)?;
        let version = result.get("protocolVersion").and_then(Value::as_str).unwrap_or_default();
        let version = HeaderValue::from_str(version)
            .map_err(|_| away(Failed::Words("it speaks no version of the protocol".to_owned())))?;
        let session = Session { id: headers.get(SESSION).cloned(), version };
        let ready = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
        let _accepted = self.send(&ready, Some(&session)).await;
        *known = Some(session.clone());
        Ok(session)
    }

    async fn request(
        &self,
        method: &str,
        parameters: &Value,
        session: Option<&Session>,
    ) -> Result<(Value, HeaderMap), Failed> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let message = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": parameters });
        let response = self.send(&message, session).await;
        let (head, body) = response.into_parts();
        if head.status == StatusCode::NOT_FOUND && session.is_some() && self.proxy.has(&self.server) {
            return Err(Failed::Forgotten);
        }
        let is_stream = head
            .headers
            .get(CONTENT_TYPE)
            .is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
        let answer = if is_stream { from_stream(body, id).await } else { from_json(body).await };
        let mut answer = answer.map_err(Failed::Lost)?;
        if let Some(error) = answer.get("error") {
            let words = shortened(error.get("message").and_then(Value::as_str).unwrap_or("it refuses"));
            let is_away = error.get("code").and_then(Value::as_i64) == Some(AWAY.0.into());
            return Err(if is_away { Failed::Lost(words) } else { Failed::Words(words) });
        }
        match answer.get_mut("result").map(Value::take) {
            Some(result) => Ok((result, head.headers)),
            None => Err(Failed::Words(format!("it answered {} and no result", head.status))),
        }
    }

    async fn send(&self, message: &Value, session: Option<&Session>) -> Response<Body> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
        if let Some(Session { id, version }) = session {
            headers.extend(id.clone().map(|id| (SESSION, id)));
            headers.insert(VERSION, version.clone());
        }
        let visit = Visit {
            server: self.server.clone(),
            // No thread of the gateway's: connections are served by the one that opened them.
            worker: usize::MAX,
            method: Method::POST,
            headers,
            body: Bytes::from(message.to_string()),
            visitor: self.visitor.clone(),
            policy: Arc::clone(&self.policy),
            limits: self.limits,
            hold: Held(None),
        };
        self.proxy.answer(visit).await
    }
}

/// What a server says of itself, for logs and models: its words are not ours, so they are a sentence at the most.
fn shortened(words: &str) -> String {
    const LONGEST: usize = 300;
    let plain = words.chars().map(|character| if character.is_control() { ' ' } else { character });
    let mut short: String = plain.take(LONGEST).collect();
    if words.chars().nth(LONGEST).is_some() {
        short.push('…');
    }
    short
}

async fn from_json(body: Body) -> Result<Value, String> {
    let Ok(body) = body.collect().await;
    serde_json::from_slice(&body.to_bytes()).map_err(|error| format!("its answer can't be read: {error}"))
}

/// The answer to our request among everything else that a stream tells.
async fn from_stream(mut body: Body, id: u64) -> Result<Value, String> {
    let mut rest = Vec::new();
    while let Some(Ok(frame)) = body.frame().await {
        rest.extend_from_slice(&frame.into_data().unwrap_or_default());
        while let Some(end) = rest.windows(2).position(|pair| pair == b"\n\n") {
            let event: Vec<u8> = rest.drain(..end + 2).collect();
            let text = String::from_utf8_lossy(&event);
            let data: String = text.lines().filter_map(|line| line.strip_prefix("data:")).collect();
            let message: Value = serde_json::from_str(data.trim()).unwrap_or_default();
            if message.get("id").and_then(Value::as_u64) == Some(id) && message.get("method").is_none() {
                return Ok(message);
            }
        }
    }
    Err("its answer broke off".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_server_are_a_sentence_at_the_most() {
        assert_eq!(shortened("no such tool"), "no such tool");
        assert_eq!(shortened("a\nb\u{1b}[0m"), "a b [0m");
        assert_eq!(shortened(&"x".repeat(100_000)).chars().count(), 301);
    }
}
