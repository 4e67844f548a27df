//! Sending requests of any kind to a URL that the operator wrote, such as that of a server of tools.
//!
//! The same TLS as for providers, and connections that are kept; no credentials, no retries, no redirects. Whoever sends
//! bounds the time and the answer.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::Incoming;

use crate::client::HttpClient;
use crate::{Dispatch, SendError};

/// Sends requests. For one thread: a connection is served by the one that opened it.
#[derive(Debug, Clone)]
pub struct Requester(HttpClient);

impl Requester {
    /// A requester without connections.
    #[must_use]
    pub fn new(tls: &rustls::ClientConfig, connect_timeout: Duration) -> Self {
        Self(HttpClient::new(tls, connect_timeout))
    }

    /// Sends a request, whose URI is absolute; gives the answer's head as soon as it is there.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn send(&self, request: Request<Bytes>) -> Result<Response<Incoming>, SendError> {
        self.0.send(request, &Dispatch::default()).await
    }
}
