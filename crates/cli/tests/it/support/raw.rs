//! HTTP/1.1 by hand: requests as exact bytes, answers read to their end, with whether they had one.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The longest that a test waits for an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Names and values of the header lines of a head.
pub(crate) fn fields(head: &str) -> impl Iterator<Item = (&str, &str)> {
    head.lines().skip(1).filter_map(|line| line.split_once(':')).map(|(name, value)| (name, value.trim()))
}

/// A request with its length.
pub(crate) fn request(method: &str, path: &str, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let fields: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = if body.is_empty() { String::new() } else { format!("content-length: {}\r\n", body.len()) };
    let mut bytes = format!("{method} {path} HTTP/1.1\r\nhost: seawall\r\n{fields}{length}\r\n").into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// A JSON request.
pub(crate) fn post(path: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    request("POST", path, &[("content-type", "application/json")], body)
}

pub(crate) fn get(path: &str) -> Vec<u8> {
    request("GET", path, &[], "")
}

/// An answer.
#[derive(Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    /// Without chunks.
    pub(crate) body: Vec<u8>,
    /// It came to its end: all of its length, or the last chunk.
    pub(crate) complete: bool,
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { head, body, complete, .. } = self;
        write!(f, "{head}\n\n{}\n(complete: {complete})", String::from_utf8_lossy(body))
    }
}

impl Answer {
    pub(crate) fn headers(&self, name: &str) -> Vec<&str> {
        fields(&self.head)
            .filter(|(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
            .collect()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers(name).first().copied()
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("an answer in UTF-8")
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn retry_after(&self) -> Option<u64> {
        self.header("retry-after").map(|seconds| seconds.parse().expect("whole seconds"))
    }
}

/// A connection of a client.
pub(crate) struct Connection {
    pub(crate) stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, buffer: Vec::new() }
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Sends as much as the server takes: it may answer and close before it has read everything.
    pub(crate) async fn send_what_is_taken(&mut self, bytes: impl AsRef<[u8]>) {
        let _closed_early = self.stream.write_all(bytes.as_ref()).await;
    }

    /// The next answer; to a `HEAD` none has a body. `None`: the connection ended without one.
    pub(crate) async fn answer_to(&mut self, method: &str) -> Option<Answer> {
        let reading = read_answer(&mut self.stream, &mut self.buffer, method);
        tokio::time::timeout(PATIENCE, reading).await.expect("an answer in time")
    }

    pub(crate) async fn answer(&mut self) -> Answer {
        self.answer_to("POST").await.expect("an answer before the end of the connection")
    }

    /// Reads on until `wanted` came, and gives everything that came so far.
    pub(crate) async fn read_until(&mut self, wanted: &str) -> String {
        let reading = async {
            while !String::from_utf8_lossy(&self.buffer).contains(wanted) {
                assert_ne!(
                    self.stream.read_buf(&mut self.buffer).await.unwrap_or(0),
                    0,
                    "ended before {wanted:?}"
                );
            }
            String::from_utf8_lossy(&self.buffer).into_owned()
        };
        tokio::time::timeout(PATIENCE, reading).await.unwrap_or_else(|_| panic!("no {wanted:?} in time"))
    }

    /// Whether the server has closed the connection, at once or within the patience of a test.
    pub(crate) async fn is_closed(&mut self) -> bool {
        let mut rest = Vec::new();
        let end = tokio::time::timeout(PATIENCE, self.stream.read_to_end(&mut rest)).await;
        end.is_ok() && rest.is_empty()
    }
}

/// One request on a connection of its own.
pub(crate) async fn exchange(address: SocketAddr, request: impl AsRef<[u8]>) -> Answer {
    let request = request.as_ref();
    let method = String::from_utf8_lossy(request.split(|byte| *byte == b' ').next().unwrap()).into_owned();
    let mut connection = Connection::open(address).await;
    connection.send(request).await;
    connection.answer_to(&method).await.expect("an answer")
}

async fn read_answer(stream: &mut TcpStream, buffer: &mut Vec<u8>, method: &str) -> Option<Answer> {
    let head = loop {
        let head = read_head(stream, buffer).await?;
        if !head.starts_with("HTTP/1.1 100") {
            break head;
        }
    };
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let bodiless = method == "HEAD" || matches!(status, 204 | 304);
    let (body, complete) =
        if bodiless { (Vec::new(), true) } else { read_body(stream, buffer, &head, true).await };
    Some(Answer { status, head, body, complete })
}

/// The head and the whole body of a request. `None`: the peer left before that.
pub(crate) async fn read_message(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<(String, Vec<u8>)> {
    let head = read_head(stream, buffer).await?;
    let (body, complete) = read_body(stream, buffer, &head, false).await;
    complete.then_some((head, body))
}

async fn read_head(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<String> {
    loop {
        if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
            buffer.drain(..end + 4);
            return Some(head);
        }
        if !more(stream, buffer).await {
            return None;
        }
    }
}

async fn more(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> bool {
    matches!(stream.read_buf(buffer).await, Ok(1..))
}

/// The body, and whether it came to its end. `to_the_end`: one without a length lasts as long as the connection.
async fn read_body(
    stream: &mut TcpStream,
    buffer: &mut Vec<u8>,
    head: &str,
    to_the_end: bool,
) -> (Vec<u8>, bool) {
    let field =
        |name: &str| fields(head).find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value);
    if field("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
        return read_chunks(stream, buffer).await;
    }
    if let Some(length) = field("content-length") {
        let length: usize = length.parse().unwrap();
        let complete = fill(stream, buffer, length).await;
        let taken = length.min(buffer.len());
        return (buffer.drain(..taken).collect(), complete);
    }
    if to_the_end {
        while more(stream, buffer).await {}
        return (std::mem::take(buffer), true);
    }
    (Vec::new(), true)
}

async fn fill(stream: &mut TcpStream, buffer: &mut Vec<u8>, length: usize) -> bool {
    while buffer.len() < length {
        if !more(stream, buffer).await {
            return false;
        }
    }
    true
}

async fn read_chunks(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    loop {
        let Some(line) = read_line(stream, buffer).await else { return (body, false) };
        let size = usize::from_str_radix(line.split(';').next().unwrap().trim(), 16).unwrap();
        if size == 0 {
            // Trailers, up to an empty line.
            loop {
                match read_line(stream, buffer).await {
                    Some(line) if line.is_empty() => return (body, true),
                    Some(_trailer) => {}
                    None => return (body, false),
                }
            }
        }
        let complete = fill(stream, buffer, size + 2).await;
        let taken = size.min(buffer.len());
        body.extend(buffer.drain(..taken));
        if !complete {
            return (body, false);
        }
        buffer.drain(..2);
    }
}

async fn read_line(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<String> {
    loop {
        if let Some(end) = buffer.windows(2).position(|window| window == b"\r\n") {
            let line = String::from_utf8_lossy(&buffer[..end]).into_owned();
            buffer.drain(..end + 2);
            return Some(line);
        }
        if !more(stream, buffer).await {
            return None;
        }
    }
}
