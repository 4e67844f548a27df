//! One recorded action and what a policy says about it.

use seawall_policy::{Asked, Declared, Performer, Policy};
use seawall_types::{ActionId, EventKind, Finding, RunId, Usd, Verdict};
use serde_json::Value;

use super::Change;
use super::past::Past;
use super::recorded::Recorded;
use super::texts::{Findings, is_redacted};

#[derive(Debug)]
pub(super) struct Judged {
    run: RunId,
    seq: u64,
    action: Option<ActionId>,
    kind: String,
    name: String,
    pub(super) from: Verdict,
    /// It was not admitted then.
    pub(super) was_refused: bool,
    /// Something else than a policy refused it then.
    stays_refused: bool,
    /// What strict mode says before it happens, and with what came of it.
    before: Verdict,
    would: Verdict,
    findings: Vec<Finding>,
    pub(super) cost: Usd,
    pub(super) lacks_arguments: bool,
    pub(super) lacks_texts: bool,
    pub(super) cut: bool,
    pub(super) redacted: bool,
}

impl Judged {
    fn new(event: &Recorded<'_>, kind: &str) -> Self {
        let said = &event.said;
        Self {
            run: event.run,
            seq: event.seq,
            action: event.action,
            kind: said.kind.as_deref().unwrap_or(kind).to_owned(),
            name: said.name.clone().unwrap_or_default(),
            from: event.verdict(),
            was_refused: event.kind == EventKind::ActionDenied,
            stays_refused: event.is_refused_otherwise(),
            before: Verdict::Allow,
            would: Verdict::Allow,
            findings: Vec::new(),
            cost: Usd::ZERO,
            lacks_arguments: false,
            lacks_texts: false,
            cut: said.cut.is_some(),
            redacted: false,
        }
    }

    /// A model call: its model, and what is new in its prompt.
    pub(super) fn model(policy: &Policy, event: &Recorded<'_>) -> Self {
        let mut judged = Self::new(event, "model_call");
        judged.lacks_texts = event.said.prompt.is_none();
        let model = policy.judge_model(&judged.name);
        judged.add(model.would(), model.into_findings());
        if let Some(prompt) = &event.said.prompt {
            let mut found = Findings::default();
            found.look(policy.text_towards_model(), "/prompt", prompt);
            judged.add(found.would, found.findings);
            judged.redacted = is_redacted(prompt);
        }
        judged.before = judged.would;
        judged
    }

    /// A tool call, ours or one that a model asked for. What it does to the flow of the run is noted if it would happen.
    pub(super) fn tool(policy: &Policy, event: &Recorded<'_>, past: &mut Past) -> Self {
        let mut judged = Self::new(event, "tool_call");
        let run = event.run.to_string();
        let mut decision = match &event.said.arguments {
            Some(args) => {
                let asked = Asked {
                    tool: &judged.name,
                    args,
                    effects: &Declared::Nothing,
                    actor: event.actor,
                    run: &run,
                    flow: Some(&past.flow),
                    // What was only seen in a model's traffic was the client's to perform.
                    performer: if event.said.kind.is_some() { Performer::Us } else { Performer::Client },
                };
                let decision = policy.judge(&asked);
                judged.marks(policy, args);
                decision
            }
            None => {
                judged.lacks_arguments = true;
                // What it was refused for is not known, and so not whether this policy has anything against it. What a tool was
                // seen to do is never known.
                judged.stays_refused |= event.is_refused_for_its_arguments();
                let mut decision = policy.judge_name(&judged.name);
                policy.judge_new_tool(&judged.name, &mut decision);
                decision
            }
        };
        if let Some(calls) = past.count(policy, event, &judged.name) {
            policy.judge_pace(&judged.name, calls, &mut decision);
        }
        judged.add(decision.would, decision.findings);
        judged.before = judged.would;
        if judged.happens(policy) {
            past.flow.advance(&decision.steps);
        }
        judged
    }

    fn marks(&mut self, policy: &Policy, args: &Value) {
        self.redacted = is_redacted(args);
        if self.redacted {
            let mut found = Findings::default();
            found.look_at_marks(policy.text_towards_tool(), "", args);
            self.add(found.would, found.findings);
        }
    }

    /// Whether it would have been performed. What is asked was, if it was then.
    fn happens(&self, policy: &Policy) -> bool {
        match self.to(policy) {
            Verdict::Deny => false,
            Verdict::Ask => !self.was_refused && self.from != Verdict::Deny,
            Verdict::Allow | Verdict::Warn | Verdict::Redact => true,
        }
    }

    /// A tool that this model call asked for is judged with it: what is refused there is refused here.
    pub(super) fn add_tool(&mut self, tool: &Self) {
        self.add(tool.would, tool.findings.clone());
    }

    /// The model call that asked for this tool ended so then.
    pub(super) fn end_with_call(&mut self, event: &Recorded<'_>) {
        self.from = self.from.max(event.verdict_on_tool(&self.name));
    }

    /// It ended so then.
    pub(super) fn end(&mut self, policy: &Policy, event: &Recorded<'_>) {
        let said = &event.said;
        self.from = self.from.max(event.verdict());
        self.cost = said.cost_usd.unwrap_or_default();
        self.cut |= said.cut.is_some();
        let answer = said.answer.as_ref().map(|answer| (policy.text_from_model(), "/answer", answer));
        let output = said.output.as_ref().map(|output| (policy.text_from_tool(), "/output", output));
        for (rules, place, given) in answer.into_iter().chain(output) {
            let mut found = Findings::default();
            found.look(rules, place, given);
            self.add(found.would, found.findings);
            self.redacted |= is_redacted(given);
        }
    }

    fn add(&mut self, would: Verdict, findings: Vec<Finding>) {
        self.would = self.would.max(would);
        self.findings.extend(findings);
    }

    /// What this policy decides, in its mode.
    pub(super) fn to(&self, policy: &Policy) -> Verdict {
        if self.stays_refused { self.from } else { policy.in_mode(self.would) }
    }

    /// Whether its cost would not have come up: what is refused for its answer has been paid for.
    pub(super) fn is_saved(&self, policy: &Policy) -> bool {
        !self.stays_refused && policy.in_mode(self.before) == Verdict::Deny
    }

    pub(super) fn into_change(self, to: Verdict) -> Change {
        let Self { run, seq, action, kind, name, from, findings, redacted, .. } = self;
        Change { run, action, seq, kind, name, from, to, findings, redacted }
    }
}
