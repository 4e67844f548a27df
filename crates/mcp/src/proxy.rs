//! All servers, and the way in.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::{HeaderMap, Method, Response, StatusCode};
use rmcp::model::ErrorCode;
use seawall_policy::Policy;
use seawall_sandbox::Confinement;

use crate::desk::{Desk, Parts, Visitor};
use crate::server::{RemoteParts, Server, no_answer};
use crate::{Body, Hold, Host, ServerSettings};

/// How often sessions are looked for that nobody uses.
const TIDY: Duration = Duration::from_secs(5);

/// A server that is to be reached, with what the binary had to find out for it.
#[derive(Debug, Clone)]
pub struct ServerPlan {
    /// Its name.
    pub name: String,
    /// As it is configured.
    pub settings: ServerSettings,
    /// The policy that it names, loaded.
    pub policy: Option<Arc<Policy>>,
    /// How its command is started.
    pub launch: Option<Launch>,
}

/// How a command is started.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Launch {
    /// What it may touch; `None`: whatever this process may, in this process's folder.
    pub confinement: Option<Confinement>,
    /// Variables of this process that every command gets.
    pub inherited: Vec<(String, String)>,
}

/// One request, after its caller is known and its body has been read.
#[derive(Debug)]
pub struct Visit {
    /// The server's name.
    pub server: String,
    /// The thread that it came in on.
    pub worker: usize,
    /// POST, GET or DELETE.
    pub method: Method,
    /// Its headers. Only those of the protocol go on.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
    /// Who makes it.
    pub visitor: Visitor,
    /// The configured policy, for callers and servers without one.
    pub policy: Arc<Policy>,
    /// Sizes.
    pub limits: MessageLimits,
    /// What is kept for as long as its answer goes on.
    pub hold: Held,
}

impl Visit {
    /// The same with another body, and with something else to keep.
    pub(crate) fn with(&self, body: Bytes, hold: Held) -> Self {
        Self {
            server: self.server.clone(),
            worker: self.worker,
            method: self.method.clone(),
            headers: self.headers.clone(),
            body,
            visitor: self.visitor.clone(),
            policy: Arc::clone(&self.policy),
            limits: self.limits,
            hold,
        }
    }
}

/// What is kept until an answer has ended.
#[derive(Default)]
pub struct Held(pub Option<Hold>);

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Held")
    }
}

/// How large messages may be. Bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageLimits {
    /// One message of a server.
    pub message: usize,
    /// All that is buffered, of all requests.
    pub buffer: usize,
}

/// All servers.
pub struct Proxy {
    desk: Arc<Desk>,
    host: Arc<Host>,
    remote: RemoteParts,
    servers: ArcSwap<BTreeMap<String, Arc<Server>>>,
    draining: AtomicBool,
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy").field("servers", &self.servers.load()).finish_non_exhaustive()
    }
}

impl Proxy {
    /// A proxy for these servers. None of them is started or called before somebody asks for it.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(parts: Parts, remote: RemoteParts, plans: Vec<ServerPlan>) -> io::Result<Arc<Self>> {
        let host = Arc::new(Host::start()?);
        let proxy = Arc::new(Self {
            desk: Arc::new(Desk::new(parts)),
            host,
            remote,
            servers: ArcSwap::default(),
            draining: AtomicBool::new(false),
        });
        proxy.configure(plans);
        let tidied = Arc::downgrade(&proxy);
        let closed = proxy.host.closed.clone();
        proxy.host.spawn("tidying", async move {
            let mut tick = tokio::time::interval(TIDY);
            loop {
                tokio::select! {
                    () = closed.cancelled() => return,
                    _ = tick.tick() => {}
                }
                let Some(proxy) = tidied.upgrade() else { return };
                proxy.servers.load().values().for_each(|server| server.tidy());
            }
        });
        Ok(proxy)
    }

    /// Puts other servers into force. Those that stay as they were keep their sessions, also under another policy.
    pub fn configure(&self, plans: Vec<ServerPlan>) {
        let old = self.servers.load_full();
        let mut servers = BTreeMap::new();
        for plan in plans {
            let known = old.get(&plan.name).filter(|server| server.is_as(&plan));
            let server = match known {
                Some(server) => {
                    server.set_policy(plan.policy.clone());
                    Arc::clone(server)
                }
                None => Server::new(plan.clone(), &self.desk, &self.host, &self.remote),
            };
            servers.insert(plan.name, server);
        }
        let servers = Arc::new(servers);
        self.servers.store(Arc::clone(&servers));
        for (name, server) in old.iter() {
            if !servers.get(name).is_some_and(|kept| Arc::ptr_eq(kept, server)) {
                server.close();
            }
        }
    }

    /// Whether there is a server of this name.
    #[must_use]
    pub fn has(&self, server: &str) -> bool {
        self.servers.load().contains_key(server)
    }

    /// How long a server may take to answer, where there is one of this name.
    #[must_use]
    pub fn timeout(&self, server: &str) -> Option<Duration> {
        self.servers.load().get(server).map(|server| server.timeout())
    }

    /// The names of all servers.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.servers.load().keys().cloned().collect()
    }

    /// Answers one request. Never fails: whatever goes wrong becomes an answer.
    pub async fn answer(&self, visit: Visit) -> Response<Body> {
        let server = self.servers.load().get(&visit.server).cloned();
        match server {
            Some(server) => server.answer(visit).await,
            None => *no_answer(StatusCode::NOT_FOUND, ErrorCode::INVALID_REQUEST, "there is no such server"),
        }
    }

    /// Lets streams end on which nobody awaits an answer, so that a server that stops need not wait for them.
    pub fn drain(&self) {
        if !self.draining.swap(true, Ordering::SeqCst) {
            self.desk.draining.cancel();
            self.servers.load().values().for_each(|server| server.drain());
        }
    }

    /// Ends every session and every process, and waits for that.
    pub fn stop(&self) {
        self.drain();
        self.servers.load().values().for_each(|server| server.close());
        self.host.stop();
    }
}
