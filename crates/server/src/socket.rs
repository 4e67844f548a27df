//! Websockets of our own: the answer to a handshake, and what is run on the connection once that has gone out.
//!
//! What is said on one is whoever's route it is; those of providers pass through the gateway.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use axum::extract::FromRequestParts;
use bytes::Bytes;
use http::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use crate::problem::Problem;

/// The only version that there is (RFC 6455 §4.1).
const VERSION: &str = "13";

/// The longest message of a client: as long as a body of our own routes may be.
const LONGEST: usize = 1024 * 1024;

/// A connection of a client that is a websocket by now.
pub(crate) type Socket = WebSocketStream<TcpStream>;

type Run = Box<dyn FnOnce(Socket) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send>;

/// What a client asked for: a websocket, or an answer as always.
#[derive(Debug)]
pub(crate) struct Asked(pub(crate) Option<Handshake>);

/// A handshake of a client, with what proves that it was understood.
#[derive(Debug)]
pub(crate) struct Handshake(HeaderValue);

impl<S: Sync> FromRequestParts<S> for Asked {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        if !seawall_gateway::is_handshake(parts) {
            return Ok(Self(None));
        }
        let text = |name| parts.headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        let key = text(SEC_WEBSOCKET_KEY).filter(|_| text(SEC_WEBSOCKET_VERSION) == Some(VERSION));
        let accept =
            key.and_then(|key| HeaderValue::from_str(&derive_accept_key(key.trim().as_bytes())).ok());
        match accept {
            Some(accept) => Ok(Self(Some(Handshake(accept)))),
            None => {
                let message = "the websocket's handshake has no Sec-WebSocket-Key, or is not of version 13";
                Err(Problem::input("", message, "use a client of RFC 6455, or server-sent events"))
            }
        }
    }
}

impl Handshake {
    /// The answer. `run` is done once the client has it.
    pub(crate) fn accept<F>(self, run: impl FnOnce(Socket) -> F + Send + 'static) -> Response<Body>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(SEC_WEBSOCKET_ACCEPT, self.0);
        let run: Run = Box::new(|socket| Box::pin(run(socket)));
        response.extensions_mut().insert(Begun(Arc::new(Mutex::new(Some(run)))));
        response
    }
}

/// A websocket that begins once its client has the answer.
#[derive(Clone)]
pub(crate) struct Begun(Arc<Mutex<Option<Run>>>);

impl Begun {
    /// Runs it. `early` is what the client sent right behind its handshake.
    pub(crate) async fn run(self, client: TcpStream, early: Bytes) {
        let run = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(run) = run else { return };
        let limits = WebSocketConfig::default().max_message_size(Some(LONGEST)).max_frame_size(Some(LONGEST));
        let socket =
            WebSocketStream::from_partially_read(client, early.to_vec(), Role::Server, Some(limits)).await;
        run(socket).await;
    }
}

impl fmt::Debug for Begun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Begun")
    }
}
