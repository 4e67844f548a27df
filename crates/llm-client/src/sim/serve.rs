//! The simulated provider on a port of its own.

use std::convert::Infallible;
use std::error::Error;
use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::Sim;
use super::cassette::Relay;

/// Serves HTTP/1.1 until `shutdown`, then drops what is open.
///
/// Frames are sent as they are made. A client that hangs up is noticed while nothing is being sent, and its request counts
/// as cancelled at once.
pub async fn serve(listener: TcpListener, sim: Sim, shutdown: impl Future<Output = ()>) {
    let answer = move |request| {
        let sim = sim.clone();
        async move { sim.call(request).await }
    };
    accept(listener, answer, shutdown).await;
}

/// Serves a relay as [`serve`] does the simulated provider.
pub async fn serve_relay(listener: TcpListener, relay: Arc<Relay>, shutdown: impl Future<Output = ()>) {
    let answer = move |request| {
        let relay = Arc::clone(&relay);
        async move { relay.call(request).await }
    };
    accept(listener, answer, shutdown).await;
}

async fn accept<A, F, B>(listener: TcpListener, answer: A, shutdown: impl Future<Output = ()>)
where
    A: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    let mut connections = JoinSet::new();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, answer.clone()));
                }
                // Out of descriptors, mostly: connections that end free some, so the loop must not spin until then.
                Err(error) => {
                    tracing::warn!(%error, "can't accept a connection");
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection<A, F, B>(stream: TcpStream, answer: A)
where
    A: Fn(Request<Incoming>) -> F + Send,
    F: Future<Output = Response<B>> + Send,
    B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    // Without it a frame may wait for the client's acknowledgement of the one before.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a client hung up before its first request");
    }
    let service = service_fn(move |request| {
        let answered = answer(request);
        async move { Ok::<_, Infallible>(answered.await) }
    });
    let connection =
        http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service);
    if let Err(error) = connection.await {
        tracing::debug!(%error, "a connection ended early");
    }
}
