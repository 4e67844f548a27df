//! HTTP/1.1 in clear towards an upstream.
//!
//! A connection carries one request at a time and is driven by whoever waits for its answer: nothing stands between the
//! socket and the answer's reader, no task of the connection's own, no channel, no wake-up from one to the other, which
//! for a stream is a wake-up for each event. What comes back is checked strictly, since bytes that two readers understand
//! in two ways are how answers get mixed up.
//!
//! Not here: TLS, and HTTP/2 that comes with it (`client`), and connections that become something else.

mod body;
mod chunks;
mod connection;
mod exchange;
mod head;
mod pool;
#[cfg(test)]
mod tests;

pub use body::Http1Body;
pub(crate) use pool::Pool;

/// What came is no answer, or did not come whole.
#[derive(Debug, thiserror::Error)]
pub enum Http1Error {
    /// The connection failed.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// It was closed before anything of the request went out: another connection can take it.
    #[error("it was closed before the request went out")]
    Unsent,
    /// It was closed before the answer began.
    #[error("it was closed before an answer began")]
    Unanswered,
    /// It was closed in the middle of an answer.
    #[error("it was closed in the middle of the answer")]
    Cut,
    /// The bytes are no HTTP/1 that could be understood in one way alone.
    #[error("what came is no HTTP: {0}")]
    NotHttp(&'static str),
}
