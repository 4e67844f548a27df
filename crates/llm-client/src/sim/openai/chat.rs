//! OpenAI chat completions.

use serde_json::{Map, Value, json};

use crate::sim::answer::{AnswerTokens, Finish, length};
use crate::sim::piece::Pieces;
use crate::sim::play::{PIECE, Step};
use crate::sim::prompt::{self, ForcedCall, Prompt, Shape, list, present, string, texts};
use crate::sim::refusal::Refusal;
use crate::sim::scene::{Reply, Scene, data_event, set};

/// At most so many answers to one request.
pub(crate) const MOST_CHOICES: u64 = 128;
pub(crate) const FINGERPRINT: &str = "fp_seawallsim";

/// Reads a request.
pub(crate) fn read(request: &Map<String, Value>) -> Result<Prompt<'_>, Refusal> {
    let mut prompt = Prompt::new(prompt::model(request)?);
    let messages = prompt::required_list(request, "messages")?;
    if messages.is_empty() {
        return Err(
            Refusal::bad_request("'messages' is empty: at least one message is needed").param("messages")
        );
    }
    for message in messages {
        read_message(&mut prompt, message)?;
    }
    prompt.stream = request.get("stream").and_then(Value::as_bool).unwrap_or(false);
    prompt.max_output_tokens =
        request.get("max_completion_tokens").or_else(|| request.get("max_tokens")).and_then(Value::as_u64);
    prompt.choices = choices(request)?;
    prompt.stop = stop(request);
    prompt.shape = shape(request.get("response_format"));
    prompt.forced_call = forced_call(request);
    Ok(prompt)
}

fn read_message<'a>(prompt: &mut Prompt<'a>, message: &'a Value) -> Result<(), Refusal> {
    let content = message.get("content").unwrap_or(&Value::Null);
    match string(message, "role") {
        Some("user") => texts(content).for_each(|text| prompt.user(text)),
        Some("tool" | "function") => {
            texts(content).for_each(|text| prompt.text(text));
            prompt.result();
        }
        Some("assistant") => {
            texts(content).for_each(|text| prompt.text(text));
            for function in list(message.get("tool_calls")).iter().filter_map(|call| call.get("function")) {
                prompt.text(string(function, "name").unwrap_or_default());
                prompt.text(string(function, "arguments").unwrap_or_default());
            }
            prompt.answer();
        }
        Some("system" | "developer") => texts(content).for_each(|text| prompt.text(text)),
        other => {
            return Err(Refusal::bad_request(format!(
                "invalid role {:?} in 'messages'",
                other.unwrap_or_default()
            ))
            .param("messages"));
        }
    }
    Ok(())
}

/// `n`.
pub(crate) fn choices(request: &Map<String, Value>) -> Result<u64, Refusal> {
    match request.get("n") {
        None | Some(Value::Null) => Ok(1),
        Some(n) => n
            .as_u64()
            .filter(|n| (1..=MOST_CHOICES).contains(n))
            .ok_or_else(|| Refusal::bad_request(format!("'n' must be from 1 to {MOST_CHOICES}")).param("n")),
    }
}

/// `stop`: a string or a list of strings.
pub(crate) fn stop(request: &Map<String, Value>) -> Vec<&str> {
    request.get("stop").map(|stop| texts(stop).collect()).unwrap_or_default()
}

fn shape(format: Option<&Value>) -> Shape<'_> {
    match format.and_then(|format| string(format, "type")) {
        Some("json_object") => Shape::Json,
        Some("json_schema") => {
            format.and_then(|format| format.pointer("/json_schema/schema")).map_or(Shape::Json, Shape::Schema)
        }
        _ => Shape::Text,
    }
}

fn forced_call(request: &Map<String, Value>) -> Option<ForcedCall<'_>> {
    let functions = || list(request.get("tools")).iter().filter_map(|tool| tool.get("function"));
    let function = match request.get("tool_choice")? {
        Value::String(choice) if choice == "required" => functions().next(),
        choice => {
            let name = choice.get("function").and_then(|function| string(function, "name"))?;
            functions().find(|function| string(function, "name") == Some(name))
        }
    }?;
    Some(ForcedCall { name: string(function, "name")?, parameters: function.get("parameters") })
}

/// Writes the answer.
pub(crate) fn write(scene: &Scene<'_>) -> Reply {
    if scene.prompt.stream { Reply::events(stream(scene)) } else { Reply::json(&whole(scene)) }
}

fn whole(scene: &Scene<'_>) -> Value {
    let choices: Vec<Value> = (0..scene.prompt.choices)
        .map(|index| {
            json!({
                "index": index,
                "message": message(scene),
                "logprobs": logprobs(scene),
                "finish_reason": finish_reason(&scene.answer.finish),
            })
        })
        .collect();
    let mut body = json!({
        "id": format!("chatcmpl-{}", scene.id),
        "object": "chat.completion",
        "created": scene.created,
        "model": scene.prompt.model,
        "choices": choices,
    });
    set(&mut body, "usage", scene.usage(usage));
    set(&mut body, "service_tier", Some(json!("default")));
    set(&mut body, "system_fingerprint", Some(json!(FINGERPRINT)));
    body
}

fn message(scene: &Scene<'_>) -> Value {
    let answer = scene.answer;
    let content = if answer.text.is_empty() && !answer.calls.is_empty() { None } else { Some(&answer.text) };
    let mut message = json!({"role": "assistant", "content": content, "refusal": null, "annotations": []});
    set(&mut message, "reasoning_content", answer.thinking.as_ref().map(|thinking| json!(thinking)));
    if !answer.calls.is_empty() {
        let calls: Vec<Value> = answer
            .calls
            .iter()
            .enumerate()
            .map(|(index, call)| {
                json!({
                    "id": scene.part_id("call_", index),
                    "type": "function",
                    "function": {"name": call.name, "arguments": call.arguments},
                })
            })
            .collect();
        set(&mut message, "tool_calls", Some(Value::Array(calls)));
    }
    message
}

/// Made-up probabilities of the words, where the request asks for them. Streams have none.
fn logprobs(scene: &Scene<'_>) -> Option<Value> {
    scene.request.get("logprobs").and_then(Value::as_bool).filter(|wanted| *wanted)?;
    let mut rest = scene.answer.text.as_str();
    let mut content = Vec::new();
    while let Some(piece) = Pieces::Words.next(rest) {
        content.push(json!({"token": piece, "logprob": -0.5, "bytes": piece.as_bytes(), "top_logprobs": []}));
        rest = rest.get(piece.len()..).unwrap_or_default();
    }
    Some(json!({"content": content, "refusal": null}))
}

pub(crate) fn finish_reason(finish: &Finish) -> &'static str {
    match finish {
        Finish::Stop | Finish::Sequence(_) => "stop",
        Finish::Calls => "tool_calls",
        Finish::Length => "length",
    }
}

pub(crate) fn usage(tokens: AnswerTokens) -> Value {
    json!({
        "prompt_tokens": tokens.input,
        "completion_tokens": tokens.output,
        "total_tokens": tokens.total(),
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": tokens.reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    })
}

/// Whether a stream ends with a chunk that has the usage.
pub(crate) fn wants_usage(scene: &Scene<'_>) -> bool {
    let asked = scene.request.pointer("/stream_options/include_usage").and_then(Value::as_bool);
    asked.unwrap_or(false) && scene.delivery.with_usage
}

fn stream(scene: &Scene<'_>) -> Vec<Step> {
    let mut steps = Vec::new();
    for index in 0..scene.prompt.choices {
        stream_choice(scene, index, &mut steps);
    }
    if wants_usage(scene) {
        let mut last = envelope(scene, json!([]));
        set(&mut last, "usage", Some(usage(scene.tokens)));
        steps.push(Step::event(data_event(&last)));
    }
    steps.push(Step::event("data: [DONE]\n\n".into()));
    steps
}

fn stream_choice(scene: &Scene<'_>, index: u64, steps: &mut Vec<Step>) {
    let answer = scene.answer;
    let chunk = |delta: Value| data_event(&choice_chunk(scene, index, &delta, None));
    let content = answer.calls.is_empty().then_some("");
    steps.push(Step::event(chunk(json!({"role": "assistant", "content": content, "refusal": null}))));
    if let Some(thinking) = &answer.thinking {
        steps.push(scene.text_deltas(&chunk(json!({"reasoning_content": PIECE})), thinking));
    }
    steps.push(scene.text_deltas(&chunk(json!({"content": PIECE})), &answer.text));
    for (at, call) in answer.calls.iter().enumerate() {
        let id = scene.part_id("call_", at);
        let function = json!({"name": call.name, "arguments": ""});
        let begin =
            json!({"tool_calls": [{"index": at, "id": id, "type": "function", "function": function}]});
        steps.push(Step::Event { bytes: chunk(begin), answer_bytes: length(&call.name) });
        let more = json!({"tool_calls": [{"index": at, "function": {"arguments": PIECE}}]});
        steps.push(scene.argument_deltas(&chunk(more), &call.arguments));
    }
    let finish = Some(finish_reason(&answer.finish));
    steps.push(Step::event(data_event(&choice_chunk(scene, index, &json!({}), finish))));
}

fn choice_chunk(scene: &Scene<'_>, index: u64, delta: &Value, finish: Option<&str>) -> Value {
    envelope(scene, json!([{"index": index, "delta": delta, "logprobs": null, "finish_reason": finish}]))
}

fn envelope(scene: &Scene<'_>, choices: Value) -> Value {
    let mut chunk = json!({
        "id": format!("chatcmpl-{}", scene.id),
        "object": "chat.completion.chunk",
        "created": scene.created,
        "model": scene.prompt.model,
        "service_tier": "default",
        "system_fingerprint": FINGERPRINT,
    });
    set(&mut chunk, "choices", Some(choices));
    if present(scene.request, "stream_options").is_some() && wants_usage(scene) {
        set(&mut chunk, "usage", Some(Value::Null));
    }
    chunk
}
