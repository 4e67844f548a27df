//! Tools as they are written down: what a model asked for and what a client brought back. Both can call them by names of any
//! length, any number of times; what is written is bounded.

use seawall_checkpoint::{ToolRequest, ToolReturn};
use seawall_llm::answer::ToolCall;
use seawall_llm::request::{Request, ToolResult};
use smallvec::SmallVec;

/// The longest name and the longest identifier, in bytes.
const MAX_NAME: usize = 256;
/// The most tools of one call.
const MAX_TOOLS: usize = 128;

/// The tools that an answer asks for.
pub(crate) fn asked_for(calls: Vec<ToolCall>) -> Vec<ToolRequest> {
    let bounded = |mut text: String| {
        text.truncate(text.floor_char_boundary(MAX_NAME));
        text
    };
    let request = |call: ToolCall| ToolRequest { name: bounded(call.name), call_id: call.id.map(bounded) };
    calls.into_iter().take(MAX_TOOLS).map(request).collect()
}

/// The results that a request brings to the model for the first time.
pub(crate) fn returned(request: &Request) -> SmallVec<[ToolReturn<'_>; 4]> {
    request.new_results().iter().take(MAX_TOOLS).map(as_returned).collect()
}

fn as_returned(result: &ToolResult) -> ToolReturn<'_> {
    ToolReturn {
        name: result.name.as_deref().map(beginning),
        call_id: result.call_id.as_deref().map(beginning),
        is_error: result.is_error,
    }
}

fn beginning(text: &str) -> &str {
    text.get(..text.floor_char_boundary(MAX_NAME)).unwrap_or_default()
}
