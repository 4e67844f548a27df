//! The shapes of `data` that reports and exports read. All fields are optional: a line that lacks one still counts.

use seawall_types::Usd;
use serde::Deserialize;
use serde_json::Value;

/// `data` of admitted, denied, settled and abandoned actions, of tool calls, and of runs' ends, in one.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Data {
    pub(crate) kind: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) verdict: Option<String>,
    pub(crate) would: Option<String>,
    pub(crate) wire: Option<String>,
    pub(crate) stream: Option<bool>,
    pub(crate) cache: Option<String>,
    pub(crate) call_id: Option<String>,
    pub(crate) usage: Option<Usage>,
    pub(crate) cost_usd: Option<Usd>,
    pub(crate) reserved_usd: Option<Usd>,
    pub(crate) status: Option<u16>,
    pub(crate) duration_us: Option<u64>,
    pub(crate) ended: Option<String>,
    pub(crate) findings: Vec<Finding>,
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) is_error: bool,
    pub(crate) reason: Option<String>,
    pub(crate) message: Option<String>,
    pub(crate) note: Option<String>,
    pub(crate) error: Option<String>,
    pub(crate) dropped: Option<u64>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Usage {
    pub(crate) input_tokens: u64,
    pub(crate) output_tokens: u64,
    pub(crate) cached_tokens: u64,
    pub(crate) cache_write_tokens: u64,
    pub(crate) reasoning_tokens: u64,
    pub(crate) estimated: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Finding {
    pub(crate) rule: String,
    pub(crate) code: String,
    pub(crate) severity: String,
    pub(crate) message: String,
    #[serde(rename = "where")]
    pub(crate) location: String,
    pub(crate) remedy: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Attempt {
    pub(crate) upstream: String,
    pub(crate) model: String,
    pub(crate) status: Option<u16>,
    pub(crate) cost_usd: Option<Usd>,
}

/// The payloads in `data`. Apart from the rest, since only reports show them and they may be large.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Payloads {
    pub(crate) prompt: Option<Value>,
    pub(crate) arguments: Option<Value>,
    pub(crate) answer: Option<Value>,
    pub(crate) output: Option<Value>,
}

impl Payloads {
    /// Reads an event's `data`, as [`Data::parse`] does.
    pub(crate) fn parse(json: &str) -> Self {
        serde_json::from_str(json).unwrap_or_default()
    }
}

impl Data {
    /// Reads an event's `data`; nothing of it when it has another shape.
    pub(crate) fn parse(json: &str) -> Self {
        serde_json::from_str(json).unwrap_or_default()
    }
}
