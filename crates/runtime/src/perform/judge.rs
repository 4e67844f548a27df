//! What the policy says of a call before anything is begun: go ahead, ask a person, or no.
//!
//! It is judged again when it is admitted, right before it runs: names are looked up and budgets are held then.

use std::sync::Arc;

use seawall_base::id;
use seawall_checkpoint::Denial;
use seawall_engine::{CallId, Judged, Judgement};
use seawall_types::{Finding, Verdict};
use serde_json::Value;

use super::tool;
use crate::session::{JudgedBy, Session};

/// Judges a call, and tells the holder.
pub(super) async fn judge(session: &Arc<Session>, call: CallId, tool: Arc<str>, arguments: Arc<Value>) {
    let judged = judged(session, call, &tool, &arguments).await;
    session.report(judged).await;
}

async fn judged(session: &Arc<Session>, call: CallId, tool: &Arc<str>, arguments: &Arc<Value>) -> Judged {
    let now = session.shared.clock.now();
    let approval = id::new_approval_at(now);
    let expires_at = session.shared.settings.approval_expires.map(|after| now.saturating_add(after));
    let as_said = |judgement, policy| Judged { call, policy, judgement, approval, expires_at };
    // What the model wrote must be fit for the tool before anybody is asked about it.
    if let Err(words) = session.tools().check(tool, arguments) {
        let result = seawall_engine::ToolResult::error(words);
        return as_said(Judgement::Answer { result }, Arc::from(""));
    }
    let policy = match session.policy().await {
        Ok(policy) => policy,
        Err(why) => {
            let result = seawall_engine::ToolResult::error(why);
            return as_said(Judgement::Answer { result }, Arc::from(""));
        }
    };
    let JudgedBy { policy, version } = policy;
    let by_hook = session.shared.hooks.before_tool(&session.agent, tool, arguments).await;
    if let Some(judgement @ (Judgement::Deny { .. } | Judgement::Answer { .. })) = by_hook {
        return as_said(judgement, version);
    }
    let (verdict, findings) = tool::foreseen(session, tool, arguments, &policy);
    let judgement = match verdict {
        Verdict::Allow | Verdict::Warn | Verdict::Redact => by_hook.unwrap_or(Judgement::Proceed),
        Verdict::Ask => Judgement::Ask { summary: summary(tool, &findings) },
        Verdict::Deny => denied(session, tool, findings),
    };
    session.note_judged(call, Arc::clone(&version));
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
    session.shared.checkpoint.deny_tool(action, session.traced(), &session.actor, tool, &denial);
    Judgement::Deny { code: denial.code, message: format!("{}. {}", denial.message, denial.remedy).into() }
}
