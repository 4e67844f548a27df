//! The body of a simulated answer: whole, or a stream that is played step by step.
//!
//! A frame is made when it is asked for, and its tokens are counted then; a body that is dropped has cost what was
//! taken from it. Wire formats hand in their events as [`Step`]s and know nothing of pace or faults.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::play::{Next, Player};
use super::stats::{Flight, Outcome};

/// The body of an answer of the simulated provider.
///
/// Dropping it before its end counts the request as cancelled, with the tokens that were taken so far.
pub struct SimBody {
    content: Content,
    flight: Option<Flight>,
}

enum Content {
    Whole {
        bytes: Bytes,
        answer_bytes: u64,
    },
    /// The first half of a whole answer, then a break.
    Half(Bytes),
    Stream(Box<Player>),
    Broken {
        flushed: bool,
    },
    Stalled,
    Done,
}

/// The simulated provider broke its answer off, as it was told to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the simulated provider broke the connection off, as sim:disconnect told it to")]
pub struct SimError;

impl SimBody {
    /// Bytes that cost nothing and are not counted: the provider's own pages.
    pub(crate) fn free(bytes: Bytes) -> Self {
        Self::whole(bytes, 0)
    }

    /// Everything at once.
    pub(crate) fn whole(bytes: Bytes, answer_bytes: u64) -> Self {
        Self::new(Content::Whole { bytes, answer_bytes })
    }

    /// Half of it, then a break.
    pub(crate) fn half(bytes: &Bytes) -> Self {
        Self::new(Content::Half(bytes.slice(..bytes.len() / 2)))
    }

    /// Nothing, and no end.
    pub(crate) fn stalled() -> Self {
        Self::new(Content::Stalled)
    }

    pub(crate) fn stream(player: Player) -> Self {
        Self::new(Content::Stream(Box::new(player)))
    }

    fn new(content: Content) -> Self {
        Self { content, flight: None }
    }

    /// From here on what is taken of the body counts.
    pub(crate) fn counted(mut self, flight: Flight) -> Self {
        if matches!(self.content, Content::Stream(_)) {
            flight.streams();
        }
        self.flight = Some(flight);
        self
    }

    fn wrote(&mut self, answer_bytes: u64) {
        if let Some(flight) = &mut self.flight {
            flight.wrote(answer_bytes);
        }
    }

    fn end(&mut self, outcome: Outcome) {
        if let Some(mut flight) = self.flight.take() {
            flight.end(outcome);
        }
    }

    fn poll_stream(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, SimError>>> {
        let Content::Stream(player) = &mut self.content else { return Poll::Ready(None) };
        match std::task::ready!(player.poll_next(context)) {
            Next::Frame { bytes, answer_bytes, last } => {
                self.wrote(answer_bytes);
                if last {
                    self.content = Content::Done;
                    self.end(Outcome::Completed);
                }
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Next::End => {
                self.content = Content::Done;
                self.end(Outcome::Completed);
                Poll::Ready(None)
            }
            Next::Break => {
                self.content = Content::Broken { flushed: false };
                self.poll_break(context)
            }
            Next::Stall => {
                self.content = Content::Stalled;
                Poll::Pending
            }
        }
    }

    /// Pending once, so that the server sends what it holds before the error makes it close the connection.
    fn poll_break(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, SimError>>> {
        if let Content::Broken { flushed: flushed @ false } = &mut self.content {
            *flushed = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.content = Content::Done;
        self.end(Outcome::Broken);
        Poll::Ready(Some(Err(SimError)))
    }
}

impl Body for SimBody {
    type Data = Bytes;
    type Error = SimError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, SimError>>> {
        let body = &mut *self;
        match &mut body.content {
            Content::Whole { bytes, answer_bytes } => {
                let (bytes, answer_bytes) = (std::mem::take(bytes), *answer_bytes);
                body.content = Content::Done;
                body.wrote(answer_bytes);
                body.end(Outcome::Completed);
                Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))))
            }
            Content::Half(bytes) => {
                let bytes = std::mem::take(bytes);
                body.content = Content::Broken { flushed: false };
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Content::Stream(_) => body.poll_stream(context),
            Content::Broken { .. } => body.poll_break(context),
            Content::Stalled => Poll::Pending,
            Content::Done => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.content, Content::Done)
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Whole { bytes, .. } => {
                SizeHint::with_exact(u64::try_from(bytes.len()).unwrap_or(u64::MAX))
            }
            Content::Done => SizeHint::with_exact(0),
            Content::Half(_) | Content::Stream(_) | Content::Broken { .. } | Content::Stalled => {
                SizeHint::default()
            }
        }
    }
}

impl fmt::Debug for SimBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let content = match &self.content {
            Content::Whole { bytes, .. } => format!("{} bytes", bytes.len()),
            Content::Half(bytes) => format!("{} bytes, then a break", bytes.len()),
            Content::Stream(_) => "a stream".to_owned(),
            Content::Broken { .. } => "a break".to_owned(),
            Content::Stalled => "silence".to_owned(),
            Content::Done => "nothing more".to_owned(),
        };
        f.debug_tuple("SimBody").field(&content).finish()
    }
}
