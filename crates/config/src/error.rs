//! What is wrong with a configuration: every fault with its place and its remedy.

use std::fmt;

use serde::Serialize;

use super::node::Origin;
use seawall_types::mask;

/// One fault.
///
/// Shown as `config.yaml: gateway.lisen: unknown key; did you mean gateway.listen?`. Holds no secret: values of keys
/// declared as secrets and values that came by reference are never put in, and the rest is masked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConfigError {
    /// Where the faulty value was written.
    #[serde(serialize_with = "as_text")]
    pub origin: Origin,
    /// The key with dots and indices (`upstreams[0].name`); empty when the whole file is meant.
    pub key: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl ConfigError {
    pub(crate) fn new(origin: Origin, key: &str, message: &str, hint: &str) -> Self {
        let hint = (!hint.is_empty()).then(|| shown(hint));
        Self { origin, key: shown(key), message: shown(message), hint }
    }
}

/// What is shown of a text: without credentials, and on one line, whatever a key in the file holds.
fn shown(text: &str) -> String {
    let masked = mask(text);
    if !masked.contains(char::is_control) {
        return masked.into_owned();
    }
    let mut shown = String::with_capacity(masked.len());
    for character in masked.chars() {
        if character.is_control() {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

fn as_text<S: serde::Serializer>(origin: &Origin, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(origin)
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.origin {
            Origin::Default => f.write_str("configuration: ")?,
            Origin::File(_) | Origin::Env(_) | Origin::Flag => write!(f, "{}: ", self.origin)?,
        }
        // Faults of others, which are made elsewhere, may quote anything too.
        if !self.key.is_empty() {
            write!(f, "{}: ", shown(&self.key))?;
        }
        f.write_str(&shown(&self.message))?;
        self.hint.as_ref().map_or(Ok(()), |hint| write!(f, "; {}", shown(hint)))
    }
}

impl std::error::Error for ConfigError {}

/// All faults of a configuration, at least one. Shown one a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Errors(pub Vec<ConfigError>);

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            fmt::Display::fmt(error, f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Errors {}
