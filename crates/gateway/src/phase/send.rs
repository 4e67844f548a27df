//! Send: one upstream after the other, until one answers. Nothing has gone to the client yet, so anything may be tried
//! again that is worth it, within the retry budget and the total time.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use seawall_llm::request::{Edits, edit};
use seawall_llm_client::{
    Admission, AnswerBody, Credentials, SendError, Upstream, UpstreamSettings, backoff, retry_after,
    status_is_retryable,
};
use seawall_types::Code;
use tokio::time::Instant;

use super::answer::Answering;
use super::reserve::Priced;
use super::{Payload, Reserved};
use crate::meter::{Ending, Meter};
use crate::refusal::Refusal;
use crate::{Gateway, GatewayBody, Snapshot, header, websocket};

/// The longest that a provider's `Retry-After` is waited for; past it another upstream, or the client, is better off.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// A call on its way.
struct Sending<'a> {
    gateway: &'a Gateway,
    snapshot: &'a Arc<Snapshot>,
    worker: usize,
    payload: Payload,
    edits: Edits<'static>,
    end: Instant,
}

/// What became of one attempt.
enum Tried {
    /// This is the answer, or as good as it gets.
    Answer(Response<GatewayBody>),
    /// It failed; the meter is ours again.
    Failed(Box<Failure>),
    /// It failed after it had begun, and is settled: trying again would be paid twice.
    Refused(Refusal),
}

struct Failure {
    meter: Box<Meter>,
    refusal: Refusal,
    /// What the metrics call it.
    cause: &'static str,
    /// Trying the same upstream again may help.
    again: bool,
    /// Another upstream may do better.
    elsewhere: bool,
    /// Whether it was the upstream's doing: its breaker counts it, once for all tries of a call. `None`: it was never
    /// asked, so there is nothing to tell.
    upstream_failed: Option<bool>,
    wait: Option<Duration>,
    /// The provider's own answer, to be passed on when nothing better comes.
    answer: Option<Response<AnswerBody>>,
}

/// Sends the call and gives the beginning of its answer.
pub(super) async fn send(
    gateway: &Gateway,
    snapshot: &Arc<Snapshot>,
    worker: usize,
    payload: Payload,
    reserved: Reserved,
) -> Result<Response<GatewayBody>, Refusal> {
    let Reserved { mut meter, plan, edits, total, .. } = reserved;
    let mut sending = Sending { gateway, snapshot, worker, payload, edits, end: Instant::now() + total };
    let mut last = None;
    for (index, one) in plan.iter().enumerate() {
        match sending.at(one, meter).await {
            Ended::Answer(response) => return Ok(response),
            Ended::Refused(refusal) => return Err(refusal),
            Ended::Resting(returned, wait) => {
                meter = returned;
                last = last.or_else(|| Some(all_resting(wait)));
            }
            Ended::Failed(failure) if failure.elsewhere && index + 1 < plan.len() => {
                let Failure { meter: returned, refusal, cause, .. } = *failure;
                meter = sending.write_off(one, returned, &refusal, cause);
                last = Some(refusal);
            }
            Ended::Failed(failure) => return sending.give_up(&one.target.upstream, *failure),
        }
    }
    sending.refuse(meter, last.unwrap_or_else(|| all_resting(Duration::from_secs(1))))
}

/// What became of a call at one upstream, all tries together.
enum Ended {
    Answer(Response<GatewayBody>),
    Refused(Refusal),
    Failed(Box<Failure>),
    /// Its breaker is open; worth asking again after this time.
    Resting(Box<Meter>, Duration),
}

/// An upstream that fell silent after it got the request may have worked on it, and bill that.
fn may_be_billed(refusal: &Refusal) -> bool {
    matches!(refusal.code(), Code::UpstreamTimeout | Code::UpstreamBroken)
}

fn all_resting(wait: Duration) -> Refusal {
    Refusal::new(
        Code::UpstreamUnavailable,
        "every upstream for this model rests after failures",
        "try again later; seawall_breaker_state shows which",
    )
    .retry_after(wait)
}

impl<'a> Sending<'a> {
    /// One upstream: tried again while that may help, within its retries and its retry budget. Its breaker hears of the
    /// call once, however many tries it took; a probe gets one.
    async fn at(&mut self, one: &Priced, mut meter: Box<Meter>) -> Ended {
        let upstream = &one.target.upstream;
        let tries = match upstream.breaker.admit(self.gateway.clock().monotonic()) {
            Admission::Rest(wait) => return Ended::Resting(meter, wait),
            Admission::Probe => 1,
            Admission::Pass => 1 + upstream.settings.retry_attempts,
        };
        upstream.retries.pay_in();
        let mut tried = 1;
        loop {
            let failure = match self.attempt(one, meter).await {
                Tried::Answer(response) => return Ended::Answer(response),
                Tried::Refused(refusal) => return Ended::Refused(refusal),
                Tried::Failed(failure) => failure,
            };
            let wait = failure.wait.unwrap_or_else(|| backoff(tried, fastrand::f64()));
            let in_time = wait <= LONGEST_WAIT && Instant::now() + wait < self.end;
            if !(failure.again && tried < tries && in_time && upstream.retries.take()) {
                match failure.upstream_failed {
                    Some(failed) => self.report(upstream, failed),
                    None => upstream.breaker.forget_probe(),
                }
                return Ended::Failed(failure);
            }
            meter = self.write_off(one, failure.meter, &failure.refusal, failure.cause);
            tried += 1;
            tokio::time::sleep(wait).await;
        }
    }

    /// A try came to nothing and another follows.
    fn write_off(&self, one: &Priced, mut meter: Box<Meter>, refusal: &Refusal, cause: &str) -> Box<Meter> {
        meter.attempt_failed(Some(refusal.denial.message.clone()), may_be_billed(refusal));
        let upstream = one.target.upstream.settings.name.as_str();
        self.gateway.metrics().retries.with_label_values(&[upstream, cause]).inc();
        meter
    }

    /// Nothing better will come: the provider's own answer goes to the client, or ours in its shape.
    fn give_up(&self, upstream: &Upstream, failure: Failure) -> Result<Response<GatewayBody>, Refusal> {
        match failure.answer {
            Some(answer) => {
                let response = self.answering(upstream).pass_on(answer, failure.meter);
                Ok(answered_by(upstream, response))
            }
            None => self.refuse(failure.meter, failure.refusal),
        }
    }

    /// Ours is the last word.
    fn refuse(&self, mut meter: Box<Meter>, refusal: Refusal) -> Result<Response<GatewayBody>, Refusal> {
        meter.attempt_failed(Some(refusal.denial.message.clone()), may_be_billed(&refusal));
        meter.finish(refusal.denial.code.http_status(), Ending::Failed);
        Err(refusal)
    }

    fn answering(&self, upstream: &Upstream) -> Answering<'a> {
        Answering {
            gateway: self.gateway,
            settings: &self.snapshot.settings,
            idle: upstream.settings.timeouts.idle,
            end: self.end,
            strip_usage: self.edits.include_usage,
        }
    }

    async fn attempt(&mut self, one: &Priced, mut meter: Box<Meter>) -> Tried {
        let upstream = Arc::clone(&one.target.upstream);
        let Some(place) = upstream.enter() else {
            return failed(meter, full(&upstream), "full");
        };
        let request = match self.request(one, &meter, &upstream) {
            Ok(request) => request,
            Err(refusal) => return failed(meter, refusal, "request"),
        };
        meter.attempt(&one.target, &one.model, one.price.clone(), place);
        let dialect = meter.accepted().dialect;
        let guard = ProbeGuard(Some(&upstream));
        let sent = if meter.accepted().handshake.is_some() {
            tokio::time::timeout_at(self.end, upstream.send_upgrade(dialect, request)).await
        } else {
            tokio::time::timeout_at(self.end, upstream.send(self.worker, dialect, request)).await
        };
        guard.done();
        match sent.unwrap_or(Err(SendError::FirstByteTimeout(upstream.settings.timeouts.total))) {
            Err(error) => {
                let cause = match error {
                    SendError::Connect(_) => "connect",
                    SendError::Broken(_) => "broken",
                    SendError::FirstByteTimeout(_) => "timeout",
                };
                failed(meter, unanswered(&upstream, &error), cause)
            }
            Ok(response) => self.answered(&upstream, meter, response).await,
        }
    }

    async fn answered(
        &mut self,
        upstream: &Arc<Upstream>,
        mut meter: Box<Meter>,
        response: Response<AnswerBody>,
    ) -> Tried {
        let status = response.status();
        meter.answered(status.as_u16());
        if status_is_retryable(status) || self.is_our_credential_refused(upstream, status) {
            let wait = retry_after(response.headers());
            let refusal = refused_by_provider(upstream, status);
            let again = status_is_retryable(status);
            // What a provider says of a key often repeats it, and this one is ours, not the client's.
            let tellable = status != StatusCode::UNAUTHORIZED;
            return Tried::Failed(Box::new(Failure {
                meter,
                refusal,
                cause: cause_of(status),
                again,
                elsewhere: true,
                upstream_failed: Some(status.is_server_error()),
                wait,
                answer: tellable.then_some(response),
            }));
        }
        match self.answering(upstream).answer(&mut self.payload, response, meter).await {
            Ok(response) => {
                if status.is_server_error() {
                    self.report(upstream, true);
                } else {
                    // Whether it comes to its end is seen by the meter, which tells the breaker.
                    upstream.breaker.answer_began(self.gateway.clock().monotonic());
                }
                Tried::Answer(answered_by(upstream, response))
            }
            Err((Some(meter), refusal)) => failed(meter, refusal, "broken"),
            // The meter has settled it, and told the breaker.
            Err((None, refusal)) => Tried::Refused(refusal),
        }
    }

    /// The provider refuses the key that the configuration gave us: the client can't mend that, another upstream may.
    fn is_our_credential_refused(&self, upstream: &Upstream, status: StatusCode) -> bool {
        matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
            && matches!(upstream.settings.credentials, Credentials::Key(_))
    }

    fn report(&self, upstream: &Upstream, failed: bool) {
        upstream.breaker.report(failed, self.gateway.clock().monotonic());
    }

    /// The request as it goes to this target: the client's, but for what a rule changes.
    fn request(
        &self,
        one: &Priced,
        meter: &Meter,
        upstream: &Upstream,
    ) -> Result<Request<Full<Bytes>>, Refusal> {
        let accepted = meter.accepted();
        let internal = |error: &dyn std::fmt::Display| {
            Refusal::new(
                Code::BadRequest,
                format!("the request can't be passed on: {error}"),
                "check its path and headers",
            )
        };
        let renamed = one.target.model.as_deref();
        let edits = Edits { model: renamed.filter(|_| accepted.handshake.is_none()), ..self.edits };
        let edited = edit(accepted.wire, &self.payload.text, &edits).map_err(|error| internal(&error))?;
        let unchanged = edited == self.payload.text;
        let body = if unchanged { self.payload.raw.clone() } else { edited };
        let passthrough = matches!(upstream.settings.credentials, Credentials::Passthrough);
        let mut headers =
            header::towards_upstream(&accepted.headers, passthrough, accepted.wire.is_metered());
        if self.payload.compressed && !unchanged {
            headers.remove(http::header::CONTENT_ENCODING);
        }
        if accepted.handshake.is_some() {
            websocket::towards_upstream(&mut headers, passthrough);
        }
        let path = path_and_query(accepted, renamed, passthrough);
        let mut request = Request::builder()
            .method(accepted.method.clone())
            .uri(path)
            .body(Full::new(body))
            .map_err(|error| internal(&error))?;
        *request.headers_mut() = headers;
        Ok(request)
    }
}

/// Where the request goes at the provider: its path, with another model where the target renames it, and its query without
/// the key of the caller that may stand in it.
fn path_and_query(accepted: &super::Accepted, renamed: Option<&str>, passthrough: bool) -> String {
    let mut path = match (&accepted.path_model, renamed) {
        (Some(_), Some(model)) => {
            let verb = accepted.path.rsplit_once(':').map_or("", |(_, verb)| verb);
            let base = accepted.path.split_once("/models/").map_or("", |(base, _)| base);
            format!("{base}/models/{model}:{verb}")
        }
        _ => accepted.path.clone(),
    };
    let keep = |pair: &&str| {
        pair.strip_prefix("key=").is_none_or(|key| passthrough && !key.starts_with(seawall_store::KEY_PREFIX))
    };
    let named = renamed.filter(|_| accepted.handshake.is_some());
    let rename = |pair| named.map_or(Cow::Borrowed(pair), |model| websocket::with_model(pair, model));
    let pairs = accepted.query.as_deref().unwrap_or("").split('&').filter(keep);
    let query = pairs.map(rename).collect::<Vec<_>>().join("&");
    if !query.is_empty() {
        path.push('?');
        path.push_str(&query);
    }
    path
}

/// Names the upstream that answered.
fn answered_by(upstream: &Upstream, mut response: Response<GatewayBody>) -> Response<GatewayBody> {
    super::put(response.headers_mut(), header::UPSTREAM, &upstream.settings.name);
    response
}

/// No answer at all. A time-out of ours is not tried again at the same upstream: it would take as long again.
fn failed(meter: Box<Meter>, refusal: Refusal, cause: &'static str) -> Tried {
    let (again, elsewhere, upstream_failed) = match cause {
        "request" => (false, false, None),
        "full" => (false, true, None),
        "timeout" => (false, true, Some(true)),
        _ => (true, true, Some(true)),
    };
    Tried::Failed(Box::new(Failure {
        meter,
        refusal,
        cause,
        again,
        elsewhere,
        upstream_failed,
        wait: None,
        answer: None,
    }))
}

fn full(upstream: &Upstream) -> Refusal {
    let UpstreamSettings { name, max_in_flight, .. } = &upstream.settings;
    let message = format!("upstream {name:?} has {max_in_flight} calls under way already");
    Refusal::new(Code::Overloaded, message, "try again shortly, or raise the upstream's max_in_flight")
        .retry_after(Duration::from_secs(1))
}

fn unanswered(upstream: &Upstream, error: &SendError) -> Refusal {
    let name = &upstream.settings.name;
    let (code, remedy) = match error {
        SendError::Connect(_) => {
            (Code::UpstreamUnreachable, "check that the upstream runs and its base_url is right")
        }
        SendError::Broken(_) => {
            (Code::UpstreamBroken, "try again; check the upstream's own log if it goes on")
        }
        SendError::FirstByteTimeout(_) => {
            (Code::UpstreamTimeout, "try again, or raise the upstream's time-outs (first_byte, total)")
        }
    };
    Refusal::new(code, format!("upstream {name:?}: {error}"), remedy)
}

fn refused_by_provider(upstream: &Upstream, status: StatusCode) -> Refusal {
    let name = &upstream.settings.name;
    if status == StatusCode::UNAUTHORIZED {
        let message = format!("upstream {name:?} refuses the key that this server has for it");
        return Refusal::new(
            Code::UpstreamUnreachable,
            message,
            "the operator must check the upstream's api_key",
        );
    }
    let message = format!("upstream {name:?} answered {status}");
    Refusal::new(Code::UpstreamUnavailable, message, "see the provider's answer")
}

fn cause_of(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 | 403 => "credential",
        408 => "408",
        409 => "409",
        429 => "429",
        529 => "overloaded",
        _ => "5xx",
    }
}

/// Lets the next call probe when this one is given up before it could tell anything.
struct ProbeGuard<'a>(Option<&'a Upstream>);

impl ProbeGuard<'_> {
    fn done(mut self) {
        self.0 = None;
    }
}

impl Drop for ProbeGuard<'_> {
    fn drop(&mut self) {
        if let Some(upstream) = self.0 {
            upstream.breaker.forget_probe();
        }
    }
}
