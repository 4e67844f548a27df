//! How long a client may take: over the head of a request, between two requests, and over taking an answer.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};
use tokio_util::sync::CancellationToken;

/// How long an idle connection is kept: longer than the pools of clients and balancers keep theirs, so that they are the
/// ones to close it.
const IDLE: Duration = Duration::from_secs(75);
/// How long the first request of a connection is waited for when the server stops: a connection is made to be used, and
/// its request is on its way.
const LAST_REQUEST: Duration = Duration::from_secs(2);
/// How long a client may take none of an answer that is there for it. Until it does, the time-outs of the upstream don't
/// run, and its place, its reservation and its memory are held.
const STALLED: Duration = Duration::from_secs(60);
/// What a client is told that never finished its headers. There is no request whose shape it could have, so it has that of
/// most clients.
const TOO_SLOW: &str = r#"{"error":{"message":"the request's headers did not arrive in time","type":"invalid_request_error","code":"request_timeout","param":null,"seawall":{"code":"REQUEST_TIMEOUT","remedy":"send the headers faster, or raise gateway.timeouts.header_read"}}}"#;

/// A client's connection, with a bound on how long it may take over the head of a request, how long it may idle, and how
/// long it may leave an answer unread.
pub(super) struct Patient {
    stream: TcpStream,
    header_read: Duration,
    /// The next bytes belong to the head of a request: unset while one is being answered.
    waiting: Arc<AtomicBool>,
    /// The server stops.
    stopping: CancellationToken,
    /// Something was written: the client has had an answer.
    answered: bool,
    /// Some bytes of a head have come.
    begun: bool,
    sleep: Pin<Box<Sleep>>,
    /// What `sleep` runs for.
    armed: Option<WaitsFor>,
    /// Runs while the client takes nothing of what is written.
    stalled: Option<Pin<Box<Sleep>>>,
}

/// What is waited for between the end of an answer and the next request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WaitsFor {
    /// The rest of a head.
    Head,
    /// The next request.
    Request,
    /// The first request, and the server stops: the client may have sent it already.
    LastRequest,
    /// Nothing: the server stops, and the client has had what it asked for.
    Nothing,
}

impl Patient {
    pub(super) fn new(
        stream: TcpStream,
        header_read: Duration,
        waiting: Arc<AtomicBool>,
        stopping: CancellationToken,
    ) -> Self {
        let sleep = Box::pin(tokio::time::sleep(IDLE));
        Self {
            stream,
            header_read,
            waiting,
            stopping,
            answered: false,
            begun: false,
            sleep,
            armed: None,
            stalled: None,
        }
    }

    /// The connection itself, for what is no HTTP any more.
    pub(super) fn into_stream(self) -> TcpStream {
        self.stream
    }

    fn waits_for(&self) -> WaitsFor {
        match (self.begun, self.stopping.is_cancelled(), self.answered) {
            (true, _, _) => WaitsFor::Head,
            (false, false, _) => WaitsFor::Request,
            (false, true, false) => WaitsFor::LastRequest,
            (false, true, true) => WaitsFor::Nothing,
        }
    }

    fn arm(&mut self, waits_for: WaitsFor) {
        let patience = match waits_for {
            WaitsFor::Head => self.header_read,
            WaitsFor::Request => IDLE,
            WaitsFor::LastRequest => LAST_REQUEST,
            WaitsFor::Nothing => Duration::ZERO,
        };
        self.armed = Some(waits_for);
        self.sleep.as_mut().reset(Instant::now() + patience);
    }

    /// Nothing is there to be read: has it been too long?
    fn poll_patience(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.waiting.load(Ordering::Relaxed) {
            self.armed = None;
            return Poll::Pending;
        }
        let waits_for = self.waits_for();
        if self.armed != Some(waits_for) {
            self.arm(waits_for);
        }
        if waits_for != WaitsFor::Nothing {
            ready!(self.sleep.as_mut().poll(context));
        }
        if waits_for == WaitsFor::Head {
            // Nothing was answered on this connection since, so the socket has room for these few bytes.
            let _best_effort = self.stream.try_write(too_slow().as_bytes());
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        if self.has_unread() {
            // The runtime hears of it at its next turn.
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        // The end of the stream, as hyper sees it: it closes the connection without a word.
        Poll::Ready(Ok(()))
    }

    /// Whether the kernel has bytes of the client that the runtime has not told us of. Closing over them would lose a
    /// request, and the reset that the kernel sends then would take the last answer with it.
    fn has_unread(&self) -> bool {
        SockRef::from(&self.stream).peek(&mut [MaybeUninit::uninit()]).is_ok_and(|bytes| bytes > 0)
    }
}

impl AsyncRead for Patient {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        match Pin::new(&mut self.stream).poll_read(context, buffer) {
            Poll::Pending => self.poll_patience(context),
            Poll::Ready(read) => {
                if self.waiting.load(Ordering::Relaxed) && !self.begun && buffer.filled().len() > before {
                    self.begun = true;
                }
                Poll::Ready(read)
            }
        }
    }
}

impl AsyncWrite for Patient {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        (self.begun, self.answered) = (false, true);
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.poll_stalled(written, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        (self.begun, self.answered) = (false, true);
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.poll_stalled(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl Patient {
    /// A write that can't go on for too long ends the connection.
    fn poll_stalled(
        &mut self,
        written: Poll<io::Result<usize>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(STALLED)));
        stalled.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

/// The answer to a request whose head never came to its end.
fn too_slow() -> String {
    let length = TOO_SLOW.len();
    format!(
        "HTTP/1.1 408 Request Timeout\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{TOO_SLOW}"
    )
}
