//! Asking people about calls of tools that models want.
//!
//! The store is asked on threads that may block, and a wait for a person holds no thread at all. What an answer does
//! meanwhile is [`screening`](crate::screening)'s.

use std::sync::Arc;
use std::time::Duration;

use seawall_checkpoint::{Answer, ApprovalRequest, Approvals, Binding};
use seawall_types::{ActionId, Actor, Clock, Finding, RunId, Timestamp};
use serde_json::Value;
use tokio::time::Instant;

/// An answer that waits is told before its time is up.
const MARGIN: Duration = Duration::from_secs(1);

/// Who asks people.
#[derive(Debug, Clone)]
pub struct People {
    /// Where questions are kept and decided.
    pub approvals: Arc<Approvals>,
    /// How long a call waits for the person. Zero: the model is told to come back.
    pub wait: Duration,
}

/// What people are asked about one call.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Question {
    pub(crate) tool: String,
    pub(crate) call_id: Option<String>,
    /// The exact arguments, as the client would get them.
    pub(crate) arguments: Value,
    pub(crate) findings: Vec<Finding>,
}

/// Asks about the calls of one answer.
#[derive(Debug, Clone)]
pub(crate) struct Asker {
    pub(crate) people: People,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) run: RunId,
    pub(crate) action: ActionId,
    pub(crate) actor: Arc<Actor>,
    /// When the answer must be over.
    pub(crate) end: Instant,
}

impl Asker {
    /// Asks all of them, then waits for those that nobody has decided on, as long as calls wait. One answer for each.
    pub(crate) async fn ask(self, questions: Vec<Question>) -> Vec<Answer> {
        let (until, count) = (self.until(), questions.len());
        let Some(asked) = self.put(questions).await else { return vec![broken_off(); count] };
        let mut answers = Vec::with_capacity(count);
        for (question, answer) in asked {
            answers.push(self.decided(question, answer, until).await);
        }
        answers
    }

    /// As long as calls wait, and not beyond the end of the answer.
    fn until(&self) -> Timestamp {
        let left = self.end.saturating_duration_since(Instant::now()).saturating_sub(MARGIN);
        self.clock.now().saturating_add(self.people.wait.min(left))
    }

    /// What is decided in time. Who hears that a call is allowed asks again, which uses the approval up.
    async fn decided(&self, mut question: Question, mut answer: Answer, until: Timestamp) -> Answer {
        while let Answer::Pending { id, .. } = answer
            && self.clock.now() < until
        {
            let heard = self.people.approvals.wait(id, until).await;
            if matches!(heard, Answer::Pending { .. } | Answer::Unavailable { .. }) {
                return answer;
            }
            let Some(again) = self.put(vec![question]).await.and_then(|asked| asked.into_iter().next())
            else {
                return broken_off();
            };
            (question, answer) = again;
        }
        answer
    }

    /// Asks the store. `None` when that broke off.
    async fn put(&self, questions: Vec<Question>) -> Option<Vec<(Question, Answer)>> {
        let asker = self.clone();
        let ask = move || {
            let ask = |question: Question| {
                let answer = asker.people.approvals.ask(&asker.request(&question));
                (question, answer)
            };
            questions.into_iter().map(ask).collect()
        };
        tokio::task::spawn_blocking(ask).await.ok()
    }

    fn request<'a>(&'a self, question: &'a Question) -> ApprovalRequest<'a> {
        ApprovalRequest {
            run: self.run,
            action: Some(self.action),
            actor: &self.actor,
            tool: &question.tool,
            call_id: question.call_id.as_deref(),
            arguments: &question.arguments,
            binding: &Binding::Arguments,
            findings: &question.findings,
            known: &[],
        }
    }
}

fn broken_off() -> Answer {
    Answer::Unavailable { reason: "asking the store broke off; see the log".to_owned() }
}
