//! Anthropic messages.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::answer::{AnswerTokens, Finish, length};
use super::play::{PIECE, Step};
use super::prompt::{self, ForcedCall, Prompt, Shape, list, string, texts};
use super::refusal::Refusal;
use super::scene::{Reply, Scene, named_event, set};

/// Reads a request, for an answer or for its tokens to be counted.
pub(crate) fn read(request: &Map<String, Value>) -> Result<Prompt<'_>, Refusal> {
    let mut prompt = Prompt::new(prompt::model(request)?);
    if let Some(system) = request.get("system") {
        texts(system).for_each(|text| prompt.text(text));
    }
    for message in prompt::required_list(request, "messages")? {
        read_message(&mut prompt, message);
    }
    prompt.stream = request.get("stream").and_then(Value::as_bool).unwrap_or(false);
    prompt.max_output_tokens = request.get("max_tokens").and_then(Value::as_u64);
    prompt.stop = list(request.get("stop_sequences")).iter().filter_map(Value::as_str).collect();
    prompt.shape = shape(request);
    prompt.forced_call = forced_call(request);
    Ok(prompt)
}

fn read_message<'a>(prompt: &mut Prompt<'a>, message: &'a Value) {
    let role = string(message, "role").unwrap_or_default();
    match message.get("content") {
        Some(Value::String(text)) => read_text(prompt, role, text),
        content => list(content).iter().for_each(|block| read_block(prompt, role, block)),
    }
    if role == "assistant" {
        prompt.answer();
    }
}

fn read_text<'a>(prompt: &mut Prompt<'a>, role: &str, text: &'a str) {
    if role == "user" { prompt.user(text) } else { prompt.text(text) }
}

fn read_block<'a>(prompt: &mut Prompt<'a>, role: &str, block: &'a Value) {
    match string(block, "type") {
        Some("tool_result") => {
            texts(block.get("content").unwrap_or(&Value::Null)).for_each(|text| prompt.text(text));
            prompt.result();
        }
        Some("tool_use") => {
            prompt.text(string(block, "name").unwrap_or_default());
            prompt.json(block.get("input").unwrap_or(&Value::Null));
        }
        Some("thinking") => prompt.text(string(block, "thinking").unwrap_or_default()),
        _ => {
            if let Some(text) = string(block, "text") {
                read_text(prompt, role, text);
            }
        }
    }
}

fn shape(request: &Map<String, Value>) -> Shape<'_> {
    let config = request.get("output_config").and_then(|config| config.get("format"));
    let format = config.or_else(|| request.get("output_format"));
    format.and_then(|format| format.get("schema")).map_or(Shape::Text, Shape::Schema)
}

fn forced_call(request: &Map<String, Value>) -> Option<ForcedCall<'_>> {
    let choice = request.get("tool_choice")?;
    let tools = list(request.get("tools"));
    let tool = match string(choice, "type")? {
        "any" => tools.first(),
        "tool" => {
            let name = string(choice, "name")?;
            tools.iter().find(|tool| string(tool, "name") == Some(name))
        }
        _ => None,
    }?;
    Some(ForcedCall { name: string(tool, "name")?, parameters: tool.get("input_schema") })
}

/// The answer to a request for the number of tokens.
pub(crate) fn count(prompt: &Prompt<'_>) -> Reply {
    Reply::json(&json!({"input_tokens": prompt.input_tokens()}))
}

/// Writes the answer.
pub(crate) fn write(scene: &Scene<'_>) -> Reply {
    if scene.prompt.stream { Reply::events(stream(scene)) } else { Reply::json(&whole(scene)) }
}

fn whole(scene: &Scene<'_>) -> Value {
    let answer = scene.answer;
    let mut content = Vec::new();
    if let Some(thinking) = &answer.thinking {
        content.push(thinking_block(thinking, &signature(scene)));
    }
    if !answer.text.is_empty() || answer.calls.is_empty() {
        content.push(text_block(&answer.text));
    }
    for (index, call) in answer.calls.iter().enumerate() {
        let input = serde_json::from_str(&call.arguments).unwrap_or_default();
        content.push(tool_use_block(scene, index, &call.name, input));
    }
    let mut message = message(scene, &content);
    let (reason, sequence) = stop_reason(&answer.finish);
    set(&mut message, "stop_reason", Some(json!(reason)));
    set(&mut message, "stop_sequence", Some(json!(sequence)));
    set(&mut message, "usage", scene.usage(usage));
    message
}

fn message(scene: &Scene<'_>, content: &[Value]) -> Value {
    json!({
        "id": format!("msg_{}", scene.id),
        "type": "message",
        "role": "assistant",
        "model": scene.prompt.model,
        "content": content,
        "stop_reason": null,
        "stop_sequence": null,
        "stop_details": null,
        "container": null,
    })
}

fn text_block(text: &str) -> Value {
    json!({"type": "text", "text": text, "citations": []})
}

fn thinking_block(thinking: &str, signature: &str) -> Value {
    json!({"type": "thinking", "thinking": thinking, "signature": signature})
}

fn tool_use_block(scene: &Scene<'_>, index: usize, name: &str, input: Value) -> Value {
    let mut block = json!({"type": "tool_use", "id": scene.part_id("toolu_", index), "name": name});
    set(&mut block, "input", Some(input));
    set(&mut block, "caller", Some(json!({"type": "direct"})));
    block
}

/// Opaque to clients, who must send it back.
fn signature(scene: &Scene<'_>) -> String {
    STANDARD.encode(blake3::hash(scene.id.as_bytes()).as_bytes())
}

fn stop_reason(finish: &Finish) -> (&'static str, Option<&str>) {
    match finish {
        Finish::Stop => ("end_turn", None),
        Finish::Calls => ("tool_use", None),
        Finish::Length => ("max_tokens", None),
        Finish::Sequence(sequence) => ("stop_sequence", Some(sequence)),
    }
}

fn usage(tokens: AnswerTokens) -> Value {
    json!({
        "input_tokens": tokens.input,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
        "output_tokens": tokens.output,
        "output_tokens_details": null,
        "server_tool_use": null,
        "service_tier": "standard",
        "inference_geo": null,
    })
}

fn delta_usage(tokens: AnswerTokens) -> Value {
    json!({
        "input_tokens": tokens.input,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": tokens.output,
        "output_tokens_details": null,
        "server_tool_use": null,
    })
}

fn event(body: &Value) -> bytes::Bytes {
    named_event(string(body, "type").unwrap_or_default(), body)
}

fn stream(scene: &Scene<'_>) -> Vec<Step> {
    let mut start = message(scene, &[]);
    let first = AnswerTokens { output: 1, ..scene.tokens };
    set(&mut start, "usage", scene.usage(|_| usage(first)));
    let mut blocks = Blocks { steps: Vec::new(), index: 0 };
    blocks.push(&json!({"type": "message_start", "message": start}));
    stream_blocks(scene, &mut blocks);
    let (reason, sequence) = stop_reason(&scene.answer.finish);
    let delta =
        json!({"stop_reason": reason, "stop_sequence": sequence, "stop_details": null, "container": null});
    let mut last = json!({"type": "message_delta", "delta": delta});
    set(&mut last, "usage", scene.usage(delta_usage));
    blocks.push(&last);
    blocks.push(&json!({"type": "message_stop"}));
    blocks.steps
}

fn stream_blocks(scene: &Scene<'_>, blocks: &mut Blocks) {
    let answer = scene.answer;
    if let Some(thinking) = &answer.thinking {
        blocks.start(&thinking_block("", ""), 0);
        blocks.deltas(scene, &json!({"type": "thinking_delta", "thinking": PIECE}), thinking);
        blocks.delta(&json!({"type": "signature_delta", "signature": signature(scene)}));
        blocks.stop();
    }
    if !answer.text.is_empty() || answer.calls.is_empty() {
        blocks.start(&text_block(""), 0);
        blocks.deltas(scene, &json!({"type": "text_delta", "text": PIECE}), &answer.text);
        blocks.stop();
    }
    for (index, call) in answer.calls.iter().enumerate() {
        blocks.start(&tool_use_block(scene, index, &call.name, json!({})), length(&call.name));
        let template = blocks.delta_event(&json!({"type": "input_json_delta", "partial_json": PIECE}));
        blocks.steps.push(scene.argument_deltas(&template, &call.arguments));
        blocks.stop();
    }
}

/// The content blocks of a stream.
struct Blocks {
    steps: Vec<Step>,
    index: u64,
}

impl Blocks {
    fn push(&mut self, body: &Value) {
        self.steps.push(Step::event(event(body)));
    }

    fn start(&mut self, block: &Value, answer_bytes: u64) {
        let body = json!({"type": "content_block_start", "index": self.index, "content_block": block});
        self.steps.push(Step::Event { bytes: event(&body), answer_bytes });
        // The real provider keeps slow answers alive with these; the first block always has one behind it.
        if self.index == 0 {
            self.push(&json!({"type": "ping"}));
        }
    }

    fn delta_event(&self, delta: &Value) -> bytes::Bytes {
        event(&json!({"type": "content_block_delta", "index": self.index, "delta": delta}))
    }

    fn delta(&mut self, delta: &Value) {
        self.steps.push(Step::event(self.delta_event(delta)));
    }

    fn deltas(&mut self, scene: &Scene<'_>, delta: &Value, text: &str) {
        self.steps.push(scene.text_deltas(&self.delta_event(delta), text));
    }

    fn stop(&mut self) {
        self.push(&json!({"type": "content_block_stop", "index": self.index}));
        self.index += 1;
    }
}
