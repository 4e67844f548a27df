//! Whom a limit counts for, and over what time.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::RunId;

/// Whom a limit counts for. Written `global`, `tenant:NAME`, `key:NAME`, `run:ID`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Everything this installation does.
    Global,
    /// One tenant.
    Tenant(Arc<str>),
    /// One API key, by its name.
    Key(Arc<str>),
    /// One run.
    Run(RunId),
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Global => f.write_str("global"),
            Self::Tenant(name) => write!(f, "tenant:{name}"),
            Self::Key(name) => write!(f, "key:{name}"),
            Self::Run(id) => write!(f, "run:{id}"),
        }
    }
}

/// The text names no scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a scope (global, tenant:NAME, key:NAME or run:ID)")]
pub struct ParseScopeError(String);

impl FromStr for Scope {
    type Err = ParseScopeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = || ParseScopeError(text.to_owned());
        match text.split_once(':') {
            None if text == "global" => Ok(Self::Global),
            Some(("tenant", name)) if !name.is_empty() => Ok(Self::Tenant(name.into())),
            Some(("key", name)) if !name.is_empty() => Ok(Self::Key(name.into())),
            Some(("run", id)) => id.parse().map(Self::Run).map_err(|_| refused()),
            _ => Err(refused()),
        }
    }
}

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Over what time a limit counts. Days and months are calendar ones, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Window {
    /// Since the account was opened or last reset.
    #[default]
    Total,
    /// The last sixty seconds, sliding: a burn rate.
    Minute,
    /// The calendar day.
    Day,
    /// The calendar month.
    Month,
}

impl Window {
    /// The name used in configuration and answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Total => "total",
            Self::Minute => "minute",
            Self::Day => "day",
            Self::Month => "month",
        }
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Window {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Total, Self::Minute, Self::Day, Self::Month]
            .into_iter()
            .find(|window| window.as_str() == text)
            .ok_or_else(|| format!("{text:?} is not a window (total, minute, day or month)"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_read_back_as_they_are_shown() {
        for text in ["global", "tenant:acme", "key:ci", "key:a:b", "run:01890a5d-ac96-774b-bcce-b302099a8057"]
        {
            assert_eq!(text.parse::<Scope>().unwrap().to_string(), text);
        }
        for text in ["", "Global", "key:", "tenant", "run:1"] {
            assert!(text.parse::<Scope>().is_err(), "{text}");
        }
    }
}
