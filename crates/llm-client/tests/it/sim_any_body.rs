//! No body makes the simulated provider panic, and every answer is one that its provider could give.

use http::Method;
use http_body_util::BodyExt as _;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::sim_support::{
    CHAT, COMPLETIONS, GENERATE, GENERATE_STREAM, MESSAGES, RESPONSES, request, sim, with,
};

const PATHS: [&str; 12] = [
    CHAT,
    COMPLETIONS,
    RESPONSES,
    MESSAGES,
    GENERATE,
    GENERATE_STREAM,
    "/v1/messages/count_tokens",
    "/v1/responses/input_tokens",
    "/v1/embeddings",
    "/v1/moderations",
    "/v1beta/models/m:countTokens",
    "/v1beta/models/m:batchEmbedContents",
];

/// The keys that the formats use, so that what is made up gets past the first check.
const KEYS: [&str; 40] = [
    "model",
    "messages",
    "role",
    "content",
    "text",
    "type",
    "tools",
    "tool_choice",
    "function",
    "name",
    "arguments",
    "tool_calls",
    "stream",
    "stream_options",
    "include_usage",
    "n",
    "stop",
    "max_tokens",
    "response_format",
    "json_schema",
    "schema",
    "properties",
    "required",
    "items",
    "anyOf",
    "$ref",
    "enum",
    "input",
    "output",
    "instructions",
    "system",
    "contents",
    "parts",
    "functionCall",
    "functionResponse",
    "generationConfig",
    "prompt",
    "dimensions",
    "requests",
    "summary",
];

const WORDS: [&str; 14] = [
    "user",
    "assistant",
    "tool",
    "system",
    "function",
    "message",
    "function_call_output",
    "tool_result",
    "object",
    "array",
    "required",
    "any",
    "#",
    "sim:text hi",
];

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        proptest::sample::select(WORDS.to_vec()).prop_map(str::to_owned),
        "\\PC{0,12}",
        "sim:[a-z]{4,6} [0-9a-z{}\"\\[]{0,8}",
    ]
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (0_u64..9).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 48, 5, |inner| {
        let key = prop_oneof![proptest::sample::select(KEYS.to_vec()).prop_map(str::to_owned), "[a-z]{0,4}"];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::vec((key, inner), 0..6)
                .prop_map(|pairs| Value::Object(Map::from_iter(pairs))),
        ]
    })
}

/// Reads some frames of whatever comes; hanging and silent answers are left alone.
fn survives(path: &str, body: &str) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let answered = async {
            let response = request(&sim(), Method::POST, path, body.to_owned()).await;
            assert!(
                [200, 400, 404].contains(&response.status().as_u16()) || response.status().as_u16() >= 400
            );
            let _ = response.into_body().collect().await;
        };
        let _ = tokio::time::timeout(std::time::Duration::from_secs(86_400), answered).await;
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(160))]

    #[test]
    fn any_json_is_answered_or_refused(body in any_json()) {
        let body = if body.is_object() { with(body, &json!({"model": "m"})) } else { body };
        for path in PATHS {
            survives(path, &body.to_string());
        }
    }

    #[test]
    fn any_conversation_is_answered_or_refused(items in proptest::collection::vec(any_json(), 0..5), more in any_json()) {
        for (path, key) in [(CHAT, "messages"), (MESSAGES, "messages"), (RESPONSES, "input"), (GENERATE, "contents")] {
            let mut body = json!({"model": "m", key: items});
            if more.is_object() {
                body = with(body, &more);
            }
            survives(path, &body.to_string());
        }
    }

    #[test]
    fn any_bytes_are_refused(body in "\\PC{0,40}") {
        survives(CHAT, &body);
    }
}
