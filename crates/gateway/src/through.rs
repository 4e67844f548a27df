//! Bytes passed from an upstream to a client as they come: what is no stream of events and needs no judgement.
//!
//! Where the answer tells its usage (Gemini's streamed JSON array, and what no wire format claims), it is read on the
//! side.

mod reading;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame};
use seawall_llm::wire::Billing;
use seawall_llm_client::AnswerBody;
use tokio::time::Instant;

use self::reading::Reading;
use crate::meter::{Ending, Meter};
use crate::rest::{self, Rest};
use crate::timers::Timers;
use seawall_base::memory::Share;

/// The answer broke off. The connection to the client ends, so that it can't take a part for the whole.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct BrokenAnswer(String);

/// An answer passed through.
#[derive(Debug)]
pub struct Through {
    upstream: AnswerBody,
    meter: Option<Box<Meter>>,
    status: u16,
    timers: Timers,
    reading: Reading,
    bytes: u64,
    /// It broke off, which is told when asked again.
    broken: Option<BrokenAnswer>,
    _memory: Share,
}

impl Through {
    pub(crate) fn new(
        upstream: AnswerBody,
        mut meter: Box<Meter>,
        (status, headers): (u16, &HeaderMap),
        timers: Timers,
        memory: Share,
    ) -> Self {
        meter.forget_headers();
        let reading = match meter.accepted().billing {
            Billing::Free => Reading::Nothing,
            Billing::ByToken | Billing::Unknown => {
                Reading::of(headers, meter.accepted().wire, meter.keeps_words())
            }
        };
        Self {
            upstream,
            meter: Some(meter),
            status,
            timers,
            reading,
            bytes: 0,
            broken: None,
            _memory: memory,
        }
    }

    pub(crate) fn ends_at(&self) -> Instant {
        self.timers.ends_at()
    }

    pub(crate) fn poll(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenAnswer>>> {
        if let Some(broken) = self.broken.take() {
            return Poll::Ready(Some(Err(broken)));
        }
        match Pin::new(&mut self.upstream).poll_frame(context) {
            Poll::Pending => {
                self.timers.poll(context).map(|refusal| Some(Err(self.break_off(refusal.denial.message))))
            }
            Poll::Ready(None) => {
                self.settle(Ending::Complete);
                Poll::Ready(None)
            }
            Poll::Ready(Some(Err(error))) => {
                // What came before is still to be sent, and an error would end the connection without it. One turn is
                // enough for a client that reads; for one that does not, the end of what it was sent is lost.
                self.broken = Some(self.break_off(error.to_string()));
                context.waker().wake_by_ref();
                Poll::Pending
            }
            Poll::Ready(Some(Ok(frame))) => {
                self.timers.progress();
                if let Some(chunk) = frame.data_ref() {
                    self.bytes += chunk.len() as u64;
                    self.reading.take(chunk);
                }
                // Nobody asks again for more of an answer that has come to its announced length.
                if self.upstream.is_end_stream() {
                    self.settle(Ending::Complete);
                }
                Poll::Ready(Some(Ok(frame)))
            }
        }
    }

    /// The client needs no more of it. What the upstream has still under way is counted where it is billed.
    pub(crate) fn leave(mut self: Box<Self>) {
        let Some(meter) = self.meter.as_ref() else { return };
        if !meter.accepted().wire.is_metered() || self.status >= 400 || self.upstream.is_end_stream() {
            return;
        }
        let gateway = Arc::clone(meter.gateway());
        gateway.afterwards(async move {
            let Self { upstream, reading, bytes, .. } = &mut *self;
            let rest = rest::read(upstream, |chunk| {
                *bytes += chunk.len() as u64;
                reading.take(&chunk);
                true
            });
            if rest.await == Rest::TooMuch
                && let Some(meter) = &mut self.meter
            {
                meter.wrote_unseen();
            }
        });
    }

    fn break_off(&mut self, reason: String) -> BrokenAnswer {
        self.settle(Ending::Cut);
        BrokenAnswer(reason)
    }

    fn settle(&mut self, ending: Ending) {
        let Some(mut meter) = self.meter.take() else { return };
        let mut answer = self.reading.answer(meter.accepted().wire, meter.keeps_words());
        if answer.usage.is_none() {
            answer.output_bytes = answer.output_bytes.max(self.bytes);
        }
        meter.saw(answer);
        meter.finish(self.status, ending);
    }
}

impl Drop for Through {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // An answer without a body is never asked for any.
            let whole = self.upstream.is_end_stream();
            self.settle(if whole { Ending::Complete } else { Ending::Cancelled });
        }
    }
}
