//! The body of an answer, read from the connection by whoever polls it.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::Http1Error;
use super::chunks::{Chunks, Step};
use super::connection::Connection;
use super::exchange::Outgoing;
use super::head::Framing;
use super::pool::Home;

/// How the end is found.
#[derive(Debug)]
enum Reader {
    Length(u64),
    Chunks(Chunks),
    UntilClosed,
}

/// An answer's body. Complete, it gives its connection back for the next request; dropped before, it closes it, which is
/// how a provider learns that nobody waits any more.
#[derive(Debug)]
pub struct Http1Body {
    connection: Option<Connection>,
    reader: Reader,
    /// Where the connection goes afterwards; `None`: it carries no other request.
    home: Option<Home>,
    /// The rest of the request, which goes out while the answer comes in.
    unsent: Option<Outgoing>,
    /// Its end was seen. One that broke off never comes to it.
    is_whole: bool,
}

impl Http1Body {
    pub(super) fn new(
        connection: Connection,
        framing: Framing,
        home: Option<Home>,
        unsent: Option<Outgoing>,
    ) -> Self {
        let reader = match framing {
            Framing::Length(length) => Reader::Length(length),
            Framing::Chunked => Reader::Chunks(Chunks::default()),
            Framing::UntilClosed => Reader::UntilClosed,
        };
        let mut body = Self { connection: Some(connection), reader, home, unsent, is_whole: false };
        if matches!(body.reader, Reader::Length(0)) {
            body.complete();
        }
        body
    }

    /// All of it was read.
    fn complete(&mut self) {
        self.is_whole = true;
        let (connection, home) = (self.connection.take(), self.home.take());
        // The rest of a request would be taken for the next one.
        if let (Some(connection), Some(home), None) = (connection, home, &self.unsent) {
            home.take_back(connection);
        }
    }

    fn send_the_rest(&mut self, context: &mut Context<'_>) {
        let (Some(connection), Some(unsent)) = (&mut self.connection, &mut self.unsent) else { return };
        match unsent.poll_send(connection, context) {
            Poll::Pending => {}
            Poll::Ready(Ok(())) => self.unsent = None,
            // The upstream wants no more of it; what it says is still worth hearing.
            Poll::Ready(Err(_)) => (self.unsent, self.home) = (None, None),
        }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Http1Error>> {
        if self.unsent.is_some() {
            self.send_the_rest(context);
        }
        while let Some(connection) = &mut self.connection {
            match self.reader.next(connection)? {
                Step::Data(data) => {
                    if matches!(self.reader, Reader::Length(0)) {
                        self.complete();
                    }
                    return Poll::Ready(Ok(Some(data)));
                }
                Step::End => self.complete(),
                Step::More if ready!(connection.poll_fill(context))? > 0 => {}
                Step::More if matches!(self.reader, Reader::UntilClosed) => self.complete(),
                Step::More => return Poll::Ready(Err(Http1Error::Cut)),
            }
        }
        Poll::Ready(Ok(None))
    }
}

impl Drop for Http1Body {
    /// What is there of an answer that nobody wants is passed over: when that is all of it, the connection can go on.
    fn drop(&mut self) {
        while let Some(connection) = &mut self.connection {
            match self.reader.next(connection) {
                Ok(Step::Data(_)) => {}
                Ok(Step::End) => self.complete(),
                Ok(Step::More) | Err(_) => return,
            }
        }
    }
}

impl Reader {
    fn next(&mut self, connection: &mut Connection) -> Result<Step, Http1Error> {
        let unread = &mut connection.unread;
        match self {
            Self::Chunks(chunks) => chunks.next(unread),
            Self::Length(0) => Ok(Step::End),
            _ if unread.is_empty() => Ok(Step::More),
            Self::UntilClosed => Ok(Step::Data(unread.split().freeze())),
            Self::Length(left) => {
                let most = usize::try_from(*left).unwrap_or(usize::MAX).min(unread.len());
                let data = unread.split_to(most).freeze();
                *left = left.saturating_sub(u64::try_from(most).unwrap_or(u64::MAX));
                Ok(Step::Data(data))
            }
        }
    }
}

impl Body for Http1Body {
    type Data = Bytes;
    type Error = Http1Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let body = self.get_mut();
        let polled = ready!(body.poll(context));
        if polled.is_err() {
            body.connection = None;
        }
        Poll::Ready(polled.transpose().map(|data| data.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.is_whole
    }

    fn size_hint(&self) -> SizeHint {
        match self.reader {
            Reader::Length(left) => SizeHint::with_exact(left),
            _ if self.is_whole => SizeHint::with_exact(0),
            _ => SizeHint::default(),
        }
    }
}
