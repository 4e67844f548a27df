//! One session with a process, as its client sees it: requests, notifications, the stream that listens.
//!
//! Where messages go is the process's [`life`]; what it says is what [`hear`] passes on.

mod hear;
mod life;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};
use rmcp::model::{
    CancelledNotificationMethod, ConstString, ErrorCode, InitializedNotificationMethod, RequestId,
};
use seawall_checkpoint::tool::RunState;
use seawall_policy::Policy;
use seawall_types::{Actor, KeyId};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use self::life::Life;
use crate::body::{Frame, Frames, frames};
use crate::book::{Book, Entry, NOT_NEW, Reply, Timer, Unanswered, Version, What};
use crate::judge::{Judged, judge};
use crate::message::Message;
use crate::noted::Whose;
use crate::proxy::{MessageLimits, Visit};
use crate::server::{Refusal, Server, held_in_json, in_json, no_answer};
use crate::{Body, answer};

/// What the server says while nobody listens is kept, up to so many messages.
const MOST_KEPT: usize = 100;
/// And so many bytes: they are taken from those that all requests may buffer together.
const MOST_KEPT_BYTES: usize = 1 << 20;
/// The largest message of a handshake, in bytes.
const LARGEST_KEPT: usize = 64 * 1024;

/// One session.
#[derive(Debug)]
pub(crate) struct Session {
    /// Whose it is.
    pub(crate) owner: Option<KeyId>,
    server: Weak<Server>,
    state: Arc<RunState>,
    actor: Arc<Actor>,
    whose: Whose,
    version: Arc<Version>,
    /// That of the last message: what the server says by itself is looked at with it.
    policy: ArcSwap<Policy>,
    limits: MessageLimits,
    book: Book,
    life: tokio::sync::Mutex<Life>,
    listening: Mutex<Listening>,
    /// Monotonic milliseconds.
    last_used: AtomicU64,
    /// The process has answered something.
    has_spoken: AtomicBool,
    closed: CancellationToken,
}

/// Who hears what belongs to no request.
#[derive(Debug, Default)]
struct Listening {
    stream: Option<mpsc::Sender<Frame>>,
    kept: VecDeque<Frame>,
}

impl Listening {
    /// Keeps a message for whoever listens next, in the place of older ones where there are too many.
    fn keep(&mut self, frame: Frame) {
        let bytes = |kept: &VecDeque<Frame>| kept.iter().map(|frame| frame.bytes().len()).sum::<usize>();
        let room = MOST_KEPT_BYTES.checked_sub(frame.bytes().len());
        while self.kept.len() >= MOST_KEPT || room.is_none_or(|room| bytes(&self.kept) > room) {
            if self.kept.pop_front().is_none() {
                return;
            }
        }
        self.kept.push_back(frame);
    }
}

impl Session {
    pub(super) fn new(server: &Arc<Server>, visit: &Visit, state: Arc<RunState>, hello: Bytes) -> Arc<Self> {
        let now = server.desk.now();
        Arc::new(Self {
            owner: visit.visitor.id,
            server: Arc::downgrade(server),
            state,
            actor: Arc::clone(&visit.visitor.actor),
            whose: Whose { caller: visit.visitor.id, session: Some(server.next_serial()) },
            version: Arc::default(),
            policy: ArcSwap::new(server.policy_for(&visit.visitor, &visit.policy)),
            limits: visit.limits,
            book: Book::default(),
            life: tokio::sync::Mutex::new(Life::new(hello, now)),
            listening: Mutex::default(),
            last_used: AtomicU64::new(millis(now)),
            has_spoken: AtomicBool::new(false),
            closed: server.closed.child_token(),
        })
    }

    /// A request of the client.
    pub(super) async fn request(
        self: &Arc<Self>,
        server: &Arc<Server>,
        mut visit: Visit,
        id: &RequestId,
        message: &Message,
        takes_events: bool,
    ) -> Response<Body> {
        self.touch(server, &visit);
        let asked = server.asked(&visit, &self.state);
        let (bytes, what) = match judge(&server.desk, &asked, id, message).await {
            Judged::Answered(bytes) => return in_json(StatusCode::OK, bytes),
            Judged::Passes { bytes, what, .. } => (bytes, what),
        };
        let (reply, mut answers) = Reply::channel(takes_events, progress_token(message));
        if let Err(Some(told)) = self.pass(server, &visit, id, (bytes, what), reply).await {
            return in_json(StatusCode::OK, told);
        }
        if takes_events {
            return events(answers, visit.hold.0.take());
        }
        match answers.recv().await {
            Some(frame) => held_in_json(StatusCode::OK, frame, visit.hold.0.take()),
            None => *no_answer(StatusCode::BAD_GATEWAY, answer::AWAY, "the request was cancelled"),
        }
    }

    /// Writes a request down and passes it on.
    ///
    /// # Errors
    /// When it did not reach the server: what its client is told, unless it was told already.
    pub(super) async fn pass(
        self: &Arc<Self>,
        server: &Arc<Server>,
        visit: &Visit,
        id: &RequestId,
        (bytes, what): (Bytes, What),
        reply: Reply,
    ) -> Result<(), Option<Bytes>> {
        let (serial, limit) = (server.next_serial(), what.limit(server.timeout()));
        let entry = Entry {
            what,
            limit,
            policy: self.policy.load_full(),
            actor: Arc::clone(&visit.visitor.actor),
            whose: self.whose,
            is_modern: false,
            reply: Some(reply),
            timer: None,
            generation: None,
            serial,
        };
        if let Err(entry) = self.book.enter(id.clone(), entry) {
            let reason = NOT_NEW;
            entry.give_up(&server.desk, &server.name, id, Unanswered::Unwanted(reason));
            return Err(Some(answer::error(Some(id.clone()), ErrorCode::INVALID_REQUEST, reason, None)));
        }
        let until = tokio::time::Instant::now() + limit;
        let mut undelivered = Undelivered { session: self, server, id, serial, is_over: false };
        let delivered = self.deliver(server, bytes, Some((id, serial))).await;
        undelivered.is_over = true;
        if let Err(reason) = delivered {
            let entry = self.book.give_up_same(id, serial);
            return Err(entry
                .and_then(|entry| entry.give_up(&server.desk, &server.name, id, Unanswered::Away(&reason))));
        }
        let (session, expired) = (Arc::downgrade(self), id.clone());
        let timer = server.host.handle.spawn(async move {
            tokio::time::sleep_until(until).await;
            if let Some(session) = session.upgrade() {
                session.expire(&expired, serial).await;
            }
        });
        self.book.set_timer(id, serial, Timer::new(timer.abort_handle()));
        Ok(())
    }

    /// A notification or an answer of the client.
    pub(super) async fn tell(
        self: &Arc<Self>,
        server: &Arc<Server>,
        visit: &Visit,
        message: &Message,
    ) -> Result<Response<Body>, Refusal> {
        self.touch(server, visit);
        match message.method() {
            Some(CancelledNotificationMethod::VALUE) => self.cancel(server, &message.value()),
            Some(InitializedNotificationMethod::VALUE) => {
                let ready = message.line();
                check_kept(&ready)?;
                self.life.lock().await.ready = Some(ready);
            }
            _ => {}
        }
        let (bytes, refused) = server.read(visit, message);
        if let Some(bytes) = bytes {
            self.deliver(server, bytes, None)
                .await
                .map_err(|reason| no_answer(StatusCode::BAD_GATEWAY, answer::AWAY, reason))?;
        }
        if let Some(refused) = refused {
            return Err(refused);
        }
        let mut response = Response::new(Body::full(""));
        *response.status_mut() = StatusCode::ACCEPTED;
        Ok(response)
    }

    /// The stream of what belongs to no request. It takes the place of an earlier one, whose client has come back.
    pub(super) fn listen(&self) -> Response<Body> {
        let (to, answers) = frames(MOST_KEPT);
        let mut listening = self.listening();
        for frame in listening.kept.drain(..) {
            // There is room for all that is kept.
            let _there_is_room = to.try_send(frame);
        }
        listening.stream = Some(to);
        drop(listening);
        events(answers, None)
    }

    pub(super) fn stop_listening(&self) {
        self.listening().stream = None;
    }

    /// Ends the session and its process. Whoever waits for an answer is told.
    pub(super) fn close(&self) {
        self.closed.cancel();
        self.stop_listening();
        if let Some(server) = self.server.upgrade() {
            self.give_up_all(&server, None, "the session has ended");
        }
    }

    /// Whether somebody waits for it.
    pub(super) fn is_used(&self) -> bool {
        let listens = self.listening().stream.as_ref().is_some_and(|stream| !stream.is_closed());
        listens || !self.book.is_empty()
    }

    /// What its client and the server have agreed on.
    pub(super) fn version(&self) -> Arc<Version> {
        Arc::clone(&self.version)
    }

    pub(super) fn last_used(&self) -> u64 {
        self.last_used.load(Ordering::Relaxed)
    }

    pub(super) fn idle_since(&self, now: Duration) -> Duration {
        Duration::from_millis(millis(now).saturating_sub(self.last_used()))
    }

    fn touch(&self, server: &Server, visit: &Visit) {
        self.last_used.store(millis(server.desk.now()), Ordering::Relaxed);
        self.policy.store(server.policy_for(&visit.visitor, &visit.policy));
    }

    /// The client wants no answer any more. The server is told by the same message, which goes on.
    fn cancel(&self, server: &Server, parameters: &Value) {
        let id = parameters.get("requestId").cloned().and_then(|id| serde_json::from_value(id).ok());
        let Some(id): Option<RequestId> = id else { return };
        if let Some(entry) = self.book.give_up(&id) {
            entry.give_up(&server.desk, &server.name, &id, Unanswered::Unwanted("cancelled by its client"));
        }
    }

    /// A request has had its time.
    async fn expire(self: &Arc<Self>, id: &RequestId, serial: u64) {
        let Some(server) = self.server.upgrade() else { return };
        let Some(mut entry) = self.book.give_up_same(id, serial) else { return };
        // This is the timer's own task, which would end with it.
        entry.timer.take().into_iter().for_each(Timer::let_go);
        let reply = entry.reply.clone();
        let told = entry.give_up(&server.desk, &server.name, id, Unanswered::TimedOut);
        if let (Some(told), Some(reply)) = (told, reply) {
            reply.send(told, None).await;
        }
        if let Some(to) = self.life.lock().await.to.clone() {
            let _gone = to.try_send(Frame::new(answer::cancelled(id, "it took too long"), None));
        }
    }

    pub(super) fn closed(&self) -> &CancellationToken {
        &self.closed
    }

    pub(super) fn limits(&self) -> MessageLimits {
        self.limits
    }

    fn listening(&self) -> MutexGuard<'_, Listening> {
        // A list that grows or shrinks is never half-done.
        self.listening.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that is written down and on its way to the process. Dropping it is how its client hangs up.
struct Undelivered<'a> {
    session: &'a Session,
    server: &'a Server,
    id: &'a RequestId,
    serial: u64,
    is_over: bool,
}

impl Drop for Undelivered<'_> {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        let Self { session, server, id, serial, .. } = self;
        if let Some(entry) = session.book.give_up_same(id, *serial) {
            entry.give_up(&server.desk, &server.name, id, Unanswered::Unwanted("its client hung up"));
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.closed.cancel();
    }
}

/// The messages of a handshake are kept for as long as the session, for a process that takes another's place.
pub(super) fn check_kept(message: &[u8]) -> Result<(), Refusal> {
    if message.len() <= LARGEST_KEPT {
        return Ok(());
    }
    let message = format!("a message of the handshake has more than {LARGEST_KEPT} bytes");
    Err(no_answer(StatusCode::PAYLOAD_TOO_LARGE, ErrorCode::INVALID_REQUEST, message))
}

fn events(answers: Frames, hold: Option<crate::Hold>) -> Response<Body> {
    let mut response = Response::new(Body::events(answers, hold));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform"));
    response
}

/// What the client knows progress of this request by.
fn progress_token(message: &Message) -> Option<Value> {
    message.value().pointer("/_meta/progressToken").cloned()
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
