//! Send: one upstream after the other, until one answers. Nothing has gone to the client yet, so anything may be tried
//! again that is worth it, within the retry budget and the total time.

mod failure;
mod request;

use std::sync::Arc;
use std::time::Duration;

use http::Response;
use seawall_llm::request::Edits;
use seawall_llm_client::{Admission, AnswerBody, Upstream, backoff};
use seawall_policy::Policy;
use seawall_types::{Actor, Code};
use tokio::time::Instant;

use self::failure::{Cause, Failure, all_resting, full, is_failure};
use super::answer::Answering;
use super::reserve::Priced;
use super::{Payload, Reserved};
use crate::meter::{Ending, Meter};
use crate::refusal::Refusal;
use crate::{Gateway, GatewayBody, Snapshot, header};

/// The longest that a provider's `Retry-After` is waited for; past it another upstream, or the client, is better off.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// A call on its way.
struct Sending<'a> {
    gateway: &'a Gateway,
    snapshot: &'a Arc<Snapshot>,
    worker: usize,
    payload: Box<Payload>,
    policy: Arc<Policy>,
    actor: Arc<Actor>,
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

/// Sends the call and gives the beginning of its answer.
pub(super) async fn send(
    gateway: &Gateway,
    snapshot: &Arc<Snapshot>,
    worker: usize,
    payload: Box<Payload>,
    reserved: Box<Reserved>,
) -> Result<Response<GatewayBody>, Refusal> {
    let Reserved { mut meter, plan, policy, actor, edits, total, .. } = *reserved;
    let mut sending =
        Sending { gateway, snapshot, worker, payload, policy, actor, edits, end: Instant::now() + total };
    let mut last = None;
    for (index, one) in plan.iter().enumerate() {
        match sending.at(one, meter).await {
            Ended::Answer(response) => return Ok(response),
            Ended::Refused(refusal) => return Err(refusal),
            Ended::Resting(returned, wait) => {
                meter = returned;
                last = last.or_else(|| Some((all_resting(wait), Cause::Full)));
            }
            Ended::Failed(failure)
                if failure.cause.elsewhere() && failure.may_be_sent_again() && index + 1 < plan.len() =>
            {
                let Failure { meter: returned, mut refusal, cause, wait, .. } = *failure;
                // When nobody else takes the call either, this is what is known of when to come again.
                refusal.denial.retry_after = wait.or(refusal.denial.retry_after);
                meter = sending.write_off(one, returned, &refusal, cause);
                last = Some((refusal, cause));
            }
            Ended::Failed(failure) => return sending.give_up(&one.target.upstream, *failure),
        }
    }
    let (refusal, cause) = last.unwrap_or_else(|| (all_resting(Duration::from_secs(1)), Cause::Full));
    sending.refuse(meter, refusal, cause)
}

/// What became of a call at one upstream, all tries together.
enum Ended {
    Answer(Response<GatewayBody>),
    Refused(Refusal),
    Failed(Box<Failure>),
    /// Its breaker is open; worth asking again after this time.
    Resting(Box<Meter>, Duration),
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
            let may_help = failure.cause.again() && failure.may_be_sent_again();
            if !(may_help && tried < tries && in_time && upstream.retries.take()) {
                match failure.cause.upstream_failed() {
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
    fn write_off(&self, one: &Priced, mut meter: Box<Meter>, refusal: &Refusal, cause: Cause) -> Box<Meter> {
        meter.attempt_failed(Some(refusal.denial.message.clone()), cause.may_be_billed());
        let upstream = one.target.upstream.settings.name.as_str();
        self.gateway.metrics().retries.with_label_values(&[upstream, cause.label()]).inc();
        meter
    }

    /// Nothing better will come: the provider's own answer goes to the client, or ours in its shape.
    fn give_up(&self, upstream: &Upstream, failure: Failure) -> Result<Response<GatewayBody>, Refusal> {
        match failure.answer {
            Some(answer) => {
                let response = self.answering(upstream).pass_on(answer, failure.meter);
                Ok(answered_by(upstream, response))
            }
            None => self.refuse(failure.meter, failure.refusal, failure.cause),
        }
    }

    /// Ours is the last word.
    fn refuse(
        &self,
        mut meter: Box<Meter>,
        refusal: Refusal,
        cause: Cause,
    ) -> Result<Response<GatewayBody>, Refusal> {
        let error = Some(refusal.denial.message.clone());
        if cause == Cause::Broken && meter.has_begun_stream() {
            meter.stream_failed(error);
        } else {
            meter.attempt_failed(error, cause.may_be_billed());
        }
        let cost = meter.finish(refusal.denial.code.http_status(), Ending::Failed);
        Err(refusal.costing(cost))
    }

    fn answering(&self, upstream: &Upstream) -> Answering<'a> {
        Answering {
            gateway: self.gateway,
            settings: &self.snapshot.settings,
            policy: Arc::clone(&self.policy),
            actor: Arc::clone(&self.actor),
            idle: upstream.settings.timeouts.idle,
            end: self.end,
            strip_usage: self.edits.include_usage && upstream.settings.include_usage,
        }
    }

    async fn attempt(&mut self, one: &Priced, mut meter: Box<Meter>) -> Tried {
        let upstream = Arc::clone(&one.target.upstream);
        let Some(place) = upstream.enter() else {
            return failed(Failure::new(meter, full(&upstream), Cause::Full));
        };
        let request = match self.request(one, &meter, &upstream) {
            Ok(request) => request,
            Err(refusal) => return failed(Failure::new(meter, refusal, Cause::Request)),
        };
        let dispatch = meter.attempt(one, place);
        let dialect = meter.accepted().dialect;
        let guard = ProbeGuard(Some(&upstream));
        let sent = if meter.accepted().handshake.is_some() {
            upstream.send_upgrade(dialect, request, self.end, &dispatch).await
        } else {
            upstream.send(self.worker, dialect, request, self.end, &dispatch).await
        };
        guard.done();
        match sent {
            Err(error) => failed(Failure::unanswered(meter, &upstream, &error)),
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
        if is_failure(upstream, status) {
            return failed(Failure::answered(meter, upstream, response));
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
            Err((Some(meter), refusal)) => {
                let cause = match refusal.code() {
                    Code::UpstreamUnavailable => Cause::Overloaded,
                    Code::Overloaded => Cause::NoMemory,
                    _ => Cause::Broken,
                };
                failed(Failure::new(meter, refusal, cause))
            }
            // The meter has settled it, and told the breaker.
            Err((None, refusal)) => Tried::Refused(refusal),
        }
    }

    fn report(&self, upstream: &Upstream, failed: bool) {
        upstream.breaker.report(failed, self.gateway.clock().monotonic());
    }
}

/// Names the upstream that answered.
fn answered_by(upstream: &Upstream, mut response: Response<GatewayBody>) -> Response<GatewayBody> {
    header::put(response.headers_mut(), header::UPSTREAM, &upstream.settings.name);
    response
}

fn failed(failure: Failure) -> Tried {
    Tried::Failed(Box::new(failure))
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
