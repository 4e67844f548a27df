//! Inspect: what policy and key say to the request. Detectors on prompt and tool results have their place here.

use seawall_policy::Policy;
use seawall_types::{Code, Finding, Pattern, Verdict};

use super::Payload;
use crate::accepted::Accepted;
use crate::refusal::Refusal;
use crate::{Caller, Gateway, websocket};

/// What is found in the request. Findings refuse in strict mode (at the checkpoint, which knows the mode); what a key may
/// not do refuses here, in any mode.
pub(crate) fn inspect(
    gateway: &Gateway,
    policy: &Policy,
    accepted: &Accepted,
    caller: &Caller,
    payload: &Payload,
) -> Result<Vec<Finding>, Refusal> {
    let Some(model) = payload.model().or_else(|| accepted.calls_a_model().then_some("")) else {
        return Ok(Vec::new());
    };
    let findings = policy.judge_model(model);
    let verdict = policy.verdict(&findings);
    let unseen = payload.model().is_none() && !accepted.wire.is_metered();
    if unseen && (!caller.may_call(model) || verdict == Verdict::Deny) {
        return Err(unseen_model(accepted));
    }
    if !caller.may_call(model) {
        let message = format!("the caller may not call the model {model:?}");
        let allowed: Vec<&str> = caller.models.iter().flatten().map(Pattern::as_str).collect();
        let remedy = format!("use one that its key or token allows: {}", allowed.join(", "));
        return Err(Refusal::new(Code::Forbidden, message, remedy));
    }
    for finding in &findings {
        gateway.metrics().violations.with_label_values(&[finding.code.as_str(), verdict.as_str()]).inc();
    }
    Ok(findings)
}

/// Only some models may be called, and which of them this request calls can't be seen.
fn unseen_model(accepted: &Accepted) -> Refusal {
    if accepted.handshake.is_some() {
        return websocket::refused(
            "only some models may be called here, and which of them a websocket calls can't be seen",
            "use plain HTTP, or name the model in the query of /v1/realtime",
        );
    }
    let message = "only some models may be called here, and which of them this request calls can't be seen";
    Refusal::new(
        Code::Forbidden,
        message,
        "name the model, in JSON or in a form (one boundary, nothing before its parts or after them), or use a key for all models",
    )
}
