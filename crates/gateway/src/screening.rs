//! What of an answer a client may see: the judge's word, carried out on streams and on whole answers.
//!
//! Where in an answer which text stands is [`seawall_llm::screen`]'s to know, what may be seen the judge's. Here a screen
//! is put between an upstream's answer and its client: what it makes wait counts as memory, and what it stops becomes a
//! refusal.

use std::fmt;

use bytes::Bytes;
use seawall_checkpoint::Denial;
use seawall_llm::screen::{Judge, Screen, Stopped, screen_whole};
use seawall_llm::sse::RawEvent;
use seawall_llm::wire::Wire;
use seawall_types::Code;

use crate::memory::Share;
use crate::refusal::Refusal;

/// A judge that can tell the client why an answer must not go on.
pub trait AnswerJudge: Judge + fmt::Debug + Send {
    /// Why it must stop. Asked once [`Judge::must_stop`] says so.
    fn denial(&self) -> Denial;
}

/// Makes a judge for each answer.
pub trait Screening: fmt::Debug + Send + Sync {
    /// A screen for the events of a stream.
    fn stream(&self, wire: Wire) -> Box<dyn AnswerScreen>;

    /// Screens an answer in one piece; `None` when nothing in it changes.
    ///
    /// # Errors
    /// When it must not be seen.
    fn whole(&self, wire: Wire, body: &[u8]) -> Result<Option<Bytes>, Denial>;
}

/// A screen, whoever its judge is.
pub trait AnswerScreen: fmt::Debug + Send {
    /// Takes the next event; what may go to the client by now goes to the end of `out`.
    ///
    /// # Errors
    /// When the answer must not go on.
    fn event(&mut self, event: &RawEvent, out: &mut Vec<Bytes>) -> Result<(), Denial>;

    /// The stream has come to its proper end: what was kept goes to the end of `out`.
    ///
    /// # Errors
    /// As [`AnswerScreen::event`].
    fn finish(&mut self, out: &mut Vec<Bytes>) -> Result<(), Denial>;

    /// How many bytes wait for a call to be complete.
    fn held_bytes(&self) -> usize;
}

/// Screening by judges that a function makes.
pub struct JudgedBy<F>(pub F);

impl<F> fmt::Debug for JudgedBy<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JudgedBy")
    }
}

impl<F, J> Screening for JudgedBy<F>
where
    F: Fn() -> J + Send + Sync,
    J: AnswerJudge + 'static,
    J::Filter: Send,
{
    fn stream(&self, wire: Wire) -> Box<dyn AnswerScreen> {
        Box::new(Screen::new(wire, (self.0)()))
    }

    fn whole(&self, wire: Wire, body: &[u8]) -> Result<Option<Bytes>, Denial> {
        let mut judge = (self.0)();
        screen_whole(wire, body, &mut judge).map_err(|stopped| denial(stopped, &judge))
    }
}

impl<J: AnswerJudge> AnswerScreen for Screen<J>
where
    J::Filter: Send,
{
    fn event(&mut self, event: &RawEvent, out: &mut Vec<Bytes>) -> Result<(), Denial> {
        Self::event(self, event, out).map_err(|stopped| denial(stopped, self.judge()))
    }

    fn finish(&mut self, out: &mut Vec<Bytes>) -> Result<(), Denial> {
        Self::finish(self, out).map_err(|stopped| denial(stopped, self.judge()))
    }

    fn held_bytes(&self) -> usize {
        Self::held_bytes(self)
    }
}

fn denial<J: AnswerJudge>(stopped: Stopped, judge: &J) -> Denial {
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
    screen: Box<dyn AnswerScreen>,
    /// What may go, used again and again.
    out: Vec<Bytes>,
    /// What waited at most, and what all requests together may hold in memory.
    taken: usize,
    memory: Share,
    memory_limit: usize,
}

impl Screened {
    pub(crate) fn new(screen: Box<dyn AnswerScreen>, memory: Share, memory_limit: usize) -> Self {
        Self { screen, out: Vec::new(), taken: 0, memory, memory_limit }
    }

    /// Takes an event; gives what may go by now, for [`Screened::give_back`].
    pub(crate) fn event(&mut self, event: &RawEvent) -> Result<Vec<Bytes>, Refusal> {
        self.screen.event(event, &mut self.out)?;
        let held = self.screen.held_bytes();
        if held > self.taken {
            if !self.memory.take(held - self.taken, self.memory_limit) {
                let message = "a call in the answer is larger than the memory that is left for bodies";
                return Err(Refusal::new(Code::Overloaded, message, "raise gateway.limits.buffer"));
            }
            self.taken = held;
        }
        Ok(std::mem::take(&mut self.out))
    }

    /// The stream has come to its proper end; gives what was kept.
    pub(crate) fn finish(&mut self) -> Result<Vec<Bytes>, Refusal> {
        self.screen.finish(&mut self.out)?;
        Ok(std::mem::take(&mut self.out))
    }

    /// The list, once it is empty, for the next event.
    pub(crate) fn give_back(&mut self, list: Vec<Bytes>) {
        self.out = list;
    }
}

#[cfg(test)]
mod tests {
    use seawall_llm::screen::{Call, CallVerdict, Field};

    use super::*;
    use crate::memory::ByteBudget;

    /// Stops at `stop`, and refuses every call.
    #[derive(Debug, Default)]
    struct Strict {
        found: bool,
    }

    impl Judge for Strict {
        type Filter = ();

        fn begin(&mut self, _field: Field) {}

        fn push(&mut self, (): &mut (), piece: &str, out: &mut String) {
            self.found |= piece.contains("stop");
            out.push_str(piece);
        }

        fn finish(&mut self, (): &mut (), _out: &mut String) {}

        fn is_holding(&self, (): &()) -> bool {
            false
        }

        fn call(&mut self, call: &Call<'_>) -> CallVerdict {
            CallVerdict::Refuse(format!("no {}", call.name))
        }

        fn too_large(&mut self, name: &str, _limit: usize) -> String {
            format!("no {name}")
        }

        fn must_stop(&self) -> bool {
            self.found
        }
    }

    impl AnswerJudge for Strict {
        fn denial(&self) -> Denial {
            Denial::new(Code::Forbidden, "it says stop", "ask for something else")
        }
    }

    fn event(delta: &str) -> RawEvent {
        let choice = format!("{{\"index\":0,\"delta\":{delta},\"finish_reason\":null}}");
        RawEvent::new(Bytes::from(format!("data: {{\"choices\":[{choice}]}}\n\n")))
    }

    fn call() -> RawEvent {
        event(r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"rm","arguments":"{}"}}]}"#)
    }

    fn screened(memory_limit: usize) -> Screened {
        let screen = JudgedBy(Strict::default).stream(Wire::OpenAiChat);
        Screened::new(screen, ByteBudget::new().share(), memory_limit)
    }

    #[test]
    fn text_goes_at_once_and_a_call_with_the_end() {
        let mut screened = screened(1 << 20);
        let text = event(r#"{"content":"fine"}"#);
        assert_eq!(screened.event(&text).unwrap(), [text.bytes]);
        assert!(screened.event(&call()).unwrap().is_empty());
        let last = screened.finish().unwrap();
        assert_eq!(last.len(), 1);
        assert!(last[0].windows(5).any(|window| window == b"no rm"));
    }

    #[test]
    fn what_must_not_be_seen_is_a_refusal_in_the_judges_words() {
        let refusal = screened(1 << 20).event(&event(r#"{"content":"stop"}"#)).unwrap_err();
        assert_eq!((refusal.code(), refusal.denial.message.as_str()), (Code::Forbidden, "it says stop"));
        let body = br#"{"choices":[{"message":{"content":"stop"}}]}"#;
        let denial = JudgedBy(Strict::default).whole(Wire::OpenAiChat, body).unwrap_err();
        assert_eq!(denial.code, Code::Forbidden);
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
