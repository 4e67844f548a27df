//! A stand-in for an upstream: fixed answers in the shape of a chat completion, made at next to no cost.
//!
//! What it answers stands in the prompt, since that reaches it through any gateway: `bench:stream=EVENTS,GAP_US` for a
//! stream, anything else for one JSON document. It checks nothing and holds no conversation.

mod answer;
mod stream;

use std::cell::Cell;
use std::convert::Infallible;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Either, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde::Serialize;
use tokio::net::{TcpListener, TcpStream};

use stream::Events;

type Body = Either<Full<Bytes>, Events>;

/// What has arrived so far, as `GET /stats` tells it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// Calls.
    pub requests: u64,
    /// Those of them that were answered by a stream.
    pub streams: u64,
    /// Bytes of their bodies.
    pub bytes: u64,
}

/// Answers on every connection of `listener` until accepting fails for good. Must run on a [`tokio::task::LocalSet`].
///
/// # Errors
/// When connections can no longer be accepted.
pub async fn serve(listener: TcpListener) -> std::io::Result<()> {
    let stats = Rc::new(Cell::new(Stats::default()));
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::task::spawn_local(connection(stream, Rc::clone(&stats)));
    }
}

async fn connection(stream: TcpStream, stats: Rc<Cell<Stats>>) {
    let service = service_fn(move |request| {
        let stats = Rc::clone(&stats);
        async move { Ok::<_, Infallible>(respond(request, &stats).await) }
    });
    let served = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
    // A client that hangs up in the middle is what some of the measurements do.
    let _hung_up = served;
}

async fn respond(request: Request<Incoming>, stats: &Cell<Stats>) -> Response<Body> {
    if request.method() != Method::POST {
        let told = serde_json::to_vec(&stats.get()).unwrap_or_default();
        return json(told.into());
    }
    let body =
        request.into_body().collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let wanted = Wanted::read(&body);
    let Stats { requests, streams, bytes } = stats.get();
    stats.set(Stats {
        requests: requests + 1,
        streams: streams + u64::from(wanted.is_some()),
        bytes: bytes + body.len() as u64,
    });
    match wanted {
        None => json(Bytes::from_static(answer::document())),
        Some(wanted) => {
            let mut response = Response::new(Either::Right(Events::new(wanted)));
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
            response
        }
    }
}

fn json(document: Bytes) -> Response<Body> {
    let mut response = Response::new(Either::Left(Full::new(document)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// The stream that a prompt asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Wanted {
    events: u32,
    gap: Duration,
    /// `stream_options.include_usage`: usage in an event of its own, and `"usage":null` in all others.
    usage: bool,
}

impl Wanted {
    fn read(body: &[u8]) -> Option<Self> {
        const DIRECTIVE: &[u8] = b"bench:stream=";
        let at = memchr::memmem::find(body, DIRECTIVE)? + DIRECTIVE.len();
        let (events, rest) = number(body.get(at..)?)?;
        let (gap, _) = number(rest.strip_prefix(b",")?)?;
        let usage = memchr::memmem::find(body, b"\"include_usage\"").is_some();
        Some(Self { events: u32::try_from(events).ok()?, gap: Duration::from_micros(gap), usage })
    }
}

/// The decimal number at the beginning of a text, and what follows it.
fn number(text: &[u8]) -> Option<(u64, &[u8])> {
    let end = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    Some((std::str::from_utf8(digits).ok()?.parse().ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_what_the_prompt_says() {
        let body = br#"{"stream_options":{"include_usage":true},"messages":[{"content":"bench:stream=500,10000 more"}]}"#;
        let wanted = Wanted { events: 500, gap: Duration::from_millis(10), usage: true };
        assert_eq!(Wanted::read(body), Some(wanted));
    }

    #[test]
    fn a_prompt_that_asks_for_no_stream_gets_none() {
        for body in ["{}", "bench:stream=", "bench:stream=5", "bench:stream=5,", "bench:stream=99999999999,1"]
        {
            assert_eq!(Wanted::read(body.as_bytes()), None, "{body}");
        }
    }
}
