//! What an event says: JSON that is known to be one object on one line, so that nobody has to read it again.

use std::cell::Cell;
use std::ops::Deref;

use serde::Serialize;
use serde_json::{Map, Value};

/// A buffer that has grown beyond this gives its memory back.
const KEEP_BUFFER: usize = 64 << 10;

thread_local! {
    /// Where data is written before its length is known, so that each costs one allocation of the right size.
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// One JSON object, compact, without a line break.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventData(Box<str>);

impl EventData {
    /// `data` as JSON; `{}` when it can't be written as an object.
    #[must_use]
    pub fn of(data: &impl Serialize) -> Self {
        let mut buffer = BUFFER.take();
        let is_written = serde_json::to_writer(&mut buffer, data).is_ok();
        let text = std::str::from_utf8(&buffer).ok().filter(|text| is_written && text.starts_with('{'));
        let data =
            Self(text.map_or_else(|| "{}".into(), |text| on_one_line(text).unwrap_or_else(|| text.into())));
        buffer.clear();
        if buffer.capacity() <= KEEP_BUFFER {
            BUFFER.set(buffer);
        }
        data
    }

    /// An object that its caller has put together: compact JSON, on one line. Nobody reads it again, so tests do.
    #[must_use]
    pub fn of_json(text: String) -> Self {
        debug_assert!(
            serde_json::from_str::<Map<String, Value>>(&text).is_ok() && on_one_line(&text).is_none(),
            "an object on one line: {text:?}"
        );
        Self(text.into_boxed_str())
    }
}

/// The same object without line breaks, where it has any: JSON that was taken over unread may be laid out.
fn on_one_line(text: &str) -> Option<Box<str>> {
    let breaks = [b'\n', b'\r'].iter().any(|line_break| text.as_bytes().contains(line_break));
    if !breaks {
        return None;
    }
    let object = serde_json::from_str::<Map<String, Value>>(text);
    Some(object.and_then(|object| serde_json::to_string(&object)).unwrap_or_else(|_| "{}".to_owned()).into())
}

impl Deref for EventData {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use serde_json::value::RawValue;

    use super::*;

    #[test]
    fn an_object_is_written_as_it_is() {
        assert_eq!(&*EventData::of(&json!({ "a": [1, "\n"], "b": {} })), r#"{"a":[1,"\n"],"b":{}}"#);
        assert_eq!(&*EventData::of(&json!({ "a": 2 })), r#"{"a":2}"#, "nothing is left of the one before");
    }

    #[test]
    fn what_is_no_object_is_an_empty_one() {
        for data in [json!(null), json!([{}]), json!("{}"), json!(1)] {
            assert_eq!(&*EventData::of(&data), "{}");
        }
        let unwritable = std::collections::HashMap::from([((1, 2), 3)]);
        assert_eq!(&*EventData::of(&unwritable), "{}", "a key that is no text");
    }

    #[test]
    fn json_that_was_taken_over_is_brought_on_one_line() {
        let raw = |text: &str| RawValue::from_string(text.to_owned()).unwrap();
        assert_eq!(&*EventData::of(&raw("{\n  \"a\": [1, 2]\r\n}")), r#"{"a":[1,2]}"#);
        assert_eq!(&*EventData::of(&json!({ "text": "two\nlines" })), r#"{"text":"two\nlines"}"#);
    }

    #[test]
    fn a_buffer_that_grew_is_not_kept() {
        let long = json!({ "text": "x".repeat(2 * KEEP_BUFFER) });
        assert!(EventData::of(&long).len() > KEEP_BUFFER);
        assert!(BUFFER.take().capacity() <= KEEP_BUFFER);
    }
}
