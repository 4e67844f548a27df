//! One connection of a client.
//!
//! hyper speaks HTTP; what it leaves to us is patience: a client that takes too long over its headers gets a 408, one
//! that keeps an idle connection open is let go quietly.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::server::conn::http1::{self, Parts};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};
use tokio_util::sync::CancellationToken;

use crate::service::{BodyError, Service, ServiceBody};

/// How long an idle connection is kept: longer than the pools of clients and balancers keep theirs, so that they are the
/// ones to close it.
const IDLE: Duration = Duration::from_secs(75);
/// How long a client may take none of an answer that is there for it. Until it does, the time-outs of the upstream don't
/// run, and its place, its reservation and its memory are held.
const STALLED: Duration = Duration::from_secs(60);
/// The most that hyper buffers of a request's head. Past our own limit there is room for saying so politely.
const HEAD_BUFFER: usize = 1024 * 1024;
/// Headers of a request, at most.
const MAX_HEADERS: usize = 256;
/// What a client is told that never finished its headers. There is no request whose shape it could have, so it has that of
/// most clients.
const TOO_SLOW: &str = r#"{"error":{"message":"the request's headers did not arrive in time","type":"invalid_request_error","code":"request_timeout","param":null,"seawall":{"code":"REQUEST_TIMEOUT","remedy":"send the headers faster, or raise gateway.timeouts.header_read"}}}"#;

/// Serves requests on `stream` until either side ends it, or `shutdown` and the request under way is answered. When it
/// becomes a websocket, until that ends.
pub(crate) async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    service: Service,
    header_read: Duration,
    shutdown: CancellationToken,
) {
    let _open = Open::new(&service);
    let waiting = Arc::new(AtomicBool::new(true));
    let stream = Patient::new(stream, header_read, Arc::clone(&waiting));
    let tunnel = Mutex::new(None);
    let respond = service_fn(|request| {
        waiting.store(false, Ordering::Relaxed);
        let (service, tunnel, answered) = (&service, &tunnel, Answered(Arc::clone(&waiting)));
        async move {
            let mut response = service.call(peer, request).await;
            if let Some(begun) = response.body_mut().take_tunnel() {
                *tunnel.lock().unwrap_or_else(PoisonError::into_inner) = Some(begun);
            }
            Ok::<_, std::convert::Infallible>(response.map(|body| Sending { body, _answered: answered }))
        }
    });
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        .max_buf_size(HEAD_BUFFER)
        .max_headers(MAX_HEADERS)
        .serve_connection(TokioIo::new(stream), respond);
    let mut asked_to_stop = false;
    let ended = loop {
        tokio::select! {
            ended = &mut connection => break ended,
            () = shutdown.cancelled(), if !asked_to_stop => {
                asked_to_stop = true;
                Pin::new(&mut connection).graceful_shutdown();
            }
        }
    };
    tracing::trace!(?ended, "connection ended");
    // hyper is done with the connection when a 101 has gone out; what it had read beyond the handshake is part of it.
    let Parts { io, read_buf, .. } = connection.into_parts();
    let begun = tunnel.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let (Ok(()), Some(begun)) = (ended, begun) {
        begun.run(io.into_inner().stream, read_buf).await;
    }
}

/// The answer to a request whose head never came to its end.
fn too_slow() -> String {
    let length = TOO_SLOW.len();
    format!(
        "HTTP/1.1 408 Request Timeout\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{TOO_SLOW}"
    )
}

/// Counts a connection while it is open.
struct Open<'a>(&'a prometheus::IntGauge);

impl<'a> Open<'a> {
    fn new(service: &'a Service) -> Self {
        service.app.connections.inc();
        Self(&service.app.connections)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// An answer that is under way; when it is dropped, sent or not, the connection waits for the next request. Only then does
/// its idle time run: a stream may be quiet for as long as its upstream's time-outs allow.
struct Answered(Arc<AtomicBool>);

impl Drop for Answered {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The body of an answer that is under way.
struct Sending {
    body: ServiceBody,
    _answered: Answered,
}

impl Body for Sending {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A client's connection, with a bound on how long it may take over the head of a request, how long it may idle, and how
/// long it may leave an answer unread.
struct Patient {
    stream: TcpStream,
    header_read: Duration,
    /// The next bytes belong to the head of a request: unset while one is being answered.
    waiting: Arc<AtomicBool>,
    /// Some bytes of a head have come.
    begun: bool,
    sleep: Pin<Box<Sleep>>,
    armed: bool,
    /// Runs while the client takes nothing of what is written.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl Patient {
    fn new(stream: TcpStream, header_read: Duration, waiting: Arc<AtomicBool>) -> Self {
        let sleep = Box::pin(tokio::time::sleep(IDLE));
        Self { stream, header_read, waiting, begun: false, sleep, armed: false, stalled: None }
    }

    fn arm(&mut self, patience: Duration) {
        self.armed = true;
        self.sleep.as_mut().reset(Instant::now() + patience);
    }

    /// Nothing is there to be read: has it been too long?
    fn poll_patience(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.waiting.load(Ordering::Relaxed) {
            self.armed = false;
            return Poll::Pending;
        }
        if !self.armed {
            self.arm(if self.begun { self.header_read } else { IDLE });
        }
        std::task::ready!(self.sleep.as_mut().poll(context));
        if self.begun {
            // Nothing was answered on this connection since, so the socket has room for these few bytes.
            let _best_effort = self.stream.try_write(too_slow().as_bytes());
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        // The end of the stream, as hyper sees it: it closes the connection without a word.
        Poll::Ready(Ok(()))
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
                    self.armed = false;
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
        self.begun = false;
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.poll_stalled(written, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.begun = false;
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
