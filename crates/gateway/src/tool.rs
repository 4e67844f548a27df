//! Tools as they are written down: what a model asked for and what a client brought back. Both can call them by names of any
//! length, any number of times; what is written is bounded.

use seawall_checkpoint::{ToolRequest, ToolReturn};
use seawall_llm::answer::ToolCall;
use seawall_llm::request::{Request, ToolResult};
use seawall_llm::transcript::Taken;
use seawall_trace::content::Payload;

use crate::content;

/// The longest name and the longest identifier, in bytes.
const MAX_NAME: usize = 256;
/// The most tools of one call.
pub(crate) const MAX_TOOLS: usize = 128;

/// The tools that an answer asks for, with the arguments of each where its words were taken down.
pub(crate) fn asked_for(calls: Vec<ToolCall>, arguments: Vec<Taken>) -> Vec<ToolRequest> {
    let mut arguments = arguments.into_iter();
    let bounded = |mut text: String| {
        text.truncate(text.floor_char_boundary(MAX_NAME));
        text
    };
    let request = |call: ToolCall| ToolRequest {
        name: bounded(call.name),
        call_id: call.id.map(bounded),
        arguments: arguments.next().and_then(content::arguments),
    };
    calls.into_iter().take(MAX_TOOLS).map(request).collect()
}

/// The results that a request brings to the model for the first time. `outputs` are what those tools gave, where that is kept.
pub(crate) fn returned(request: &Request, outputs: Vec<Payload>) -> Vec<ToolReturn<'_>> {
    let mut outputs = outputs.into_iter();
    let results = request.new_results().iter().take(MAX_TOOLS);
    results.map(|result| as_returned(result, outputs.next())).collect()
}

fn as_returned(result: &ToolResult, output: Option<Payload>) -> ToolReturn<'_> {
    ToolReturn {
        name: result.name.as_deref().map(beginning),
        call_id: result.call_id.as_deref().map(beginning),
        is_error: result.is_error,
        output,
    }
}

fn beginning(text: &str) -> &str {
    text.get(..text.floor_char_boundary(MAX_NAME)).unwrap_or_default()
}
