//! Stands between a client and a real provider, and records what passes.
//!
//! It changes nothing that matters: the client's credentials go to the provider (and not into the cassette), the body goes
//! as it came. It is no gateway: no budget, no policy, no trace, one upstream.

use std::fmt;

use bytes::Bytes;
use http::header::{
    ACCEPT_ENCODING, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, TE,
    TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt as _, Either, Full, Limited};
use seawall_llm::wire::{Dialect, endpoint};
use seawall_llm::{WireError, error_body};
use seawall_types::Code;
use tokio::time::Instant;

use super::{Recorder, Recording};
use crate::{AnswerBody, Dispatch, Upstream};

/// A request that is longer is refused: no provider takes one.
const LIMIT: usize = 128 * 1024 * 1024;

/// What holds for one connection alone, and is made anew for the next.
const HOP_BY_HOP: [HeaderName; 9] = [
    CONNECTION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    HOST,
    CONTENT_LENGTH,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// An answer of the provider as it is recorded, or the relay's own word that there is none.
pub type RelayBody = Either<Recording<AnswerBody>, Full<Bytes>>;

/// Passes requests on to one provider and records the exchanges.
#[derive(Debug)]
pub struct Relay {
    recorder: Recorder,
    upstream: Upstream,
}

impl Relay {
    /// A relay to `upstream`, which should pass the caller's credentials through.
    #[must_use]
    pub const fn new(recorder: Recorder, upstream: Upstream) -> Self {
        Self { recorder, upstream }
    }

    /// The recorder: its file names the cassette.
    #[must_use]
    pub const fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    /// Passes one request on. What keeps it from being answered is an answer too, in the shape of the provider.
    pub async fn call<B>(&self, request: Request<B>) -> Response<RelayBody>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (mut head, body) = request.into_parts();
        let dialect = endpoint(head.uri.path()).map_or(Dialect::OpenAi, |endpoint| endpoint.dialect);
        let body = match Limited::new(body, LIMIT).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) => return refused(dialect, Code::BadRequest, &error, "send the whole body"),
        };
        make_anew(&mut head.headers);
        // Credentials in a compressed answer could not be found.
        head.headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let sent = Request::from_parts(head.clone(), body.clone());
        let until = Instant::now() + self.upstream.settings.timeouts.total;
        let (mut answered, answer) =
            match self.upstream.send(0, dialect, sent, until, &Dispatch::default()).await {
                Ok(response) => response.into_parts(),
                Err(error) => {
                    return refused(
                        dialect,
                        Code::UpstreamUnreachable,
                        &error,
                        "check the URL given to --record",
                    );
                }
            };
        make_anew(&mut answered.headers);
        let recording = self.recorder.record(&head, &body, &answered, answer);
        Response::from_parts(answered, Either::Left(recording))
    }
}

fn make_anew(headers: &mut HeaderMap) {
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
}

fn refused(dialect: Dialect, code: Code, error: &dyn fmt::Display, remedy: &str) -> Response<RelayBody> {
    let error = WireError {
        status: code.http_status(),
        code,
        message: error.to_string().into(),
        remedy,
        extra: serde_json::Map::new(),
    };
    let mut response = Response::new(Either::Right(Full::new(error_body(dialect, &error))));
    *response.status_mut() = StatusCode::from_u16(error.status).unwrap_or(StatusCode::BAD_GATEWAY);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
