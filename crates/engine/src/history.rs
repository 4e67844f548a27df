//! The messages that a model sees, in a list that is long, shared and only ever grows at its end.
//!
//! A copy costs the same however long it is, and so does a push: whole chunks are shared between copies, so a request
//! to a model borrows the history that the agent goes on with.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Message;

/// Messages in a chunk.
const CHUNK: usize = 32;

/// Messages in the order in which they were said.
#[derive(Clone, Default)]
pub struct History {
    /// Full chunks, the newest first.
    chunks: Option<Arc<Chunk>>,
    /// Fewer than a chunk, the newest last.
    tail: Arc<Vec<Arc<Message>>>,
    len: usize,
}

struct Chunk {
    messages: Arc<Vec<Arc<Message>>>,
    older: Option<Arc<Chunk>>,
}

impl Drop for Chunk {
    /// One chunk after the other: by itself the list would be dropped by recursion, and a long one would use up the stack.
    fn drop(&mut self) {
        let mut next = self.older.take();
        while let Some(mut chunk) = next.and_then(Arc::into_inner) {
            next = chunk.older.take();
        }
    }
}

impl History {
    /// How many messages there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing was said yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds a message at the end.
    pub(crate) fn push(&mut self, message: Arc<Message>) {
        touch(self.tail.len());
        Arc::make_mut(&mut self.tail).push(message);
        self.len += 1;
        if self.tail.len() == CHUNK {
            let messages = std::mem::take(&mut self.tail);
            self.chunks = Some(Arc::new(Chunk { messages, older: self.chunks.take() }));
        }
    }

    /// The messages from the newest to the oldest.
    pub fn newest_first(&self) -> impl Iterator<Item = &Arc<Message>> {
        let chunks = std::iter::successors(self.chunks.as_deref(), |chunk| chunk.older.as_deref());
        let parts = std::iter::once(&self.tail).chain(chunks.map(|chunk| &chunk.messages));
        parts.flat_map(|messages| messages.iter().rev()).inspect(|_| touch(1))
    }

    /// The messages in order, borrowed. Costs one pointer for each chunk before the first message is given.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Message>> {
        let chunks = std::iter::successors(self.chunks.as_deref(), |chunk| chunk.older.as_deref());
        let mut parts: Vec<_> =
            std::iter::once(&self.tail).chain(chunks.map(|chunk| &chunk.messages)).collect();
        parts.reverse();
        parts.into_iter().flat_map(|messages| messages.iter()).inspect(|_| touch(1))
    }

    /// A history of the last `count` messages with another one before them.
    pub(crate) fn last_after(&self, first: Arc<Message>, count: usize) -> Self {
        let mut kept: Vec<_> = self.newest_first().take(count).cloned().collect();
        kept.push(first);
        kept.into_iter().rev().collect()
    }
}

impl FromIterator<Arc<Message>> for History {
    fn from_iter<I: IntoIterator<Item = Arc<Message>>>(messages: I) -> Self {
        let mut history = Self::default();
        messages.into_iter().for_each(|message| history.push(message));
        history
    }
}

impl PartialEq for History {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.newest_first().eq(other.newest_first())
    }
}

impl fmt::Debug for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl Serialize for History {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for History {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Vec::<Arc<Message>>::deserialize(deserializer)?.into_iter().collect())
    }
}

#[cfg(not(test))]
fn touch(_messages: usize) {}

#[cfg(test)]
use counting::touch;

/// How many messages were looked at or copied, for the test that a turn doesn't cost more in a longer history.
#[cfg(test)]
pub(crate) mod counting {
    use std::cell::Cell;

    thread_local!(static TOUCHED: Cell<usize> = const { Cell::new(0) });

    pub(super) fn touch(messages: usize) {
        TOUCHED.set(TOUCHED.get() + messages);
    }

    /// The count since the last time.
    pub(crate) fn take() -> usize {
        TOUCHED.replace(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Block, Role};

    fn message(seq: u64) -> Arc<Message> {
        Arc::new(Message { role: Role::User, content: [Block::text("x")].into(), seq })
    }

    fn seqs(history: &History) -> Vec<u64> {
        history.iter().map(|message| message.seq).collect()
    }

    #[test]
    fn messages_come_in_the_order_in_which_they_were_pushed() {
        for len in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 5 * CHUNK + 3] {
            let count = u64::try_from(len).unwrap();
            let history: History = (0..count).map(message).collect();
            assert_eq!(seqs(&history), (0..count).collect::<Vec<_>>());
            assert_eq!(history.len(), len);
            let backwards: Vec<_> = history.newest_first().map(|message| message.seq).collect();
            assert_eq!(backwards, (0..count).rev().collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_copy_keeps_what_it_was_while_the_original_grows() {
        let mut history: History = (0..100).map(message).collect();
        let copy = history.clone();
        (100..200).for_each(|seq| history.push(message(seq)));
        assert_eq!((copy.len(), history.len()), (100, 200));
        assert_eq!(seqs(&copy), (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn a_long_history_is_dropped_without_a_deep_stack() {
        let one = message(0);
        let history: History = std::iter::repeat_n(one, 3_000_000).collect();
        assert_eq!(history.len(), 3_000_000);
    }

    #[test]
    fn a_push_touches_no_more_in_a_long_history_than_in_a_short_one() {
        let most = |len: u64| {
            let mut history: History = (0..len).map(message).collect();
            let push = |seq| {
                let _shared = history.clone();
                counting::take();
                history.push(message(seq));
                counting::take()
            };
            (len..len + 100).map(push).max()
        };
        assert_eq!(most(10), most(10_000));
    }
}
