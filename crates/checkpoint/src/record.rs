//! What the checkpoint writes into the trace: the shapes of `data`, field by field.

use std::path::Path;

use seawall_policy::NoveltyKind;
use seawall_types::{ActionKind, Amount, Code, Finding, HoldId, RunId, Usage, Usd, Verdict};
use serde::Serialize;

use crate::findings;

/// `data` of `action.admitted`.
#[derive(Serialize)]
pub(crate) struct Admitted<'a> {
    pub(crate) kind: ActionKind,
    pub(crate) name: &'a str,
    pub(crate) verdict: Verdict,
    /// What strict mode would have said, where that differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) would: Option<Verdict>,
    pub(crate) wire: &'a str,
    pub(crate) stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cache: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hold: Option<HoldId>,
    pub(crate) reserved_usd: Usd,
    pub(crate) reserved_tokens: u64,
    #[serde(skip_serializing_if = "<[Finding]>::is_empty", serialize_with = "findings::without_secrets")]
    pub(crate) findings: &'a [Finding],
}

/// `data` of `action.admitted` for a call of a tool.
#[derive(Serialize)]
pub(crate) struct ToolAdmitted<'a> {
    pub(crate) kind: ActionKind,
    pub(crate) name: &'a str,
    pub(crate) verdict: Verdict,
    /// What strict mode would have said, where that differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) would: Option<Verdict>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hold: Option<HoldId>,
    pub(crate) reserved_usd: Usd,
    #[serde(skip_serializing_if = "<[Finding]>::is_empty", serialize_with = "findings::without_secrets")]
    pub(crate) findings: &'a [Finding],
}

/// `data` of `drift`.
#[derive(Serialize)]
pub(crate) struct Drift<'a> {
    /// The tool.
    pub(crate) name: &'a str,
    pub(crate) new: NoveltyKind,
    #[serde(serialize_with = "findings::text_without_secrets")]
    pub(crate) value: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) baseline: Option<&'a Path>,
    /// What became of the call by the policy.
    pub(crate) verdict: Verdict,
}

/// `data` of `action.denied`.
#[derive(Serialize)]
pub(crate) struct Denied<'a> {
    pub(crate) kind: ActionKind,
    pub(crate) name: &'a str,
    pub(crate) verdict: Verdict,
    pub(crate) status: u16,
    /// Why it was refused, which findings of a policy that would have asked a person do not tell.
    pub(crate) code: Code,
    #[serde(serialize_with = "findings::without_secrets")]
    pub(crate) findings: &'a [Finding],
}

/// `data` of `action.settled`.
#[derive(Serialize)]
pub(crate) struct Settled<'a> {
    pub(crate) kind: ActionKind,
    pub(crate) name: &'a str,
    pub(crate) verdict: Verdict,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) usage: Option<RecordedUsage>,
    pub(crate) cost_usd: Usd,
    pub(crate) status: u16,
    pub(crate) duration_us: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cache: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) websocket: Option<crate::Passed>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ended: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<&'a str>,
    #[serde(serialize_with = "findings::without_secrets")]
    pub(crate) findings: &'a [Finding],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) attempts: Option<&'a [crate::Attempt]>,
}

/// How an answer that was kept is marked.
pub(crate) fn hit(cached: bool) -> Option<&'static str> {
    cached.then_some("hit")
}

/// `data` of `action.abandoned`.
#[derive(Serialize)]
pub(crate) struct Abandoned<'a> {
    pub(crate) kind: ActionKind,
    pub(crate) name: &'a str,
    pub(crate) reason: &'a str,
    pub(crate) cost_usd: Usd,
}

/// `data` of `budget.exceeded`.
#[derive(Serialize)]
pub(crate) struct Exceeded<'a> {
    pub(crate) scope: String,
    pub(crate) window: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) limit_usd: Option<Usd>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) limit_tokens: Option<u64>,
    pub(crate) spent: Amount,
    pub(crate) held: Amount,
    pub(crate) wanted: Amount,
}

/// `data` of `budget.settled` for a hold that outlived its deadline.
#[derive(Serialize)]
pub(crate) struct Swept {
    pub(crate) hold: HoldId,
    pub(crate) reason: &'static str,
    pub(crate) of_run: RunId,
    pub(crate) usd: Usd,
    pub(crate) tokens: u64,
}

/// Usage under the names of the trace. The parts are only there when the provider named them.
#[derive(Serialize)]
pub(crate) struct RecordedUsage {
    input_tokens: u64,
    output_tokens: u64,
    #[serde(skip_serializing_if = "is_zero")]
    cached_tokens: u64,
    #[serde(skip_serializing_if = "is_zero")]
    cache_write_tokens: u64,
    #[serde(skip_serializing_if = "is_zero")]
    reasoning_tokens: u64,
    #[serde(skip_serializing_if = "is_zero")]
    sound_tokens: u64,
    #[serde(skip_serializing_if = "is_zero")]
    searches: u64,
    #[serde(skip_serializing_if = "is_zero")]
    tool_runs: u64,
    estimated: bool,
}

impl From<Usage> for RecordedUsage {
    fn from(usage: Usage) -> Self {
        Self {
            input_tokens: usage.input,
            output_tokens: usage.output,
            cached_tokens: usage.cached,
            cache_write_tokens: usage.cache_write.saturating_add(usage.cache_write_1h),
            reasoning_tokens: usage.reasoning,
            sound_tokens: usage.sound_in.saturating_add(usage.sound_out),
            searches: usage.searches,
            tool_runs: usage.tool_runs,
            estimated: usage.estimated,
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}
