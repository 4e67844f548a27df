//! Streams, event by event: each trap that some provider or server really has.

use bytes::Bytes;
use proptest::prelude::*;
use seawall_llm::sse::{RawEvent, Splitter};
use seawall_llm::{Step, StreamReader, ToolCall, Wire, estimate_tokens};
use seawall_types::Usage;

const CHAT: &str = include_str!("../fixtures/stream_chat.sse");
const RESPONSES: &str = include_str!("../fixtures/stream_responses.sse");
const ANTHROPIC: &str = include_str!("../fixtures/stream_anthropic.sse");
const GEMINI: &str = include_str!("../fixtures/stream_gemini.sse");

/// Reads a stream; gives the reader and what the client gets.
fn run(wire: Wire, strip_usage: bool, stream: &str) -> (StreamReader, String) {
    let mut splitter = Splitter::new(1 << 20);
    splitter.push(Bytes::copy_from_slice(stream.as_bytes()));
    let mut reader = StreamReader::new(wire, strip_usage);
    let mut sent = Vec::new();
    while let Some(event) = splitter.next_event().unwrap() {
        match reader.event(&event) {
            Step::Pass => sent.extend_from_slice(&event.bytes),
            Step::Drop => {}
            Step::Replace(bytes) => sent.extend_from_slice(&bytes),
        }
    }
    sent.extend_from_slice(&splitter.finish().unwrap_or_default());
    (reader, String::from_utf8(sent).unwrap())
}

fn chunks(datas: &[&str]) -> String {
    datas.iter().map(|data| format!("data: {data}\n\n")).collect()
}

fn names(reader: &StreamReader) -> Vec<(Option<&str>, &str)> {
    reader.answer().tool_calls.iter().map(|call| (call.id.as_deref(), call.name.as_str())).collect()
}

#[test]
fn a_chat_stream_is_read() {
    let (reader, sent) = run(Wire::OpenAiChat, false, CHAT);
    let answer = reader.answer();
    let usage = Usage { input: 2_006, output: 300, cached: 1_920, reasoning: 200, ..Usage::default() };
    assert_eq!(answer.usage, Some(usage));
    assert_eq!(answer.model.as_deref(), Some("gpt-4o-2024-08-06"));
    assert_eq!(answer.tool_calls, [ToolCall { id: Some("call_1".into()), name: "get_weather".into() }]);
    assert_eq!(answer.output_bytes, "Grüße".len() as u64 + r#"{"city":"Rome"}"#.len() as u64);
    assert_eq!(answer.finish.as_deref(), Some("tool_calls"));
    assert_eq!((reader.deltas(), reader.is_complete(), reader.is_garbage()), (4, true, false));
    assert_eq!(sent, CHAT);
}

#[test]
fn usage_that_only_we_asked_for_leaves_no_trace() {
    let (reader, sent) = run(Wire::OpenAiChat, true, CHAT);
    assert_eq!(reader.answer().usage.map(|usage| usage.input), Some(2_006));
    let unasked: String =
        CHAT.split_inclusive("\n\n").filter(|event| !event.contains("\"choices\":[]")).collect();
    assert_eq!(sent, unasked.replace(",\"usage\":null", ""));
}

#[test]
fn usage_on_a_chunk_with_choices_stays() {
    let stream = chunks(&[
        r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2}}"#,
    ]);
    let (reader, sent) = run(Wire::OpenAiChat, true, &stream);
    assert_eq!((sent, reader.answer().usage.map(|usage| usage.output)), (stream, Some(2)));
}

#[test]
fn azures_first_chunk_without_choices_is_no_usage_chunk() {
    let stream = chunks(&[r#"{"choices":[],"prompt_filter_results":[],"usage":null}"#]);
    assert_eq!(
        run(Wire::OpenAiChat, true, &stream).1,
        chunks(&[r#"{"choices":[],"prompt_filter_results":[]}"#])
    );
}

#[test]
fn a_stream_without_done_is_whole_once_every_choice_has_ended() {
    let first = r#"{"choices":[{"index":0,"delta":{"content":"a"}}]}"#;
    let second = r#"{"choices":[{"index":1,"delta":{"content":"b"}}]}"#;
    let (end_0, end_1) = (
        r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
        r#"{"choices":[{"index":1,"delta":{},"finish_reason":"length"}]}"#,
    );
    let complete = |datas: &[&str]| run(Wire::OpenAiChat, false, &chunks(datas)).0.is_complete();
    assert!(!complete(&[]));
    assert!(!complete(&[first, second, end_0]));
    assert!(complete(&[first, second, end_1, end_0]));
    assert!(complete(&[first, "[DONE]"]));
}

#[test]
fn tool_calls_are_told_apart_however_a_server_numbers_them() {
    let call = |index: &str, id: &str, name: &str, arguments: &str| {
        format!(
            r#"{{"choices":[{{"index":0,"delta":{{"tool_calls":[{{{index}"id":{id},"function":{{"name":{name},"arguments":"{arguments}"}}}}]}}}}]}}"#
        )
    };
    type Case = (&'static str, Vec<String>, Vec<(Option<&'static str>, &'static str)>);
    let cases: [Case; 6] = [
        (
            "interleaved with a gap",
            vec![
                call(r#""index":1,"#, r#""a""#, r#""f""#, ""),
                call(r#""index":3,"#, r#""b""#, r#""g""#, ""),
                call(r#""index":1,"#, "null", "null", "{}"),
                call(r#""index":3,"#, r#""""#, r#""""#, "{}"),
            ],
            vec![(Some("a"), "f"), (Some("b"), "g")],
        ),
        (
            "the same index for all",
            vec![
                call(r#""index":0,"#, r#""a""#, r#""f""#, "{}"),
                call(r#""index":0,"#, r#""b""#, r#""g""#, "{}"),
            ],
            vec![(Some("a"), "f"), (Some("b"), "g")],
        ),
        (
            "no index",
            vec![
                call("", r#""a""#, r#""f""#, "{"),
                call("", "null", "null", "}"),
                call("", r#""b""#, r#""g""#, "{}"),
            ],
            vec![(Some("a"), "f"), (Some("b"), "g")],
        ),
        (
            "id and name repeated",
            vec![
                call(r#""index":0,"#, r#""a""#, r#""f""#, "{"),
                call(r#""index":0,"#, r#""a""#, r#""f""#, "}"),
            ],
            vec![(Some("a"), "f")],
        ),
        (
            "name in pieces",
            vec![
                call(r#""index":0,"#, r#""a""#, r#""get_""#, ""),
                call(r#""index":0,"#, "null", r#""user""#, ""),
            ],
            vec![(Some("a"), "get_user")],
        ),
        ("no id", vec![call(r#""index":0,"#, "null", r#""f""#, "{}")], vec![(None, "f")]),
    ];
    for (what, datas, calls) in cases {
        let datas: Vec<&str> = datas.iter().map(String::as_str).collect();
        assert_eq!(names(&run(Wire::OpenAiChat, false, &chunks(&datas)).0), calls, "{what}");
    }
}

#[test]
fn silence_is_no_first_token() {
    let quiet = [
        r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"content":null}}]}"#,
        r#"{"choices":[]}"#,
    ];
    let (reader, _) = run(Wire::OpenAiChat, false, &format!(": ping\n\n{}", chunks(&quiet)));
    assert!(!reader.first_token_seen() && !reader.is_garbage());
    for key in ["content", "refusal", "reasoning", "reasoning_content"] {
        let data = format!(r#"{{"choices":[{{"index":0,"delta":{{"{key}":"x"}}}}]}}"#);
        assert!(run(Wire::OpenAiChat, false, &chunks(&[&data])).0.first_token_seen(), "{key}");
    }
    let ping = "event: ping\ndata: {\"type\":\"ping\"}\n\n";
    assert!(!run(Wire::AnthropicMessages, false, ping).0.first_token_seen());
}

#[test]
fn reasoning_under_two_names_counts_once() {
    let data = r#"{"choices":[{"index":0,"delta":{"reasoning":"abc","reasoning_content":"abc"}}]}"#;
    assert_eq!(run(Wire::OpenAiChat, false, &chunks(&[data])).0.answer().output_bytes, 3);
}

#[test]
fn a_responses_stream_is_read_and_its_text_counted_once() {
    let (reader, sent) = run(Wire::OpenAiResponses, true, RESPONSES);
    let answer = reader.answer();
    let usage = Usage { input: 328, output: 52, cached: 128, reasoning: 32, ..Usage::default() };
    assert_eq!(answer.usage, Some(usage));
    assert_eq!(answer.output_bytes, 5 + 12);
    assert_eq!(names(&reader), [(Some("call_1"), "exec_command")]);
    assert_eq!(
        (answer.finish.as_deref(), answer.model.as_deref()),
        (Some("completed"), Some("gpt-5.4-2026-03-05"))
    );
    assert_eq!((reader.is_complete(), reader.deltas()), (true, 3));
    assert_eq!(sent, RESPONSES);
    let last = RESPONSES.split_inclusive("\n\n").last().unwrap();
    let (reader, _) = run(Wire::OpenAiResponses, false, last);
    assert_eq!((reader.answer().output_bytes, reader.answer().tool_calls.len()), (5 + 12, 1));
}

#[test]
fn an_anthropic_stream_is_read_and_its_usage_is_cumulative() {
    let (reader, sent) = run(Wire::AnthropicMessages, true, ANTHROPIC);
    let usage = Usage {
        input: 21_100,
        output: 57,
        cached: 20_000,
        cache_write: 400,
        cache_write_1h: 600,
        ..Usage::default()
    };
    assert_eq!(reader.answer().usage, Some(usage));
    assert_eq!(names(&reader), [(Some("toolu_1"), "Bash")]);
    assert_eq!(reader.answer().output_bytes, 4 + 16);
    assert_eq!(reader.answer().finish.as_deref(), Some("tool_use"));
    assert!(reader.is_complete());
    assert_eq!(sent, ANTHROPIC);
}

#[test]
fn usage_seen_before_a_stream_broke_off_is_kept() {
    let start = ANTHROPIC.split_inclusive("\n\n").next().unwrap();
    let (reader, _) = run(Wire::AnthropicMessages, false, start);
    let usage = reader.answer().usage.unwrap();
    assert_eq!((usage.input, usage.output, reader.is_complete()), (21_100, 1, false));
}

#[test]
fn a_gemini_stream_has_no_done_and_usage_may_follow_its_end() {
    let (reader, sent) = run(Wire::GeminiStream, true, GEMINI);
    let usage = Usage { input: 1_050, output: 100, cached: 600, reasoning: 40, ..Usage::default() };
    assert_eq!(reader.answer().usage, Some(usage));
    assert_eq!(names(&reader), [(None, "run_shell_command")]);
    assert_eq!((reader.is_complete(), reader.answer().finish.as_deref()), (true, Some("STOP")));
    assert_eq!(sent, GEMINI);
}

#[test]
fn an_error_in_a_stream_ends_it() {
    for (wire, stream) in [
        (Wire::OpenAiChat, "data: {\"error\":{\"message\":\"x\"}}\n\n"),
        (Wire::OpenAiResponses, "event: error\ndata: {\"type\":\"error\",\"code\":\"x\"}\n\n"),
        (
            Wire::OpenAiResponses,
            "data: {\"type\":\"response.failed\",\"response\":{\"status\":\"failed\"}}\n\n",
        ),
        (
            Wire::AnthropicMessages,
            "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}\n\n",
        ),
        (Wire::GeminiStream, "data: {\"error\":{\"code\":503}}\n\n"),
    ] {
        let (reader, sent) = run(wire, true, stream);
        assert!(reader.answer().failed && reader.is_complete(), "{stream}");
        assert_eq!(sent, stream);
    }
}

#[test]
fn data_that_is_no_json_is_passed_on_and_noticed() {
    for stream in ["data: <html>\n\n", "data: {\"choices\":[\n\n", "data: [1]\n\n"] {
        let (reader, sent) = run(Wire::OpenAiChat, true, stream);
        assert!(reader.is_garbage() && !reader.is_complete());
        assert_eq!(sent, stream);
    }
}

#[test]
fn an_estimate_is_a_third_rounded_up() {
    assert_eq!([0, 1, 3, 4, u64::MAX].map(estimate_tokens), [0, 1, 1, 2, u64::MAX.div_ceil(3)]);
}

proptest! {
    #[test]
    fn no_event_makes_a_reader_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..120),
        json in crate::json::any_json(),
        at in 0_usize..200,
    ) {
        let wires = [Wire::OpenAiChat, Wire::OpenAiResponses, Wire::AnthropicMessages, Wire::GeminiStream, Wire::Other];
        for (wire, fixture) in wires.into_iter().zip([CHAT, RESPONSES, ANTHROPIC, GEMINI, CHAT]) {
            let mut reader = StreamReader::new(wire, true);
            let cut = fixture.as_bytes().get(..at * 10).unwrap_or(fixture.as_bytes());
            for bytes in [bytes.clone(), format!("data: {json}\n\n").into_bytes(), cut.to_vec()] {
                let event = RawEvent::new(Bytes::from(bytes));
                if let Step::Replace(replaced) = reader.event(&event) {
                    prop_assert!(replaced.len() < event.bytes.len());
                }
            }
        }
    }
}

#[test]
fn a_stream_is_whole_when_as_many_have_ended_as_were_asked_for() {
    let whole = |wire, stream: &str| {
        let mut splitter = Splitter::new(1 << 20);
        splitter.push(Bytes::copy_from_slice(stream.as_bytes()));
        let mut reader = StreamReader::new(wire, false).with_answers(2);
        while let Some(event) = splitter.next_event().unwrap() {
            reader.event(&event);
        }
        reader.is_complete()
    };
    let first = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;
    let second = r#"{"choices":[{"index":1,"delta":{},"finish_reason":"stop"}]}"#;
    assert!(!whole(Wire::OpenAiChat, &chunks(&[first])));
    assert!(!whole(Wire::OpenAiChat, &chunks(&[first, first])));
    assert!(whole(Wire::OpenAiChat, &chunks(&[first, second])));
    assert!(whole(Wire::OpenAiChat, &chunks(&[first, "[DONE]"])));
    let first = r#"{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"}]}"#;
    let second = r#"{"candidates":[{"index":1,"content":{"parts":[{"text":"b"}]},"finishReason":"STOP"}]}"#;
    assert!(!whole(Wire::GeminiStream, &chunks(&[first])));
    assert!(whole(Wire::GeminiStream, &chunks(&[first, second])));
    assert!(whole(Wire::GeminiStream, &chunks(&[r#"{"promptFeedback":{"blockReason":"SAFETY"}}"#])));
}
