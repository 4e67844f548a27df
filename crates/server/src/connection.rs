//! One connection of a client.
//!
//! hyper speaks HTTP; what it leaves to us is patience (`patient`), and ending a connection without losing a request that
//! is on its way.

mod exchange;
mod patient;
mod turned_away;

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::server::conn::http1::{self, Parts};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use self::exchange::{Answering, Exchange};
use self::patient::Patient;
pub(crate) use self::turned_away::no_room;
use crate::service::{BodyError, Service, ServiceBody};

/// What a head may take beyond the limit of its headers: its first line, and room for our own refusal to be the one that
/// is given.
const BEYOND_HEADERS: usize = 16 * 1024;
/// Headers of a request, at most.
const MAX_HEADERS: usize = 256;

/// Serves requests on `stream` until either side ends it, or `shutdown` and the request under way is answered. When it
/// becomes a websocket, until that ends.
pub(crate) async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    service: Service,
    shutdown: CancellationToken,
) {
    let _open = Open::new(&service);
    let (head_buffer, timeouts) = {
        // Let go at once: a connection may outlive many configurations.
        let settings = &service.app.gateway().snapshot().settings;
        (settings.limits.headers.saturating_add(BEYOND_HEADERS), settings.timeouts)
    };
    let exchange = Arc::new(Exchange::default());
    let stream = Patient::new(stream, &service, timeouts, Arc::clone(&exchange), shutdown.clone());
    let beyond = Mutex::new(None);
    let respond = service_fn(|request| {
        let (beyond, answering) = (&beyond, exchange.begin());
        // In a box of its own, since hyper keeps room for the future of a request as long as the connection: a stream
        // would otherwise carry the room of everything that came before it.
        let answer = Box::pin(service.call(peer, request));
        async move {
            let mut response = answer.await;
            if let Some(begun) = response.body_mut().take_beyond() {
                *beyond.lock().unwrap_or_else(PoisonError::into_inner) = Some(begun);
            }
            answering.ends_at(response.body().ends_at());
            Ok::<_, std::convert::Infallible>(response.map(|body| Sending { body, _answering: answering }))
        }
    });
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        .max_buf_size(head_buffer)
        .max_headers(MAX_HEADERS)
        .serve_connection(TokioIo::new(stream), respond);
    let mut asked_to_stop = false;
    let ended = loop {
        tokio::select! {
            ended = &mut connection => break ended,
            () = shutdown.cancelled(), if !asked_to_stop => {
                asked_to_stop = true;
                // Between requests hyper would close without looking whether one has come; `Patient` looks, and what it
                // lets through is answered with `connection: close`.
                if !exchange.is_waiting() {
                    Pin::new(&mut connection).graceful_shutdown();
                }
            }
        }
    };
    tracing::trace!(?ended, "connection ended");
    // hyper is done with the connection when a 101 has gone out; what it had read beyond the handshake is part of it.
    let Parts { io, read_buf, .. } = connection.into_parts();
    let begun = beyond.into_inner().unwrap_or_else(PoisonError::into_inner);
    let patient = io.into_inner();
    if let (Ok(()), Some(begun)) = (ended, begun) {
        begun.run(patient.into_stream(), read_buf).await;
    } else if patient.sent_away() {
        turned_away::linger(patient.into_stream()).await;
    }
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

/// The body of an answer that is under way.
struct Sending {
    body: ServiceBody,
    _answering: Answering,
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
