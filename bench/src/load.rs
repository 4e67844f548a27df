//! The load generator: one thread, one `epoll`, as many connections as wanted. It reads the clock for every answer and
//! every event, and does as little else as possible: what it takes of the processor is missing to what is measured.
//!
//! Three shapes of load: [`closed`] (each connection asks again as soon as it was answered: throughput), [`open`] (requests
//! at fixed times, whatever the answers do: latency) and [`streams`] (answers that come event by event). Nothing is
//! retried: what fails is counted and told.

mod closed;
mod connection;
mod fleet;
mod open;
mod report;
mod response;
mod streams;

use std::net::SocketAddr;
use std::time::Duration;

use crate::process::Tree;

pub use closed::closed;
pub use open::open;
pub use report::Report;
pub use streams::{Streams, streams};

/// What every shape of load needs to know.
#[derive(Debug)]
pub struct Plan {
    /// Where requests go.
    pub target: SocketAddr,
    /// The request, from its first line to the end of its body.
    pub request: Vec<u8>,
    /// Whose processor time and memory is told: the server under test.
    pub watched: Tree,
    /// Load before anything counts.
    pub warm_up: Duration,
    /// How long load counts.
    pub counted: Duration,
    /// When to give up on answers that have not come, after the load has ended.
    pub patience: Duration,
}

impl Plan {
    /// The bytes of a request for a JSON document.
    #[must_use]
    pub fn post(target: SocketAddr, path: &str, headers: &[String], body: &[u8]) -> Vec<u8> {
        let length = body.len();
        let mut head = format!(
            "POST {path} HTTP/1.1\r\nhost: {target}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n"
        );
        for header in headers {
            head.push_str(header.trim());
            head.push_str("\r\n");
        }
        [head.as_bytes(), b"\r\n", body].concat()
    }
}
