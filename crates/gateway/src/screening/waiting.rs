//! A stream that waits for people: what they were asked, and the signs of life that its client gets meanwhile.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use seawall_checkpoint::Answer;
use seawall_llm::wire::{Dialect, Wire};
use tokio::time::{Instant, Sleep};

use super::PolicyJudge;
use crate::people::Asker;

/// How often a client that waits hears something. Proxies and clients give up on a connection that is silent for a minute.
const SIGN: Duration = Duration::from_secs(10);

/// What a stream waits for.
#[derive(Debug)]
pub(super) struct Waiting {
    asker: Asker,
    inquiries: Vec<Inquiry>,
    sign: Option<Bytes>,
    sleep: Option<Pin<Box<Sleep>>>,
}

/// Questions that were asked together, by their places with the judge.
struct Inquiry {
    places: Vec<usize>,
    answers: Pin<Box<dyn Future<Output = Vec<Answer>> + Send>>,
}

impl fmt::Debug for Inquiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inquiry").field("places", &self.places).finish_non_exhaustive()
    }
}

impl Waiting {
    pub(super) fn new(wire: Wire, asker: Asker) -> Self {
        Self { asker, inquiries: Vec::new(), sign: sign_of(wire), sleep: None }
    }

    pub(super) fn is_over(&self) -> bool {
        self.inquiries.is_empty()
    }

    /// Asks what the judge wants to know. It has to be polled after that.
    pub(super) fn ask(&mut self, judge: &mut PolicyJudge) {
        let (places, questions) = judge.take_questions();
        if !places.is_empty() {
            let answers = Box::pin(self.asker.clone().ask(questions));
            self.inquiries.push(Inquiry { places, answers });
        }
    }

    /// Ready when the judge knows more than before.
    pub(super) fn poll(&mut self, context: &mut Context<'_>, judge: &mut PolicyJudge) -> Poll<()> {
        let before = self.inquiries.len();
        self.inquiries.retain_mut(|inquiry| match inquiry.answers.as_mut().poll(context) {
            Poll::Pending => true,
            Poll::Ready(answers) => {
                judge.hear(std::mem::take(&mut inquiry.places), answers);
                false
            }
        });
        if self.inquiries.len() < before { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Ready with a sign of life, every so often, where the format has one.
    pub(super) fn poll_sign(&mut self, context: &mut Context<'_>) -> Poll<Bytes> {
        let Some(sign) = &self.sign else { return Poll::Pending };
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep(SIGN)));
        ready!(sleep.as_mut().poll(context));
        sleep.as_mut().reset(Instant::now() + SIGN);
        Poll::Ready(sign.clone())
    }
}

/// What every client of a format passes over: a ping of Anthropic's, elsewhere a comment of server-sent events. Not every
/// client of Gemini's knows comments.
fn sign_of(wire: Wire) -> Option<Bytes> {
    match wire.dialect() {
        Dialect::OpenAi => Some(Bytes::from_static(b": waiting for a person\n\n")),
        Dialect::Anthropic => Some(Bytes::from_static(b"event: ping\ndata: {\"type\":\"ping\"}\n\n")),
        Dialect::Gemini => None,
    }
}
