//! Inspect: what policy and key say to the request, and what its texts hold.
//!
//! A finding refuses in strict mode (at the checkpoint, which knows the mode); what a key may not do refuses here, in any
//! mode. Every text that goes to the model is read, results of tools among them. What is no JSON in a wire format that we
//! read (uploads, forms, sound) is not.

use bytes::Bytes;
use seawall_llm::json::Document;
use seawall_llm::screen::prompt::{self, screen_prompt};
use seawall_llm::wire::Wire;
use seawall_policy::{Judgement, Policy, TextRules};
use seawall_types::{Code, Mode, Pattern, Verdict};

use super::{Payload, read};
use crate::accepted::Accepted;
use crate::refusal::Refusal;
use crate::{Caller, Gateway, Snapshot, websocket};

/// Bodies that are read where they arrive; larger ones beside the worker, which has other calls to serve.
const AT_ONCE: usize = 256 * 1024;

/// What is found in the request. Texts that are to be taken out of it are.
pub(crate) async fn inspect(
    gateway: &Gateway,
    snapshot: &Snapshot,
    accepted: &mut Accepted,
    caller: &Caller,
    payload: &mut Payload,
) -> Result<Judgement, Refusal> {
    let policy = caller.policy_or(&snapshot.policy);
    let mut found = model(policy, accepted, caller, payload)?;
    if let Some(texts) = Texts::of(policy, accepted, payload) {
        let (judgement, edited) = texts.read_beside().await?;
        found.join(judgement);
        if let Some(text) = edited {
            read::replace(gateway, payload, accepted, snapshot.settings.limits, text).await?;
        }
    }
    let verdict = policy.in_mode(found.would());
    for finding in found.findings() {
        gateway.metrics().violations.with_label_values(&[finding.code.as_str(), verdict.as_str()]).inc();
    }
    Ok(found)
}

/// Whether the model may be called.
fn model(
    policy: &Policy,
    accepted: &Accepted,
    caller: &Caller,
    payload: &Payload,
) -> Result<Judgement, Refusal> {
    let Some(model) = payload.model().or_else(|| accepted.calls_a_model().then_some("")) else {
        return Ok(Judgement::default());
    };
    let found = policy.judge_model(model);
    let unseen = payload.model().is_none() && !accepted.wire.is_metered();
    if unseen && (!caller.may_call(model) || policy.in_mode(found.would()) == Verdict::Deny) {
        return Err(unseen_model(accepted));
    }
    if !caller.may_call(model) {
        let message = format!("the caller may not call the model {model:?}");
        let allowed: Vec<&str> = caller.models.iter().flatten().map(Pattern::as_str).collect();
        let remedy = format!("use one that its key or token allows: {}", allowed.join(", "));
        return Err(Refusal::new(Code::Forbidden, message, remedy));
    }
    Ok(found)
}

/// The texts of a request that something is looked for in.
struct Texts {
    rules: TextRules,
    mode: Mode,
    wire: Wire,
    body: Document,
}

impl Texts {
    fn of(policy: &Policy, accepted: &Accepted, payload: &Payload) -> Option<Self> {
        let rules = policy.text_towards_model();
        rules.detector()?;
        let body = payload.document.clone()?;
        Some(Self { rules: rules.clone(), mode: policy.mode, wire: accepted.wire, body })
    }

    async fn read_beside(self) -> Result<(Judgement, Option<Bytes>), Refusal> {
        if self.body.text().len() <= AT_ONCE {
            return Ok(self.read());
        }
        let beside = tokio::task::spawn_blocking(move || self.read());
        beside.await.map_err(|failed| match failed.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_runtime_ends) => Refusal::new(Code::Draining, "the server is shutting down", "try again"),
        })
    }

    /// What is found in the texts, and the body without what is to be taken out, if there is anything.
    fn read(self) -> (Judgement, Option<Bytes>) {
        let mut found = Judgement::default();
        let edited = screen_prompt(self.wire, &self.body, |text| {
            let from_outside = text.kind == prompt::Kind::ToolResult;
            let tell = |kind, verdict| found.add(verdict, self.rules.finding(kind, text.place.to_string()));
            self.rules.read_member(self.mode, text.name(), text.text, from_outside, tell).text
        });
        (found, edited)
    }
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
