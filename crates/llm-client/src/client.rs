//! HTTP over TLS, as 1.1 or 2, and connections that are upgraded; and what can go wrong before an answer begins.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use crate::connect::InTime;
use crate::dispatch::{Dispatch, WatchedBody};

/// How long an idle connection is kept. Below the sixty seconds after which common balancers close theirs, so that we
/// seldom write into a connection that is being closed.
pub(crate) const IDLE_CONNECTION: Duration = Duration::from_secs(45);

/// A pool of connections to one upstream, used by one worker thread: a connection never moves between threads, so an
/// answer needs no wake-up across cores.
#[derive(Debug, Clone)]
pub(crate) struct HttpClient(legacy::Client<Connector, WatchedBody>);

type Connector = InTime<HttpsConnector<HttpConnector>>;

impl HttpClient {
    pub(crate) fn new(tls: &rustls::ClientConfig, connect_timeout: Duration) -> Self {
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls.clone())
            .https_or_http()
            .enable_all_versions()
            .wrap_connector(tcp(connect_timeout));
        let client = legacy::Client::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE_CONNECTION)
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .build(InTime::new(connector, connect_timeout));
        Self(client)
    }

    /// A client whose connections may become something else: HTTP/1.1, since HTTP/2 has no upgrades, and each for one
    /// request, so that none ever waits in a pool that other threads take from.
    pub(crate) fn for_upgrades(tls: &rustls::ClientConfig, connect_timeout: Duration) -> Self {
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls.clone())
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp(connect_timeout));
        let connector = InTime::new(connector, connect_timeout);
        Self(legacy::Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector))
    }

    /// Sends a request; `dispatch` tells when it goes out.
    pub(crate) async fn send(
        &self,
        request: Request<Bytes>,
        dispatch: &Dispatch,
    ) -> Result<Response<Incoming>, SendError> {
        let request = request.map(|body| WatchedBody::new(Full::new(body), dispatch.clone()));
        self.0.request(request).await.map_err(|error| SendError::classify(&error))
    }
}

/// Of several addresses each gets a part of the time.
pub(crate) fn tcp(connect_timeout: Duration) -> HttpConnector {
    let mut tcp = HttpConnector::new();
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(connect_timeout));
    tcp.set_keepalive(Some(Duration::from_secs(30)));
    tcp.enforce_http(false);
    tcp
}

/// Why there is no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SendError {
    /// No connection: refused, unknown host, TLS failure, or too slow to connect. Nothing was sent.
    #[error("can't connect: {0}")]
    Connect(String),
    /// The connection ended, or spoke no HTTP, before an answer began. The request may have been received.
    #[error("the connection ended before an answer: {0}")]
    Broken(String),
    /// No answer began within the time allowed.
    #[error("no answer began within {}s", .0.as_secs_f64())]
    FirstByteTimeout(Duration),
}

impl SendError {
    fn classify(error: &legacy::Error) -> Self {
        let reason = innermost(error);
        if error.is_connect() { Self::Connect(reason) } else { Self::Broken(reason) }
    }
}

/// The text of the innermost cause: the outer ones repeat that a request failed.
pub(crate) fn innermost(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
