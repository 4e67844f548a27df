//! Bytes passed from an upstream to a client as they come: what is no stream of events and needs no judgement.
//!
//! Where the wire format tells its usage (Gemini's streamed JSON array), a bounded copy is kept to read it from.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame};
use seawall_llm::answer::read_answer;
use seawall_llm_client::AnswerBody;

use crate::body::BrokenAnswer;
use crate::memory::Share;
use crate::meter::{Ending, Meter};
use crate::pump::Timers;

/// How much of an answer is kept to read its usage from.
const MAX_COPY: usize = 8 * 1024 * 1024;

/// An answer passed through.
#[derive(Debug)]
pub struct Through {
    upstream: AnswerBody,
    meter: Option<Box<Meter>>,
    status: u16,
    timers: Timers,
    copy: Option<BytesMut>,
    bytes: u64,
    _memory: Share,
}

impl Through {
    pub(crate) fn new(
        upstream: AnswerBody,
        meter: Box<Meter>,
        status: u16,
        timers: Timers,
        memory: Share,
    ) -> Self {
        let copy = meter.accepted().wire.is_metered().then(BytesMut::new);
        Self { upstream, meter: Some(meter), status, timers, copy, bytes: 0, _memory: memory }
    }

    pub(crate) fn poll(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenAnswer>>> {
        match Pin::new(&mut self.upstream).poll_frame(context) {
            Poll::Pending => {
                self.timers.poll(context).map(|refusal| Some(Err(self.break_off(refusal.denial.message))))
            }
            Poll::Ready(None) => {
                self.settle(Ending::Complete);
                Poll::Ready(None)
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(self.break_off(error.to_string())))),
            Poll::Ready(Some(Ok(frame))) => {
                self.timers.progress();
                if let Some(chunk) = frame.data_ref() {
                    self.keep(chunk);
                }
                Poll::Ready(Some(Ok(frame)))
            }
        }
    }

    fn keep(&mut self, chunk: &Bytes) {
        self.bytes += chunk.len() as u64;
        match &mut self.copy {
            Some(copy) if copy.len() + chunk.len() <= MAX_COPY => copy.extend_from_slice(chunk),
            _ => self.copy = None,
        }
    }

    fn break_off(&mut self, reason: String) -> BrokenAnswer {
        self.settle(Ending::Cut);
        BrokenAnswer(reason)
    }

    fn settle(&mut self, ending: Ending) {
        let Some(mut meter) = self.meter.take() else { return };
        let mut answer =
            self.copy.as_ref().map_or_else(Default::default, |copy| read_answer(meter.accepted().wire, copy));
        if answer.usage.is_none() {
            answer.output_bytes = answer.output_bytes.max(self.bytes);
        }
        meter.saw(&answer);
        meter.finish(self.status, ending);
    }
}

impl Drop for Through {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.settle(Ending::Cancelled);
        }
    }
}
