//! Takes down a stream on its way to the client, so that it can be kept once it has come to its end.

use bytes::{Bytes, BytesMut};
use http::HeaderValue;
use seawall_llm::answer::Answer;

use super::{Kept, Ticket};
use seawall_base::memory::Share;

/// A stream as far as it has come.
#[derive(Debug)]
pub(crate) struct Recorder {
    ticket: Ticket,
    content_type: HeaderValue,
    body: BytesMut,
    memory: Share,
    /// What all requests together may hold in memory.
    memory_limit: usize,
}

impl Recorder {
    pub(crate) fn new(ticket: Ticket, content_type: HeaderValue, memory: Share, memory_limit: usize) -> Self {
        Self { ticket, content_type, body: BytesMut::new(), memory, memory_limit }
    }

    /// Takes down the next piece; `false` when there is no room for it, and the stream is not going to be kept.
    pub(crate) fn take(&mut self, piece: &Bytes) -> bool {
        let fits = self.body.len() + piece.len() <= self.ticket.largest()
            && self.memory.take(piece.len(), self.memory_limit);
        if fits {
            self.body.extend_from_slice(piece);
        }
        fits
    }

    /// The stream has come to its end, and this is what it said.
    pub(crate) fn finish(self, answer: &Answer) {
        if self.ticket.is_for(answer) {
            let body = Bytes::copy_from_slice(&self.body);
            self.ticket.keep(Kept {
                content_type: self.content_type,
                body,
                tools: answer.tool_calls.clone(),
            });
        }
    }
}
