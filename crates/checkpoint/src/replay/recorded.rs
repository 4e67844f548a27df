//! An event as a policy sees it: what was to be done, and what was decided then.

use seawall_trace::read::Parsed;
use seawall_types::{ActionId, Actor, Code, EventKind, RunId, Timestamp, Usd, Verdict};
use serde::Deserialize;
use serde_json::Value;

/// The part of `data` that a policy is asked about. All of it may be absent.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Said {
    pub(super) kind: Option<String>,
    pub(super) name: Option<String>,
    pub(super) verdict: Option<Verdict>,
    pub(super) arguments: Option<Value>,
    pub(super) prompt: Option<Value>,
    pub(super) answer: Option<Value>,
    pub(super) output: Option<Value>,
    pub(super) cut: Option<Value>,
    pub(super) cost_usd: Option<Usd>,
    /// Why it was refused.
    code: Option<String>,
    findings: Vec<Found>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Found {
    code: String,
    #[serde(rename = "where")]
    location: String,
}

/// An event.
pub(super) struct Recorded<'e> {
    pub(super) kind: EventKind,
    pub(super) run: RunId,
    pub(super) seq: u64,
    pub(super) ts: Timestamp,
    pub(super) action: Option<ActionId>,
    pub(super) actor: &'e Actor,
    pub(super) said: Said,
}

impl<'e> Recorded<'e> {
    pub(super) fn of(event: &'e Parsed) -> Self {
        let Parsed { kind, run, seq, ts, action, actor, data, .. } = event;
        let tells = matches!(
            kind,
            EventKind::ActionAdmitted
                | EventKind::ActionDenied
                | EventKind::ActionSettled
                | EventKind::ActionAbandoned
                | EventKind::ToolCalled
        );
        let said = if tells { serde_json::from_str(data.get()).unwrap_or_default() } else { Said::default() };
        Self { kind: *kind, run: *run, seq: *seq, ts: *ts, action: *action, actor, said }
    }

    pub(super) fn is_model_call(&self) -> bool {
        self.said.kind.as_deref() == Some("model_call")
    }

    /// A call of a tool that went through us, rather than one that a model asked for.
    pub(super) fn is_tool_call(&self) -> bool {
        self.said.kind.as_deref() == Some("tool_call")
    }

    /// What was decided then.
    pub(super) fn verdict(&self) -> Verdict {
        let is_refused = self.kind == EventKind::ActionDenied;
        let of_people = [Code::ApprovalRequired, Code::ApprovalDenied, Code::ApprovalExpired];
        let by_people = |code: &str| of_people.iter().any(|known| known.as_str() == code);
        // A call that a person did not let through was refused; what the policy had decided is that one is asked.
        if is_refused && self.said.code.as_deref().is_some_and(by_people) {
            return Verdict::Ask;
        }
        self.said.verdict.unwrap_or(if is_refused { Verdict::Deny } else { Verdict::Allow })
    }

    /// What was decided about a tool that this model call asked for: what was found in it stands under its name.
    pub(super) fn verdict_on_tool(&self, name: &str) -> Verdict {
        let is_of_tool = |found: &Found| {
            let behind =
                found.location.strip_prefix("/tool_calls/").and_then(|place| place.strip_prefix(name));
            behind.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        if self.said.findings.iter().any(is_of_tool) { self.verdict() } else { Verdict::Allow }
    }

    /// Whether it was refused for more than its name, as far as was written down.
    pub(super) fn is_refused_for_its_arguments(&self) -> bool {
        let by_name = |found: &Found| found.code == Code::ToolNotAllowed.as_str();
        self.kind == EventKind::ActionDenied && !(self.said.findings.iter().all(by_name))
    }

    /// Whether something else than a policy refused it, so that no policy changes that.
    pub(super) fn is_refused_otherwise(&self) -> bool {
        let by_policy = match &self.said.code {
            Some(code) => is_of_policy(code),
            None => self.said.findings.iter().any(|found| is_of_policy(&found.code)),
        };
        self.kind == EventKind::ActionDenied && !by_policy
    }
}

/// Whether a policy decides about this. Budgets, rates, credentials, faults and a caller's mistakes are not its.
fn is_of_policy(code: &str) -> bool {
    const OF_POLICY: [Code; 26] = [
        Code::FsTraversal,
        Code::FsOutsideRoot,
        Code::FsSymlinkEscape,
        Code::FsDevice,
        Code::FsTooLarge,
        Code::NetPrivateAddress,
        Code::NetMetadataService,
        Code::NetHostNotAllowed,
        Code::NetScheme,
        Code::NetPort,
        Code::NetRebinding,
        Code::NetUnresolved,
        Code::CmdForbidden,
        Code::CmdNotAllowed,
        Code::CmdShellMeta,
        Code::SecretFound,
        Code::PiiFound,
        Code::InjectionSuspected,
        Code::TaintLeak,
        Code::Drift,
        Code::ToolNotAllowed,
        Code::ToolContract,
        Code::ModelNotAllowed,
        Code::ApprovalRequired,
        Code::ApprovalDenied,
        Code::ApprovalExpired,
    ];
    OF_POLICY.iter().any(|known| known.as_str() == code)
}
