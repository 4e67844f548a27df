//! A JSON document written anew while it is read: compact, each of its texts as a caller would have it.
//!
//! No tree is built of it. What is read twice by a tree's maker (names that stand twice in an object) is written twice. It
//! knows nothing of what is to be taken out.

use std::fmt;

use seawall_types::quote::quote;
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

/// What a text of a document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A name in an object.
    Name,
    Text,
    Number,
}

/// Who says what stands in the place of a text: by its kind, the name that it is the value of, and itself. `None`: it stays.
pub(super) trait Edit {
    fn edit(&self, kind: Kind, name: &str, text: &str) -> Option<String>;
}

/// Writes the document in `text` to the end of `out`, and says whether anything of it was edited. `None` when it is no
/// document (or one that is too deep); then `out` is as it was.
pub(super) fn transcribe(edit: &dyn Edit, name: &str, text: &str, out: &mut String) -> Option<bool> {
    let start = out.len();
    let mut pen = Pen { edit, out, is_edited: false };
    let mut reader = serde_json::Deserializer::from_str(text);
    let read = Value { pen: &mut pen, name }.deserialize(&mut reader).and_then(|()| reader.end());
    let is_edited = pen.is_edited;
    if read.is_err() {
        out.truncate(start);
        return None;
    }
    Some(is_edited)
}

/// Writes a text as JSON to the end of `out`.
pub(super) fn push_quoted(out: &mut String, text: &str) {
    out.reserve(text.len() + 2);
    quote(text, |piece| out.push_str(piece));
}

/// What writes.
struct Pen<'e, 'o> {
    edit: &'e dyn Edit,
    out: &'o mut String,
    is_edited: bool,
}

impl Pen<'_, '_> {
    /// A text as JSON. One that was written without escapes needs none now.
    fn text(&mut self, kind: Kind, name: &str, text: &str, is_plain: bool) {
        match self.edit.edit(kind, name, text) {
            Some(edited) => {
                self.is_edited = true;
                push_quoted(self.out, &edited);
            }
            None if is_plain => {
                self.out.push('"');
                self.out.push_str(text);
                self.out.push('"');
            }
            None => push_quoted(self.out, text),
        }
    }

    fn number(&mut self, name: &str, number: impl Into<serde_json::Value>) {
        let number = number.into().to_string();
        match self.edit.edit(Kind::Number, name, &number) {
            Some(edited) => {
                self.is_edited = true;
                push_quoted(self.out, &edited);
            }
            None => self.out.push_str(&number),
        }
    }
}

/// The value that is read next, and the name that it has.
struct Value<'p, 'e, 'o, 'n> {
    pen: &'p mut Pen<'e, 'o>,
    name: &'n str,
}

impl<'de> DeserializeSeed<'de> for Value<'_, '_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_, '_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        self.pen.out.push_str("null");
        Ok(())
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<(), E> {
        self.pen.out.push_str(if value { "true" } else { "false" });
        Ok(())
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<(), E> {
        self.pen.number(self.name, value);
        Ok(())
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<(), E> {
        self.pen.number(self.name, value);
        Ok(())
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<(), E> {
        self.pen.number(self.name, value);
        Ok(())
    }

    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<(), E> {
        self.pen.text(Kind::Text, self.name, text, true);
        Ok(())
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<(), E> {
        self.pen.text(Kind::Text, self.name, text, false);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let Self { pen, name } = self;
        pen.out.push('[');
        let start = pen.out.len();
        while items.next_element_seed(Element { pen: &mut *pen, name, start })?.is_some() {}
        pen.out.push(']');
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        let pen = self.pen;
        pen.out.push('{');
        let start = pen.out.len();
        while let Some(name) = fields.next_key_seed(Name { pen: &mut *pen, start })? {
            fields.next_value_seed(Value { pen: &mut *pen, name: &name })?;
        }
        pen.out.push('}');
        Ok(())
    }
}

/// The next element of a list that began at `start`.
struct Element<'p, 'e, 'o, 'n> {
    pen: &'p mut Pen<'e, 'o>,
    name: &'n str,
    start: usize,
}

impl<'de> DeserializeSeed<'de> for Element<'_, '_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        let Self { pen, name, start } = self;
        if pen.out.len() > start {
            pen.out.push(',');
        }
        Value { pen, name }.deserialize(reader)
    }
}

/// The next name of an object that began at `start`.
struct Name<'p, 'e, 'o> {
    pen: &'p mut Pen<'e, 'o>,
    start: usize,
}

impl Name<'_, '_, '_> {
    fn write(self, name: &str, is_plain: bool) {
        if self.pen.out.len() > self.start {
            self.pen.out.push(',');
        }
        self.pen.text(Kind::Name, "", name, is_plain);
        self.pen.out.push(':');
    }
}

impl<'de> DeserializeSeed<'de> for Name<'_, '_, '_> {
    type Value = std::borrow::Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name<'_, '_, '_> {
    type Value = std::borrow::Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_borrowed_str<E: de::Error>(self, name: &'de str) -> Result<Self::Value, E> {
        self.write(name, true);
        Ok(name.into())
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Self::Value, E> {
        self.write(name, false);
        Ok(name.to_owned().into())
    }
}
