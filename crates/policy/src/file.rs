//! A policy as it is written: the keys of its file, read into a [`Policy`].
//!
//! Only what can be enforced is declared; a key that belongs to a detector is refused as unknown rather than ignored.

use seawall_config::Reader;
use seawall_types::{Mode, Pattern};

use crate::{Policy, PolicyLimits};

/// The policies that need no file.
pub const PRESETS: [&str; 1] = ["off"];

/// A policy file, before the mode of the gateway has been put in where it says none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyFile {
    name: String,
    mode: Option<Mode>,
    models: Option<Vec<Pattern>>,
    max_output_tokens: Option<u64>,
    limits: PolicyLimits,
}

impl PolicyFile {
    /// Reads the keys of a policy file.
    pub fn declare(reader: &mut Reader<'_>) -> Self {
        let version = reader.integer("version", "Version of this format.", 1, 1..=1);
        debug_assert_eq!(version, 1, "the range allows no other");
        let name = reader.text("name", "What the policy is called in traces.", "unnamed");
        for parent in reader.strings("extends", "Presets that this policy begins with.") {
            if !PRESETS.contains(&parent.as_str()) {
                reader.error(
                    "extends",
                    format!("there is no preset {parent:?}"),
                    format!("known: {}", PRESETS.join(", ")),
                );
            }
        }
        let modes = [("warn", Mode::Warn), ("strict", Mode::Strict)];
        let mode = reader.optional_choice("mode", "Whether findings refuse; default: gateway.mode.", &modes);
        let (models, max_output_tokens) = reader.section("models", "Models that may be called.", |models| {
            (
                models.optional_parsed_list(
                    "allow",
                    "Names; one `*` stands for any text. Absent: any; empty: none.",
                ),
                models.optional_integer("max_output_tokens", "The most tokens of one answer.", 1..=u64::MAX),
            )
        });
        let limits = reader.section("limits", "What one run may use.", |limits| PolicyLimits {
            usd: limits.optional_usd("usd", "Money, in total."),
            usd_per_minute: limits.optional_usd("usd_per_minute", "Money in any sixty seconds."),
            tokens: limits.optional_integer("tokens", "Tokens, in total.", 0..=u64::MAX),
            concurrent: limits
                .optional_integer("concurrent", "Actions at the same time.", 1..=1_000_000)
                .and_then(|count| usize::try_from(count).ok()),
        });
        Self { name, mode, models, max_output_tokens, limits }
    }

    /// The policy, in `mode` unless the file names one. `source` tells it from others of its name.
    #[must_use]
    pub fn compile(self, mode: Mode, source: &str) -> Policy {
        let Self { name, mode: own, models, max_output_tokens, limits } = self;
        let source = source.to_owned();
        Policy { name, source, mode: own.unwrap_or(mode), models, max_output_tokens, limits }
    }
}
