use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use http_body_util::BodyExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::{Http1Body, Pool};
use crate::{Dispatch, SendError};

/// An upstream that does what the test says, and a pool of connections to it.
struct Stage {
    listener: TcpListener,
    pool: Pool,
}

impl Stage {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self { listener, pool: Pool::new(Duration::from_secs(5)) }
    }

    async fn send(&self, body: &'static [u8]) -> Result<Response<Http1Body>, SendError> {
        let address = format!("http://{}/", self.listener.local_addr().unwrap()).parse().unwrap();
        let request = Request::post("/ignored").body(Bytes::from_static(body)).unwrap();
        let host = HeaderValue::from_static("here");
        self.pool.send(&address, &host, "/v1/x", request, &Dispatch::default()).await
    }

    /// Sends a request, which comes in on a new connection and is answered with these bytes.
    async fn exchange(&self, answer: &str) -> (Response<Http1Body>, TcpStream) {
        let (response, stream) = tokio::join!(self.send(b"hello"), async {
            let (mut stream, _) = self.listener.accept().await.unwrap();
            answer_one(&mut stream, answer).await;
            stream
        });
        (response.unwrap(), stream)
    }

    /// Sends a request, which comes in on this connection.
    async fn exchange_again(&self, stream: &mut TcpStream, answer: &str) -> Response<Http1Body> {
        tokio::join!(self.send(b"hello"), answer_one(stream, answer)).0.unwrap()
    }
}

async fn answer_one(stream: &mut TcpStream, answer: &str) {
    let mut request = vec![0; 59];
    stream.read_exact(&mut request).await.unwrap();
    let expected = "POST /v1/x HTTP/1.1\r\nhost: here\r\ncontent-length: 5\r\n\r\nhello";
    assert_eq!(String::from_utf8(request).unwrap(), expected);
    stream.write_all(answer.as_bytes()).await.unwrap();
}

/// Waits until the ends of all connections have come in.
async fn until_empty(pool: &Pool) {
    let emptied = async {
        while !pool.is_empty() {
            pool.sweep();
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), emptied).await.unwrap();
}

async fn read(response: Response<Http1Body>) -> Result<String, String> {
    let body = response.into_body().collect().await.map_err(|error| error.to_string())?;
    Ok(String::from_utf8(body.to_bytes().to_vec()).unwrap())
}

const WHOLE: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const CHUNKED: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";

#[tokio::test]
async fn a_connection_carries_one_request_after_the_other() {
    let stage = Stage::new().await;
    let (first, mut stream) = stage.exchange(WHOLE).await;
    assert_eq!(read(first).await.unwrap(), "ok");
    for answer in [CHUNKED, WHOLE, "HTTP/1.1 204 No Content\r\n\r\n", CHUNKED] {
        let response = stage.exchange_again(&mut stream, answer).await;
        let body = if response.status() == 204 { "" } else { "ok" };
        assert_eq!(read(response).await.unwrap(), body);
    }
}

#[tokio::test]
async fn an_answer_that_is_dropped_closes_its_connection() {
    let stage = Stage::new().await;
    let (response, mut stream) =
        stage.exchange("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n").await;
    drop(response);
    assert_eq!(stream.read(&mut [0]).await.unwrap(), 0, "the upstream hears that nobody waits");
}

#[tokio::test]
async fn a_request_that_is_given_up_closes_its_connection() {
    let stage = Stage::new().await;
    let mut stream = tokio::select! {
        answered = stage.send(b"hello") => panic!("nobody answered: {answered:?}"),
        stream = async {
            let (mut stream, _) = stage.listener.accept().await.unwrap();
            stream.read_exact(&mut [0; 59]).await.unwrap();
            stream
        } => stream,
    };
    assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
}

#[tokio::test]
async fn what_was_closed_or_said_too_much_is_not_used_again() {
    for beyond in ["", "HTTP/1.1 200 OK\r\n"] {
        let stage = Stage::new().await;
        let (first, mut stream) = stage.exchange(WHOLE).await;
        assert_eq!(read(first).await.unwrap(), "ok");
        stream.write_all(beyond.as_bytes()).await.unwrap();
        drop(stream);
        until_empty(&stage.pool).await;
        let (second, _stream) = stage.exchange(WHOLE).await;
        assert_eq!(read(second).await.unwrap(), "ok");
    }
}

#[tokio::test]
async fn a_connection_that_is_to_be_closed_is_not_used_again() {
    for head in ["HTTP/1.1 200 OK\r\nconnection: close\r\n", "HTTP/1.0 200 OK\r\n"] {
        let stage = Stage::new().await;
        let (first, mut stream) = stage.exchange(&format!("{head}content-length: 2\r\n\r\nok")).await;
        assert_eq!(read(first).await.unwrap(), "ok");
        assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
    }
}

#[tokio::test]
async fn an_answer_that_ends_too_soon_is_an_error() {
    for (answer, expected) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nok", "it was closed in the middle of the answer"),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n",
            "it was closed in the middle of the answer",
        ),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
            "what came is no HTTP: the size of a chunk is no number",
        ),
    ] {
        let stage = Stage::new().await;
        let (response, stream) = stage.exchange(answer).await;
        drop(stream);
        assert_eq!(read(response).await.unwrap_err(), expected);
    }
}

#[tokio::test]
async fn without_a_length_the_end_of_the_connection_is_the_end() {
    let stage = Stage::new().await;
    let (response, stream) = stage.exchange("HTTP/1.1 200 OK\r\n\r\nall of it").await;
    drop(stream);
    assert_eq!(read(response).await.unwrap(), "all of it");
    assert!(stage.pool.is_empty(), "its connection is gone");
}

#[tokio::test]
async fn an_upstream_that_hangs_up_or_speaks_something_else_is_broken() {
    for (answer, expected) in [
        ("", "it was closed before an answer began"),
        ("HTTP/1.1 200", "it was closed in the middle of the answer"),
        ("SSH-2.0-x\r\n\r\n", "what came is no HTTP: its head can't be read"),
    ] {
        let stage = Stage::new().await;
        let (sent, ()) = tokio::join!(stage.send(b"hello"), async {
            let (mut stream, _) = stage.listener.accept().await.unwrap();
            answer_one(&mut stream, answer).await;
        });
        match sent {
            Err(SendError::Broken(reason)) => assert_eq!(reason, expected),
            other => panic!("{answer:?}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn an_answer_that_comes_before_the_request_is_sent_is_taken() {
    static LARGE: [u8; 16 << 20] = [b'x'; 16 << 20];
    let stage = Stage::new().await;
    let (sent, mut stream) = tokio::join!(stage.send(&LARGE), async {
        let (mut stream, _) = stage.listener.accept().await.unwrap();
        stream.read_exact(&mut [0; 59]).await.unwrap();
        stream.write_all(b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno").await.unwrap();
        stream
    });
    let response = sent.unwrap();
    assert_eq!(response.status(), 413);
    assert_eq!(read(response).await.unwrap(), "no");
    // The rest of the request would be the next one: the connection ends instead.
    let mut rest = Vec::new();
    assert!(stream.read_to_end(&mut rest).await.is_err() || rest.len() < LARGE.len());
}

#[tokio::test]
async fn an_upstream_may_answer_while_it_reads() {
    static LARGE: [u8; 16 << 20] = [b'x'; 16 << 20];
    let stage = Stage::new().await;
    let (read, mut stream) = tokio::join!(async { read(stage.send(&LARGE).await.unwrap()).await }, async {
        let (mut stream, _) = stage.listener.accept().await.unwrap();
        stream.read_exact(&mut [0; 59]).await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n").await.unwrap();
        // The head of the request is longer by three digits of its length, which were read with what follows.
        let head = "POST /v1/x HTTP/1.1\r\nhost: here\r\ncontent-length: 16777216\r\n\r\n".len();
        let mut rest = vec![0; LARGE.len() + head - 59];
        stream.read_exact(&mut rest).await.unwrap();
        stream.write_all(b"ok").await.unwrap();
        stream
    });
    assert_eq!(read.unwrap(), "ok");
    let again = stage.exchange_again(&mut stream, WHOLE).await;
    assert_eq!(again.status(), 200, "the connection is as good as new");
}

#[tokio::test]
async fn an_answer_that_is_dropped_unread_but_has_come_whole_leaves_its_connection() {
    let stage = Stage::new().await;
    let (response, mut stream) = stage.exchange(CHUNKED).await;
    drop(response);
    let again = stage.exchange_again(&mut stream, WHOLE).await;
    assert_eq!(read(again).await.unwrap(), "ok");
}

#[tokio::test]
async fn many_connections_that_were_closed_are_all_passed_over() {
    // More than a task may poll in one turn.
    const MANY: usize = 300;
    let stage = Stage::new().await;
    let mut answers = Vec::new();
    for _ in 0..MANY {
        answers.push(stage.exchange(WHOLE).await);
    }
    let streams: Vec<TcpStream> = answers.into_iter().map(|(_answer, stream)| stream).collect();
    drop(streams);
    until_empty(&stage.pool).await;
    let (response, _stream) = stage.exchange(WHOLE).await;
    assert_eq!(read(response).await.unwrap(), "ok");
}

#[tokio::test]
async fn an_absent_upstream_is_told() {
    let Stage { listener, pool } = Stage::new().await;
    let address = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    drop(listener);
    let dispatch = Dispatch::default();
    let host = HeaderValue::from_static("here");
    let sent = pool.send(&address, &host, "/", Request::new(Bytes::new()), &dispatch).await;
    assert!(matches!(sent, Err(SendError::Connect(_))), "{sent:?}");
    assert!(!dispatch.has_begun(), "nothing has gone out");
}
