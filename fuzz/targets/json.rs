//! The JSON scanner takes and refuses what serde_json does, and reads the same values in it.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use seawall_llm::json::Document;
use seawall_llm::{JsonErrorKind, Object, Value};
use serde::de::IgnoredAny;
use serde_json::Value as Theirs;

/// serde_json's own limit is 128, which deep texts would make it refuse.
const DEPTH: usize = 100;

fuzz_target!(|data: &[u8]| {
    // This reader of serde_json has no limit of depth and takes lone surrogates; it leaves UTF-8 unchecked.
    let valid = std::str::from_utf8(data).is_ok() && serde_json::from_slice::<IgnoredAny>(data).is_ok();
    let ours = Value::parse(data, usize::MAX);
    assert_eq!(ours.is_ok(), valid, "ours: {ours:?}");
    agrees_on_objects(data, valid);
    if let (Ok(ours), Ok(theirs)) = (Value::parse(data, DEPTH), serde_json::from_slice::<Theirs>(data)) {
        same(&ours, &theirs);
    }
});

fn agrees_on_objects(data: &[u8], valid: bool) {
    match Object::parse(data, usize::MAX) {
        Ok(object) => {
            assert!(valid);
            keeps_an_object_without_each_key(data, &object);
            reads_the_same_when_its_strings_are_known(data, &object);
        }
        Err(error) if valid => assert!(
            matches!(
                error.kind,
                JsonErrorKind::NotAnObject | JsonErrorKind::DuplicateKey | JsonErrorKind::TooManyKeys
            ),
            "valid JSON was refused: {error}"
        ),
        Err(error) => assert!(error.offset <= data.len() && error.line > 0 && error.column > 0),
    }
}

fn reads_the_same_when_its_strings_are_known(data: &[u8], object: &Object<'_>) {
    let Ok(document) = Document::parse(Bytes::copy_from_slice(data), usize::MAX) else { panic!("no document") };
    for ((key, known), (same_key, unknown)) in document.object().iter().zip(object.iter()) {
        assert_eq!(key, same_key);
        let spans = |value: &Value<'_>| value.elements().map(|element| element.span()).collect::<Vec<_>>();
        assert_eq!((known.span(), spans(&known)), (unknown.span(), spans(&unknown)));
        if let (Ok(ours), Ok(theirs)) = (Value::parse(unknown.raw(), DEPTH), serde_json::from_slice::<Theirs>(unknown.raw())) {
            same(&ours, &theirs);
            same(&known, &theirs);
        }
    }
}

/// Whatever key is cut out: the rest is an object that has all others.
fn keeps_an_object_without_each_key(data: &[u8], object: &Object<'_>) {
    let keys: Vec<_> = object.iter().map(|(key, _)| key).take(8).collect();
    for key in &keys {
        let Some(cut) = object.cut_of(key) else { panic!("the key {key:?} can't be found again") };
        let rest = [&data[..cut.start], &data[cut.end..]].concat();
        let Ok(rest) = Object::parse(&rest, usize::MAX) else { panic!("no object without {key:?}") };
        assert!(rest.get(key).is_none());
        assert_eq!(rest.iter().count() + 1, object.iter().count());
    }
}

fn same(ours: &Value<'_>, theirs: &Theirs) {
    match theirs {
        Theirs::Null => assert!(ours.is_null()),
        Theirs::Bool(truth) => assert_eq!(ours.as_bool(), Some(*truth)),
        Theirs::Number(number) => same_number(ours, number),
        Theirs::String(text) => {
            assert_eq!(ours.as_str().as_deref(), Some(text.as_str()));
            assert_eq!(ours.text_len(), text.len() as u64);
        }
        Theirs::Array(items) => {
            let elements: Vec<_> = ours.elements().collect();
            assert_eq!(elements.len(), items.len());
            elements.iter().zip(items).for_each(|(ours, theirs)| same(ours, theirs));
        }
        Theirs::Object(members) => {
            let Some(object) = ours.as_object() else { panic!("no object: {ours:?}") };
            assert!(object.iter().all(|(key, _)| members.contains_key(&*key)));
            for (key, theirs) in members {
                let Some(ours) = object.get(key) else { panic!("the key {key:?} is missing") };
                same(&ours, theirs);
            }
        }
    }
}

fn same_number(ours: &Value<'_>, theirs: &serde_json::Number) {
    let text = std::str::from_utf8(ours.raw()).unwrap_or_default();
    match (ours.as_u64(), theirs.as_u64()) {
        (ours, Some(theirs)) => assert_eq!(ours, Some(theirs)),
        // `8.0` and `8e0` are whole to us: exactly the number that is written.
        (Some(ours), None) => assert_eq!(text.parse(), Ok(ours as f64), "{text}"),
        (None, None) => {}
    }
}
