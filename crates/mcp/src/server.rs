//! One server, whatever is behind it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, Method, Response, StatusCode};
use rmcp::model::{ErrorCode, ProtocolVersion};
use seawall_checkpoint::tool::RunState;
use seawall_policy::Policy;
use tokio_util::sync::CancellationToken;

use crate::batch::{self, is_batch};
use crate::body::Frame;
use crate::desk::{Desk, Visitor};
use crate::judge::Asked;
use crate::local::Local;
use crate::message::{Kind, Message, MessageError};
use crate::metrics::Ended;
use crate::outward::Reader;
use crate::proxy::{Launch, ServerPlan, Visit};
use crate::remote::Remote;
use crate::tasks::Tasks;
use crate::{Body, Hold, Host, Place, ServerSettings, answer};

/// Headers of the protocol.
pub(crate) const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
pub(crate) const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const LAST_EVENT: HeaderName = HeaderName::from_static("last-event-id");

/// One server.
pub(crate) struct Server {
    pub(crate) name: Arc<str>,
    pub(crate) desk: Arc<Desk>,
    pub(crate) host: Arc<Host>,
    /// As it was configured, to tell whether it still is.
    pub(crate) settings: ServerSettings,
    /// For callers without one of their own.
    policy: ArcSwapOption<Policy>,
    back: Back,
    /// Calls whose results are yet to come.
    pub(crate) tasks: Tasks,
    serials: AtomicU64,
    /// It is not configured any more, or the proxy stops.
    pub(crate) closed: CancellationToken,
}

enum Back {
    Local(Box<Local>),
    Remote(Box<Remote>),
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Server {
    pub(crate) fn new(
        plan: ServerPlan,
        desk: &Arc<Desk>,
        host: &Arc<Host>,
        remote: &RemoteParts,
    ) -> Arc<Self> {
        let ServerPlan { name, settings, policy, launch } = plan;
        let back = match &settings.place {
            Place::Command { .. } => Back::Local(Box::new(Local::new(launch.unwrap_or_default()))),
            Place::Url { url, headers } => {
                Back::Remote(Box::new(Remote::new(url.clone(), headers.clone(), remote)))
            }
        };
        Arc::new(Self {
            name: name.into(),
            desk: Arc::clone(desk),
            host: Arc::clone(host),
            settings,
            policy: ArcSwapOption::new(policy),
            back,
            tasks: Tasks::default(),
            serials: AtomicU64::new(1),
            closed: host.closed.child_token(),
        })
    }

    /// Whether it is configured as it was.
    pub(crate) fn is_as(&self, plan: &ServerPlan) -> bool {
        let is_launched_so = match &self.back {
            Back::Local(local) => plan.launch.as_ref() == Some(local.launch()),
            Back::Remote(_) => true,
        };
        // Its policy is put into force without ending its sessions.
        let settings = ServerSettings { policy: self.settings.policy.clone(), ..plan.settings.clone() };
        self.settings == settings && is_launched_so
    }

    /// How its command is started, if it is one.
    pub(crate) fn launch(&self) -> Option<&Launch> {
        match &self.back {
            Back::Local(local) => Some(local.launch()),
            Back::Remote(_) => None,
        }
    }

    /// Puts another policy into force, for what comes from now on.
    pub(crate) fn set_policy(&self, policy: Option<Arc<Policy>>) {
        self.policy.store(policy);
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.settings.timeout
    }

    /// A number that no other entry of this server has.
    pub(crate) fn next_serial(&self) -> u64 {
        self.serials.fetch_add(1, Ordering::Relaxed)
    }

    /// Answers one request.
    pub(crate) async fn answer(self: &Arc<Self>, visit: Visit) -> Response<Body> {
        if let Some(name) = doubtful_header(&visit.headers) {
            let message = format!("the header {name} is there twice, or is no text; send it once");
            return *no_answer(StatusCode::BAD_REQUEST, ErrorCode::INVALID_REQUEST, message);
        }
        let is_batch = visit.method == Method::POST && is_batch(&visit.body) && self.takes_batches(&visit);
        let result = if is_batch { batch::answer(self, visit).await } else { self.answer_one(visit).await };
        result.unwrap_or_else(|refused| *refused)
    }

    /// Answers a request with one message, or with none.
    pub(crate) async fn answer_one(self: &Arc<Self>, visit: Visit) -> Result<Response<Body>, Refusal> {
        match (&self.back, &visit.method) {
            (Back::Local(local), &Method::POST) => local.post(self, visit).await,
            (Back::Local(local), &Method::GET) => local.listen(self, &visit),
            (Back::Local(local), &Method::DELETE) => local.end(self, &visit),
            (Back::Remote(remote), &Method::POST) => remote.post(self, visit).await,
            (Back::Remote(remote), &Method::GET) => remote.listen(self, visit).await,
            (Back::Remote(remote), &Method::DELETE) => remote.end(self, visit).await,
            _ => Err(no_answer(
                StatusCode::METHOD_NOT_ALLOWED,
                ErrorCode::INVALID_REQUEST,
                "take POST, GET or DELETE",
            )),
        }
    }

    /// Whether several messages may come at once. Who names no version, and has agreed on none that is known here, speaks
    /// the last one that had no header for it (2025-06-18, basic/transports).
    fn takes_batches(&self, visit: &Visit) -> bool {
        let agreed = || {
            let name = session_of(&visit.headers)?;
            match &self.back {
                Back::Local(local) => local.version(name, visit.visitor.id),
                Back::Remote(remote) => remote.version(name, visit.visitor.id),
            }
        };
        let named = visit.headers.get(VERSION).and_then(|value| value.to_str().ok()).map(str::to_owned);
        named.or_else(agreed).is_none_or(|version| version.as_str() < batch::GONE_SINCE)
    }

    /// Ends sessions that nobody uses any more.
    pub(crate) fn tidy(&self) {
        let open = match &self.back {
            Back::Local(local) => local.tidy(self),
            Back::Remote(remote) => remote.tidy(self),
        };
        let open = i64::try_from(open).unwrap_or(i64::MAX);
        self.desk.metrics().sessions.with_label_values(&[&*self.name]).set(open);
        for _late in 0..self.tasks.tidy(self.desk.now()) {
            self.desk.metrics().called(&self.name, Ended::TimedOut);
        }
    }

    /// Lets streams end on which no answer is awaited.
    pub(crate) fn drain(&self) {
        if let Back::Local(local) = &self.back {
            local.drain();
        }
    }

    /// Ends all sessions.
    pub(crate) fn close(&self) {
        self.closed.cancel();
        self.tasks.close();
        if let Back::Local(local) = &self.back {
            local.close();
        }
    }

    /// A request of this visitor, for the checkpoint.
    pub(crate) fn asked(&self, visit: &Visit, state: &Arc<RunState>) -> Asked {
        Asked {
            server: Arc::clone(&self.name),
            policy: self.policy_for(&visit.visitor, &visit.policy),
            visitor: visit.visitor.clone(),
            state: Arc::clone(state),
            shares_root: matches!(&self.settings.place, Place::Command { sandbox: Some(_), .. }),
            is_modern: is_modern(&visit.headers),
        }
    }

    /// A notification or an answer of a client as the program or server gets it. Whoever waits for an answer that must not go
    /// on gets an error in its place; the client is told.
    pub(crate) fn read(&self, visit: &Visit, message: &Message) -> (Option<Bytes>, Option<Refusal>) {
        let policy = self.policy_for(&visit.visitor, &visit.policy);
        let reader =
            Reader { desk: &self.desk, server: &self.name, policy: &policy, actor: &visit.visitor.actor };
        match (reader.read(message), &message.kind) {
            (Ok((bytes, _)), _) => (Some(bytes), None),
            (Err(denial), kind) => {
                let refusal = in_json(StatusCode::FORBIDDEN, answer::denied(None, &denial));
                let instead = match kind {
                    Kind::Answer { id: Some(id), .. } => Some(answer::denied(Some(id.clone()), &denial)),
                    Kind::Answer { id: None, .. } | Kind::Notification { .. } | Kind::Request { .. } => None,
                };
                (instead, Some(Box::new(refusal)))
            }
        }
    }

    /// The caller's own policy, else the server's, else the configured one.
    pub(crate) fn policy_for(&self, visitor: &Visitor, configured: &Arc<Policy>) -> Arc<Policy> {
        let own = visitor.policy.clone().or_else(|| self.policy.load_full());
        own.unwrap_or_else(|| Arc::clone(configured))
    }
}

/// What requests to other servers are sent with.
#[derive(Debug, Clone)]
pub struct RemoteParts {
    /// How TLS is spoken.
    pub tls: rustls::ClientConfig,
    /// How many threads send requests, each with connections of its own.
    pub workers: usize,
}

/// An answer in the place of another; boxed, since it is rare and large.
pub(crate) type Refusal = Box<Response<Body>>;

/// Whether a header belongs to the protocol, also to a version that is yet to come: these go on to a server, and no others.
pub(crate) fn is_of_protocol(name: &HeaderName) -> bool {
    name.as_str().starts_with("mcp-") || *name == LAST_EVENT
}

/// A header of the protocol that two readers could read differently: one that is there twice, of which some take the first
/// and others the last, or one that is no text. A session that we look up must be the one that the server finds.
fn doubtful_header(headers: &HeaderMap) -> Option<&HeaderName> {
    headers.keys().filter(|name| is_of_protocol(name)).find(|name| {
        let mut values = headers.get_all(*name).iter();
        values.next().is_some_and(|value| value.to_str().is_err()) || values.next().is_some()
    })
}

/// The session that a request names.
pub(crate) fn session_of(headers: &HeaderMap) -> Option<&str> {
    headers.get(SESSION)?.to_str().ok()
}

/// Whether the client reads protocol versions that have no handshake and name a result's type.
pub(crate) fn is_modern(headers: &HeaderMap) -> bool {
    let version = headers.get(VERSION).and_then(|value| value.to_str().ok());
    // Versions are dates, so that they are in order as texts.
    version.is_some_and(|version| version >= ProtocolVersion::NO_INITIALIZE.as_str())
}

/// A message in JSON.
pub(crate) fn in_json(status: StatusCode, message: bytes::Bytes) -> Response<Body> {
    held_in_json(status, Frame::new(message, None), None)
}

/// A message in JSON, with what is kept until it is written: a client may read as slowly as it likes.
pub(crate) fn held_in_json(status: StatusCode, message: Frame, hold: Option<Hold>) -> Response<Body> {
    let mut response = Response::new(Body::held(message, hold));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    response
}

/// An answer to what is no request, or to a request that can't be told which.
pub(crate) fn no_answer(status: StatusCode, code: ErrorCode, message: impl Into<String>) -> Refusal {
    Box::new(in_json(status, answer::error(None, code, message, None)))
}

/// The client's message can't be passed on.
pub(crate) fn unreadable(error: &MessageError) -> Refusal {
    let code = match error {
        MessageError::NotJson(_) => ErrorCode::PARSE_ERROR,
        MessageError::Batch
        | MessageError::NotRpc(_)
        | MessageError::NoNotification
        | MessageError::Doubtful(_) => ErrorCode::INVALID_REQUEST,
    };
    no_answer(StatusCode::BAD_REQUEST, code, error.to_string())
}

/// By the protocol, this makes a client begin anew.
pub(crate) fn no_such_session() -> Refusal {
    no_answer(
        StatusCode::NOT_FOUND,
        ErrorCode::INVALID_REQUEST,
        "there is no such session; begin one with initialize",
    )
}

/// Whether the client takes events.
pub(crate) fn takes_events(headers: &HeaderMap) -> bool {
    let mut accepted = headers.get_all(http::header::ACCEPT).iter().peekable();
    accepted.peek().is_none()
        || accepted.any(|value| {
            value.to_str().is_ok_and(|value| value.contains("text/event-stream") || value.contains("*/*"))
        })
}
