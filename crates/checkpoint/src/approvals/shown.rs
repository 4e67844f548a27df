//! What people see of a call: its arguments without secrets, and a line that sums it up.
//!
//! Personal data is masked, and not taken out: who decides on a payment has to tell the right account from another one.

use seawall_detect::{Kind, PiiKinds, Selection, TextDetector};
use seawall_trace::content::{Redact, redact_document};
use serde_json::Value;

/// The most that is shown of arguments, in bytes of JSON.
const LONGEST: usize = 64 * 1024;
/// The most characters of the line.
const LONGEST_LINE: usize = 200;

/// What stands where a text was taken out as a whole.
const GONE: &str = "[REDACTED]";
/// So many characters of personal data are left out, or all.
const LEAST_LEFT_OUT: usize = 5;
/// Stands for what is left out of personal data.
const LEFT_OUT: char = '…';

/// Takes out secrets and masks personal data.
#[derive(Debug)]
pub(super) struct Mask {
    detector: TextDetector,
}

impl Default for Mask {
    fn default() -> Self {
        let selection = Selection { secrets: true, pii: PiiKinds::all(), injection: false };
        Self { detector: TextDetector::new(selection) }
    }
}

impl Mask {
    fn masked(&self, text: &str) -> Option<String> {
        let mut masked = String::new();
        let mut kept_from = 0;
        self.detector.scan(text, |found| {
            masked.push_str(text.get(kept_from..found.range.start).unwrap_or_default());
            mask(found.kind, text.get(found.range.clone()).unwrap_or_default(), &mut masked);
            kept_from = found.range.end;
        });
        (kept_from > 0).then(|| masked + text.get(kept_from..).unwrap_or_default())
    }
}

impl Redact for Mask {
    fn redact(&self, name: &str, text: &str, is_cut: bool) -> Option<String> {
        if is_cut {
            // Arguments are looked at whole. Of a part nobody knows what it is the beginning of.
            return Some(GONE.to_owned());
        }
        if name.is_empty() {
            return self.masked(text);
        }
        // In a text a value would end at any quote; here it is known where it does.
        if let Some(kind) = self.detector.named(name, text) {
            return Some(kind.mark().to_owned());
        }
        // As it would stand in a text, where of credentials only what stands behind their scheme goes.
        let lead = format!("\"{name}\": \"");
        let masked = self.masked(&format!("{lead}{text}\""))?;
        let value = masked.strip_prefix(lead.as_str()).unwrap_or(GONE);
        Some(value.strip_suffix('"').unwrap_or(value).to_owned())
    }
}

/// Writes what people see of something that was found.
fn mask(kind: Kind, found: &str, out: &mut String) {
    let (first, last) = match kind {
        Kind::Email => return mask_address(found, out),
        // Where a call leads is what there is to decide on.
        Kind::Ip => return out.push_str(found),
        Kind::Iban | Kind::Card => (4, 4),
        Kind::Phone => (2, 3),
        Kind::CnId => (2, 4),
        Kind::Ssn => (0, 4),
        _ => return out.push_str(kind.mark()),
    };
    let told = |character: &char| character.is_alphanumeric() || *character == '+';
    let count = found.chars().filter(told).count();
    // Of something short that would be nearly all of it.
    if count < first + last + LEAST_LEFT_OUT {
        return out.push_str(kind.mark());
    }
    out.extend(found.chars().filter(told).take(first));
    out.push(LEFT_OUT);
    out.extend(found.chars().filter(told).skip(count - last));
}

/// The first letter and the whole domain, which says whose address it is.
fn mask_address(address: &str, out: &mut String) {
    let (name, domain) = address.rsplit_once('@').unwrap_or((address, ""));
    out.extend(name.chars().take(1));
    out.extend([LEFT_OUT, '@']);
    out.push_str(domain);
}

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

    #[test]
    fn people_see_no_secret_and_can_tell_one_person_s_data_from_another_s() {
        let mask = Mask::default();
        let exact = json!({
            "password": "hunter2hunter2",
            "to": "ann@example.com",
            "copy": "alice@evil.example",
            "nested": "{\"iban\":\"DE89 3704 0044 0532 0130 00\"}",
            "card": "4111 1111 1111 1111",
            "ssn": "536-90-4399",
            "host": "203.0.113.7",
            "amount": 5,
        });
        let shown = arguments(&mask, &exact);
        let expected = json!({
            "password": "[REDACTED:secret]",
            "to": "a…@example.com",
            "copy": "a…@evil.example",
            "nested": "{\"iban\":\"DE89…3000\"}",
            "card": "4111…1111",
            "ssn": "…4399",
            "host": "203.0.113.7",
            "amount": 5,
        });
        assert_eq!(shown, expected);
        let line = line(&mask, "send to ann@example.com", &shown);
        assert!(line.starts_with("send to a…@example.com {") && !line.contains("hunter2"), "{line}");
    }

    #[test]
    fn of_personal_data_enough_is_left_out() {
        for (kind, text, expected) in [
            (Kind::Phone, "+49 30 123456", "+4…456"),
            (Kind::Phone, "555-0100", "[REDACTED:phone]"),
            (Kind::Card, "4111111111111111", "4111…1111"),
            (Kind::Iban, "NO93 8601 1117 947", "NO93…7947"),
            (Kind::CnId, "11010519491231002X", "11…002X"),
            (Kind::Ssn, "078-05-1120", "…1120"),
            (Kind::AnthropicKey, "sk-ant-api03-AbCdEf", "[REDACTED:anthropic_key]"),
        ] {
            let mut shown = String::new();
            mask(kind, text, &mut shown);
            assert_eq!(shown, expected);
        }
    }

    #[test]
    fn very_long_arguments_are_shown_in_part_and_say_so() {
        let redact = Mask::default();
        let shown = arguments(&redact, &json!({ "text": "ü".repeat(LONGEST) }));
        let text = shown.as_str().unwrap();
        assert!(text.len() < LONGEST + 100 && text.ends_with(" bytes in all)"), "{}", text.len());
        assert!(line(&redact, "write", &shown).chars().count() <= LONGEST_LINE + 1);
    }
}
