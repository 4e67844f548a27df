//! A request on its way out, until the head of its answer is there.

use std::io::{self, IoSlice};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::Method;

use super::Http1Error;
use super::connection::Connection;
use super::head::{Head, HeadReader};
use crate::dispatch::Dispatch;

/// One request and its answer's head.
pub(super) struct Exchange<'a> {
    connection: Connection,
    method: Method,
    outgoing: Outgoing,
    /// Nothing more can be written: an upstream that refuses a large body often answers and closes before it is sent.
    refused: Option<io::Error>,
    reader: HeadReader,
    dispatch: &'a Dispatch,
}

/// The head of an answer, on the connection that its body is still to come from.
pub(super) struct Answered {
    pub(super) connection: Connection,
    pub(super) head: Head,
    /// What of the request is still to be sent; some upstreams answer while they read.
    pub(super) unsent: Option<Outgoing>,
}

/// The bytes of a request, of which some have been written.
#[derive(Debug)]
pub(super) struct Outgoing {
    head: Vec<u8>,
    body: Bytes,
    written: usize,
}

impl<'a> Exchange<'a> {
    /// `dispatch` hears when the first byte has gone out.
    pub(super) fn new(
        connection: Connection,
        method: Method,
        outgoing: Outgoing,
        dispatch: &'a Dispatch,
    ) -> Self {
        Self { connection, method, outgoing, refused: None, reader: HeadReader::default(), dispatch }
    }

    /// Sends the request and reads the head of the answer, which may come before all is sent.
    pub(super) async fn run(mut self) -> Result<Answered, Http1Error> {
        let mut head = std::future::poll_fn(|context| self.poll(context)).await?;
        let is_sent = self.outgoing.is_sent();
        // An upstream that refuses the request, or breaks with it, does not wait for the rest of it.
        let goes_on = !is_sent && head.keeps_open && head.status.as_u16() < 400 && self.refused.is_none();
        head.keeps_open &= is_sent || goes_on;
        let unsent = goes_on.then_some(self.outgoing);
        Ok(Answered { connection: self.connection, head, unsent })
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<Head, Http1Error>> {
        if self.refused.is_none() {
            let sent = self.outgoing.poll_send(&mut self.connection, context);
            if self.outgoing.has_begun() {
                self.dispatch.begin();
            }
            match sent {
                Poll::Ready(Err(_)) if !self.outgoing.has_begun() => {
                    return Poll::Ready(Err(Http1Error::Unsent));
                }
                Poll::Ready(Err(error)) => self.refused = Some(error),
                Poll::Ready(Ok(())) | Poll::Pending => {}
            }
        }
        loop {
            if let Some(head) = self.reader.take(&mut self.connection.unread, &self.method)? {
                return Poll::Ready(Ok(head));
            }
            if ready!(self.connection.poll_fill(context))? == 0 {
                let is_begun = self.reader.has_read() || !self.connection.unread.is_empty();
                let cut = if is_begun { Http1Error::Cut } else { Http1Error::Unanswered };
                return Poll::Ready(Err(self.refused.take().map_or(cut, Http1Error::Io)));
            }
        }
    }
}

impl Outgoing {
    pub(super) const fn new(head: Vec<u8>, body: Bytes) -> Self {
        Self { head, body, written: 0 }
    }

    /// Writes until all is written.
    pub(super) fn poll_send(
        &mut self,
        connection: &mut Connection,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while !self.is_sent() {
            let head = self.head.get(self.written..).unwrap_or_default();
            let body = self.body.get(self.written.saturating_sub(self.head.len())..).unwrap_or_default();
            let pieces = [IoSlice::new(head), IoSlice::new(body)];
            let pieces = if head.is_empty() { &pieces[1..] } else { &pieces[..] };
            match ready!(connection.poll_write(context, pieces))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.written += written,
            }
        }
        Poll::Ready(Ok(()))
    }

    fn is_sent(&self) -> bool {
        self.written >= self.head.len() + self.body.len()
    }

    const fn has_begun(&self) -> bool {
        self.written > 0
    }
}
