//! The scanner accepts what RFC 8259 accepts, and reads what serde_json reads.

use std::ops::Range;

use bytes::Bytes;
use proptest::prelude::*;
use seawall_llm::Wire;
use seawall_llm::json::{Document, JsonErrorKind, Kind, Object, Value};
use seawall_llm::screen::prompt::screen_prompt;
use serde_json::value::RawValue;

fn kind_of(text: &[u8]) -> Option<JsonErrorKind> {
    Object::parse(text, 128).err().map(|error| error.kind)
}

#[test]
fn what_the_standard_allows_is_accepted() {
    for text in [
        r#"{}"#,
        " \t\r\n{ } \n",
        r#"{"a":[1,-0,0.5,1e5,1E+2,-1.25e-3,[],[[]],{}]}"#,
        r#"{"":""}"#,
        r#"{"a":"\"\\\/\b\f\n\r\t\u00e9\uD83D\uDE00"}"#,
        r#"{"lone":"\uD800","pair reversed":"\uDE00\uD83D"}"#,
        r#"{"a":true,"b":false,"c":null}"#,
        r#"{"nested":{"same":1,"same":2}}"#,
        "{\"del\":\"\u{7f}\",\"emoji\":\"😀\",\"nbsp\":\"\u{a0}\"}",
        r#"{"a":123456789012345678901234567890}"#,
    ] {
        assert_eq!(kind_of(text.as_bytes()), None, "{text}");
    }
}

#[test]
fn what_the_standard_forbids_is_refused_for_the_right_reason() {
    use JsonErrorKind::*;
    for (text, kind) in [
        (&b""[..], UnexpectedEnd),
        (b"   ", UnexpectedEnd),
        (b"[]", NotAnObject),
        (b"null", NotAnObject),
        (b"\"x\"", NotAnObject),
        (b"x", Syntax),
        (b"\xEF\xBB\xBF{}", Syntax),
        (b"{", UnexpectedEnd),
        (b"{\"a\"", UnexpectedEnd),
        (b"{\"a\":", UnexpectedEnd),
        (b"{\"a\":1", UnexpectedEnd),
        (b"{\"a\":\"x", UnexpectedEnd),
        (b"{\"a\":[1,", UnexpectedEnd),
        (b"{\"a\":tru", UnexpectedEnd),
        (b"{\"a\":1,}", Syntax),
        (b"{,}", Syntax),
        (b"{\"a\":[1,]}", Syntax),
        (b"{\"a\":[,1]}", Syntax),
        (b"{\"a\":[1 2]}", Syntax),
        (b"{\"a\" 1}", Syntax),
        (b"{\"a\"::1}", Syntax),
        (b"{a:1}", Syntax),
        (b"{'a':1}", Syntax),
        (b"{\"a\":01}", Syntax),
        (b"{\"a\":-}", Syntax),
        (b"{\"a\":1.}", Syntax),
        (b"{\"a\":.5}", Syntax),
        (b"{\"a\":1e}", Syntax),
        (b"{\"a\":+1}", Syntax),
        (b"{\"a\":0x1}", Syntax),
        (b"{\"a\":NaN}", Syntax),
        (b"{\"a\":True}", Syntax),
        (b"{\"a\":nul}", Syntax),
        (b"{\"a\":\"\t\"}", Syntax),
        (b"{\"a\":\"\\x\"}", Syntax),
        (b"{\"a\":\"\\u12g4\"}", Syntax),
        (b"{\"a\":[}", Syntax),
        (b"{\"a\":[1}]", Syntax),
        (b"{\"a\":1}/**/", TrailingData),
        (b"{}{}", TrailingData),
        (b"{} x", TrailingData),
        (b"{\"a\":\"\xff\"}", Utf8),
        (b"{\"a\":\"\xed\xa0\x80\"}", Utf8),
    ] {
        assert_eq!(kind_of(text), Some(kind), "{}", String::from_utf8_lossy(text));
    }
}

#[test]
fn the_same_key_twice_is_refused_however_it_is_written() {
    assert_eq!(kind_of(br#"{"a":1,"b":2,"a":3}"#), Some(JsonErrorKind::DuplicateKey));
    assert_eq!(kind_of(br#"{"model":"x","\u006dodel":"y"}"#), Some(JsonErrorKind::DuplicateKey));
    assert_eq!(kind_of(br#"{"\u006dodel":"y","model":"x"}"#), Some(JsonErrorKind::DuplicateKey));
    let nested = br#"{"o":{"n":1,"n":2}}"#;
    let inner = Object::parse(nested, 8).unwrap().get("o").unwrap();
    assert_eq!(inner.as_object().unwrap().get("n").unwrap().as_u64(), Some(2));
    assert_eq!(inner.as_unique_object().unwrap_err().kind, JsonErrorKind::DuplicateKey);
}

#[test]
fn a_key_is_found_by_what_it_reads_as_and_not_by_how_it_is_written() {
    let object = Object::parse(br#"{"\\":1,"\\\\":2,"\u0061":3}"#, 2).unwrap();
    let number = |key| object.get(key).and_then(|value| value.as_u64());
    assert_eq!([number("\\"), number("\\\\"), number("a")], [Some(1), Some(2), Some(3)]);
    assert_eq!(number("\\u0061"), None);
}

#[test]
fn depth_and_keys_are_bounded_and_cost_no_stack() {
    let deep = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    assert!(Object::parse(deep(127).as_bytes(), 128).is_ok());
    assert_eq!(kind_of(deep(128).as_bytes()), Some(JsonErrorKind::Depth));
    assert!(Object::parse(deep(1_000_000).as_bytes(), usize::MAX).is_ok());
    assert_eq!(Object::parse(b"{}", 0).unwrap_err().kind, JsonErrorKind::Depth);
    let keys: Vec<String> = (0..600).map(|key| format!("\"{key}\":0")).collect();
    assert_eq!(kind_of(format!("{{{}}}", keys.join(",")).as_bytes()), Some(JsonErrorKind::TooManyKeys));
}

#[test]
fn an_error_names_byte_line_and_column() {
    let error = Object::parse(b"{\n  \"a\": 1,\n  \"b\": oops\n}", 8).unwrap_err();
    assert_eq!((error.offset, error.line, error.column), (19, 3, 8));
    assert_eq!(error.to_string(), "unexpected character at line 3, column 8 (byte 19)");
}

#[test]
fn whole_numbers_are_read_exactly_however_they_are_written() {
    for (text, number) in [
        ("0", Some(0)),
        ("18446744073709551615", Some(u64::MAX)),
        ("18446744073709551616", None),
        ("100.0", Some(100)),
        ("1e3", Some(1_000)),
        ("1.5e1", Some(15)),
        ("1200e-2", Some(12)),
        ("1.5", None),
        ("-1", None),
        ("1e400", None),
        ("9007199254740993", Some(9_007_199_254_740_993)),
    ] {
        let body = format!("{{\"n\":{text}}}");
        assert_eq!(Object::parse(body.as_bytes(), 2).unwrap().get("n").unwrap().as_u64(), number, "{text}");
    }
}

#[test]
fn spans_are_those_of_the_whole_text() {
    let text = br#" {"a" : {"b":[10, 20 ]} , "c":"x"} "#;
    let object = Object::parse(text, 8).unwrap();
    assert_eq!(&text[object.span_of("c").unwrap()], br#""x""#);
    assert_eq!(text[object.close_offset()], b'}');
    let inner = object.get("a").unwrap().as_object().unwrap();
    assert_eq!(&text[inner.span_of("b").unwrap()], b"[10, 20 ]");
    assert_eq!(text[inner.close_offset()], b'}');
    let elements: Vec<_> =
        inner.get("b").unwrap().elements().filter_map(|element| element.as_u64()).collect();
    assert_eq!(elements, [10, 20]);
}

#[test]
fn cutting_a_member_leaves_an_object() {
    for (text, key, rest) in [
        (r#"{"usage":null}"#, "usage", "{}"),
        (r#"{"usage":null,"a":1}"#, "usage", r#"{"a":1}"#),
        (r#"{"a":1,"usage":null}"#, "usage", r#"{"a":1}"#),
        (r#"{"a":1 , "usage" : null , "b":2}"#, "usage", r#"{"a":1 , "b":2}"#),
    ] {
        let cut = Object::parse(text.as_bytes(), 4).unwrap().cut_of(key).unwrap();
        let mut left = text.to_owned();
        left.replace_range(cut, "");
        assert_eq!(left, rest);
    }
}

/// Whether both readings of one value agree, all the way down.
fn same(ours: &Value<'_>, theirs: &serde_json::Value) -> bool {
    match theirs {
        serde_json::Value::Null => ours.is_null(),
        serde_json::Value::Bool(flag) => ours.as_bool() == Some(*flag),
        serde_json::Value::Number(number) => {
            ours.kind() == Kind::Number && number.as_u64().is_none_or(|n| ours.as_u64() == Some(n))
        }
        serde_json::Value::String(text) => {
            ours.as_str().as_deref() == Some(text) && ours.text_len() == text.len() as u64
        }
        serde_json::Value::Array(elements) => {
            let read: Vec<_> = ours.elements().collect();
            read.len() == elements.len() && read.iter().zip(elements).all(|(ours, theirs)| same(ours, theirs))
        }
        serde_json::Value::Object(members) => {
            let object = ours.as_object().unwrap();
            object.iter().count() == members.len()
                && members.iter().all(|(key, theirs)| object.get(key).is_some_and(|ours| same(&ours, theirs)))
        }
    }
}

pub(crate) fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<u64>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        "\\PC{0,12}".prop_map(Into::into),
        "[\"\\\\\u{0}-\u{1f}é😀a]{0,8}".prop_map(Into::into),
        "([a-zé ]{0,30}[\"\\\\\u{0}-\u{1f}]){3,9}".prop_map(Into::into),
    ];
    leaf.prop_recursive(5, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            prop::collection::btree_map("[a-c\"\\\\é]{0,3}|[ab\"]{125,130}", inner, 0..6)
                .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
        ]
    })
}

/// A character or a few as they may stand in a string: by themselves, or escaped in any way that there is.
fn written() -> impl Strategy<Value = String> {
    let escaped =
        |c: char| c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect::<String>();
    prop_oneof![
        "[a-zé😀]{0,20}",
        any::<char>().prop_map(escaped),
        prop::sample::select(vec!["\\\\", "\\\"", "\\/", "\\b", "\\f", "\\n", "\\r", "\\t"])
            .prop_map(str::to_owned),
    ]
}

/// Where a value and all that is in it lie, objects of lists found both ways.
fn spans(value: &Value<'_>) -> Vec<Range<usize>> {
    let mut found = vec![value.span()];
    for element in value.elements() {
        found.extend(spans(&element));
    }
    for object in value.objects() {
        found.extend(object.iter().map(|(_, member)| member.span()));
    }
    for (_, member) in value.as_object().iter().flat_map(Object::iter) {
        found.extend(spans(&member));
    }
    found
}

/// The strings of a value that are not empty, and its numbers that are long.
fn strings(json: &serde_json::Value, found: &mut Vec<String>) {
    match json {
        serde_json::Value::String(text) if !text.is_empty() => found.push(text.clone()),
        serde_json::Value::Number(number) if number.to_string().len() >= 13 => found.push(number.to_string()),
        serde_json::Value::Array(elements) => elements.iter().for_each(|element| strings(element, found)),
        serde_json::Value::Object(members) => members.values().for_each(|member| strings(member, found)),
        _ => {}
    }
}

/// `text` with one byte changed, taken out or put in.
fn mutated(mut text: Vec<u8>, at: usize, byte: u8, how: u8) -> Vec<u8> {
    let at = at % (text.len() + 1);
    match how % 3 {
        0 if at < text.len() => text[at] = byte,
        1 if at < text.len() => drop(text.remove(at)),
        _ => text.insert(at, byte),
    }
    text
}

proptest! {
    #[test]
    fn every_document_reads_as_serde_json_reads_it(json in any_json(), pretty in any::<bool>()) {
        let text = if pretty { serde_json::to_string_pretty(&json) } else { serde_json::to_string(&json) }.unwrap();
        let value = Value::parse(text.as_bytes(), usize::MAX).unwrap();
        prop_assert!(same(&value, &json));
        prop_assert_eq!(value.raw(), text.as_bytes());
    }

    #[test]
    fn what_is_known_of_a_document_changes_nothing_of_what_it_reads_as(json in any_json(), pretty in any::<bool>()) {
        let json = serde_json::json!({ "first": json, "second": { "again": json } });
        let text = if pretty { serde_json::to_string_pretty(&json) } else { serde_json::to_string(&json) }.unwrap();
        let document = Document::parse(Bytes::from(text), usize::MAX).unwrap();
        let plain = Object::parse(document.text(), usize::MAX).unwrap();
        for key in ["second", "first"] {
            let (known, unknown) = (document.object().get(key).unwrap(), plain.get(key).unwrap());
            prop_assert!(same(&known, &json[key]));
            prop_assert_eq!(spans(&known), spans(&unknown));
        }
    }

    /// Of the arguments of a tool every string is a text, and every number that may be an account.
    #[test]
    fn the_texts_of_a_document_are_its_strings(json in any_json()) {
        let mut expected = Vec::new();
        strings(&json, &mut expected);
        let body = serde_json::json!({ "messages": { "arguments": json } }).to_string();
        let document = Document::parse(Bytes::from(body), usize::MAX).unwrap();
        let mut found = Vec::new();
        screen_prompt(Wire::Other, &document, |text| {
            found.push(text.text.to_owned());
            None
        });
        found.sort();
        expected.sort();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn escapes_stand_for_what_serde_json_says(pieces in prop::collection::vec(written(), 0..40)) {
        let text = format!("\"{}\"", pieces.concat());
        let ours = Value::parse(text.as_bytes(), 1).unwrap();
        let theirs: String = serde_json::from_str(&text).unwrap();
        let read = ours.as_str().unwrap();
        prop_assert_eq!(&*read, theirs.as_str());
        prop_assert_eq!(ours.text_len(), theirs.len() as u64);
    }

    #[test]
    fn broken_documents_are_refused_exactly_when_serde_json_refuses_them(
        json in any_json(),
        at in any::<usize>(),
        byte in prop_oneof![any::<u8>(), prop::sample::select(b"{}[]\",:\\u0-+.eE tfn\n".to_vec())],
        how in any::<u8>(),
    ) {
        let text = mutated(serde_json::to_vec(&json).unwrap(), at, byte, how);
        let theirs = serde_json::from_slice::<&RawValue>(&text).is_ok();
        prop_assert_eq!(Value::parse(&text, usize::MAX).is_ok(), theirs, "{}", String::from_utf8_lossy(&text));
    }

    #[test]
    fn no_bytes_make_the_scanner_panic_or_loop(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let theirs = serde_json::from_slice::<&RawValue>(&bytes).is_ok();
        prop_assert_eq!(Value::parse(&bytes, usize::MAX).is_ok(), theirs);
    }
}
