//! Tools that the provider runs itself.
//!
//! What they bring back is read by the model as input that no byte of the request bounds. So every tool that is not
//! known to be run by the client counts.

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

/// Server-side tools of a chat or responses request.
pub(super) fn count_openai(object: &Object<'_>) -> u32 {
    let search = u32::from(object.some("web_search_options").is_some());
    search.saturating_add(count(object, "tools", |tool| {
        u32::from(!type_of(tool).is_some_and(|kind| OPENAI_CLIENT_TOOLS.contains(&kind.as_str())))
    }))
}

/// Server-side tools of a messages request, MCP servers among them.
pub(super) fn count_anthropic(object: &Object<'_>) -> u32 {
    let tools = count(object, "tools", |tool| {
        let kind = type_of(tool).unwrap_or_else(|| "custom".to_owned());
        u32::from(!ANTHROPIC_CLIENT_TOOLS.iter().any(|known| kind.starts_with(known)))
    });
    tools.saturating_add(count(object, "mcp_servers", |_| 1))
}

/// Server-side tools of a Gemini request: every other member of a tool is one.
pub(super) fn count_gemini(object: &Object<'_>) -> u32 {
    count(object, "tools", |tool| {
        let members = tool.as_object().map_or(0, |tool| {
            tool.iter().filter(|(key, _)| !GEMINI_CLIENT_TOOLS.contains(&key.as_ref())).count()
        });
        u32::try_from(members).unwrap_or(u32::MAX)
    })
}

fn count(object: &Object<'_>, key: &str, one: impl Fn(&Value<'_>) -> u32) -> u32 {
    let Some(tools) = object.get(key) else { return 0 };
    tools.elements().fold(0, |sum, tool| sum.saturating_add(one(&tool)))
}

fn type_of(tool: &Value<'_>) -> Option<String> {
    tool.as_object()?.get("type")?.as_str().map(std::borrow::Cow::into_owned)
}
