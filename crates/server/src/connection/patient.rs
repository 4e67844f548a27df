//! How long a client may take: over the head of a request, between two requests, and over taking an answer.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use seawall_gateway::RequestTimeouts;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};
use tokio_util::sync::CancellationToken;

use super::exchange::Exchange;
use super::turned_away;
use crate::App;
use crate::busy_poll::BusyPoll;
use crate::service::Service;

/// How long an idle connection is kept: longer than the pools of clients and balancers keep theirs, so that they are the
/// ones to close it.
const IDLE: Duration = Duration::from_secs(75);
/// How long the first request of a connection is waited for when the server stops: a connection is made to be used, and
/// its request is on its way.
const LAST_REQUEST: Duration = Duration::from_secs(2);
/// A client's connection, with a bound on how long it may take over the head of a request, how long it may idle, and how
/// long it may leave an answer unread.
pub(super) struct Patient {
    stream: TcpStream,
    app: Arc<App>,
    busy_poll: Option<BusyPoll>,
    timeouts: RequestTimeouts,
    exchange: Arc<Exchange>,
    /// The server stops.
    stopping: CancellationToken,
    /// Something was written: the client has had an answer.
    answered: bool,
    /// Some bytes of a head have come.
    begun: bool,
    first_line: FirstLine,
    sleep: Pin<Box<Sleep>>,
    /// What `sleep` runs for.
    armed: Option<WaitsFor>,
    /// Runs while the client takes nothing of what is written.
    stalled: Option<Stalled>,
    /// It was told that its head can't be read.
    sent_away: bool,
}

/// How a head begins, kept so that a refusal of it has the shape that its client reads.
#[derive(Debug, Clone, Copy)]
struct FirstLine {
    bytes: [u8; 128],
    length: usize,
}

impl Default for FirstLine {
    fn default() -> Self {
        Self { bytes: [0; 128], length: 0 }
    }
}

impl FirstLine {
    fn of(head: &[u8]) -> Self {
        let mut line = Self::default();
        line.length = line.bytes.len().min(head.len());
        line.bytes.iter_mut().zip(head).for_each(|(to, from)| *to = *from);
        line
    }

    /// The path that is asked for, as far as it is known.
    fn path(&self) -> &str {
        let known = self.bytes.get(..self.length).unwrap_or_default();
        let mut words = known.split(|byte| matches!(byte, b' ' | b'?' | b'\r' | b'\n'));
        words.nth(1).and_then(|path| std::str::from_utf8(path).ok()).unwrap_or_default()
    }
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
        service: &Service,
        timeouts: RequestTimeouts,
        exchange: Arc<Exchange>,
        stopping: CancellationToken,
    ) -> Self {
        let sleep = Box::pin(tokio::time::sleep(IDLE));
        Self {
            stream,
            app: Arc::clone(&service.app),
            busy_poll: service.busy_poll.clone(),
            timeouts,
            exchange,
            stopping,
            answered: false,
            begun: false,
            first_line: FirstLine::default(),
            sleep,
            armed: None,
            stalled: None,
            sent_away: false,
        }
    }

    /// The connection itself, for what is no HTTP any more.
    pub(super) fn into_stream(self) -> TcpStream {
        self.stream
    }

    fn moved(&self) {
        if let Some(busy_poll) = &self.busy_poll {
            busy_poll.moved();
        }
    }

    /// Whether the client has had the last word of ours and may not have read it yet.
    pub(super) fn sent_away(&self) -> bool {
        self.sent_away
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
            WaitsFor::Head => self.timeouts.header_read,
            WaitsFor::Request => IDLE,
            WaitsFor::LastRequest => LAST_REQUEST,
            WaitsFor::Nothing => Duration::ZERO,
        };
        self.armed = Some(waits_for);
        self.sleep.as_mut().reset(Instant::now() + patience);
    }

    /// Nothing is there to be read: has it been too long?
    fn poll_patience(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.exchange.is_waiting() {
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
            self.send_away(&turned_away::too_slow(self.app.gateway(), self.first_line.path()));
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

    /// The last word. Nothing was answered on this connection for a while, so the socket has room for these few bytes.
    fn send_away(&mut self, answer: &[u8]) {
        let _best_effort = self.stream.try_write(answer);
        self.sent_away = true;
    }

    /// What hyper says by itself about a head that it can't read has no body: ours goes out in its place.
    fn replace(&mut self, written: &[u8]) -> bool {
        let Some(status) = self.exchange.is_waiting().then(|| status_of_hyper(written)).flatten() else {
            return false;
        };
        self.send_away(&turned_away::unreadable(self.app.gateway(), self.first_line.path(), status));
        true
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
                if buffer.filled().len() > before {
                    self.moved();
                }
                if self.exchange.is_waiting() && !self.begun && buffer.filled().len() > before {
                    self.begun = true;
                    self.first_line = FirstLine::of(buffer.filled().get(before..).unwrap_or_default());
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
        if self.replace(bytes) {
            return Poll::Ready(Ok(bytes.len()));
        }
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.poll_stalled(written, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        (self.begun, self.answered) = (false, true);
        if let [only] = slices
            && self.replace(only)
        {
            return Poll::Ready(Ok(only.len()));
        }
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

/// The client takes nothing.
#[derive(Debug)]
struct Stalled {
    since: Instant,
    sleep: Pin<Box<Sleep>>,
}

impl Patient {
    /// A write that can't go on for too long ends the connection, and one that can't when the call's time is up: nobody
    /// asks the answer's body for more then, so its own time-outs don't run, and its place, its reservation and its
    /// memory are held.
    fn poll_stalled(
        &mut self,
        written: Poll<io::Result<usize>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            if matches!(written, Poll::Ready(Ok(1..))) {
                self.moved();
            }
            self.stalled = None;
            return written;
        }
        let Self { stalled, exchange, timeouts, .. } = self;
        let now = Instant::now();
        let Stalled { since, sleep } = stalled
            .get_or_insert_with(|| Stalled { since: now, sleep: Box::pin(tokio::time::sleep_until(now)) });
        let patience = *since + timeouts.answer_write;
        let end = exchange.ends_at().map_or(patience, |end| end.min(patience));
        sleep.as_mut().reset(end);
        sleep.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

/// The status of an answer that hyper made by itself: an error without a body and without what every answer of ours has.
fn status_of_hyper(written: &[u8]) -> Option<u16> {
    let status = written.strip_prefix(b"HTTP/1.1 ").filter(|rest| rest.starts_with(b"4"))?.get(..3)?;
    let head = std::str::from_utf8(written).ok()?;
    let is_hypers = head.contains("\r\ncontent-length: 0\r\n") && !head.contains("\r\nx-request-id: ");
    std::str::from_utf8(status).ok()?.parse().ok().filter(|_| is_hypers)
}
