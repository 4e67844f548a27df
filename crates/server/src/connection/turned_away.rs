//! Answers to what never became a request, and ending their connections so that they arrive.

use std::fmt::Write;
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http::header::CONTENT_LENGTH;
use seawall_gateway::Gateway;
use seawall_types::Code;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long, and how much, is read from a client that was sent away. The kernel resets a connection that is closed over
/// unread bytes, and a reset may overtake the answer.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 4 * 1024 * 1024;

/// The head of a request for `path` did not come to its end in time.
pub(super) fn too_slow(gateway: &Gateway, path: &str) -> Vec<u8> {
    let remedy = "send the headers faster, or raise gateway.timeouts.header_read";
    written(&gateway.refuse_unread(
        path,
        Code::RequestTimeout,
        "the request's headers did not arrive in time",
        remedy,
    ))
}

/// hyper gave up on a head that is too large, has too many lines, or is none.
pub(super) fn unreadable(gateway: &Gateway, path: &str, status: u16) -> Vec<u8> {
    let response = if status == 400 {
        let message = "what came is no HTTP/1.1 request";
        gateway.refuse_unread(
            path,
            Code::BadRequest,
            message,
            "send HTTP/1.1, without TLS and without HTTP/2",
        )
    } else {
        let message = "the request's line and headers are too long, or too many";
        gateway.refuse_unread(
            path,
            Code::HeadersTooLarge,
            message,
            "send fewer or shorter headers, or raise gateway.limits.headers",
        )
    };
    written(&response)
}

/// Sends a client away for whom there is no room.
pub(crate) async fn no_room(mut stream: TcpStream, gateway: &Gateway) {
    let remedy = "try again shortly, or raise gateway.limits.connections";
    let response = gateway.refuse_unread("", Code::Overloaded, "too many connections are open", remedy);
    let answer = written(&response);
    if let Ok(Ok(())) = tokio::time::timeout(LINGER, stream.write_all(&answer)).await {
        linger(stream).await;
    }
}

/// Reads on for a moment after the last word, until the client closes.
pub(super) async fn linger(mut stream: TcpStream) {
    let _shut_already = stream.shutdown().await;
    let read_on = async {
        let mut left = LINGER_BYTES;
        // Not in the future, which every connection carries.
        let mut buffer = vec![0; 4096];
        while left > 0
            && let Ok(read @ 1..) = stream.read(&mut buffer).await
        {
            left = left.saturating_sub(read);
        }
    };
    let _gone_by_itself = tokio::time::timeout(LINGER, read_on).await;
}

/// An answer as it goes over the wire.
fn written(response: &Response<Bytes>) -> Vec<u8> {
    let mut head = String::new();
    let _infallible = write!(head, "HTTP/1.1 {}\r\n", response.status());
    for (name, value) in response.headers() {
        let _infallible = write!(head, "{name}: {}\r\n", value.to_str().unwrap_or_default());
    }
    let _infallible = write!(head, "{CONTENT_LENGTH}: {}\r\n\r\n", response.body().len());
    [head.as_bytes(), response.body()].concat()
}
