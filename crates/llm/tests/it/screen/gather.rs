//! What SDKs gather from a stream, by their own rules.
//!
//! OpenAI's and Anthropic's take a number for a place in a list to which they append, so every number must be that of an
//! item that is there, or the next one.

use std::collections::BTreeMap;

use seawall_llm::Wire;
use seawall_llm::screen::CallVerdict;
use serde_json::Value;

use super::judge::{COVER, WORD, verdict};

/// Something that a choice, a message or a response has in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Text { key: String, text: String },
    Call { id: String, name: String, arguments: String },
}

/// A choice, a candidate; messages and responses are one alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Choice {
    pub(super) parts: Vec<Part>,
    pub(super) finish: Option<String>,
}

pub(super) type Choices = BTreeMap<u64, Choice>;

pub(super) fn gather(wire: Wire, stream: &[String]) -> Choices {
    let mut gathering = Gathering { choices: Choices::new(), sequence: None, calls: BTreeMap::new() };
    for event in stream {
        let name = event.lines().find_map(|line| line.strip_prefix("event: "));
        let data: String = event.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
        if data.is_empty() || data == "[DONE]" {
            continue;
        }
        let data: Value = serde_json::from_str(&data).unwrap_or_else(|error| panic!("{error}: {event}"));
        if let Some(name) = name {
            assert_eq!(data["type"], name, "{event}");
        }
        match wire {
            Wire::OpenAiChat => gathering.chat(&data),
            Wire::OpenAiResponses => gathering.responses(&data),
            Wire::AnthropicMessages => gathering.anthropic(&data),
            _ => gathering.gemini(&data),
        }
    }
    gathering.choices
}

struct Gathering {
    choices: Choices,
    sequence: Option<u64>,
    /// Where the calls of a choice stand among its parts.
    calls: BTreeMap<u64, Vec<usize>>,
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

impl Choice {
    /// Joins a piece to the text of this key, wherever it stands.
    fn join(&mut self, wanted: &str, piece: &Value) {
        let Some(piece) = piece.as_str().filter(|piece| !piece.is_empty()) else { return };
        let known = self.parts.iter_mut().find_map(|part| match part {
            Part::Text { key, text } if key == wanted => Some(text),
            _ => None,
        });
        match known {
            Some(text) => text.push_str(piece),
            None => self.parts.push(Part::Text { key: wanted.to_owned(), text: piece.to_owned() }),
        }
    }
}

impl Gathering {
    fn chat(&mut self, chunk: &Value) {
        for one in chunk["choices"].as_array().unwrap() {
            let index = one["index"].as_u64().unwrap();
            let choice = self.choices.entry(index).or_default();
            let delta = &one["delta"];
            for key in ["content", "reasoning_content", "refusal"] {
                choice.join(key, &delta[key]);
            }
            for call in delta["tool_calls"].as_array().into_iter().flatten() {
                let calls = self.calls.entry(index).or_default();
                let at = usize::try_from(call["index"].as_u64().unwrap()).unwrap();
                assert!(at <= calls.len(), "a gap: {chunk}");
                if at == calls.len() {
                    calls.push(choice.parts.len());
                    choice.parts.push(Part::Call {
                        id: text(&call["id"]),
                        name: text(&call["function"]["name"]),
                        arguments: String::new(),
                    });
                }
                let Part::Call { arguments, .. } = &mut choice.parts[calls[at]] else { unreachable!() };
                arguments.push_str(&text(&call["function"]["arguments"]));
            }
            if let Some(reason) = one["finish_reason"].as_str() {
                assert_eq!(choice.finish.replace(reason.to_owned()), None, "ended twice: {chunk}");
            }
        }
    }

    fn anthropic(&mut self, event: &Value) {
        let message = self.choices.entry(0).or_default();
        let index = usize::try_from(event["index"].as_u64().unwrap_or(0)).unwrap();
        match event["type"].as_str().unwrap() {
            "content_block_start" => {
                assert_eq!(index, message.parts.len(), "not the next block: {event}");
                let block = &event["content_block"];
                message.parts.push(match block["type"].as_str().unwrap() {
                    "tool_use" => Part::Call {
                        id: text(&block["id"]),
                        name: text(&block["name"]),
                        arguments: String::new(),
                    },
                    kind => Part::Text { key: kind.to_owned(), text: text(&block[kind]) },
                });
            }
            "content_block_delta" => match &mut message.parts[index] {
                Part::Call { arguments, .. } => {
                    assert_eq!(event["delta"]["type"], "input_json_delta");
                    arguments.push_str(&text(&event["delta"]["partial_json"]));
                }
                Part::Text { key, text: known } => {
                    assert_eq!(event["delta"]["type"], format!("{key}_delta"));
                    known.push_str(&text(&event["delta"][key.as_str()]));
                }
            },
            "message_delta" => message.finish = Some(text(&event["delta"]["stop_reason"])),
            _ => {}
        }
    }

    fn responses(&mut self, event: &Value) {
        let number = event["sequence_number"].as_u64().unwrap();
        if let Some(before) = self.sequence.replace(number) {
            assert_eq!(number, before + 1, "{event}");
        }
        let response = self.choices.entry(0).or_default();
        let index = usize::try_from(event["output_index"].as_u64().unwrap_or(0)).unwrap();
        let kind = event["type"].as_str().unwrap();
        match kind {
            "response.output_item.added" => {
                assert_eq!(index, response.parts.len(), "not the next item: {event}");
                response.parts.push(whole_item(&event["item"]));
            }
            "response.output_text.delta" | "response.reasoning_text.delta" => {
                let Part::Text { text: known, .. } = &mut response.parts[index] else { panic!("{event}") };
                known.push_str(&text(&event["delta"]));
            }
            "response.function_call_arguments.delta" => {
                let Part::Call { arguments, .. } = &mut response.parts[index] else { panic!("{event}") };
                arguments.push_str(&text(&event["delta"]));
            }
            "response.output_text.done" | "response.reasoning_text.done" => {
                let Part::Text { text: known, .. } = &response.parts[index] else { panic!("{event}") };
                assert_eq!(*known, text(&event["text"]), "{event}");
            }
            "response.function_call_arguments.done" => {
                let Part::Call { arguments, .. } = &response.parts[index] else { panic!("{event}") };
                assert_eq!(*arguments, text(&event["arguments"]), "{event}");
            }
            "response.output_item.done" => {
                assert_eq!(response.parts[index], whole_item(&event["item"]), "{event}");
            }
            "response.completed" => {
                let items = event["response"]["output"].as_array().unwrap();
                assert_eq!(response.parts, items.iter().map(whole_item).collect::<Vec<_>>(), "{event}");
                response.finish = Some(text(&event["response"]["status"]));
            }
            _ => {}
        }
    }

    fn gemini(&mut self, chunk: &Value) {
        for one in chunk["candidates"].as_array().unwrap() {
            let candidate = self.choices.entry(one["index"].as_u64().unwrap_or(0)).or_default();
            for part in one["content"]["parts"].as_array().into_iter().flatten() {
                if let Some(call) = part["functionCall"].as_object() {
                    candidate.parts.push(Part::Call {
                        id: text(&call["id"]),
                        name: text(&call["name"]),
                        arguments: call["args"].to_string(),
                    });
                } else {
                    let key = if part["thought"] == true { "thought" } else { "text" };
                    candidate.parts.push(Part::Text { key: key.to_owned(), text: text(&part["text"]) });
                }
            }
            if let Some(reason) = one["finishReason"].as_str() {
                candidate.finish = Some(reason.to_owned());
            }
        }
    }
}

/// An item of a response, as it stands in one piece.
pub(super) fn whole_item(item: &Value) -> Part {
    match item["type"].as_str().unwrap() {
        "function_call" => Part::Call {
            id: text(&item["call_id"]),
            name: text(&item["name"]),
            arguments: text(&item["arguments"]),
        },
        kind => Part::Text {
            key: kind.to_owned(),
            text: item["content"].as_array().into_iter().flatten().map(|part| text(&part["text"])).collect(),
        },
    }
}

fn covered(text: &str) -> String {
    text.replace(WORD, COVER)
}

/// What is to be gathered in place of `part`: words of ours, or the part without what must not be seen.
fn screened(part: &Part) -> Result<Part, String> {
    match part {
        Part::Text { key, text } => Ok(Part::Text { key: key.clone(), text: covered(text) }),
        Part::Call { id, name, arguments } => match verdict(name, arguments) {
            CallVerdict::Refuse(words) => Err(words),
            CallVerdict::Pass => Ok(part.clone()),
            CallVerdict::Arguments(arguments) => {
                Ok(Part::Call { id: id.clone(), name: name.clone(), arguments })
            }
        },
    }
}

/// What is to be gathered of a screened answer, given what is gathered of the answer as it came.
pub(super) fn expected(wire: Wire, came: &Choices) -> Choices {
    came.iter().map(|(index, choice)| (*index, normal(wire, &of_choice(wire, choice)))).collect()
}

fn of_choice(wire: Wire, choice: &Choice) -> Choice {
    let mut goes = Choice { parts: Vec::new(), finish: choice.finish.clone() };
    let was_called = choice.parts.iter().any(|part| matches!(part, Part::Call { .. }));
    let joined = if wire == Wire::GeminiStream { segments(choice) } else { choice.clone() };
    let mut words = Vec::new();
    for part in &joined.parts {
        match screened(part) {
            Ok(part) => goes.parts.push(part),
            Err(refusal) if wire == Wire::OpenAiChat => words.push(refusal),
            Err(refusal) => {
                let gap = wire == Wire::GeminiStream && has_spoken(&goes);
                let key = if wire == Wire::OpenAiResponses { "message" } else { "text" };
                let text = if gap { format!("\n\n{refusal}") } else { refusal };
                goes.parts.push(Part::Text { key: key.to_owned(), text });
            }
        }
    }
    for refusal in words {
        let gap = if goes.parts.iter().any(|part| matches!(part, Part::Text { key, .. } if key == "content"))
        {
            "\n\n"
        } else {
            ""
        };
        goes.join("content", &Value::from(format!("{gap}{refusal}")));
    }
    let is_called = goes.parts.iter().any(|part| matches!(part, Part::Call { .. }));
    if was_called && !is_called {
        goes.finish = match wire {
            Wire::OpenAiChat => Some("stop".to_owned()),
            Wire::AnthropicMessages => Some("end_turn".to_owned()),
            _ => goes.finish,
        };
    }
    goes
}

fn has_spoken(choice: &Choice) -> bool {
    choice
        .parts
        .iter()
        .any(|part| matches!(part, Part::Text { key, text } if key == "text" && !text.is_empty()))
}

/// A candidate with its texts joined as far as nothing refused stands between them; thoughts are joined all.
fn segments(choice: &Choice) -> Choice {
    let mut goes = Choice { parts: Vec::new(), finish: choice.finish.clone() };
    let mut from = 0;
    for part in &choice.parts {
        if let Part::Text { key, text } = part {
            let since = if key == "thought" { 0 } else { from };
            let known = goes.parts.iter_mut().skip(since).find_map(|known| match known {
                Part::Text { key: of, text } if of == key => Some(text),
                _ => None,
            });
            match known {
                Some(known) => known.push_str(text),
                None => goes.parts.push(part.clone()),
            }
        } else {
            goes.parts.push(part.clone());
            if screened(part).is_err() {
                from = goes.parts.len();
            }
        }
    }
    goes
}

/// A choice as it is compared: texts of a chat and of a candidate by their keys, calls in their order. Where among the
/// calls a text stands is no matter there.
pub(super) fn normal(wire: Wire, choice: &Choice) -> Choice {
    if matches!(wire, Wire::OpenAiResponses | Wire::AnthropicMessages) {
        return choice.clone();
    }
    let mut joined = Choice { parts: Vec::new(), finish: choice.finish.clone() };
    for part in &choice.parts {
        if let Part::Text { key, text } = part {
            joined.join(key, &Value::from(text.as_str()));
        }
    }
    let key_of = |part: &Part| matches!(part, Part::Text { key, .. } if key == "content" || key == "text");
    joined.parts.sort_by_key(key_of);
    joined.parts.extend(choice.parts.iter().filter(|part| matches!(part, Part::Call { .. })).cloned());
    joined
}
