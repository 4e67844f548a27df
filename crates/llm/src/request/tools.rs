//! Tools that the provider runs itself.
//!
//! What they bring back is read by the model as input that no byte of the request bounds. So every tool that is not
//! known to be run by the client counts. And most have a fee beside the tokens: that of a search stands in price tables,
//! that of nothing else, so every other tool that is not known to cost its tokens alone is one whose fee is not known.

use super::Request;
use crate::json::{Object, Value};

/// Types of OpenAI tools that the client runs.
const OPENAI_CLIENT_TOOLS: &[&str] = &[
    "function",
    "custom",
    "local_shell",
    "apply_patch",
    "computer",
    "computer_use_preview",
    "computer-preview",
    "namespace",
];

/// Beginnings of the types of Anthropic tools that the client runs; a tool without a type is one too.
const ANTHROPIC_CLIENT_TOOLS: &[&str] = &["custom", "bash_", "text_editor_", "computer_", "memory_"];

/// Members of a Gemini tool that the client runs.
const GEMINI_CLIENT_TOOLS: &[&str] =
    &["functionDeclarations", "function_declarations", "computerUse", "computer_use"];

/// Beginnings of the types of OpenAI tools that search the web (`browser_search` is Groq's).
const OPENAI_SEARCHES: &[&str] = &["web_search", "browser_search"];

/// Types of OpenAI tools that cost nothing but tokens.
const OPENAI_FREE: &[&str] = &["mcp", "tool_search"];

/// Beginnings of the types of Anthropic tools that search the web, and of those that cost nothing but tokens.
const ANTHROPIC_SEARCHES: &[&str] = &["web_search_"];
const ANTHROPIC_FREE: &[&str] = &["web_fetch_", "tool_search_tool_", "mcp_toolset"];

/// Members of a Gemini tool that search the web, and those that cost nothing but tokens.
const GEMINI_SEARCHES: &[&str] =
    &["googleSearch", "google_search", "googleSearchRetrieval", "google_search_retrieval"];
const GEMINI_FREE: &[&str] =
    &["urlContext", "url_context", "codeExecution", "code_execution", "fileSearch", "file_search"];

/// What the provider takes for running a tool, beside the tokens.
#[derive(Clone, Copy)]
enum Fee {
    /// The client runs it.
    NotTheirs,
    /// Nothing.
    None,
    /// That of a search.
    Search,
    /// Nobody has said.
    Unknown,
}

impl Request {
    fn has_tool(&mut self, fee: Fee) {
        self.server_tools = self.server_tools.saturating_add(u32::from(!matches!(fee, Fee::NotTheirs)));
        self.may_search |= matches!(fee, Fee::Search);
        self.unpriced_tools |= matches!(fee, Fee::Unknown);
    }
}

/// Server-side tools of a chat or responses request.
pub(super) fn read_openai(object: &Object<'_>, request: &mut Request) {
    if object.some("web_search_options").is_some() {
        request.has_tool(Fee::Search);
    }
    for tool in elements(object, "tools") {
        request.has_tool(match type_of(&tool).as_deref() {
            Some(kind) if OPENAI_CLIENT_TOOLS.contains(&kind) => Fee::NotTheirs,
            Some(kind) if starts_with_one(kind, OPENAI_SEARCHES) => Fee::Search,
            Some(kind) if OPENAI_FREE.contains(&kind) => Fee::None,
            _ => Fee::Unknown,
        });
    }
}

/// Server-side tools of a messages request, MCP servers among them; a tool without a type is the client's.
pub(super) fn read_anthropic(object: &Object<'_>, request: &mut Request) {
    for tool in elements(object, "tools") {
        request.has_tool(match type_of(&tool).as_deref() {
            None => Fee::NotTheirs,
            Some(kind) if starts_with_one(kind, ANTHROPIC_CLIENT_TOOLS) => Fee::NotTheirs,
            Some(kind) if starts_with_one(kind, ANTHROPIC_SEARCHES) => Fee::Search,
            Some(kind) if starts_with_one(kind, ANTHROPIC_FREE) => Fee::None,
            Some(_) => Fee::Unknown,
        });
    }
    elements(object, "mcp_servers").for_each(|_| request.has_tool(Fee::None));
}

/// Server-side tools of a Gemini request: every member of a tool is one that the client is not known to run.
pub(super) fn read_gemini(object: &Object<'_>, request: &mut Request) {
    for tool in elements(object, "tools").filter_map(|tool| tool.as_object()) {
        for (key, _) in tool.iter() {
            request.has_tool(match key.as_ref() {
                key if GEMINI_CLIENT_TOOLS.contains(&key) => Fee::NotTheirs,
                key if GEMINI_SEARCHES.contains(&key) => Fee::Search,
                key if GEMINI_FREE.contains(&key) => Fee::None,
                _ => Fee::Unknown,
            });
        }
    }
}

fn elements<'a>(object: &Object<'a>, key: &str) -> impl Iterator<Item = Value<'a>> + use<'a> {
    object.get(key).into_iter().flat_map(|tools| tools.elements())
}

fn starts_with_one(kind: &str, beginnings: &[&str]) -> bool {
    beginnings.iter().any(|beginning| kind.starts_with(beginning))
}

fn type_of(tool: &Value<'_>) -> Option<String> {
    tool.as_object()?.get("type")?.as_str().map(std::borrow::Cow::into_owned)
}
