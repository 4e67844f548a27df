//! The shapes of `data` that a report reads. All fields are optional: a line that lacks one still counts.

use seawall_types::Usd;
use serde::Deserialize;

/// `data` of admitted, denied, settled and abandoned actions, of tool calls, and of runs' ends, in one.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Data {
    pub(super) kind: Option<String>,
    pub(super) name: Option<String>,
    pub(super) verdict: Option<String>,
    pub(super) usage: Option<Usage>,
    pub(super) cost_usd: Option<Usd>,
    pub(super) reserved_usd: Option<Usd>,
    pub(super) status: Option<u16>,
    pub(super) duration_us: Option<u64>,
    pub(super) ended: Option<String>,
    pub(super) findings: Vec<Finding>,
    pub(super) attempts: Vec<Attempt>,
    pub(super) is_error: bool,
    pub(super) reason: Option<String>,
    pub(super) message: Option<String>,
    pub(super) note: Option<String>,
    pub(super) error: Option<String>,
    pub(super) dropped: Option<u64>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default)]
pub(super) struct Usage {
    pub(super) input_tokens: u64,
    pub(super) output_tokens: u64,
    pub(super) cached_tokens: u64,
    pub(super) estimated: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Finding {
    pub(super) rule: String,
    pub(super) code: String,
    pub(super) severity: String,
    pub(super) message: String,
    #[serde(rename = "where")]
    pub(super) location: String,
    pub(super) remedy: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Attempt {
    pub(super) upstream: String,
    pub(super) status: Option<u16>,
    pub(super) cost_usd: Option<Usd>,
}

impl Data {
    /// Reads a line's `data`; nothing of it when it has another shape.
    pub(super) fn parse(json: &str) -> Self {
        serde_json::from_str(json).unwrap_or_default()
    }
}
