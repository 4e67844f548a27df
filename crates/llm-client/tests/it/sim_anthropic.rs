//! Anthropic messages.

use http::{Method, Request};
use http_body_util::Full;
use serde_json::{Value, json};

use crate::sim_support::{MESSAGES, ask, get, messages, request, sim, stream, strings, whole, with};

#[tokio::test]
async fn a_whole_message_has_every_field_of_the_published_format() {
    let mut answer = ask(&sim(), MESSAGES, &messages("sim:text hello")).await;
    assert!(answer["id"].take().as_str().unwrap().starts_with("msg_"));
    let expected = json!({
        "id": null,
        "type": "message",
        "role": "assistant",
        "model": "sim-1",
        "content": [{"type": "text", "text": "hello", "citations": []}],
        "stop_reason": "end_turn",
        "stop_sequence": null,
        "stop_details": null,
        "container": null,
        "usage": {
            "input_tokens": 4,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
            "output_tokens": 2,
            "output_tokens_details": null,
            "server_tool_use": null,
            "service_tier": "standard",
            "inference_geo": null,
        },
    });
    assert_eq!(answer, expected);
}

async fn streamed(text: &str) -> Vec<(String, Value)> {
    let events =
        stream(&sim(), "/v1/messages?beta=true", &with(messages(text), &json!({"stream": true}))).await;
    assert!(events.iter().all(|(name, data)| data["type"] == **name));
    events
}

fn names(events: &[(String, Value)]) -> Vec<&str> {
    events.iter().map(|(name, _)| name.as_str()).collect()
}

#[tokio::test]
async fn a_streamed_text_has_all_events_in_order() {
    let events = streamed("sim:text hello world").await;
    let expected = [
        "message_start",
        "content_block_start",
        "ping",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ];
    assert_eq!(names(&events), expected);
    assert_eq!(events[0].1["message"]["usage"]["input_tokens"], 5);
    assert_eq!(events[0].1["message"]["stop_reason"], Value::Null);
    assert_eq!(strings(events.iter().map(|(_, data)| data), "/delta/text"), ["hello", " world"]);
    assert_eq!(events[6].1["delta"]["stop_reason"], "end_turn");
    assert_eq!(events[6].1["usage"]["output_tokens"], 3);
}

#[tokio::test]
async fn a_streamed_call_begins_empty_and_comes_in_pieces() {
    let events = streamed(r#"sim:tool Bash {"command":"echo hi"}"#).await;
    let block = &events[1].1["content_block"];
    assert_eq!(
        (&block["type"], &block["name"], &block["input"]),
        (&json!("tool_use"), &json!("Bash"), &json!({}))
    );
    let pieces = strings(events.iter().map(|(_, data)| data), "/delta/partial_json");
    assert!(pieces.len() > 1);
    assert_eq!(pieces.concat(), r#"{"command":"echo hi"}"#);
    assert_eq!(events[events.len() - 2].1["delta"]["stop_reason"], "tool_use");

    let whole = ask(&sim(), MESSAGES, &messages(r#"sim:tool Bash {"command":"echo hi"}"#)).await;
    assert_eq!(whole["content"][0]["input"], json!({"command": "echo hi"}));
    assert_eq!(whole["content"][0]["caller"], json!({"type": "direct"}));
}

#[tokio::test]
async fn streamed_thinking_is_a_signed_block_before_the_answer() {
    let events = streamed("sim:think let me see\nsim:text hi").await;
    let data: Vec<&Value> = events.iter().map(|(_, data)| data).collect();
    assert_eq!(data[1]["content_block"], json!({"type": "thinking", "thinking": "", "signature": ""}));
    assert_eq!(strings(data.iter().copied(), "/delta/thinking").concat(), "let me see");
    let signatures = strings(data.iter().copied(), "/delta/signature");
    assert_eq!(signatures.len(), 1);
    let text = data.iter().find(|data| data["content_block"]["type"] == "text").unwrap();
    assert_eq!(text["index"], 1);
}

#[tokio::test]
async fn an_answer_ends_where_the_request_says() {
    for (more, reason, sequence) in [
        (json!({"max_tokens": 1}), "max_tokens", Value::Null),
        (json!({"stop_sequences": ["efgh"]}), "stop_sequence", json!("efgh")),
    ] {
        let answer = ask(&sim(), MESSAGES, &with(messages("sim:text abcdefgh"), &more)).await;
        assert_eq!(answer["content"][0]["text"], "abcd");
        assert_eq!((&answer["stop_reason"], &answer["stop_sequence"]), (&json!(reason), &sequence));
    }
}

#[tokio::test]
async fn a_conversation_with_blocks_and_results_is_understood() {
    let body = json!({
        "model": "claude-x", "max_tokens": 100,
        "system": [{"type": "text", "text": "1234", "cache_control": {"type": "ephemeral"}}],
        "messages": [
            {"role": "user", "content": [
                {"type": "text", "text": "<system-reminder>\nbe good\n</system-reminder>"},
                {"type": "text", "text": "sim:tool Bash {}\nsim:text done"},
            ]},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "Bash", "input": {}}]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "ok"}]},
                {"type": "text", "text": "<system-reminder>sim-ply a reminder</system-reminder>"},
            ]},
        ],
    });
    assert_eq!(ask(&sim(), MESSAGES, &body).await["content"][0]["text"], "done");
}

#[tokio::test]
async fn tokens_are_counted_without_an_answer() {
    let answer = ask(&sim(), "/v1/messages/count_tokens", &messages("12345")).await;
    assert_eq!(answer, json!({"input_tokens": 2}));
}

#[tokio::test]
async fn the_probe_and_the_list_of_models_answer_in_this_providers_manner() {
    assert_eq!(request(&sim(), Method::HEAD, "/", "").await.status(), 200);
    let get_models = Request::get("/v1/models").header("anthropic-version", "2023-06-01");
    let list = whole(sim().call(get_models.body(Full::<bytes::Bytes>::default()).unwrap()).await).await;
    assert_eq!(list["has_more"], false);
    assert_eq!(list["first_id"], "sim-1");
    assert_eq!(list["data"][0]["type"], "model");
}

#[tokio::test]
async fn a_schema_is_answered_with_json_that_satisfies_it() {
    let schema = json!({"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]});
    let format = json!({"format": {"type": "json_schema", "schema": schema}});
    let answer = ask(&sim(), MESSAGES, &with(messages("number?"), &json!({"output_config": format}))).await;
    assert_eq!(answer["content"][0]["text"], r#"{"n":1}"#);
    let tool = json!({"name": "answer", "input_schema": schema});
    let body = with(messages("number?"), &json!({"tools": [tool], "tool_choice": {"type": "any"}}));
    assert_eq!(ask(&sim(), MESSAGES, &body).await["content"][0]["input"], json!({"n": 1}));
}

#[tokio::test]
async fn an_unknown_path_is_not_found_in_this_providers_manner() {
    let response = get(&sim(), "/v1/messages/nothing").await;
    assert_eq!(response.status(), 404);
    let body = whole(response).await;
    assert_eq!((&body["type"], &body["error"]["type"]), (&json!("error"), &json!("not_found_error")));
}
