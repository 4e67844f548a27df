//! One call of a tool, before it is admitted.

use seawall_checkpoint::Binding;
use seawall_policy::Declared;
use seawall_types::{ApprovalId, Usd};
use serde_json::Value;

use crate::Patience;

/// One call of a tool, before it is admitted.
#[derive(Debug)]
pub struct Call<'a> {
    /// The tool's name.
    pub tool: &'a str,
    /// Its arguments, an object by their names.
    pub arguments: Value,
    /// What they describe, where they are not themselves what the tool gets. What a person allows holds for it alone.
    pub binding: Binding,
    /// What it touches, as far as somebody said so; the rest is derived from names and values.
    pub effects: &'a Declared,
    /// What it costs, where that is known before; held until it is settled.
    pub cost_usd: Usd,
    /// The approval that [`ApprovalRequired`](crate::ApprovalRequired) named when this call was made in another run.
    pub approval: Option<ApprovalId>,
    /// How long it waits for the person; as its run does where nothing is said.
    pub patience: Option<Patience>,
}

static NOTHING_DECLARED: Declared = Declared::Nothing;

impl<'a> Call<'a> {
    /// A call of which nothing is declared and which costs nothing.
    #[must_use]
    pub fn new(tool: &'a str, arguments: Value) -> Self {
        Self {
            tool,
            arguments,
            binding: Binding::Arguments,
            effects: &NOTHING_DECLARED,
            cost_usd: Usd::ZERO,
            approval: None,
            patience: None,
        }
    }
}
