//! Requests of every wire format: reading never panics, and an edit changes what it is to change and nothing else.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use seawall_fuzz::{Input, WIRES};
use seawall_llm::json::{Document, Kind};
use seawall_llm::{Edits, LimitName, Object, Wire, edit, input_bound, read_request};

const DEPTH: usize = 128;
/// The members that an edit may touch.
const EDITED: [&str; 7] = [
    "model",
    "max_tokens",
    "max_completion_tokens",
    "max_output_tokens",
    "generationConfig",
    "generation_config",
    "stream_options",
];

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    let wire = input.pick(&WIRES);
    let edits = Edits {
        include_usage: input.flag(),
        max_output: input.pick(&[None, Some(1), Some(u64::MAX), Some(4096)]),
        limit_name: input.pick(&[LimitName::MaxTokens, LimitName::MaxCompletionTokens]),
        model: input.pick(&[None, Some("gpt-4o-mini"), Some(""), Some("a\"\\\u{7}b")]),
    };
    let path_model = input.pick(&[None, Some("gemini-2.5-pro")]);
    let Ok(document) = Document::parse(Bytes::copy_from_slice(input.rest()), DEPTH) else { return };
    let request = read_request(wire, path_model, &document);
    let edited = edit(wire, &document, &edits);
    let Ok(request) = request else { return };
    let body = document.text();
    let length = body.len() as u64;
    let bound = input_bound(&request, length, None);
    assert!(bound >= length || request.hidden_input, "a body can have more tokens than its bound");
    // Each prompt has a window of its own, and no more.
    assert!(input_bound(&request, length, Some(10)) <= request.inputs.saturating_mul(10));
    assert!(request.choices > 0 && request.inputs > 0);
    assert!(request.inputs <= length.max(1), "more prompts than bytes");
    // What was read can be edited, but for a key that stands twice deeper inside.
    let Ok(Some(edited)) = edited else { return };
    only_what_was_asked_for_has_changed(wire, body, &edited);
    says_what_was_asked_for(wire, body, &edited, &edits);
    assert_eq!(edit(wire, &whole(&edited), &edits), Ok(None), "a second edit changes something");
});

/// The two names of a chat's limit: a client's may go out under the other.
const LIMITS: [&str; 2] = ["max_tokens", "max_completion_tokens"];

fn only_what_was_asked_for_has_changed(wire: Wire, body: &Bytes, edited: &Bytes) {
    let (Ok(before), Ok(after)) = (Object::parse(body, usize::MAX), Object::parse(edited, usize::MAX)) else {
        panic!("the edited body is no object: {edited:?}");
    };
    for (key, value) in before.iter() {
        let may_be_renamed = wire == Wire::OpenAiChat && LIMITS.contains(&&*key);
        if may_be_renamed && LIMITS.iter().any(|name| after.get(name).is_some()) {
            continue;
        }
        let Some(now) = after.get(&key) else { panic!("the key {key:?} is gone") };
        assert!(EDITED.contains(&&*key) || now.raw() == value.raw(), "the value of {key:?} has changed");
    }
    assert!(after.iter().all(|(key, _)| before.get(&key).is_some() || EDITED.contains(&&*key)));
    // What lies between the values stays too: the bytes before the first value that may change, for one.
    let first = EDITED.iter().filter_map(|key| before.key_span_of(key)).map(|span| span.start).min();
    let kept = first.unwrap_or_else(|| before.close_offset());
    assert_eq!(body[..kept], edited[..kept]);
    assert!(edited.ends_with(&body[before.close_offset()..]), "what follows the last member has changed");
}

fn says_what_was_asked_for(wire: Wire, body: &Bytes, edited: &Bytes, edits: &Edits<'_>) {
    let Ok(request) = read_request(wire, None, &whole(edited)) else {
        panic!("the edited body can't be read: {edited:?}");
    };
    let Ok(before) = Object::parse(body, usize::MAX) else { return };
    let is_object = |key: &str| before.some(key).is_none_or(|value| value.kind() == Kind::Object);
    if let Some(model) = edits.model.filter(|_| names_its_model(wire)) {
        assert_eq!(request.model.as_deref(), Some(model));
    }
    if let Some(limit) = edits.max_output.filter(|_| has_a_limit(wire)) {
        let can_be_set = is_object("generationConfig") && is_object("generation_config");
        assert!(!can_be_set || request.max_output == Some(limit), "{:?}", request.max_output);
    }
    let optional = matches!(wire, Wire::OpenAiChat | Wire::OpenAiCompletions);
    if edits.include_usage && optional && request.stream && is_object("stream_options") {
        assert!(request.wants_usage);
    }
}

fn whole(edited: &Bytes) -> Document {
    let Ok(document) = Document::parse(edited.clone(), usize::MAX) else {
        panic!("the edited body is no object: {edited:?}");
    };
    document
}

fn names_its_model(wire: Wire) -> bool {
    !matches!(
        wire,
        Wire::GeminiGenerate | Wire::GeminiStream | Wire::GeminiCountTokens | Wire::GeminiEmbed | Wire::Other
    )
}

fn has_a_limit(wire: Wire) -> bool {
    wire.takes_output_limit()
}
