//! How much of anything one request may take.

use std::time::Duration;

use http::HeaderMap;

use crate::header;

/// Sizes. Bytes unless said otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// A request's body as it comes.
    pub body: usize,
    /// A compressed request's body, inflated.
    pub inflated_body: usize,
    /// All header names and values of a request.
    pub headers: usize,
    /// Levels of nesting in a JSON body.
    pub json_depth: usize,
    /// Connections of clients at the same time.
    pub connections: usize,
    /// Requests at the same time.
    pub in_flight: usize,
    /// All bodies buffered at the same time, of all requests.
    pub buffer: usize,
}

impl Limits {
    /// Whether a request's headers have a size that is taken.
    #[must_use]
    pub fn admit_headers(&self, headers: &HeaderMap) -> bool {
        header::size(headers) <= self.headers
    }
}

impl Default for Limits {
    fn default() -> Self {
        const MIB: usize = 1024 * 1024;
        Self {
            body: 32 * MIB,
            inflated_body: 128 * MIB,
            headers: 64 * 1024,
            json_depth: 128,
            connections: 10_000,
            in_flight: 1_000,
            buffer: 512 * MIB,
        }
    }
}

/// How long one request may take to arrive, and the whole server to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestTimeouts {
    /// From the first byte of a request to the end of its headers.
    pub header_read: Duration,
    /// For a request's body.
    pub body_read: Duration,
    /// For the client to take something of an answer that is there for it.
    pub answer_write: Duration,
    /// How long a server that is told to stop goes on answering, while it says that it is not ready.
    pub drain_delay: Duration,
    /// For streams in flight to finish when the server stops.
    pub drain: Duration,
}

impl Default for RequestTimeouts {
    fn default() -> Self {
        Self {
            header_read: Duration::from_secs(10),
            body_read: Duration::from_secs(30),
            answer_write: Duration::from_secs(60),
            drain_delay: Duration::ZERO,
            drain: Duration::from_secs(30),
        }
    }
}
