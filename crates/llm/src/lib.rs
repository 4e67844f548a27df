//! Wire formats of model providers: bytes in, facts out. SSE, usage, prices, token bounds. Pure.
//!
//! Nothing here does I/O, reads a clock or knows a policy. The bytes of requests and answers belong to the client and
//! the provider: they are looked at, cut or added to in place, never rebuilt. Only [`dialogue`] writes requests, which are
//! an agent's own.
//!
//! | module | what it answers |
//! | --- | --- |
//! | [`wire`] | which wire format does this path speak? |
//! | [`json`] | where in these bytes is which value? |
//! | [`request`] | what does this request ask for, at most; and how is one fact in it changed? |
//! | [`sse`] | where does one event end and the next begin? |
//! | [`answer`], [`stream`] | what was used, said and asked for? |
//! | [`screen`] | what of this answer may be seen, and what stands in place of the rest? |
//! | [`transcript`] | in which words? |
//! | [`errors`] | how does this provider say no? |
//! | [`dialogue`] | how does an agent talk to a model, in any of the formats? |
//! | [`price`] | what does that cost? |

pub mod answer;
mod anthropic;
pub mod dialogue;
pub mod errors;
mod gemini;
pub mod json;
mod openai_chat;
mod openai_responses;
pub mod price;
pub mod request;
pub mod screen;
mod splice;
pub mod sse;
pub mod stream;
pub mod transcript;
mod usage;
pub mod wire;

pub use answer::{Answer, ToolCall, read_answer, read_json_answer, transcribe_json_answer};
pub use errors::{WireError, error_body, error_event};
pub use json::{JsonError, JsonErrorKind, Object, Value};
pub use price::{Price, PriceError, Prices, Provider, Source, Tier};
pub use request::{Edits, LimitName, Request, ToolResult, edit, input_bound, read_request};
pub use sse::{EventTooLarge, RawEvent, Splitter};
pub use stream::{Step, StreamReader, estimate_tokens};
pub use wire::{Dialect, Endpoint, Wire, endpoint};
