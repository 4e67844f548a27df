use bytes::Bytes;
use proptest::prelude::*;
use seawall_llm::dialogue::{
    Ask, Call, Failure, FailureClass, Format, Heard, Hearer, Input, Part, Reasoning, Reply, Role, Said, Stop,
    ToolResult, ToolUse, Turn, hear_whole, write,
};
use seawall_types::Usage;
use serde_json::{Value, json};

use super::{ALL, call, hear, hear_pieces, stream, text};

const CHAT: &str = include_str!("../../fixtures/stream_chat.sse");
const RESPONSES: &str = include_str!("../../fixtures/stream_responses.sse");
const ANTHROPIC: &str = include_str!("../../fixtures/stream_anthropic.sse");
const GEMINI: &str = include_str!("../../fixtures/stream_gemini.sse");

/// Two calls at once, thoughts with their signature, words, usage: as each provider streams them.
const RICH: [(Format, &str); 4] = [
    (Format::OpenAiChat, include_str!("../../fixtures/dialogue_chat.sse")),
    (Format::OpenAiResponses, include_str!("../../fixtures/dialogue_responses.sse")),
    (Format::Anthropic, include_str!("../../fixtures/dialogue_anthropic.sse")),
    (Format::Gemini, include_str!("../../fixtures/dialogue_gemini.sse")),
];

fn broken(result: Result<Reply, Failure>) -> Failure {
    let failure = result.unwrap_err();
    assert_eq!((failure.class, failure.retryable), (FailureClass::Unavailable, true), "{failure}");
    failure
}

#[test]
fn a_chat_is_heard() {
    let reply = hear(Format::OpenAiChat, CHAT).unwrap();
    assert_eq!(reply.parts, [text("Grüße"), call(Some("call_1"), "get_weather", json!({"city": "Rome"}))]);
    let usage = Usage { input: 2_006, output: 300, cached: 1_920, reasoning: 200, ..Usage::default() };
    assert_eq!(reply.usage, usage, "it comes in a chunk without choices");
    assert_eq!((reply.stop, reply.model.as_deref()), (Stop::Calls, Some("gpt-4o-2024-08-06")));
}

#[test]
fn a_response_is_heard() {
    let reply = hear(Format::OpenAiResponses, RESPONSES).unwrap();
    assert_eq!(reply.parts, [text("Hello"), call(Some("call_1"), "exec_command", json!({"cmd": "ls"}))]);
    assert_eq!((reply.usage.input, reply.usage.cached, reply.usage.reasoning), (328, 128, 32));
    assert_eq!(reply.stop, Stop::Calls);
}

#[test]
fn a_message_is_heard() {
    let reply = hear(Format::Anthropic, ANTHROPIC).unwrap();
    let thought =
        Said::Thought { text: "Hmm.".into(), signature: Some(json!({"anthropic": "c2lnbmF0dXJl"})) };
    assert_eq!(reply.parts, [thought, call(Some("toolu_1"), "Bash", json!({"command": "ls"}))]);
    assert_eq!(
        (reply.usage.input, reply.usage.output),
        (21_100, 57),
        "the prompt's tokens come first of all"
    );
    assert_eq!(reply.stop, Stop::Calls);
}

#[test]
fn a_gemini_answer_is_heard() {
    let reply = hear(Format::Gemini, GEMINI).unwrap();
    let thought = Said::Thought { text: "Let me think".into(), signature: None };
    assert_eq!(reply.parts, [thought, call(None, "run_shell_command", json!({"command": "ls"}))]);
    assert_eq!((reply.usage.input, reply.usage.cached), (1_050, 600));
    assert_eq!(reply.stop, Stop::Calls, "it says STOP");
}

#[test]
fn two_calls_thoughts_and_words_are_heard_in_their_order() {
    let thoughts = [
        (Some("call_a"), Some("call_b"), vec![Said::Thought { text: "Two cities.".into(), signature: None }]),
        (
            Some("call_a"),
            Some("call_b"),
            vec![Said::Thought {
                text: "Two cities.".into(),
                signature: Some(json!({"openai": {"id": "rs_1", "encrypted_content": "ZW5j"}})),
            }],
        ),
        (
            Some("call_a"),
            Some("call_b"),
            vec![
                Said::Thought { text: "Two cities.".into(), signature: Some(json!({"anthropic": "c2ln"})) },
                Said::Thought { text: String::new(), signature: Some(json!({"anthropic_redacted": "cmVk"})) },
            ],
        ),
        (None, None, vec![Said::Thought { text: "Two cities.".into(), signature: None }]),
    ];
    for ((format, stream), (first, second, mut expected)) in RICH.into_iter().zip(thoughts) {
        let reply = hear(format, stream).unwrap();
        expected.push(text("I look."));
        if format == Format::Gemini {
            expected.push(Said::Thought { text: String::new(), signature: Some(json!({"gemini": "dGhv"})) });
        }
        expected.push(call(first, "weather", json!({"city": "Rome", "days": [1, 2]})));
        expected.push(call(second, "weather", json!({"city": "Tromsø 🙂"})));
        assert_eq!(reply.parts, expected, "{format:?}");
        assert_eq!(reply.stop, Stop::Calls, "{format:?}");
        assert_eq!((reply.usage.input, reply.usage.output), (100, 50), "{format:?}");
        assert!(!reply.usage.estimated);
    }
}

#[test]
fn what_is_heard_piece_by_piece_is_the_reply() {
    for (format, stream) in RICH {
        let (heard, reply) = hear_pieces(format, stream.as_bytes().chunks(7));
        let reply = reply.unwrap();
        let (mut said, mut thought, mut names) = (String::new(), String::new(), Vec::new());
        let mut arguments = [String::new(), String::new()];
        let (mut usage, mut stop, mut signatures) = (None, None, 0);
        for heard in heard {
            match heard {
                Heard::Text(delta) => said += &delta,
                Heard::Thought(delta) => thought += &delta,
                Heard::ThoughtSignature => signatures += 1,
                Heard::ToolCall { index, name, .. } => {
                    assert_eq!(index, names.len());
                    names.push(name);
                }
                Heard::ToolArguments { index, delta } => arguments[index] += &delta,
                Heard::Stop(why) => assert_eq!(stop.replace(why), None, "said once"),
                Heard::Usage(counts) => usage = Some(counts),
                Heard::Error(failure) => panic!("{failure}"),
            }
        }
        assert_eq!((said, thought.as_str()), (reply.text(), "Two cities."), "{format:?}");
        assert_eq!((usage, stop), (Some(reply.usage), Some(reply.stop.clone())));
        assert_eq!(signatures > 0, format != Format::OpenAiChat);
        for ((call, name), written) in reply.calls().zip(names).zip(arguments) {
            assert_eq!(call.name, name);
            assert_eq!(call.input, Input::Object(serde_json::from_str(&written).unwrap()));
        }
    }
}

#[test]
fn a_stream_cut_at_any_byte_gives_the_same_reply() {
    for (format, stream) in RICH {
        let whole = hear(format, stream).unwrap();
        assert_eq!(
            hear_pieces(format, stream.as_bytes().chunks(1)).1.as_ref(),
            Ok(&whole),
            "{format:?}, at every byte"
        );
        for at in (0..stream.len()).step_by(13) {
            let (head, tail) = stream.as_bytes().split_at(at);
            assert_eq!(hear_pieces(format, [head, tail]).1.as_ref(), Ok(&whole), "{format:?} cut at {at}");
        }
    }
}

/// Where the answer itself is over: what follows are counts and marks.
fn end_of_words(format: Format, stream: &str) -> usize {
    let mark = match format {
        Format::OpenAiChat => "\"finish_reason\":\"tool_calls\"",
        Format::OpenAiResponses => "\"type\":\"response.completed\"",
        Format::Anthropic => "\"type\":\"message_stop\"",
        Format::Gemini => "\"finishReason\":\"STOP\"",
    };
    let start = stream.rfind(mark).unwrap();
    start + stream[start..].find('\n').unwrap()
}

#[test]
fn a_stream_that_breaks_off_anywhere_is_a_failure() {
    for (format, stream) in RICH {
        let end = end_of_words(format, stream);
        // Near its end at every byte.
        for at in (0..end).step_by(17).chain(end - 150..end) {
            let (_, reply) = hear_pieces(format, [&stream.as_bytes()[..at]]);
            broken(reply);
        }
        assert!(
            hear_pieces(format, [&stream.as_bytes()[..end]]).1.is_ok(),
            "{format:?}: only a blank line is missing"
        );
    }
}

#[test]
fn an_event_that_cannot_be_read_fails_the_answer() {
    for (format, stream) in RICH {
        let spoiled = stream.replacen("\n\n", "\n\ndata: {\"half\": \n\n", 1);
        let (heard, reply) = hear_pieces(format, [spoiled.as_bytes()]);
        let failure = broken(reply);
        assert_eq!(heard.last(), Some(&Heard::Error(failure)), "{format:?}: nothing is heard after it");
    }
}

#[test]
fn an_error_in_a_stream_is_a_failure_with_its_class() {
    use FailureClass::{Budget, ContextLength, Other, RateLimit, Unavailable};
    for (format, error, class, message) in [
        (
            Format::OpenAiChat,
            r#"{"error":{"message":"slow down","type":"requests","code":"rate_limit_exceeded"}}"#,
            RateLimit,
            "slow down",
        ),
        (Format::OpenAiChat, r#"{"error":{"message":"bad gateway","code":502}}"#, Unavailable, "bad gateway"),
        (Format::OpenAiChat, r#"{"error":"gone"}"#, Other, "gone"),
        (
            Format::OpenAiChat,
            r#"{"error":{"message":"spent","code":"insufficient_quota","seawall":{"code":"BUDGET_EXCEEDED"}}}"#,
            Budget,
            "spent",
        ),
        (
            Format::OpenAiResponses,
            r#"{"type":"error","code":"rate_limit_exceeded","message":"slow down","param":null}"#,
            RateLimit,
            "slow down",
        ),
        (
            Format::OpenAiResponses,
            r#"{"type":"response.failed","response":{"status":"failed","error":{"code":"context_length_exceeded","message":"too long"}}}"#,
            ContextLength,
            "too long",
        ),
        (
            Format::Anthropic,
            r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
            Unavailable,
            "Overloaded",
        ),
        (
            Format::Anthropic,
            r#"{"type":"error","error":{"type":"billing_error","message":"spent"},"seawall":{"code":"TOKENS_EXCEEDED"}}"#,
            Budget,
            "spent",
        ),
        (
            Format::Gemini,
            r#"{"error":{"code":503,"message":"later","status":"UNAVAILABLE"}}"#,
            Unavailable,
            "later",
        ),
    ] {
        let (heard, reply) = hear_pieces(format, [stream(&[error, "[DONE]"]).as_bytes()]);
        let failure = reply.unwrap_err();
        assert_eq!((failure.class, failure.message.as_str()), (class, message), "{error}");
        assert_eq!(heard, [Heard::Error(failure)], "{error}");
        // It may also be the last thing, without the blank line.
        assert_eq!(hear(format, &format!("data: {error}\n")).unwrap_err().class, class);
    }
}

#[test]
fn arguments_that_are_no_object_are_kept_as_they_were_written() {
    for (written, expected) in [
        (r#"{\"city\": \"Ro"#, Input::Unreadable("{\"city\": \"Ro".into())),
        ("[1]", Input::Unreadable("[1]".into())),
        ("null", Input::Unreadable("null".into())),
        ("", Input::Object(serde_json::Map::new())),
        (" ", Input::Object(serde_json::Map::new())),
    ] {
        let chat = stream(&[
            &format!(
                r#"{{"choices":[{{"index":0,"delta":{{"tool_calls":[{{"index":0,"id":"c","function":{{"name":"f","arguments":"{written}"}}}}]}}}}]}}"#
            ),
            r#"{"choices":[{"index":0,"delta":{},"finish_reason":"length"}]}"#,
            "[DONE]",
        ]);
        let reply = hear(Format::OpenAiChat, &chat).unwrap();
        let expected = Call { provider_id: Some("c".into()), name: "f".into(), input: expected };
        assert_eq!((reply.parts, reply.stop), (vec![Said::Call(expected)], Stop::Length));
    }
}

#[test]
fn arguments_that_come_again_whole_are_there_once() {
    let item = r#"{"type":"function_call","id":"fc","call_id":"c","name":"f","arguments":"{\"a\":1}"}"#;
    let without_deltas = stream(&[
        &format!(r#"{{"type":"response.output_item.done","output_index":0,"item":{item}}}"#),
        &format!(r#"{{"type":"response.completed","response":{{"status":"completed","output":[{item}]}}}}"#),
    ]);
    let reply = hear(Format::OpenAiResponses, &without_deltas).unwrap();
    assert_eq!(reply.parts, [call(Some("c"), "f", json!({"a": 1}))]);
    let only_the_end = stream(&[&format!(
        r#"{{"type":"response.completed","response":{{"status":"completed","output":[{item}]}}}}"#
    )]);
    let reply = hear(Format::OpenAiResponses, &only_the_end).unwrap();
    assert_eq!(reply.parts, [call(Some("c"), "f", json!({"a": 1}))]);
}

#[test]
fn an_empty_answer_stays_empty() {
    for (format, datas) in [
        (
            Format::OpenAiChat,
            vec![r#"{"choices":[{"index":0,"delta":{"content":""},"finish_reason":"stop"}]}"#, "[DONE]"],
        ),
        (
            Format::Anthropic,
            vec![
                r#"{"type":"message_start","message":{"usage":{"input_tokens":3,"output_tokens":0}}}"#,
                r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":0}}"#,
                r#"{"type":"message_stop"}"#,
            ],
        ),
        (
            Format::OpenAiResponses,
            vec![r#"{"type":"response.completed","response":{"status":"completed","output":[]}}"#],
        ),
        (
            Format::Gemini,
            vec![r#"{"candidates":[{"content":{"parts":[{"text":""}]},"finishReason":"STOP"}]}"#],
        ),
    ] {
        let reply = hear(format, &stream(&datas)).unwrap();
        assert_eq!((reply.parts, reply.stop), (vec![], Stop::Done), "{format:?}");
    }
}

#[test]
fn a_filter_that_leaves_nothing_is_a_failure_and_one_that_cuts_is_an_end() {
    let nothing = [
        (Format::OpenAiChat, r#"{"choices":[{"index":0,"delta":{},"finish_reason":"content_filter"}]}"#),
        (Format::Gemini, r#"{"promptFeedback":{"blockReason":"PROHIBITED_CONTENT"}}"#),
        (Format::Gemini, r#"{"candidates":[{"finishReason":"SAFETY"}]}"#),
        (
            Format::OpenAiResponses,
            r#"{"type":"response.incomplete","response":{"status":"incomplete","incomplete_details":{"reason":"content_filter"}}}"#,
        ),
    ];
    for (format, event) in nothing {
        let failure = hear(format, &stream(&[event])).unwrap_err();
        assert_eq!((failure.class, failure.retryable), (FailureClass::ContentFilter, false), "{event}");
    }
    let cut = stream(&[r#"{"candidates":[{"content":{"parts":[{"text":"so"}]},"finishReason":"SAFETY"}]}"#]);
    let reply = hear(Format::Gemini, &cut).unwrap();
    assert_eq!((reply.parts, reply.stop), (vec![text("so")], Stop::Filtered));
}

#[test]
fn every_end_has_one_name() {
    for (word, stop) in [
        ("stop", Stop::Done),
        ("length", Stop::Length),
        ("content_filter", Stop::Filtered),
        ("", Stop::Other(String::new())),
        ("moon", Stop::Other("moon".into())),
    ] {
        let event =
            format!(r#"{{"choices":[{{"index":0,"delta":{{"content":"a"}},"finish_reason":"{word}"}}]}}"#);
        let reply = hear(Format::OpenAiChat, &stream(&[&event, "[DONE]"])).unwrap();
        assert_eq!(reply.stop, stop);
    }
    let given_up =
        r#"{"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"insufficient_system_resource"}]}"#;
    broken(hear(Format::OpenAiChat, &stream(&[given_up, "[DONE]"])));
}

#[test]
fn usage_that_nobody_told_is_estimated_and_says_so() {
    let event = r#"{"choices":[{"index":0,"delta":{"content":"123456"},"finish_reason":"stop"}]}"#;
    let reply = hear(Format::OpenAiChat, &stream(&[event])).unwrap();
    assert_eq!(reply.usage, Usage { output: 2, estimated: true, ..Usage::default() });
}

#[test]
fn whole_answers_are_heard_like_streams() {
    let cases = [
        (
            Format::OpenAiChat,
            r#"{"model":"m","choices":[{"index":0,"message":{"content":"I look.","reasoning_content":"Hm.","tool_calls":[{"id":"c","function":{"name":"f","arguments":"{\"a\":1}"}}]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":1,"completion_tokens":2}}"#,
        ),
        (
            Format::OpenAiResponses,
            r#"{"model":"m","status":"completed","output":[{"type":"reasoning","id":"rs","summary":[{"text":"Hm."}],"encrypted_content":"e"},{"type":"message","content":[{"type":"output_text","text":"I look."}]},{"type":"function_call","call_id":"c","name":"f","arguments":"{\"a\":1}"}],"usage":{"input_tokens":1,"output_tokens":2}}"#,
        ),
        (
            Format::Anthropic,
            r#"{"model":"m","content":[{"type":"thinking","thinking":"Hm.","signature":"s"},{"type":"text","text":"I look."},{"type":"tool_use","id":"c","name":"f","input":{"a":1}}],"stop_reason":"tool_use","usage":{"input_tokens":1,"output_tokens":2}}"#,
        ),
        (
            Format::Gemini,
            r#"{"modelVersion":"m","candidates":[{"content":{"parts":[{"text":"Hm.","thought":true},{"text":"I look."},{"functionCall":{"id":"c","name":"f","args":{"a":1}},"thoughtSignature":"s"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":2}}"#,
        ),
    ];
    for (format, body) in cases {
        let reply = hear_whole(format, body.as_bytes()).unwrap();
        assert_eq!(
            (reply.text().as_str(), &reply.stop, reply.model.as_deref()),
            ("I look.", &Stop::Calls, Some("m"))
        );
        assert_eq!((reply.usage.input, reply.usage.output, reply.usage.estimated), (1, 2, false));
        let calls: Vec<Said> = reply.calls().cloned().map(Said::Call).collect();
        assert_eq!(calls, [call(Some("c"), "f", json!({"a": 1}))], "{format:?}");
        let thoughts = reply.parts.iter().filter(|part| matches!(part, Said::Thought { .. })).count();
        assert_eq!(thoughts, if format == Format::Gemini { 2 } else { 1 });
    }
}

#[test]
fn what_is_no_answer_is_a_failure() {
    for format in ALL {
        for body in ["", "<html>bad gateway</html>", "{}", "[]", "null", "{\"choices\":[]}"] {
            broken(hear_whole(format, body.as_bytes()));
        }
        let failure =
            hear_whole(format, br#"{"error":{"message":"no","code":"model_not_found"}}"#).unwrap_err();
        assert_eq!(failure.class, FailureClass::ModelNotFound);
    }
}

#[test]
fn an_event_without_end_is_a_failure_before_memory_runs_out() {
    let mut hearer = Hearer::new(Format::Anthropic);
    let chunk = Bytes::from(vec![b'x'; 1 << 20]);
    let heard: Vec<Heard> = (0..40).flat_map(|_| hearer.hear(chunk.clone())).collect();
    assert!(matches!(heard.as_slice(), [Heard::Error(_)]), "told once: {}", heard.len());
    broken(hearer.finish());
}

#[test]
fn geminis_signatures_go_back_to_where_they_came_from() {
    let parts = [
        json!({"text": "Hm.", "thought": true, "thoughtSignature": "a"}),
        json!({"text": "First."}),
        json!({"text": "Again.", "thought": true, "thoughtSignature": "b"}),
        json!({"functionCall": {"id": "c", "name": "f", "args": {}}, "thoughtSignature": "c"}),
        json!({"functionCall": {"id": "d", "name": "f", "args": {}}}),
        json!({"text": "Last."}),
        json!({"text": "", "thoughtSignature": "d"}),
    ];
    let chunks = parts.iter().map(|part| json!({"candidates": [{"content": {"parts": [part]}}]}).to_string());
    let end = json!({"candidates": [{"finishReason": "STOP"}]}).to_string();
    let chunks: Vec<String> = chunks.chain([end]).collect();
    let stream = stream(&chunks.iter().map(String::as_str).collect::<Vec<_>>());
    let streamed = hear(Format::Gemini, &stream).unwrap();
    let whole = json!({"candidates": [{"content": {"parts": parts}, "finishReason": "STOP"}]}).to_string();
    let whole = hear_whole(Format::Gemini, whole.as_bytes()).unwrap();
    assert_eq!(streamed.parts, whole.parts);

    let input = json!({});
    let blocks = streamed.parts.iter().map(|part| match part {
        Said::Text(text) => Part::Text(text),
        Said::Thought { text, signature } => {
            Part::Reasoning(Reasoning { text, signature: signature.as_ref() })
        }
        Said::Call(call) => {
            Part::ToolUse(ToolUse { id: call.provider_id.as_deref().unwrap(), name: "f", input: &input })
        }
    });
    let result = |id| Part::ToolResult(ToolResult { id, content: vec![], is_error: false });
    let turns = [
        Turn { role: Role::User, blocks: vec![Part::Text("hi")] },
        Turn { role: Role::Assistant, blocks: blocks.collect() },
        Turn { role: Role::User, blocks: vec![result("c"), result("d")] },
    ];
    let body: Value =
        serde_json::from_slice(&write(&Ask::new("gemini-3", &turns), Format::Gemini).body).unwrap();
    assert_eq!(body["contents"][1]["parts"], json!(parts));
}

#[test]
fn a_stream_without_end_is_a_failure_too() {
    let mut hearer = Hearer::new(Format::Gemini);
    let keep_alive = Bytes::from([b":".as_slice(), &vec![b'x'; (1 << 20) - 3], b"\n\n"].concat());
    let heard: Vec<Heard> = (0..300).flat_map(|_| hearer.hear(keep_alive.clone())).collect();
    assert!(matches!(heard.as_slice(), [Heard::Error(_)]), "told once: {}", heard.len());
    let failure = hearer.finish().unwrap_err();
    assert_eq!((failure.class, failure.retryable), (FailureClass::Other, false));
}

proptest! {
    #[test]
    fn however_a_stream_is_cut_the_reply_is_the_same(cuts in prop::collection::vec(any::<usize>(), 0..12), which in 0_usize..4) {
        let (format, stream) = RICH[which];
        let mut places: Vec<usize> = cuts.iter().map(|cut| cut % (stream.len() + 1)).collect();
        places.extend([0, stream.len()]);
        places.sort_unstable();
        let pieces = places.windows(2).map(|ends| &stream.as_bytes()[ends[0]..ends[1]]);
        prop_assert_eq!(hear_pieces(format, pieces).1, hear(format, stream));
    }

    #[test]
    fn foreign_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), at in any::<usize>(), which in 0_usize..4) {
        let (format, stream) = RICH[which];
        let at = at % (stream.len() + 1);
        let (head, tail) = stream.as_bytes().split_at(at);
        let _ = hear_pieces(format, [head, &bytes, tail]);
        let _ = hear_whole(format, &bytes);
        let _ = Failure::from_answer(500, |_| None, &bytes);
    }
}
