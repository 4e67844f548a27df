//! A client: keeps connections alive, reads streams piece by piece, hangs up when told to.
//!
//! For requests and answers as exact bytes there is `raw`.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::format::Format;
use super::raw::Answer;

/// The longest that a test waits for an answer, or for the next piece of one.
const PATIENCE: Duration = Duration::from_secs(30);

/// One request.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    method: Method,
    path: String,
    headers: Vec<(String, String)>,
    body: Bytes,
}

impl Call {
    pub(crate) fn get(path: &str) -> Self {
        Self { method: Method::GET, path: path.to_owned(), headers: Vec::new(), body: Bytes::new() }
    }

    pub(crate) fn post(path: &str, body: impl Into<Bytes>) -> Self {
        Self { method: Method::POST, body: body.into(), ..Self::get(path) }
    }

    /// Says `text` to the model.
    pub(crate) fn say(format: Format, text: &str, stream: bool) -> Self {
        Self::post(format.path(stream), format.body(text, stream))
    }

    /// Says `text` to the model and allows it so many tokens of answer.
    pub(crate) fn say_within(format: Format, text: &str, stream: bool, limit: u64) -> Self {
        Self::post(format.path(stream), format.body_within(text, stream, limit))
    }

    pub(crate) fn with_key(self, key: &str) -> Self {
        self.with(AUTHORIZATION.as_str(), &format!("Bearer {key}"))
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    fn into_request(self, address: SocketAddr) -> Request<Full<Bytes>> {
        let mut request =
            Request::builder().method(self.method).uri(self.path).header(HOST, address.to_string());
        if !self.body.is_empty() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        request.body(Full::new(self.body)).unwrap()
    }
}

/// A connection that is used for one request after the other. Dropped, it hangs up.
pub(crate) struct Connection {
    pub(crate) address: SocketAddr,
    sender: SendRequest<Full<Bytes>>,
    /// What moves the bytes; aborted when dropped, which closes the socket.
    _driver: JoinSet<()>,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
        let mut driver = JoinSet::new();
        driver.spawn(async move {
            let _the_request_tells = connection.await;
        });
        Self { address, sender, _driver: driver }
    }

    /// Sends a request and reads the answer to its end.
    pub(crate) async fn send(&mut self, call: Call) -> Result<Answer, hyper::Error> {
        self.sender.ready().await?;
        let sent = self.sender.send_request(call.into_request(self.address));
        let response = patiently(sent).await?;
        let (head, body) = response.into_parts();
        let (body, complete) = read(body).await;
        Ok(Answer { status: head.status.as_u16(), head: written(&head.headers), body, complete })
    }
}

/// An answer under way. Dropped, it hangs up.
pub(crate) struct Answering {
    pub(crate) status: u16,
    headers: HeaderMap,
    body: Incoming,
    _connection: Connection,
}

impl Answering {
    /// The next piece; `None`: the end, proper or not.
    pub(crate) async fn piece(&mut self) -> Option<Bytes> {
        loop {
            let frame = patiently(self.body.frame()).await?.ok()?;
            if let Ok(data) = frame.into_data() {
                return Some(data);
            }
        }
    }

    /// Reads on until so many bytes came, or the end.
    pub(crate) async fn read_at_least(&mut self, bytes: usize) -> usize {
        let mut seen = 0;
        while seen < bytes {
            let Some(piece) = self.piece().await else { break };
            seen += piece.len();
        }
        seen
    }

    /// Reads the rest.
    pub(crate) async fn rest(self) -> Answer {
        let (body, complete) = read(self.body).await;
        Answer { status: self.status, head: written(&self.headers), body, complete }
    }
}

/// A head as it stands on the wire.
fn written(headers: &HeaderMap) -> String {
    let line =
        |(name, value): (&HeaderName, &HeaderValue)| format!("\r\n{name}: {}", value.to_str().unwrap());
    headers.iter().map(line).collect()
}

async fn patiently<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("an answer in time")
}

async fn read(mut body: Incoming) -> (Vec<u8>, bool) {
    let mut bytes = Vec::new();
    while let Some(frame) = patiently(body.frame()).await {
        let Ok(frame) = frame else { return (bytes, false) };
        bytes.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data));
    }
    (bytes, true)
}

/// One request on a connection of its own, to the head of its answer; an error when there was none.
pub(crate) async fn try_begin(address: SocketAddr, call: Call) -> Result<Answering, hyper::Error> {
    let mut connection = Connection::open(address).await;
    let response = patiently(connection.sender.send_request(call.into_request(address))).await?;
    let (head, body) = response.into_parts();
    Ok(Answering { status: head.status.as_u16(), headers: head.headers, body, _connection: connection })
}

/// One request on a connection of its own, to the head of its answer.
pub(crate) async fn begin(address: SocketAddr, call: Call) -> Answering {
    try_begin(address, call).await.expect("an answer")
}

/// One request on a connection of its own, to the end of its answer.
pub(crate) async fn send(address: SocketAddr, call: Call) -> Answer {
    begin(address, call).await.rest().await
}
