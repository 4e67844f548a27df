//! What a request asks for, read from its bytes; bounds on what it can cost; and changes of single facts in it.
//!
//! The prompt itself is not interpreted: [`read_request`] looks at what decides about money and about tools. Whether
//! the request may be made is the checkpoint's question.

mod bound;
mod edit;
mod lookalike;
mod parts;
mod tools;

use std::ops::Range;

pub use bound::input_bound;
pub use edit::{Edits, LimitName, edit};

use crate::json::{Document, JsonError, JsonErrorKind, Object, Value};
use crate::wire::Wire;

/// The most choices that any provider offers (OpenAI's `n`); assumed when a number of choices cannot be read.
const MAX_CHOICES: u64 = 128;

/// The facts of a request that the checkpoint and the ledger need.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Request {
    /// The model asked for.
    pub model: Option<String>,
    /// The answer is to come as a stream.
    pub stream: bool,
    /// The most tokens that one choice may have, when the request says so.
    pub max_output: Option<u64>,
    /// The name under which a chat says so, where it is one alone: an upstream may know the other one only.
    pub limit_name: Option<LimitName>,
    /// How many answers are written at once, each with up to `max_output` tokens. At least 1.
    pub choices: u64,
    /// How many answers come back: `choices`, without those that the provider makes and drops. At least 1.
    pub answers: u64,
    /// How many prompts it carries, each with a window of its own (embeddings, completions). At least 1.
    pub inputs: u64,
    /// The client asked for usage in the stream itself, or the wire format always has it.
    pub wants_usage: bool,
    /// The prompt is not wholly in the body (earlier responses, files, URLs, caches, server-side tools), so the
    /// body's length bounds nothing.
    pub hidden_input: bool,
    /// The results of tools that the prompt carries, in order.
    pub tool_results: Vec<ToolResult>,
    /// How many of them came before the model's last word: it has been told of those already.
    pub known_results: usize,
    /// Where the prompt stands in the body, without what the model said last and everything before: elements of a list, or
    /// one string. Instructions beside the messages are not in it.
    pub news: Range<usize>,
    /// The answer is made after the connection has ended.
    pub background: bool,
    /// How many tools the provider itself would run.
    pub server_tools: u32,
    /// One of them searches the web, and each search has its fee.
    pub may_search: bool,
    /// One of them has, or may have, a fee that no price table tells.
    pub unpriced_tools: bool,
    /// Images that lie in the body.
    pub inline_images: u32,
    /// Of those: how many are to be read at their original size, which costs more.
    pub original_images: u32,
    /// The client pays for a faster service.
    pub premium: bool,
    /// There is, or may be, sound in the prompt or in the answer.
    pub sound: bool,
}

/// The result of one tool call, as the client sends it back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolResult {
    /// The id of the call, where the wire format has one.
    pub call_id: Option<String>,
    /// The tool's name: from the result itself, or from the call in the same conversation.
    pub name: Option<String>,
    /// The client says that the tool failed.
    pub is_error: bool,
    /// Where what the tool gave stands in the body, as JSON.
    pub output: Range<usize>,
}

impl Request {
    /// The results that the model has not been told of yet. A conversation repeats the earlier ones in every request.
    #[must_use]
    pub fn new_results(&self) -> &[ToolResult] {
        self.tool_results.get(self.known_results..).unwrap_or_default()
    }
}

/// Reads `body`. `path_model` is the model of the path, which wins (Gemini).
///
/// # Errors
/// When an object that decides about money says something twice, also under two spellings, or under a key that only some
/// parsers take for it: the gateway and the upstream must not read different numbers.
pub fn read_request(wire: Wire, path_model: Option<&str>, body: &Document) -> Result<Request, JsonError> {
    let (object, body) = (body.object(), body.text());
    lookalike::refuse(wire, body, &object)?;
    let mut request = Request {
        model: path_model.map(str::to_owned).or_else(|| string(&object, "model")),
        stream: wire == Wire::GeminiStream || flag(&object, "stream"),
        choices: 1,
        answers: 1,
        inputs: 1,
        wants_usage: true,
        ..Request::default()
    };
    match wire {
        Wire::OpenAiChat => read_chat(body, &object, &mut request)?,
        Wire::OpenAiResponses | Wire::OpenAiCompact => read_responses(&object, &mut request),
        Wire::OpenAiCompletions => read_completions(body, &object, &mut request)?,
        Wire::AnthropicMessages | Wire::AnthropicCountTokens => read_anthropic(&object, &mut request),
        Wire::GeminiGenerate | Wire::GeminiStream | Wire::GeminiCountTokens | Wire::GeminiEmbed => {
            read_gemini(body, &object, &mut request)?;
        }
        Wire::OpenAiEmbeddings => {
            request.inputs = object.get("input").map_or(1, prompts);
            request.news = object.get("input").map(|input| input.span()).unwrap_or_default();
        }
        Wire::Other => {}
    }
    request.hidden_input |= request.server_tools > 0;
    request.sound |= request.hidden_input;
    Ok(request)
}

fn read_chat(body: &[u8], object: &Object<'_>, request: &mut Request) -> Result<(), JsonError> {
    let (old, new) = (largest(object, &["max_tokens"]), largest(object, &["max_completion_tokens"]));
    request.max_output = old.max(new);
    request.limit_name = match (old, new) {
        (Some(_), None) => Some(LimitName::MaxTokens),
        (None, Some(_)) => Some(LimitName::MaxCompletionTokens),
        _ => None,
    };
    request.choices = count(object, "n");
    request.answers = answers(object, "n");
    request.wants_usage = asks_for_usage(body, object)?;
    request.premium = is_premium_tier(object);
    request.sound = object.some("audio").is_some() || names_sound(object.some("modalities"));
    tools::read_openai(object, request);
    parts::read(object, &["messages"], request);
    Ok(())
}

fn read_responses(object: &Object<'_>, request: &mut Request) {
    request.max_output = largest(object, &["max_output_tokens"]);
    request.background = flag(object, "background");
    request.premium = is_premium_tier(object);
    tools::read_openai(object, request);
    request.hidden_input |= ["previous_response_id", "conversation", "prompt"].iter().any(|key| {
        // A stored prompt is an object with an id.
        object.some(key).is_some()
    });
    parts::read(object, &["input"], request);
}

fn read_completions(body: &[u8], object: &Object<'_>, request: &mut Request) -> Result<(), JsonError> {
    request.max_output = largest(object, &["max_tokens"]);
    request.inputs = object.get("prompt").map_or(1, prompts);
    request.news = object.get("prompt").map(|prompt| prompt.span()).unwrap_or_default();
    request.choices = count(object, "n").max(count(object, "best_of")).saturating_mul(request.inputs);
    request.answers = answers(object, "n").saturating_mul(request.inputs);
    request.wants_usage = asks_for_usage(body, object)?;
    request.premium = is_premium_tier(object);
    Ok(())
}

/// How many prompts a value holds: a string or an array of token ids is one, an array of those is many.
fn prompts(prompt: Value<'_>) -> u64 {
    let many = prompt.elements().filter(|element| element.as_u64().is_none()).count();
    u64::try_from(many).unwrap_or(u64::MAX).max(1)
}

fn read_anthropic(object: &Object<'_>, request: &mut Request) {
    request.max_output = largest(object, &["max_tokens"]);
    request.premium = string(object, "speed").is_some_and(|speed| speed != "standard");
    tools::read_anthropic(object, request);
    // A container brings skills, which are read as prompt; it is a string (only an id) or an object.
    request.hidden_input |= object.some("container").is_some();
    parts::read(object, &["messages", "system"], request);
}

fn read_gemini(body: &[u8], object: &Object<'_>, request: &mut Request) -> Result<(), JsonError> {
    let config = either(body, object, "generationConfig", "generation_config")?;
    if let Some(config) = config.map_or(Ok(None), |config| config.as_unique_object())? {
        lookalike::refuse(Wire::GeminiGenerate, body, &config)?;
        let limit = either(body, &config, "maxOutputTokens", "max_output_tokens")?;
        request.max_output = limit.and_then(|limit| lenient_u64(&limit)).filter(|&limit| limit > 0);
        let choices = either(body, &config, "candidateCount", "candidate_count")?;
        request.choices = choices.map_or(1, |choices| lenient_u64(&choices).unwrap_or(MAX_CHOICES)).max(1);
        request.answers = choices.and_then(|choices| lenient_u64(&choices)).unwrap_or(1).max(1);
        request.sound = names_sound(either(body, &config, "responseModalities", "response_modalities")?)
            || either(body, &config, "speechConfig", "speech_config")?.is_some();
    }
    let tier = either(body, object, "serviceTier", "service_tier")?;
    request.premium = tier.is_some_and(|tier| is_premium_name(&tier));
    request.hidden_input |= object.some("cachedContent").or_else(|| object.some("cached_content")).is_some();
    request.inputs = object.get("requests").map_or(1, prompts);
    tools::read_gemini(object, request);
    let prompt = ["contents", "content", "systemInstruction", "system_instruction", "requests"];
    parts::read(object, &prompt, request);
    Ok(())
}

/// The value of a field that Google's JSON mapping knows under two spellings.
fn either<'a>(
    body: &[u8],
    object: &Object<'a>,
    camel: &str,
    snake: &str,
) -> Result<Option<Value<'a>>, JsonError> {
    match (object.some(camel), object.some(snake)) {
        (Some(_), Some(second)) => Err(JsonError::at(JsonErrorKind::DuplicateKey, body, second.span().start)),
        (first, second) => Ok(first.or(second)),
    }
}

fn asks_for_usage(body: &[u8], object: &Object<'_>) -> Result<bool, JsonError> {
    let Some(options) = object.get("stream_options") else { return Ok(false) };
    let Some(options) = options.as_unique_object()? else { return Ok(false) };
    lookalike::refuse(Wire::OpenAiChat, body, &options)?;
    Ok(flag(&options, "include_usage"))
}

fn is_premium_tier(object: &Object<'_>) -> bool {
    object.some("service_tier").is_some_and(|tier| is_premium_name(&tier))
}

/// Every service tier that is not known to cost the list price or less counts as dearer.
pub(crate) fn is_premium_name(tier: &Value<'_>) -> bool {
    let name = tier.as_str().unwrap_or_default().to_ascii_lowercase();
    !matches!(
        name.as_str(),
        "" | "auto" | "default" | "standard" | "standard_only" | "flex" | "batch" | "scale"
    )
}

/// Whether a list of modalities has sound in it.
fn names_sound(modalities: Option<Value<'_>>) -> bool {
    let is_sound = |name: Value<'_>| name.as_str().is_some_and(|name| name.eq_ignore_ascii_case("audio"));
    modalities.is_some_and(|modalities| modalities.elements().any(is_sound))
}

fn string(object: &Object<'_>, key: &str) -> Option<String> {
    object.get(key)?.as_str().map(std::borrow::Cow::into_owned)
}

fn flag(object: &Object<'_>, key: &str) -> bool {
    object.get(key).and_then(|value| value.as_bool()) == Some(true)
}

/// A count that multiplies the cost: what is there but can't be read counts as the most there can be.
fn count(object: &Object<'_>, key: &str) -> u64 {
    object.some(key).map_or(1, |value| lenient_u64(&value).unwrap_or(MAX_CHOICES)).max(1)
}

/// How many answers are waited for: what can't be read is one.
fn answers(object: &Object<'_>, key: &str) -> u64 {
    object.some(key).and_then(|value| lenient_u64(&value)).unwrap_or(1).max(1)
}

/// The largest of several limits: an upstream may heed either. Nothing counts as no limit, since that is what several
/// upstreams take it for.
fn largest(object: &Object<'_>, keys: &[&str]) -> Option<u64> {
    keys.iter().filter_map(|key| lenient_u64(&object.some(key)?)).filter(|&limit| limit > 0).max()
}

/// A number, also as a string: several upstreams take both.
fn lenient_u64(value: &Value<'_>) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.trim().parse().ok())
}
