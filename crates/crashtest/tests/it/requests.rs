//! What the model saw: in every request each call of a tool has exactly one result, right behind it.

use std::collections::BTreeSet;

use serde_json::Value;

/// Checks one request of the form of OpenAI's chat completions.
pub(crate) fn assert_paired(body: &Value) {
    let mut open = BTreeSet::new();
    let mut known = BTreeSet::new();
    for message in body["messages"].as_array().unwrap() {
        let role = message["role"].as_str().unwrap();
        if role == "tool" {
            let id = message["tool_call_id"].as_str().unwrap();
            assert!(open.remove(id), "a result that nobody asked for, or a second one, of {id}: {body}");
            continue;
        }
        assert!(open.is_empty(), "calls without a result: {open:?} in {body}");
        for call in message["tool_calls"].as_array().into_iter().flatten() {
            let id = call["id"].as_str().unwrap();
            assert!(known.insert(id), "two calls named {id}: {body}");
            open.insert(id);
        }
    }
    assert!(open.is_empty(), "calls without a result: {open:?} in {body}");
}
