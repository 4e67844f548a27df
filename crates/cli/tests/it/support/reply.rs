//! What a scripted upstream does with one request, as bytes and pauses.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

#[derive(Debug, Clone)]
pub(super) enum Step {
    Send(Vec<u8>),
    Pause(Duration),
    Wait(Arc<Semaphore>),
    Hang,
    Close,
    Reset,
}

/// What the upstream does with one request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reply(pub(super) Vec<Step>);

impl Reply {
    /// Nothing yet: not even a status line.
    pub(crate) fn nothing() -> Self {
        Self::default()
    }

    /// An answer with its length.
    pub(crate) fn whole(status: u16, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref();
        let length = body.len().to_string();
        let headers = [headers, &[("content-length", length.as_str())]].concat();
        Self::nothing().send(head(status, &headers)).send(body)
    }

    /// A JSON answer.
    pub(crate) fn json(body: impl AsRef<[u8]>) -> Self {
        Self::whole(200, &[("content-type", "application/json")], body)
    }

    /// An answer in chunks that are still to come.
    pub(crate) fn chunked(status: u16, headers: &[(&str, &str)]) -> Self {
        Self::nothing().send(head(status, &[headers, &[("transfer-encoding", "chunked")]].concat()))
    }

    /// A whole stream of events, each in a chunk.
    pub(crate) fn events<E: AsRef<[u8]>>(events: impl IntoIterator<Item = E>) -> Self {
        Self::begin_events(events).end()
    }

    /// A stream of events that is not over yet.
    pub(crate) fn begin_events<E: AsRef<[u8]>>(events: impl IntoIterator<Item = E>) -> Self {
        let begun = Self::chunked(200, &[("content-type", "text/event-stream")]);
        events.into_iter().fold(begun, |reply, event| reply.chunk(event))
    }

    pub(crate) fn send(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.0.push(Step::Send(bytes.as_ref().to_vec()));
        self
    }

    pub(crate) fn chunk(self, bytes: impl AsRef<[u8]>) -> Self {
        let bytes = bytes.as_ref();
        let mut chunk = format!("{:x}\r\n", bytes.len()).into_bytes();
        chunk.extend_from_slice(bytes);
        chunk.extend_from_slice(b"\r\n");
        self.send(chunk)
    }

    /// The last chunk.
    pub(crate) fn end(self) -> Self {
        self.send("0\r\n\r\n")
    }

    pub(crate) fn pause(mut self, time: Duration) -> Self {
        self.0.push(Step::Pause(time));
        self
    }

    /// Goes on when the test gives a permit.
    pub(crate) fn wait(mut self, permits: &Arc<Semaphore>) -> Self {
        self.0.push(Step::Wait(Arc::clone(permits)));
        self
    }

    /// Says nothing more, and keeps the connection open.
    pub(crate) fn hang(mut self) -> Self {
        self.0.push(Step::Hang);
        self
    }

    /// Ends the connection.
    pub(crate) fn close(mut self) -> Self {
        self.0.push(Step::Close);
        self
    }

    /// Ends the connection with a reset.
    pub(crate) fn reset(mut self) -> Self {
        self.0.push(Step::Reset);
        self
    }
}

fn head(status: u16, headers: &[(&str, &str)]) -> Vec<u8> {
    let fields: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!("HTTP/1.1 {status} Scripted\r\n{fields}\r\n").into_bytes()
}
