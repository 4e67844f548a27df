//! The events of a streamed response, complete and in order, numbered from 0.

use serde_json::{Value, json};

use super::resource::{Stage, call_item, message_item, reasoning_item, response, summary_part, text_part};
use crate::sim::answer::{Finish, length};
use crate::sim::piece::Pieces;
use crate::sim::play::{Deltas, NUMBER, PIECE, Step};
use crate::sim::scene::{Scene, named_event, set};

/// All events of the answer, of which `done` is the resource at its end.
pub(super) fn stream(scene: &Scene<'_>, done: &Value) -> Vec<Step> {
    let answer = scene.answer;
    let mut events = Events { steps: Vec::new(), number: 0, output_index: 0 };
    let in_progress = response(scene, Stage::InProgress);
    events.push("response.created", json!({"response": in_progress}));
    events.push("response.in_progress", json!({"response": in_progress}));
    if let Some(thinking) = &answer.thinking {
        events.reasoning(scene, thinking);
    }
    if !answer.text.is_empty() || answer.calls.is_empty() {
        events.message(scene);
    }
    for index in 0..answer.calls.len() {
        events.call(scene, index);
    }
    let last = if answer.finish == Finish::Length { "response.incomplete" } else { "response.completed" };
    events.push(last, json!({"response": done}));
    events.steps
}

struct Events {
    steps: Vec<Step>,
    number: u64,
    output_index: u64,
}

impl Events {
    fn push(&mut self, kind: &str, fields: Value) {
        self.push_counted(kind, fields, 0);
    }

    fn push_counted(&mut self, kind: &str, fields: Value, answer_bytes: u64) {
        let bytes = named_event(kind, &body(kind, &json!(self.number), fields));
        self.steps.push(Step::Event { bytes, answer_bytes });
        self.number += 1;
    }

    /// A text in pieces; each piece is an event with its own number.
    fn deltas(&mut self, kind: &str, mut fields: Value, text: &str, pieces: Pieces) {
        set(&mut fields, "delta", Some(json!(PIECE)));
        let template = named_event(kind, &body(kind, &json!(NUMBER), fields));
        let deltas = Deltas::new(&template, Some(self.number), text.to_owned(), pieces);
        self.number += deltas.count();
        self.steps.push(Step::Deltas(deltas));
    }

    fn item(&mut self, kind: &str, item: &Value, answer_bytes: u64) {
        self.push_counted(kind, json!({"output_index": self.output_index, "item": item}), answer_bytes);
    }

    fn added(&mut self, item: &Value, answer_bytes: u64) {
        self.item("response.output_item.added", item, answer_bytes);
    }

    fn done(&mut self, item: &Value) {
        self.item("response.output_item.done", item, 0);
        self.output_index += 1;
    }

    fn reasoning(&mut self, scene: &Scene<'_>, thinking: &str) {
        let item = reasoning_item(scene, Some(thinking));
        let at = json!({"item_id": item.get("id"), "output_index": self.output_index, "summary_index": 0});
        self.added(&reasoning_item(scene, None), 0);
        self.push("response.reasoning_summary_part.added", with(&at, "part", summary_part("")));
        let pieces = scene.delivery.text_pieces();
        self.deltas("response.reasoning_summary_text.delta", at.clone(), thinking, pieces);
        self.push("response.reasoning_summary_text.done", with(&at, "text", json!(thinking)));
        self.push("response.reasoning_summary_part.done", with(&at, "part", summary_part(thinking)));
        self.done(&item);
    }

    fn message(&mut self, scene: &Scene<'_>) {
        let text = scene.answer.text.as_str();
        let status = if scene.answer.finish == Finish::Length { "incomplete" } else { "completed" };
        let item = message_item(scene, status, &[text_part(text)]);
        let at = json!({"item_id": item.get("id"), "output_index": self.output_index, "content_index": 0});
        self.added(&message_item(scene, "in_progress", &[]), 0);
        self.push("response.content_part.added", with(&at, "part", text_part("")));
        let no_logprobs = with(&at, "logprobs", json!([]));
        self.deltas("response.output_text.delta", no_logprobs.clone(), text, scene.delivery.text_pieces());
        self.push("response.output_text.done", with(&no_logprobs, "text", json!(text)));
        self.push("response.content_part.done", with(&at, "part", text_part(text)));
        self.done(&item);
    }

    fn call(&mut self, scene: &Scene<'_>, index: usize) {
        let Some(call) = scene.answer.calls.get(index) else { return };
        let item = call_item(scene, index, "completed", &call.name, &call.arguments);
        let at = json!({"item_id": item.get("id"), "output_index": self.output_index});
        self.added(&call_item(scene, index, "in_progress", &call.name, ""), length(&call.name));
        let pieces = scene.delivery.argument_pieces();
        self.deltas("response.function_call_arguments.delta", at.clone(), &call.arguments, pieces);
        let named = with(&at, "name", json!(call.name));
        self.push("response.function_call_arguments.done", with(&named, "arguments", json!(call.arguments)));
        self.done(&item);
    }
}

/// An event's body; the number stands before everything that a piece can stand in.
fn body(kind: &str, number: &Value, fields: Value) -> Value {
    let mut body = json!({"type": kind, "sequence_number": number});
    if let (Some(body), Value::Object(fields)) = (body.as_object_mut(), fields) {
        body.extend(fields);
    }
    body
}

fn with(fields: &Value, key: &str, value: Value) -> Value {
    let mut fields = fields.clone();
    set(&mut fields, key, Some(value));
    fields
}
