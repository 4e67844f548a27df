//! Sending documents to one URL that the operator wrote, such as a collector of telemetry.
//!
//! The same TLS as for providers, and connections that are kept; no credentials, no retries, no redirects. Whoever sends
//! decides what an answer means and whether to try again.

use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Limited};

use crate::client::HttpClient;
use crate::{Dispatch, FetchError, FetchLimits, retry_after};

/// Sends to one URL.
#[derive(Debug, Clone)]
pub struct Poster {
    client: HttpClient,
    url: Uri,
    limits: FetchLimits,
}

/// An answer, whatever its status.
#[derive(Debug, Clone)]
pub struct Posted {
    /// Its status.
    pub status: StatusCode,
    /// How long it asks us to wait before the next.
    pub retry_after: Option<Duration>,
    /// What it says.
    pub body: Bytes,
}

impl Poster {
    /// Sends to `url`; each exchange within `limits`, which bound the answer.
    #[must_use]
    pub fn new(url: Uri, tls: &rustls::ClientConfig, limits: FetchLimits) -> Self {
        Self { client: HttpClient::new(tls, limits.time), url, limits }
    }

    /// Sends one document and reads the answer.
    ///
    /// # Errors
    /// When there is no answer, or none within the limits.
    pub async fn post(&self, content_type: &'static str, document: Bytes) -> Result<Posted, FetchError> {
        let limits = self.limits;
        tokio::time::timeout(limits.time, self.exchange(content_type, document))
            .await
            .unwrap_or(Err(FetchError::Timeout(limits.time)))
    }

    async fn exchange(&self, content_type: &'static str, document: Bytes) -> Result<Posted, FetchError> {
        let mut request = Request::new(document);
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.url.clone();
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        let answer = self.client.send(request, &Dispatch::default()).await?;
        let (status, retry_after) = (answer.status(), retry_after(answer.headers()));
        let body = Limited::new(answer.into_body(), self.limits.bytes).collect().await;
        let body = body.map_err(|error| FetchError::Body(error.to_string()))?.to_bytes();
        Ok(Posted { status, retry_after, body })
    }
}
