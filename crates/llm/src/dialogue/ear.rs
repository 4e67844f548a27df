//! Takes down what a model says while its answer is read, whole and in order.
//!
//! The readers of the wire formats ([`crate::answer::Answer`]'s methods) tell it what they find; nothing is parsed here. A
//! [`crate::transcript`] is for the trace and bounded; this is for the agent, who needs every byte.

use seawall_types::Usage;
use serde_json::Value;

use super::{Failure, Said, Stop};
use crate::answer::ToolCall;
use crate::dialogue::reply::{Call, Input};
use crate::transcript::Channel;

/// What an event of a stream brought.
#[derive(Debug, Clone, PartialEq)]
pub enum Heard {
    /// The next words.
    Text(String),
    /// The next of its thoughts.
    Thought(String),
    /// The provider has signed the thoughts so far; what with, is in [`Said::Thought`].
    ThoughtSignature,
    /// A call of a tool begins.
    ToolCall {
        /// Which of the answer's calls, from 0.
        index: usize,
        /// What the provider calls it.
        id: Option<String>,
        /// The tool. Its name may still grow with servers that send it in pieces.
        name: String,
    },
    /// The next of a call's arguments.
    ToolArguments {
        /// Which call.
        index: usize,
        /// The next piece of their JSON.
        delta: String,
    },
    /// Why the answer ends. More may follow, but no more words.
    Stop(Stop),
    /// The tokens so far; the last one counts.
    Usage(Usage),
    /// It has failed. Nothing follows.
    Error(Failure),
}

/// What has been said so far.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Ear {
    parts: Vec<Growing>,
    news: Vec<News>,
}

/// A part that more may come of.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Growing {
    Words { channel: Channel, index: u64, text: String, signature: Option<Value> },
    Call { call: usize, arguments: String, is_whole: bool },
}

/// What came since the last look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum News {
    Words(Channel, String),
    Signed,
    Call(usize, ToolCall),
    Arguments(usize, String),
}

impl From<News> for Heard {
    fn from(news: News) -> Self {
        match news {
            News::Words(Channel::Text, text) => Self::Text(text),
            News::Words(Channel::Reasoning, text) => Self::Thought(text),
            News::Signed => Self::ThoughtSignature,
            News::Call(index, ToolCall { id, name }) => Self::ToolCall { index, id, name },
            News::Arguments(index, delta) => Self::ToolArguments { index, delta },
        }
    }
}

impl Ear {
    /// A text or the next piece of it: it belongs to what is being said, unless something else came between.
    pub(crate) fn said(&mut self, channel: Channel, index: u64, piece: &str) {
        if piece.is_empty() {
            return;
        }
        match self.parts.last_mut() {
            Some(Growing::Words { channel: known, index: at, text, .. })
                if (*known, *at) == (channel, index) =>
            {
                text.push_str(piece);
            }
            _ => self.begin(channel, index, piece, None),
        }
        self.news.push(News::Words(channel, piece.to_owned()));
    }

    fn begin(&mut self, channel: Channel, index: u64, text: &str, signature: Option<Value>) {
        self.parts.push(Growing::Words { channel, index, text: text.to_owned(), signature });
    }

    /// The thoughts at `index` are signed: those that came last, else thoughts that have no words.
    pub(crate) fn signed(&mut self, index: u64, with: Value) {
        let found = self.parts.iter_mut().rev().find_map(|part| match part {
            Growing::Words { channel: Channel::Reasoning, index: at, signature, .. } if *at == index => {
                Some(signature)
            }
            _ => None,
        });
        match found {
            Some(signature) => *signature = Some(with),
            None => self.begin(Channel::Reasoning, index, "", Some(with)),
        }
        self.news.push(News::Signed);
    }

    /// What comes next is signed rather than the thoughts before it: this stands in its own place.
    pub(crate) fn signs_next(&mut self, with: Value) {
        self.begin(Channel::Reasoning, u64::MAX, "", Some(with));
        self.news.push(News::Signed);
    }

    /// A call begins: the answer's `call`-th.
    pub(crate) fn called(&mut self, call: usize, tool: &ToolCall) {
        self.parts.push(Growing::Call { call, arguments: String::new(), is_whole: false });
        self.news.push(News::Call(call, tool.clone()));
    }

    /// The next piece of a call's arguments. What comes again after the whole is no piece.
    pub(crate) fn argued(&mut self, call: usize, piece: &str) {
        if piece.is_empty() {
            return;
        }
        if let Some((arguments, false)) = self.call(call).map(|(arguments, is_whole)| (arguments, *is_whole))
        {
            arguments.push_str(piece);
            self.news.push(News::Arguments(call, piece.to_owned()));
        }
    }

    /// The arguments came whole: they take the place of what their pieces were.
    pub(crate) fn argued_whole(&mut self, call: usize, whole: &str) {
        let Some((arguments, is_whole)) = self.call(call) else { return };
        let is_news = arguments.is_empty() && !whole.is_empty();
        whole.clone_into(arguments);
        *is_whole = true;
        if is_news {
            self.news.push(News::Arguments(call, whole.to_owned()));
        }
    }

    fn call(&mut self, wanted: usize) -> Option<(&mut String, &mut bool)> {
        self.parts.iter_mut().rev().find_map(|part| match part {
            Growing::Call { call, arguments, is_whole } if *call == wanted => Some((arguments, is_whole)),
            _ => None,
        })
    }

    pub(super) fn news(&mut self) -> impl Iterator<Item = News> + '_ {
        self.news.drain(..)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// All of it, with what the answer knows of its calls: a name may have grown after the call began.
    pub(super) fn into_parts(self, calls: &[ToolCall]) -> Vec<Said> {
        let said = |part| match part {
            Growing::Words { channel: Channel::Text, text, .. } => Some(Said::Text(text)),
            Growing::Words { channel: Channel::Reasoning, text, signature, .. } => {
                Some(Said::Thought { text, signature })
            }
            Growing::Call { call, arguments, .. } => {
                let ToolCall { id, name } = calls.get(call)?.clone();
                Some(Said::Call(Call { provider_id: id, name, input: Input::read(arguments) }))
            }
        };
        self.parts.into_iter().filter_map(said).collect()
    }
}
