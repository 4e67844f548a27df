//! Keys that another reader may take for one that decides.
//!
//! Parsers that are generous with case (Go's `encoding/json`, and with it several servers and relays) read `"Model"`
//! as `"model"`, and the last one wins; others don't. A request with such a key would be judged by one value and
//! answered by another, so it is refused. How Go folds: <https://pkg.go.dev/encoding/json#Unmarshal>.

use crate::json::{JsonError, JsonErrorKind, Object};
use crate::wire::Wire;

/// What decides in the bodies of OpenAI and Anthropic, and in Google's where it is spelled so.
const SNAKE: &[&str] = &[
    "model",
    "stream",
    "stream_options",
    "include_usage",
    "max_tokens",
    "max_completion_tokens",
    "max_output_tokens",
    "n",
    "best_of",
    "prompt",
    "input",
    "messages",
    "system",
    "tools",
    "mcp_servers",
    "web_search_options",
    "service_tier",
    "speed",
    "background",
    "previous_response_id",
    "conversation",
    "container",
    "modalities",
    "audio",
    "generation_config",
    "candidate_count",
    "cached_content",
    "contents",
    "content",
    "requests",
];

/// What decides in Google's bodies.
const CAMEL: &[&str] = &[
    "generationConfig",
    "maxOutputTokens",
    "candidateCount",
    "cachedContent",
    "responseModalities",
    "serviceTier",
];

/// Refuses a key of `object` that is not one of those that decide, and is read as one without regard to case.
pub(super) fn refuse(wire: Wire, body: &[u8], object: &Object<'_>) -> Result<(), JsonError> {
    let is_google = matches!(
        wire,
        Wire::GeminiGenerate | Wire::GeminiStream | Wire::GeminiCountTokens | Wire::GeminiEmbed
    );
    // Of what no wire format claims only the model is decided on.
    let snake = if wire == Wire::Other { &["model"] } else { SNAKE };
    let camel = if is_google { CAMEL } else { &[] };
    for (key, value) in object.iter() {
        let plain = key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        let looks_like = |name: &&str| *name != key && folded(&key).eq(folded(name));
        let is_exact = snake.contains(&key.as_ref()) || camel.contains(&key.as_ref());
        if !is_exact && (!plain && snake.iter().any(looks_like) || camel.iter().any(looks_like)) {
            return Err(JsonError::at(JsonErrorKind::LookalikeKey, body, value.span().start));
        }
    }
    Ok(())
}

/// The text without regard to case, with the two characters beyond ASCII that fold into it: the long s and the sign
/// for Kelvin.
fn folded(text: &str) -> impl Iterator<Item = char> {
    text.chars().map(|character| match character {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        other => other.to_ascii_lowercase(),
    })
}
