//! Where a request goes: providers' paths to the gateway, everything else to our own routes.

use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use bytes::Bytes;
use http::header::CONNECTION;
use http::uri::PathAndQuery;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use seawall_gateway::{Gateway, GatewayBody, Tunnel};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tower_service::Service as _;

use crate::App;
use crate::busy_poll::BusyPoll;
use crate::socket::Begun;

/// What one worker needs to answer requests.
#[derive(Clone)]
pub(crate) struct Service {
    pub(crate) app: Arc<App>,
    pub(crate) routes: Router,
    pub(crate) worker: usize,
    /// What is told of bytes that come and go; `None`: nobody asks.
    pub(crate) busy_poll: Option<BusyPoll>,
}

/// The body of an answer.
pub(crate) enum ServiceBody {
    Gateway(GatewayBody),
    Own(axum::body::Body),
    /// There is none: the connection becomes a websocket of ours.
    Socket(Option<Begun>),
}

/// What is run on a connection once a 101 has gone out.
#[derive(Debug)]
pub(crate) enum Beyond {
    Tunnel(Box<Tunnel>),
    Socket(Begun),
}

impl Beyond {
    /// `early` is what the client sent right behind its handshake.
    pub(crate) async fn run(self, client: TcpStream, early: Bytes) {
        match self {
            Self::Tunnel(tunnel) => tunnel.run(client, early).await,
            Self::Socket(begun) => begun.run(client, early).await,
        }
    }
}

/// An answer broke off.
pub(crate) type BodyError = Box<dyn std::error::Error + Send + Sync>;

impl ServiceBody {
    /// When the call behind it must be over, whether or not its client takes it.
    pub(crate) fn ends_at(&self) -> Option<Instant> {
        match self {
            Self::Gateway(body) => body.ends_at(),
            Self::Own(_) | Self::Socket(_) => None,
        }
    }

    /// What is to be run on the connection once the answer has gone out.
    pub(crate) fn take_beyond(&mut self) -> Option<Beyond> {
        match self {
            Self::Gateway(body) => body.take_tunnel().map(Beyond::Tunnel),
            Self::Own(_) => None,
            Self::Socket(begun) => begun.take().map(Beyond::Socket),
        }
    }
}

impl Body for ServiceBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.get_mut() {
            Self::Gateway(body) => Pin::new(body).poll_frame(context).map_err(Into::into),
            Self::Own(body) => Pin::new(body).poll_frame(context).map_err(Into::into),
            Self::Socket(_) => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Gateway(body) => body.is_end_stream(),
            Self::Own(body) => body.is_end_stream(),
            Self::Socket(_) => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Gateway(body) => body.size_hint(),
            Self::Own(body) => body.size_hint(),
            Self::Socket(_) => SizeHint::with_exact(0),
        }
    }
}

impl Service {
    /// Answers one request. A panic becomes an answer too; the process goes on.
    pub(crate) async fn call(&self, peer: SocketAddr, request: Request<Incoming>) -> Response<ServiceBody> {
        // A count of references, no copy.
        let asked = request.uri().path_and_query().cloned();
        let mut answer = pin!(self.route(peer, request));
        let caught = std::future::poll_fn(|context| {
            match std::panic::catch_unwind(AssertUnwindSafe(|| answer.as_mut().poll(context))) {
                Ok(poll) => poll.map(Some),
                Err(_already_logged_by_the_hook) => Poll::Ready(None),
            }
        });
        let mut response = match caught.await {
            Some(response) => response,
            None => {
                let path = asked.as_ref().map_or("/", PathAndQuery::path);
                self.app.gateway().panicked(path).map(ServiceBody::Gateway)
            }
        };
        // Who is told so looks for another connection by itself, and no later request meets a closed one.
        if self.app.is_stopping() && response.status() != StatusCode::SWITCHING_PROTOCOLS {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }

    async fn route(&self, peer: SocketAddr, request: Request<Incoming>) -> Response<ServiceBody> {
        if Gateway::owns(request.uri().path()) {
            let gateway = self.app.gateway();
            return gateway.handle(self.worker, peer.ip(), request).await.map(ServiceBody::Gateway);
        }
        let mut request = request.map(axum::body::Body::new);
        request.extensions_mut().insert(peer);
        let mut response = own(self.routes.clone(), request).await;
        match response.extensions_mut().remove::<Begun>() {
            Some(begun) => response.map(|_empty| ServiceBody::Socket(Some(begun))),
            None => response.map(ServiceBody::Own),
        }
    }
}

/// Calls the router, which is always ready and never fails.
pub(crate) async fn own(
    mut routes: Router,
    request: Request<axum::body::Body>,
) -> Response<axum::body::Body> {
    match routes.call(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use http_body_util::BodyExt;
    use serde_json::Value;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::api::agents::tests::stage::Stage;
    use crate::connection;

    async fn broken() {
        panic!("as a fault of ours would");
    }

    /// What a client reads that asks for these paths in a row, on one connection.
    async fn answers(service: Service, paths: [&str; 2]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap());
        let (client, accepted) = tokio::join!(client, listener.accept());
        let (stream, peer) = accepted.unwrap();
        let [first, last] = paths;
        let asked = format!(
            "GET {first} HTTP/1.1\r\nhost: a\r\n\r\nGET {last} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"
        );
        let mut client = client.unwrap();
        client.write_all(asked.as_bytes()).await.unwrap();
        let mut read = String::new();
        let serving = connection::serve(stream, peer, service, CancellationToken::new());
        let (_served, got) = tokio::join!(serving, client.read_to_string(&mut read));
        got.unwrap();
        read
    }

    #[tokio::test]
    async fn a_panic_is_answered_with_a_request_id_and_counted_and_its_connection_goes_on() {
        let stage = Stage::new();
        let routes = Router::new().route("/broken", get(broken)).route("/whole", get(async || "as ever"));
        let service = Service { app: Arc::clone(&stage.app), routes, worker: 0, busy_poll: None };
        let read = answers(service, ["/broken", "/whole"]).await;
        let (failed, good) = read.split_once("HTTP/1.1 200").unwrap_or_else(|| panic!("{read}"));
        assert!(failed.starts_with("HTTP/1.1 500 ") && good.ends_with("as ever"), "{read}");
        let id = failed.split("x-request-id: ").nth(1).and_then(|rest| rest.lines().next()).unwrap();
        assert!(failed.contains(&format!("recorded under request {id}")), "{failed}");
        assert!(!failed.contains("as a fault of ours would"), "what was said inside stays inside: {failed}");
        let families = stage.app.parts.registry.gather();
        let panics = families.iter().find(|family| family.name() == "seawall_panics_total").unwrap();
        assert_eq!(panics.get_metric()[0].get_counter().get_value(), 1.0);
    }

    #[tokio::test]
    async fn the_answer_to_a_panic_has_the_shape_of_its_path() {
        let stage = Stage::new();
        for (path, field) in [
            ("/v1/chat/completions", "/error/seawall/code"),
            ("/v1/responses", "/error/seawall/code"),
            ("/anthropic/v1/messages", "/seawall/code"),
            ("/v1beta/models/gemini-2.5-flash:generateContent", "/seawall/code"),
        ] {
            let (head, body) = stage.app.gateway().panicked(path).into_parts();
            let json: Value = serde_json::from_slice(&body.collect().await.unwrap().to_bytes()).unwrap();
            assert_eq!(head.status, StatusCode::INTERNAL_SERVER_ERROR, "{path}");
            assert_eq!(json.pointer(field).and_then(Value::as_str), Some("INTERNAL"), "{path}: {json}");
            assert_eq!(json["type"] == "error", path.ends_with("messages"), "{path}: {json}");
            assert_eq!(json.pointer("/error/status").is_some(), path.contains("gemini"), "{path}: {json}");
        }
    }
}
