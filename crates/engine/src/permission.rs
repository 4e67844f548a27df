//! Which tools an agent may call. What a policy says of a call's arguments is the checkpoint's; this is about names.

use seawall_types::Pattern;
use serde::{Deserialize, Deserializer, Serialize};
use std::sync::Arc;

use crate::ToolSpec;

/// What holds for a tool that no list names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PermissionMode {
    /// It may be called.
    #[default]
    Auto,
    /// A person is asked.
    Approval,
    /// It may be called if it says that it changes nothing, not if it says that it does; else a person is asked.
    Readonly,
    /// A hook judges each call ([`crate::Judgement`]); nothing is added here.
    Custom,
}

const MODES: [(&str, PermissionMode); 4] = [
    ("auto", PermissionMode::Auto),
    ("approval", PermissionMode::Approval),
    ("readonly", PermissionMode::Readonly),
    ("custom", PermissionMode::Custom),
];

impl<'de> Deserialize<'de> for PermissionMode {
    /// An unknown mode is an error, never the open one: an agent with a misspelt mode must not start.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let found = MODES.iter().find(|(name, _)| *name == text);
        found.map(|(_, mode)| *mode).ok_or_else(|| {
            let known = "use auto, approval, readonly or custom";
            serde::de::Error::custom(format!("{text:?} is no permission mode; {known}"))
        })
    }
}

/// Names of tools; one `*` in a name stands for any text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ToolNames(Vec<Pattern>);

impl ToolNames {
    fn name(&self, tool: &str) -> bool {
        self.0.iter().any(|pattern| pattern.matches(tool))
    }
}

impl FromIterator<Pattern> for ToolNames {
    fn from_iter<I: IntoIterator<Item = Pattern>>(patterns: I) -> Self {
        Self(patterns.into_iter().collect())
    }
}

impl Serialize for ToolNames {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(Pattern::as_str))
    }
}

impl<'de> Deserialize<'de> for ToolNames {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let names = Vec::<Arc<str>>::deserialize(deserializer)?;
        names.iter().map(|name| name.parse().map_err(serde::de::Error::custom)).collect()
    }
}

/// Which tools an agent may call: `deny_tools`, then `require_approval_tools`, then `allow_tools`, then the mode.
///
/// Asking goes before the list of what is allowed, so a tool that is only on the list of those to ask about is asked
/// about and not refused.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Permission {
    /// What holds for a tool that no list names.
    #[serde(default)]
    pub mode: PermissionMode,
    /// If there is this list, nothing else may be called. An empty one allows nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_tools: Option<ToolNames>,
    /// What may not be called.
    #[serde(default)]
    pub deny_tools: ToolNames,
    /// What a person is asked about.
    #[serde(default)]
    pub require_approval_tools: ToolNames,
}

/// What an agent's permission says of a tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Permitted {
    Yes,
    Ask,
    /// Why not, and what to do.
    No(&'static str),
}

impl Permission {
    pub(crate) fn of(&self, tool: &str, spec: &ToolSpec) -> Permitted {
        if self.deny_tools.name(tool) {
            return Permitted::No("deny_tools names it; use another tool");
        }
        if self.require_approval_tools.name(tool) {
            return Permitted::Ask;
        }
        if self.allow_tools.as_ref().is_some_and(|allowed| !allowed.name(tool)) {
            return Permitted::No("allow_tools doesn't name it; use one that it names");
        }
        match (self.mode, spec.mutates) {
            (PermissionMode::Auto | PermissionMode::Custom, _) | (PermissionMode::Readonly, Some(false)) => {
                Permitted::Yes
            }
            (PermissionMode::Readonly, Some(true)) => {
                Permitted::No("the agent is read-only and this tool changes something")
            }
            (PermissionMode::Approval, _) | (PermissionMode::Readonly, None) => Permitted::Ask,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(permission: &str, mutates: Option<bool>) -> &'static str {
        let permission: Permission = serde_json::from_str(permission).unwrap();
        match permission.of("fs_write", &ToolSpec { mutates, ..ToolSpec::default() }) {
            Permitted::Yes => "yes",
            Permitted::Ask => "ask",
            Permitted::No(_) => "no",
        }
    }

    #[test]
    fn denying_goes_before_asking_and_asking_before_allowing() {
        for (permission, expected) in [
            (r#"{}"#, "yes"),
            (r#"{"mode":"approval"}"#, "ask"),
            (r#"{"mode":"custom"}"#, "yes"),
            (
                r#"{"deny_tools":["fs_*"],"require_approval_tools":["fs_write"],"allow_tools":["fs_write"]}"#,
                "no",
            ),
            (r#"{"require_approval_tools":["fs_write"],"allow_tools":["fs_read"]}"#, "ask"),
            (r#"{"allow_tools":["fs_read"]}"#, "no"),
            (r#"{"allow_tools":[]}"#, "no"),
            (r#"{"allow_tools":["fs_write"],"mode":"approval"}"#, "ask"),
        ] {
            assert_eq!(said(permission, None), expected, "{permission}");
        }
    }

    #[test]
    fn a_read_only_agent_asks_about_a_tool_that_says_nothing() {
        for (mutates, expected) in [(Some(true), "no"), (Some(false), "yes"), (None, "ask")] {
            assert_eq!(said(r#"{"mode":"readonly"}"#, mutates), expected);
        }
    }

    #[test]
    fn a_misspelt_mode_is_refused_and_allows_nothing() {
        for text in [r#"{"mode":"approvall"}"#, r#"{"mode":"AUTO"}"#, r#"{"mode":""}"#, r#"{"denied":[]}"#] {
            assert!(serde_json::from_str::<Permission>(text).is_err(), "{text}");
        }
    }
}
