//! Servers that we start: a process for each session of a client.
//!
//! Over standard streams a server has one client, who is told apart by nothing: what it asks of its client, what it tells it
//! and what it remembers of it belong to that one. So every session has a process of its own, and two clients never meet in
//! one.

mod lines;
mod process;
mod session;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::{HeaderValue, Response, StatusCode};
use rmcp::model::{ConstString, ErrorCode, InitializeResultMethod, ProtocolVersion, RequestId};
use seawall_types::KeyId;
use serde_json::json;

use self::session::{Session, check_kept};
use crate::book::{Reply, What};
use crate::message::{Kind, Message};
use crate::proxy::{Launch, Visit};
use crate::server::{
    Refusal, SESSION, Server, VERSION, in_json, is_modern, no_answer, no_such_session, session_of,
    takes_events, unreadable,
};
use crate::{Body, answer};

/// So many sessions, and processes, one server may have.
const MOST_SESSIONS: usize = 100;
/// After so long without a message, and without a stream that is open, a session ends.
const IDLE: Duration = Duration::from_secs(1_800);

/// A server that we start.
#[derive(Debug)]
pub(crate) struct Local {
    launch: Launch,
    sessions: Mutex<HashMap<String, Arc<Session>>>,
    /// Sessions that have begun and are not among the others yet.
    opening: Arc<()>,
}

impl Local {
    pub(crate) fn new(launch: Launch) -> Self {
        Self { launch, sessions: Mutex::default(), opening: Arc::default() }
    }

    pub(crate) fn launch(&self) -> &Launch {
        &self.launch
    }

    /// A message of a client.
    pub(crate) async fn post(&self, server: &Arc<Server>, visit: Visit) -> Result<Response<Body>, Refusal> {
        let message = Message::of_client(visit.body.clone()).map_err(|error| unreadable(&error))?;
        let Some(name) = session_of(&visit.headers) else {
            return match &message.kind {
                Kind::Request { id, method } if method == InitializeResultMethod::VALUE => {
                    self.open(server, &visit, id, &message).await
                }
                Kind::Request { id, .. } if is_modern(&visit.headers) => {
                    Err(Box::new(only_with_handshake(id)))
                }
                Kind::Request { .. } | Kind::Notification { .. } | Kind::Answer { .. } => Err(no_answer(
                    StatusCode::BAD_REQUEST,
                    ErrorCode::INVALID_REQUEST,
                    "begin a session with initialize, and send its mcp-session-id",
                )),
            };
        };
        check_version(&visit)?;
        let session = self.find(name, visit.visitor.id).ok_or_else(no_such_session)?;
        match &message.kind {
            Kind::Request { method, .. } if method == InitializeResultMethod::VALUE => Err(no_answer(
                StatusCode::BAD_REQUEST,
                ErrorCode::INVALID_REQUEST,
                "the session is initialized already",
            )),
            Kind::Request { id, .. } => {
                let events = takes_events(&visit.headers);
                Ok(session.request(server, visit, id, &message, events).await)
            }
            Kind::Notification { .. } | Kind::Answer { .. } => session.tell(server, &visit, &message).await,
        }
    }

    /// Begins a session: its process is started, and its answer to `initialize` decides whether there is one.
    async fn open(
        &self,
        server: &Arc<Server>,
        visit: &Visit,
        id: &RequestId,
        message: &Message,
    ) -> Result<Response<Body>, Refusal> {
        check_kept(visit.body.as_ref())?;
        let _until_it_is_open = self.make_room()?;
        let name = new_name()?;
        let state = server.desk.state_of(&visit.visitor);
        let session = Session::new(server, visit, state, message.line());
        let (reply, mut answers) = Reply::channel(false, None);
        let greeted =
            session.pass(server, visit, id, (message.line(), What::Hello(session.version())), reply).await;
        let answered = match greeted {
            Ok(()) => answers.recv().await.map(crate::body::Frame::into_bytes),
            Err(told) => told,
        };
        let Some(answered) = answered else {
            return Err(no_answer(StatusCode::BAD_GATEWAY, answer::AWAY, "the server gave no answer"));
        };
        let mut response = in_json(StatusCode::OK, answered.clone());
        let is_good = Message::of_server(answered)
            .is_ok_and(|message| matches!(message.kind, Kind::Answer { is_error: false, .. }));
        if !is_good {
            session.close();
            return Ok(response);
        }
        if let Ok(value) = HeaderValue::from_str(&name) {
            response.headers_mut().insert(SESSION, value);
        }
        if server.closed.is_cancelled() {
            session.close();
            return Err(no_such_session());
        }
        self.sessions().insert(name, session);
        Ok(response)
    }

    /// The version of the protocol that a session speaks.
    pub(crate) fn version(&self, name: &str, caller: Option<KeyId>) -> Option<String> {
        self.find(name, caller)?.version().get().cloned()
    }

    /// The stream of what the server says by itself.
    pub(crate) fn listen(&self, _server: &Arc<Server>, visit: &Visit) -> Result<Response<Body>, Refusal> {
        check_version(visit)?;
        let name = session_of(&visit.headers).ok_or_else(no_such_session)?;
        let session = self.find(name, visit.visitor.id).ok_or_else(no_such_session)?;
        if !takes_events(&visit.headers) {
            let message = "this is a stream of events; accept text/event-stream";
            return Err(no_answer(StatusCode::NOT_ACCEPTABLE, ErrorCode::INVALID_REQUEST, message));
        }
        Ok(session.listen())
    }

    /// The client ends its session.
    pub(crate) fn end(&self, _server: &Arc<Server>, visit: &Visit) -> Result<Response<Body>, Refusal> {
        let name = session_of(&visit.headers).ok_or_else(no_such_session)?;
        self.find(name, visit.visitor.id).ok_or_else(no_such_session)?;
        if let Some(session) = self.sessions().remove(name) {
            session.close();
        }
        let mut response = Response::new(Body::full(""));
        *response.status_mut() = StatusCode::NO_CONTENT;
        Ok(response)
    }

    /// Ends sessions that nobody uses; gives how many are left.
    pub(crate) fn tidy(&self, server: &Server) -> usize {
        let now = server.desk.now();
        let mut ended = Vec::new();
        let mut sessions = self.sessions();
        sessions.retain(|_, session| {
            let stays = session.is_used() || session.idle_since(now) < IDLE;
            if !stays {
                ended.push(Arc::clone(session));
            }
            stays
        });
        let left = sessions.len();
        drop(sessions);
        ended.iter().for_each(|session| session.close());
        left
    }

    pub(crate) fn drain(&self) {
        self.sessions().values().for_each(|session| session.stop_listening());
    }

    pub(crate) fn close(&self) {
        let sessions = std::mem::take(&mut *self.sessions());
        sessions.values().for_each(|session| session.close());
    }

    /// Room for one session more. Where all places are taken, the one goes that was not used for the longest time.
    fn make_room(&self) -> Result<Arc<()>, Refusal> {
        let mut sessions = self.sessions();
        let place = Arc::clone(&self.opening);
        // One is the list's own, and one ours.
        if sessions.len() + Arc::strong_count(&self.opening) - 2 < MOST_SESSIONS {
            return Ok(place);
        }
        let unused = sessions.iter().filter(|(_, session)| !session.is_used());
        let oldest = unused.min_by_key(|(_, session)| session.last_used()).map(|(name, _)| name.clone());
        let ended = oldest.and_then(|name| sessions.remove(&name));
        drop(sessions);
        let Some(ended) = ended else {
            let message = format!("all {MOST_SESSIONS} sessions of this server are in use; try again later");
            return Err(no_answer(StatusCode::SERVICE_UNAVAILABLE, answer::AWAY, message));
        };
        ended.close();
        Ok(place)
    }

    /// The session of this name, for whoever began it and nobody else.
    fn find(&self, name: &str, caller: Option<KeyId>) -> Option<Arc<Session>> {
        self.sessions().get(name).filter(|session| session.owner == caller).cloned()
    }

    fn sessions(&self) -> MutexGuard<'_, HashMap<String, Arc<Session>>> {
        // A map is never half-changed by what is done here.
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sixteen random bytes, as text: whoever knows them is not let in by that alone, and nobody guesses them.
fn new_name() -> Result<String, Refusal> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| {
        tracing::error!(%error, "no randomness from the kernel");
        no_answer(StatusCode::SERVICE_UNAVAILABLE, ErrorCode::INTERNAL_ERROR, "no session can be made")
    })?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// A version that nobody knows is refused, as the protocol wants it. Without one, the handshake has settled it.
fn check_version(visit: &Visit) -> Result<(), Refusal> {
    let Some(version) = visit.headers.get(VERSION) else { return Ok(()) };
    let is_known = version
        .to_str()
        .is_ok_and(|version| ProtocolVersion::KNOWN_VERSIONS.iter().any(|known| known.as_str() == version));
    if is_known && !is_modern(&visit.headers) {
        return Ok(());
    }
    let message = format!("the protocol version is not known here; take one of {}", handshakes().join(", "));
    Err(no_answer(StatusCode::BAD_REQUEST, ErrorCode::INVALID_REQUEST, message))
}

/// The versions that begin with a handshake.
fn handshakes() -> Vec<&'static str> {
    let known = ProtocolVersion::KNOWN_VERSIONS.iter().map(ProtocolVersion::as_str);
    known.filter(|version| *version < ProtocolVersion::NO_INITIALIZE.as_str()).collect()
}

/// What clients of later versions are told, who then fall back to the handshake.
fn only_with_handshake(id: &RequestId) -> Response<Body> {
    let message = "programs that are started here are spoken to in versions that begin with a handshake";
    let data = json!({ "supported": handshakes(), "requested": ProtocolVersion::NO_INITIALIZE.as_str() });
    let code = ErrorCode::UNSUPPORTED_PROTOCOL_VERSION;
    in_json(StatusCode::BAD_REQUEST, answer::error(Some(id.clone()), code, message, Some(data)))
}
