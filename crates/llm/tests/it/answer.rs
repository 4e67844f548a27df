//! Whole answers: usage in one meaning for all providers, tool calls, how it ended.

use seawall_llm::{Answer, ToolCall, Wire, read_answer, read_json_answer};
use seawall_types::Usage;

fn read(wire: Wire, body: &str) -> Answer {
    read_answer(wire, body.as_bytes())
}

fn call(id: &str, name: &str) -> ToolCall {
    ToolCall { id: Some(id.to_owned()), name: name.to_owned() }
}

#[test]
fn openais_prompt_includes_its_cache_and_its_completion_its_reasoning() {
    let answer = read(
        Wire::OpenAiChat,
        r#"{"id":"c","model":"gpt-4o-2024-08-06","choices":[{"index":0,"message":{"role":"assistant","content":"Grüße","refusal":null,"tool_calls":[{"id":"call_1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}}]},"finish_reason":"tool_calls"},{"index":1,"message":{"role":"assistant","content":null,"tool_calls":[{"id":"call_2","type":"custom","custom":{"name":"g","input":"xy"}}]},"finish_reason":"stop"}],"usage":{"prompt_tokens":2006,"completion_tokens":300,"total_tokens":2306,"prompt_tokens_details":{"cached_tokens":1920},"completion_tokens_details":{"reasoning_tokens":200}}}"#,
    );
    let usage = Usage { input: 2_006, output: 300, cached: 1_920, reasoning: 200, ..Usage::default() };
    assert_eq!(answer.usage, Some(usage));
    assert_eq!(answer.model.as_deref(), Some("gpt-4o-2024-08-06"));
    assert_eq!(answer.output_bytes, 7 + 7 + 2);
    assert_eq!(answer.tool_calls, [call("call_1", "f"), call("call_2", "g")]);
    assert_eq!((answer.finish.as_deref(), answer.failed), (Some("tool_calls"), false));
}

#[test]
fn reasoning_outside_the_completion_shows_in_the_total() {
    let answer = read(
        Wire::OpenAiChat,
        r#"{"choices":[],"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":115,"completion_tokens_details":{"reasoning_tokens":100}}}"#,
    );
    let usage = answer.usage.unwrap();
    assert_eq!((usage.input, usage.output, usage.reasoning), (10, 105, 100));
}

#[test]
fn a_responses_answer_is_read() {
    let answer = read(
        Wire::OpenAiResponses,
        r#"{"id":"resp_1","object":"response","status":"completed","model":"gpt-5.4","error":null,"incomplete_details":null,"output":[{"type":"reasoning","summary":[{"type":"summary_text","text":"abc"}]},{"type":"message","content":[{"type":"output_text","text":"Hello"},{"type":"refusal","refusal":"no"}]},{"type":"function_call","id":"fc_1","call_id":"call_1","name":"f","arguments":"{}"},{"type":"custom_tool_call","call_id":"call_2","name":"apply_patch","input":"***"},{"type":"local_shell_call","call_id":"call_3","action":{"command":["ls"]}}],"usage":{"input_tokens":328,"input_tokens_details":{"cached_tokens":128},"output_tokens":52,"output_tokens_details":{"reasoning_tokens":32},"total_tokens":380}}"#,
    );
    let usage = Usage { input: 328, output: 52, cached: 128, reasoning: 32, ..Usage::default() };
    assert_eq!(answer.usage, Some(usage));
    assert_eq!(answer.output_bytes, 3 + 5 + 2 + 2 + 3 + 18);
    let calls = [call("call_1", "f"), call("call_2", "apply_patch"), call("call_3", "local_shell")];
    assert_eq!(answer.tool_calls, calls);
    assert_eq!((answer.finish.as_deref(), answer.failed), (Some("completed"), false));
    let cut = read(
        Wire::OpenAiResponses,
        r#"{"status":"incomplete","incomplete_details":{"reason":"max_output_tokens"},"output":[]}"#,
    );
    assert_eq!(cut.finish.as_deref(), Some("max_output_tokens"));
    assert!(read(Wire::OpenAiResponses, r#"{"status":"failed","error":{"code":"x"}}"#).failed);
}

#[test]
fn anthropics_input_excludes_its_cache() {
    let answer = read(
        Wire::AnthropicMessages,
        r#"{"id":"msg_1","type":"message","model":"claude-opus-4-8","content":[{"type":"thinking","thinking":"Hm","signature":"c2ln"},{"type":"text","text":"Hi"},{"type":"tool_use","id":"toolu_1","name":"Bash","input":{"command":"ls"}},{"type":"server_tool_use","id":"srv_1","name":"web_search","input":{}}],"stop_reason":"tool_use","usage":{"input_tokens":100,"cache_creation_input_tokens":1000,"cache_read_input_tokens":20000,"cache_creation":{"ephemeral_5m_input_tokens":400,"ephemeral_1h_input_tokens":600},"output_tokens":57}}"#,
    );
    let usage = Usage {
        input: 21_100,
        output: 57,
        cached: 20_000,
        cache_write: 400,
        cache_write_1h: 600,
        ..Usage::default()
    };
    assert_eq!(answer.usage, Some(usage));
    assert_eq!(answer.output_bytes, 2 + 2 + 16);
    assert_eq!(answer.tool_calls, [call("toolu_1", "Bash")]);
    assert_eq!(answer.finish.as_deref(), Some("tool_use"));
    assert!(read(Wire::AnthropicMessages, r#"{"type":"error","error":{"type":"overloaded_error"}}"#).failed);
}

#[test]
fn anthropics_iterations_are_all_charged() {
    let answer = read(
        Wire::AnthropicMessages,
        r#"{"content":[],"usage":{"input_tokens":10,"output_tokens":20,"iterations":[{"type":"compaction","input_tokens":1000,"output_tokens":300},{"type":"message","input_tokens":10,"output_tokens":20}]}}"#,
    );
    let usage = answer.usage.unwrap();
    assert_eq!((usage.input, usage.output), (1_010, 320));
}

#[test]
fn geminis_thoughts_and_tool_prompts_are_added() {
    let body = r#"{"candidates":[{"content":{"role":"model","parts":[{"text":"think","thought":true},{"text":"Hi"},{"functionCall":{"name":"f","args":{"a":1}}}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":1000,"candidatesTokenCount":60,"totalTokenCount":1150,"thoughtsTokenCount":40,"toolUsePromptTokenCount":50,"cachedContentTokenCount":600},"modelVersion":"gemini-2.5-pro"}"#;
    let usage = Usage { input: 1_050, output: 100, cached: 600, reasoning: 40, ..Usage::default() };
    let answer = read(Wire::GeminiGenerate, body);
    assert_eq!(answer.usage, Some(usage));
    assert_eq!(answer.output_bytes, 5 + 2 + 7);
    assert_eq!(answer.tool_calls, [ToolCall { id: None, name: "f".to_owned() }]);
    assert_eq!((answer.finish.as_deref(), answer.model.as_deref()), (Some("STOP"), Some("gemini-2.5-pro")));
    // A stream without alt=sse is an array of the same objects.
    assert_eq!(read(Wire::GeminiStream, &format!("[{body}]")).usage, Some(usage));
    let blocked = read(Wire::GeminiGenerate, r#"{"promptFeedback":{"blockReason":"SAFETY"}}"#);
    assert_eq!(blocked.finish.as_deref(), Some("SAFETY"));
}

#[test]
fn other_formats_give_the_usage_that_they_have() {
    let usage = |wire, body| read(wire, body).usage.map(|usage| (usage.input, usage.output));
    assert_eq!(
        usage(Wire::OpenAiEmbeddings, r#"{"data":[],"usage":{"prompt_tokens":8,"total_tokens":8}}"#),
        Some((8, 0))
    );
    assert_eq!(
        usage(Wire::Other, r#"{"usage":{"input_tokens":50,"output_tokens":1056,"total_tokens":1106}}"#),
        Some((50, 1_056))
    );
    assert_eq!(
        usage(Wire::Other, r#"{"usage":{"input_tokens":5,"cache_read_input_tokens":7,"output_tokens":1}}"#),
        Some((12, 1))
    );
    assert_eq!(usage(Wire::Other, r#"{"data":[]}"#), None);
}

#[test]
fn what_cannot_be_read_is_absent() {
    for body in
        ["", "x", "[]", "{", "{\"usage\":null}", "{\"usage\":{}}", "{\"usage\":7}", "{\"choices\":7}", "null"]
    {
        for wire in [
            Wire::OpenAiChat,
            Wire::OpenAiResponses,
            Wire::AnthropicMessages,
            Wire::GeminiGenerate,
            Wire::Other,
        ] {
            assert_eq!(read(wire, body), Answer::default(), "{wire:?} {body}");
        }
    }
    let absurd = r#"{"usage":{"prompt_tokens":5,"completion_tokens":18446744073709551615,"prompt_tokens_details":{"cached_tokens":900}}}"#;
    let usage = read(Wire::OpenAiChat, absurd).usage.unwrap();
    assert_eq!((usage.cached, usage.output), (5, u64::MAX));
}

#[test]
fn what_is_no_json_is_told_and_what_only_repeats_itself_is_read() {
    for torn in ["", "{\"usage\":", "{\"model\":\"m\"}x", "[{\"model\":\"m\"}", "nil"] {
        assert!(read_json_answer(Wire::OpenAiChat, torn.as_bytes()).is_err(), "{torn}");
    }
    for whole in ["[]", " {} ", "7", "null", "\"x\""] {
        assert_eq!(read_json_answer(Wire::OpenAiChat, whole.as_bytes()), Ok(Answer::default()), "{whole}");
    }
    let twice = read_json_answer(Wire::OpenAiChat, br#"{"model":"a","model":"b"}"#).unwrap();
    assert_eq!(twice.model.as_deref(), Some("b"));
}

#[test]
fn the_service_that_answered_is_read_from_the_answer() {
    for (wire, body, premium) in [
        (Wire::OpenAiChat, r#"{"service_tier":"priority"}"#, Some(true)),
        (Wire::OpenAiChat, r#"{"service_tier":"default"}"#, Some(false)),
        (Wire::OpenAiChat, r#"{"service_tier":"auto"}"#, None),
        (Wire::OpenAiChat, r#"{"service_tier":null}"#, None),
        (Wire::OpenAiResponses, r#"{"service_tier":"priority"}"#, Some(true)),
        (Wire::AnthropicMessages, r#"{"usage":{"output_tokens":1,"speed":"fast"}}"#, Some(true)),
        (Wire::AnthropicMessages, r#"{"usage":{"output_tokens":1,"service_tier":"priority"}}"#, None),
        (Wire::GeminiGenerate, r#"{"usageMetadata":{"trafficType":"ON_DEMAND_PRIORITY"}}"#, Some(true)),
        (Wire::GeminiGenerate, r#"{"usageMetadata":{"trafficType":"ON_DEMAND"}}"#, Some(false)),
    ] {
        assert_eq!(read_answer(wire, body.as_bytes()).premium, premium, "{body}");
    }
}

#[test]
fn sound_and_searches_are_counted() {
    let usage = |wire, body: &str| read_answer(wire, body.as_bytes()).usage.unwrap();
    let chat = usage(
        Wire::OpenAiChat,
        r#"{"usage":{"prompt_tokens":9,"completion_tokens":8,"prompt_tokens_details":{"audio_tokens":7},
        "completion_tokens_details":{"audio_tokens":6}}}"#,
    );
    assert_eq!((chat.sound_in, chat.sound_out), (7, 6));
    let gemini = usage(
        Wire::GeminiGenerate,
        r#"{"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":8,
        "promptTokensDetails":[{"modality":"TEXT","tokenCount":2},{"modality":"AUDIO","tokenCount":7}],
        "candidatesTokensDetails":[{"modality":"AUDIO","tokenCount":8}]}}"#,
    );
    assert_eq!((gemini.sound_in, gemini.sound_out), (7, 8));
    let from_a_cache = usage(
        Wire::GeminiGenerate,
        r#"{"usageMetadata":{"promptTokenCount":9,"cachedContentTokenCount":6,
        "promptTokensDetails":[{"modality":"AUDIO","tokenCount":7}],
        "cacheTokensDetails":[{"modality":"AUDIO","tokenCount":5},{"modality":"TEXT","tokenCount":1}]}}"#,
    );
    assert_eq!((from_a_cache.sound_in, from_a_cache.cached), (7, 1), "sound is sound, also from a cache");
    let anthropic = usage(
        Wire::AnthropicMessages,
        r#"{"usage":{"input_tokens":1,"output_tokens":1,"server_tool_use":{"web_search_requests":3}}}"#,
    );
    assert_eq!(anthropic.searches, 3);
    let searches = |wire, body: &str| read_answer(wire, body.as_bytes()).searches;
    assert_eq!(
        searches(Wire::OpenAiResponses, r#"{"output":[{"type":"web_search_call"},{"type":"message"}]}"#),
        1
    );
    let tool_runs = |wire, body: &str| read_answer(wire, body.as_bytes()).tool_runs;
    let calls = r#"{"output":[{"type":"file_search_call"},{"type":"code_interpreter_call"},{"type":"image_generation_call"},{"type":"mcp_call"},{"type":"function_call"}]}"#;
    assert_eq!((searches(Wire::OpenAiResponses, calls), tool_runs(Wire::OpenAiResponses, calls)), (0, 3));
    let blocks = r#"{"content":[{"type":"server_tool_use","name":"web_search"},{"type":"server_tool_use","name":"bash_code_execution"},{"type":"tool_use","name":"x"}]}"#;
    assert_eq!(tool_runs(Wire::AnthropicMessages, blocks), 1);
    let maps =
        r#"{"candidates":[{"groundingMetadata":{"groundingChunks":[{"web":{}},{"maps":{}},{"maps":{}}]}}]}"#;
    assert_eq!(tool_runs(Wire::GeminiGenerate, maps), 1);
    assert_eq!(
        searches(
            Wire::GeminiGenerate,
            r#"{"candidates":[{"groundingMetadata":{"webSearchQueries":["a","b"]}}]}"#
        ),
        2
    );
}
