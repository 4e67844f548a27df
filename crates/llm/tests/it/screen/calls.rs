//! Calls of tools: what is seen of one that is refused, or whose arguments are changed, in each shape of an answer.

use bytes::Bytes;
use seawall_llm::Wire;
use seawall_llm::screen::{MAX_ARGUMENTS, Screen, screen_whole};
use seawall_llm::sse::RawEvent;
use serde_json::{Value, json};

use super::judge::{COVER, Word};
use super::{events, screened};

const CHUNK_END: &str = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}"#;

fn datas(stream: &[String]) -> Vec<Value> {
    let data = |event: &String| serde_json::from_str(event.split_once("data: ").unwrap().1);
    stream.iter().map(|event| data(event).unwrap()).collect()
}

fn chat(index: u64, name: &str, arguments: &str) -> String {
    let call = json!({ "index": index, "id": name, "function": { "name": name, "arguments": arguments } });
    json!({ "choices": [{ "index": 0, "delta": { "tool_calls": [call] }, "finish_reason": null }] })
        .to_string()
}

fn whole(wire: Wire, body: &Value) -> Value {
    let screened = screen_whole(wire, body.to_string().as_bytes(), &mut Word::default()).unwrap();
    serde_json::from_slice(&screened.unwrap()).unwrap()
}

#[test]
fn a_call_waits_and_text_beside_it_does_not() {
    let mut screen = Screen::new(Wire::OpenAiChat, Word::default());
    let mut out = Vec::new();
    let mut send = |data: &str| {
        out.clear();
        screen.event(&RawEvent::new(Bytes::from(format!("data: {data}\n\n"))), &mut out).unwrap();
        (out.len(), screen.held_bytes() > 0)
    };
    assert_eq!(send(&chat(0, "good", "{}")), (0, true));
    assert_eq!(send(r#"{"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}"#), (1, true));
    assert_eq!(send(r#"{"choices":[{"index":1,"delta":{"content":"b"},"finish_reason":null}]}"#), (1, true));
    assert_eq!(send(CHUNK_END), (2, false));
}

#[test]
fn while_a_verdict_takes_time_other_choices_go_on_and_what_comes_behind_waits() {
    let mut screen = Screen::new(Wire::OpenAiChat, Word::slow());
    let mut out = Vec::new();
    let mut send = |screen: &mut Screen<Word>, data: &str| {
        out.clear();
        screen.event(&RawEvent::new(Bytes::from(format!("data: {data}\n\n"))), &mut out).unwrap();
        out.len()
    };
    let text = |index: u64| {
        json!({ "choices": [{ "index": index, "delta": { "content": "a" }, "finish_reason": null }] })
            .to_string()
    };
    assert_eq!(send(&mut screen, &chat(0, "good", "{}")), 0);
    assert_eq!((send(&mut screen, CHUNK_END), screen.is_waiting()), (0, true));
    assert_eq!([send(&mut screen, &text(1)), send(&mut screen, &text(0))], [1, 0]);
    assert_eq!(send(&mut screen, r#"{"choices":[],"usage":{}}"#), 0);
    assert_eq!(
        [send(&mut screen, "[DONE]"), send(&mut screen, &text(1))],
        [0, 0],
        "nothing overtakes the end"
    );

    let mut left = Vec::new();
    screen.resume(&mut left).unwrap();
    assert!(left.is_empty() && screen.is_waiting(), "nobody has answered yet");
    assert_eq!(screen.judge_mut().answer(), 1);
    screen.resume(&mut left).unwrap();
    assert_eq!((left.len(), screen.held_bytes(), screen.is_waiting()), (6, 0, false));
    assert_eq!(screen.judge().asked, ["good good {}"]);
}

#[test]
fn a_ping_passes_a_call_that_waits() {
    let mut screen = Screen::new(Wire::AnthropicMessages, Word::slow());
    let mut out = Vec::new();
    for data in [
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t","name":"good","input":{}}}"#,
        r#"{"type":"content_block_stop","index":0}"#,
        r#"{"type":"message_delta","delta":{"stop_reason":"tool_use"}}"#,
        r#"{"type":"ping"}"#,
    ] {
        screen.event(&RawEvent::new(Bytes::from(format!("data: {data}\n\n"))), &mut out).unwrap();
    }
    assert_eq!(out, ["data: {\"type\":\"ping\"}\n\n"]);
}

#[test]
fn a_refused_call_of_a_chat_becomes_text_and_the_others_move_up() {
    let goes = screened(
        Wire::OpenAiChat,
        &events(&[
            &chat(0, "bad", "{}"),
            &chat(1, "good", "{\"a\":"),
            &chat(1, "good", "1}"),
            CHUNK_END,
            "[DONE]",
        ]),
    );
    let goes = datas(&goes[..4]);
    assert_eq!(goes[0]["choices"][0]["delta"]["tool_calls"][0]["index"], 0);
    assert_eq!(goes[0]["choices"][0]["delta"]["tool_calls"][0]["id"], "good");
    assert_eq!(goes[1]["choices"][0]["delta"]["tool_calls"][0]["index"], 0);
    assert_eq!(goes[2]["choices"][0]["delta"], json!({ "content": "[seawall] denied bad" }));
    assert_eq!(goes[3]["choices"][0]["finish_reason"], "tool_calls");
}

#[test]
fn a_refused_call_in_the_last_chunk_is_the_last_word() {
    let chunk = json!({ "choices": [{ "index": 0, "finish_reason": "tool_calls", "delta": { "role": "assistant",
        "content": "So:", "tool_calls": [{ "id": "x", "function": { "name": "bad", "arguments": "{}" } }] } }],
        "usage": { "prompt_tokens": 1 } });
    let goes = datas(&screened(Wire::OpenAiChat, &events(&[&chunk.to_string()])));
    let delta = |at: usize| &goes[at]["choices"][0]["delta"];
    assert_eq!(*delta(0), json!({ "role": "assistant", "content": "So:", "tool_calls": null }));
    assert_eq!(*delta(1), json!({ "content": "\n\n[seawall] denied bad" }));
    let reasons: Vec<&Value> = goes.iter().map(|chunk| &chunk["choices"][0]["finish_reason"]).collect();
    assert_eq!(reasons, [&Value::Null, &Value::Null, &"stop".into()]);
    let usages = goes.iter().filter(|chunk| chunk["usage"].is_object()).count();
    assert_eq!(usages, 1);
}

#[test]
fn the_call_of_the_api_before_tools_is_judged_too() {
    let chunk = |call: Value| {
        json!({ "choices": [{ "index": 0, "delta": { "function_call": call }, "finish_reason": null }] })
            .to_string()
    };
    let end = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"function_call"}]}"#;
    let stream = |name: &str, arguments: &str| {
        events(&[
            &chunk(json!({ "name": name, "arguments": "" })),
            &chunk(json!({ "arguments": arguments })),
            end,
        ])
    };
    let goes = datas(&screened(Wire::OpenAiChat, &stream("bad", "{}")));
    assert_eq!(goes[0]["choices"][0]["delta"]["content"], "[seawall] denied bad");
    assert_eq!((goes.len(), &goes[1]["choices"][0]["finish_reason"]), (2, &"stop".into()));
    let goes = datas(&screened(Wire::OpenAiChat, &stream("good", "leak")));
    assert_eq!(
        goes[0]["choices"][0]["delta"]["function_call"],
        json!({ "name": "good", "arguments": COVER })
    );
    assert_eq!(goes[1]["choices"][0]["delta"]["function_call"], json!({ "arguments": "" }));
}

#[test]
fn free_text_that_a_tool_is_given_is_judged_as_a_json_string() {
    let call = json!({ "index": 0, "id": "x", "custom": { "name": "good", "input": "a \"leak\"" } });
    let chunk = json!({ "choices": [{ "index": 0, "delta": { "tool_calls": [call] }, "finish_reason": "tool_calls" }] });
    let goes = datas(&screened(Wire::OpenAiChat, &events(&[&chunk.to_string()])));
    let input = &goes[0]["choices"][0]["delta"]["tool_calls"][0]["custom"]["input"];
    assert_eq!(*input, format!("a \"{COVER}\""));
}

#[test]
fn a_refused_call_of_a_message_becomes_a_text_block_at_its_place() {
    let stream = events(&[
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"a","name":"bad","input":{}}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{}"}}"#,
        r#"{"type":"content_block_stop","index":0}"#,
        r#"{"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":3}}"#,
        r#"{"type":"message_stop"}"#,
    ]);
    let goes = datas(&screened(Wire::AnthropicMessages, &stream));
    assert_eq!(
        goes,
        [
            json!({ "type": "content_block_start", "index": 0, "content_block": { "type": "text", "text": "" } }),
            json!({ "type": "content_block_delta", "index": 0,
            "delta": { "type": "text_delta", "text": "[seawall] denied bad" } }),
            json!({ "type": "content_block_stop", "index": 0 }),
            json!({ "type": "message_delta", "delta": { "stop_reason": "end_turn" }, "usage": { "output_tokens": 3 } }),
            json!({ "type": "message_stop" }),
        ]
    );
}

#[test]
fn tools_that_the_provider_runs_do_not_wait() {
    let stream = events(&[
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"server_tool_use","id":"a","name":"bad","input":{}}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{}"}}"#,
        r#"{"type":"content_block_stop","index":0}"#,
        r#"{"type":"message_stop"}"#,
    ]);
    assert_eq!(screened(Wire::AnthropicMessages, &stream).concat(), stream);
    let stream = events(&[
        r#"{"type":"response.output_item.added","output_index":0,"item":{"type":"web_search_call","id":"a"}}"#,
        r#"{"type":"response.web_search_call.searching","output_index":0,"item_id":"a"}"#,
        r#"{"type":"response.output_item.done","output_index":0,"item":{"type":"web_search_call","id":"a"}}"#,
    ]);
    assert_eq!(screened(Wire::OpenAiResponses, &stream).concat(), stream);
}

#[test]
fn arguments_that_stand_in_the_beginning_of_a_block_are_judged() {
    let stream = events(&[
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"a","name":"good","input":{"x":"leak"}}}"#,
        r#"{"type":"content_block_stop","index":0}"#,
    ]);
    let goes = datas(&screened(Wire::AnthropicMessages, &stream));
    assert_eq!(goes[0]["content_block"]["input"], json!({ "x": COVER }));
}

#[test]
fn a_refused_call_of_a_response_becomes_a_message_at_its_place() {
    let item = r#"{"type":"local_shell_call","id":"i","call_id":"c","action":{"command":["leak"]}}"#;
    let refused = r#"{"type":"function_call","id":"f","call_id":"d","name":"bad","arguments":"{}"}"#;
    let stream = events(&[
        &format!(
            r#"{{"type":"response.output_item.added","sequence_number":0,"output_index":0,"item":{item}}}"#
        ),
        &format!(
            r#"{{"type":"response.output_item.done","sequence_number":1,"output_index":0,"item":{item}}}"#
        ),
        &format!(
            r#"{{"type":"response.output_item.added","sequence_number":2,"output_index":1,"item":{refused}}}"#
        ),
        &format!(
            r#"{{"type":"response.output_item.done","sequence_number":3,"output_index":1,"item":{refused}}}"#
        ),
        &format!(
            r#"{{"type":"response.completed","sequence_number":4,"response":{{"output":[{item},{refused}]}}}}"#
        ),
    ]);
    let goes = datas(&screened(Wire::OpenAiResponses, &stream));
    let kinds: Vec<&str> = goes.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(
        kinds,
        [
            "response.output_item.added",
            "response.output_item.done",
            "response.output_item.added",
            "response.content_part.added",
            "response.output_text.delta",
            "response.output_text.done",
            "response.content_part.done",
            "response.output_item.done",
            "response.completed",
        ]
    );
    let numbers: Vec<u64> = goes.iter().map(|event| event["sequence_number"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (0..9).collect::<Vec<_>>());
    let output = &goes[8]["response"]["output"];
    assert_eq!(output[0]["action"]["command"], json!([COVER]));
    assert_eq!(output[1], goes[7]["item"]);
    assert_eq!(output[1]["content"][0]["text"], "[seawall] denied bad");
}

#[test]
fn each_call_is_judged_once() {
    let item = r#"{"type":"function_call","id":"f","call_id":"d","name":"good","arguments":"{}"}"#;
    let mut screen = Screen::new(Wire::OpenAiResponses, Word::default());
    for data in [
        format!(r#"{{"type":"response.output_item.done","output_index":0,"item":{item}}}"#),
        format!(r#"{{"type":"response.completed","response":{{"output":[{item}]}}}}"#),
    ] {
        screen.event(&RawEvent::new(Bytes::from(format!("data: {data}\n\n"))), &mut Vec::new()).unwrap();
    }
    assert_eq!(screen.judge().asked, ["d good {}"]);
}

#[test]
fn a_refused_call_of_a_candidate_becomes_a_part_with_text() {
    let stream = events(&[
        r#"{"candidates":[{"content":{"parts":[{"text":"So: k"}]}}]}"#,
        r#"{"candidates":[{"content":{"parts":[{"functionCall":{"name":"bad","args":{}}}]},"finishReason":"STOP"}]}"#,
    ]);
    let goes = datas(&screened(Wire::GeminiStream, &stream));
    let part = |at: usize| &goes[at]["candidates"][0]["content"]["parts"][0];
    assert_eq!(
        (part(0)["text"].as_str(), part(1)["text"].as_str()),
        (Some("So: "), Some("k\n\n[seawall] denied bad"))
    );
    assert_eq!(goes[1]["candidates"][0]["finishReason"], "STOP");
}

#[test]
fn calls_of_whole_answers_are_judged_by_the_same_rules() {
    let call = |name: &str| json!({ "id": name, "function": { "name": name, "arguments": "\"leak\"" } });
    let body = json!({ "choices": [
        { "message": { "content": "So:", "tool_calls": [call("bad"), call("good")] }, "finish_reason": "tool_calls" },
        { "message": { "content": null, "tool_calls": [call("bad")] }, "finish_reason": "tool_calls" },
        { "message": { "function_call": { "name": "bad", "arguments": "" } }, "finish_reason": "function_call" }] });
    let goes = whole(Wire::OpenAiChat, &body);
    let choice = |at: usize| &goes["choices"][at];
    assert_eq!(choice(0)["message"]["content"], "So:\n\n[seawall] denied bad");
    let calls = choice(0)["message"]["tool_calls"].as_array().unwrap();
    assert_eq!((calls.len(), &calls[0]["function"]["arguments"]), (1, &format!("\"{COVER}\"").into()));
    assert_eq!(choice(0)["finish_reason"], "tool_calls");
    assert_eq!(choice(1)["message"], json!({ "content": "[seawall] denied bad", "tool_calls": null }));
    assert_eq!((&choice(1)["finish_reason"], &choice(2)["finish_reason"]), (&"stop".into(), &"stop".into()));
    assert_eq!(choice(2)["message"]["content"], "[seawall] denied bad");

    let block =
        |name: &str| json!({ "type": "tool_use", "id": name, "name": name, "input": { "x": "leak" } });
    let goes = whole(
        Wire::AnthropicMessages,
        &json!({ "content": [block("bad"), block("good")], "stop_reason": "tool_use" }),
    );
    assert_eq!(goes["content"][0], json!({ "type": "text", "text": "[seawall] denied bad" }));
    assert_eq!(
        (&goes["content"][1]["input"]["x"], &goes["stop_reason"]),
        (&COVER.into(), &"tool_use".into())
    );
    let goes =
        whole(Wire::AnthropicMessages, &json!({ "content": [block("bad")], "stop_reason": "tool_use" }));
    assert_eq!(goes["stop_reason"], "end_turn");

    let item =
        |name: &str| json!({ "type": "function_call", "call_id": name, "name": name, "arguments": "leak" });
    let goes = whole(Wire::OpenAiResponses, &json!({ "output": [item("bad"), item("good")] }));
    assert_eq!(goes["output"][0]["content"][0]["text"], "[seawall] denied bad");
    assert_eq!(goes["output"][1]["arguments"], COVER);

    let part = |name: &str| json!({ "functionCall": { "name": name, "args": { "x": "leak" } } });
    let parts = json!([{ "text": "So: k" }, part("bad"), part("good"), { "text": "k" }]);
    let goes = whole(Wire::GeminiGenerate, &json!({ "candidates": [{ "content": { "parts": parts } }] }));
    let parts = &goes["candidates"][0]["content"]["parts"];
    let said: String = parts.as_array().unwrap().iter().filter_map(|part| part["text"].as_str()).collect();
    assert_eq!(
        (said.as_str(), &parts[2]["functionCall"]["args"]["x"]),
        ("So: k\n\n[seawall] denied badk", &COVER.into())
    );
}

#[test]
fn a_call_that_is_too_large_is_refused_and_does_not_fill_the_memory() {
    let mut screen = Screen::new(Wire::OpenAiChat, Word::default());
    let mut out = Vec::new();
    let mut most = 0;
    let piece = "x".repeat(MAX_ARGUMENTS / 4);
    for data in std::iter::repeat_n(chat(0, "good", &piece), 20).chain([CHUNK_END.to_owned()]) {
        screen.event(&RawEvent::new(Bytes::from(format!("data: {data}\n\n"))), &mut out).unwrap();
        most = most.max(screen.held_bytes());
    }
    assert!(most < 2 * MAX_ARGUMENTS, "{most}");
    assert_eq!(out.len(), 2);
    assert!(out[0].windows(16).any(|window| window == b"OUTPUT_TOO_LARGE"));
}
