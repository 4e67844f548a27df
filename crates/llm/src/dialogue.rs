//! Talking to a model in whichever format its provider speaks: what an agent asks, what it hears, and how it fails.
//!
//! | file | what it answers |
//! | --- | --- |
//! | `ask` | what is to be said, in no provider's words |
//! | `write` | which path and bytes say that to a provider |
//! | `ear`, `hearer` | what does its answer say, piece by piece and in the end? |
//! | `failure` | what went wrong, and is another try worth it? |
//!
//! Pure like the rest of the crate: whoever sends the bytes knows about keys, connections and retries. Answers are read by the
//! same readers that meter them for the gateway ([`crate::stream`], [`crate::answer`]), so that an agent and its bill never
//! disagree about what a model said.
//!
//! ```
//! use seawall_llm::dialogue::{Ask, Format, Hearer, Part, Role, Stop, Turn, write};
//!
//! let messages = [Turn { role: Role::User, blocks: vec![Part::Text("hello")] }];
//! let ask = Ask { stream: true, ..Ask::new("gpt-4o-mini", &messages) };
//! let request = write(&ask, Format::OpenAiChat);
//! assert_eq!(request.path, "/v1/chat/completions");
//!
//! let mut hearer = Hearer::new(Format::OpenAiChat);
//! hearer.hear("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi\"},\"finish_reason\":\"stop\"}]}\n\n".into());
//! let reply = hearer.finish()?;
//! assert_eq!((reply.text().as_str(), reply.stop), ("hi", Stop::Done));
//! # Ok::<(), seawall_llm::dialogue::Failure>(())
//! ```

mod ask;
mod ear;
mod failure;
mod hearer;
mod reply;
pub(crate) mod signature;
mod write;

pub use ask::{
    Ask, Effort, Format, Media, Part, Reasoning, Role, Source, Thinking, ToolDescription, ToolResult,
    ToolUse, Turn,
};
pub(crate) use ear::Ear;
pub use ear::Heard;
pub use failure::{Failure, FailureClass};
pub use hearer::{Hearer, hear_whole};
pub use reply::{Call, Input, Reply, Said, Stop};
pub use write::{Written, write};
