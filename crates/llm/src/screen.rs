//! Inspects and redacts an answer on its way to the client, in every wire format, as a stream or whole.
//!
//! The screen knows where in an answer a model's words and calls of tools stand. What may be seen of them a [`Judge`]
//! decides, which knows no wire format. Text flows on at once but for what the judge keeps back; only what carries a
//! call of a tool waits, until the call is complete and judged. An event in which nothing changes goes on as the bytes
//! that came.
//!
//! | format | a text ends with | a call is complete with |
//! | --- | --- | --- |
//! | chat, completions | the finish reason of its choice | the same |
//! | responses | the `…done` event of its part | `response.output_item.done` |
//! | messages | `content_block_stop` | the same |
//! | generateContent | the finish reason of its candidate | its own part |
//!
//! Where a verdict takes longer (a person is asked), the event that completes the call waits as it came, and so does
//! what has to keep its place behind it. Other choices go on.
//!
//! What is not looked at: what the provider's own tools were given and brought back beyond their arguments, citations,
//! images, sound, and signed or encrypted reasoning.

mod anthropic;
mod behind;
mod call;
mod core;
mod event;
mod gemini;
mod items;
mod openai_chat;
mod openai_responses;
pub mod prompt;

use bytes::Bytes;

use self::behind::{Behind, Streams};
use self::core::Core;
use crate::json::{ANSWER_DEPTH, JsonErrorKind, Object, Value};
use crate::sse::RawEvent;
use crate::wire::Wire;

pub use self::call::{Call, MAX_ARGUMENTS};

/// What a text is to its reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Field {
    /// The answer itself.
    Text,
    /// What the model thought before it.
    Reasoning,
    /// Why the model does not answer.
    Refusal,
    /// What is heard in the sound.
    Transcript,
    /// What a tool of the provider's own is given.
    Arguments,
}

/// Decides what may be seen. It gets each text of an answer as one stream of pieces, whatever the events look like that
/// bring them, and each call of a tool that the client is to run as a whole.
pub trait Judge {
    /// How far one text has come.
    type Filter: std::fmt::Debug;

    /// A text begins.
    fn begin(&mut self, field: Field) -> Self::Filter;

    /// The next piece of a text. What may be seen by now goes to the end of `out`; the rest is kept in `filter`.
    fn push(&mut self, filter: &mut Self::Filter, piece: &str, out: &mut String);

    /// The text has ended: what was kept goes to the end of `out`.
    fn finish(&mut self, filter: &mut Self::Filter, out: &mut String);

    /// Whether something of the text is kept back.
    fn is_holding(&self, filter: &Self::Filter) -> bool;

    /// A text that came in one piece. The result must be that of its pieces.
    fn whole(&mut self, field: Field, text: &str, out: &mut String) {
        let mut filter = self.begin(field);
        self.push(&mut filter, text, out);
        self.finish(&mut filter, out);
    }

    /// A call of a tool.
    fn call(&mut self, call: &Call<'_>) -> CallVerdict;

    /// Whether verdicts may take time at all. Where not, [`Judge::is_ready`] is never asked.
    fn may_wait(&self) -> bool {
        false
    }

    /// Whether [`Judge::call`] can decide on this call now. Where not, it is asked again when the screen
    /// [goes on](Screen::resume), and for every call of the same event.
    fn is_ready(&mut self, _call: &Call<'_>) -> bool {
        true
    }

    /// The text that stands in place of a call of `name` whose arguments are longer than `limit` bytes.
    fn too_large(&mut self, name: &str, limit: usize) -> String;

    /// What was found ends the answer: nothing more of it may be seen.
    fn must_stop(&self) -> bool;
}

/// What is to happen with a call of a tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallVerdict {
    /// It goes on as it came.
    Pass,
    /// It goes on with these arguments, in the form in which [`Call::arguments`] gave them.
    Arguments(String),
    /// It does not go on: the model is made to say this in its place.
    Refuse(String),
}

/// How far what was given to a screen has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Progress {
    /// It is screened.
    Done,
    /// It waits for a verdict: see [`Screen::resume`].
    Waits,
}

/// Whether all are ready. Each is looked at, so that every question is known at once and nobody is asked one after the other.
fn are_all_ready(ready: impl Iterator<Item = bool>) -> bool {
    ready.filter(|is_ready| !is_ready).count() == 0
}

/// Why an answer can't go on. Nothing of it may follow what was sent already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Stopped {
    /// The judge said so.
    #[error("the answer holds what must not be seen")]
    Refused,
    /// What can't be read can't be judged.
    #[error("the answer can't be inspected: it is not JSON")]
    Unreadable,
    /// More texts and calls at the same time than any provider sends.
    #[error("the answer can't be inspected: it has more than {} parts at the same time", core::MAX_OPEN)]
    TooManyParts,
}

/// What each wire format has to remember.
#[derive(Debug)]
enum Format {
    Chat(openai_chat::Chat),
    Responses(openai_responses::Responses),
    Anthropic(anthropic::Messages),
    Gemini(gemini::Generate),
    /// No model writes anything in it.
    Silent,
}

impl Format {
    fn of(wire: Wire) -> Self {
        match wire {
            Wire::OpenAiChat | Wire::OpenAiCompletions => Self::Chat(openai_chat::Chat::default()),
            Wire::OpenAiResponses | Wire::OpenAiCompact => {
                Self::Responses(openai_responses::Responses::default())
            }
            Wire::AnthropicMessages => Self::Anthropic(anthropic::Messages::default()),
            Wire::GeminiGenerate | Wire::GeminiStream => Self::Gemini(gemini::Generate::default()),
            Wire::OpenAiEmbeddings
            | Wire::AnthropicCountTokens
            | Wire::GeminiCountTokens
            | Wire::GeminiEmbed
            | Wire::Other => Self::Silent,
        }
    }
}

impl Format {
    /// Which of the answer's independent streams an event belongs to.
    fn streams(&self, event: &RawEvent) -> Streams {
        let data = event.data();
        let Ok(object) = Object::parse(&data, ANSWER_DEPTH) else { return Streams::All };
        match self {
            Self::Chat(_) => Streams::of(&object, "choices"),
            Self::Gemini(_) => Streams::of(&object, "candidates"),
            Self::Anthropic(_) if event::text(&object, "type").as_deref() == Some("ping") => Streams::None,
            Self::Responses(_) | Self::Anthropic(_) | Self::Silent => Streams::All,
        }
    }

    /// Whether every call that would end with the stream can be decided on.
    fn is_ready_to_end<J: Judge>(&self, judge: &mut J) -> bool {
        match self {
            Self::Chat(chat) => chat.is_ready_to_end(judge),
            Self::Responses(responses) => responses.is_ready_to_end(judge),
            Self::Anthropic(messages) => messages.is_ready_to_end(judge),
            Self::Gemini(_) | Self::Silent => true,
        }
    }
}

/// Screens the events of one answer.
#[derive(Debug)]
pub struct Screen<J: Judge> {
    core: Core<J>,
    format: Format,
    /// What waits for a verdict, and what has to keep its place behind that.
    behind: Behind,
}

impl<J: Judge> Screen<J> {
    /// A screen for a stream of `wire`.
    pub fn new(wire: Wire, judge: J) -> Self {
        Self { core: Core::new(judge), format: Format::of(wire), behind: Behind::default() }
    }

    /// What decides.
    pub const fn judge(&self) -> &J {
        &self.core.judge
    }

    /// The judge, to hand out what it has found.
    pub const fn judge_mut(&mut self) -> &mut J {
        &mut self.core.judge
    }

    /// How many bytes wait for a call to be complete, or for a verdict. What is kept of texts is not in it: the judge
    /// bounds that.
    pub fn held_bytes(&self) -> usize {
        let held = match &self.format {
            Format::Chat(chat) => chat.held_bytes(),
            Format::Responses(responses) => responses.held_bytes(),
            Format::Anthropic(messages) => messages.held_bytes(),
            Format::Gemini(_) | Format::Silent => 0,
        };
        held + self.behind.bytes()
    }

    /// Whether events wait for a verdict.
    pub fn is_waiting(&self) -> bool {
        !self.behind.is_empty()
    }

    /// How many bytes wait for a verdict. Whoever feeds the screen may stop while these are many.
    pub fn bytes_behind(&self) -> usize {
        self.behind.bytes()
    }

    /// Takes the next event; what may go to the client by now goes to the end of `out`.
    ///
    /// # Errors
    /// When the answer must not go on. Then nothing of this event is in `out`, and the screen can't be used any more.
    pub fn event(&mut self, event: &RawEvent, out: &mut Vec<Bytes>) -> Result<(), Stopped> {
        if self.is_waiting() {
            let streams = self.format.streams(event);
            if self.behind.holds(&streams) {
                self.behind.push(event, streams);
                return Ok(());
            }
        }
        if self.screened(event, out)? == Progress::Waits {
            self.behind.push(event, self.format.streams(event));
        }
        Ok(())
    }

    /// Goes on with what waits, after the judge was told what it did not know.
    ///
    /// # Errors
    /// As [`Screen::event`].
    pub fn resume(&mut self, out: &mut Vec<Bytes>) -> Result<(), Stopped> {
        let mut still_waiting = Behind::default();
        while let Some((event, streams)) = self.behind.pop() {
            if still_waiting.holds(&streams) || self.screened(&event, out)? == Progress::Waits {
                still_waiting.push(&event, streams);
            }
        }
        self.behind = still_waiting;
        Ok(())
    }

    fn screened(&mut self, event: &RawEvent, out: &mut Vec<Bytes>) -> Result<Progress, Stopped> {
        let before = out.len();
        let screened = self.screen(event, out).and_then(|progress| self.go_on().map(|()| progress));
        screened.inspect_err(|_| out.truncate(before))
    }

    /// Screens an event, or leaves everything as it is where a verdict is not there yet.
    fn screen(&mut self, event: &RawEvent, out: &mut Vec<Bytes>) -> Result<Progress, Stopped> {
        let data = event.data();
        let trimmed = data.trim_ascii();
        if trimmed.is_empty() || matches!(self.format, Format::Silent) {
            out.push(event.bytes.clone());
            return Ok(Progress::Done);
        }
        if trimmed == b"[DONE]" {
            let progress = self.end(out);
            if progress == Progress::Done {
                out.push(event.bytes.clone());
            }
            return Ok(progress);
        }
        let object = Object::parse(&data, ANSWER_DEPTH).map_err(|_| Stopped::Unreadable)?;
        let read = event::Read { event, data: &data, object: &object };
        match &mut self.format {
            Format::Chat(chat) => chat.event(&mut self.core, &read, out),
            Format::Responses(responses) => responses.event(&mut self.core, &read, out),
            Format::Anthropic(messages) => messages.event(&mut self.core, &read, out),
            Format::Gemini(generate) => generate.event(&mut self.core, &read, out),
            Format::Silent => Ok(Progress::Done),
        }
    }

    /// The stream has come to its proper end: what is still kept goes to the end of `out`. For one that broke off this is
    /// not called: half a call is none. Where something waits for a verdict it is called again after
    /// [`Screen::resume`].
    ///
    /// # Errors
    /// As [`Screen::event`].
    pub fn finish(&mut self, out: &mut Vec<Bytes>) -> Result<Progress, Stopped> {
        if self.is_waiting() {
            return Ok(Progress::Waits);
        }
        let before = out.len();
        let progress = self.end(out);
        self.go_on().inspect_err(|_| out.truncate(before))?;
        Ok(progress)
    }

    fn end(&mut self, out: &mut Vec<Bytes>) -> Progress {
        if self.core.judge.may_wait() && !self.format.is_ready_to_end(&mut self.core.judge) {
            return Progress::Waits;
        }
        match &mut self.format {
            Format::Chat(chat) => chat.finish(&mut self.core, out),
            Format::Responses(responses) => responses.finish(&mut self.core, out),
            Format::Anthropic(messages) => messages.finish(&mut self.core, out),
            Format::Gemini(generate) => generate.finish(&mut self.core, out),
            Format::Silent => {}
        }
        Progress::Done
    }

    fn go_on(&self) -> Result<(), Stopped> {
        if self.core.judge.must_stop() { Err(Stopped::Refused) } else { Ok(()) }
    }
}

/// Screens an answer that came in one piece; `None` when nothing in it changes.
///
/// # Errors
/// When it must not be seen at all, or can't be read.
pub fn screen_whole<J: Judge>(wire: Wire, body: &[u8], judge: &mut J) -> Result<Option<Bytes>, Stopped> {
    let format = Format::of(wire);
    if matches!(format, Format::Silent) {
        return Ok(None);
    }
    match Object::parse_repeating(body, ANSWER_DEPTH) {
        Ok(object) => {
            let mut core = Core::new(judge);
            let mut splices = crate::splice::Splices::default();
            match format {
                Format::Chat(_) => openai_chat::whole(&mut core, &object, &mut splices),
                Format::Responses(_) => openai_responses::whole(&mut core, &object, &mut splices),
                Format::Anthropic(_) => anthropic::whole(&mut core, &object, &mut splices),
                Format::Gemini(_) => gemini::whole(&mut core, &object, &mut splices)?,
                Format::Silent => {}
            }
            if core.judge.must_stop() {
                return Err(Stopped::Refused);
            }
            Ok((!splices.is_empty()).then(|| Bytes::from(splices.apply(body))))
        }
        // Gemini streams a JSON array when it is not asked for server-sent events.
        Err(error) if error.kind == JsonErrorKind::NotAnObject => screen_array(wire, body, judge),
        // A byte that is no UTF-8 spoils the text it stands in, not the rest.
        Err(error) if error.kind == JsonErrorKind::Utf8 => {
            let text = Bytes::from(String::from_utf8_lossy(body).into_owned());
            screen_whole(wire, &text, judge).map(|screened| Some(screened.unwrap_or(text)))
        }
        Err(_) => Err(Stopped::Unreadable),
    }
}

/// An array whose elements are what the events of a stream would be.
fn screen_array<J: Judge>(wire: Wire, body: &[u8], judge: &mut J) -> Result<Option<Bytes>, Stopped> {
    let array = Value::parse(body, ANSWER_DEPTH).map_err(|_| Stopped::Unreadable)?;
    let mut screen = Screen::new(wire, judge);
    let (mut came, mut goes) = (Vec::new(), Vec::new());
    for element in array.elements() {
        let event = event::of_json(None, element.raw());
        screen.event(&RawEvent::new(event.clone()), &mut goes)?;
        came.push(event);
    }
    // A judge that is lent is one that does not wait.
    let _done = screen.finish(&mut goes)?;
    if came == goes {
        return Ok(None);
    }
    let elements: Vec<_> = goes.into_iter().map(|event| RawEvent::new(event).data().into_owned()).collect();
    Ok(Some(Bytes::from([b"[".as_slice(), &elements.join(b",\n".as_slice()), b"]"].concat())))
}

impl<J: Judge> Judge for &mut J {
    type Filter = J::Filter;

    fn begin(&mut self, field: Field) -> Self::Filter {
        (**self).begin(field)
    }

    fn push(&mut self, filter: &mut Self::Filter, piece: &str, out: &mut String) {
        (**self).push(filter, piece, out);
    }

    fn finish(&mut self, filter: &mut Self::Filter, out: &mut String) {
        (**self).finish(filter, out);
    }

    fn is_holding(&self, filter: &Self::Filter) -> bool {
        (**self).is_holding(filter)
    }

    fn whole(&mut self, field: Field, text: &str, out: &mut String) {
        (**self).whole(field, text, out);
    }

    fn call(&mut self, call: &Call<'_>) -> CallVerdict {
        (**self).call(call)
    }

    fn too_large(&mut self, name: &str, limit: usize) -> String {
        (**self).too_large(name, limit)
    }

    fn must_stop(&self) -> bool {
        (**self).must_stop()
    }
}
