//! What OpenTelemetry calls the wire formats: data, as it stands in the semantic conventions for generative AI 1.41.
//!
//! <https://github.com/open-telemetry/semantic-conventions-genai>

/// For the beginning of a wire format's name: the provider whose format it is, and the operation.
///
/// The provider tells which flavour of telemetry this is, and may differ from who really answered.
const WIRES: [(&str, &str, &str); 10] = [
    ("openai_completions", "openai", "text_completion"),
    ("openai_embeddings", "openai", "embeddings"),
    ("openai_", "openai", "chat"),
    ("anthropic_count_tokens", "anthropic", "count_tokens"),
    ("anthropic_", "anthropic", "chat"),
    ("gemini_generate", "gcp.gemini", "generate_content"),
    ("gemini_stream", "gcp.gemini", "generate_content"),
    ("gemini_count_tokens", "gcp.gemini", "count_tokens"),
    ("gemini_embed", "gcp.gemini", "embeddings"),
    ("gemini_", "gcp.gemini", "generate_content"),
];

/// `gen_ai.provider.name` and `gen_ai.operation.name` for a wire format; `None` for one that is nobody's.
pub(super) fn of_wire(wire: &str) -> Option<(&'static str, &'static str)> {
    let found = WIRES.iter().find(|(prefix, _, _)| wire.starts_with(prefix));
    found.map(|(_, provider, operation)| (*provider, *operation))
}
