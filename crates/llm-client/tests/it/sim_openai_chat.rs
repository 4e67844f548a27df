//! OpenAI chat completions.

use serde_json::{Value, json};

use crate::sim_support::{CHAT, NOW_SECONDS, ask, chat, chat_stream, sim, stream, strings, with};

#[tokio::test]
async fn a_whole_answer_has_every_field_of_the_published_format() {
    let mut answer = ask(&sim(), CHAT, &chat("sim:text hello big world")).await;
    let id = answer["id"].take();
    assert!(id.as_str().unwrap().starts_with("chatcmpl-"));
    let expected = json!({
        "id": null,
        "object": "chat.completion",
        "created": NOW_SECONDS,
        "model": "sim-1",
        "choices": [{
            "index": 0,
            "message": {"role": "assistant", "content": "hello big world", "refusal": null, "annotations": []},
            "logprobs": null,
            "finish_reason": "stop",
        }],
        "usage": {
            "prompt_tokens": 6,
            "completion_tokens": 4,
            "total_tokens": 10,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": 0,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        },
        "service_tier": "default",
        "system_fingerprint": "fp_seawallsim",
    });
    assert_eq!(answer, expected);
}

#[tokio::test]
async fn a_stream_is_a_role_words_a_reason_the_usage_and_done() {
    let events = stream(&sim(), CHAT, &chat_stream("sim:text hello big world")).await;
    let data: Vec<&Value> = events.iter().map(|(_, data)| data).collect();
    assert_eq!(data.len(), 7);
    assert_eq!(data[0]["choices"][0]["delta"], json!({"role": "assistant", "content": "", "refusal": null}));
    assert_eq!(strings(data[1..4].iter().copied(), "/choices/0/delta/content"), ["hello", " big", " world"]);
    assert_eq!(data[4]["choices"][0]["delta"], json!({}));
    assert_eq!(data[4]["choices"][0]["finish_reason"], "stop");
    assert_eq!(data[5]["choices"], json!([]));
    assert_eq!(data[5]["usage"]["completion_tokens"], 4);
    assert_eq!(*data[6], json!("[DONE]"));
    for chunk in &data[..5] {
        assert_eq!(chunk["object"], "chat.completion.chunk");
        assert_eq!(chunk["id"], data[0]["id"]);
        assert!(chunk["usage"].is_null());
    }
}

#[tokio::test]
async fn a_stream_has_usage_only_where_it_was_asked_for() {
    let events = stream(&sim(), CHAT, &with(chat("hello"), &json!({"stream": true}))).await;
    assert!(events.iter().all(|(_, data)| data.get("usage").is_none()));
}

#[tokio::test]
async fn tool_calls_are_whole_or_stream_in_pieces() {
    let text = r#"sim:tools [{"name":"read","arguments":{"path":"a.txt"}},{"name":"list"}]"#;
    let answer = ask(&sim(), CHAT, &chat(text)).await;
    let choice = &answer["choices"][0];
    assert_eq!(choice["finish_reason"], "tool_calls");
    assert_eq!(choice["message"]["content"], Value::Null);
    let call = &choice["message"]["tool_calls"][0];
    assert_eq!(call["type"], "function");
    assert_eq!(call["function"], json!({"name": "read", "arguments": r#"{"path":"a.txt"}"#}));
    assert_ne!(call["id"], choice["message"]["tool_calls"][1]["id"]);

    let events = stream(&sim(), CHAT, &chat_stream(text)).await;
    let calls: Vec<&Value> =
        events.iter().filter_map(|(_, data)| data.pointer("/choices/0/delta/tool_calls/0")).collect();
    assert_eq!(calls[0]["function"], json!({"name": "read", "arguments": ""}));
    let arguments = |index: u64| -> String {
        let of_call = calls.iter().copied().filter(|call| call["index"] == index);
        strings(of_call, "/function/arguments").concat()
    };
    assert_eq!((arguments(0), arguments(1)), (r#"{"path":"a.txt"}"#.to_owned(), "{}".to_owned()));
    assert!(calls.len() > 4, "arguments come in pieces");
}

#[tokio::test]
async fn several_choices_are_several_answers_and_all_are_counted() {
    let body = |more: Value| with(with(chat("sim:text abcd efg"), &json!({"n": 3})), &more);
    let sim = sim();
    let answer = ask(&sim, CHAT, &body(json!({}))).await;
    assert_eq!(answer["choices"].as_array().unwrap().len(), 3);
    assert_eq!(answer["usage"]["completion_tokens"], 6);
    let events = stream(&sim, CHAT, &body(json!({"stream": true}))).await;
    for index in 0..3 {
        let of_choice =
            events.iter().map(|(_, data)| data).filter(|data| data["choices"][0]["index"] == index);
        assert_eq!(strings(of_choice, "/choices/0/delta/content").concat(), "abcd efg");
    }
    assert_eq!(sim.stats().output_tokens, 12);
}

#[tokio::test]
async fn a_schema_is_answered_with_json_that_satisfies_it() {
    let schema = json!({
        "type": "object",
        "properties": {"city": {"type": "string"}, "degrees": {"type": "integer"}},
        "required": ["city", "degrees"],
    });
    let format =
        json!({"type": "json_schema", "json_schema": {"name": "weather", "strict": true, "schema": schema}});
    let answer = ask(&sim(), CHAT, &with(chat("weather?"), &json!({"response_format": format}))).await;
    assert_eq!(answer["choices"][0]["message"]["content"], r#"{"city":"simulated","degrees":1}"#);
}

#[tokio::test]
async fn a_call_that_must_be_made_is_made_with_fitting_arguments() {
    let parameters =
        json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
    let tool = |name: &str| json!({"type": "function", "function": {"name": name, "parameters": parameters}});
    let tools = json!([tool("first"), tool("second")]);
    for (choice, name) in [
        (json!("required"), "first"),
        (json!({"type": "function", "function": {"name": "second"}}), "second"),
    ] {
        let body = with(chat("weather?"), &json!({"tools": tools, "tool_choice": choice}));
        let answer = ask(&sim(), CHAT, &body).await;
        let function = &answer["choices"][0]["message"]["tool_calls"][0]["function"];
        assert_eq!(*function, json!({"name": name, "arguments": r#"{"city":"simulated"}"#}));
    }
}

#[tokio::test]
async fn an_answer_ends_where_the_request_says() {
    for (more, content, reason) in [
        (json!({"max_tokens": 2}), "abcd efg", "length"),
        (json!({"max_completion_tokens": 1}), "abcd", "length"),
        (json!({"max_tokens": 100}), "abcd efgh STOP x", "stop"),
        (json!({"stop": "STOP"}), "abcd efgh ", "stop"),
        (json!({"stop": ["x", " efgh"]}), "abcd", "stop"),
    ] {
        let answer = ask(&sim(), CHAT, &with(chat("sim:text abcd efgh STOP x"), &more)).await;
        assert_eq!(answer["choices"][0]["message"]["content"], content, "{more}");
        assert_eq!(answer["choices"][0]["finish_reason"], reason, "{more}");
    }
}

#[tokio::test]
async fn thinking_stands_beside_the_answer_and_counts_as_reasoning() {
    let answer = ask(&sim(), CHAT, &chat("sim:think abcdefgh\nsim:text hi")).await;
    assert_eq!(answer["choices"][0]["message"]["reasoning_content"], "abcdefgh");
    assert_eq!(answer["usage"]["completion_tokens"], 3);
    assert_eq!(answer["usage"]["completion_tokens_details"]["reasoning_tokens"], 2);
}

#[tokio::test]
async fn log_probabilities_come_where_they_were_asked_for() {
    let answer = ask(&sim(), CHAT, &with(chat("sim:text a bc"), &json!({"logprobs": true}))).await;
    let tokens = answer["choices"][0]["logprobs"]["content"].as_array().unwrap();
    assert_eq!(strings(tokens, "/token"), ["a", " bc"]);
    assert_eq!(tokens[1]["bytes"], json!([32, 98, 99]));
}

#[tokio::test]
async fn all_text_of_the_conversation_counts_as_input() {
    let body = json!({"model": "sim-1", "messages": [
        {"role": "system", "content": "12345678"},
        {"role": "user", "content": [{"type": "text", "text": "1234"}, {"type": "image_url", "image_url": {"url": "data:x"}}]},
        {"role": "assistant", "content": null, "tool_calls": [
            {"id": "c", "type": "function", "function": {"name": "read", "arguments": "{\"a\":1}"}}]},
        {"role": "tool", "tool_call_id": "c", "content": "12345"},
    ]});
    // 8 + 4 + (4 + 7) + 5 bytes
    assert_eq!(ask(&sim(), CHAT, &body).await["usage"]["prompt_tokens"], 7);
}
