use proptest::prelude::*;
use seawall_llm::dialogue::{Ask, Format, Part, Reasoning, Role, ToolResult, ToolUse, Turn, write};
use serde_json::{Value, json};

use super::ALL;

fn body(turns: &[Turn<'_>], format: Format) -> Value {
    serde_json::from_slice(&write(&Ask::new("gemini-2", turns), format).body).unwrap()
}

#[test]
fn a_result_whose_call_is_gone_is_told_in_words() {
    let input = json!({});
    let result = |id| Part::ToolResult(ToolResult { id, content: vec![Part::Text("42")], is_error: false });
    let turns = [
        Turn { role: Role::User, blocks: vec![result("gone"), Part::Text("go on")] },
        Turn {
            role: Role::Assistant,
            blocks: vec![
                Part::ToolUse(ToolUse { id: "a", name: "f", input: &input }),
                Part::ToolUse(ToolUse { id: "b", name: "g", input: &input }),
            ],
        },
        Turn { role: Role::User, blocks: vec![result("a"), result("a"), result("gone")] },
    ];
    for format in ALL {
        let body = body(&turns, format).to_string();
        assert_eq!(body.matches("[The result of a tool, whose call").count(), 3, "{format:?} {body}");
        assert_eq!(body.matches("[The tool g was called with {}").count(), 1, "{format:?} {body}");
    }
}

/// A part, by number: texts, thoughts of everybody, calls and results of a few ids.
fn part(kind: u8, id: usize) -> Part<'static> {
    static INPUT: Value = Value::Null;
    static SIGNATURES: std::sync::OnceLock<[Value; 3]> = std::sync::OnceLock::new();
    let signatures = SIGNATURES.get_or_init(|| {
        let openai = json!({"openai": {"id": "r", "encrypted_content": "e"}});
        [json!({"anthropic": "s"}), openai, json!({"gemini": "s"})]
    });
    let id = ["a", "b", "c"][id % 3];
    match kind % 7 {
        0 => Part::Text("words"),
        1 => Part::Text(" \n"),
        2 => Part::Reasoning(Reasoning { text: "hm", signature: signatures.get(usize::from(kind) % 3) }),
        3 | 4 => Part::ToolUse(ToolUse { id, name: "f", input: &INPUT }),
        _ => Part::ToolResult(ToolResult {
            id,
            content: vec![Part::Text("r")],
            is_error: kind.is_multiple_of(2),
        }),
    }
}

fn ids(message: &Value, kind: &str, key: &str) -> Vec<String> {
    let blocks = message["content"].as_array().into_iter().flatten();
    blocks
        .filter(|block| block["type"] == kind)
        .map(|block| block[key].as_str().unwrap().to_owned())
        .collect()
}

proptest! {
    /// By Anthropic's rules, which are the strictest: a user begins, speakers take turns, nothing is empty, each call has its
    /// result first in the message after it and each result its call, and no message ends with thoughts.
    #[test]
    fn whatever_the_history_the_request_is_one_that_providers_take(
        turns in prop::collection::vec((any::<bool>(), prop::collection::vec((any::<u8>(), 0_usize..3), 0..6)), 0..8)
    ) {
        let turns: Vec<Turn<'_>> = turns
            .into_iter()
            .map(|(is_user, parts)| Turn {
                role: if is_user { Role::User } else { Role::Assistant },
                blocks: parts.into_iter().map(|(kind, id)| part(kind, id)).collect(),
            })
            .collect();
        let anthropic = body(&turns, Format::Anthropic);
        let messages = anthropic["messages"].as_array().unwrap();
        let mut open = Vec::new();
        for (at, message) in messages.iter().enumerate() {
            prop_assert_eq!(&message["role"], if at % 2 == 0 { "user" } else { "assistant" });
            let blocks = message["content"].as_array().unwrap();
            let last = blocks.last().map(|block| block["type"].as_str().unwrap());
            prop_assert!(last.is_some_and(|kind| !kind.contains("thinking")), "{:?}", message);
            let results = ids(message, "tool_result", "tool_use_id");
            prop_assert_eq!(&results, &open, "one result for each call, in their order");
            prop_assert!(blocks.iter().take(results.len()).all(|block| block["type"] == "tool_result"));
            open = ids(message, "tool_use", "id");
        }
        prop_assert!(open.is_empty());
        // In the other formats, which see other thoughts, each call has its result too.
        for (format, call, result) in [
            (Format::OpenAiChat, "\"type\":\"function\"", "\"tool_call_id\""),
            (Format::OpenAiResponses, "\"function_call\"", "\"function_call_output\""),
            (Format::Gemini, "\"functionCall\"", "\"functionResponse\""),
        ] {
            let text = body(&turns, format).to_string();
            prop_assert_eq!(text.matches(call).count(), text.matches(result).count(), "{}", text);
        }
    }
}
