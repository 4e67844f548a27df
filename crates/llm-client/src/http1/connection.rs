//! One connection: a socket, and what was read from it that nobody has taken yet.

use std::cell::RefCell;
use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// The most that one read takes. More than a socket usually has at once: a read that does not fill it tells the runtime
/// that there is no more, and saves a second one that would only say so.
const READ: usize = 64 * 1024;

thread_local! {
    /// Where reads go first. A connection that waits, as a stream does most of its time, then holds no buffer at all.
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; READ]);
}

/// A connection to an upstream.
pub(super) struct Connection {
    stream: TcpStream,
    /// Read, and not yet taken.
    pub(super) unread: BytesMut,
}

impl Connection {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self { stream, unread: BytesMut::new() }
    }

    /// Reads what is there; zero bytes are the end.
    pub(super) fn poll_fill(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        SCRATCH.with_borrow_mut(|scratch| {
            let mut buffer = ReadBuf::new(scratch);
            ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer))?;
            self.unread.extend_from_slice(buffer.filled());
            Poll::Ready(Ok(buffer.filled().len()))
        })
    }

    /// Writes some of these bytes, the first ones first.
    pub(super) fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, pieces)
    }

    /// Whether it can take another request: nothing has come that no request asked for, its end included.
    pub(super) fn is_quiet(&self) -> bool {
        // Not by polling: a task that has polled much is told to wait, whether or not there is something to read.
        let read = self.stream.try_read(&mut [0]);
        self.unread.is_empty() && read.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }
}

impl fmt::Debug for Connection {
    /// Without what was read: it may be anybody's prompt.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("unread", &self.unread.len()).finish_non_exhaustive()
    }
}
