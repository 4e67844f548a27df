//! Texts of an answer: what goes on untouched, what is covered, and what tells them once more.

use bytes::Bytes;
use proptest::prelude::*;
use seawall_llm::Wire;
use seawall_llm::screen::{Screen, Stopped, screen_whole};
use seawall_llm::sse::{RawEvent, Splitter};
use serde_json::{Value, json};

use super::judge::{COVER, WORD, Word};
use super::{events, screened};

const STREAMS: [(Wire, &str); 4] = [
    (Wire::OpenAiChat, include_str!("../../fixtures/stream_chat.sse")),
    (Wire::OpenAiResponses, include_str!("../../fixtures/stream_responses.sse")),
    (Wire::AnthropicMessages, include_str!("../../fixtures/stream_anthropic.sse")),
    (Wire::GeminiStream, include_str!("../../fixtures/stream_gemini.sse")),
];

fn data(event: &str) -> Value {
    serde_json::from_str(event.split_once("data: ").unwrap().1).unwrap()
}

fn whole(wire: Wire, body: &Value) -> Option<Value> {
    let screened = screen_whole(wire, body.to_string().as_bytes(), &mut Word::default()).unwrap();
    screened.map(|body| serde_json::from_slice(&body).unwrap())
}

#[test]
fn a_stream_without_anything_to_hide_goes_on_as_the_bytes_that_came() {
    for (wire, stream) in STREAMS {
        // Its last letter could be the beginning of the word.
        let stream = stream.replace("Let me think", "Let me see");
        assert_eq!(screened(wire, &stream).concat(), stream);
    }
}

#[test]
fn an_event_in_which_nothing_changes_is_not_copied() {
    let chunk = Bytes::from_static(
        b"data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hello\\n\"},\"finish_reason\":null}]}\n\n",
    );
    let mut screen = Screen::new(Wire::OpenAiChat, Word::default());
    let mut out = Vec::new();
    screen.event(&RawEvent::new(chunk.clone()), &mut out).unwrap();
    assert_eq!((out[0].as_ptr(), out[0].len()), (chunk.as_ptr(), chunk.len()));
}

#[test]
fn an_answer_that_must_not_go_on_stops_before_the_word() {
    let word = Value::from(WORD).to_string();
    let stream = events(&[
        r#"{"choices":[{"index":0,"delta":{"content":"fine"},"finish_reason":null}]}"#,
        &format!(r#"{{"choices":[{{"index":0,"delta":{{"content":{word}}},"finish_reason":null}}]}}"#),
    ]);
    let mut screen = Screen::new(Wire::OpenAiChat, Word { stops: true, ..Word::default() });
    let mut splitter = Splitter::new(1 << 20);
    splitter.push(Bytes::from(stream));
    let mut out = Vec::new();
    let first = splitter.next_event().unwrap().unwrap();
    assert_eq!(screen.event(&first, &mut out), Ok(()));
    let second = splitter.next_event().unwrap().unwrap();
    assert_eq!(screen.event(&second, &mut out), Err(Stopped::Refused));
    assert_eq!(out, [first.bytes]);
    let body =
        json!({ "choices": [{ "message": { "content": WORD }, "finish_reason": "stop" }] }).to_string();
    let mut judge = Word { stops: true, ..Word::default() };
    assert_eq!(screen_whole(Wire::OpenAiChat, body.as_bytes(), &mut judge), Err(Stopped::Refused));
}

#[test]
fn what_is_no_json_does_not_go_on() {
    for wire in STREAMS.map(|(wire, _)| wire) {
        let mut screen = Screen::new(wire, Word::default());
        let mut out = Vec::new();
        let event = RawEvent::new(Bytes::from_static(b"data: {\"choices\":[\n\n"));
        assert_eq!(screen.event(&event, &mut out), Err(Stopped::Unreadable));
        assert_eq!(screen_whole(wire, b"{\"a\":", &mut Word::default()), Err(Stopped::Unreadable));
        assert!(out.is_empty());
    }
}

#[test]
fn the_probabilities_of_hidden_tokens_are_hidden_too() {
    let chunk = |content: &str| {
        json!({ "choices": [{ "index": 0, "delta": { "content": content }, "finish_reason": null,
            "logprobs": { "content": [{ "token": content }] } }] })
        .to_string()
    };
    let (half, rest) = WORD.split_at(2);
    let stream = events(&[&chunk("a"), &chunk(half), &chunk(rest), &chunk("b")]);
    let goes: Vec<Value> = screened(Wire::OpenAiChat, &stream).iter().map(|event| data(event)).collect();
    let seen: Vec<(&str, bool)> = goes
        .iter()
        .map(|chunk| &chunk["choices"][0])
        .map(|choice| (choice["delta"]["content"].as_str().unwrap(), choice["logprobs"].is_null()))
        .collect();
    assert_eq!(seen, [("a", false), ("", true), (COVER, true), ("b", false)]);

    let body = json!({ "choices": [{ "message": { "content": WORD }, "finish_reason": "stop",
        "logprobs": { "content": [{ "token": WORD }] } }] });
    assert_eq!(whole(Wire::OpenAiChat, &body).unwrap()["choices"][0]["logprobs"], Value::Null);
}

#[test]
fn a_message_that_is_repeated_beside_its_deltas_does_not_tell_what_is_hidden() {
    let (half, rest) = WORD.split_at(2);
    let chunk = |delta: &str, message: &str| {
        json!({ "choices": [{ "index": 0, "delta": { "content": delta }, "message": { "content": message },
            "finish_reason": null }] })
        .to_string()
    };
    let goes = screened(Wire::OpenAiChat, &events(&[&chunk(half, half), &chunk(rest, WORD)]));
    let messages: Vec<Value> =
        goes.iter().map(|event| data(event)["choices"][0]["message"].clone()).collect();
    assert_eq!(messages, [Value::Null, Value::Null]);
    let alone =
        json!({ "choices": [{ "index": 0, "message": { "content": WORD }, "finish_reason": "stop" }] });
    let goes = screened(Wire::OpenAiChat, &events(&[&alone.to_string()]));
    assert_eq!(data(&goes[0])["choices"][0]["message"]["content"], COVER);
}

#[test]
fn every_text_of_a_whole_answer_is_screened() {
    let cases = [
        (
            Wire::OpenAiChat,
            json!({ "choices": [
            { "message": { "content": WORD, "refusal": WORD, "reasoning": WORD, "reasoning_content": WORD,
                "reasoning_details": [{ "text": WORD }, { "summary": WORD }], "audio": { "transcript": WORD } } },
            { "message": { "content": [{ "type": "text", "text": WORD },
                { "type": "thinking", "thinking": [{ "type": "text", "text": WORD }] }] } }] }),
            9,
        ),
        (Wire::OpenAiCompletions, json!({ "choices": [{ "text": WORD }, { "text": WORD }] }), 2),
        (
            Wire::OpenAiResponses,
            json!({ "output": [
            { "type": "message", "content": [{ "type": "output_text", "text": WORD }, { "type": "refusal", "refusal": WORD }] },
            { "type": "reasoning", "summary": [{ "text": WORD }], "content": [{ "text": WORD }] },
            { "type": "mcp_call", "arguments": WORD }, { "type": "code_interpreter_call", "code": WORD }] }),
            6,
        ),
        (
            Wire::AnthropicMessages,
            json!({ "content": [{ "type": "text", "text": WORD }, { "type": "thinking", "thinking": WORD }] }),
            2,
        ),
        (
            Wire::GeminiGenerate,
            json!({ "candidates": [{ "content": { "parts": [
            { "text": WORD }, { "text": WORD, "thought": true }, { "executableCode": { "code": WORD } }] } }] }),
            3,
        ),
        (
            Wire::GeminiStream,
            json!([{ "candidates": [{ "content": { "parts": [{ "text": WORD }] } }] },
            { "candidates": [{ "content": { "parts": [{ "text": WORD }] }, "finishReason": "STOP" }] }]),
            2,
        ),
    ];
    for (wire, body, count) in cases {
        let goes = whole(wire, &body).unwrap().to_string();
        assert_eq!(goes.matches(COVER).count(), count, "{goes}");
        let clean = body.to_string().replace(Value::from(WORD).to_string().trim_matches('"'), COVER);
        assert_eq!(goes, clean);
        let clean: Value = serde_json::from_str(&clean).unwrap();
        assert_eq!(whole(wire, &clean), None);
    }
}

#[test]
fn what_is_kept_leaves_before_the_end_of_its_text() {
    let half = Value::from(WORD.get(..2).unwrap()).to_string();
    let cases = [
        (
            Wire::OpenAiChat,
            events(&[
                &format!(
                    r#"{{"choices":[{{"index":0,"delta":{{"content":{half}}},"finish_reason":null}}]}}"#
                ),
                "[DONE]",
            ]),
        ),
        (
            Wire::OpenAiCompletions,
            events(&[
                &format!(r#"{{"choices":[{{"index":0,"text":{half},"finish_reason":null}}]}}"#),
                r#"{"choices":[{"index":0,"text":null,"finish_reason":"stop"}]}"#,
            ]),
        ),
        (
            Wire::AnthropicMessages,
            events(&[
                &format!(
                    r#"{{"type":"content_block_delta","index":0,"delta":{{"type":"text_delta","text":{half}}}}}"#
                ),
                r#"{"type":"content_block_stop","index":0}"#,
            ]),
        ),
        (
            Wire::OpenAiResponses,
            events(&[
                &format!(
                    r#"{{"type":"response.output_text.delta","sequence_number":7,"output_index":0,"content_index":0,"delta":{half}}}"#
                ),
                r#"{"type":"response.completed","sequence_number":8,"response":{"output":[]}}"#,
            ]),
        ),
        (
            Wire::GeminiStream,
            events(&[
                &format!(r#"{{"candidates":[{{"content":{{"parts":[{{"text":{half}}}]}}}}]}}"#),
                r#"{"candidates":[{"finishReason":"STOP"}]}"#,
            ]),
        ),
    ];
    for (wire, stream) in cases {
        let goes = screened(wire, &stream);
        let quoted = |event: &String| event.contains(half.trim_matches('"'));
        assert_eq!(goes.iter().map(quoted).collect::<Vec<_>>(), [false, true, false], "{goes:#?}");
    }
}

#[test]
fn data_in_several_lines_stays_an_event() {
    let word = Value::from(WORD).to_string();
    let stream = format!(
        "event: x\ndata: {{\"choices\":[\ndata: {{\"index\":0,\"delta\":{{\"content\":{word}}},\ndata: \"finish_reason\":\"stop\"}}]}}\n\n"
    );
    let goes = screened(Wire::OpenAiChat, &stream);
    let mut splitter = Splitter::new(1 << 20);
    splitter.push(Bytes::from(goes.concat()));
    let event = splitter.next_event().unwrap().unwrap();
    assert_eq!(event.event(), Some("x"));
    let object: Value = serde_json::from_slice(&event.data()).unwrap();
    assert_eq!(object["choices"][0]["delta"]["content"], COVER);
}

proptest! {
    #[test]
    fn nothing_that_an_upstream_sends_makes_it_panic(
        wire in prop::sample::select(STREAMS.map(|(wire, _)| wire).to_vec()),
        from in prop::sample::select(STREAMS.map(|(_, stream)| stream).to_vec()),
        cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
    ) {
        let mut stream = from.as_bytes().to_vec();
        for (at, byte) in cuts {
            let at = at.index(stream.len());
            stream[at] = byte;
        }
        let mut splitter = Splitter::new(1 << 20);
        splitter.push(Bytes::from(stream));
        let mut screen = Screen::new(wire, Word::default());
        let mut out = Vec::new();
        while let Ok(Some(event)) = splitter.next_event() {
            if screen.event(&event, &mut out).is_err() {
                break;
            }
        }
    }
}
