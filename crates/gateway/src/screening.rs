//! What of an answer a client may see: the judge's word, carried out on streams and on whole answers.
//!
//! Where in an answer which text stands is [`seawall_llm::screen`]'s to know, what may be seen the judge's. Here a screen
//! is put between an upstream's answer and its client: what it makes wait counts as memory, and what it stops becomes a
//! refusal.

mod inquiry;
mod judge;
mod waiting;

use std::task::{Context, Poll};

use bytes::Bytes;
use seawall_checkpoint::Denial;
use seawall_llm::screen::{Progress, Screen, Stopped, screen_whole};
use seawall_llm::sse::RawEvent;
use seawall_llm::wire::Wire;
use seawall_policy::Judgement;
use seawall_types::{Code, Verdict};

pub(crate) use self::judge::PolicyJudge;
use self::waiting::Waiting;

use crate::people::Asker;
use crate::refusal::Refusal;
use seawall_base::memory::Share;

/// Screens an answer in one piece; `None` when nothing in it changes. Where people are to be asked about its calls it waits for
/// them, and is screened once more.
///
/// # Errors
/// When it must not be seen.
pub(crate) async fn whole(
    wire: Wire,
    body: &[u8],
    judge: &mut PolicyJudge,
    asker: Option<Asker>,
) -> Result<Option<Bytes>, Denial> {
    judge.collect(asker.is_some());
    let screened = screen_whole(wire, body, &mut *judge);
    let screened = screened.map_err(|stopped| denial(stopped, judge));
    let (places, questions) = judge.take_questions();
    // Nobody is asked about an answer that must not be seen anyway.
    let Some(asker) = asker.filter(|_| !questions.is_empty() && screened.is_ok()) else { return screened };
    let answers = asker.ask(questions).await;
    judge.hear(places, answers);
    judge.collect(false);
    judge.begin_again();
    screen_whole(wire, body, &mut *judge).map_err(|stopped| denial(stopped, judge))
}

/// So many bytes may wait behind a call for a person before nothing more is read.
const MOST_BEHIND: usize = 1 << 20;

fn denial(stopped: Stopped, judge: &PolicyJudge) -> Denial {
    match stopped {
        Stopped::Refused => judge.denial(),
        Stopped::Unreadable | Stopped::TooManyParts => {
            let remedy = "try again; if it stays so, this upstream's answers can't be inspected";
            Denial::new(Code::UpstreamBroken, stopped.to_string(), remedy)
        }
    }
}

/// A screen between one stream and its client.
#[derive(Debug)]
pub(crate) struct Screened {
    screen: Screen<PolicyJudge>,
    /// What may go, used again and again.
    out: Vec<Bytes>,
    /// What waited at most, and what all requests together may hold in memory.
    taken: usize,
    memory: Share,
    memory_limit: usize,
    /// Where people can be asked about calls: who asks them, and what is waited for.
    waiting: Option<Box<Waiting>>,
}

impl Screened {
    pub(crate) fn new(wire: Wire, judge: PolicyJudge, memory: Share, memory_limit: usize) -> Self {
        let screen = Screen::new(wire, judge);
        Self { screen, out: Vec::new(), taken: 0, memory, memory_limit, waiting: None }
    }

    /// The same where people can be asked.
    pub(crate) fn asking(self, wire: Wire, asker: Option<Asker>) -> Self {
        Self { waiting: asker.map(|asker| Box::new(Waiting::new(wire, asker))), ..self }
    }

    /// Whether something waits for a person.
    pub(crate) fn is_waiting(&self) -> bool {
        self.screen.is_waiting() || self.waiting.as_ref().is_some_and(|waiting| !waiting.is_over())
    }

    /// Whether so much waits that no more should come.
    pub(crate) fn is_full(&self) -> bool {
        self.screen.bytes_behind() >= MOST_BEHIND
    }

    /// Whether anybody was asked: what was decided for this answer says nothing about another.
    pub(crate) fn has_asked(&self) -> bool {
        self.screen.judge().has_asked()
    }

    /// Ready with what may go after a person has decided.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<Vec<Bytes>, Refusal>> {
        let Some(waiting) = &mut self.waiting else { return Poll::Pending };
        std::task::ready!(waiting.poll(context, self.screen.judge_mut()));
        Poll::Ready(self.go_on())
    }

    fn go_on(&mut self) -> Result<Vec<Bytes>, Refusal> {
        self.screen.resume(&mut self.out).map_err(|stopped| denial(stopped, self.screen.judge()))?;
        self.ask();
        Ok(std::mem::take(&mut self.out))
    }

    /// Ready with a sign of life for the client, while nothing else comes.
    pub(crate) fn poll_sign(&mut self, context: &mut Context<'_>) -> Poll<Bytes> {
        self.waiting.as_mut().map_or(Poll::Pending, |waiting| waiting.poll_sign(context))
    }

    /// Asks people what is to be asked now.
    fn ask(&mut self) {
        if let Some(waiting) = &mut self.waiting {
            waiting.ask(self.screen.judge_mut());
        }
    }

    /// Takes an event; gives what may go by now, for [`Screened::give_back`].
    pub(crate) fn event(&mut self, event: &RawEvent) -> Result<Vec<Bytes>, Refusal> {
        self.screen.event(event, &mut self.out).map_err(|stopped| denial(stopped, self.screen.judge()))?;
        let held = self.screen.held_bytes();
        if held > self.taken {
            if !self.memory.take(held - self.taken, self.memory_limit) {
                let message = "a call in the answer is larger than the memory that is left for bodies";
                return Err(Refusal::new(Code::Overloaded, message, "raise gateway.limits.buffer"));
            }
            self.taken = held;
        }
        self.ask();
        Ok(std::mem::take(&mut self.out))
    }

    /// The stream has come to its proper end; gives what was kept. Where something waits for a person it is called again
    /// when that is over.
    pub(crate) fn finish(&mut self) -> Result<(Vec<Bytes>, Progress), Refusal> {
        let finished = self.screen.finish(&mut self.out);
        let progress = finished.map_err(|stopped| denial(stopped, self.screen.judge()))?;
        self.ask();
        Ok((std::mem::take(&mut self.out), progress))
    }

    /// What was found so far, and what was done about it.
    pub(crate) fn take_found(&mut self) -> (Judgement, Verdict) {
        self.screen.judge_mut().take_found()
    }

    /// The list, once it is empty, for the next event.
    pub(crate) fn give_back(&mut self, list: Vec<Bytes>) {
        self.out = list;
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use seawall_checkpoint::Answer;
    use seawall_llm::screen::{Call, CallVerdict, Judge};
    use seawall_policy::{PolicyFile, Setting};
    use seawall_types::{Actor, Mode, RunId};
    use serde_json::json;

    use super::*;
    use crate::settings::ToolDenied;
    use seawall_base::memory::ByteBudget;

    /// Ends an answer at a card, and refuses the tool `rm`.
    fn strict() -> PolicyJudge {
        let written = json!({ "pii": { "out": "deny" }, "tools": [{ "name": "rm", "verdict": "deny" }] });
        let file = seawall_config::read(&seawall_config::Document::from_value(&written), PolicyFile::declare);
        let setting = Setting { mode: Mode::Strict, folder: Path::new("/srv"), sandbox: None };
        let policy = Arc::new(file.unwrap().compile(&setting, "test"));
        let actor = Arc::new(Actor::default());
        PolicyJudge::by(&policy, &actor, RunId::from_bytes([7; 16]), ToolDenied::Refuse).unwrap()
    }

    fn event(delta: &str) -> RawEvent {
        let choice = format!("{{\"index\":0,\"delta\":{delta},\"finish_reason\":null}}");
        RawEvent::new(Bytes::from(format!("data: {{\"choices\":[{choice}]}}\n\n")))
    }

    fn call() -> RawEvent {
        event(r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"rm","arguments":"{}"}}]}"#)
    }

    fn screened(memory_limit: usize) -> Screened {
        Screened::new(Wire::OpenAiChat, strict(), ByteBudget::new().share(), memory_limit)
    }

    #[test]
    fn what_a_person_has_seen_is_what_goes_on() {
        let written = json!({ "tools": [{ "name": "pay", "verdict": "ask" }] });
        let file = seawall_config::read(&seawall_config::Document::from_value(&written), PolicyFile::declare);
        let setting = Setting { mode: Mode::Strict, folder: Path::new("/srv"), sandbox: None };
        let policy = Arc::new(file.unwrap().compile(&setting, "test"));
        let judge = PolicyJudge::by(&policy, &Arc::default(), RunId::from_bytes([7; 16]), ToolDenied::Refuse);
        let mut judge = judge.unwrap().asking(true);
        let written = r#"{ "amount": 90071992547409931234567890, "to": "ann", "to": "eve" }"#;
        let call = Call { id: Some("a"), name: "pay", arguments: written, is_whole: true };
        assert!(!judge.is_ready(&call));
        let (places, questions) = judge.take_questions();
        judge.hear(places, vec![Answer::Allowed]);
        let CallVerdict::Arguments(sent) = judge.call(&call) else { panic!("not as it was asked about") };
        assert_eq!(serde_json::from_str::<serde_json::Value>(&sent).unwrap(), questions[0].arguments);
        assert_eq!((sent.matches("\"to\"").count(), sent.contains("90071992547409931234567890")), (1, false));
    }

    #[test]
    fn text_goes_at_once_and_a_call_with_the_end() {
        let mut screened = screened(1 << 20);
        let text = event(r#"{"content":"fine, "}"#);
        assert_eq!(screened.event(&text).unwrap(), [text.bytes]);
        assert!(screened.event(&call()).unwrap().is_empty());
        let (last, progress) = screened.finish().unwrap();
        assert_eq!(progress, Progress::Done);
        assert_eq!(last.len(), 1);
        assert!(last[0].windows(33).any(|window| window == b"[seawall] denied TOOL_NOT_ALLOWED"));
    }

    #[tokio::test]
    async fn what_must_not_be_seen_is_a_refusal_in_the_judges_words() {
        let card = event(r#"{"content":"it is 4111 1111 1111 1111, thanks "}"#);
        assert_eq!(screened(1 << 20).event(&card).unwrap_err().code(), Code::PiiFound);
        let body = br#"{"choices":[{"message":{"content":"4111 1111 1111 1111"}}]}"#;
        let whole = whole(Wire::OpenAiChat, body, &mut strict(), None).await;
        assert_eq!(whole.unwrap_err().code, Code::PiiFound);
    }

    #[test]
    fn what_cant_be_read_is_the_upstreams_fault() {
        let garbage = RawEvent::new(Bytes::from_static(b"data: {\n\n"));
        assert_eq!(screened(1 << 20).event(&garbage).unwrap_err().code(), Code::UpstreamBroken);
    }

    #[test]
    fn what_waits_counts_as_memory() {
        assert_eq!(screened(10).event(&call()).unwrap_err().code(), Code::Overloaded);
    }
}
