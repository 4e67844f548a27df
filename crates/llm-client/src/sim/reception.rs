//! An answer as HTTP: its head, and its body with the faults that were asked for.

use std::io::Write as _;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::Response;
use http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER, SERVER,
};

use super::answer::{Delivery, GARBAGE_BODY};
use super::body::SimBody;
use super::play::{Player, Step};
use super::refusal::{Provider, Refusal};
use super::scene::{EVENT_STREAM, JSON, Reply};
use super::stats::Flight;

/// An answer that is ready to leave.
pub(crate) struct Reception {
    content_type: &'static str,
    is_gzip: bool,
    body: SimBody,
}

impl Reception {
    /// The answer of a model.
    pub(crate) fn new(
        reply: Reply,
        answer_bytes: u64,
        delivery: &Delivery,
        tokens_per_second: Option<u32>,
    ) -> Self {
        match reply {
            Reply::Whole(bytes) => Self::whole(bytes, answer_bytes, delivery),
            Reply::Stream { content_type, steps } => {
                Self::stream(content_type, steps, delivery, tokens_per_second)
            }
        }
    }

    /// An answer that costs nothing.
    pub(crate) fn json(bytes: Bytes) -> Self {
        Self { content_type: JSON, is_gzip: false, body: SimBody::whole(bytes, 0) }
    }

    /// The bytes as they are: in one frame, or with `sim:chunk` so many in each.
    pub(crate) fn raw(
        bytes: &Bytes,
        is_stream: bool,
        delivery: &Delivery,
        tokens_per_second: Option<u32>,
    ) -> Self {
        let length = delivery.chunk.unwrap_or(bytes.len()).max(1);
        if is_stream || delivery.chunk.is_some() {
            let content_type = if is_stream { EVENT_STREAM } else { JSON };
            let frames = bytes.chunks(length).map(|frame| Step::event(bytes.slice_ref(frame))).collect();
            Self::stream(content_type, frames, delivery, tokens_per_second)
        } else {
            Self::whole(bytes.clone(), 0, delivery)
        }
    }

    fn stream(
        content_type: &'static str,
        steps: Vec<Step>,
        delivery: &Delivery,
        tokens_per_second: Option<u32>,
    ) -> Self {
        let player =
            Player::new(steps, delivery.pace(tokens_per_second), delivery.stream_faults(), delivery.gzip);
        Self { content_type, is_gzip: delivery.gzip, body: SimBody::stream(player) }
    }

    fn whole(bytes: Bytes, answer_bytes: u64, delivery: &Delivery) -> Self {
        let bytes = if delivery.garbage { Bytes::from_static(GARBAGE_BODY) } else { bytes };
        let bytes = if delivery.gzip { deflated(&bytes) } else { bytes };
        let body = if delivery.break_after.is_some() {
            SimBody::half(&bytes)
        } else if delivery.stall_after.is_some() {
            SimBody::stalled()
        } else {
            SimBody::whole(bytes, answer_bytes)
        };
        Self { content_type: JSON, is_gzip: delivery.gzip, body }
    }

    /// The response; `flight` counts what is taken of it.
    pub(crate) fn into_response(self, flight: Flight) -> Response<SimBody> {
        let mut response = Response::new(self.body.counted(flight));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        if self.content_type == EVENT_STREAM {
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        }
        if self.is_gzip {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        response
    }
}

fn deflated(bytes: &[u8]) -> Bytes {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    // Compressing into memory does not fail.
    let _ = gzip.write_all(bytes);
    gzip.finish().map(Bytes::from).unwrap_or_default()
}

/// A refusal as a response.
pub(crate) fn refused(refusal: &Refusal, provider: Provider, request_id: &str) -> Response<SimBody> {
    let mut response = Response::new(SimBody::free(refusal.body(provider, request_id)));
    *response.status_mut() = refusal.status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
    if let Some(seconds) = refusal.retry_after.as_ref().and_then(|seconds| seconds.parse().ok()) {
        response.headers_mut().insert(RETRY_AFTER, seconds);
    }
    response
}

/// The providers name their requests, each in its own header.
pub(crate) fn name_request(headers: &mut HeaderMap, provider: Provider, request_id: &str) {
    let name = match provider {
        Provider::OpenAi | Provider::Gemini => "x-request-id",
        Provider::Anthropic => "request-id",
    };
    if let Ok(value) = HeaderValue::from_str(request_id) {
        headers.insert(name, value);
    }
    headers.insert(SERVER, HeaderValue::from_static("seawall-sim"));
}
