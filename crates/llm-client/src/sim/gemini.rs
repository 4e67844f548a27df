//! Gemini generateContent and its neighbours.

pub(crate) mod embed;

use bytes::Bytes;
use serde_json::{Value, json};

use super::answer::{AnswerTokens, Finish, length};
use super::directive::Call;
use super::play::{PIECE, Step};
use super::prompt::{self, ForcedCall, Prompt, Shape, list, string};
use super::refusal::Refusal;
use super::scene::{JSON, Reply, Scene, data_event, set, to_json};

/// How an answer is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// `generateContent`.
    Whole,
    /// `streamGenerateContent?alt=sse`.
    Events,
    /// `streamGenerateContent`: one JSON array, an element at a time.
    Array,
}

/// A key that Gemini writes in camel case and accepts in snake case too.
fn either<'a>(object: &'a Value, camel: &str, snake: &str) -> Option<&'a Value> {
    object.get(camel).or_else(|| object.get(snake))
}

/// Reads a request. The model stands in the path.
pub(crate) fn read<'a>(request: &'a Value, model: &'a str) -> Result<Prompt<'a>, Refusal> {
    let Some(object) = request.as_object() else {
        return Err(Refusal::bad_request("the body is no JSON object"));
    };
    let mut prompt = Prompt::new(prompt::checked_model(model)?);
    if let Some(system) = either(request, "systemInstruction", "system_instruction") {
        list(system.get("parts"))
            .iter()
            .filter_map(|part| string(part, "text"))
            .for_each(|text| prompt.text(text));
    }
    for content in prompt::required_list(object, "contents")? {
        read_content(&mut prompt, content);
    }
    if let Some(config) = either(request, "generationConfig", "generation_config") {
        read_config(&mut prompt, config);
    }
    prompt.forced_call = forced_call(request);
    Ok(prompt)
}

fn read_content<'a>(prompt: &mut Prompt<'a>, content: &'a Value) {
    let is_model = string(content, "role") == Some("model");
    for part in list(content.get("parts")) {
        if let Some(text) = string(part, "text") {
            if is_model { prompt.text(text) } else { prompt.user(text) }
        }
        if let Some(call) = either(part, "functionCall", "function_call") {
            prompt.text(string(call, "name").unwrap_or_default());
            prompt.json(call.get("args").unwrap_or(&Value::Null));
        }
        if let Some(response) = either(part, "functionResponse", "function_response") {
            prompt.json(response.get("response").unwrap_or(&Value::Null));
            prompt.result();
        }
    }
    if is_model {
        prompt.answer();
    }
}

fn read_config<'a>(prompt: &mut Prompt<'a>, config: &'a Value) {
    prompt.max_output_tokens = either(config, "maxOutputTokens", "max_output_tokens").and_then(Value::as_u64);
    prompt.stop =
        list(either(config, "stopSequences", "stop_sequences")).iter().filter_map(Value::as_str).collect();
    let json_schema = either(config, "responseJsonSchema", "response_json_schema");
    let schema = json_schema.or_else(|| either(config, "responseSchema", "response_schema"));
    let mime_type = either(config, "responseMimeType", "response_mime_type").and_then(Value::as_str);
    prompt.shape = match (schema, mime_type) {
        (Some(schema), _) => Shape::Schema(schema),
        (None, Some("application/json")) => Shape::Json,
        (None, _) => Shape::Text,
    };
}

fn forced_call(request: &Value) -> Option<ForcedCall<'_>> {
    let config = either(request, "toolConfig", "tool_config")?;
    let config = either(config, "functionCallingConfig", "function_calling_config")?;
    if !string(config, "mode")?.eq_ignore_ascii_case("any") {
        return None;
    }
    let allowed = list(either(config, "allowedFunctionNames", "allowed_function_names"));
    let function = list(request.get("tools"))
        .iter()
        .flat_map(|tool| list(either(tool, "functionDeclarations", "function_declarations")))
        .find(|function| {
            allowed.is_empty() || allowed.iter().any(|name| name.as_str() == string(function, "name"))
        })?;
    let parameters = either(function, "parametersJsonSchema", "parameters_json_schema");
    Some(ForcedCall {
        name: string(function, "name")?,
        parameters: parameters.or_else(|| function.get("parameters")),
    })
}

/// The answer to a request for the number of tokens: of `contents`, or of a whole request.
pub(crate) fn count(request: &Value, model: &str) -> Result<Reply, Refusal> {
    let inner = either(request, "generateContentRequest", "generate_content_request").unwrap_or(request);
    let tokens = read(inner, model)?.input_tokens();
    Ok(Reply::json(
        &json!({"totalTokens": tokens, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": tokens}]}),
    ))
}

/// Writes the answer.
pub(crate) fn write(scene: &Scene<'_>, delivery: Delivery) -> Reply {
    match delivery {
        Delivery::Whole => Reply::json(&whole(scene)),
        Delivery::Events => Reply::events(stream(scene, data_event)),
        Delivery::Array => {
            // The first element has no comma before it, so it can't be a text in pieces.
            let first = chunk(scene, &[json!({"text": ""})], None);
            let mut steps = vec![Step::event(array_element(b"[", &first))];
            steps.append(&mut stream(scene, |chunk| array_element(b",\r\n", chunk)));
            steps.push(Step::event(Bytes::from_static(b"]")));
            Reply::Stream { content_type: JSON, steps }
        }
    }
}

fn array_element(before: &[u8], chunk: &Value) -> Bytes {
    Bytes::from([before, &to_json(chunk)].concat())
}

fn whole(scene: &Scene<'_>) -> Value {
    let answer = scene.answer;
    let mut parts = Vec::new();
    if let Some(thinking) = &answer.thinking {
        parts.push(json!({"text": thinking, "thought": true}));
    }
    if !answer.text.is_empty() || answer.calls.is_empty() {
        parts.push(json!({"text": answer.text}));
    }
    parts.extend(answer.calls.iter().enumerate().map(|(index, call)| call_part(scene, index, call)));
    chunk(scene, &parts, Some(finish_reason(&answer.finish)))
}

fn call_part(scene: &Scene<'_>, index: usize, call: &Call) -> Value {
    let args: Value = serde_json::from_str(&call.arguments).unwrap_or_default();
    json!({"functionCall": {"id": scene.part_id("call_", index), "name": call.name, "args": args}})
}

fn chunk(scene: &Scene<'_>, parts: &[Value], finish: Option<&str>) -> Value {
    let mut candidate = json!({"content": {"parts": parts, "role": "model"}});
    set(&mut candidate, "finishReason", finish.map(Value::from));
    set(&mut candidate, "index", Some(json!(0)));
    let mut chunk = json!({"candidates": [candidate]});
    if finish.is_some() {
        set(&mut chunk, "usageMetadata", scene.usage(usage));
    }
    set(&mut chunk, "modelVersion", Some(json!(scene.prompt.model)));
    set(&mut chunk, "responseId", Some(json!(scene.id)));
    chunk
}

fn finish_reason(finish: &Finish) -> &'static str {
    match finish {
        Finish::Stop | Finish::Calls | Finish::Sequence(_) => "STOP",
        Finish::Length => "MAX_TOKENS",
    }
}

fn usage(tokens: AnswerTokens) -> Value {
    let mut usage = json!({
        "promptTokenCount": tokens.input,
        "candidatesTokenCount": tokens.output - tokens.reasoning,
        "totalTokenCount": tokens.total(),
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": tokens.input}],
    });
    set(&mut usage, "thoughtsTokenCount", (tokens.reasoning > 0).then(|| json!(tokens.reasoning)));
    usage
}

/// The chunks: texts in pieces, calls whole, as the real provider sends them; the last has the usage.
fn stream(scene: &Scene<'_>, frame: impl Fn(&Value) -> Bytes) -> Vec<Step> {
    let answer = scene.answer;
    let mut steps = Vec::new();
    let template = |part: Value| frame(&chunk(scene, &[part], None));
    if let Some(thinking) = &answer.thinking {
        steps.push(scene.text_deltas(&template(json!({"text": PIECE, "thought": true})), thinking));
    }
    steps.push(scene.text_deltas(&template(json!({"text": PIECE})), &answer.text));
    for (index, call) in answer.calls.iter().enumerate() {
        let bytes = template(call_part(scene, index, call));
        steps.push(Step::Event { bytes, answer_bytes: length(&call.name) + length(&call.arguments) });
    }
    let last = chunk(scene, &[json!({"text": ""})], Some(finish_reason(&answer.finish)));
    steps.push(Step::event(frame(&last)));
    steps
}
