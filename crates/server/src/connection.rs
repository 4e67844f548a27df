//! One connection of a client.
//!
//! hyper speaks HTTP; what it leaves to us is patience: a client that takes too long over its headers gets a 408, one
//! that keeps an idle connection open is let go quietly.

use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};
use tokio_util::sync::CancellationToken;

use crate::service::Service;

/// How long an idle connection is kept: longer than the pools of clients and balancers keep theirs, so that they are the
/// ones to close it.
const IDLE: Duration = Duration::from_secs(75);
/// The most that hyper buffers of a request's head. Past our own limit there is room for saying so politely.
const HEAD_BUFFER: usize = 1024 * 1024;
/// Headers of a request, at most.
const MAX_HEADERS: usize = 256;
/// What a client gets that never finished its headers: there is no request whose shape it could have.
const TOO_SLOW: &[u8] = b"HTTP/1.1 408 Request Timeout\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: 153\r\n\r\n\
{\"error\":{\"message\":\"the request's headers did not arrive in time\",\"type\":\"timeout_error\",\"code\":\"REQUEST_TIMEOUT\",\"seawall\":{\"code\":\"REQUEST_TIMEOUT\"}}}\n";

/// Serves requests on `stream` until either side ends it, or `shutdown` and the request under way is answered.
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
    let respond = service_fn(|request| {
        waiting.store(false, Ordering::Relaxed);
        let service = &service;
        async move { Ok::<_, std::convert::Infallible>(service.call(peer, request).await) }
    });
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(None)
            .max_buf_size(HEAD_BUFFER)
            .max_headers(MAX_HEADERS)
            .serve_connection(TokioIo::new(stream), respond)
    );
    let mut asked_to_stop = false;
    let ended = loop {
        tokio::select! {
            ended = connection.as_mut() => break ended,
            () = shutdown.cancelled(), if !asked_to_stop => {
                asked_to_stop = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    };
    tracing::trace!(?ended, "connection ended");
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

/// A client's connection, with a bound on how long it may take over the head of a request, and how long it may idle.
struct Patient {
    stream: TcpStream,
    header_read: Duration,
    /// The next bytes belong to the head of a request. Unset when the request is handed out, set when its answer is
    /// being written.
    waiting: Arc<AtomicBool>,
    /// Some bytes of a head have come.
    begun: bool,
    sleep: Pin<Box<Sleep>>,
    armed: bool,
}

impl Patient {
    fn new(stream: TcpStream, header_read: Duration, waiting: Arc<AtomicBool>) -> Self {
        let sleep = Box::pin(tokio::time::sleep(IDLE));
        Self { stream, header_read, waiting, begun: false, sleep, armed: false }
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
            let _best_effort = self.stream.try_write(TOO_SLOW);
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
        self.answering();
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.answering();
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
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
    /// An answer is being written: what is read next is the head of another request.
    fn answering(&mut self) {
        self.begun = false;
        self.armed = false;
        self.waiting.store(true, Ordering::Relaxed);
    }
}
