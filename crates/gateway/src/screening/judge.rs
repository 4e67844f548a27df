//! What the policy says of an answer: its texts, piece by piece, and the calls of tools that it asks for.
//!
//! The client performs those calls, not we: names of hosts are not resolved for them, and relative paths stay as they are.

use std::sync::Arc;

use seawall_checkpoint::{Answer, Denial};
use seawall_detect::{Redactor, TextDetector};
use seawall_llm::screen::{Call, CallVerdict, Field, Judge};
use seawall_policy::{Asked, Decision, Declared, Judgement, Performer, Policy};
use seawall_types::{Actor, Code, Finding, RunId, Severity, Verdict};
use serde_json::Value;

use super::inquiry::Inquiry;
use crate::people::Question;
use crate::settings::ToolDenied;

/// Judges one answer.
#[derive(Debug)]
pub(crate) struct PolicyJudge {
    policy: Arc<Policy>,
    actor: Arc<Actor>,
    run: RunId,
    on_denied: ToolDenied,
    found: Judgement,
    /// What was done with what was found.
    done: Verdict,
    stop: Option<Denial>,
    /// Calls are judged by whoever performs them, before they are performed.
    leaves_calls: bool,
    /// Where what is only taken note of is written.
    nowhere: String,
    inquiry: Inquiry,
}

/// One call, judged, with the arguments as the client would get them.
struct Judged {
    decision: Decision,
    arguments: Value,
    is_changed: bool,
}

/// How far one text has come.
#[derive(Debug)]
pub(crate) struct Reading {
    field: Field,
    acting: Option<(Arc<TextDetector>, Redactor)>,
    noting: Option<(Arc<TextDetector>, Redactor)>,
}

impl PolicyJudge {
    /// A judge by this policy; `None` where it has nothing to say of any answer.
    pub(crate) fn by(
        policy: &Arc<Policy>,
        actor: &Arc<Actor>,
        run: RunId,
        on_denied: ToolDenied,
    ) -> Option<Self> {
        let has_a_say = policy.judges_calls() || policy.text_from_model().detector().is_some();
        has_a_say.then(|| Self {
            policy: Arc::clone(policy),
            actor: Arc::clone(actor),
            run,
            on_denied,
            found: Judgement::default(),
            done: Verdict::Allow,
            stop: None,
            leaves_calls: false,
            nowhere: String::new(),
            inquiry: Inquiry::default(),
        })
    }

    /// The same where people can be asked about calls.
    pub(crate) fn asking(mut self, can_ask: bool) -> Self {
        self.inquiry.is_open = can_ask && self.policy.may_ask();
        self
    }

    /// The same for an answer to this process itself, which judges the calls in it when it performs them: as its own, with all
    /// that is known of their run.
    pub(crate) fn leaving_calls(mut self, is_own: bool) -> Self {
        self.leaves_calls = is_own;
        self
    }

    /// The answer is in one piece: its calls are gathered first, and it is screened again with the answers.
    pub(crate) fn collect(&mut self, collects: bool) {
        self.inquiry.collects = collects;
    }

    /// Forgets what was found, and nothing that people said.
    pub(crate) fn begin_again(&mut self) {
        (self.found, self.done, self.stop) = (Judgement::default(), Verdict::Allow, None);
    }

    /// What people are to be asked now, with the place of each question.
    pub(crate) fn take_questions(&mut self) -> (Vec<usize>, Vec<Question>) {
        self.inquiry.take_new()
    }

    /// What people said to the questions at these places.
    pub(crate) fn hear(&mut self, places: Vec<usize>, answers: Vec<Answer>) {
        self.inquiry.hear(places, answers);
    }

    /// Whether anybody was asked: what was decided for this answer says nothing about another.
    pub(crate) fn has_asked(&self) -> bool {
        !self.inquiry.is_empty()
    }

    /// What was found so far, and what was done about it.
    pub(crate) fn take_found(&mut self) -> (Judgement, Verdict) {
        (std::mem::take(&mut self.found), self.done)
    }

    /// Why the answer must not go on.
    pub(crate) fn denial(&self) -> Denial {
        let unknown =
            || Denial::new(Code::Internal, "the answer was stopped without a reason", "report this");
        self.stop.clone().unwrap_or_else(unknown)
    }

    /// Takes in the next piece of a text, or its end.
    fn read(&mut self, reading: &mut Reading, piece: Option<&str>, out: &mut String) {
        let Self { policy, found, done, stop, nowhere, .. } = self;
        let rules = policy.text_from_model();
        let field = reading.field;
        let mut tell = |kind| {
            let would = rules.verdict(kind);
            let finding = rules.finding(kind, place(field).to_owned());
            let verdict = policy.in_mode(would);
            *done = (*done).max(verdict);
            if verdict == Verdict::Deny && stop.is_none() {
                *stop = Some(Denial::by_policy(vec![finding.clone()]));
            }
            found.add(would, finding);
        };
        if let Some((detector, redactor)) = &mut reading.noting {
            nowhere.clear();
            match piece {
                Some(piece) => redactor.push_telling(&*detector, piece, nowhere, &mut tell),
                None => redactor.finish_telling(&*detector, nowhere, &mut tell),
            }
        }
        match (&mut reading.acting, piece) {
            (Some((detector, redactor)), Some(piece)) => redactor.push_telling(&*detector, piece, out, tell),
            (Some((detector, redactor)), None) => redactor.finish_telling(&*detector, out, tell),
            (None, Some(piece)) => out.push_str(piece),
            (None, None) => {}
        }
    }

    fn judged(&self, call: &Call<'_>) -> Judged {
        // What is no JSON is judged as the text that it is.
        let read = serde_json::from_str(call.arguments);
        let mut arguments = read.unwrap_or_else(|_| Value::String(call.arguments.to_owned()));
        let run = self.run.to_string();
        let decision = self.policy.judge(&Asked {
            tool: call.name,
            args: &arguments,
            effects: &Declared::Nothing,
            actor: &self.actor,
            run: &run,
            flow: None,
            performer: Performer::Client,
        });
        let is_changed =
            matches!(decision.verdict, Verdict::Redact | Verdict::Ask) && !decision.replacements.is_empty();
        if is_changed {
            decision.apply(&mut arguments);
        }
        Judged { decision, arguments, is_changed }
    }

    /// A call that a person has to allow.
    fn decide(&mut self, call: &Call<'_>, judged: Judged) -> CallVerdict {
        let Decision { would, findings, .. } = &judged.decision;
        let (would, findings) = (*would, findings.clone());
        let Some(at) = self.inquiry.position(call, &judged.arguments) else {
            if self.inquiry.collects && call.is_whole {
                self.inquiry.add(call, judged.arguments, judged.decision.findings);
                return CallVerdict::Refuse(String::new());
            }
            // A part of a call, or the same one twice in an answer: nobody has said yes to it.
            return self.refuse(call.name, would, Denial::by_policy(findings.clone()), findings);
        };
        match self.inquiry.take(at).into_denial(call.name, findings.clone()) {
            // What a person has seen is what the client gets: not what else the text could be read as, with a number of more
            // digits than were judged or a name that stands in it twice. A text can be read in one way only.
            None => {
                let is_changed = judged.is_changed || !judged.arguments.is_string();
                self.pass(call.name, Judged { is_changed, ..judged })
            }
            Some(denial) => {
                if denial.code != Code::ApprovalRequired {
                    self.done = Verdict::Deny;
                }
                self.refuse(call.name, would, denial, findings)
            }
        }
    }

    fn pass(&mut self, name: &str, judged: Judged) -> CallVerdict {
        let Judged { decision, arguments, is_changed } = judged;
        self.note(name, decision.would, decision.findings);
        match (is_changed, arguments) {
            (false, _) => CallVerdict::Pass,
            (true, Value::String(text)) => CallVerdict::Arguments(text),
            (true, arguments) => CallVerdict::Arguments(arguments.to_string()),
        }
    }

    /// Takes note of the findings about a call. What stands in its place when it must not be made.
    fn refuse(&mut self, name: &str, would: Verdict, denial: Denial, findings: Vec<Finding>) -> CallVerdict {
        let text = denial.told_to_model();
        if self.on_denied == ToolDenied::Error && self.stop.is_none() {
            self.stop = Some(denial);
        }
        self.note(name, would, findings);
        CallVerdict::Refuse(text)
    }

    fn note(&mut self, name: &str, would: Verdict, findings: Vec<Finding>) {
        self.done = self.done.max(self.policy.in_mode(would));
        for finding in findings {
            let location = format!("/tool_calls/{name}{}", finding.location);
            // A light finding about a call that is refused for a grave one is still light.
            let verdict = if finding.severity == Severity::Low { would.min(Verdict::Warn) } else { would };
            self.found.add(verdict, Finding { location, ..finding });
        }
    }
}

impl Judge for PolicyJudge {
    type Filter = Reading;

    fn begin(&mut self, field: Field) -> Reading {
        let rules = self.policy.text_from_model();
        let reading = |detector: &Arc<TextDetector>| (Arc::clone(detector), detector.redactor());
        Reading {
            field,
            acting: rules.acting(self.policy.mode).map(reading),
            noting: rules.noting(self.policy.mode).map(reading),
        }
    }

    fn push(&mut self, reading: &mut Reading, piece: &str, out: &mut String) {
        self.read(reading, Some(piece), out);
    }

    fn finish(&mut self, reading: &mut Reading, out: &mut String) {
        self.read(reading, None, out);
    }

    fn is_holding(&self, reading: &Reading) -> bool {
        reading.acting.as_ref().is_some_and(|(_, redactor)| redactor.held() > 0)
    }

    fn call(&mut self, call: &Call<'_>) -> CallVerdict {
        if self.leaves_calls {
            return CallVerdict::Pass;
        }
        let judged = self.judged(call);
        match judged.decision.verdict {
            Verdict::Deny => {
                let Decision { would, findings, .. } = judged.decision;
                self.refuse(call.name, would, Denial::by_policy(findings.clone()), findings)
            }
            Verdict::Ask => self.decide(call, judged),
            Verdict::Allow | Verdict::Warn | Verdict::Redact => self.pass(call.name, judged),
        }
    }

    fn may_wait(&self) -> bool {
        self.inquiry.is_open
    }

    fn is_ready(&mut self, call: &Call<'_>) -> bool {
        // Nobody can say yes to a part of a call: it is refused at once.
        if !call.is_whole {
            return true;
        }
        let judged = self.judged(call);
        if judged.decision.verdict != Verdict::Ask {
            return true;
        }
        match self.inquiry.position(call, &judged.arguments) {
            Some(at) => self.inquiry.is_answered(at),
            None => {
                self.inquiry.add(call, judged.arguments, judged.decision.findings);
                false
            }
        }
    }

    fn too_large(&mut self, name: &str, limit: usize) -> String {
        let finding = Finding {
            rule: "gateway".to_owned(),
            code: Code::OutputTooLarge,
            severity: Severity::High,
            message: format!("the arguments of {name:?} are longer than {limit} bytes"),
            location: String::new(),
            remedy: "let the tool take what is large by a file".to_owned(),
        };
        let findings = vec![finding];
        match self.refuse(name, Verdict::Deny, Denial::by_policy(findings.clone()), findings) {
            CallVerdict::Refuse(text) => text,
            CallVerdict::Pass | CallVerdict::Arguments(_) => String::new(),
        }
    }

    fn must_stop(&self) -> bool {
        self.stop.is_some()
    }
}

/// Where in an answer a text stands, as far as a finding tells.
const fn place(field: Field) -> &'static str {
    match field {
        Field::Text => "/text",
        Field::Reasoning => "/reasoning",
        Field::Refusal => "/refusal",
        Field::Transcript => "/transcript",
        Field::Arguments => "/arguments",
    }
}
