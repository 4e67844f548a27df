//! The rules that providers have for a conversation, and their words for an answer.

use std::collections::BTreeSet;

use serde_json::{Value, json};

/// A wire format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wire {
    Chat,
    Responses,
    Anthropic,
    Gemini,
}

/// Each format with the provider of the templates that speaks it.
pub(crate) const WIRES: [(&str, Wire); 4] = [
    ("openai", Wire::Chat),
    ("openai-responses", Wire::Responses),
    ("anthropic", Wire::Anthropic),
    ("gemini", Wire::Gemini),
];

impl Wire {
    pub(crate) fn of(path: &str) -> Self {
        match path {
            path if path.contains("/chat/completions") => Self::Chat,
            path if path.contains("/responses") => Self::Responses,
            path if path.contains("/messages") => Self::Anthropic,
            path if path.contains("enerateContent") => Self::Gemini,
            _ => panic!("{path} is no path of a provider"),
        }
    }

    /// An answer: words, or calls of the tool `work`.
    pub(crate) fn answer(self, words: &str, calls: &[u64], prompt: u64) -> Value {
        let input = |n: &u64| json!({ "n": n });
        let id = |place: usize| format!("toolcall-{place}");
        let places = calls.iter().enumerate();
        match self {
            Self::Chat => {
                let calls: Vec<_> = places
                    .map(|(place, n)| {
                        let function = json!({ "name": "work", "arguments": input(n).to_string() });
                        json!({ "id": id(place), "type": "function", "function": function })
                    })
                    .collect();
                let finish = if calls.is_empty() { "stop" } else { "tool_calls" };
                let mut message = json!({ "role": "assistant", "content": words });
                if !calls.is_empty() {
                    message["tool_calls"] = calls.into();
                }
                json!({ "id": "c", "object": "chat.completion", "model": "m",
                    "choices": [{ "index": 0, "message": message, "finish_reason": finish }],
                    "usage": { "prompt_tokens": prompt, "completion_tokens": 5, "total_tokens": prompt + 5 } })
            }
            Self::Responses => {
                let text = json!({ "type": "output_text", "text": words, "annotations": [] });
                let said = json!({ "type": "message", "id": "m", "role": "assistant", "status": "completed", "content": [text] });
                let said = (!words.is_empty()).then_some(said);
                let calls = places.map(|(place, n)| {
                    json!({ "type": "function_call", "id": id(place), "call_id": id(place), "name": "work",
                        "arguments": input(n).to_string(), "status": "completed" })
                });
                json!({ "id": "r", "object": "response", "status": "completed", "model": "m",
                    "output": said.into_iter().chain(calls).collect::<Vec<_>>(),
                    "usage": { "input_tokens": prompt, "output_tokens": 5, "total_tokens": prompt + 5 } })
            }
            Self::Anthropic => {
                let said = (!words.is_empty()).then(|| json!({ "type": "text", "text": words }));
                let stop = if calls.is_empty() { "end_turn" } else { "tool_use" };
                let calls = places.map(|(place, n)| {
                    json!({ "type": "tool_use", "id": id(place), "name": "work", "input": input(n) })
                });
                json!({ "id": "m", "type": "message", "role": "assistant", "model": "m",
                    "content": said.into_iter().chain(calls).collect::<Vec<_>>(),
                    "stop_reason": stop, "stop_sequence": null,
                    "usage": { "input_tokens": prompt, "output_tokens": 5 } })
            }
            Self::Gemini => {
                let said = (!words.is_empty()).then(|| json!({ "text": words }));
                let calls =
                    calls.iter().map(|n| json!({ "functionCall": { "name": "work", "args": input(n) } }));
                let parts: Vec<_> = said.into_iter().chain(calls).collect();
                json!({ "candidates": [{ "index": 0, "finishReason": "STOP", "content": { "role": "model", "parts": parts } }],
                    "usageMetadata": { "promptTokenCount": prompt, "candidatesTokenCount": 5, "totalTokenCount": prompt + 5 } })
            }
        }
    }

    /// Whether a request keeps the provider's rules: each call of a tool has its one result right after it, no result is
    /// without its call, the roles follow each other as the format demands, and nothing is empty.
    ///
    /// How many messages there are.
    pub(crate) fn check(self, body: &Value) -> Result<usize, String> {
        match self {
            Self::Chat => chat(list(body, "messages")?),
            Self::Responses => responses(list(body, "input")?),
            Self::Anthropic => anthropic(list(body, "messages")?),
            Self::Gemini => gemini(list(body, "contents")?),
        }
    }

    /// Whether it asks for a summary: then there are no tools to be called.
    pub(crate) fn is_summary(body: &Value) -> bool {
        body.get("tools").is_none()
    }
}

fn list<'a>(body: &'a Value, name: &str) -> Result<&'a Vec<Value>, String> {
    body[name].as_array().filter(|list| !list.is_empty()).ok_or_else(|| format!("there are no {name}"))
}

fn text(value: &Value) -> Result<&str, String> {
    value.as_str().ok_or_else(|| format!("{value} is no text"))
}

/// Names that all differ.
fn distinct<'a>(names: impl IntoIterator<Item = &'a Value>) -> Result<BTreeSet<&'a str>, String> {
    let mut all = BTreeSet::new();
    for name in names {
        if !all.insert(text(name)?) {
            return Err(format!("{name} is there twice"));
        }
    }
    Ok(all)
}

fn said_something(value: &Value) -> Result<(), String> {
    let says = match value {
        Value::String(text) => !text.trim().is_empty(),
        Value::Array(parts) => !parts.is_empty(),
        _ => false,
    };
    if says { Ok(()) } else { Err(format!("a message says nothing: {value}")) }
}

fn chat(messages: &[Value]) -> Result<usize, String> {
    let mut ids = BTreeSet::new();
    let mut rest = messages;
    if rest[0]["role"] == "system" {
        rest = &rest[1..];
    }
    while let [message, after @ ..] = rest {
        rest = after;
        match text(&message["role"])? {
            "user" => said_something(&message["content"])?,
            "assistant" if message["tool_calls"].is_null() => {
                said_something(&message["content"])?;
                if rest.is_empty() {
                    return Err("the last message is the model's own".to_owned());
                }
            }
            "assistant" => {
                let calls = distinct(list(message, "tool_calls")?.iter().map(|call| &call["id"]))?;
                let results = rest.iter().take_while(|message| message["role"] == "tool");
                let results: Vec<_> = results.map(|result| &result["tool_call_id"]).collect();
                rest = &rest[results.len()..];
                same(&calls, &distinct(results)?)?;
                once(&mut ids, &calls)?;
            }
            role => return Err(format!("a message of {role} stands here: {message}")),
        }
    }
    Ok(messages.len())
}

fn same(calls: &BTreeSet<&str>, results: &BTreeSet<&str>) -> Result<(), String> {
    if calls == results { Ok(()) } else { Err(format!("the calls {calls:?} have the results {results:?}")) }
}

/// No call is named as one before.
fn once(known: &mut BTreeSet<String>, calls: &BTreeSet<&str>) -> Result<(), String> {
    match calls.iter().find(|call| !known.insert((**call).to_owned())) {
        Some(call) => Err(format!("two calls are named {call}")),
        None => Ok(()),
    }
}

fn responses(items: &[Value]) -> Result<usize, String> {
    let mut ids = BTreeSet::new();
    let mut rest = items;
    while let [item, after @ ..] = rest {
        match item["type"].as_str() {
            Some("function_call") => {
                let calls: Vec<_> = rest.iter().take_while(|item| item["type"] == "function_call").collect();
                rest = &rest[calls.len()..];
                let results = rest.iter().take_while(|item| item["type"] == "function_call_output");
                let results: Vec<_> = results.map(|result| &result["call_id"]).collect();
                rest = &rest[results.len()..];
                let calls = distinct(calls.into_iter().map(|call| &call["call_id"]))?;
                same(&calls, &distinct(results)?)?;
                once(&mut ids, &calls)?;
            }
            Some("function_call_output") => return Err(format!("a result without its call: {item}")),
            _ => {
                said_something(&item["content"])?;
                rest = after;
                if rest.is_empty() && item["role"] == "assistant" {
                    return Err("the last message is the model's own".to_owned());
                }
            }
        }
    }
    Ok(items.len())
}

/// Roles in turn, the user's first and last.
fn alternate(messages: &[Value], model: &str) -> Result<(), String> {
    for (place, message) in messages.iter().enumerate() {
        let expected = if place % 2 == 0 { "user" } else { model };
        if message["role"] != expected {
            return Err(format!("message {place} is not of {expected}: {message}"));
        }
    }
    if messages.len() % 2 == 1 { Ok(()) } else { Err("the last message is the model's own".to_owned()) }
}

fn anthropic(messages: &[Value]) -> Result<usize, String> {
    alternate(messages, "assistant")?;
    let mut ids = BTreeSet::new();
    let mut open = BTreeSet::new();
    for message in messages {
        said_something(&message["content"])?;
        let blocks = message["content"].as_array().map(Vec::as_slice).unwrap_or_default();
        let of = |kind: &'static str| blocks.iter().filter(move |block| block["type"] == kind);
        if of("text").any(|block| block["text"].as_str().is_none_or(|text| text.trim().is_empty())) {
            return Err(format!("a text is empty: {message}"));
        }
        let first = blocks.iter().take_while(|block| block["type"] == "tool_result").count();
        if of("tool_result").count() != first {
            return Err(format!("a result does not stand first: {message}"));
        }
        same(&open, &distinct(of("tool_result").map(|block| &block["tool_use_id"]))?)?;
        open = distinct(of("tool_use").map(|block| &block["id"]))?;
        once(&mut ids, &open)?;
    }
    Ok(messages.len())
}

fn gemini(contents: &[Value]) -> Result<usize, String> {
    alternate(contents, "model")?;
    let mut open: Vec<&Value> = Vec::new();
    for content in contents {
        let parts = list(content, "parts")?;
        let of = |kind: &'static str| parts.iter().filter_map(move |part| part.get(kind));
        if of("text").any(|text| text.as_str().is_none_or(str::is_empty)) {
            return Err(format!("a text is empty: {content}"));
        }
        let results: Vec<_> = of("functionResponse").map(|result| &result["name"]).collect();
        if results != open {
            return Err(format!("the calls {open:?} have the results {results:?}"));
        }
        open = of("functionCall").map(|call| &call["name"]).collect();
    }
    Ok(contents.len())
}

/// The rules are told from what breaks them, or nothing that keeps them says anything.
#[test]
fn what_breaks_a_providers_rules_is_found() {
    let user = json!({ "role": "user", "content": "a" });
    let call = |id: &str| json!({ "role": "assistant", "content": null, "tool_calls": [{ "id": id }] });
    let result = |id: &str| json!({ "role": "tool", "tool_call_id": id, "content": "r" });
    let good = vec![user.clone(), call("1"), result("1"), call("2"), result("2")];
    assert_eq!(Wire::Chat.check(&json!({ "messages": good })), Ok(5));
    for bad in [
        vec![],
        vec![result("1"), user.clone()],
        vec![user.clone(), call("1"), user.clone()],
        vec![user.clone(), call("1"), result("2"), user.clone()],
        vec![user.clone(), call("1"), user.clone(), result("1")],
        vec![user.clone(), call("1"), result("1"), result("1")],
        vec![user.clone(), call("1"), result("1"), call("1"), result("1")],
        vec![user.clone(), json!({ "role": "assistant", "content": "b" })],
        vec![json!({ "role": "user", "content": " " })],
    ] {
        assert!(Wire::Chat.check(&json!({ "messages": bad })).is_err(), "{bad:?}");
    }

    let call = json!({ "type": "function_call", "call_id": "1" });
    let result = json!({ "type": "function_call_output", "call_id": "1", "output": "r" });
    let good = [user.clone(), call.clone(), result.clone()];
    assert_eq!(Wire::Responses.check(&json!({ "input": good })), Ok(3));
    for bad in [vec![call.clone(), user.clone(), result.clone()], vec![result], vec![user.clone(), call]] {
        assert!(Wire::Responses.check(&json!({ "input": bad })).is_err(), "{bad:?}");
    }

    let call = json!({ "role": "assistant", "content": [{ "type": "tool_use", "id": "1" }] });
    let (text, given) =
        (json!({ "type": "text", "text": "a" }), json!({ "type": "tool_result", "tool_use_id": "1" }));
    let said = |blocks: &[&Value]| json!({ "role": "user", "content": blocks });
    let good = [user.clone(), call.clone(), said(&[&given, &text])];
    assert_eq!(Wire::Anthropic.check(&json!({ "messages": good })), Ok(3));
    for bad in [
        vec![user.clone(), user.clone()],
        vec![user.clone(), call.clone()],
        vec![user.clone(), call.clone(), user.clone()],
        vec![user, call.clone(), said(&[&text, &given])],
        vec![said(&[&given])],
        vec![call, said(&[&given])],
    ] {
        assert!(Wire::Anthropic.check(&json!({ "messages": bad })).is_err(), "{bad:?}");
    }

    let part = |role: &str, kind: &str| json!({ "role": role, "parts": [{ kind: { "name": "work" } }] });
    let (user, call) = (json!({ "role": "user", "parts": [{ "text": "a" }] }), part("model", "functionCall"));
    let result = part("user", "functionResponse");
    assert_eq!(Wire::Gemini.check(&json!({ "contents": [user, call, result] })), Ok(3));
    for bad in [
        vec![&user, &call, &user],
        vec![&result],
        vec![&call, &result],
        vec![&user, &call],
        vec![&user, &user],
    ] {
        assert!(Wire::Gemini.check(&json!({ "contents": bad })).is_err(), "{bad:?}");
    }
}
