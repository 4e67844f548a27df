//! What a person allows or denies: which exact call, for how long, and who said so.
//!
//! How a person is reached is the runtime's. The hash binds a decision to the tool, its exact arguments and the version
//! of the policy that was in force: a yes to `pay(10, alice)` is not one to `pay(9999, mallory)`.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use seawall_types::{ApprovalId, Timestamp, canonical};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// The hash of a tool, its canonical arguments and a policy's version. Shown as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Binding([u8; 32]);

impl Binding {
    /// Binds to this call. Members of objects are taken in the order of their names and without white space; numbers
    /// are not made equal, so `1` and `1.0` are two calls.
    #[must_use]
    pub fn of(tool: &str, arguments: &Value, policy: &str) -> Self {
        let mut hasher = blake3::Hasher::new();
        for part in [tool, policy] {
            hasher.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
            hasher.update(part.as_bytes());
        }
        // A hasher takes whatever it is given, and what is in a value can always be written.
        let _infallible = canonical::write(arguments, &mut hasher);
        Self(*hasher.finalize().as_bytes())
    }
}

impl fmt::Display for Binding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Binding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is no hash.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not the hash of a call (64 hexadecimal digits)")]
pub struct ParseBindingError(String);

impl FromStr for Binding {
    type Err = ParseBindingError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let hash = blake3::Hash::from_hex(text).map_err(|_| ParseBindingError(text.to_owned()))?;
        Ok(Self(*hash.as_bytes()))
    }
}

impl Serialize for Binding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Binding {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// What a person says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ruling {
    /// The call may run.
    Allow,
    /// It must not.
    Deny,
}

/// What a decision is good for besides the call that was asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalScope {
    /// Nothing else.
    #[default]
    Once,
    /// Every call of the tool in the agent's life, under the same policy.
    Run,
    /// Every call with these arguments in the agent's life, under the same policy.
    Arguments,
}

/// Who decided what on an approval.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decided {
    /// What was said.
    pub ruling: Ruling,
    /// By whom; `expired` where nobody said anything in time.
    pub by: Arc<str>,
    /// When.
    pub at: Timestamp,
    /// What else it is good for.
    pub scope: ApprovalScope,
    /// What was said to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Arc<str>>,
    /// The arguments that the call may run with, where these are others than those asked about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arguments: Option<Arc<Value>>,
}

/// A question to a person about one call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Approval {
    /// Its identifier.
    pub id: ApprovalId,
    /// The exact call that it is about. After a decision with other arguments: with those.
    pub binding: Binding,
    /// The version of the policy that was in force.
    pub policy: Arc<str>,
    /// Why a person is asked, in a line.
    pub summary: Arc<str>,
    /// When it was asked.
    pub asked_at: Timestamp,
    /// When it is denied by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// What came of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided: Option<Decided>,
}

/// What people have decided for more than one call.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Grants {
    arguments: BTreeMap<Binding, Ruling>,
    /// By tool and policy.
    tools: BTreeMap<Arc<str>, BTreeMap<Arc<str>, Ruling>>,
}

impl Grants {
    /// Takes note of a decision. A denial stays: what allows comes after it.
    pub(crate) fn note(&mut self, tool: &Arc<str>, approval: &Approval, decided: &Decided) {
        let keep = |ruling: &mut Ruling| {
            if decided.ruling == Ruling::Deny {
                *ruling = Ruling::Deny;
            }
        };
        match decided.scope {
            ApprovalScope::Once => {}
            ApprovalScope::Arguments => {
                self.arguments.entry(approval.binding).and_modify(keep).or_insert(decided.ruling);
            }
            ApprovalScope::Run => {
                let policies = self.tools.entry(Arc::clone(tool)).or_default();
                policies.entry(Arc::clone(&approval.policy)).and_modify(keep).or_insert(decided.ruling);
            }
        }
    }

    /// What was said of such a call.
    pub(crate) fn of(&self, tool: &str, policy: &str, binding: &Binding) -> Option<Ruling> {
        let said =
            [self.arguments.get(binding), self.tools.get(tool).and_then(|policies| policies.get(policy))];
        let mut said = said.into_iter().flatten().copied();
        let first = said.next()?;
        Some(if said.any(|ruling| ruling == Ruling::Deny) { Ruling::Deny } else { first })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn another_tool_argument_or_policy_is_another_call() {
        let calls = [
            ("pay", json!({"to":"alice","usd":10}), "1"),
            ("pay", json!({"to":"mallory","usd":10}), "1"),
            ("pay", json!({"to":"alice","usd":10.0}), "1"),
            ("pay", json!({"to":"alice","usd":10}), "2"),
            ("pay1", json!({"to":"alice","usd":10}), ""),
            ("pay", json!(["to", "alice"]), "1"),
        ];
        let hashes: std::collections::HashSet<_> =
            calls.iter().map(|(tool, arguments, policy)| Binding::of(tool, arguments, policy)).collect();
        assert_eq!(hashes.len(), calls.len());
    }

    #[test]
    fn the_order_of_members_does_not_matter() {
        let [one, other] = [r#"{"a":1,"b":{"c":2,"d":3}}"#, r#"{ "b": {"d":3,"c":2}, "a": 1 }"#]
            .map(|text| Binding::of("t", &serde_json::from_str(text).unwrap(), "p"));
        assert_eq!(one, other);
        assert_eq!(one.to_string().parse(), Ok(one));
    }
}
