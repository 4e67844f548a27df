//! What people were asked about the calls of one answer, and what they said.
//!
//! It asks nobody: who does is [`Asker`](crate::people::Asker).

use seawall_checkpoint::Answer;
use seawall_llm::screen::Call;
use seawall_types::Finding;
use serde_json::Value;

use crate::people::Question;

/// What people were asked about the calls of one answer.
#[derive(Debug, Default)]
pub(super) struct Inquiry {
    /// People can be asked, and the policy may want that.
    pub(super) is_open: bool,
    /// A call that was not asked about is asked about, and passed over for the time being: the answer is to be screened
    /// once more.
    pub(super) collects: bool,
    questions: Vec<(Question, State)>,
}

/// How far a question has come.
#[derive(Debug, PartialEq)]
enum State {
    New,
    Sent,
    Answered(Answer),
    /// A call has gone or not gone by the answer. Another one is another question.
    Used,
}

impl Inquiry {
    pub(super) fn is_empty(&self) -> bool {
        self.questions.is_empty()
    }

    pub(super) fn add(&mut self, call: &Call<'_>, arguments: Value, findings: Vec<Finding>) {
        let (tool, call_id) = (call.name.to_owned(), call.id.map(str::to_owned));
        self.questions.push((Question { tool, call_id, arguments, findings }, State::New));
    }

    /// What nobody was asked yet, with the place of each question.
    pub(super) fn take_new(&mut self) -> (Vec<usize>, Vec<Question>) {
        let new = self.questions.iter_mut().enumerate().filter(|(_, (_, state))| *state == State::New);
        new.map(|(place, (question, state))| {
            *state = State::Sent;
            (place, question.clone())
        })
        .unzip()
    }

    /// What people said to the questions at these places.
    pub(super) fn hear(&mut self, places: Vec<usize>, answers: Vec<Answer>) {
        for (place, answer) in places.into_iter().zip(answers) {
            if let Some((_, state)) = self.questions.get_mut(place) {
                *state = State::Answered(answer);
            }
        }
    }

    /// The first question about this call that no other call has used; while questions are gathered, each call has its own.
    pub(super) fn position(&self, call: &Call<'_>, arguments: &Value) -> Option<usize> {
        self.questions.iter().position(|(question, state)| {
            let is_unused = !self.collects && *state != State::Used;
            let is_of_call = question.tool == call.name && question.call_id.as_deref() == call.id;
            is_unused && is_of_call && question.arguments == *arguments
        })
    }

    pub(super) fn is_answered(&self, at: usize) -> bool {
        self.questions.get(at).is_some_and(|(_, state)| matches!(state, State::Answered(_)))
    }

    /// The answer at this place; where there is none yet, nobody can be asked any more.
    pub(super) fn take(&mut self, at: usize) -> Answer {
        let state = self.questions.get_mut(at).map(|(_, state)| std::mem::replace(state, State::Used));
        match state {
            Some(State::Answered(answer)) => answer,
            _ => Answer::Unavailable { reason: "the answer went on before anybody had decided".to_owned() },
        }
    }
}
