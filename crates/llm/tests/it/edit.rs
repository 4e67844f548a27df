//! Edits change one fact and leave every other byte as it was.

use bytes::Bytes;
use proptest::prelude::*;
use seawall_llm::json::{Document, Object};
use seawall_llm::{Edits, LimitName, Wire, edit};

use crate::json::any_json;

fn document(body: &str) -> Document {
    Document::parse(Bytes::copy_from_slice(body.as_bytes()), 1_000).unwrap()
}

fn edited(wire: Wire, body: &str, edits: &Edits<'_>) -> String {
    let edited = edit(wire, &document(body), edits).unwrap();
    edited.map_or_else(|| body.to_owned(), |bytes| String::from_utf8(bytes.to_vec()).unwrap())
}

#[test]
fn usage_is_asked_for_in_streams_only() {
    let edits = Edits { include_usage: true, ..Edits::default() };
    for (wire, body, wanted) in [
        (
            Wire::OpenAiChat,
            r#"{ "stream": true }"#,
            r#"{ "stream": true ,"stream_options":{"include_usage":true}}"#,
        ),
        (
            Wire::OpenAiChat,
            r#"{"stream_options" : {"x":1},"stream":true}"#,
            r#"{"stream_options" : {"x":1,"include_usage":true},"stream":true}"#,
        ),
        (
            Wire::OpenAiChat,
            r#"{"stream":true,"stream_options":{"include_usage":false,"x":1}}"#,
            r#"{"stream":true,"stream_options":{"include_usage":true,"x":1}}"#,
        ),
        (
            Wire::OpenAiCompletions,
            r#"{"stream":true,"stream_options":null}"#,
            r#"{"stream":true,"stream_options":{"include_usage":true}}"#,
        ),
        (
            Wire::OpenAiChat,
            r#"{"stream":true,"stream_options":{}}"#,
            r#"{"stream":true,"stream_options":{"include_usage":true}}"#,
        ),
        (Wire::OpenAiChat, r#"{"stream":false}"#, r#"{"stream":false}"#),
        (Wire::OpenAiChat, r#"{"stream":true,"stream_options":7}"#, r#"{"stream":true,"stream_options":7}"#),
        (Wire::OpenAiResponses, r#"{"stream":true}"#, r#"{"stream":true}"#),
        (Wire::AnthropicMessages, r#"{"stream":true}"#, r#"{"stream":true}"#),
    ] {
        assert_eq!(edited(wire, body, &edits), wanted);
    }
}

#[test]
fn the_limit_is_set_where_the_wire_format_has_it() {
    let edits = Edits { max_output: Some(50), ..Edits::default() };
    for (wire, body, wanted) in [
        (Wire::OpenAiChat, r#"{"a":1}"#, r#"{"a":1,"max_completion_tokens":50}"#),
        (Wire::OpenAiChat, r#"{}"#, r#"{"max_completion_tokens":50}"#),
        (Wire::OpenAiChat, r#"{"max_tokens":900,"a":1}"#, r#"{"max_completion_tokens":50,"a":1}"#),
        (Wire::OpenAiChat, r#"{ "max_\u0074okens" : 9 }"#, r#"{ "max_completion_tokens" : 50 }"#),
        (
            Wire::OpenAiChat,
            r#"{"max_tokens":9,"max_completion_tokens":null}"#,
            r#"{"max_tokens":null,"max_completion_tokens":50}"#,
        ),
        (Wire::OpenAiChat, r#"{"max_tokens":null}"#, r#"{"max_tokens":null,"max_completion_tokens":50}"#),
        (
            Wire::OpenAiChat,
            r#"{"max_tokens":900,"max_completion_tokens":800}"#,
            r#"{"max_tokens":50,"max_completion_tokens":50}"#,
        ),
        (Wire::OpenAiCompletions, r#"{"a":1}"#, r#"{"a":1,"max_tokens":50}"#),
        (Wire::OpenAiResponses, r#"{"max_output_tokens":1e5}"#, r#"{"max_output_tokens":50}"#),
        (Wire::AnthropicMessages, r#"{"max_tokens":64000}"#, r#"{"max_tokens":50}"#),
        (Wire::GeminiGenerate, r#"{"a":1}"#, r#"{"a":1,"generationConfig":{"maxOutputTokens":50}}"#),
        (
            Wire::GeminiStream,
            r#"{"generationConfig":{"topK":1}}"#,
            r#"{"generationConfig":{"topK":1,"maxOutputTokens":50}}"#,
        ),
        (
            Wire::GeminiStream,
            r#"{"generation_config":{"max_output_tokens":9}}"#,
            r#"{"generation_config":{"max_output_tokens":50}}"#,
        ),
        (Wire::OpenAiEmbeddings, r#"{"input":"x"}"#, r#"{"input":"x"}"#),
    ] {
        assert_eq!(edited(wire, body, &edits), wanted);
    }
}

#[test]
fn several_edits_at_once_and_names_that_need_escapes() {
    let edits = Edits {
        include_usage: true,
        max_output: Some(5),
        limit_name: LimitName::default(),
        model: Some("a\"b"),
    };
    let wanted = "{\"model\":\"a\\\"b\",\"stream\":true,\"max_completion_tokens\":5,\
                  \"stream_options\":{\"include_usage\":true}}";
    assert_eq!(edited(Wire::OpenAiChat, r#"{"model":"fast","stream":true}"#, &edits), wanted);
    let model = Edits { model: Some("m"), ..Edits::default() };
    assert_eq!(edited(Wire::OpenAiChat, "{}", &model), r#"{"model":"m"}"#);
    assert_eq!(edited(Wire::GeminiGenerate, "{}", &model), "{}");
    assert_eq!(edited(Wire::Other, "{}", &model), "{}");
}

#[test]
fn nothing_to_do_gives_nothing() {
    let body =
        document(r#"{"model":"m","max_tokens":5,"stream":true,"stream_options":{"include_usage":true}}"#);
    for edits in [
        Edits::default(),
        Edits {
            include_usage: true,
            max_output: Some(5),
            limit_name: LimitName::MaxTokens,
            model: Some("m"),
        },
    ] {
        assert_eq!(edit(Wire::OpenAiChat, &body, &edits).unwrap(), None);
    }
}

proptest! {
    #[test]
    fn every_other_byte_stays(
        before in any_json(),
        after in any_json(),
        current in prop::option::of(any::<u64>()),
        limit in any::<u64>(),
        pretty in any::<bool>(),
    ) {
        let mut body = serde_json::Map::new();
        body.insert("before".into(), before);
        if let Some(current) = current {
            body.insert("max_tokens".into(), current.into());
        }
        body.insert("after".into(), after);
        let mut wanted = body.clone();
        wanted.insert("max_tokens".into(), limit.into());
        let text = if pretty { serde_json::to_string_pretty(&body) } else { serde_json::to_string(&body) }.unwrap();
        let edits = Edits { max_output: Some(limit), ..Edits::default() };
        let result = edited(Wire::AnthropicMessages, &text, &edits);
        prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&result).unwrap(), serde_json::Value::Object(wanted));
        let object = Object::parse(text.as_bytes(), 64).unwrap();
        let (span, added) = match object.span_of("max_tokens") {
            Some(span) => (span, limit.to_string()),
            None => (object.close_offset()..object.close_offset(), format!(",\"max_tokens\":{limit}")),
        };
        prop_assert_eq!(result, [&text[..span.start], &added, &text[span.end..]].concat());
    }
}

#[test]
fn a_limit_of_ours_has_the_name_that_the_upstream_knows() {
    let edits = Edits { max_output: Some(50), limit_name: LimitName::MaxTokens, ..Edits::default() };
    for (body, wanted) in [
        (r#"{"a":1}"#, r#"{"a":1,"max_tokens":50}"#),
        (r#"{"max_completion_tokens":900}"#, r#"{"max_tokens":50}"#),
        (r#"{"max_completion_tokens":50}"#, r#"{"max_tokens":50}"#),
        (r#"{"max_tokens":900}"#, r#"{"max_tokens":50}"#),
        (
            r#"{"max_tokens":null,"max_completion_tokens":9}"#,
            r#"{"max_tokens":50,"max_completion_tokens":null}"#,
        ),
    ] {
        assert_eq!(edited(Wire::OpenAiChat, body, &edits), wanted);
    }
    assert!(Edits { limit_name: LimitName::MaxTokens, ..Edits::default() }.change_nothing());
    assert!(!edits.change_nothing());
    let compact = edited(Wire::OpenAiCompact, r#"{"model":"m"}"#, &edits);
    assert_eq!(compact, r#"{"model":"m"}"#);
}
