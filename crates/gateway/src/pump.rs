//! A stream of events on its way from an upstream to a client: metered event by event, never held as a whole.
//!
//! Every event is seen complete before it is passed on, so that an inspection can judge it; what is not yet complete
//! waits, bounded. Events that are there at the same time leave in one piece: one write to the client, not one for
//! each. A stream never ends silently: without its proper end the client gets the provider's error event.
//!
//! Where a person is asked about a call, what has come goes, what comes behind the call waits, and the client hears now and
//! then that it goes on.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::Body;
use seawall_llm::screen::Progress;
use seawall_llm::sse::{RawEvent, Splitter};
use seawall_llm::stream::{Step, StreamReader};
use seawall_llm::wire::Wire;
use seawall_llm_client::AnswerBody;
use seawall_types::Code;
use tokio::time::Instant;

use crate::cache::Recorder;
use crate::inflate::StreamInflater;
use crate::meter::{Ending, Meter};
use crate::refusal::Refusal;
use crate::rest::{self, Rest};
use crate::screening::Screened;
use crate::timers::Timers;
use seawall_base::memory::Share;

/// A piece of the upstream's answer, or why there is none.
type Frame = Result<http_body::Frame<Bytes>, <AnswerBody as Body>::Error>;

/// The longest event that is waited for. Images come in one event; nothing longer does.
const MAX_EVENT: usize = 16 * 1024 * 1024;
/// Enough for one write.
const WRITE: usize = 64 * 1024;

/// A stream of events under way.
#[derive(Debug)]
pub struct Pump {
    upstream: Option<AnswerBody>,
    inflater: Option<StreamInflater>,
    splitter: Splitter,
    reader: StreamReader,
    wire: Wire,
    meter: Option<Box<Meter>>,
    ready: VecDeque<Bytes>,
    timers: Timers,
    /// What the request's body takes of the memory for all of them, until the stream ends.
    _memory: Share,
    /// Something was there for the client: from then on nobody else can answer.
    said: bool,
    told_first_token: bool,
    /// The client hung up before the answer was complete.
    left_early: bool,
    /// Takes the stream down, where it may be kept.
    recorder: Option<Box<Recorder>>,
    /// Decides what of it the client gets to see.
    screened: Option<Box<Screened>>,
    /// It did so, and no other upstream is to be asked.
    is_stopped: bool,
    /// Nothing more comes, and what has come waits for a person.
    closing: Option<Closing>,
}

/// How the upstream's stream came to its end.
#[derive(Debug)]
enum Closing {
    /// Properly, with these bytes behind its last event.
    Ended(Option<Bytes>),
    /// It broke off after the model's last word.
    BrokeOff,
}

impl Pump {
    pub(crate) fn new(
        upstream: AnswerBody,
        inflater: Option<StreamInflater>,
        strip_usage: bool,
        meter: Box<Meter>,
        timers: Timers,
        memory: Share,
    ) -> Self {
        let wire = meter.accepted().wire;
        let reader = StreamReader::new(wire, strip_usage).with_answers(meter.answers());
        let reader = if meter.keeps_words() { reader.taking_down() } else { reader };
        Self {
            upstream: Some(upstream),
            inflater,
            splitter: Splitter::new(MAX_EVENT),
            reader,
            wire,
            meter: Some(meter),
            ready: VecDeque::new(),
            timers,
            _memory: memory,
            said: false,
            told_first_token: false,
            left_early: false,
            recorder: None,
            screened: None,
            is_stopped: false,
            closing: None,
        }
    }

    /// What the client gets to see of the stream is decided on the way.
    pub(crate) fn screened(mut self, screened: Option<Screened>) -> Self {
        self.screened = screened.map(Box::new);
        self
    }

    /// The stream is taken down, to be kept when it has come to its end.
    pub(crate) fn recorded(mut self, recorder: Option<Recorder>) -> Self {
        self.recorder = recorder.map(Box::new);
        self
    }

    /// Waits until there is something for the client, so that an upstream that fails before can still be replaced.
    ///
    /// # Errors
    /// Gives the meter back with the reason when the stream ended before its first event.
    pub(crate) async fn prime(mut self: Box<Self>) -> Result<Box<Self>, (Option<Box<Meter>>, Refusal)> {
        let outcome = std::future::poll_fn(|context| self.fill(context)).await;
        match outcome {
            Err(mut refusal) if self.ready.is_empty() => {
                if self.is_stopped
                    && let Some(mut meter) = self.meter.take()
                {
                    meter.saw(self.reader.take_answer());
                    self.judged(&mut meter);
                    let cost = meter.finish(refusal.status().as_u16(), Ending::Cut);
                    refusal = refusal.costing(cost);
                }
                Err((self.meter.take(), refusal))
            }
            Err(refusal) => {
                self.fail(&refusal);
                Ok(self)
            }
            Ok(()) => Ok(self),
        }
    }

    pub(crate) fn ends_at(&self) -> Instant {
        self.timers.ends_at()
    }

    /// The client gets this answer: no other will be asked for.
    pub(crate) fn begin(&mut self) {
        if let Some(meter) = &mut self.meter {
            meter.forget_headers();
        }
    }

    /// The next piece for the client.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if self.ready.is_empty() {
            if self.upstream.is_none() {
                return Poll::Ready(None);
            }
            if let Err(refusal) = ready!(self.fill(context)) {
                self.fail(&refusal);
            }
        }
        Poll::Ready(self.take_ready())
    }

    /// Reads on until something is ready and nothing more is there at once, or the stream has ended.
    fn fill(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Refusal>> {
        loop {
            self.hear(context)?;
            if !self.is_waiting()
                && let Some(closing) = self.closing.take()
            {
                self.close(closing)?;
                continue;
            }
            let Some(polled) = self.poll_upstream(context) else { return Poll::Ready(Ok(())) };
            match polled {
                Poll::Pending if self.ready.is_empty() => {
                    let refusal = ready!(self.timers.poll(context));
                    if self.is_waiting() {
                        return Poll::Ready(Err(refusal));
                    }
                    self.broke_off(refusal)?;
                }
                Poll::Pending => return Poll::Ready(Ok(())),
                Poll::Ready(Some(Ok(frame))) => {
                    if let Ok(chunk) = frame.into_data() {
                        self.timers.progress();
                        self.take_in(chunk)?;
                    }
                }
                Poll::Ready(Some(Err(error))) => self.broke_off(broken(&error.to_string()))?,
                Poll::Ready(None) => self.end()?,
            }
            if self.ready.iter().map(Bytes::len).sum::<usize>() >= WRITE {
                return Poll::Ready(Ok(()));
            }
        }
    }

    /// The next piece of the upstream's, where one is wanted now; `None` when the stream is over.
    fn poll_upstream(&mut self, context: &mut Context<'_>) -> Option<Poll<Option<Frame>>> {
        let upstream = self.upstream.as_mut()?;
        let is_full = || self.screened.as_ref().is_some_and(|screened| screened.is_full());
        if self.closing.is_some() || is_full() {
            return Some(Poll::Pending);
        }
        Some(Pin::new(upstream).poll_frame(context))
    }

    /// Whether something waits for a person.
    fn is_waiting(&self) -> bool {
        self.screened.as_ref().is_some_and(|screened| screened.is_waiting())
    }

    /// Goes on with what waits where a person has decided; else lets the client know now and then that it waits.
    fn hear(&mut self, context: &mut Context<'_>) -> Result<(), Refusal> {
        while self.is_waiting() {
            // While it waits here the upstream may be as silent as it likes.
            self.timers.progress();
            let Some(screened) = &mut self.screened else { return Ok(()) };
            match screened.poll(context) {
                Poll::Ready(seen) => self.say_all(seen)?,
                Poll::Pending => {
                    let sign = screened.poll_sign(context);
                    if let (Poll::Ready(sign), true) = (sign, self.ready.is_empty()) {
                        self.said = true;
                        self.ready.push_back(sign);
                    }
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn take_in(&mut self, chunk: Bytes) -> Result<(), Refusal> {
        let chunk = match &mut self.inflater {
            Some(inflater) => inflater.push(&chunk).map_err(|error| broken(&error.to_string()))?,
            None => chunk,
        };
        self.splitter.push(chunk);
        self.pass_events()
    }

    fn pass_events(&mut self) -> Result<(), Refusal> {
        while let Some(event) = self.splitter.next_event().map_err(|error| broken(&error.to_string()))? {
            let step = self.reader.event(&event);
            if !self.said && self.reader.answer().failed && says_overloaded(&event.bytes) {
                return Err(overloaded());
            }
            if self.reader.is_garbage() {
                return Err(broken("an event is not JSON"));
            }
            match step {
                Step::Pass => self.show(event)?,
                Step::Replace(bytes) => self.show(RawEvent::new(bytes))?,
                Step::Drop => {}
            }
        }
        if !self.told_first_token && self.reader.first_token_seen() {
            self.told_first_token = true;
            if let Some(meter) = &self.meter {
                meter.first_token();
            }
        }
        Ok(())
    }

    /// The answer broke off. Once the model has said its last word the client has all of it, so that is no error; but half
    /// an event is nobody's, nothing is kept of such a stream, and without its usage it is not known what it cost.
    fn broke_off(&mut self, refusal: Refusal) -> Result<(), Refusal> {
        if !self.reader.is_complete() {
            return Err(refusal);
        }
        self.close(Closing::BrokeOff)
    }

    /// Sends what of an event may be seen, and of those before it.
    fn show(&mut self, event: RawEvent) -> Result<(), Refusal> {
        let Some(screened) = &mut self.screened else {
            self.say(event.bytes);
            return Ok(());
        };
        let seen = screened.event(&event);
        self.say_all(seen)
    }

    /// The stream has come to its end, and so has every text in it; but for what waits for a person.
    fn show_what_was_kept(&mut self) -> Result<Progress, Refusal> {
        let Some(screened) = &mut self.screened else { return Ok(Progress::Done) };
        let (seen, progress) = screened.finish().inspect_err(|_| self.is_stopped = true)?;
        self.say_all(Ok(seen))?;
        Ok(progress)
    }

    fn say_all(&mut self, seen: Result<Vec<Bytes>, Refusal>) -> Result<(), Refusal> {
        let mut seen = seen.inspect_err(|_| self.is_stopped = true)?;
        for bytes in seen.drain(..) {
            self.say(bytes);
        }
        if let Some(screened) = &mut self.screened {
            screened.give_back(seen);
            // What people said about one answer is not to be given again without them.
            if screened.has_asked() {
                self.recorder = None;
            }
        }
        Ok(())
    }

    /// Bytes for the client.
    fn say(&mut self, bytes: Bytes) {
        if self.recorder.as_mut().is_some_and(|recorder| !recorder.take(&bytes)) {
            self.recorder = None;
        }
        self.said = true;
        self.ready.push_back(bytes);
    }

    /// The upstream has said all it had to say.
    fn end(&mut self) -> Result<(), Refusal> {
        if let Some(inflater) = &mut self.inflater {
            let rest = inflater.finish().map_err(|error| broken(&error.to_string()))?;
            self.splitter.push(rest);
            self.pass_events()?;
        }
        let rest = self.splitter.finish();
        if !self.reader.is_complete() {
            return Err(broken("it ended in the middle"));
        }
        self.close(Closing::Ended(rest))
    }

    /// Nothing more comes. What was kept goes and the stream is over, or it waits for a person first.
    fn close(&mut self, closing: Closing) -> Result<(), Refusal> {
        if self.show_what_was_kept()? == Progress::Waits {
            self.closing = Some(closing);
            return Ok(());
        }
        self.upstream = None;
        match closing {
            Closing::Ended(rest) => {
                // No event by the standard, but some clients read it as one: where answers are screened it is left out.
                if let Some(rest) = rest.filter(|_| self.screened.is_none()) {
                    self.say(rest);
                }
                if let Some(recorder) = self.recorder.take() {
                    recorder.finish(self.reader.answer());
                }
                self.settle(Ending::Complete);
            }
            Closing::BrokeOff => {
                self.recorder = None;
                let is_told = self.reader.answer().usage.is_some();
                self.settle(if is_told { Ending::Complete } else { Ending::Cut });
            }
        }
        Ok(())
    }

    /// Ends the stream in an error that the client's SDK understands.
    fn fail(&mut self, refusal: &Refusal) {
        self.upstream = None;
        self.ready.push_back(refusal.event(self.wire));
        self.settle(Ending::Cut);
    }

    fn settle(&mut self, ending: Ending) {
        if let Some(mut meter) = self.meter.take() {
            meter.saw(self.reader.take_answer());
            self.judged(&mut meter);
            meter.finish(200, ending);
        }
    }

    /// Hands over what was found in the stream.
    fn judged(&mut self, meter: &mut Meter) {
        let Some(screened) = &mut self.screened else { return };
        let (found, verdict) = screened.take_found();
        meter.found(found, verdict);
        if self.is_stopped {
            meter.ended_here();
        }
    }

    /// Everything that is ready, in one piece.
    fn take_ready(&mut self) -> Option<Bytes> {
        if self.ready.len() <= 1 {
            return self.ready.pop_front();
        }
        let mut merged = BytesMut::with_capacity(self.ready.iter().map(Bytes::len).sum());
        for piece in self.ready.drain(..) {
            merged.extend_from_slice(&piece);
        }
        Some(merged.freeze())
    }

    /// The client needs no more of it. If it has hung up, what the upstream has still under way is counted, and the call
    /// cancelled. Many clients leave at the last word, and the usage comes after that: it is waited for.
    pub(crate) fn leave(mut self: Box<Self>) {
        let Some(meter) = self.meter.as_ref() else { return };
        let is_complete = self.reader.is_complete();
        if is_complete && self.reader.answer().usage.is_some() {
            return;
        }
        let gateway = Arc::clone(meter.gateway());
        self.left_early = true;
        self.wait_no_longer();
        // Those who wait for this answer are not to wait for what nobody reads.
        self.recorder = None;
        gateway.afterwards(async move {
            let Some(mut upstream) = self.upstream.take() else { return };
            if is_complete {
                let ended = rest::read_end(&mut upstream, |chunk| {
                    self.is_counted(chunk) && self.reader.answer().usage.is_none()
                });
                self.left_early = !ended.await;
                return;
            }
            let rest = rest::read(&mut upstream, |chunk| self.is_counted(chunk)).await;
            if rest == Rest::TooMuch
                && let Some(meter) = &mut self.meter
            {
                meter.wrote_unseen();
            }
        });
    }

    /// Nobody is there any more for whom a person would decide. What was found until now is told.
    fn wait_no_longer(&mut self) {
        if self.is_waiting() {
            if let Some(mut meter) = self.meter.take() {
                self.judged(&mut meter);
                self.meter = Some(meter);
            }
            self.screened = None;
        }
    }

    /// Takes in a piece that is for nobody; whether it could be read.
    fn is_counted(&mut self, chunk: Bytes) -> bool {
        let is_good = self.take_in(chunk).is_ok();
        self.ready.clear();
        is_good
    }

    /// The client has gone: what the upstream has already sent us was produced and will be billed, so it is counted before
    /// the call is cancelled. Nothing is waited for.
    fn count_what_is_there(&mut self) {
        let mut context = Context::from_waker(std::task::Waker::noop());
        let mut budget = MAX_EVENT;
        while let Some(upstream) = self.upstream.as_mut() {
            let Poll::Ready(Some(Ok(frame))) = Pin::new(upstream).poll_frame(&mut context) else { break };
            let Ok(chunk) = frame.into_data() else { continue };
            budget = budget.saturating_sub(chunk.len().max(1));
            if !self.is_counted(chunk) || budget == 0 {
                break;
            }
        }
    }
}

impl Drop for Pump {
    fn drop(&mut self) {
        if self.meter.is_some() && !std::thread::panicking() {
            self.wait_no_longer();
            self.count_what_is_there();
            let complete = self.reader.is_complete() && !self.left_early;
            let ending = if complete { Ending::Complete } else { Ending::Cancelled };
            if let Some(mut meter) = self.meter.take() {
                meter.saw(self.reader.take_answer());
                self.judged(&mut meter);
                meter.finish(if ending == Ending::Complete { 200 } else { 499 }, ending);
            }
        }
    }
}

/// Whether an event is Anthropic's way of a 529 when the 200 has gone out already.
fn says_overloaded(event: &[u8]) -> bool {
    const TYPE: &[u8] = b"\"overloaded_error\"";
    event.windows(TYPE.len()).any(|window| window == TYPE)
}

fn overloaded() -> Refusal {
    Refusal::new(Code::UpstreamUnavailable, "the upstream is overloaded", "try again in a moment")
        .retry_after(Duration::from_secs(1))
}

fn broken(reason: &str) -> Refusal {
    Refusal::new(
        Code::UpstreamBroken,
        format!("the upstream's answer broke off: {reason}"),
        "try again; seawall trace shows how far it came",
    )
}
