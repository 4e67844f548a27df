//! OpenAI responses: what a request says.
//!
//! The answer as one resource is in `resource`, as events in `events`; what is kept between requests is in `store`.

mod events;
mod resource;
mod store;

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::sim::prompt::{self, ForcedCall, Prompt, Shape, list, string, texts};
use crate::sim::refusal::Refusal;
use crate::sim::scene::{Reply, Scene};
use resource::Stage;

pub(crate) use store::{Store, Stored};

/// The items of a request: what it refers to, then what it brings.
#[derive(Debug, Default)]
pub(crate) struct Input {
    /// From the responses before it.
    earlier: Vec<Arc<Value>>,
    /// From the request, as the provider would list them.
    new: Vec<Arc<Value>>,
}

impl Input {
    /// Looks up `previous_response_id` and brings the input into the form of a list.
    pub(crate) fn new(request: &Map<String, Value>, store: &Store, id: &str) -> Result<Self, Refusal> {
        let earlier = match request.get("previous_response_id").and_then(Value::as_str) {
            None => Vec::new(),
            Some(previous) => store.conversation(previous).ok_or_else(|| {
                Refusal::bad_request(format!("previous response with id '{previous}' not found"))
                    .param("previous_response_id")
            })?,
        };
        let new = match request.get("input") {
            Some(Value::String(text)) => {
                vec![json!({"role": "user", "content": [{"type": "input_text", "text": text}]})]
            }
            Some(Value::Array(items)) => items.clone(),
            _ => return Err(Refusal::bad_request("missing required parameter: 'input'").param("input")),
        };
        let new =
            new.into_iter().enumerate().map(|(index, item)| Arc::new(listed(item, id, index))).collect();
        Ok(Self { earlier, new })
    }

    /// What is to be kept with the answer.
    pub(crate) fn keep(self, resource: Value) -> Stored {
        let output = list(resource.get("output")).iter().cloned().map(Arc::new);
        let conversation = self.earlier.iter().chain(&self.new).map(Arc::clone).chain(output).collect();
        Stored { resource, input: self.new, conversation }
    }
}

/// An input item as the provider lists it: with an id, a type and a status.
fn listed(mut item: Value, id: &str, index: usize) -> Value {
    if let Some(object) = item.as_object_mut() {
        object.entry("type").or_insert_with(|| json!("message"));
        object.entry("id").or_insert_with(|| json!(format!("item_{id}{index:02}")));
        if object.get("type").and_then(Value::as_str) == Some("message") {
            object.entry("status").or_insert_with(|| json!("completed"));
        }
        let is_answer = object.get("role").and_then(Value::as_str) == Some("assistant");
        if let Some(Value::String(text)) = object.get_mut("content") {
            let (kind, text) = (if is_answer { "output_text" } else { "input_text" }, std::mem::take(text));
            object.insert("content".to_owned(), json!([{"type": kind, "text": text}]));
        }
    }
    item
}

/// Reads a request.
pub(crate) fn read<'a>(request: &'a Map<String, Value>, input: &'a Input) -> Result<Prompt<'a>, Refusal> {
    let mut prompt = Prompt::new(prompt::model(request)?);
    if let Some(instructions) = request.get("instructions") {
        texts(instructions).for_each(|text| prompt.text(text));
    }
    for item in input.earlier.iter().chain(&input.new) {
        read_item(&mut prompt, item);
    }
    prompt.stream = request.get("stream").and_then(Value::as_bool).unwrap_or(false);
    prompt.max_output_tokens = request.get("max_output_tokens").and_then(Value::as_u64);
    prompt.shape = shape(request);
    prompt.forced_call = forced_call(request);
    Ok(prompt)
}

fn read_item<'a>(prompt: &mut Prompt<'a>, item: &'a Value) {
    match string(item, "type") {
        Some("message") => read_message(prompt, item),
        Some("function_call" | "custom_tool_call") => {
            prompt.text(string(item, "name").unwrap_or_default());
            prompt.text(string(item, "arguments").or_else(|| string(item, "input")).unwrap_or_default());
            prompt.answer();
        }
        Some("function_call_output" | "custom_tool_call_output") => {
            texts(item.get("output").unwrap_or(&Value::Null)).for_each(|text| prompt.text(text));
            prompt.result();
        }
        Some("reasoning") => {
            list(item.get("summary"))
                .iter()
                .filter_map(|part| string(part, "text"))
                .for_each(|text| prompt.text(text));
            prompt.answer();
        }
        _ => {}
    }
}

fn read_message<'a>(prompt: &mut Prompt<'a>, item: &'a Value) {
    let content = texts(item.get("content").unwrap_or(&Value::Null));
    match string(item, "role") {
        Some("user") => content.for_each(|text| prompt.user(text)),
        Some("assistant") => {
            content.for_each(|text| prompt.text(text));
            prompt.answer();
        }
        _ => content.for_each(|text| prompt.text(text)),
    }
}

fn shape(request: &Map<String, Value>) -> Shape<'_> {
    let format = request.get("text").and_then(|text| text.get("format"));
    match format.and_then(|format| string(format, "type")) {
        Some("json_object") => Shape::Json,
        Some("json_schema") => {
            format.and_then(|format| format.get("schema")).map_or(Shape::Json, Shape::Schema)
        }
        _ => Shape::Text,
    }
}

fn forced_call(request: &Map<String, Value>) -> Option<ForcedCall<'_>> {
    let mut functions = list(request.get("tools"))
        .iter()
        .filter(|tool| string(tool, "type").is_none_or(|kind| kind == "function"));
    let function = match request.get("tool_choice")? {
        Value::String(choice) if choice == "required" => functions.next(),
        choice => {
            let name = string(choice, "name")?;
            functions.find(|function| string(function, "name") == Some(name))
        }
    }?;
    Some(ForcedCall { name: string(function, "name")?, parameters: function.get("parameters") })
}

/// Writes the answer; the resource is to be kept where the request wants that.
pub(crate) fn write(scene: &Scene<'_>) -> (Reply, Value) {
    let resource = resource::response(scene, Stage::Done);
    let reply = if scene.prompt.stream {
        Reply::events(events::stream(scene, &resource))
    } else {
        Reply::json(&resource)
    };
    (reply, resource)
}

/// The answer to a request for the number of tokens.
pub(crate) fn count(prompt: &Prompt<'_>) -> Reply {
    Reply::json(&json!({"object": "response.input_tokens", "input_tokens": prompt.input_tokens()}))
}
