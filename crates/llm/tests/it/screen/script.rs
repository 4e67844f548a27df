//! Answers as a provider might stream them, made from random bytes.

use serde_json::{Value, json};

use super::judge::WORD;

/// Random decisions that shrink: where the bytes end, every decision is the first one.
pub(super) struct Dice<'a> {
    bytes: std::slice::Iter<'a, u8>,
}

impl<'a> Dice<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes: bytes.iter() }
    }

    /// A number below `sides`.
    fn roll(&mut self, sides: usize) -> usize {
        usize::from(self.bytes.next().copied().unwrap_or(0)) % sides.max(1)
    }

    /// Words of which some are the word, parts of it, or need escapes.
    fn text(&mut self) -> String {
        let words = [
            "a",
            " ",
            WORD,
            "k",
            "k\"",
            "k\"\u{1F600}",
            "\u{1F600}",
            "e",
            "y",
            "\n",
            "\\",
            "é",
            "\u{7}",
            "leak",
            "ke",
        ];
        (0..self.roll(12)).map(|_| words[self.roll(words.len())]).collect()
    }

    /// The text in pieces.
    fn pieces(&mut self, text: &str) -> Vec<String> {
        let mut pieces = vec![String::new()];
        for character in text.chars() {
            if self.roll(3) == 1 {
                pieces.push(String::new());
            }
            pieces.last_mut().unwrap().push(character);
        }
        pieces
    }

    fn call(&mut self) -> (String, String) {
        let name = ["good", "bad", "fine", "bad_too"][self.roll(4)];
        (name.to_owned(), json!({ "x": self.text() }).to_string())
    }

    /// One of several sequences, whose order in themselves stays.
    fn interleaved(&mut self, mut sequences: Vec<Vec<Value>>) -> Vec<Value> {
        sequences.iter_mut().for_each(|sequence| sequence.reverse());
        let mut all = Vec::new();
        while sequences.iter().any(|sequence| !sequence.is_empty()) {
            sequences.retain(|sequence| !sequence.is_empty());
            let at = self.roll(sequences.len());
            all.extend(sequences[at].pop());
        }
        all
    }

    /// The events as a stream, some with everything beyond ASCII escaped.
    fn stream(&mut self, named: bool, events: &[Value]) -> Vec<String> {
        let event = |event: &Value| {
            let name = event["type"].as_str().filter(|_| named);
            let data = event.to_string();
            let data = if self.roll(2) == 0 { data } else { escaped(&data) };
            name.map(|name| format!("event: {name}\n")).unwrap_or_default() + &format!("data: {data}\n\n")
        };
        events.iter().map(event).collect()
    }
}

/// JSON with every character beyond ASCII as an escape.
fn escaped(json: &str) -> String {
    let mut units = [0; 2];
    let mut escaped = String::new();
    for character in json.chars() {
        if character.is_ascii() {
            escaped.push(character);
        } else {
            for unit in character.encode_utf16(&mut units) {
                escaped.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    escaped
}

/// Several choices at once, some of them in the same chunk.
pub(super) fn chat(dice: &mut Dice<'_>) -> Vec<String> {
    let sequences = (0..=dice.roll(3)).map(|index| chat_choice(dice, index)).collect();
    let single = dice.interleaved(sequences);
    let mut chunks: Vec<Vec<Value>> = Vec::new();
    for choice in single {
        let is_other = |chunk: &&mut Vec<Value>| chunk.iter().all(|known| known["index"] != choice["index"]);
        match chunks.last_mut().filter(is_other).filter(|_| dice.roll(3) == 1) {
            Some(chunk) => chunk.push(choice),
            None => chunks.push(vec![choice]),
        }
    }
    let chunk = |choices: &Vec<Value>| json!({ "id": "c", "choices": choices, "usage": null });
    let events: Vec<Value> = chunks.iter().map(chunk).collect();
    let mut stream = dice.stream(false, &events);
    if dice.roll(2) == 0 {
        stream.push("data: [DONE]\n\n".to_owned());
    }
    stream
}

fn chat_choice(dice: &mut Dice<'_>, index: usize) -> Vec<Value> {
    let of = |delta: Value| json!({ "index": index, "delta": delta, "finish_reason": null });
    let (reasoning, content) = (dice.text(), dice.text());
    let mut texts: Vec<Vec<Value>> = Vec::new();
    for (key, text) in [("reasoning_content", reasoning), ("content", content)] {
        texts.push(dice.pieces(&text).into_iter().map(|piece| of(json!({ key: piece }))).collect());
    }
    let count = dice.roll(4);
    let mut calls = Vec::new();
    for at in 0..count {
        let (name, arguments) = dice.call();
        let first = json!({ "index": at, "id": format!("call_{at}"), "type": "function",
            "function": { "name": name, "arguments": "" } });
        calls.push(of(json!({ "tool_calls": [first] })));
        for piece in dice.pieces(&arguments) {
            let call = json!({ "index": at, "function": { "arguments": piece } });
            // Some servers send a text along with a call.
            let words = if dice.roll(8) == 1 { dice.text() } else { String::new() };
            calls.push(of(json!({ "content": words, "tool_calls": [call] })));
        }
    }
    texts.push(calls);
    let mut choice = dice.interleaved(texts);
    choice.insert(0, of(json!({ "role": "assistant", "content": null })));
    let reason = if count == 0 { "stop" } else { "tool_calls" };
    // The last word comes with the finish reason, or before it.
    if dice.roll(2) == 0 {
        choice.push(of(json!({})));
    }
    choice.last_mut().unwrap()["finish_reason"] = reason.into();
    choice
}

pub(super) fn anthropic(dice: &mut Dice<'_>) -> Vec<String> {
    let mut events = vec![json!({ "type": "message_start", "message": { "id": "m", "content": [] } })];
    let mut has_calls = false;
    for index in 0..dice.roll(5) {
        let (kind, key, text) = match dice.roll(3) {
            0 => ("text", "text", dice.text()),
            1 => ("thinking", "thinking", dice.text()),
            _ => ("tool_use", "partial_json", String::new()),
        };
        has_calls |= kind == "tool_use";
        let (block, delta, text) = if kind == "tool_use" {
            let (name, arguments) = dice.call();
            let block = json!({ "type": kind, "id": format!("t{index}"), "name": name, "input": {} });
            (block, "input_json_delta".to_owned(), arguments)
        } else {
            (json!({ "type": kind, kind: "" }), format!("{kind}_delta"), text)
        };
        events.push(json!({ "type": "content_block_start", "index": index, "content_block": block }));
        for piece in dice.pieces(&text) {
            let delta = json!({ "type": delta, key: piece });
            events.push(json!({ "type": "content_block_delta", "index": index, "delta": delta }));
            if dice.roll(8) == 1 {
                events.push(json!({ "type": "ping" }));
            }
        }
        events.push(json!({ "type": "content_block_stop", "index": index }));
    }
    let reason = if has_calls { "tool_use" } else { "end_turn" };
    events.push(json!({ "type": "message_delta", "delta": { "stop_reason": reason } }));
    events.push(json!({ "type": "message_stop" }));
    dice.stream(true, &events)
}

/// Items that begin in their order and go on beside each other.
pub(super) fn responses(dice: &mut Dice<'_>) -> Vec<String> {
    let (mut items, mut whole) = (Vec::new(), Vec::new());
    for index in 0..dice.roll(4) {
        let (events, item) = if dice.roll(2) == 0 { text_item(dice, index) } else { call_item(dice, index) };
        items.push(events);
        whole.push(item);
    }
    let mut begun = 0;
    let mut output = Vec::new();
    items.iter_mut().for_each(|item| item.reverse());
    // An item's beginning waits for those before it.
    while items.iter().any(|item| !item.is_empty()) {
        let open: Vec<usize> = (0..items.len()).filter(|at| *at <= begun && !items[*at].is_empty()).collect();
        let at = open[dice.roll(open.len())];
        begun = begun.max(at + 1);
        output.extend(items[at].pop());
    }
    let mut events = vec![json!({ "type": "response.created", "response": { "output": [] } })];
    events.append(&mut output);
    let response = json!({ "status": "completed", "output": whole });
    events.push(json!({ "type": "response.completed", "response": response }));
    for (number, event) in events.iter_mut().enumerate() {
        event["sequence_number"] = number.into();
    }
    dice.stream(true, &events)
}

fn text_item(dice: &mut Dice<'_>, index: usize) -> (Vec<Value>, Value) {
    let (kind, name) = [("message", "output_text"), ("reasoning", "reasoning_text")][dice.roll(2)];
    let text = dice.text();
    let place = |event: Value| {
        let mut event = event;
        event["output_index"] = index.into();
        event["content_index"] = 0.into();
        event
    };
    let item = |content: Value| json!({ "type": kind, "id": format!("i{index}"), "content": content });
    let part = |text: &str| json!({ "type": name, "text": text });
    let mut events = vec![
        place(json!({ "type": "response.output_item.added", "item": item(json!([])) })),
        place(json!({ "type": "response.content_part.added", "part": part("") })),
    ];
    for piece in dice.pieces(&text) {
        let delta = json!({ "type": format!("response.{name}.delta"), "delta": piece, "logprobs": [] });
        events.push(place(delta));
    }
    let whole = item(json!([part(&text)]));
    events.push(place(json!({ "type": format!("response.{name}.done"), "text": text })));
    events.push(place(json!({ "type": "response.content_part.done", "part": part(&text) })));
    events.push(place(json!({ "type": "response.output_item.done", "item": whole })));
    (events, whole)
}

fn call_item(dice: &mut Dice<'_>, index: usize) -> (Vec<Value>, Value) {
    let (name, arguments) = dice.call();
    let item = |arguments: &str| {
        json!({ "type": "function_call", "id": format!("fc{index}"), "call_id": format!("c{index}"),
            "name": name, "arguments": arguments })
    };
    let event = |kind: &str, key: &str, value: Value| json!({ "type": format!("response.{kind}"), "output_index": index, key: value });
    let mut events = vec![event("output_item.added", "item", item(""))];
    for piece in dice.pieces(&arguments) {
        events.push(event("function_call_arguments.delta", "delta", piece.into()));
    }
    events.push(event("function_call_arguments.done", "arguments", arguments.as_str().into()));
    events.push(event("output_item.done", "item", item(&arguments)));
    (events, item(&arguments))
}

pub(super) fn gemini(dice: &mut Dice<'_>) -> Vec<String> {
    let sequences = (0..=dice.roll(2)).map(|index| gemini_candidate(dice, index)).collect();
    let chunk = |candidate: Value| json!({ "candidates": [candidate], "responseId": "r" });
    let events: Vec<Value> = dice.interleaved(sequences).into_iter().map(chunk).collect();
    dice.stream(false, &events)
}

fn gemini_candidate(dice: &mut Dice<'_>, index: usize) -> Vec<Value> {
    let mut chunks: Vec<Vec<Value>> = vec![Vec::new()];
    for at in 0..dice.roll(5) {
        let parts: Vec<Value> = match dice.roll(3) {
            0 => {
                let text = dice.text();
                dice.pieces(&text).into_iter().map(|text| json!({ "text": text })).collect()
            }
            1 => {
                let text = dice.text();
                dice.pieces(&text).into_iter().map(|text| json!({ "text": text, "thought": true })).collect()
            }
            _ => {
                let (name, arguments) = dice.call();
                let arguments: Value = serde_json::from_str(&arguments).unwrap();
                let id = format!("g{at}");
                vec![json!({ "functionCall": { "id": id, "name": name, "args": arguments } })]
            }
        };
        for part in parts {
            if dice.roll(3) == 1 {
                chunks.push(Vec::new());
            }
            chunks.last_mut().unwrap().push(part);
        }
    }
    let candidate = |parts| json!({ "content": { "role": "model", "parts": parts }, "index": index });
    let mut candidates: Vec<Value> = chunks.into_iter().map(candidate).collect();
    candidates.last_mut().unwrap()["finishReason"] = "STOP".into();
    candidates
}
