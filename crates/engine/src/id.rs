//! Names of agents, messages and calls. Who makes them up is the runtime: this crate has no randomness.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The longest name of an agent, in bytes.
const LONGEST_AGENT_ID: usize = 128;

/// The name of an agent. It may become the name of a folder, so it can't lead anywhere.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AgentId(Arc<str>);

/// The text can't name an agent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} can't name an agent: use 1 to 128 of A-Z a-z 0-9 . _ -, and begin with a letter or digit")]
pub struct ParseAgentIdError(String);

impl AgentId {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AgentId {
    type Err = ParseAgentIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let begins_well = text.starts_with(|first: char| first.is_ascii_alphanumeric());
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if begins_well && text.len() <= LONGEST_AGENT_ID && text.bytes().all(is_plain) {
            return Ok(Self(text.into()));
        }
        Err(ParseAgentIdError(text.chars().take(LONGEST_AGENT_ID).collect()))
    }
}

/// One call of a tool: the n-th that the model asked for in a step, both counted from 1. Shown as `call_3_1`.
///
/// It stands in messages instead of what the provider called it, because providers repeat theirs (`toolcall-0`), and
/// a history in which two calls have one name is refused by others.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId {
    /// The step of the agent.
    pub step: u64,
    /// Which call of the step.
    pub index: u32,
}

/// The text names no call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} names no call of a tool (call_STEP_NUMBER)")]
pub struct ParseCallIdError(String);

impl FromStr for CallId {
    type Err = ParseCallIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = || {
            let (step, index) = text.strip_prefix("call_")?.split_once('_')?;
            Some(Self { step: step.parse().ok()?, index: index.parse().ok()? })
        };
        parts().ok_or_else(|| ParseCallIdError(text.to_owned()))
    }
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "call_{}_{}", self.step, self.index)
    }
}

impl fmt::Display for AgentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name of a message, given by whoever accepts it. The same name twice is the same message.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MessageId(pub Arc<str>);

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

macro_rules! as_text {
    ($($name:ident)*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

as_text! { AgentId CallId }

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_an_agent_leads_nowhere() {
        for text in ["a", "agt-01", "Team.writer_2"] {
            assert_eq!(text.parse::<AgentId>().unwrap().as_str(), text);
        }
        for text in ["", ".", "..", "../escaped", "a/b", "a\\b", "-x", "a b", "ä", &"x".repeat(129)] {
            assert!(text.parse::<AgentId>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_call_is_read_back_as_it_was_shown() {
        let call = CallId { step: 3, index: 1 };
        assert_eq!(call.to_string(), "call_3_1");
        assert_eq!("call_3_1".parse(), Ok(call));
        for text in ["", "call_", "call_1", "call_1_", "1_1", "call_1_1_1", "call_-1_1"] {
            assert!(text.parse::<CallId>().is_err(), "{text}");
        }
    }
}
