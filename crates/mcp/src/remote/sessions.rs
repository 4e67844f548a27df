//! Sessions of servers elsewhere: the servers give them their names, and we remember whose they are.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use http::{HeaderValue, StatusCode};
use rmcp::model::{ErrorCode, RequestId};
use seawall_checkpoint::tool::RunState;
use seawall_types::KeyId;
use serde_json::Value;

use crate::book::{Book, Unanswered, Version};
use crate::desk::Visitor;
use crate::noted::Whose;
use crate::proxy::Visit;
use crate::server::{Refusal, Server, no_answer, no_such_session, session_of};

/// So many are remembered for one server; past that, the one is forgotten that was not used for the longest time.
const MOST: usize = 10_000;
/// So many streams may listen in one session.
const MOST_LISTENERS: usize = 16;
/// The longest name of a session.
const LONGEST_NAME: usize = 1_024;
/// After so long without a message a session is forgotten. Its client begins another one then.
const IDLE: Duration = Duration::from_secs(86_400);

/// A session, or one request where the server has none.
#[derive(Debug)]
pub(super) struct Link {
    owner: Option<KeyId>,
    pub(super) state: Arc<RunState>,
    pub(super) book: Book,
    version: Arc<Version>,
    /// One for each stream that listens, beside its own.
    listeners: Arc<()>,
    /// Its number, once its server has given it a name.
    number: OnceLock<u64>,
    /// Monotonic seconds.
    last_used: AtomicU64,
}

impl Link {
    fn of(visitor: &Visitor, state: Arc<RunState>, server: &Server) -> Arc<Self> {
        Arc::new(Self {
            owner: visitor.id,
            state,
            book: Book::default(),
            version: Arc::default(),
            listeners: Arc::default(),
            number: OnceLock::new(),
            last_used: AtomicU64::new(server.desk.now().as_secs()),
        })
    }

    /// What its client and the server have agreed on.
    pub(super) fn version(&self) -> Arc<Version> {
        Arc::clone(&self.version)
    }

    /// A place for a stream that listens, given back when it is dropped; `None` where all are taken.
    pub(super) fn listener(&self) -> Option<Arc<()>> {
        let place = Arc::clone(&self.listeners);
        // One is the session's own, and one this.
        (Arc::strong_count(&place) - 2 < MOST_LISTENERS).then_some(place)
    }

    /// To whom what is said on it is told.
    pub(super) fn whose(&self) -> Whose {
        Whose { caller: self.owner, session: self.number.get().copied() }
    }

    /// The client wants no answer any more. The server is told by the same message, which goes on.
    pub(super) fn cancel(&self, server: &Server, parameters: &Value) {
        let id = parameters.get("requestId").cloned().and_then(|id| serde_json::from_value(id).ok());
        let Some(id): Option<RequestId> = id else { return };
        if let Some(entry) = self.book.give_up(&id) {
            entry.give_up(&server.desk, &server.name, &id, Unanswered::Unwanted("cancelled by its client"));
        }
    }
}

/// The sessions of one server, by name.
#[derive(Debug, Default)]
pub(super) struct Sessions(Mutex<HashMap<String, Arc<Link>>>);

impl Sessions {
    /// What may become a session: its server has yet to give it a name.
    pub(super) fn begin(server: &Server, visit: &Visit) -> Arc<Link> {
        Link::of(&visit.visitor, server.desk.state_of(&visit.visitor), server)
    }

    /// The session that a request names, for whoever began it and nobody else; a new one where it names none.
    ///
    /// # Errors
    /// There is no such session.
    pub(super) fn link(&self, server: &Server, visit: &Visit) -> Result<Arc<Link>, Refusal> {
        let Some(name) = session_of(&visit.headers) else {
            let state = server.desk.state_without_session(&visit.visitor);
            return Ok(Link::of(&visit.visitor, state, server));
        };
        let sessions = self.lock();
        let link = sessions.get(name).filter(|link| link.owner == visit.visitor.id);
        let link = link.ok_or_else(no_such_session)?;
        link.last_used.store(server.desk.now().as_secs(), Ordering::Relaxed);
        Ok(Arc::clone(link))
    }

    /// The version of the protocol that a session speaks.
    pub(super) fn version(&self, name: &str, caller: Option<KeyId>) -> Option<String> {
        let sessions = self.lock();
        sessions.get(name).filter(|link| link.owner == caller)?.version.get().cloned()
    }

    /// Remembers a session that the server has just given a name.
    ///
    /// # Errors
    /// When the name is somebody else's already, or none that could be remembered.
    pub(super) fn keep(
        &self,
        server: &Server,
        link: &Arc<Link>,
        name: Option<&HeaderValue>,
    ) -> Result<(), Refusal> {
        let Some(name) = name else { return Ok(()) };
        let refused = |said: &str| {
            let message = format!("the server {} gave its session {said}", server.name);
            no_answer(StatusCode::BAD_GATEWAY, ErrorCode::INTERNAL_ERROR, message)
        };
        let name = name.to_str().ok().filter(|name| name.len() <= LONGEST_NAME);
        let name = name.ok_or_else(|| refused("a name that can't be one"))?;
        let mut sessions = self.lock();
        if sessions.get(name).is_some_and(|known| known.owner != link.owner) {
            return Err(refused("the name of somebody else's"));
        }
        if sessions.len() >= MOST {
            let oldest = sessions.iter().min_by_key(|(_, link)| link.last_used.load(Ordering::Relaxed));
            if let Some(oldest) = oldest.map(|(name, _)| name.clone()) {
                sessions.remove(&oldest);
            }
        }
        link.number.get_or_init(|| server.next_serial());
        sessions.insert(name.to_owned(), Arc::clone(link));
        Ok(())
    }

    /// The server knows it no more.
    pub(super) fn forget(&self, visit: &Visit) {
        if let Some(name) = session_of(&visit.headers) {
            self.lock().remove(name);
        }
    }

    /// Forgets those that nobody uses; gives how many are left.
    pub(super) fn tidy(&self, now: Duration) -> usize {
        let mut sessions = self.lock();
        let is_used = |link: &Link| {
            now.as_secs().saturating_sub(link.last_used.load(Ordering::Relaxed)) < IDLE.as_secs()
        };
        sessions.retain(|_, link| is_used(link));
        sessions.len()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Link>>> {
        // A map is never half-changed by what is done here.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
