//! Whether two readers of a message could read it differently: keys that stand twice, and keys that some readers take for
//! others.
//!
//! Of a key that stands twice some take the first and others the last. Some readers, Go's among them, don't look at the
//! case of letters, by the rules of Unicode. Deep inside of arguments such names may be meant; on the two levels that the
//! protocol itself spells they never are.

use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// The keys that decide what a message does.
const DECISIVE: [&str; 9] =
    ["jsonrpc", "id", "method", "params", "result", "error", "name", "arguments", "uri"];

/// The levels that the protocol spells: the message, and its parameters.
const SPELLED: usize = 2;

/// Why a message is open to doubt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// This key stands twice in one object.
    Twice(String),
    /// Some take this key for another one.
    Lookalike(String),
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Twice(key) => write!(f, "the key {key:?} stands there twice"),
            Self::Lookalike(key) => write!(f, "some take the key {key:?} for another one"),
        }
    }
}

/// The first doubt about a text of JSON.
///
/// # Errors
/// When it is no JSON, or nests too deep to be read.
pub(super) fn doubt(text: &[u8]) -> serde_json::Result<Option<Doubt>> {
    let mut found = None;
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    Walk { found: &mut found, depth: 0 }.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(found)
}

/// Walks through a value, down from this depth.
struct Walk<'w> {
    found: &'w mut Option<Doubt>,
    depth: usize,
}

impl Walk<'_> {
    fn below(&mut self) -> Walk<'_> {
        Walk { found: self.found, depth: self.depth + 1 }
    }

    fn key(&mut self, key: &str, known: &mut HashSet<String>) {
        if self.found.is_some() {
            return;
        }
        let folded = if self.depth < SPELLED { fold(key) } else { key.to_owned() };
        if self.depth < SPELLED && folded != key && DECISIVE.contains(&folded.as_str()) {
            *self.found = Some(Doubt::Lookalike(key.to_owned()));
        } else if !known.insert(folded) {
            *self.found = Some(Doubt::Twice(key.to_owned()));
        }
    }
}

/// As readers see it that don't look at the case: through capitals, where more letters fall together.
fn fold(key: &str) -> String {
    key.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect()
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(self.below())?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut fields: A) -> Result<(), A::Error> {
        let mut known = HashSet::new();
        while let Some(key) = fields.next_key::<std::borrow::Cow<'de, str>>()? {
            self.key(&key, &mut known);
            fields.next_value_seed(self.below())?;
        }
        Ok(())
    }
}
