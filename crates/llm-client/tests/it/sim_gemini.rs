//! Gemini.

use serde_json::{Value, json};

use crate::sim_support::{
    GENERATE, GENERATE_STREAM, ask, frames, generate, get, post, sim, stream, strings, whole, with,
};

const TEXTS: &str = "/candidates/0/content/parts/0/text";

#[tokio::test]
async fn a_whole_answer_has_candidates_usage_and_version() {
    let mut answer = ask(&sim(), GENERATE, &generate("sim:text hello")).await;
    assert!(answer["responseId"].take().is_string());
    let expected = json!({
        "candidates": [{
            "content": {"parts": [{"text": "hello"}], "role": "model"},
            "finishReason": "STOP",
            "index": 0,
        }],
        "usageMetadata": {
            "promptTokenCount": 4,
            "candidatesTokenCount": 2,
            "totalTokenCount": 6,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 4}],
        },
        "modelVersion": "sim-1",
        "responseId": null,
    });
    assert_eq!(answer, expected);
}

#[tokio::test]
async fn a_stream_of_events_has_words_and_the_usage_at_the_end() {
    let events = stream(&sim(), GENERATE_STREAM, &generate("sim:text hello world")).await;
    let data: Vec<&Value> = events.iter().map(|(_, data)| data).collect();
    assert_eq!(strings(data.iter().copied(), TEXTS), ["hello", " world", ""]);
    assert!(data[0].get("usageMetadata").is_none());
    assert_eq!(data[2]["candidates"][0]["finishReason"], "STOP");
    assert_eq!(data[2]["usageMetadata"]["candidatesTokenCount"], 3);
}

#[tokio::test]
async fn a_stream_without_events_is_one_json_array() {
    let path = "/v1beta/models/sim-1:streamGenerateContent";
    let response = post(&sim(), path, &generate("sim:text hello world")).await;
    assert_eq!(response.headers()["content-type"], "application/json");
    let frames = frames(response).await;
    assert_eq!(frames.len(), 5);
    let array: Vec<Value> = serde_json::from_str(&frames.concat()).unwrap();
    assert_eq!(strings(&array, TEXTS).concat(), "hello world");
}

#[tokio::test]
async fn calls_come_whole_in_answers_and_streams() {
    let text = r#"sim:tools [{"name":"a","arguments":{"x":1}},{"name":"b"}]"#;
    let answer = ask(&sim(), GENERATE, &generate(text)).await;
    let parts = &answer["candidates"][0]["content"]["parts"];
    assert_eq!(parts[0]["functionCall"]["args"], json!({"x": 1}));
    assert_eq!(parts[1]["functionCall"]["name"], "b");
    let events = stream(&sim(), GENERATE_STREAM, &generate(text)).await;
    let pointer = "/candidates/0/content/parts/0/functionCall/name";
    assert_eq!(strings(events.iter().map(|(_, data)| data), pointer), ["a", "b"]);
}

#[tokio::test]
async fn thoughts_are_marked_and_counted_outside_the_candidates() {
    let answer = ask(&sim(), GENERATE, &generate("sim:think abcdefgh\nsim:text abcd")).await;
    assert_eq!(answer["candidates"][0]["content"]["parts"][0], json!({"text": "abcdefgh", "thought": true}));
    let usage = &answer["usageMetadata"];
    assert_eq!((&usage["thoughtsTokenCount"], &usage["candidatesTokenCount"]), (&json!(2), &json!(1)));
}

#[tokio::test]
async fn results_and_configuration_are_understood_in_both_spellings() {
    let conversation = json!([
        {"role": "user", "parts": [{"text": "sim:tool run {}\nsim:text abcdefgh"}]},
        {"role": "model", "parts": [{"functionCall": {"name": "run", "args": {}}}]},
        {"role": "user", "parts": [{"functionResponse": {"name": "run", "response": {"ok": true}}}]},
    ]);
    for config in [
        json!({"generationConfig": {"maxOutputTokens": 1}}),
        json!({"generation_config": {"max_output_tokens": 1}}),
    ] {
        let answer = ask(&sim(), GENERATE, &with(json!({"contents": conversation}), &config)).await;
        assert_eq!(answer.pointer(TEXTS), Some(&json!("abcd")));
        assert_eq!(answer["candidates"][0]["finishReason"], "MAX_TOKENS");
    }
}

#[tokio::test]
async fn schemas_and_forced_calls_are_answered() {
    let schema = json!({"type": "OBJECT", "properties": {"n": {"type": "INTEGER"}}});
    let config =
        json!({"generationConfig": {"responseMimeType": "application/json", "responseSchema": schema}});
    let answer = ask(&sim(), GENERATE, &with(generate("number?"), &config)).await;
    assert_eq!(answer.pointer(TEXTS), Some(&json!(r#"{"n":1}"#)));

    let tools = json!({
        "tools": [{"functionDeclarations": [{"name": "f", "parameters": schema}]}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY"}},
    });
    let answer = ask(&sim(), GENERATE, &with(generate("number?"), &tools)).await;
    assert_eq!(answer["candidates"][0]["content"]["parts"][0]["functionCall"]["args"], json!({"n": 1}));
}

#[tokio::test]
async fn tokens_embeddings_and_models_are_there() {
    let sim = sim();
    let count = ask(&sim, "/v1beta/models/m:countTokens", &generate("12345")).await;
    assert_eq!(count["totalTokens"], 2);
    let inner = json!({"generateContentRequest": generate("12345")});
    assert_eq!(ask(&sim, "/v1beta/models/m:countTokens", &inner).await["totalTokens"], 2);
    let content = json!({"content": {"parts": [{"text": "abc"}]}, "outputDimensionality": 3});
    let one = ask(&sim, "/v1beta/models/m:embedContent", &content).await;
    assert_eq!(one["embedding"]["values"].as_array().unwrap().len(), 3);
    let batch =
        ask(&sim, "/v1beta/models/m:batchEmbedContents", &json!({"requests": [content, content]})).await;
    assert_eq!(batch["embeddings"][1], one["embedding"]);
    assert_eq!(whole(get(&sim, "/v1beta/models").await).await["models"][0]["name"], "models/sim-1");
    assert_eq!(whole(get(&sim, "/v1beta/models/x").await).await["name"], "models/x");
}
