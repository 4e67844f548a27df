//! The wire formats as a client and as a provider write them, and the shape that an error has in each.

use serde_json::{Value, json};

use super::raw;

/// A wire format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Chat,
    Responses,
    Messages,
    Gemini,
}

impl Format {
    pub(crate) const ALL: [Self; 4] = [Self::Chat, Self::Responses, Self::Messages, Self::Gemini];

    pub(crate) fn path(self, stream: bool) -> &'static str {
        match (self, stream) {
            (Self::Chat, _) => "/v1/chat/completions",
            (Self::Responses, _) => "/v1/responses",
            (Self::Messages, _) => "/v1/messages",
            (Self::Gemini, false) => "/v1beta/models/sim-g:generateContent",
            (Self::Gemini, true) => "/v1beta/models/sim-g:streamGenerateContent?alt=sse",
        }
    }

    /// The body of a request that says `text` and takes a short answer.
    pub(crate) fn body(self, text: &str, stream: bool) -> String {
        self.body_within(text, stream, 100)
    }

    /// The body of a request that says `text` and takes an answer of so many tokens.
    pub(crate) fn body_within(self, text: &str, stream: bool, limit: u64) -> String {
        let messages = json!([{ "role": "user", "content": text }]);
        let mut body = match self {
            Self::Chat => json!({ "model": "sim-c", "messages": messages, "max_tokens": limit }),
            Self::Responses => json!({ "model": "sim-c", "input": messages, "max_output_tokens": limit }),
            Self::Messages => json!({ "model": "sim-m", "max_tokens": limit, "messages": messages }),
            Self::Gemini => json!({
                "contents": [{ "role": "user", "parts": [{ "text": text }] }],
                "generationConfig": { "maxOutputTokens": limit },
            }),
        };
        if stream && self != Self::Gemini {
            body["stream"] = true.into();
        }
        body.to_string()
    }

    /// A request that says `text`.
    pub(crate) fn request(self, text: &str, stream: bool) -> Vec<u8> {
        raw::post(self.path(stream), self.body(text, stream))
    }

    /// A provider's whole answer.
    pub(crate) fn answer(self) -> String {
        match self {
            Self::Chat => json!({
                "id": "c1", "object": "chat.completion", "created": 1, "model": "sim-c",
                "choices": [{ "index": 0, "message": { "role": "assistant", "content": "hello you" }, "finish_reason": "stop" }],
                "usage": { "prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5 },
            }),
            Self::Responses => response("completed"),
            Self::Messages => json!({
                "id": "m1", "type": "message", "role": "assistant", "model": "sim-m",
                "content": [{ "type": "text", "text": "hello you" }], "stop_reason": "end_turn",
                "stop_sequence": null, "usage": { "input_tokens": 3, "output_tokens": 2 },
            }),
            Self::Gemini => json!({
                "candidates": [{ "content": { "role": "model", "parts": [{ "text": "hello you" }] }, "finishReason": "STOP", "index": 0 }],
                "usageMetadata": { "promptTokenCount": 3, "candidatesTokenCount": 2, "totalTokenCount": 5 },
                "modelVersion": "sim-g",
            }),
        }
        .to_string()
    }

    /// A provider's stream, event by event: two pieces of text, then the end. `usage` is what OpenAI sends only when it is
    /// asked to.
    pub(crate) fn events(self, usage: bool) -> Vec<String> {
        match self {
            Self::Chat => chat_events(usage),
            Self::Responses => responses_events(),
            Self::Messages => messages_events(),
            Self::Gemini => ["hello", " you"]
                .into_iter()
                .enumerate()
                .map(|(index, text)| {
                    let mut candidate = json!({ "content": { "role": "model", "parts": [{ "text": text }] }, "index": 0 });
                    if index == 1 {
                        candidate["finishReason"] = "STOP".into();
                    }
                    let usage = json!({ "promptTokenCount": 3, "candidatesTokenCount": index + 1, "totalTokenCount": index + 4 });
                    format!("data: {}\r\n\r\n", json!({ "candidates": [candidate], "usageMetadata": usage, "modelVersion": "sim-g" }))
                })
                .collect(),
        }
    }

    /// Asserts that an error has the provider's shape, and gives our part of it.
    pub(crate) fn error(self, answer: &raw::Answer) -> Value {
        assert_eq!(answer.header("content-type"), Some("application/json"), "{answer:?}");
        assert!(answer.complete, "{answer:?}");
        let part = self.error_part(&answer.json());
        if self == Self::Gemini {
            assert_eq!(answer.json()["error"]["code"], answer.status, "{answer:?}");
        }
        part
    }

    fn error_part(self, error: &Value) -> Value {
        let is_text = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
        assert!(is_text(&error["error"]["message"]), "{error}");
        let part = match self {
            Self::Chat | Self::Responses => {
                assert!(is_text(&error["error"]["type"]), "{error}");
                assert!(is_text(&error["error"]["code"]), "{error}");
                assert!(error["error"]["param"].is_null(), "{error}");
                &error["error"]["seawall"]
            }
            Self::Messages => {
                assert_eq!(error["type"], "error", "{error}");
                assert!(is_text(&error["error"]["type"]), "{error}");
                &error["seawall"]
            }
            Self::Gemini => {
                assert!(is_text(&error["error"]["status"]), "{error}");
                &error["seawall"]
            }
        };
        assert!(is_text(&part["code"]) && is_text(&part["remedy"]), "{error}");
        part.clone()
    }

    /// Asserts that a stream ends in an error event of the provider and in nothing else, and gives our part of it.
    pub(crate) fn stream_error(self, answer: &raw::Answer) -> Value {
        let text = &answer.text().replace('\r', "");
        let last = text.trim_end().rsplit("\n\n").next().unwrap();
        assert!(answer.complete && text.ends_with("\n\n"), "{answer:?}");
        for end in ["[DONE]", "response.completed", "message_stop"] {
            assert!(!text.contains(end), "{text}");
        }
        if matches!(self, Self::Responses | Self::Messages) {
            assert!(last.starts_with("event: error\n"), "{text}");
        }
        let data = last.lines().find_map(|line| line.strip_prefix("data: ")).expect("an event with data");
        self.error_part(&serde_json::from_str(data).unwrap())
    }
}

fn chat_events(usage: bool) -> Vec<String> {
    let event = |choices: Value, numbers: Option<Value>| {
        let mut chunk = json!({ "id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "sim-c", "choices": choices });
        if usage {
            chunk["usage"] = numbers.unwrap_or(Value::Null);
        }
        format!("data: {chunk}\n\n")
    };
    let choice =
        |delta: Value, finish: Value| json!([{ "index": 0, "delta": delta, "finish_reason": finish }]);
    let mut events = vec![
        event(choice(json!({ "role": "assistant", "content": "" }), Value::Null), None),
        event(choice(json!({ "content": "hello" }), Value::Null), None),
        event(choice(json!({ "content": " you" }), Value::Null), None),
        event(choice(json!({}), "stop".into()), None),
    ];
    if usage {
        let numbers = json!({ "prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5 });
        events.push(event(json!([]), Some(numbers)));
    }
    events.push("data: [DONE]\n\n".to_owned());
    events
}

/// The whole of a response, as it is told when it begins and when it is complete.
fn response(status: &str) -> Value {
    let is_complete = status == "completed";
    let usage = json!({ "input_tokens": 3, "output_tokens": 2, "total_tokens": 5 });
    json!({
        "id": "resp_1", "object": "response", "created_at": 1, "status": status, "model": "sim-c", "error": null,
        "output": if is_complete { json!([response_message("hello you")]) } else { json!([]) },
        "usage": if is_complete { usage } else { Value::Null },
    })
}

fn response_message(text: &str) -> Value {
    let status = if text.is_empty() { "in_progress" } else { "completed" };
    let content = if text.is_empty() { json!([]) } else { json!([response_text(text)]) };
    json!({ "id": "msg_1", "type": "message", "role": "assistant", "status": status, "content": content })
}

fn response_text(text: &str) -> Value {
    json!({ "type": "output_text", "text": text, "annotations": [] })
}

fn responses_events() -> Vec<String> {
    let place = |member: &str, value: Value| json!({ "item_id": "msg_1", "output_index": 0, "content_index": 0, member: value });
    let events = [
        ("response.created", json!({ "response": response("in_progress") })),
        ("response.output_item.added", json!({ "output_index": 0, "item": response_message("") })),
        ("response.content_part.added", place("part", response_text(""))),
        ("response.output_text.delta", place("delta", "hello".into())),
        ("response.output_text.delta", place("delta", " you".into())),
        ("response.output_text.done", place("text", "hello you".into())),
        ("response.content_part.done", place("part", response_text("hello you"))),
        ("response.output_item.done", json!({ "output_index": 0, "item": response_message("hello you") })),
        ("response.completed", json!({ "response": response("completed") })),
    ];
    let numbered = |(number, (name, mut data)): (usize, (&str, Value))| {
        data["sequence_number"] = number.into();
        named_event(name, data)
    };
    events.into_iter().enumerate().map(numbered).collect()
}

fn named_event(name: &str, mut data: Value) -> String {
    data["type"] = name.into();
    format!("event: {name}\ndata: {data}\n\n")
}

fn messages_events() -> Vec<String> {
    let event = named_event;
    let delta = |text: &str| json!({ "index": 0, "delta": { "type": "text_delta", "text": text } });
    let message = json!({
        "id": "m1", "type": "message", "role": "assistant", "model": "sim-m", "content": [],
        "stop_reason": null, "stop_sequence": null, "usage": { "input_tokens": 3, "output_tokens": 1 },
    });
    vec![
        event("message_start", json!({ "message": message })),
        event("content_block_start", json!({ "index": 0, "content_block": { "type": "text", "text": "" } })),
        event("ping", json!({})),
        event("content_block_delta", delta("hello")),
        event("content_block_delta", delta(" you")),
        event("content_block_stop", json!({ "index": 0 })),
        event(
            "message_delta",
            json!({ "delta": { "stop_reason": "end_turn", "stop_sequence": null }, "usage": { "output_tokens": 2 } }),
        ),
        event("message_stop", json!({})),
    ]
}
