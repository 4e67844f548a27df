//! A request on its way out, until the head of its answer is there.

use std::io::IoSlice;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::Method;

use super::Http1Error;
use super::connection::Connection;
use super::head::{Head, HeadReader};

/// One request and its answer's head.
pub(super) struct Exchange {
    connection: Connection,
    method: Method,
    head: Vec<u8>,
    body: Bytes,
    written: usize,
    /// Nothing more can be written: an upstream that refuses a large body often answers and closes before it is sent.
    refused: Option<std::io::Error>,
    reader: HeadReader,
}

/// The head of an answer, on the connection that its body is still to come from.
pub(super) struct Answered {
    pub(super) connection: Connection,
    pub(super) head: Head,
}

impl Exchange {
    pub(super) fn new(connection: Connection, method: Method, head: Vec<u8>, body: Bytes) -> Self {
        Self { connection, method, head, body, written: 0, refused: None, reader: HeadReader::default() }
    }

    /// Sends the request and reads the head of the answer, which may come before all is sent.
    pub(super) async fn run(mut self) -> Result<Answered, Http1Error> {
        let mut head = std::future::poll_fn(|context| self.poll(context)).await?;
        // The rest of the request would be taken for the next one.
        head.keeps_open &= self.is_sent();
        Ok(Answered { connection: self.connection, head })
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<Head, Http1Error>> {
        if self.refused.is_none()
            && let Poll::Ready(Err(error)) = self.poll_send(context)
        {
            self.refused = Some(error);
        }
        loop {
            if let Some(head) = self.reader.take(&mut self.connection.unread, &self.method)? {
                return Poll::Ready(Ok(head));
            }
            if ready!(self.connection.poll_fill(context))? == 0 {
                let cut =
                    if self.connection.unread.is_empty() { Http1Error::Unanswered } else { Http1Error::Cut };
                return Poll::Ready(Err(self.refused.take().map_or(cut, Http1Error::Io)));
            }
        }
    }

    fn poll_send(&mut self, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        while !self.is_sent() {
            let head = self.head.get(self.written..).unwrap_or_default();
            let body = self.body.get(self.written.saturating_sub(self.head.len())..).unwrap_or_default();
            let pieces = [IoSlice::new(head), IoSlice::new(body)];
            let pieces = if head.is_empty() { &pieces[1..] } else { &pieces[..] };
            match ready!(self.connection.poll_write(context, pieces))? {
                0 => return Poll::Ready(Err(std::io::ErrorKind::WriteZero.into())),
                written => self.written += written,
            }
        }
        Poll::Ready(Ok(()))
    }

    fn is_sent(&self) -> bool {
        self.written >= self.head.len() + self.body.len()
    }
}
