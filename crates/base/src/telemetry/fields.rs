//! Writing values into a line: masked, escaped, as JSON or as text.

use std::error::Error;
use std::fmt::{self, Debug, Write};

use seawall_types::mask;
use tracing::field::{Field, Visit};

use super::Format;

/// The field that `tracing` puts an event's words into.
pub(crate) const MESSAGE: &str = "message";

/// The names that every line has; a field of one of these names gets an underscore.
const RESERVED: [&str; 4] = ["ts", "level", "target", MESSAGE];

/// Appends `text` with everything escaped that could end the line, the string, or command a terminal.
pub(crate) fn push_escaped(line: &mut String, text: &str, quotes: bool) {
    for character in text.chars() {
        match character {
            '"' | '\\' if quotes => line.extend(['\\', character]),
            '\n' => line.push_str("\\n"),
            '\r' => line.push_str("\\r"),
            '\t' => line.push_str("\\t"),
            // The two separators end a line for JavaScript and some log collectors.
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') => {
                // Writing to a string can't fail.
                let _ = write!(line, "\\u{:04x}", u32::from(c));
            }
            c => line.push(c),
        }
    }
}

/// Appends a masked text as a value.
fn push_text(line: &mut String, text: &str, format: Format) {
    let masked = mask(text);
    let plain =
        || masked.chars().all(|c| c.is_alphanumeric() || "-_./:@+[]".contains(c)) && !masked.is_empty();
    if format == Format::Text && plain() {
        line.push_str(&masked);
    } else {
        line.push('"');
        push_escaped(line, &masked, true);
        line.push('"');
    }
}

/// Appends the fields of an event, leaving out its message and names that are there already.
pub(crate) struct FieldWriter<'a> {
    pub(crate) line: &'a mut String,
    /// For values that must be formatted before they can be masked.
    pub(crate) scratch: &'a mut String,
    /// The names written so far.
    pub(crate) names: &'a mut Vec<&'static str>,
    pub(crate) format: Format,
}

impl FieldWriter<'_> {
    /// Appends the name of a field; says no when the line has it already.
    pub(crate) fn begin(&mut self, name: &'static str) -> bool {
        if self.names.contains(&name) {
            return false;
        }
        self.names.push(name);
        let suffix = if RESERVED.contains(&name) { "_" } else { "" };
        // Writing to a string can't fail.
        let _ = match self.format {
            Format::Json => write!(self.line, ",\"{name}{suffix}\":"),
            Format::Text => write!(self.line, " {name}{suffix}="),
        };
        true
    }

    fn number(&mut self, field: &Field, value: impl fmt::Display) {
        if self.begin(field.name()) {
            let _ = write!(self.line, "{value}");
        }
    }

    fn text(&mut self, field: &Field, value: &str) {
        if field.name() != MESSAGE && self.begin(field.name()) {
            push_text(self.line, value, self.format);
        }
    }

    /// A number that JSON has no number for.
    fn wide_number(&mut self, field: &Field, value: impl fmt::Display) {
        self.formatted(field, format_args!("{value}"));
    }

    fn formatted(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        if field.name() != MESSAGE && self.begin(field.name()) {
            self.scratch.clear();
            let _ = self.scratch.write_fmt(value);
            push_text(self.line, self.scratch, self.format);
        }
    }
}

impl Visit for FieldWriter<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.formatted(field, format_args!("{value:?}"));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.formatted(field, format_args!("{}", Chain(value)));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.number(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.number(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.number(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        if value.is_finite() { self.number(field, value) } else { self.wide_number(field, value) }
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        self.wide_number(field, value);
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.wide_number(field, value);
    }
}

/// An error and what caused it, on one line.
struct Chain<'a>(&'a (dyn Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

/// Takes an event's message and nothing else.
pub(crate) struct MessageReader<'a>(pub(crate) &'a mut String);

impl Visit for MessageReader<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == MESSAGE {
            self.0.push_str(value);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == MESSAGE {
            let _ = write!(self.0, "{value:?}");
        }
    }
}

/// One field of a span, ready to be written into every line of it.
#[derive(Debug)]
pub(crate) struct SpanField {
    pub(crate) name: &'static str,
    /// Masked, escaped and in the form of the line.
    pub(crate) value: String,
}

/// The fields of a span.
#[derive(Debug, Default)]
pub(crate) struct SpanFields(pub(crate) Vec<SpanField>);

/// Keeps the fields of a span; one that is recorded again replaces the former.
pub(crate) struct SpanRecorder<'a> {
    pub(crate) fields: &'a mut SpanFields,
    pub(crate) format: Format,
}

impl SpanRecorder<'_> {
    fn put(&mut self, field: &Field, value: String) {
        let name = field.name();
        match self.fields.0.iter_mut().find(|known| known.name == name) {
            Some(known) => known.value = value,
            None => self.fields.0.push(SpanField { name, value }),
        }
    }

    fn put_text(&mut self, field: &Field, text: &str) {
        let mut value = String::with_capacity(text.len() + 2);
        push_text(&mut value, text, self.format);
        self.put(field, value);
    }
}

impl Visit for SpanRecorder<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put_text(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.put_text(field, &format!("{value:?}"));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.put_text(field, &Chain(value).to_string());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.to_string());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.to_string());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.to_string());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        if value.is_finite() {
            self.put(field, value.to_string())
        } else {
            self.put_text(field, &value.to_string())
        }
    }
}
