//! Plays a stream: one event a frame, at a pace, with the faults that were asked for.

use std::fmt;
use std::io::Write as _;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;
use tokio::time::Sleep;

use super::BYTES_PER_TOKEN;
use super::piece::Pieces;

/// Frames are split off a buffer of this size, so that a stream allocates once in many frames.
const BUFFER: usize = 4 * 1024;
/// There is room for at least so much before a frame is written.
const ROOM: usize = 512;

/// One part of a stream.
#[derive(Debug)]
pub(crate) enum Step {
    /// One event, ready to send, with the number of bytes of the answer in it.
    Event { bytes: Bytes, answer_bytes: u64 },
    /// A text that leaves in pieces, one event each.
    Deltas(Deltas),
}

impl Step {
    /// An event that carries no part of the answer.
    pub(crate) fn event(bytes: Bytes) -> Self {
        Self::Event { bytes, answer_bytes: 0 }
    }
}

/// A text that leaves in pieces: `head [number middle] piece tail`.
#[derive(Debug)]
pub(crate) struct Deltas {
    head: Bytes,
    numbered: Option<(u64, Bytes)>,
    tail: Bytes,
    text: String,
    at: usize,
    pieces: Pieces,
}

/// Stands for the piece in an event that is made into a template. No model name holds it, as it is a control character.
pub(crate) const PIECE: &str = "\u{1}";
/// Stands for the sequence number.
pub(crate) const NUMBER: &str = "\u{2}";

impl Deltas {
    /// A template is the text of an event in which [`PIECE`] stands for the piece as a JSON string and, where
    /// `first_number` is given, [`NUMBER`] before it for the sequence number.
    pub(crate) fn new(template: &Bytes, first_number: Option<u64>, text: String, pieces: Pieces) -> Self {
        let (head, tail) = split(template, PIECE);
        let (head, numbered) = match first_number {
            None => (head, None),
            Some(first) => {
                let (head, middle) = split(&head, NUMBER);
                (head, Some((first, middle)))
            }
        };
        Self { head, numbered, tail, text, at: 0, pieces }
    }

    /// How many events there will be.
    pub(crate) fn count(&self) -> u64 {
        let mut rest = self.text.as_str();
        let mut count = 0;
        while let Some(piece) = self.pieces.next(rest) {
            rest = rest.get(piece.len()..).unwrap_or_default();
            count += 1;
        }
        count
    }

    fn peek(&self) -> Option<&str> {
        self.pieces.next(self.text.get(self.at..)?)
    }

    /// Writes the next event; its share of the answer in bytes.
    fn write_next(&mut self, out: &mut BytesMut) -> usize {
        let Some(piece) = self.pieces.next(self.text.get(self.at..).unwrap_or_default()) else { return 0 };
        out.put_slice(&self.head);
        let mut out = out.writer();
        if let Some((number, middle)) = &mut self.numbered {
            // Writing into a buffer that grows does not fail.
            let _ = write!(out, "{number}");
            *number += 1;
            let _ = out.write_all(middle);
        }
        let _ = serde_json::to_writer(&mut out, piece);
        let _ = out.write_all(&self.tail);
        let length = piece.len();
        self.at += length;
        length
    }
}

/// What stands before and after the JSON string `mark`; everything before when it is not there.
fn split(template: &Bytes, mark: &str) -> (Bytes, Bytes) {
    let quoted = Value::from(mark).to_string();
    let found = template.windows(quoted.len()).position(|window| window == quoted.as_bytes());
    match found {
        Some(at) => (template.slice(..at), template.slice(at + quoted.len()..)),
        None => (template.clone(), Bytes::new()),
    }
}

/// How fast deltas leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Pace {
    /// As fast as they are taken.
    #[default]
    Unpaced,
    /// This long before each.
    Each(Duration),
    /// As long before each as a model of this speed takes for it.
    TokensPerSecond(u32),
}

impl Pace {
    fn wait(self, bytes: usize) -> Option<Duration> {
        match self {
            Self::Unpaced | Self::TokensPerSecond(0) => None,
            Self::Each(wait) => Some(wait),
            Self::TokensPerSecond(speed) => {
                let nanos = u64::try_from(bytes).ok()?.saturating_mul(1_000_000_000 / BYTES_PER_TOKEN);
                Some(Duration::from_nanos(nanos / u64::from(speed)))
            }
        }
    }
}

/// How a stream is to go wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct StreamFaults {
    /// Break the connection after so many deltas.
    pub(crate) break_after: Option<u64>,
    /// Fall silent after so many deltas.
    pub(crate) stall_after: Option<u64>,
    /// An event that is no JSON, sent after the first delta.
    pub(crate) garbage: Option<Bytes>,
}

/// What comes next.
pub(crate) enum Next {
    Frame { bytes: Bytes, answer_bytes: u64, last: bool },
    End,
    Break,
    Stall,
}

/// Plays the steps of one stream.
pub(crate) struct Player {
    steps: std::iter::Peekable<std::vec::IntoIter<Step>>,
    pace: Pace,
    faults: StreamFaults,
    deltas_sent: u64,
    timer: Option<Pin<Box<Sleep>>>,
    /// The wait before the next delta is over.
    waited: bool,
    buffer: BytesMut,
    gzip: Option<GzEncoder<Vec<u8>>>,
}

impl Player {
    pub(crate) fn new(steps: Vec<Step>, pace: Pace, faults: StreamFaults, gzip: bool) -> Self {
        Self {
            steps: steps.into_iter().peekable(),
            pace,
            faults,
            deltas_sent: 0,
            timer: None,
            waited: false,
            buffer: BytesMut::with_capacity(BUFFER),
            gzip: gzip.then(|| GzEncoder::new(Vec::new(), Compression::fast())),
        }
    }

    pub(crate) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Next> {
        if let Some(fault) = self.due_fault() {
            return Poll::Ready(fault);
        }
        if self.deltas_sent > 0
            && let Some(garbage) = self.faults.garbage.take()
        {
            return Poll::Ready(self.frame(garbage, 0));
        }
        std::task::ready!(self.poll_pace(context));
        Poll::Ready(self.step())
    }

    fn due_fault(&mut self) -> Option<Next> {
        let at_delta = matches!(self.next_step(), Some(Step::Deltas(_)) | None);
        let is_due = |after: Option<u64>, sent: u64| {
            after.is_some_and(|after| sent >= after && (sent > 0 || at_delta))
        };
        if is_due(self.faults.break_after, self.deltas_sent) {
            Some(Next::Break)
        } else {
            is_due(self.faults.stall_after, self.deltas_sent).then_some(Next::Stall)
        }
    }

    /// The step that comes next; texts that are used up are passed over.
    fn next_step(&mut self) -> Option<&Step> {
        while self
            .steps
            .next_if(|step| matches!(step, Step::Deltas(deltas) if deltas.peek().is_none()))
            .is_some()
        {}
        self.steps.peek()
    }

    fn poll_pace(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.pace == Pace::Unpaced || self.waited {
            return Poll::Ready(());
        }
        if self.timer.is_none() {
            let length = match self.next_step() {
                Some(Step::Deltas(deltas)) => deltas.peek().map_or(0, str::len),
                Some(Step::Event { .. }) | None => return Poll::Ready(()),
            };
            let Some(wait) = self.pace.wait(length) else { return Poll::Ready(()) };
            self.timer = Some(Box::pin(tokio::time::sleep(wait)));
        }
        if let Some(timer) = &mut self.timer {
            std::task::ready!(timer.as_mut().poll(context));
        }
        self.timer = None;
        self.waited = true;
        Poll::Ready(())
    }

    fn step(&mut self) -> Next {
        self.waited = false;
        if self.next_step().is_none() {
            return self.end();
        }
        if let Some(Step::Deltas(deltas)) = self.steps.peek_mut() {
            self.buffer.reserve(ROOM);
            let length = deltas.write_next(&mut self.buffer);
            self.deltas_sent += 1;
            let bytes = self.buffer.split().freeze();
            return self.frame(bytes, u64::try_from(length).unwrap_or(u64::MAX));
        }
        match self.steps.next() {
            Some(Step::Event { bytes, answer_bytes }) => self.frame(bytes, answer_bytes),
            Some(Step::Deltas(_)) | None => Next::End,
        }
    }

    /// Where fewer deltas came than a fault waited for, it happens at the end.
    fn end(&self) -> Next {
        match self.faults {
            StreamFaults { break_after: Some(_), .. } => Next::Break,
            StreamFaults { stall_after: Some(_), .. } => Next::Stall,
            StreamFaults { .. } => Next::End,
        }
    }

    fn frame(&mut self, bytes: Bytes, answer_bytes: u64) -> Next {
        let last = self.next_step().is_none() && matches!(self.end(), Next::End);
        let bytes = self.deflate(bytes, last);
        Next::Frame { bytes, answer_bytes, last }
    }

    /// One gzip stream over all frames, flushed at each so that none is held back.
    fn deflate(&mut self, bytes: Bytes, last: bool) -> Bytes {
        let Some(mut gzip) = self.gzip.take() else { return bytes };
        // Compressing into memory does not fail.
        let _ = gzip.write_all(&bytes);
        if last {
            return gzip.finish().map(Bytes::from).unwrap_or_default();
        }
        let _ = gzip.flush();
        let bytes = Bytes::from(std::mem::take(gzip.get_mut()));
        self.gzip = Some(gzip);
        bytes
    }
}

impl fmt::Debug for Player {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Player")
            .field("pace", &self.pace)
            .field("deltas_sent", &self.deltas_sent)
            .finish_non_exhaustive()
    }
}
