//! OpenAI responses.

use http::Method;
use serde_json::{Value, json};

use crate::sim_support::{RESPONSES, ask, get, post, request, responses, sim, stream, strings, whole, with};

#[tokio::test]
async fn a_whole_response_has_every_field_of_the_published_format() {
    let answer = ask(&sim(), RESPONSES, &responses("sim:text hello")).await;
    for key in [
        "id",
        "object",
        "created_at",
        "completed_at",
        "status",
        "incomplete_details",
        "model",
        "previous_response_id",
        "instructions",
        "output",
        "error",
        "tools",
        "tool_choice",
        "truncation",
        "parallel_tool_calls",
        "text",
        "top_p",
        "presence_penalty",
        "frequency_penalty",
        "top_logprobs",
        "temperature",
        "reasoning",
        "usage",
        "max_output_tokens",
        "max_tool_calls",
        "store",
        "background",
        "service_tier",
        "metadata",
        "safety_identifier",
        "prompt_cache_key",
    ] {
        assert!(answer.get(key).is_some(), "{key}");
    }
    assert_eq!(answer["status"], "completed");
    let part = json!({"type": "output_text", "text": "hello", "annotations": [], "logprobs": []});
    assert_eq!(answer["output"][0]["content"], json!([part]));
    let usage = json!({
        "input_tokens": 4,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": 2,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 6,
    });
    assert_eq!(answer["usage"], usage);
}

async fn streamed(text: &str) -> Vec<(String, Value)> {
    let events = stream(&sim(), RESPONSES, &with(responses(text), &json!({"stream": true}))).await;
    for (number, (name, data)) in events.iter().enumerate() {
        assert_eq!(data["type"], **name);
        assert_eq!(data["sequence_number"], number);
    }
    events
}

fn names(events: &[(String, Value)]) -> Vec<&str> {
    events.iter().map(|(name, _)| name.strip_prefix("response.").unwrap()).collect()
}

#[tokio::test]
async fn a_streamed_text_has_all_events_in_order() {
    let events = streamed("sim:text hello world").await;
    let expected = [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ];
    assert_eq!(names(&events), expected);
    assert_eq!(strings(events.iter().map(|(_, data)| data), "/delta"), ["hello", " world"]);
    assert_eq!(events[6].1["text"], "hello world");
    let done = &events[9].1["response"];
    assert_eq!(done["status"], "completed");
    assert_eq!(done["output"][0], events[8].1["item"]);
    assert_eq!(done["usage"]["output_tokens"], 3);
}

#[tokio::test]
async fn a_streamed_call_has_its_arguments_in_pieces_and_whole() {
    let events = streamed(r#"sim:tool exec_command {"cmd":"ls"}"#).await;
    let expected = [
        "created",
        "in_progress",
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
        "completed",
    ];
    assert_eq!(names(&events), expected);
    let item = &events[6].1["item"];
    assert_eq!((&item["type"], &item["name"]), (&json!("function_call"), &json!("exec_command")));
    assert_eq!(strings(events.iter().map(|(_, data)| data), "/delta").concat(), item["arguments"]);
    assert_eq!(events[5].1["arguments"], item["arguments"]);
    assert_ne!(item["id"], item["call_id"]);
}

#[tokio::test]
async fn streamed_thinking_is_a_reasoning_item_before_the_answer() {
    let events = streamed("sim:think hm\nsim:text hi").await;
    let expected = [
        "created",
        "in_progress",
        "output_item.added",
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "output_item.done",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ];
    assert_eq!(names(&events), expected);
    assert_eq!(events[8].1["output_index"], 1);
}

#[tokio::test]
async fn a_response_that_is_cut_is_incomplete() {
    let events = streamed("sim:repeat 10 word").await;
    assert_eq!(events.last().unwrap().0, "response.completed");
    let body = with(responses("sim:repeat 10 word"), &json!({"stream": true, "max_output_tokens": 2}));
    let events = stream(&sim(), RESPONSES, &body).await;
    let (name, data) = events.last().unwrap();
    assert_eq!(name, "response.incomplete");
    assert_eq!(data["response"]["incomplete_details"], json!({"reason": "max_output_tokens"}));
    assert_eq!(data["response"]["usage"]["output_tokens"], 2);
}

#[tokio::test]
async fn a_response_can_be_asked_for_again_until_it_is_deleted() {
    let sim = sim();
    let answer = ask(&sim, RESPONSES, &responses("sim:text hello")).await;
    let path = format!("{RESPONSES}/{}", answer["id"].as_str().unwrap());
    assert_eq!(whole(get(&sim, &path).await).await, answer);
    let items = whole(get(&sim, &format!("{path}/input_items")).await).await;
    assert_eq!(items["data"][0]["content"], json!([{"type": "input_text", "text": "sim:text hello"}]));
    assert_eq!(items["first_id"], items["data"][0]["id"]);
    assert_eq!(post(&sim, &format!("{path}/cancel"), &json!({})).await.status(), 200);
    let deleted = whole(request(&sim, Method::DELETE, &path, "").await).await;
    assert_eq!(deleted, json!({"id": answer["id"], "object": "response", "deleted": true}));
    assert_eq!(get(&sim, &path).await.status(), 404);
}

#[tokio::test]
async fn a_response_that_is_not_to_be_stored_is_not() {
    let sim = sim();
    let answer = ask(&sim, RESPONSES, &with(responses("hello"), &json!({"store": false}))).await;
    assert_eq!(get(&sim, &format!("{RESPONSES}/{}", answer["id"].as_str().unwrap())).await.status(), 404);
}

#[tokio::test]
async fn a_response_goes_on_from_the_one_before() {
    let sim = sim();
    let first = ask(&sim, RESPONSES, &responses("sim:tool read {}\nsim:text done")).await;
    let call = &first["output"][0]["call_id"];
    let result = json!({"type": "function_call_output", "call_id": call, "output": "content"});
    let next = json!({"model": "sim-1", "previous_response_id": first["id"], "input": [result]});
    let second = ask(&sim, RESPONSES, &next).await;
    assert_eq!(second["output"][0]["content"][0]["text"], "done");
    assert!(second["usage"]["input_tokens"].as_u64() > first["usage"]["input_tokens"].as_u64());

    let unknown = json!({"model": "sim-1", "previous_response_id": "resp_none", "input": "x"});
    assert_eq!(post(&sim, RESPONSES, &unknown).await.status(), 400);
}

#[tokio::test]
async fn the_request_is_echoed_with_the_defaults_filled_in() {
    let tool = json!({"type": "function", "name": "f"});
    let body =
        with(responses("hi"), &json!({"tools": [tool], "instructions": "be brief", "temperature": 0.5}));
    let answer = ask(&sim(), RESPONSES, &body).await;
    let filled =
        json!({"type": "function", "name": "f", "description": null, "parameters": null, "strict": true});
    assert_eq!(answer["tools"], json!([filled]));
    assert_eq!(answer["instructions"], "be brief");
    assert_eq!(answer["temperature"], 0.5);
    assert_eq!(answer["text"], json!({"format": {"type": "text"}, "verbosity": "medium"}));
}

#[tokio::test]
async fn input_tokens_are_counted_without_an_answer() {
    let answer = ask(&sim(), "/v1/responses/input_tokens", &responses("12345")).await;
    assert_eq!(answer, json!({"object": "response.input_tokens", "input_tokens": 2}));
}
