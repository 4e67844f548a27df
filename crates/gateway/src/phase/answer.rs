//! Answer: what the upstream says goes to the client: a stream event by event, a JSON answer whole (so that its cost
//! stands in the headers), everything else as it comes.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::response::Parts;
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body_util::BodyExt;
use seawall_llm::answer::{Answer, read_json_answer, transcribe_json_answer};
use seawall_llm::json::JsonErrorKind;
use seawall_llm::wire::{Billing, Wire};
use seawall_llm_client::AnswerBody;
use seawall_policy::Policy;
use seawall_types::{Actor, Code, Usd, Verdict};
use tokio::time::Instant;

use super::Payload;
use super::read::Gathered;
use crate::cache::{Kept, Recorder};
use crate::inflate::{Encoding, StreamInflater};
use crate::meter::{Ending, Meter};
use crate::people::Asker;
use crate::pump::Pump;
use crate::refusal::Refusal;
use crate::screening::{self, PolicyJudge, Screened};
use crate::through::Through;
use crate::timers::Timers;
use crate::told::Told;
use crate::tunnel::{self, Tunnel};
use crate::{Gateway, GatewayBody, Settings, header, websocket};
use seawall_base::memory::Share;

/// How an answer is to be passed on.
pub(super) struct Answering<'a> {
    pub(super) gateway: &'a Gateway,
    pub(super) settings: &'a Settings,
    /// By what the answer is judged on its way.
    pub(super) policy: Arc<Policy>,
    /// On whose behalf it was asked for.
    pub(super) actor: Arc<Actor>,
    /// The longest silence between two pieces of it.
    pub(super) idle: Duration,
    /// When it must be over.
    pub(super) end: Instant,
    /// The usage in the stream is there because we asked for it.
    pub(super) strip_usage: bool,
}

/// What did not work out. The meter comes back when nothing was settled, so that another upstream may be tried.
type Unanswered = (Option<Box<Meter>>, Refusal);

impl Answering<'_> {
    /// Answers the client. A stream keeps what the request's body takes of the memory for all of them.
    pub(super) async fn answer(
        &self,
        payload: &mut Payload,
        response: Response<AnswerBody>,
        meter: Box<Meter>,
    ) -> Result<Response<GatewayBody>, Unanswered> {
        meter.observe_overhead();
        let judge = self.judge(&response, &meter);
        let kind = Kind::of(&response, &meter, judge.is_some());
        if let Kind::Websocket = kind {
            return match self.room_for_websocket(&meter) {
                Ok(memory) => Ok(self.websocket(response, meter, memory)),
                Err(refusal) => Err((Some(meter), refusal)),
            };
        }
        let (parts, body) = response.into_parts();
        match kind {
            Kind::Events => {
                let memory = std::mem::replace(&mut payload.memory, self.gateway.memory().share());
                self.events(parts, body, meter, memory, judge).await
            }
            Kind::Json => self.whole(parts, body, meter, judge).await,
            Kind::Bytes | Kind::Websocket => Ok(self.through(parts, body, meter)),
        }
    }

    /// Passes an answer on as it is: one that is an error, or that nothing better came after.
    pub(super) fn pass_on(&self, response: Response<AnswerBody>, meter: Box<Meter>) -> Response<GatewayBody> {
        let (parts, body) = response.into_parts();
        self.through(parts, body, meter)
    }

    /// A stream: event by event.
    async fn events(
        &self,
        parts: Parts,
        body: AnswerBody,
        mut meter: Box<Meter>,
        memory: Share,
        judge: Option<PolicyJudge>,
    ) -> Result<Response<GatewayBody>, Unanswered> {
        let inflater = match inflater(&parts.headers) {
            Ok(inflater) => inflater,
            Err(refusal) => return Err((Some(meter), refusal)),
        };
        let timers = Timers::new(self.idle, self.end);
        let recorder = self.recorder(&parts, &mut meter);
        let screened = judge.map(|judge| self.screened(&meter, judge));
        let pump = Pump::new(body, inflater, self.strip_usage, meter, timers, memory)
            .recorded(recorder)
            .screened(screened);
        let mut pump = Box::new(pump).prime().await?;
        pump.begin();
        let headers = header::towards_client(parts.headers, false);
        Ok(respond(parts.status, headers, GatewayBody::Events(Some(pump))))
    }

    /// Who judges the answer, where there is something to look for. An error of the provider's is nothing that a model said.
    fn judge(&self, response: &Response<AnswerBody>, meter: &Meter) -> Option<PolicyJudge> {
        let says_something = response.status().is_success() && meter.accepted().wire.has_output();
        if !says_something {
            return None;
        }
        let judge =
            PolicyJudge::by(&self.policy, &self.actor, meter.accepted().run, self.settings.tool_denied);
        let is_own = meter.accepted().within.is_some();
        judge.map(|judge| judge.asking(self.gateway.people().is_some() && !is_own).leaving_calls(is_own))
    }

    /// What stands between the stream and its client.
    fn screened(&self, meter: &Meter, judge: PolicyJudge) -> Screened {
        let wire = meter.accepted().wire;
        let (memory, limit) = (self.gateway.memory().share(), self.settings.limits.buffer);
        Screened::new(wire, judge, memory, limit).asking(wire, self.asker(meter))
    }

    /// Who asks people about the calls of the answer, where the policy may want that.
    fn asker(&self, meter: &Meter) -> Option<Asker> {
        let people = self.gateway.people().filter(|_| self.policy.may_ask())?;
        Some(Asker {
            people: people.clone(),
            clock: Arc::clone(self.gateway.clock()),
            run: meter.accepted().run,
            action: meter.accepted().action,
            actor: Arc::clone(&self.actor),
            end: self.end,
        })
    }

    /// What takes the stream down, where the answer may be kept.
    fn recorder(&self, parts: &Parts, meter: &mut Meter) -> Option<Recorder> {
        let content_type = kept_type(parts)?;
        let ticket = meter.take_ticket()?;
        Some(Recorder::new(ticket, content_type, self.gateway.memory().share(), self.settings.limits.buffer))
    }

    /// Whether this may become a websocket: it was asked for, and there is memory for passing it through.
    fn room_for_websocket(&self, meter: &Meter) -> Result<Share, Refusal> {
        if meter.accepted().handshake.is_none() {
            return Err(unreadable("it changes the protocol, and nobody asked for that"));
        }
        let mut memory = self.gateway.memory().share();
        if !memory.take(tunnel::BUFFERS, self.settings.limits.buffer) {
            let message = "there is no memory left to pass a websocket through";
            return Err(Refusal::new(Code::Overloaded, message, "try again, or raise gateway.limits.buffer"));
        }
        Ok(memory)
    }

    /// A websocket: from here on the connection itself is the answer.
    fn websocket(
        &self,
        mut response: Response<AnswerBody>,
        meter: Box<Meter>,
        memory: Share,
    ) -> Response<GatewayBody> {
        let upstream = hyper::upgrade::on(&mut response);
        let mut headers = header::towards_client(std::mem::take(response.headers_mut()), true);
        websocket::say_upgrade(&mut headers);
        let tunnel = Tunnel::new(upstream, meter, Timers::new(self.idle, self.end), memory);
        respond(response.status(), headers, GatewayBody::Tunnel(Some(Box::new(tunnel))))
    }

    /// A JSON answer: read whole, so that its usage is known before the first byte goes to the client.
    async fn whole(
        &self,
        parts: Parts,
        mut body: AnswerBody,
        mut meter: Box<Meter>,
        mut judge: Option<PolicyJudge>,
    ) -> Result<Response<GatewayBody>, Unanswered> {
        let mut memory = self.gateway.memory().share();
        let collected = self.collect(&mut body, &mut memory, &mut meter).await;
        let read = collected.and_then(|bytes| self.inflate(&parts.headers, bytes)).and_then(|text| {
            let answer = read(&mut meter, &text)?;
            Ok((text, answer))
        });
        let (text, answer) = match read {
            Ok(read) => read,
            Err(refusal) => return Err((None, settle_cut(meter, refusal))),
        };
        meter.saw(answer);
        let asker = self.asker(&meter);
        let (text, verdict) = match seen_of(&mut meter, text, judge.as_mut(), asker).await {
            Ok(seen) => seen,
            Err(refusal) => return Err((None, settle_cut(meter, refusal))),
        };
        // What people said about one answer is not to be given again without them.
        let is_to_be_kept = !judge.is_some_and(|judge| judge.has_asked());
        if let (Some(content_type), Some(ticket)) = (kept_type(&parts), meter.take_ticket())
            && is_to_be_kept
            && ticket.is_for(meter.answer())
        {
            let body = Bytes::copy_from_slice(&text);
            let tools = meter.answer().tool_calls.clone();
            ticket.keep(Kept { content_type, body, tools });
        }
        let mut headers = header::towards_client(parts.headers, false);
        header::put(&mut headers, header::COST, meter.cost_so_far(Ending::Complete).to_string());
        meter.finish(parts.status.as_u16(), Ending::Complete);
        let mut response = respond(parts.status, headers, GatewayBody::full(text));
        Told::judged(&mut response, verdict);
        Ok(response)
    }

    /// The text of a whole body.
    fn inflate(&self, headers: &HeaderMap, bytes: Bytes) -> Result<Bytes, Refusal> {
        match encoding(headers)? {
            None => Ok(bytes),
            Some(encoding) => encoding
                .inflate(&bytes, self.settings.limits.inflated_body)
                .map_err(|error| unreadable(&error.to_string())),
        }
    }

    async fn collect(
        &self,
        body: &mut AnswerBody,
        memory: &mut Share,
        meter: &mut Meter,
    ) -> Result<Bytes, Refusal> {
        let mut gathered = Gathered::default();
        loop {
            let until = (Instant::now() + self.idle).min(self.end);
            let frame = match tokio::time::timeout_at(until, body.frame()).await {
                Err(_elapsed) => {
                    let message = "the upstream fell silent in the middle of its answer";
                    return Err(Refusal::new(
                        Code::UpstreamTimeout,
                        message,
                        "try again, or raise the upstream's time-outs",
                    ));
                }
                Ok(None) => return Ok(gathered.into_bytes()),
                Ok(Some(Err(error))) => return Err(unreadable(&error.to_string())),
                Ok(Some(Ok(frame))) => frame,
            };
            let Ok(chunk) = frame.into_data() else { continue };
            meter.saw_bytes(chunk.len() as u64);
            if !memory.take(chunk.len(), self.settings.limits.buffer) {
                let message = "the answer is larger than the memory that is left for bodies";
                return Err(Refusal::new(Code::Overloaded, message, "raise gateway.limits.buffer"));
            }
            gathered.push(chunk);
        }
    }

    /// Bytes as they come.
    fn through(&self, parts: Parts, body: AnswerBody, meter: Box<Meter>) -> Response<GatewayBody> {
        let timers = Timers::new(self.idle, self.end);
        let memory = self.gateway.memory().share();
        // What anything else costs its bytes may still tell. An error has the price of what was sent, or none, unless it told a
        // usage of its own, as none is known to do.
        let cost = match meter.accepted().billing {
            Billing::Free => Some(Usd::ZERO),
            _ if parts.status.is_client_error() || parts.status.is_server_error() => {
                Some(meter.cost_so_far(Ending::Complete))
            }
            _ => None,
        };
        let through = Through::new(body, meter, (parts.status.as_u16(), &parts.headers), timers, memory);
        let mut headers = header::towards_client(parts.headers, true);
        if let Some(cost) = cost
            && content_type(&headers) != "text/event-stream"
        {
            header::put(&mut headers, header::COST, cost.to_string());
        }
        respond(parts.status, headers, GatewayBody::Through(Some(Box::new(through))))
    }
}

/// What the client gets to see of a whole answer, and what was done about what was found in it.
async fn seen_of(
    meter: &mut Meter,
    text: Bytes,
    judge: Option<&mut PolicyJudge>,
    asker: Option<Asker>,
) -> Result<(Bytes, Verdict), Refusal> {
    let Some(judge) = judge else { return Ok((text, Verdict::Allow)) };
    let screened = screening::whole(meter.accepted().wire, &text, judge, asker).await;
    let (found, verdict) = judge.take_found();
    meter.found(found, verdict);
    Ok((screened?.unwrap_or(text), verdict))
}

/// What an answer says that must be a JSON document: one that was cut off is none. What nests deeper than is read here is
/// the client's to judge, and charged as what can't be seen.
fn read(meter: &mut Meter, text: &[u8]) -> Result<Answer, Refusal> {
    let read = if meter.keeps_words() { transcribe_json_answer } else { read_json_answer };
    match read(meter.accepted().wire, text) {
        Ok(answer) => Ok(answer),
        Err(error) if error.kind == JsonErrorKind::Depth => {
            meter.wrote_unseen();
            Ok(Answer::default())
        }
        Err(error) => Err(unreadable(&format!("it is not JSON ({error})"))),
    }
}

enum Kind {
    Events,
    Json,
    Bytes,
    Websocket,
}

impl Kind {
    /// What has to be looked at is read whole, unless it comes as events: bytes pass unseen.
    fn of(response: &Response<AnswerBody>, meter: &Meter, is_screened: bool) -> Self {
        let accepted = meter.accepted();
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            return Self::Websocket;
        }
        if !response.status().is_success() || !accepted.wire.is_metered() {
            return Self::Bytes;
        }
        match content_type(response.headers()) {
            "text/event-stream" => Self::Events,
            _ if is_screened && accepted.wire.has_output() => Self::Json,
            // Gemini streams a JSON array, element by element, unless asked for events.
            "application/json" if accepted.wire == Wire::GeminiStream => Self::Bytes,
            "application/json" => Self::Json,
            _ => Self::Bytes,
        }
    }
}

/// The media type, without its parameters.
fn content_type(headers: &HeaderMap) -> &str {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    value.split(';').next().unwrap_or("").trim()
}

/// The type of an answer that may be kept: one with this very status.
fn kept_type(parts: &Parts) -> Option<HeaderValue> {
    let kept = parts.headers.get(CONTENT_TYPE).filter(|_| parts.status == StatusCode::OK)?;
    // Of its own, not a slice of all that was read with it.
    HeaderValue::from_bytes(kept.as_bytes()).ok()
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

/// The answer broke off or can't be read: what was seen of it is charged.
fn settle_cut(mut meter: Box<Meter>, refusal: Refusal) -> Refusal {
    let is_the_upstreams = [Code::UpstreamBroken, Code::UpstreamTimeout].contains(&refusal.code());
    if !is_the_upstreams {
        meter.ended_here();
    }
    let cost = meter.finish(refusal.status().as_u16(), Ending::Cut);
    refusal.costing(cost)
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
