//! What the policy says of a call before anything is begun: go ahead, ask a person, or no.
//!
//! It is judged again when it is admitted, right before it runs: names are looked up and budgets are held then.

use std::sync::Arc;

use seawall_base::id;
use seawall_checkpoint::Denial;
use seawall_checkpoint::tool::Foreseen;
use seawall_engine::{Binding, CallId, Judged, Judgement, ToolResult};
use seawall_types::{Finding, Verdict};
use serde_json::Value;

use super::tool;
use crate::hooks::Moment;
use crate::served::Asking;
use crate::session::{JudgedBefore, JudgedBy, Session};
use crate::{hooks, toolbox};

/// A call that is to be judged.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) call: CallId,
    pub(super) tool: Arc<str>,
    pub(super) arguments: Arc<Value>,
    /// What a person has approved of it, if one has.
    pub(super) approved: Option<Binding>,
}

/// Whether calls of a tool are judged by the policy alone: no hook looks at them, and nobody has to be asked for the tool.
pub(crate) fn is_judged_alone(session: &Session, tool: &str) -> bool {
    session.hooks(Moment::PreTool, Some(tool)).next().is_none() && toolbox::is_at_hand(session, tool)
}

/// Judges a call, and tells the holder.
pub(super) async fn judge(session: &Arc<Session>, asked: Asked) {
    let judged = judged(session, &asked).await;
    session.report(judged).await;
}

/// What hooks and policy say of a call.
async fn judged(session: &Arc<Session>, asked: &Asked) -> Judged {
    let Asked { call, tool, .. } = asked;
    let call = *call;
    let now = session.shared.clock.now();
    let approval = id::new_approval_at(now);
    let expires_at = session.shared.settings.approval_expires.map(|after| now.saturating_add(after));
    let as_said = |judgement, policy| Judged { call, policy, judgement, approval, expires_at };
    let failed = |words| as_said(Judgement::Answer { result: ToolResult::error(words) }, Arc::from(""));
    // By what is kept in the place of a tool nothing can be judged: not even its name is the one that policies know.
    if let Err(words) = toolbox::reach(session, tool, Asking::Once).await {
        return as_said(Judgement::Unreached { result: ToolResult::error(words) }, Arc::from(""));
    }
    // What the model wrote must be fit for the tool before anybody is asked about it.
    if let Err(words) = session.tools().check(tool, &asked.arguments) {
        return failed(words);
    }
    let JudgedBy { policy, version } = match session.policy().await {
        Ok(policy) => policy,
        Err(why) => return failed(why),
    };
    let is_approved = asked.approved == Some(Binding::of(tool, &asked.arguments, &version));
    let looked = hooks::before_tool(session, call, tool, &asked.arguments, is_approved).await;
    if let Some(judgement) = looked.settled {
        return as_said(judgement, version);
    }
    // And so must what a hook wrote.
    let arguments = looked.arguments.as_ref().unwrap_or(&asked.arguments);
    if let Err(words) = session.tools().check(tool, arguments) {
        return failed(format!("a hook of the operator wrote other arguments, which are wrong: {words}"));
    }
    let Foreseen { verdict, findings, looks_up } = tool::foreseen(session, tool, arguments, &policy);
    let summary = match verdict {
        Verdict::Allow | Verdict::Warn | Verdict::Redact => looked.asks,
        Verdict::Ask => Some(summary(tool, &findings)),
        Verdict::Deny => return as_said(denied(session, tool, findings), version),
    };
    let nowhere = (!looks_up).then(|| Binding::of(tool, arguments, &version));
    session.note_judged(call, JudgedBefore { version: Arc::clone(&version), nowhere });
    let judgement = match (looked.arguments, summary) {
        (Some(arguments), summary) => Judgement::Rewrite { arguments, summary },
        (None, Some(summary)) => Judgement::Ask { summary },
        (None, None) => Judgement::Proceed,
    };
    as_said(judgement, version)
}

/// Why a person is asked, in a line.
fn summary(tool: &str, findings: &[Finding]) -> Arc<str> {
    let why = findings.iter().max_by_key(|finding| finding.severity);
    why.map_or_else(
        || format!("the policy asks about {tool}").into(),
        |finding| format!("{tool}: {}", finding.message).into(),
    )
}

fn denied(session: &Session, tool: &str, findings: Vec<Finding>) -> Judgement {
    let denial = Denial::by_policy(findings);
    session.shared.counters.tool_denials.add();
    let action = id::new_action(&*session.shared.clock);
    let tools = session.tools();
    let tool = tools.get(tool).and_then(|known| known.action()).unwrap_or(tool);
    session.shared.checkpoint.deny_tool(action, session.traced(), &session.actor, tool, &denial);
    Judgement::Deny { code: denial.code, message: format!("{}. {}", denial.message, denial.remedy).into() }
}
