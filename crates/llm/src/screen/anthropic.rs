//! Screens Anthropic messages.
//!
//! A call that is refused becomes a text block at its place, so that the numbers of the blocks stay what they are.

use bytes::Bytes;

use super::call::Pending;
use super::core::{Channel, Core, Kept, Piece};
use super::event::{Read, number, of_json, rebuilt, text};
use super::items::{Ending, Items};
use super::{CallVerdict, Field, Judge, Progress, Stopped, are_all_ready};
use crate::json::{ANSWER_DEPTH, Object, Value};
use crate::splice::{Splices, quoted};
use crate::sse::RawEvent;

/// What a stream has to remember.
#[derive(Debug, Default)]
pub(super) struct Messages {
    items: Items,
    /// How many calls went on, and how many did not.
    passed: u64,
    refused: u64,
}

impl Messages {
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
        match kind {
            "content_block_stop" => self.items.are_ready(Ending::Item(number(object, "index")), judge),
            "message_delta" | "message_stop" => self.is_ready_to_end(judge),
            "message_start" => {
                let message = object.get("message").and_then(|message| message.as_object());
                let content = message.and_then(|message| message.get("content"));
                let blocks = content.into_iter().flat_map(|content| content.elements());
                let calls = blocks.filter_map(|block| call(&block.as_object()?));
                are_all_ready(calls.map(|call| call.is_ready(judge)))
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
        match kind {
            "content_block_delta" => self.delta(core, read, out),
            "content_block_start" => self.start(core, read, out),
            "content_block_stop" => {
                self.stop(core, read, out);
                Ok(())
            }
            "message_start" => {
                let mut splices = Splices::default();
                if let Some(message) = read.object.get("message").and_then(|message| message.as_object()) {
                    whole(core, &message, &mut splices);
                }
                out.push(read.with(splices));
                Ok(())
            }
            "message_delta" => {
                self.finish(core, out);
                let delta = read.object.get("delta").and_then(|delta| delta.as_object());
                let mut splices = Splices::default();
                if self.refused > 0 && self.passed == 0 {
                    delta.iter().for_each(|delta| end_turn(delta, &mut splices));
                }
                out.push(read.with(splices));
                Ok(())
            }
            other => {
                match other {
                    "message_stop" => self.finish(core, out),
                    "error" => self.items.discard(),
                    _ => {}
                }
                out.push(read.event.bytes.clone());
                Ok(())
            }
        }
    }

    fn start<J: Judge>(
        &mut self,
        core: &mut Core<J>,
        read: &Read<'_, '_>,
        out: &mut Vec<Bytes>,
    ) -> Result<(), Stopped> {
        let block = read.object.get("content_block").and_then(|block| block.as_object());
        let index = number(read.object, "index");
        let call = block.as_ref().and_then(call);
        let pieces: Vec<Piece<'_>> = match &block {
            Some(block) if call.is_none() => TEXTS
                .iter()
                .filter_map(|(key, field)| Some(piece(index, key, *field, block.get(key)?)))
                .collect(),
            _ => Vec::new(),
        };
        self.items.begin(index, call)?;
        let mut splices = Splices::default();
        core.take(read, &pieces, |_| false, &mut splices)?;
        self.send(index, read.with(splices), out);
        Ok(())
    }

    fn delta<J: Judge>(
        &mut self,
        core: &mut Core<J>,
        read: &Read<'_, '_>,
        out: &mut Vec<Bytes>,
    ) -> Result<(), Stopped> {
        let index = number(read.object, "index");
        let delta = read.object.get("delta").and_then(|delta| delta.as_object());
        if let Some(item) = self.items.call(index) {
            let json = delta.as_ref().and_then(|delta| delta.get("partial_json")?.as_str());
            if let (Some(call), Some(json)) = (&mut item.call, json) {
                // What stood in the block's beginning was only that.
                if !std::mem::replace(&mut item.has_pieces, true) {
                    call.set("");
                }
                call.add(&json);
            }
            self.items.holds(index, read.event);
            return Ok(());
        }
        let mut splices = Splices::default();
        if let Some(delta) = &delta {
            for (key, field) in TEXTS {
                let Some(value) = delta.get(key) else { continue };
                core.take(read, &[piece(index, key, *field, value)], |_| false, &mut splices)?;
            }
        }
        self.send(index, read.with(splices), out);
        Ok(())
    }

    fn stop<J: Judge>(&mut self, core: &mut Core<J>, read: &Read<'_, '_>, out: &mut Vec<Bytes>) {
        let index = number(read.object, "index");
        for kept in core.end(|channel| channel.outer == index) {
            self.send(index, flushed(&kept), out);
        }
        self.send(index, read.event.bytes.clone(), out);
        self.items.end(index);
        self.release(core, out);
    }

    fn send(&mut self, index: u64, bytes: Bytes, out: &mut Vec<Bytes>) {
        let event = RawEvent::new(bytes);
        if !self.items.holds(index, &event) {
            out.push(event.bytes);
        }
    }

    /// No more blocks come.
    pub(super) fn finish<J: Judge>(&mut self, core: &mut Core<J>, out: &mut Vec<Bytes>) {
        for kept in core.end(|_| true) {
            self.send(kept.channel.outer, flushed(&kept), out);
        }
        self.items.end_all();
        self.release(core, out);
    }

    /// What waited goes, as it was judged.
    fn release<J: Judge>(&mut self, core: &mut Core<J>, out: &mut Vec<Bytes>) {
        for (at, event) in self.items.judged(&mut core.judge) {
            let Some(item) = self.items.item(at) else { continue };
            let is_first = item.verdict.is_some() && !std::mem::replace(&mut item.has_begun, true);
            match &item.verdict {
                None => out.push(event.bytes),
                Some(CallVerdict::Pass) => {
                    self.passed += u64::from(is_first);
                    out.push(event.bytes);
                }
                Some(CallVerdict::Refuse(words)) => {
                    self.refused += u64::from(is_first);
                    if is_first {
                        out.extend(text_block(item.number(), words));
                    }
                }
                Some(CallVerdict::Arguments(new)) => {
                    self.passed += u64::from(is_first);
                    let (bytes, is_piece) = with_arguments(&event, new, (item.has_pieces, item.is_given));
                    item.is_given |= is_piece;
                    out.push(bytes);
                }
            }
        }
        self.items.forget();
    }
}

/// The texts of a block and of its deltas; `partial_json` is what a tool of the provider's own is given.
const TEXTS: &[(&str, Field)] =
    &[("text", Field::Text), ("thinking", Field::Reasoning), ("partial_json", Field::Arguments)];

const fn piece<'a>(index: u64, key: &'static str, field: Field, value: Value<'a>) -> Piece<'a> {
    Piece { channel: Channel { outer: index, inner: 0, key, field }, value, aside: None }
}

/// The call that a block is, if the client is to run it.
fn call(block: &Object<'_>) -> Option<Pending> {
    if text(block, "type")? != "tool_use" {
        return None;
    }
    let id = text(block, "id").map(std::borrow::Cow::into_owned);
    let mut pending = Pending::new(id, text(block, "name").unwrap_or_default().into_owned(), false);
    let input = block.get("input").filter(|input| input.as_object().is_some_and(|input| !input.is_empty()));
    pending.set(&input.map(|input| String::from_utf8_lossy(input.raw())).unwrap_or_default());
    Some(pending)
}

/// An event of a call with new arguments, and whether it is a piece of them: all stand in the first piece, or in the
/// block's beginning if it has no pieces.
fn with_arguments(event: &RawEvent, new: &str, (has_pieces, is_given): (bool, bool)) -> (Bytes, bool) {
    let data = event.data();
    let Ok(object) = Object::parse(&data, ANSWER_DEPTH) else { return (event.bytes.clone(), false) };
    let inner = |key: &str| object.get(key).and_then(|inner| inner.as_object());
    let mut splices = Splices::default();
    if let Some(input) = inner("content_block").and_then(|block| block.get("input")) {
        splices.replace(input, if has_pieces { "{}".to_owned() } else { new.to_owned() });
    }
    let json = inner("delta").and_then(|delta| delta.get("partial_json"));
    if let Some(json) = json {
        splices.say(json, if is_given { "" } else { new });
    }
    (rebuilt(event, &data, splices), json.is_some())
}

/// A block that says something in the place of a call.
fn text_block(index: u64, words: &str) -> [Bytes; 3] {
    let (start, delta, stop) = ("content_block_start", "content_block_delta", "content_block_stop");
    let event = |name: &str, rest: &str| {
        of_json(Some(name), format!("{{\"type\":\"{name}\",\"index\":{index}{rest}}}").as_bytes())
    };
    let words = quoted(words);
    [
        event(start, ",\"content_block\":{\"type\":\"text\",\"text\":\"\"}"),
        event(delta, &format!(",\"delta\":{{\"type\":\"text_delta\",\"text\":{words}}}")),
        event(stop, ""),
    ]
}

/// What was kept of a text, as an event.
fn flushed(kept: &Kept) -> Bytes {
    let kind = match kept.channel.key {
        "partial_json" => "input_json_delta",
        "thinking" => "thinking_delta",
        _ => "text_delta",
    };
    let (key, words) = (kept.channel.key, quoted(&kept.text));
    let delta = format!("{{\"type\":\"{kind}\",\"{key}\":{words}}}");
    let index = kept.channel.outer;
    let data = format!("{{\"type\":\"content_block_delta\",\"index\":{index},\"delta\":{delta}}}");
    of_json(Some("content_block_delta"), data.as_bytes())
}

/// The model is not waiting for a result.
fn end_turn(holder: &Object<'_>, splices: &mut Splices) {
    if let Some(reason) =
        holder.some("stop_reason").filter(|_| text(holder, "stop_reason").as_deref() == Some("tool_use"))
    {
        splices.replace(reason, "\"end_turn\"".to_owned());
    }
}

/// Screens a message in one piece.
pub(super) fn whole<J: Judge>(core: &mut Core<J>, message: &Object<'_>, splices: &mut Splices) {
    let (mut passed, mut refused) = (0_u64, 0_u64);
    for value in message.get("content").into_iter().flat_map(|content| content.elements()) {
        let Some(block) = value.as_object() else { continue };
        let Some(call) = call(&block) else {
            for (key, field) in [("text", Field::Text), ("thinking", Field::Reasoning)] {
                block.get(key).into_iter().for_each(|text| {
                    core.whole(field, text, splices);
                });
            }
            continue;
        };
        match call.judge(&mut core.judge) {
            CallVerdict::Pass => passed += 1,
            CallVerdict::Arguments(new) => {
                passed += 1;
                block.get("input").into_iter().for_each(|input| splices.replace(input, new.clone()));
            }
            CallVerdict::Refuse(words) => {
                refused += 1;
                splices.replace(value, format!("{{\"type\":\"text\",\"text\":{}}}", quoted(&words)));
            }
        }
    }
    if refused > 0 && passed == 0 {
        end_turn(message, splices);
    }
}
