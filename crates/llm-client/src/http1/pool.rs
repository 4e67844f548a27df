//! Connections to one upstream, kept for the next request.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use http::uri::Uri;
use http::{HeaderValue, Request, Response};
use hyper_util::client::legacy::connect::HttpConnector;
use tokio::runtime::Handle;
use tokio::time::Instant;
use tower_service::Service;

use super::body::Http1Body;
use super::connection::Connection;
use super::exchange::{Exchange, Outgoing};
use super::{Http1Error, head};
use crate::client::{IDLE_CONNECTION, SendError, innermost, tcp};
use crate::connect::InTime;
use crate::dispatch::Dispatch;

/// Connections that wait, at most: more would hold sockets that no load needs.
const MAX_IDLE: usize = 1024;
/// How often connections that nobody has needed are looked for.
const SWEEP: Duration = Duration::from_secs(15);

/// The connections of one worker thread to one upstream: none ever moves between threads.
#[derive(Debug)]
pub(crate) struct Pool {
    connector: InTime<HttpConnector>,
    idle: Arc<Idle>,
}

/// Where a connection is given back to.
#[derive(Debug)]
pub(super) struct Home(Arc<Idle>);

/// Connections without a request, the one used last at the end.
#[derive(Default)]
struct Idle {
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    connections: Vec<(Connection, Instant)>,
    /// Somebody looks for those that have waited for too long.
    is_swept: bool,
}

impl Pool {
    pub(crate) fn new(connect_timeout: Duration) -> Self {
        Self { connector: InTime::new(tcp(connect_timeout), connect_timeout), idle: Arc::default() }
    }

    /// Sends a request and waits for the head of its answer. `address` says where, `target` what is asked for there;
    /// `dispatch` tells when the first byte has gone out. Dropping the future, or the body, closes the connection.
    /// Connections that turn out to be closed before that are passed over.
    pub(crate) async fn send(
        &self,
        address: &Uri,
        host: &HeaderValue,
        target: &str,
        request: Request<Bytes>,
        dispatch: &Dispatch,
    ) -> Result<Response<Http1Body>, SendError> {
        let (parts, body) = request.into_parts();
        let answered = loop {
            let kept = self.idle.take();
            let is_new = kept.is_none();
            let connection = match kept {
                Some(connection) => connection,
                None => self.connect(address).await?,
            };
            let head = head::write(&parts.method, target, host, &parts.headers, body.len());
            let outgoing = Outgoing::new(head, body.clone());
            match Exchange::new(connection, parts.method.clone(), outgoing, dispatch).run().await {
                Ok(answered) => break answered,
                Err(Http1Error::Unsent) if !is_new => {}
                Err(error) => return Err(SendError::Broken(error.to_string())),
            }
        };
        let head::Head { status, headers, framing, keeps_open } = answered.head;
        let home = keeps_open.then(|| Home(Arc::clone(&self.idle)));
        let body = Http1Body::new(answered.connection, framing, home, answered.unsent);
        let mut response = Response::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        Ok(response)
    }

    /// Closes what can't be used any more, as happens by itself from time to time.
    #[cfg(test)]
    pub(super) fn sweep(&self) {
        self.idle.sweep();
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.idle.kept.lock().unwrap_or_else(PoisonError::into_inner).connections.is_empty()
    }

    async fn connect(&self, address: &Uri) -> Result<Connection, SendError> {
        let connected = self.connector.clone().call(address.clone()).await;
        let stream = connected.map_err(|error| SendError::Connect(innermost(error.as_ref())))?;
        Ok(Connection::new(stream.into_inner()))
    }
}

impl Idle {
    /// The connection used last, if it still can carry a request.
    fn take(&self) -> Option<Connection> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some((connection, since)) = kept.connections.pop() {
            if since.elapsed() >= IDLE_CONNECTION {
                // All before it have waited longer.
                kept.connections.clear();
            } else if connection.is_quiet() {
                return Some(connection);
            }
        }
        None
    }

    /// Closes those that have waited for too long or were closed by the other side; whether any are left.
    fn sweep(&self) -> bool {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.connections
            .retain(|(connection, since)| since.elapsed() < IDLE_CONNECTION && connection.is_quiet());
        kept.is_swept = !kept.connections.is_empty();
        kept.is_swept
    }
}

impl Home {
    /// Takes a connection whose answer was read to its end.
    pub(super) fn take_back(self, connection: Connection) {
        if !connection.unread.is_empty() {
            // An answer that nobody asked for.
            return;
        }
        let mut kept = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.connections.len() >= MAX_IDLE {
            return;
        }
        if !kept.is_swept {
            // None while the thread is being taken down: then nobody needs a connection any more.
            let Ok(runtime) = Handle::try_current() else { return };
            runtime.spawn(sweep(Arc::downgrade(&self.0)));
            kept.is_swept = true;
        }
        kept.connections.push((connection, Instant::now()));
    }
}

async fn sweep(idle: Weak<Idle>) {
    loop {
        tokio::time::sleep(SWEEP).await;
        if !idle.upgrade().is_some_and(|idle| idle.sweep()) {
            return;
        }
    }
}

impl fmt::Debug for Idle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        f.debug_struct("Idle").field("connections", &kept.connections.len()).finish()
    }
}
