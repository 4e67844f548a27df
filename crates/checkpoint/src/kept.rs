//! Copies of what tools are given and give, for the trace.
//!
//! A copy is all that happens here, and only where the trace keeps payloads; bounded, so that a large value costs little
//! memory. Redacting and writing is the trace's own thread's; while that is behind, the length of a value is all that is
//! written of it, so that calls are not refused for want of room for what they say.

use std::io;

use seawall_trace::content::Payload;
use serde_json::Value;

use crate::Checkpoint;

/// The most that is copied of one value, in bytes.
const LONGEST: usize = 64 * 1024;

impl Checkpoint {
    /// The value as the payload of this field, where the trace keeps payloads.
    pub(crate) fn kept(&self, field: &'static str, value: &Value) -> Option<Payload> {
        let trace = self.trace();
        trace.keeps_payloads().then(|| payload(field, value, if trace.is_pressed() { 0 } else { LONGEST }))
    }
}

fn payload(field: &'static str, value: &Value, most: usize) -> Payload {
    let mut beginning = Beginning { text: Vec::new(), bytes: 0, most };
    // It takes whatever it is given, and what is in a value can always be written.
    let _infallible = serde_json::to_writer(&mut beginning, value);
    let Beginning { mut text, bytes, .. } = beginning;
    // A character that was cut is left out with the rest.
    let valid = std::str::from_utf8(&text).map_or_else(|error| error.valid_up_to(), str::len);
    text.truncate(valid);
    Payload::json(field, String::from_utf8(text).unwrap_or_default(), bytes)
}

/// Keeps the beginning of what is written, and counts the rest.
struct Beginning {
    text: Vec<u8>,
    bytes: u64,
    most: usize,
}

impl io::Write for Beginning {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = self.most.saturating_sub(self.text.len());
        self.text.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        self.bytes = self.bytes.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn of_a_large_value_the_beginning_is_kept_and_its_length() {
        let value = json!({ "text": "ü".repeat(LONGEST) });
        let whole = value.to_string();
        let kept = payload("output", &value, LONGEST);
        // Where the limit falls within a character, that goes too.
        let end = whole.floor_char_boundary(LONGEST);
        assert_eq!(kept, Payload::json("output", whole[..end].to_owned(), whole.len() as u64));
        let small = payload("output", &json!([1, "ü"]), LONGEST);
        assert_eq!(small, Payload::json("output", "[1,\"ü\"]".to_owned(), 8));
        let nothing = payload("output", &json!([1, "ü"]), 0);
        assert_eq!(nothing, Payload::json("output", String::new(), 8));
    }
}
