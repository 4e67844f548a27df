//! The body of an answer: whole, or events as they come.

use std::any::Any;
use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::SizeHint;
use seawall_base::memory::Share;
use tokio::sync::mpsc;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use crate::message::on_one_line;

/// How often a stream says that it is alive while there is nothing to say.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// What is kept for as long as a body is: a place among the requests under way, memory.
pub type Hold = Box<dyn Any + Send + Sync>;

/// A piece of a stream, with the memory that it takes until it is written.
#[derive(Debug)]
pub(crate) struct Frame {
    bytes: Bytes,
    memory: Option<Share>,
}

/// Where frames come from.
pub(crate) type Frames = mpsc::Receiver<Frame>;

/// A way for frames, with room for so many.
pub(crate) fn frames(room: usize) -> (mpsc::Sender<Frame>, Frames) {
    mpsc::channel(room)
}

impl Frame {
    pub(crate) fn new(bytes: Bytes, memory: Option<Share>) -> Self {
        Self { bytes, memory }
    }

    pub(crate) fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    pub(crate) fn into_bytes(self) -> Bytes {
        self.bytes
    }

    /// Other bytes in the place of these, in the same memory.
    pub(crate) fn with(self, bytes: Bytes) -> Self {
        Self { bytes, ..self }
    }
}

/// The body of an answer. Dropping one of events is how its client hangs up.
pub struct Body(Inner);

enum Inner {
    Full { bytes: Option<Bytes>, _memory: Option<Share>, _hold: Option<Hold> },
    Events { events: Frames, heartbeat: Interval, _hold: Option<Hold> },
}

impl Body {
    /// A whole body.
    pub fn full(bytes: impl Into<Bytes>) -> Self {
        Self::held(Frame::new(bytes.into(), None), None)
    }

    /// A whole body, with what is kept until it is written.
    pub(crate) fn held(frame: Frame, hold: Option<Hold>) -> Self {
        let Frame { bytes, memory } = frame;
        Self(Inner::Full { bytes: (!bytes.is_empty()).then_some(bytes), _memory: memory, _hold: hold })
    }

    /// Events, each as it stands in the stream.
    pub(crate) fn events(events: Frames, hold: Option<Hold>) -> Self {
        let mut heartbeat = interval_at(Instant::now() + HEARTBEAT, HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self(Inner::Events { events, heartbeat, _hold: hold })
    }
}

/// A message as an event of a stream, which ends its lines at more than one kind of line break.
pub(crate) fn event(message: Bytes) -> Bytes {
    [b"event: message\ndata: ".as_slice(), &on_one_line(message), b"\n\n"].concat().into()
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Inner::Full { .. } => "Body::Full",
            Inner::Events { .. } => "Body::Events",
        })
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Infallible>>> {
        match &mut self.get_mut().0 {
            Inner::Full { bytes, .. } => {
                Poll::Ready(bytes.take().map(|bytes| Ok(http_body::Frame::data(bytes))))
            }
            Inner::Events { events, heartbeat, .. } => match events.poll_recv(context) {
                Poll::Ready(Some(frame)) => {
                    heartbeat.reset();
                    Poll::Ready(Some(Ok(http_body::Frame::data(frame.bytes))))
                }
                Poll::Ready(None) => Poll::Ready(None),
                Poll::Pending => heartbeat
                    .poll_tick(context)
                    .map(|_now| Some(Ok(http_body::Frame::data(Bytes::from_static(b": alive\n\n"))))),
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.0, Inner::Full { bytes: None, .. })
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Inner::Full { bytes, .. } => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Inner::Events { .. } => SizeHint::default(),
        }
    }
}
