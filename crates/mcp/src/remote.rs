//! Servers that speak streamable HTTP: each request goes on as one, and sessions are the server's own.

mod relay;
mod repeated;
mod request;
mod sessions;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use rmcp::model::{
    CancelledNotificationMethod, ConstString, ErrorCode, InitializeResultMethod, RequestId,
    SubscriptionsListenRequestMethod,
};
use seawall_base::memory::Share;
use seawall_llm_client::Requester;
use seawall_types::KeyId;
use tokio::time::Instant;

use self::relay::{Awaited, Relay, Waiting};
use self::sessions::{Link, Sessions};
use crate::body::{Frame, frames};
use crate::book::{Entry, NOT_NEW, Unanswered, What};
use crate::judge::{Judged, judge};
use crate::message::{Kind, Message};
use crate::noted::Whose;
use crate::proxy::{MessageLimits, Visit};
use crate::screen;
use crate::server::{
    Refusal, RemoteParts, SESSION, Server, held_in_json, in_json, no_answer, session_of, unreadable,
};
use crate::{Body, answer};

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);
/// A request whose answer is a stream that goes on for as long as its client likes.
const WITHOUT_END: Duration = Duration::from_secs(365 * 86_400);
/// Events on their way to the client.
const ROOM: usize = 8;

/// A server elsewhere.
#[derive(Debug)]
pub(crate) struct Remote {
    url: Uri,
    headers: HeaderMap,
    /// One for each worker.
    requesters: Vec<Requester>,
    /// For a worker that nobody told of.
    spare: Requester,
    sessions: Sessions,
}

/// What is known of an answer before its body is read.
struct Head {
    status: StatusCode,
    session: Option<HeaderValue>,
    is_events: bool,
    is_json: bool,
}

impl Head {
    fn of(response: &Response<Incoming>) -> Self {
        let kind = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
        let kind = kind.split(';').next().unwrap_or("").trim();
        Self {
            status: response.status(),
            session: response.headers().get(SESSION).cloned(),
            is_events: kind.eq_ignore_ascii_case("text/event-stream"),
            is_json: kind.eq_ignore_ascii_case("application/json"),
        }
    }
}

impl Remote {
    pub(crate) fn new(url: Uri, headers: HeaderMap, parts: &RemoteParts) -> Self {
        let requester = || Requester::new(&parts.tls, CONNECT);
        let requesters = (0..parts.workers).map(|_| requester()).collect();
        Self { url, headers, requesters, spare: requester(), sessions: Sessions::default() }
    }

    /// A message of a client.
    pub(crate) async fn post(&self, server: &Arc<Server>, visit: Visit) -> Result<Response<Body>, Refusal> {
        let message = Message::of_client(visit.body.clone()).map_err(|error| unreadable(&error))?;
        if let Some(name) = repeated::contradiction(&visit.headers, &message) {
            let said = format!("the header {name} does not say what the body says");
            return Err(no_answer(StatusCode::BAD_REQUEST, ErrorCode::HEADER_MISMATCH, said));
        }
        let begins = message.method() == Some(InitializeResultMethod::VALUE);
        let link = if begins && session_of(&visit.headers).is_none() {
            Sessions::begin(server, &visit)
        } else {
            self.sessions.link(server, &visit)?
        };
        match message.kind.clone() {
            Kind::Request { id, .. } => self.request(server, visit, link, &id, &message).await,
            Kind::Notification { .. } | Kind::Answer { .. } => {
                self.tell(server, &visit, &link, &message).await
            }
        }
    }

    async fn request(
        &self,
        server: &Arc<Server>,
        visit: Visit,
        link: Arc<Link>,
        id: &RequestId,
        message: &Message,
    ) -> Result<Response<Body>, Refusal> {
        let asked = server.asked(&visit, &link.state);
        let (bytes, is_changed, what) = match judge(&server.desk, &asked, id, message).await {
            Judged::Answered(bytes) => return Ok(in_json(StatusCode::OK, bytes)),
            Judged::Passes { bytes, is_changed, what } => (bytes, is_changed, what),
        };
        let is_hello = message.method() == Some(InitializeResultMethod::VALUE);
        let what = if is_hello { What::Hello(link.version()) } else { what };
        let is_subscription = message.method() == Some(SubscriptionsListenRequestMethod::VALUE);
        let limit = if is_subscription { WITHOUT_END } else { what.limit(server.timeout()) };
        let until = Instant::now() + limit;
        let awaited = enter(server, &link, id, (what, limit), &asked)?;
        let request = self.outgoing(&visit, Method::POST, bytes, is_changed);
        let sent = tokio::time::timeout_at(until, self.requester(&visit).send(request)).await;
        let response = match sent {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => {
                let said = format!("the server {} can't be reached", server.name);
                return Ok(in_json(StatusCode::OK, awaited.away(&said, &error)));
            }
            Err(_elapsed) => {
                let told = awaited.timed_out();
                self.cancel(server, &visit, id).await;
                return Ok(in_json(StatusCode::OK, told));
            }
        };
        let head = Head::of(&response);
        if is_hello && head.status.is_success() {
            self.sessions.keep(server, &link, head.session.as_ref())?;
        }
        if head.status == StatusCode::NOT_FOUND {
            self.sessions.forget(&visit);
        }
        let session = head.session.clone();
        let mut answered = if head.status.is_success() && head.is_events {
            let awaited = Waiting { awaited, until, is_subscription };
            self.stream(server, visit, response, link, Some(awaited))
        } else {
            self.whole(server, visit, (head, response.into_body()), awaited, until).await
        };
        answered.headers_mut().extend(session.map(|session| (SESSION, session)));
        Ok(answered)
    }

    /// An answer that is a stream of events.
    fn stream(
        &self,
        server: &Arc<Server>,
        mut visit: Visit,
        response: Response<Incoming>,
        link: Arc<Link>,
        waiting: Option<Waiting>,
    ) -> Response<Body> {
        let (to, events) = frames(ROOM);
        let hold = visit.hold.0.take();
        let relay = Relay {
            server: Arc::clone(server),
            link,
            policy: server.policy_for(&visit.visitor, &visit.policy),
            actor: Arc::clone(&visit.visitor.actor),
            limits: visit.limits,
            to,
            // Without a session, what was asked on another stream is not known on this one.
            knows_requests: waiting.is_some() || session_of(&visit.headers).is_some(),
            waiting,
        };
        let requester = self.requester(&visit).clone();
        let telling = session_of(&visit.headers)
            .map(|_| self.outgoing(&visit, Method::POST, Bytes::new(), false).into_parts().0);
        server.host.group.spawn("stream of an MCP server", async move {
            let unheard = relay.run(response.into_body()).await;
            if let (Some(id), Some(parts)) = (unheard, telling) {
                let request = Request::from_parts(parts, answer::cancelled(&id, "it took too long"));
                let _best_effort = tokio::time::timeout(CONNECT, requester.send(request)).await;
            }
        });
        let mut response = Response::new(Body::events(events, hold));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform"));
        response
    }

    /// An answer in one piece, or none.
    async fn whole(
        &self,
        server: &Arc<Server>,
        mut visit: Visit,
        (head, body): (Head, Incoming),
        awaited: Awaited,
        until: Instant,
    ) -> Response<Body> {
        let mut memory = server.desk.parts.memory.share();
        let collected = tokio::time::timeout_at(until, collect(body, visit.limits, &mut memory)).await;
        let text = match collected {
            Ok(Ok(text)) => text,
            Ok(Err(reason)) => {
                return in_json(StatusCode::OK, awaited.away("the server's answer can't be read", &reason));
            }
            Err(_elapsed) => {
                let id = awaited.id.clone();
                let told = awaited.timed_out();
                self.cancel(server, &visit, &id).await;
                return in_json(StatusCode::OK, told);
            }
        };
        let message = if head.is_json { Message::of_server(text).ok() } else { None };
        let Some(message) = message.filter(|message| matches!(message.kind, Kind::Answer { .. })) else {
            // By its status a client learns that its session is over.
            let status = if head.status == StatusCode::NOT_FOUND { head.status } else { StatusCode::OK };
            return in_json(status, awaited.away(&words(server, head.status), &head.status));
        };
        let told = Frame::new(awaited.answered(message).await, Some(memory));
        held_in_json(head.status, told, visit.hold.0.take())
    }

    /// A notification or an answer of the client.
    async fn tell(
        &self,
        server: &Arc<Server>,
        visit: &Visit,
        link: &Arc<Link>,
        message: &Message,
    ) -> Result<Response<Body>, Refusal> {
        if message.method() == Some(CancelledNotificationMethod::VALUE) {
            link.cancel(server, &message.value());
        }
        let (bytes, refused) = server.read(visit, message);
        let passed = match bytes {
            Some(bytes) => {
                let request = self.outgoing(visit, Method::POST, bytes, false);
                Some(self.pass(server, visit, request).await)
            }
            None => None,
        };
        match (refused, passed) {
            (None, Some(passed)) => passed,
            (Some(refused), _) => Err(refused),
            (None, None) => Ok(status_only(server, StatusCode::ACCEPTED)),
        }
    }

    /// The version of the protocol that a session speaks.
    pub(crate) fn version(&self, name: &str, caller: Option<KeyId>) -> Option<String> {
        self.sessions.version(name, caller)
    }

    /// The stream of what the server says by itself, or the rest of one that broke off.
    pub(crate) async fn listen(
        &self,
        server: &Arc<Server>,
        mut visit: Visit,
    ) -> Result<Response<Body>, Refusal> {
        let link = self.sessions.link(server, &visit)?;
        let Some(place) = link.listener() else {
            let message = "too many streams of this session are open; close one";
            return Err(no_answer(StatusCode::TOO_MANY_REQUESTS, answer::REFUSED, message));
        };
        visit.hold.0 = Some(Box::new((place, visit.hold.0.take())));
        let request = self.outgoing(&visit, Method::GET, Bytes::new(), false);
        let sent = tokio::time::timeout(server.timeout(), self.requester(&visit).send(request)).await;
        let response = sent.map_err(|_elapsed| unreachable(server, &"no answer in time"))?;
        let response = response.map_err(|error| unreachable(server, &error))?;
        let head = Head::of(&response);
        if head.status.is_success() && head.is_events {
            return Ok(self.stream(server, visit, response, link, None));
        }
        Ok(status_only(server, head.status))
    }

    /// The client ends its session.
    pub(crate) async fn end(&self, server: &Arc<Server>, visit: Visit) -> Result<Response<Body>, Refusal> {
        self.sessions.link(server, &visit)?;
        let request = self.outgoing(&visit, Method::DELETE, Bytes::new(), false);
        let ended = self.pass(server, &visit, request).await?;
        if ended.status().is_success() {
            self.sessions.forget(&visit);
        }
        Ok(ended)
    }

    pub(crate) fn tidy(&self, server: &Server) -> usize {
        self.sessions.tidy(server.desk.now())
    }

    /// Sends what wants no answer; of an answer goes on how it went, and an error that is told.
    async fn pass(
        &self,
        server: &Arc<Server>,
        visit: &Visit,
        request: Request<Bytes>,
    ) -> Result<Response<Body>, Refusal> {
        let exchange = async {
            let response =
                self.requester(visit).send(request).await.map_err(|error| unreachable(server, &error))?;
            let head = Head::of(&response);
            if head.status.is_success() || !head.is_json {
                return Ok(status_only(server, head.status));
            }
            let mut memory = server.desk.parts.memory.share();
            let text = collect(response.into_body(), visit.limits, &mut memory).await;
            let text = text.map_err(|reason| unreachable(server, &reason))?;
            let Ok(message) = Message::of_server(text) else { return Ok(status_only(server, head.status)) };
            let policy = server.policy_for(&visit.visitor, &visit.policy);
            let eyes = screen::Eyes {
                server,
                policy: &policy,
                actor: &visit.visitor.actor,
                whose: Whose { caller: visit.visitor.id, session: None },
            };
            Ok(in_json(head.status, eyes.said(&message)))
        };
        let passed = tokio::time::timeout(server.timeout(), exchange).await;
        passed.unwrap_or_else(|_elapsed| Err(unreachable(server, &"no answer in time")))
    }

    /// Tells the server that nobody waits any more, as far as it can be told.
    async fn cancel(&self, server: &Arc<Server>, visit: &Visit, id: &RequestId) {
        if session_of(&visit.headers).is_none() {
            return;
        }
        let request = self.outgoing(visit, Method::POST, answer::cancelled(id, "it took too long"), false);
        let sent = tokio::time::timeout(CONNECT, self.requester(visit).send(request)).await;
        if !matches!(sent, Ok(Ok(_))) {
            tracing::debug!(server = %server.name, "the server could not be told of a cancelled request");
        }
    }

    fn requester(&self, visit: &Visit) -> &Requester {
        self.requesters.get(visit.worker).unwrap_or(&self.spare)
    }

    fn outgoing(&self, visit: &Visit, method: Method, body: Bytes, is_changed: bool) -> Request<Bytes> {
        request::outgoing(&self.url, &self.headers, &visit.headers, (method, body), is_changed)
    }
}

/// Writes the request down.
fn enter(
    server: &Arc<Server>,
    link: &Arc<Link>,
    id: &RequestId,
    (what, limit): (What, Duration),
    asked: &crate::judge::Asked,
) -> Result<Awaited, Refusal> {
    let serial = server.next_serial();
    let entry = Entry {
        what,
        limit,
        policy: Arc::clone(&asked.policy),
        actor: Arc::clone(&asked.visitor.actor),
        whose: link.whose(),
        is_modern: asked.is_modern,
        reply: None,
        timer: None,
        generation: None,
        serial,
    };
    match link.book.enter(id.clone(), entry) {
        Ok(()) => Ok(Awaited::new(server, link, id, serial)),
        Err(entry) => {
            entry.give_up(&server.desk, &server.name, id, Unanswered::Unwanted(NOT_NEW));
            Err(no_answer(StatusCode::BAD_REQUEST, ErrorCode::INVALID_REQUEST, NOT_NEW))
        }
    }
}

/// A body within the limits.
async fn collect(mut body: Incoming, limits: MessageLimits, memory: &mut Share) -> Result<Bytes, String> {
    let mut whole = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(chunk) = frame.map_err(|error| error.to_string())?.into_data() else { continue };
        if whole.len() + chunk.len() > limits.message {
            return Err(format!("it has more than {} bytes", limits.message));
        }
        if !memory.take(chunk.len(), limits.buffer) {
            return Err("all buffered bytes are in use".to_owned());
        }
        whole.extend_from_slice(&chunk);
    }
    Ok(whole.into())
}

/// What is said of an answer that is none.
fn words(server: &Server, status: StatusCode) -> String {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            format!(
                "the server {} does not take our credentials; the operator sets mcp.servers.{}.headers",
                server.name, server.name
            )
        }
        _ => format!("the server {} answered {status}", server.name),
    }
}

/// How it went, without a body. Whether our credentials were taken is not for the client to mend.
fn status_only(server: &Server, status: StatusCode) -> Response<Body> {
    if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) || status.is_redirection() {
        return *no_answer(StatusCode::BAD_GATEWAY, answer::AWAY, words(server, status));
    }
    let mut response = Response::new(Body::full(""));
    *response.status_mut() = status;
    response
}

fn unreachable(server: &Server, reason: &dyn std::fmt::Display) -> Refusal {
    tracing::warn!(server = %server.name, %reason, "the MCP server can't be reached");
    no_answer(StatusCode::BAD_GATEWAY, answer::AWAY, format!("the server {} can't be reached", server.name))
}
