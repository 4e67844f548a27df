//! The texts of a request: whose they are, where they stand, and what is put in their place.

use bytes::Bytes;
use seawall_llm::Wire;
use seawall_llm::json::Document;
use seawall_llm::screen::prompt::{Kind, screen_prompt};
use serde_json::{Value, json};

fn document(body: impl Into<Bytes>) -> Document {
    Document::parse(body.into(), 128).unwrap()
}

fn found(wire: Wire, body: &Value) -> Vec<(Kind, String, String)> {
    let mut found = Vec::new();
    let body = document(body.to_string());
    let edited = screen_prompt(wire, &body, |text| {
        found.push((text.kind, text.place.to_string(), text.text.to_owned()));
        None
    });
    assert_eq!(edited, None);
    // A pointer leads to its text.
    let value: Value = serde_json::from_slice(body.text()).unwrap();
    for (_, place, text) in &found {
        assert_eq!(value.pointer(place).and_then(Value::as_str), Some(text.as_str()), "{place}");
    }
    found
}

fn kinds(wire: Wire, body: &Value) -> Vec<(Kind, String)> {
    found(wire, body).into_iter().map(|(kind, _, text)| (kind, text)).collect()
}

fn claimed(list: &[(Kind, &str)]) -> Vec<(Kind, String)> {
    list.iter().map(|(kind, text)| (*kind, (*text).to_owned())).collect()
}

#[test]
fn every_text_has_its_kind() {
    use Kind::{Assistant, System, ToolArguments, ToolDescription, ToolResult, User};
    let cases = [
        (
            Wire::OpenAiChat,
            json!({ "model": "no", "messages": [
            { "content": "s", "role": "system" }, { "role": "user", "content": [{ "type": "text", "text": "u" },
                { "type": "image_url", "image_url": { "url": "data:image/png;base64,AA" } }] },
            { "role": "assistant", "content": "a", "tool_calls": [{ "id": "no", "type": "function",
                "function": { "name": "no", "arguments": "{}" } }] },
            { "role": "tool", "tool_call_id": "no", "content": "r" }],
            "tools": [{ "type": "function", "function": { "name": "no", "description": "d",
                "parameters": { "type": "object", "properties": { "x": { "type": "string", "description": "e" } } } } }] }),
            vec![
                (System, "s"),
                (User, "u"),
                (Assistant, "a"),
                (ToolArguments, "{}"),
                (ToolResult, "r"),
                (ToolDescription, "d"),
                (ToolDescription, "e"),
            ],
        ),
        (
            Wire::OpenAiResponses,
            json!({ "instructions": "s", "input": [
            { "role": "user", "content": [{ "type": "input_text", "text": "u" }] },
            { "type": "reasoning", "id": "no", "summary": [{ "type": "summary_text", "text": "t" }], "encrypted_content": "no" },
            { "type": "function_call", "call_id": "no", "name": "no", "arguments": "{}" },
            { "type": "function_call_output", "call_id": "no", "output": "r" },
            { "type": "local_shell_call", "action": { "command": ["ls"] } }] }),
            vec![
                (System, "s"),
                (User, "u"),
                (Assistant, "t"),
                (ToolArguments, "{}"),
                (ToolResult, "r"),
                (ToolArguments, "ls"),
            ],
        ),
        (
            Wire::AnthropicMessages,
            json!({ "system": [{ "type": "text", "text": "s", "cache_control": { "type": "no" } }],
            "messages": [{ "role": "user", "content": "u" },
            { "role": "assistant", "content": [{ "type": "thinking", "thinking": "t", "signature": "no" },
                { "type": "tool_use", "id": "no", "name": "no", "input": { "name": "x" } }] },
            { "role": "user", "content": [{ "type": "tool_result", "tool_use_id": "no", "content": [{ "type": "text", "text": "r" }] },
                { "type": "document", "source": { "type": "text", "media_type": "text/plain", "data": "doc" } },
                { "type": "image", "source": { "type": "base64", "media_type": "image/png", "data": "no" } }] }] }),
            vec![
                (System, "s"),
                (User, "u"),
                (Assistant, "t"),
                (ToolArguments, "x"),
                (ToolResult, "r"),
                (User, "doc"),
            ],
        ),
        (
            Wire::GeminiGenerate,
            json!({ "systemInstruction": { "parts": [{ "text": "s" }] }, "contents": [
            { "role": "user", "parts": [{ "text": "u" }, { "inlineData": { "data": "no" } }] },
            { "role": "model", "parts": [{ "functionCall": { "name": "no", "args": { "id": "x" } } }] },
            { "role": "user", "parts": [{ "functionResponse": { "name": "no", "response": { "output": "r" } } }] }],
            "tools": [{ "functionDeclarations": [{ "name": "no", "description": "d" }] }] }),
            vec![(System, "s"), (User, "u"), (ToolArguments, "x"), (ToolResult, "r"), (ToolDescription, "d")],
        ),
        (
            Wire::OpenAiCompletions,
            json!({ "prompt": ["a", "b"], "suffix": "c", "user": "no" }),
            vec![(User, "a"), (User, "b"), (User, "c")],
        ),
    ];
    for (wire, body, expected) in cases {
        assert_eq!(kinds(wire, &body), claimed(&expected), "{wire:?}");
    }
}

#[test]
fn a_part_that_nobody_knows_is_looked_at_too() {
    let body = json!({ "messages": [{ "role": "user", "content": [{ "type": "new", "deep": [{ "words": "w" }] }] }] });
    assert_eq!(kinds(Wire::OpenAiChat, &body), claimed(&[(Kind::User, "w")]));
}

#[test]
fn only_the_text_changes() {
    let body =
        document(&b"{ \"a\" : 1, \"messages\":[ {\"role\":\"user\", \"content\":\"x\\u00e9\"} ] }"[..]);
    let edited = screen_prompt(Wire::OpenAiChat, &body, |text| {
        assert_eq!((text.text, text.place.to_string().as_str()), ("xé", "/messages/0/content"));
        Some("a\"b".to_owned())
    });
    let expected = b"{ \"a\" : 1, \"messages\":[ {\"role\":\"user\", \"content\":\"a\\\"b\"} ] }";
    assert_eq!(edited.unwrap().as_ref(), expected);
}

#[test]
fn a_text_knows_the_name_that_it_stands_under() {
    let body = json!({ "messages": [
        { "role": "user", "content": "c" },
        { "role": "assistant", "content": [{ "type": "tool_use", "name": "no", "id": "no",
            "input": { "login": { "password": "p", "codes": ["a", ["b"]] } } }] },
    ], "prompt": ["q"] });
    let mut named = Vec::new();
    screen_prompt(Wire::AnthropicMessages, &document(body.to_string()), |text| {
        named.push((text.name().to_owned(), text.text.to_owned()));
        None
    });
    let expected = [("content", "c"), ("password", "p"), ("codes", "a"), ("codes", "b"), ("prompt", "q")];
    assert_eq!(named, expected.map(|(name, text)| (name.to_owned(), text.to_owned())));
}

#[test]
fn a_long_number_that_a_tool_was_given_or_gave_is_a_text() {
    let body = json!({ "temperature": 0.1234567890123456, "contents": [
        { "parts": [{ "functionCall": { "name": "no", "args": { "card": 4111111111111111_u64, "short": 123_456_789_012_u64 } } }] },
        { "parts": [{ "functionResponse": { "name": "no", "response": { "cards": [4111111111111111_u64] } } }] },
    ] });
    let edited = screen_prompt(Wire::GeminiGenerate, &document(body.to_string()), |text| {
        assert_eq!(text.text, "4111111111111111");
        Some(format!("a {}", text.name()))
    });
    let edited: Value = serde_json::from_slice(&edited.unwrap()).unwrap();
    assert_eq!(
        edited.pointer("/contents/0/parts/0/functionCall/args"),
        Some(&json!({ "card": "a card", "short": 123_456_789_012_u64 }))
    );
    assert_eq!(
        edited.pointer("/contents/1/parts/0/functionResponse/response"),
        Some(&json!({ "cards": ["a cards"] }))
    );
}
