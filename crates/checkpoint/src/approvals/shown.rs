//! What people see of a call: its arguments without secrets, and a line that sums it up.

use seawall_trace::content::{Redact, redact_document};
use serde_json::Value;

/// The most that is shown of arguments, in bytes of JSON.
const LONGEST: usize = 64 * 1024;
/// The most characters of the line.
const LONGEST_LINE: usize = 200;

/// The arguments as they are kept and shown. Of very long ones the beginning, as a text that says so.
pub(super) fn arguments(redact: &dyn Redact, exact: &Value) -> Value {
    let shown = redact_document(redact, exact);
    let text = shown.to_string();
    if text.len() <= LONGEST {
        return shown;
    }
    let beginning = text.get(..text.floor_char_boundary(LONGEST)).unwrap_or_default();
    Value::String(format!("{beginning}… ({} bytes in all)", text.len()))
}

/// The call in a line, of arguments that are fit to be shown.
pub(super) fn line(redact: &dyn Redact, tool: &str, shown: &Value) -> String {
    let arguments = match shown {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let mut line = format!("{} {arguments}", redact.redact("", tool, false).as_deref().unwrap_or(tool));
    if let Some((end, _)) = line.char_indices().nth(LONGEST_LINE) {
        line.truncate(end);
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::PayloadRedactor;

    #[test]
    fn people_see_no_secret_and_nobody_s_data() {
        let redact = PayloadRedactor::new();
        let exact = json!({ "password": "hunter2hunter2", "to": "ann@example.com", "nested": "{\"mail\":\"bob@example.com\"}" });
        let shown = arguments(&redact, &exact);
        let line = line(&redact, "send", &shown);
        for text in [shown.to_string(), line] {
            assert!(!text.contains("hunter2") && !text.contains("example.com"), "{text}");
        }
        assert_eq!(arguments(&redact, &json!({ "amount": 5 })), json!({ "amount": 5 }));
    }

    #[test]
    fn very_long_arguments_are_shown_in_part_and_say_so() {
        let redact = PayloadRedactor::new();
        let shown = arguments(&redact, &json!({ "text": "ü".repeat(LONGEST) }));
        let text = shown.as_str().unwrap();
        assert!(text.len() < LONGEST + 100 && text.ends_with(" bytes in all)"), "{}", text.len());
        assert!(line(&redact, "write", &shown).chars().count() <= LONGEST_LINE + 1);
    }
}
