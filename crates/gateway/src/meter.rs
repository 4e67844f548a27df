//! What a call costs, however it ends.
//!
//! A [`Meter`] is made when a call was admitted and goes along with it: through the attempts, into the body of the
//! answer. It settles exactly once: when told how the call ended, or when dropped, which is how a client that hangs up
//! looks from here. Then what was seen so far is charged, marked as estimated.

mod bill;
mod observe;

use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use seawall_checkpoint::{Attempt, Outcome, Passed, Permit};
use seawall_llm::answer::{Answer, ToolCall};
use seawall_llm::price::Price;
use seawall_llm::request::Request;
use seawall_llm_client::{Dispatch, Place, Upstream};
use seawall_policy::Judgement;
use seawall_types::{Finding, Usage, Usd, Verdict};

use self::bill::Bill;
use crate::accepted::Accepted;
use crate::cache::Ticket;
use crate::content;
use crate::phase::Priced;
use crate::rates::Taken;
use crate::tool;
use crate::{Gateway, Snapshot};

/// How a call ended, beside its status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The whole answer went to the client.
    Complete,
    /// The client hung up.
    Cancelled,
    /// The upstream broke off, or was cut off by a time-out of ours.
    Cut,
    /// A time-out of ours ended what neither side had ended.
    TimedOut,
    /// There was no answer.
    Failed,
}

impl Ending {
    fn as_str(self) -> Option<&'static str> {
        match self {
            Self::Complete => None,
            Self::Cancelled => Some("cancelled"),
            Self::Cut => Some("cut"),
            Self::TimedOut => Some("timeout"),
            Self::Failed => Some("failed"),
        }
    }
}

/// The most that a call can use, as it was reserved.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Most {
    /// Tokens read.
    pub(crate) input: u64,
    /// Tokens written, of all choices together.
    pub(crate) output: u64,
    /// Searches of the provider.
    pub(crate) searches: u64,
    /// Runs of other tools of the provider that have a fee.
    pub(crate) tool_runs: u64,
    /// What a try costs whose cost can't be seen.
    pub(crate) flat: Usd,
}

/// The call at one upstream that is under way.
#[derive(Debug)]
struct Current {
    upstream: Arc<Upstream>,
    model: String,
    /// The price of the model that was asked for.
    price: Option<Arc<Price>>,
    /// The price that was reserved at.
    dearest: Option<Arc<Price>>,
    status: Option<u16>,
    since: Duration,
    /// Whether the request has gone out.
    dispatch: Dispatch,
    _place: Place,
}

/// Settles one call, exactly once.
#[derive(Debug)]
pub(crate) struct Meter {
    gateway: Arc<Gateway>,
    /// The configuration that the request began with: its prices hold to the end.
    snapshot: Arc<Snapshot>,
    accepted: Box<Accepted>,
    permit: Option<Permit>,
    tenant: Option<Arc<str>>,
    /// The size of the request's body: the bound of what an upstream may have read.
    prompt_bytes: u64,
    /// The client pays for a faster service.
    premium: bool,
    /// The answer is made after the connection has ended.
    background: bool,
    /// The answer is to come as a stream.
    is_stream: bool,
    /// How many answers were asked for.
    answers: u64,
    /// The provider may search for the model.
    may_search: bool,
    /// The provider may run other tools for it, at a fee that is not known.
    unpriced_tools: bool,
    /// What was reserved.
    most: Most,
    /// It wrote more than we could see.
    wrote_unseen: bool,
    /// The call ended by our doing: for want of memory, or because the answer must not be seen.
    ended_here: bool,
    current: Option<Current>,
    attempts: Vec<Attempt>,
    usage: Usage,
    cost: Usd,
    pub(crate) findings: Vec<Finding>,
    /// What was done about what was found in the answer.
    verdict: Verdict,
    rates: Taken,
    /// Time spent waiting for upstreams, which is not ours.
    waited: Duration,
    /// What has been seen of the answer so far.
    answer: Answer,
    metered: bool,
    /// The right to keep the answer.
    ticket: Option<Ticket>,
    /// The answer is one that was kept.
    cached: bool,
    /// What went through, when it is a websocket.
    passed: Option<Passed>,
}

impl Meter {
    pub(crate) fn new(
        (gateway, snapshot): (Arc<Gateway>, Arc<Snapshot>),
        accepted: Box<Accepted>,
        permit: Permit,
        tenant: Option<Arc<str>>,
        prompt_bytes: u64,
    ) -> Box<Self> {
        let metered = accepted.wire.is_metered();
        Box::new(Self {
            gateway,
            snapshot,
            accepted,
            permit: Some(permit),
            tenant,
            prompt_bytes,
            premium: false,
            background: false,
            is_stream: false,
            answers: 1,
            may_search: false,
            unpriced_tools: false,
            most: Most::default(),
            wrote_unseen: false,
            ended_here: false,
            current: None,
            attempts: Vec::new(),
            usage: Usage::default(),
            cost: Usd::ZERO,
            findings: Vec::new(),
            verdict: Verdict::Allow,
            rates: Taken::default(),
            waited: Duration::ZERO,
            answer: Answer::default(),
            metered,
            ticket: None,
            cached: false,
            passed: None,
        })
    }

    pub(crate) fn with_rates(mut self: Box<Self>, rates: Taken) -> Box<Self> {
        self.rates = rates;
        self
    }

    pub(crate) fn with_most(mut self: Box<Self>, most: Most) -> Box<Self> {
        self.most = most;
        self
    }

    pub(crate) fn for_request(mut self: Box<Self>, request: &Request) -> Box<Self> {
        (self.premium, self.background) = (request.premium, request.background);
        (self.is_stream, self.answers) = (request.stream, request.answers);
        (self.may_search, self.unpriced_tools) = (request.may_search, request.unpriced_tools);
        self
    }

    pub(crate) fn with_ticket(mut self: Box<Self>, ticket: Option<Ticket>) -> Box<Self> {
        self.ticket = ticket;
        self
    }

    /// The right to keep the answer, for who has it complete. Whoever does not take it lets it go with the meter.
    pub(crate) fn take_ticket(&mut self) -> Option<Ticket> {
        self.ticket.take()
    }

    pub(crate) fn accepted(&self) -> &Accepted {
        &self.accepted
    }

    /// The answer is on its way to the client, so nothing is sent again: lets the request's headers go, and with them the
    /// buffer that the connection read them into, for as long as a stream may last.
    pub(crate) fn forget_headers(&mut self) {
        self.accepted.headers = HeaderMap::new();
    }

    pub(crate) fn gateway(&self) -> &Arc<Gateway> {
        &self.gateway
    }

    /// Whether the words of the answer are wanted by the trace.
    pub(crate) fn keeps_words(&self) -> bool {
        self.gateway.checkpoint().trace().keeps_payloads()
    }

    /// How many answers were asked for.
    pub(crate) fn answers(&self) -> u64 {
        self.answers
    }

    pub(crate) fn permit(&self) -> Option<&Permit> {
        self.permit.as_ref()
    }

    fn now(&self) -> Duration {
        self.gateway.clock().monotonic()
    }

    /// A request goes out; what sends it tells when.
    pub(crate) fn attempt(&mut self, one: &Priced, place: Place) -> Dispatch {
        let dispatch = Dispatch::default();
        self.current = Some(Current {
            upstream: Arc::clone(&one.target.upstream),
            model: one.model.clone(),
            price: one.price.clone(),
            dearest: one.dearest.clone(),
            status: None,
            since: self.now(),
            dispatch: dispatch.clone(),
            _place: place,
        });
        dispatch
    }

    /// The answer's headers came.
    pub(crate) fn answered(&mut self, status: u16) {
        let now = self.now();
        if let Some(current) = &mut self.current {
            current.status = Some(status);
            self.waited += now.saturating_sub(current.since);
        }
    }

    /// The attempt came to nothing and another may follow. `maybe_billed`: the upstream may have worked on it before it
    /// fell silent, or answered with an error of its own (5xx); then that is charged.
    pub(crate) fn attempt_failed(&mut self, error: Option<String>, maybe_billed: bool) {
        let Some(current) = self.current.take() else { return };
        let now = self.now();
        if current.status.is_none() {
            self.waited += now.saturating_sub(current.since);
        }
        let bill = if maybe_billed { self.bill_of_nothing(&current) } else { Bill::default() };
        self.charge(current, &bill, error, now);
    }

    /// The same for a stream that had come to its headers, which a model may have been writing. Nothing follows it: for
    /// tries before the last only the prompts are held.
    pub(crate) fn stream_failed(&mut self, error: Option<String>) {
        let Some(current) = self.current.take() else { return };
        let bill = self.bill_of_answer(&current, Ending::Cut);
        self.charge(current, &bill, error, self.now());
    }

    /// Whether the headers of a stream have come.
    pub(crate) fn has_begun_stream(&self) -> bool {
        let status = self.current.as_ref().and_then(|current| current.status);
        self.is_stream && matches!(status, Some(200..=299))
    }

    /// Adds one attempt's usage and cost to the call's.
    fn charge(&mut self, current: Current, bill: &Bill, error: Option<String>, now: Duration) {
        let price = self.price_of(&current);
        let Current { upstream, model, status, since, .. } = current;
        let (usage, cost) = (&bill.usage, bill.cost(price.as_deref()));
        let elapsed = now.saturating_sub(since);
        self.observe(&upstream.settings.name, price.as_deref(), usage, cost, elapsed);
        self.cost = self.cost.saturating_add(cost);
        self.usage = bill::add(self.usage, usage);
        let price = price.map(|price| Arc::clone(&price.id));
        let upstream = upstream.settings.name.as_str().into();
        self.attempts.push(Attempt { upstream, model: model.into(), status, error, cost_usd: cost, price });
    }

    /// What is known of the answer so far; settling uses it.
    pub(crate) fn saw(&mut self, answer: Answer) {
        self.answer = answer;
    }

    /// What was seen of the answer.
    pub(crate) fn answer(&self) -> &Answer {
        &self.answer
    }

    /// Takes note of what was found in the answer, and of what was done about it.
    pub(crate) fn found(&mut self, found: Judgement, verdict: Verdict) {
        self.verdict = self.verdict.max(verdict);
        for finding in found.into_findings() {
            let labels = [finding.code.as_str(), verdict.as_str()];
            self.gateway.metrics().violations.with_label_values(&labels).inc();
            self.findings.push(finding);
        }
    }

    /// So many bytes more have come of an answer in one piece, which can't be read before it is whole.
    pub(crate) fn saw_bytes(&mut self, bytes: u64) {
        self.answer.output_bytes += bytes;
    }

    /// The upstream wrote more than we could see: unless it says how much, that is all that it was allowed to write.
    pub(crate) fn wrote_unseen(&mut self) {
        self.wrote_unseen = true;
    }

    /// The answer ends for a reason of ours: the upstream's breaker is to hear nothing of how the call ended.
    pub(crate) fn ended_here(&mut self) {
        self.ended_here = true;
    }

    /// The answer is one that was kept, in which the model asks for these tools.
    pub(crate) fn gives_again(&mut self, tools: &[ToolCall]) {
        self.cached = true;
        self.answer.tool_calls = tools.to_vec();
    }

    /// So much has gone through a websocket.
    pub(crate) fn passed(&mut self, passed: Passed) {
        self.passed = Some(passed);
    }

    /// What the call has cost, if it ended now with the answer seen so far.
    pub(crate) fn cost_so_far(&self, ending: Ending) -> Usd {
        let Some(current) = &self.current else { return self.cost };
        let bill = self.bill_of_answer(current, ending);
        self.cost.saturating_add(bill.cost(self.price_of(current).as_deref()))
    }

    /// The call is over. `status` is what the client got. Gives what it has cost.
    pub(crate) fn finish(mut self: Box<Self>, status: u16, ending: Ending) -> Usd {
        self.settle(status, ending);
        self.cost
    }

    fn settle(&mut self, status: u16, ending: Ending) {
        let Some(permit) = self.permit.take() else { return };
        let now = self.now();
        if let Some(current) = self.current.take() {
            match (ending, current.status) {
                _ if self.ended_here => current.upstream.breaker.forget_probe(),
                (Ending::Cut, _) => current.upstream.breaker.report(true, now),
                (Ending::Complete | Ending::TimedOut, Some(..400)) => {
                    current.upstream.breaker.report(false, now)
                }
                _ => {}
            }
            self.observe_websocket(&current.upstream.settings.name);
            let bill = self.bill_of_answer(&current, ending);
            let error = ending.as_str().map(str::to_owned);
            self.charge(current, &bill, error, now);
        }
        self.gateway.rates().correct(&self.rates, self.usage.total());
        self.accepted().tell_cost(self.cost);
        let taken = self.answer.transcript.take().map(|transcript| transcript.into_taken());
        let (texts, arguments) = taken.unwrap_or_default();
        permit.settle(Outcome {
            usage: (self.usage != Usage::default()).then_some(self.usage),
            cost: self.cost,
            status,
            ended: ending.as_str(),
            findings: std::mem::take(&mut self.findings),
            verdict: self.verdict,
            attempts: std::mem::take(&mut self.attempts),
            tools: tool::asked_for(std::mem::take(&mut self.answer.tool_calls), arguments),
            cached: self.cached,
            websocket: self.passed,
            payloads: content::answer(texts),
            error: None,
        });
        self.observe_request(status, now);
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        // The client hung up: 499 is nginx's status for it, which dashboards know.
        if self.permit.is_some() && !std::thread::panicking() {
            self.settle(499, Ending::Cancelled);
        }
    }
}
