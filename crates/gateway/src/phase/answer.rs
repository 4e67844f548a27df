//! Answer: what the upstream says goes to the client: a stream event by event, a JSON answer whole (so that its cost
//! stands in the headers), everything else as it comes.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, Response};
use http_body_util::BodyExt;
use seawall_llm::answer::{Answer, read_answer};
use seawall_llm_client::{AnswerBody, Upstream};
use seawall_types::Code;
use tokio::time::Instant;

use super::{Payload, put};
use crate::inflate::{Encoding, StreamInflater};
use crate::memory::Share;
use crate::meter::{Ending, Meter};
use crate::pump::{Pump, Timers};
use crate::refusal::Refusal;
use crate::through::Through;
use crate::{Gateway, GatewayBody, Settings, header};

/// Answers the client. An error gives the meter back when nothing was settled, so that another upstream may be tried.
#[expect(
    clippy::too_many_arguments,
    reason = "the last phase joins what the others made; each argument is one of them"
)]
pub(super) async fn answer(
    gateway: &Gateway,
    settings: &Settings,
    upstream: &Arc<Upstream>,
    payload: &mut Payload,
    response: Response<AnswerBody>,
    meter: Meter,
    strip_usage: bool,
    end: Instant,
) -> Result<Response<GatewayBody>, (Option<Meter>, Refusal)> {
    meter.observe_overhead();
    let status = response.status();
    let kind = Kind::of(&response, &meter);
    let (parts, body) = response.into_parts();
    let idle = upstream.settings.timeouts.idle;
    match kind {
        Kind::Events => {
            let inflater = match inflater(&parts.headers) {
                Ok(inflater) => inflater,
                Err(refusal) => return Err((Some(meter), refusal)),
            };
            let memory = std::mem::replace(&mut payload.memory, gateway.memory().share());
            let headers = header::towards_client(&parts.headers, false);
            let pump = Pump::new(body, inflater, strip_usage, meter, Timers::new(idle, end), memory);
            let pump = Box::new(pump).prime().await?;
            Ok(respond(status, headers, GatewayBody::Events(pump)))
        }
        Kind::Json => whole(gateway, settings, parts, body, meter, idle, end).await,
        Kind::Bytes => Ok(through(parts, body, meter, idle, end, gateway.memory().share())),
    }
}

/// Passes an answer on as it is: one that is an error, or that nothing better came after.
pub(super) fn pass_on(
    response: Response<AnswerBody>,
    meter: Meter,
    _settings: &Settings,
    end: Instant,
) -> Response<GatewayBody> {
    let (parts, body) = response.into_parts();
    let memory = meter.gateway().memory().share();
    through(parts, body, meter, std::time::Duration::from_secs(60), end, memory)
}

enum Kind {
    Events,
    Json,
    Bytes,
}

impl Kind {
    fn of(response: &Response<AnswerBody>, meter: &Meter) -> Self {
        let content_type =
            response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
        let accepted = meter.accepted();
        if !response.status().is_success() || !accepted.wire.is_metered() {
            return Self::Bytes;
        }
        match content_type.split(';').next().unwrap_or("").trim() {
            "text/event-stream" => Self::Events,
            // Gemini streams a JSON array, element by element, unless asked for events.
            "application/json" if accepted.wire == seawall_llm::wire::Wire::GeminiStream => Self::Bytes,
            "application/json" => Self::Json,
            _ => Self::Bytes,
        }
    }
}

fn encoding(headers: &HeaderMap) -> Result<Option<Encoding>, Refusal> {
    let Some(value) = headers.get(CONTENT_ENCODING) else { return Ok(None) };
    match value.to_str().unwrap_or("") {
        name if name.eq_ignore_ascii_case("identity") => Ok(None),
        name => Encoding::named(name)
            .map(Some)
            .ok_or_else(|| unreadable(&format!("its encoding {name:?} is not known here"))),
    }
}

fn inflater(headers: &HeaderMap) -> Result<Option<StreamInflater>, Refusal> {
    let Some(encoding) = encoding(headers)? else { return Ok(None) };
    StreamInflater::new(encoding).map(Some).map_err(|error| unreadable(&error.to_string()))
}

/// A JSON answer: read whole, so that its usage is known before the first byte goes to the client.
async fn whole(
    gateway: &Gateway,
    settings: &Settings,
    parts: http::response::Parts,
    mut body: AnswerBody,
    mut meter: Meter,
    idle: std::time::Duration,
    end: Instant,
) -> Result<Response<GatewayBody>, (Option<Meter>, Refusal)> {
    let mut memory = gateway.memory().share();
    let mut seen = Answer::default();
    let bytes = match collect(&mut body, settings, &mut memory, idle, end, &mut seen.output_bytes).await {
        Ok(bytes) => bytes,
        Err(refusal) => return Err((None, settle_cut(meter, &seen, refusal))),
    };
    let text = match encoding(&parts.headers) {
        Ok(None) => bytes.clone(),
        Ok(Some(encoding)) => match encoding.inflate(&bytes, settings.limits.inflated_body) {
            Ok(text) => text,
            Err(error) => return Err((None, settle_cut(meter, &seen, unreadable(&error.to_string())))),
        },
        Err(refusal) => return Err((None, settle_cut(meter, &seen, refusal))),
    };
    if serde_json::from_slice::<serde::de::IgnoredAny>(&text).is_err() {
        return Err((None, settle_cut(meter, &seen, unreadable("it is not JSON"))));
    }
    let answer = read_answer(meter.accepted().wire, &text);
    meter.saw(&answer);
    let mut headers = header::towards_client(&parts.headers, false);
    put(&mut headers, header::COST, &meter.cost_so_far(Ending::Complete).to_string());
    meter.finish(parts.status.as_u16(), Ending::Complete);
    Ok(respond(parts.status, headers, GatewayBody::full(text)))
}

/// The answer broke off or can't be read: what was seen of it is charged.
fn settle_cut(mut meter: Meter, seen: &Answer, refusal: Refusal) -> Refusal {
    meter.saw(seen);
    meter.finish(refusal.denial.code.http_status(), Ending::Cut);
    refusal
}

async fn collect(
    body: &mut AnswerBody,
    settings: &Settings,
    memory: &mut Share,
    idle: std::time::Duration,
    end: Instant,
    seen: &mut u64,
) -> Result<Bytes, Refusal> {
    let mut first: Option<Bytes> = None;
    let mut rest = BytesMut::new();
    loop {
        let until = (Instant::now() + idle).min(end);
        let frame = match tokio::time::timeout_at(until, body.frame()).await {
            Err(_elapsed) => {
                let message = "the upstream fell silent in the middle of its answer";
                return Err(Refusal::new(
                    Code::UpstreamTimeout,
                    message,
                    "try again, or raise the upstream's time-outs",
                ));
            }
            Ok(None) => break,
            Ok(Some(Err(error))) => return Err(unreadable(&error.to_string())),
            Ok(Some(Ok(frame))) => frame,
        };
        let Ok(chunk) = frame.into_data() else { continue };
        *seen += chunk.len() as u64;
        if !memory.take(chunk.len(), settings.limits.buffer) {
            let message = "the answer is larger than the memory that is left for bodies";
            return Err(Refusal::new(Code::Overloaded, message, "raise gateway.limits.buffer"));
        }
        match &first {
            None => first = Some(chunk),
            Some(_) => rest.extend_from_slice(&chunk),
        }
    }
    Ok(match first {
        None => Bytes::new(),
        Some(first) if rest.is_empty() => first,
        Some(first) => [first, rest.freeze()].concat().into(),
    })
}

fn through(
    parts: http::response::Parts,
    body: AnswerBody,
    meter: Meter,
    idle: std::time::Duration,
    end: Instant,
    memory: Share,
) -> Response<GatewayBody> {
    let headers = header::towards_client(&parts.headers, true);
    let through = Through::new(body, meter, parts.status.as_u16(), Timers::new(idle, end), memory);
    respond(parts.status, headers, GatewayBody::Through(Box::new(through)))
}

fn respond(status: http::StatusCode, headers: HeaderMap, body: GatewayBody) -> Response<GatewayBody> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

fn unreadable(reason: &str) -> Refusal {
    Refusal::new(Code::UpstreamBroken, format!("the upstream's answer can't be read: {reason}"), "try again")
}
