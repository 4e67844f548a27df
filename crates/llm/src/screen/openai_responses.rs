//! Screens OpenAI responses.
//!
//! Every text comes several times: as deltas, in the `…done` event of its part, in that of its item and in the response
//! at the end. A call that is refused becomes a message at its place in the output. The events are numbered; once one
//! has waited, was made or was left out, those that go are numbered anew, so that the client sees neither gap nor
//! repetition.

mod item;

use bytes::Bytes;
use smallvec::SmallVec;

use self::item::{CallItem, message, message_events};
use super::core::{Channel, Core, Kept, MAX_OPEN, Piece};
use super::event::{Read, number};
use super::items::{Ending, Items};
use super::{CallVerdict, Field, Judge, Progress, Stopped, are_all_ready};
use crate::json::{ANSWER_DEPTH, Object, Value};
use crate::splice::Splices;
use crate::sse::RawEvent;

/// What a stream has to remember.
#[derive(Debug, Default)]
pub(super) struct Responses {
    items: Items,
    verdicts: Verdicts,
    numbers: Numbers,
}

/// What was decided about the calls so far: they come again in the response at the end.
#[derive(Debug, Default)]
struct Verdicts(Vec<(blake3::Hash, CallVerdict)>);

/// The numbers of the events that go to the client.
#[derive(Debug, Default)]
struct Numbers {
    next: Option<u64>,
    /// They are not those of the events that came.
    is_shifted: bool,
}

impl Responses {
    pub(super) const fn held_bytes(&self) -> usize {
        self.items.held_bytes()
    }

    pub(super) fn event<J: Judge>(
        &mut self,
        core: &mut Core<J>,
        read: &Read<'_, '_>,
        out: &mut Vec<Bytes>,
    ) -> Result<Progress, Stopped> {
        let kind = read.object.get("type").and_then(|kind| kind.as_str()).unwrap_or_default();
        if core.judge.may_wait() && !self.is_ready(&mut core.judge, read.object, &kind) {
            return Ok(Progress::Waits);
        }
        self.take(core, read, &kind, out).map(|()| Progress::Done)
    }

    /// Whether the calls can be decided on that are complete with this event.
    fn is_ready<J: Judge>(&self, judge: &mut J, object: &Object<'_>, kind: &str) -> bool {
        let inner = |key| object.get(key).and_then(|inner| inner.as_object());
        match kind {
            "response.output_item.done" => {
                let index = number(object, "output_index");
                match inner("item").as_ref().and_then(CallItem::of) {
                    Some(call) => self.items.is_too_large(index) || call.pending.is_ready(judge),
                    None => self.items.are_ready(Ending::Item(index), judge),
                }
            }
            "response.completed" | "response.incomplete" => {
                let at_the_end = self.is_ready_to_end(judge);
                inner("response").is_none_or(|response| self.verdicts.are_ready(judge, &response))
                    && at_the_end
            }
            "response.failed" => {
                inner("response").is_none_or(|response| self.verdicts.are_ready(judge, &response))
            }
            _ => true,
        }
    }

    pub(super) fn is_ready_to_end<J: Judge>(&self, judge: &mut J) -> bool {
        self.items.are_ready(Ending::All, judge)
    }

    fn take<J: Judge>(
        &mut self,
        core: &mut Core<J>,
        read: &Read<'_, '_>,
        kind: &str,
        out: &mut Vec<Bytes>,
    ) -> Result<(), Stopped> {
        if self.numbers.next.is_none() {
            self.numbers.next = read.object.get("sequence_number").and_then(|number| number.as_u64());
        }
        match kind {
            "response.output_item.added" => self.item_added(core, read, out),
            "response.output_item.done" => self.item_done(core, read, out),
            "response.completed" | "response.incomplete" | "response.failed" => {
                if kind == "response.failed" {
                    self.items.discard();
                }
                self.finish(core, out);
                let mut splices = Splices::default();
                let response = read.object.get("response").and_then(|response| response.as_object());
                if let Some(response) = response {
                    self.verdicts.whole(core, &response, &mut splices);
                }
                self.send(read, splices, out);
                Ok(())
            }
            "error" => {
                self.items.discard();
                self.send(read, Splices::default(), out);
                Ok(())
            }
            kind if kind.ends_with(".delta") => self.delta(core, read, kind, out),
            kind => self.part(core, read, kind, out),
        }
    }

    fn item_added<J: Judge>(
        &mut self,
        core: &mut Core<J>,
        read: &Read<'_, '_>,
        out: &mut Vec<Bytes>,
    ) -> Result<(), Stopped> {
        let item = read.object.get("item").and_then(|item| item.as_object());
        let call = item.as_ref().and_then(CallItem::of);
        let mut splices = Splices::default();
        if call.is_none() {
            item.iter().for_each(|item| item::whole(core, item, &mut splices));
        }
        self.items.begin(number(read.object, "output_index"), call.map(|call| call.pending))?;
        self.route(read, splices, out);
        Ok(())
    }

    fn item_done<J: Judge>(
        &mut self,
        core: &mut Core<J>,
        read: &Read<'_, '_>,
        out: &mut Vec<Bytes>,
    ) -> Result<(), Stopped> {
        let index = number(read.object, "output_index");
        let item = read.object.get("item").and_then(|item| item.as_object());
        self.flush(core.end(|channel| channel.outer == index), out);
        let mut splices = Splices::default();
        match item.as_ref().and_then(CallItem::of) {
            Some(call) => {
                // Some servers send no event for its beginning.
                if self.items.call(index).is_none() {
                    self.items.begin(index, Some(call.pending))?;
                } else if let Some(open) = self.items.call(index) {
                    let is_too_large = open.call.as_ref().is_some_and(|known| known.is_too_large);
                    open.call = Some(call.pending);
                    open.call.iter_mut().for_each(|call| call.is_too_large |= is_too_large);
                }
            }
            None => item.iter().for_each(|item| item::whole(core, item, &mut splices)),
        }
        self.route(read, splices, out);
        self.items.end(index);
        self.release(core, out)
    }

    fn delta<J: Judge>(
        &mut self,
        core: &mut Core<J>,
        read: &Read<'_, '_>,
        kind: &str,
        out: &mut Vec<Bytes>,
    ) -> Result<(), Stopped> {
        let mut splices = Splices::default();
        if let Some(item) = self.items.call(number(read.object, "output_index")) {
            let piece = read.object.get("delta").and_then(|delta| delta.as_str());
            item.call.iter_mut().for_each(|call| call.add(piece.as_deref().unwrap_or_default()));
        } else if let Some(value) = read.object.get("delta")
            && let Some((key, field)) = channel_of(kind)
        {
            let aside = read.object.get("logprobs").map(|value| (value.span(), "[]"));
            let piece = Piece { channel: channel(read.object, key, field), value, aside };
            core.take(read, &[piece], |_| false, &mut splices)?;
        }
        self.route(read, splices, out);
        Ok(())
    }

    /// Any other event: the end of a text, the beginning or the end of a part, or what holds no text at all.
    fn part<J: Judge>(
        &mut self,
        core: &mut Core<J>,
        read: &Read<'_, '_>,
        kind: &str,
        out: &mut Vec<Bytes>,
    ) -> Result<(), Stopped> {
        let mut splices = Splices::default();
        if let Some(item) = self.items.call(number(read.object, "output_index")) {
            let all = read.object.get("arguments").or_else(|| read.object.get("input"));
            if let (Some(call), Some(all)) = (&mut item.call, all.and_then(|all| all.as_str())) {
                call.set(&all);
            }
        } else {
            if let Some((key, field)) = kind.strip_suffix(".done").and_then(channel_of) {
                let ended = channel(read.object, key, field);
                self.flush(core.end(|open| *open == ended), out);
            }
            item::text_of(core, read.object, &mut splices);
            if let Some(part) = read.object.get("part").and_then(|part| part.as_object()) {
                item::text_of(core, &part, &mut splices);
            }
        }
        self.route(read, splices, out);
        Ok(())
    }

    /// No more items come.
    pub(super) fn finish<J: Judge>(&mut self, core: &mut Core<J>, out: &mut Vec<Bytes>) {
        self.flush(core.end(|_| true), out);
        self.items.end_all();
        // That there are too many calls is said by the one that was too much.
        let _is_reported = self.release(core, out);
    }

    /// What was kept of texts that have ended.
    fn flush(&mut self, kept: SmallVec<[Kept; 1]>, out: &mut Vec<Bytes>) {
        for kept in kept {
            let data = kept.event.data();
            let Ok(object) = Object::parse(&data, ANSWER_DEPTH) else { continue };
            let mut splices = Splices::default();
            object.get("delta").into_iter().for_each(|delta| splices.say(delta, &kept.text));
            object.get("logprobs").into_iter().for_each(|list| splices.replace(list, "[]".to_owned()));
            let read = Read { event: &kept.event, data: &data, object: &object };
            self.numbers.is_shifted = true;
            self.route(&read, splices, out);
        }
    }

    /// Sends an event, unless its item has to wait.
    fn route(&mut self, read: &Read<'_, '_>, splices: Splices, out: &mut Vec<Bytes>) {
        let Some(index) = read.object.get("output_index").and_then(|index| index.as_u64()) else {
            return self.send(read, splices, out);
        };
        if self.items.is_waiting(index) {
            self.numbers.is_shifted = true;
            self.items.holds(index, &RawEvent::new(read.with(splices)));
        } else {
            self.send(read, splices, out);
        }
    }

    fn send(&mut self, read: &Read<'_, '_>, mut splices: Splices, out: &mut Vec<Bytes>) {
        self.numbers.renumber(read.object, &mut splices);
        out.push(read.with(splices));
    }

    fn send_bytes(&mut self, bytes: Bytes, out: &mut Vec<Bytes>) {
        let event = RawEvent::new(bytes);
        let data = event.data();
        // It was read when it came, or is ours.
        let Ok(object) = Object::parse(&data, ANSWER_DEPTH) else { return };
        self.send(&Read { event: &event, data: &data, object: &object }, Splices::default(), out);
    }

    /// What waited goes, as it was judged.
    fn release<J: Judge>(&mut self, core: &mut Core<J>, out: &mut Vec<Bytes>) -> Result<(), Stopped> {
        for (at, event) in self.items.judged(&mut core.judge) {
            let Some(item) = self.items.item(at) else { continue };
            let (Some(verdict), Some(call)) = (&item.verdict, &item.call) else {
                self.send_bytes(event.bytes, out);
                continue;
            };
            let is_first = !std::mem::replace(&mut item.has_begun, true);
            let (verdict, index) = (verdict.clone(), item.number());
            if is_first {
                self.verdicts.note(call.digest(), &verdict)?;
            }
            match verdict {
                CallVerdict::Pass => self.send_bytes(event.bytes, out),
                CallVerdict::Arguments(new) => {
                    let (bytes, is_piece) = item::with_arguments(&event, &new, item.is_given);
                    item.is_given |= is_piece;
                    self.send_bytes(bytes, out);
                }
                CallVerdict::Refuse(words) if is_first => {
                    let id = call.id.as_deref().unwrap_or_default().to_owned();
                    let is_numbered = self.numbers.next.is_some();
                    for bytes in message_events(index, &id, &words, is_numbered) {
                        self.send_bytes(bytes, out);
                    }
                }
                CallVerdict::Refuse(_) => {}
            }
        }
        self.items.forget();
        Ok(())
    }
}

impl Numbers {
    /// The number that the event has when it goes.
    fn renumber(&mut self, object: &Object<'_>, splices: &mut Splices) {
        let Some(value) = object.get("sequence_number") else { return };
        let (Some(came), Some(next)) = (value.as_u64(), self.next) else { return };
        let goes = if self.is_shifted { next } else { came };
        if goes != came {
            splices.replace(value, goes.to_string());
        }
        self.next = Some(goes.saturating_add(1));
    }
}

impl Verdicts {
    fn note(&mut self, call: blake3::Hash, verdict: &CallVerdict) -> Result<(), Stopped> {
        if self.0.len() >= MAX_OPEN {
            return Err(Stopped::TooManyParts);
        }
        self.0.push((call, verdict.clone()));
        Ok(())
    }

    /// Whether the calls of a whole response can be decided on.
    fn are_ready<J: Judge>(&self, judge: &mut J, response: &Object<'_>) -> bool {
        let items = response.get("output").into_iter().flat_map(|output| output.elements());
        let calls = items.filter_map(|item| CallItem::of(&item.as_object()?).map(|call| call.pending));
        are_all_ready(calls.map(|call| {
            let digest = call.digest();
            self.0.iter().any(|(known, _)| *known == digest) || call.is_ready(judge)
        }))
    }

    /// Screens a whole response.
    fn whole<J: Judge>(&self, core: &mut Core<J>, response: &Object<'_>, splices: &mut Splices) {
        for value in response.get("output").into_iter().flat_map(|output| output.elements()) {
            let Some(item) = value.as_object() else { continue };
            let Some(call) = CallItem::of(&item) else {
                item::whole(core, &item, splices);
                continue;
            };
            let digest = call.pending.digest();
            let known = self.0.iter().find(|(known, _)| *known == digest).map(|(_, verdict)| verdict.clone());
            match known.unwrap_or_else(|| call.pending.judge(&mut core.judge)) {
                CallVerdict::Pass => {}
                CallVerdict::Arguments(new) => call.put(&new, splices),
                CallVerdict::Refuse(words) => {
                    splices.replace(value, message(call.pending.id.as_deref().unwrap_or_default(), &words));
                }
            }
        }
        // Not the provider's own, but some servers send what its SDKs gather.
        response.get("output_text").into_iter().for_each(|text| {
            core.whole(Field::Text, text, splices);
        });
    }
}

/// Screens a response in one piece.
pub(super) fn whole<J: Judge>(core: &mut Core<J>, response: &Object<'_>, splices: &mut Splices) {
    Verdicts::default().whole(core, response, splices);
}

fn channel(object: &Object<'_>, key: &'static str, field: Field) -> Channel {
    let inner = if object.get("summary_index").is_some() { "summary_index" } else { "content_index" };
    Channel { outer: number(object, "output_index"), inner: number(object, inner), key, field }
}

/// Which text an event of this kind is about, with or without its last word. Sound is no text.
fn channel_of(kind: &str) -> Option<(&'static str, Field)> {
    Some(match kind.strip_suffix(".delta").unwrap_or(kind) {
        "response.output_text" => ("output_text", Field::Text),
        "response.refusal" => ("refusal", Field::Refusal),
        "response.reasoning_text" | "response.reasoning" => ("reasoning", Field::Reasoning),
        "response.reasoning_summary_text" | "response.reasoning_summary" => ("summary", Field::Reasoning),
        "response.audio.transcript" | "response.audio_transcript" => ("transcript", Field::Transcript),
        "response.audio" => return None,
        _ => ("arguments", Field::Arguments),
    })
}

fn value_text(value: Value<'_>) -> String {
    value
        .as_str()
        .map_or_else(|| String::from_utf8_lossy(value.raw()).into_owned(), std::borrow::Cow::into_owned)
}
