//! A websocket under way: bytes passed in both directions as they come, counted, never looked into.
//!
//! It ends when either side ends it, or with the time-outs of the upstream: `idle` for the time in which neither side says
//! anything, `total` for all of it. However it ends, it is settled exactly once, also when it is dropped.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use seawall_checkpoint::Passed;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use crate::meter::{Ending, Meter};
use crate::timers::Timers;
use seawall_base::memory::Share;

/// What is read at once in each direction.
const BUFFER: usize = 16 * 1024;
/// What a tunnel holds in memory.
pub(crate) const BUFFERS: usize = 2 * BUFFER;
/// When one side has ended, the other may still say its last words.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// What the client was answered.
const SWITCHED: u16 = 101;

/// A websocket under way. Run it with the client's connection once the client has the answer; dropping it settles it.
#[derive(Debug)]
pub struct Tunnel {
    upstream: Option<OnUpgrade>,
    meter: Option<Box<Meter>>,
    timers: Timers,
    up: Pipe,
    down: Pipe,
    /// One side has ended.
    closing: bool,
    _memory: Share,
}

impl Tunnel {
    pub(crate) fn new(upstream: OnUpgrade, mut meter: Box<Meter>, timers: Timers, memory: Share) -> Self {
        meter.forget_headers();
        Self {
            upstream: Some(upstream),
            meter: Some(meter),
            timers,
            up: Pipe::new(),
            down: Pipe::new(),
            closing: false,
            _memory: memory,
        }
    }

    /// Passes bytes until it ends. `early` is what the client sent right behind its handshake.
    pub async fn run(mut self: Box<Self>, client: impl AsyncRead + AsyncWrite + Unpin, early: Bytes) {
        let Some(upgrade) = self.upstream.take() else { return };
        let ending = match upgrade.await {
            Ok(upstream) => {
                self.up.early = early;
                let (mut client, mut upstream) = (client, TokioIo::new(upstream));
                std::future::poll_fn(|context| self.poll(context, &mut client, &mut upstream)).await
            }
            Err(error) => {
                tracing::debug!(%error, "the upstream's connection was gone when the websocket began");
                Ending::Cut
            }
        };
        self.settle(ending);
    }

    fn poll<C, U>(&mut self, context: &mut Context<'_>, client: &mut C, upstream: &mut U) -> Poll<Ending>
    where
        C: AsyncRead + AsyncWrite + Unpin,
        U: AsyncRead + AsyncWrite + Unpin,
    {
        let before = self.passed();
        let up = self.up.poll(context, client, upstream);
        let down = self.down.poll(context, upstream, client);
        match (failure(&up), failure(&down)) {
            // A client that has gone is not the upstream's failure.
            (Some(Side::Source), _) | (_, Some(Side::Sink)) => {
                return Poll::Ready(self.ended(Ending::Cancelled));
            }
            (Some(Side::Sink), _) | (_, Some(Side::Source)) => return Poll::Ready(self.ended(Ending::Cut)),
            (None, None) => {}
        }
        if up.is_ready() && down.is_ready() {
            return Poll::Ready(Ending::Complete);
        }
        if (up.is_ready() || down.is_ready()) && !self.closing {
            self.closing = true;
            self.timers = Timers::new(LAST_WORDS, Instant::now() + LAST_WORDS);
        }
        if self.passed() != before {
            self.timers.progress();
        }
        ready!(self.timers.poll(context));
        Poll::Ready(self.ended(Ending::TimedOut))
    }

    /// What goes wrong when one side has ended already spoils nothing.
    fn ended(&self, ending: Ending) -> Ending {
        if self.closing { Ending::Complete } else { ending }
    }

    fn passed(&self) -> Passed {
        Passed { bytes_in: self.up.passed, bytes_out: self.down.passed }
    }

    fn settle(&mut self, ending: Ending) {
        let Some(mut meter) = self.meter.take() else { return };
        meter.passed(self.passed());
        meter.finish(if ending == Ending::Cancelled { 499 } else { SWITCHED }, ending);
    }
}

impl Drop for Tunnel {
    /// The server stops.
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.settle(Ending::Cancelled);
        }
    }
}

/// Which end of a pipe failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Source,
    Sink,
}

type Piped = Poll<Result<(), (Side, io::Error)>>;

fn failure(piped: &Piped) -> Option<Side> {
    match piped {
        Poll::Ready(Err((side, error))) => {
            tracing::debug!(%error, ?side, "a websocket broke off");
            Some(*side)
        }
        _ => None,
    }
}

/// One direction.
#[derive(Debug)]
struct Pipe {
    /// Goes before everything that is read.
    early: Bytes,
    buffer: Box<[u8]>,
    /// What of the buffer is still to be written.
    start: usize,
    end: usize,
    /// The bytes that were written.
    passed: u64,
    unflushed: bool,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// Nothing more comes; what there is goes out, and then the word that it was all.
    Closing,
    Closed,
}

impl Pipe {
    fn new() -> Self {
        let buffer = vec![0; BUFFER].into_boxed_slice();
        Self {
            early: Bytes::new(),
            buffer,
            start: 0,
            end: 0,
            passed: 0,
            unflushed: false,
            state: State::Open,
        }
    }

    /// Passes on what there is. Ready when the source has ended and the sink knows.
    fn poll<R, W>(&mut self, context: &mut Context<'_>, source: &mut R, sink: &mut W) -> Piped
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        let at = |side| move |error| (side, error);
        loop {
            if self.state == State::Closed {
                return Poll::Ready(Ok(()));
            }
            ready!(self.write(context, sink)).map_err(at(Side::Sink))?;
            if self.state == State::Closing {
                ready!(Pin::new(&mut *sink).poll_shutdown(context)).map_err(at(Side::Sink))?;
                self.state = State::Closed;
                continue;
            }
            match self.read(context, source) {
                Poll::Ready(read) => read.map_err(at(Side::Source))?,
                Poll::Pending => {
                    if self.unflushed {
                        ready!(Pin::new(&mut *sink).poll_flush(context)).map_err(at(Side::Sink))?;
                        self.unflushed = false;
                    }
                    return Poll::Pending;
                }
            }
        }
    }

    fn read<R: AsyncRead + Unpin>(
        &mut self,
        context: &mut Context<'_>,
        source: &mut R,
    ) -> Poll<io::Result<()>> {
        let mut into = ReadBuf::new(&mut self.buffer);
        match ready!(Pin::new(source).poll_read(context, &mut into)) {
            // Many servers end TLS without saying so; whether something is missing, the websocket's own end tells.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
            read => read?,
        }
        (self.start, self.end) = (0, into.filled().len());
        if self.end == 0 {
            self.state = State::Closing;
        }
        Poll::Ready(Ok(()))
    }

    /// Writes all that is there.
    fn write<W: AsyncWrite + Unpin>(
        &mut self,
        context: &mut Context<'_>,
        sink: &mut W,
    ) -> Poll<io::Result<()>> {
        loop {
            let rest = self.buffer.get(self.start..self.end).unwrap_or_default();
            let next = if self.early.is_empty() { rest } else { &self.early };
            if next.is_empty() {
                return Poll::Ready(Ok(()));
            }
            let written = ready!(Pin::new(&mut *sink).poll_write(context, next))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            if self.early.is_empty() {
                self.start += written
            } else {
                self.early.advance(written)
            }
            self.passed += written as u64;
            self.unflushed = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::*;

    /// A pipe that runs until its end; gives what it passed.
    async fn run(mut pipe: Pipe, mut source: DuplexStream, mut sink: DuplexStream) -> (u64, Option<Side>) {
        let piped = std::future::poll_fn(|context| pipe.poll(context, &mut source, &mut sink)).await;
        (pipe.passed, piped.err().map(|(side, _)| side))
    }

    #[tokio::test]
    async fn every_byte_passes_in_order_however_small_the_sink_is() {
        let sent: Vec<u8> = (0..100_000_u32).map(|number| (number % 251) as u8).collect();
        let (mut client, source) = duplex(7);
        let (sink, mut upstream) = duplex(5);
        let pipe = Pipe { early: Bytes::copy_from_slice(&sent[..10]), ..Pipe::new() };
        let writing = async {
            client.write_all(&sent[10..]).await.unwrap();
            drop(client);
        };
        let mut got = Vec::new();
        let ((passed, failed), (), read) =
            tokio::join!(run(pipe, source, sink), writing, upstream.read_to_end(&mut got));
        assert_eq!((passed, failed, read.unwrap()), (100_000, None, 100_000));
        assert!(got == sent);
    }

    #[tokio::test]
    async fn a_sink_that_has_gone_is_told_from_a_source_that_has() {
        let (mut client, source) = duplex(64);
        let (sink, upstream) = duplex(64);
        drop(upstream);
        client.write_all(b"x").await.unwrap();
        assert_eq!(run(Pipe::new(), source, sink).await, (0, Some(Side::Sink)));
    }
}
