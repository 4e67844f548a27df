//! Asking people about calls of tools that models want.
//!
//! The store is asked on threads that may block, and a wait for a person holds no thread at all. What an answer does
//! meanwhile is [`screening`](crate::screening)'s.

use std::sync::Arc;
use std::time::Duration;

use seawall_checkpoint::{Answer, ApprovalRequest, Approvals, Binding};
use seawall_types::{ActionId, Actor, Clock, Finding, RunId, Timestamp};
use serde_json::Value;
use tokio::task::JoinSet;
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
    /// Asks all of them, then waits for those that nobody has decided on, for all together, as long as calls wait. One answer
    /// for each.
    pub(crate) async fn ask(self, questions: Vec<Question>) -> Vec<Answer> {
        let (until, count) = (self.until(), questions.len());
        let mut answers = vec![broken_off(); count];
        let Some(asked) = self.put(questions).await else { return answers };
        let mut waits = JoinSet::new();
        for (place, (question, answer)) in asked.into_iter().enumerate() {
            let asker = self.clone();
            waits.spawn(async move { (place, asker.decided(question, answer, until).await) });
        }
        // Who hangs up drops this, and with it every wait.
        while let Some(decided) = waits.join_next().await {
            if let Ok((place, answer)) = decided
                && let Some(slot) = answers.get_mut(place)
            {
                *slot = answer;
            }
        }
        answers
    }

    /// As long as calls wait, and not beyond the end of the answer.
    fn until(&self) -> Timestamp {
        let left = self.end.saturating_duration_since(Instant::now()).saturating_sub(MARGIN);
        self.clock.now().saturating_add(self.people.wait.min(left))
    }

    /// What is decided in time. Who hears that a call is allowed asks again, which uses the approval up. So does who hears
    /// nothing: the decision may have come with the end of the wait.
    async fn decided(&self, mut question: Question, mut answer: Answer, until: Timestamp) -> Answer {
        while let Answer::Pending { id, .. } = answer
            && self.clock.now() < until
        {
            if let Answer::Unavailable { .. } = self.people.approvals.wait(id, until).await {
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

#[cfg(test)]
mod tests {
    use seawall_base::clock::SystemClock;
    use seawall_base::id;
    use seawall_store::ApprovalDecision;
    use seawall_store::memory::MemoryStore;
    use seawall_trace::{MemoryHeads, Options, Writer};
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn who_waits_for_several_people_hears_all_that_was_decided_in_time() {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let folder = tempfile::tempdir().unwrap();
        let options = Options::new(folder.path().to_owned());
        let (_writer, trace) =
            Writer::start(options, Arc::new(MemoryHeads::default()), Arc::clone(&clock)).unwrap();
        let (store, run) = (Arc::new(MemoryStore::default()), id::new_run(&*clock));
        let hour = Duration::from_secs(3_600);
        let approvals = Arc::new(Approvals::new(store, trace, Arc::clone(&clock), Some(run), hour));
        let asker = Asker {
            people: People { approvals: Arc::clone(&approvals), wait: Duration::from_millis(300) },
            action: id::new_action(&*clock),
            clock,
            run,
            actor: Arc::default(),
            end: Instant::now() + hour,
        };
        let question = |amount: u32| Question {
            tool: "pay".to_owned(),
            call_id: None,
            arguments: json!({ "amount": amount }),
            findings: Vec::new(),
        };
        let decide = async {
            let asked = loop {
                let pending = approvals.tend().unwrap();
                match pending.iter().find(|row| row.arguments["amount"] == 2) {
                    Some(row) => break row.id,
                    None => tokio::task::yield_now().await,
                }
            };
            let decision = ApprovalDecision { allow: true, scope: None, by: "anna".to_owned(), note: None };
            approvals.decide(asked, &decision).unwrap();
        };
        // Nobody ever decides on the first.
        let (answers, ()) = tokio::join!(asker.ask([1, 2, 3].map(question).into()), decide);
        assert!(
            matches!(answers[..], [Answer::Pending { .. }, Answer::Allowed, Answer::Pending { .. }]),
            "{answers:?}"
        );
    }
}
