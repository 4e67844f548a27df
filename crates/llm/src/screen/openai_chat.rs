//! Screens OpenAI chat completions and the older completions.
//!
//! The calls of a choice are complete with its finish reason: servers interleave them, and no client runs one before.

mod calls;

use bytes::Bytes;
use smallvec::SmallVec;

use self::calls::{Calls, Fragments, fragments};
use super::core::{Channel, Core, Kept, MAX_OPEN, Piece, Pieces};
use super::event::{Read, number, rebuilt};
use super::{Field, Judge, Progress, Stopped, are_all_ready};
use crate::json::{ANSWER_DEPTH, Object, Value};
use crate::splice::{Splices, quoted};
use crate::sse::RawEvent;

/// What a stream has to remember.
#[derive(Debug, Default)]
pub(super) struct Chat {
    choices: SmallVec<[Choice; 1]>,
    /// The choices whose content has begun.
    spoken: SmallVec<[u64; 2]>,
}

/// A choice that has called tools and has not ended.
#[derive(Debug)]
struct Choice {
    index: u64,
    calls: Calls,
    /// The events that wait, with the calls that their fragments belong to.
    held: Vec<(RawEvent, SmallVec<[usize; 1]>)>,
}

/// A choice as an event shows it.
struct Part<'a> {
    index: u64,
    choice: Object<'a>,
    delta: Option<Object<'a>>,
    ends: bool,
}

impl Chat {
    pub(super) fn held_bytes(&self) -> usize {
        self.choices.iter().flat_map(|choice| &choice.held).map(|(event, _)| event.bytes.len()).sum()
    }

    pub(super) fn event<J: Judge>(
        &mut self,
        core: &mut Core<J>,
        read: &Read<'_, '_>,
        out: &mut Vec<Bytes>,
    ) -> Result<Progress, Stopped> {
        let parts = parts(read.object);
        if core.judge.may_wait() && !self.are_ready(&mut core.judge, &parts) {
            return Ok(Progress::Waits);
        }
        self.take(core, read, &parts, out).map(|()| Progress::Done)
    }

    /// Whether the calls can be decided on that are complete with these parts of an event.
    fn are_ready<J: Judge>(&self, judge: &mut J, parts: &[Part<'_>]) -> bool {
        let ending = parts.iter().filter(|part| part.ends);
        are_all_ready(ending.map(|part| {
            let here = part.delta.as_ref().map(fragments).unwrap_or_default();
            let known = self.choices.iter().find(|choice| choice.index == part.index);
            let mut calls = known.map(|choice| choice.calls.clone()).unwrap_or_default();
            // That there are too many is said when they are taken.
            calls.add(&here, true).is_err() || calls.are_ready(judge)
        }))
    }

    pub(super) fn is_ready_to_end<J: Judge>(&self, judge: &mut J) -> bool {
        are_all_ready(self.choices.iter().map(|choice| choice.calls.are_ready(judge)))
    }

    fn take<J: Judge>(
        &mut self,
        core: &mut Core<J>,
        read: &Read<'_, '_>,
        parts: &[Part<'_>],
        out: &mut Vec<Bytes>,
    ) -> Result<(), Stopped> {
        let mut pieces = Pieces::new();
        parts.iter().for_each(|part| part.pieces(&mut pieces));
        let mut splices = Splices::default();
        parts.iter().for_each(|part| part.hide_repetition(&mut splices));
        for part in parts {
            let found = part.delta.as_ref().map(fragments).unwrap_or_default();
            if !found.is_empty() && !part.ends {
                let is_alone = parts.len() == 1 && splices.is_empty() && says_nothing_else(read, &pieces);
                if self.hold(read, part, &found, is_alone)? {
                    return Ok(());
                }
                part.hide_calls(&mut splices);
            }
        }
        let ends = |channel: &Channel| parts.iter().any(|part| part.ends && part.index == channel.outer);
        core.take(read, &pieces, ends, &mut splices)?;
        self.note_spoken(&pieces);
        let mut last_words = Vec::new();
        for part in parts.iter().filter(|part| part.ends) {
            let index = part.index;
            out.extend(core.end(|channel| channel.outer == index).iter().filter_map(flushed));
            self.end_choice(core, (read, &pieces), part, (&mut splices, out), &mut last_words);
        }
        out.push(read.with(splices));
        out.append(&mut last_words);
        Ok(())
    }

    /// Notes the fragments of a choice and lets them wait. True when the whole event waits, because it says nothing else.
    fn hold(
        &mut self,
        read: &Read<'_, '_>,
        part: &Part<'_>,
        found: &Fragments<'_>,
        is_alone: bool,
    ) -> Result<bool, Stopped> {
        let has_room = self.held_bytes() + read.event.bytes.len() <= super::call::MAX_HELD;
        let at = self.position(part.index)?;
        let Some(choice) = self.choices.get_mut(at) else { return Ok(is_alone) };
        let (calls, is_kept) = choice.calls.add(found, has_room)?;
        if is_kept {
            let event = if is_alone { read.event.clone() } else { RawEvent::new(part.calls_alone(read)) };
            choice.held.push((event, calls));
        }
        Ok(is_alone)
    }

    fn note_spoken(&mut self, pieces: &Pieces<'_>) {
        for piece in pieces.iter().filter(|piece| piece.channel.key == "content") {
            let index = piece.channel.outer;
            if !self.spoken.contains(&index) && self.spoken.len() < MAX_OPEN && piece.value.text_len() > 0 {
                self.spoken.push(index);
            }
        }
    }

    fn position(&mut self, index: u64) -> Result<usize, Stopped> {
        if let Some(at) = self.choices.iter().position(|choice| choice.index == index) {
            return Ok(at);
        }
        if self.choices.len() >= MAX_OPEN {
            return Err(Stopped::TooManyParts);
        }
        self.choices.push(Choice { index, calls: Calls::default(), held: Vec::new() });
        Ok(self.choices.len() - 1)
    }

    /// The choice ends with this event: its calls are judged, and leave before the event. What is said in place of a call
    /// is the choice's last word: where the event itself says something, the finish reason comes in another one.
    fn end_choice<J: Judge>(
        &mut self,
        core: &mut Core<J>,
        (read, pieces): (&Read<'_, '_>, &Pieces<'_>),
        part: &Part<'_>,
        (splices, out): (&mut Splices, &mut Vec<Bytes>),
        last_words: &mut Vec<Bytes>,
    ) {
        let found = part.delta.as_ref().map(fragments).unwrap_or_default();
        let known = self.choices.iter().position(|choice| choice.index == part.index);
        if known.is_none() && found.is_empty() {
            return;
        }
        let mut choice = match known {
            Some(at) => self.choices.swap_remove(at),
            None => Choice { index: part.index, calls: Calls::default(), held: Vec::new() },
        };
        // An event that is in memory already needs no room.
        let Ok((here, _)) = choice.calls.add(&found, true) else { return };
        choice.calls.is_after_text = self.spoken.contains(&part.index);
        choice.calls.judge(&mut core.judge);
        choice.release(out);
        let Some(delta) = part.delta.as_ref().filter(|_| choice.calls.is_changed()) else { return };
        choice.calls.edit(delta, &here, splices);
        let Some(reason) = part.choice.get("finish_reason") else { return };
        let new_reason = if choice.calls.are_all_refused() { "\"stop\"" } else { raw(reason) };
        let words = choice.calls.words();
        let words = words.iter().map(|words| saying(read, part.index, "content", words));
        let is_text_here = |piece: &Piece<'_>| {
            piece.channel.outer == part.index && piece.channel.key == "content" && piece.value.is_string()
        };
        if here.is_empty() && !pieces.iter().any(is_text_here) {
            out.extend(words);
            splices.replace(reason, new_reason.to_owned());
        } else if words.len() > 0 {
            splices.replace(reason, "null".to_owned());
            last_words.extend(words);
            let end = format!("\"delta\":{{}},\"finish_reason\":{new_reason}");
            last_words.push(alone(read, part.index, &end));
        }
    }

    /// The stream ends, with no finish reason for what is still open.
    pub(super) fn finish<J: Judge>(&mut self, core: &mut Core<J>, out: &mut Vec<Bytes>) {
        out.extend(core.end(|_| true).iter().filter_map(flushed));
        for mut choice in self.choices.drain(..) {
            choice.calls.is_after_text = self.spoken.contains(&choice.index);
            choice.calls.judge(&mut core.judge);
            let last = choice.held.last().map(|(event, _)| event.clone());
            choice.release(out);
            let Some(event) = last else { continue };
            let data = event.data();
            let Ok(object) = Object::parse(&data, ANSWER_DEPTH) else { continue };
            let read = Read { event: &event, data: &data, object: &object };
            let words = choice.calls.words();
            out.extend(words.iter().map(|words| saying(&read, choice.index, "content", words)));
        }
    }
}

impl Choice {
    /// What waited goes, without what is refused.
    fn release(&mut self, out: &mut Vec<Bytes>) {
        for (event, calls) in std::mem::take(&mut self.held) {
            if !self.calls.is_changed() {
                out.push(event.bytes);
                continue;
            }
            let data = event.data();
            // It was read when it came.
            let Ok(object) = Object::parse(&data, ANSWER_DEPTH) else { continue };
            let Some(delta) = parts(&object).into_iter().find_map(|part| part.delta) else { continue };
            let mut splices = Splices::default();
            if self.calls.edit(&delta, &calls, &mut splices) || delta.some("role").is_some() {
                out.push(rebuilt(&event, &data, splices));
            }
        }
    }
}

impl<'a> Part<'a> {
    fn pieces(&self, pieces: &mut Pieces<'a>) {
        let aside = self.choice.some("logprobs").map(|value| (value.span(), "null"));
        let mut add = |key, field, inner, value: Value<'a>| {
            let channel = Channel { outer: self.index, inner, key, field };
            pieces.push(Piece { channel, value, aside: aside.clone() });
        };
        if let Some(text) = self.choice.get("text") {
            add("text", Field::Text, 0, text);
        }
        let Some(delta) = &self.delta else { return };
        for (key, value) in delta.iter() {
            match key.as_ref() {
                "content" => content(value, &mut |key, field, value| add(key, field, 0, value)),
                "refusal" => add("refusal", Field::Refusal, 0, value),
                "reasoning_content" => add("reasoning_content", Field::Reasoning, 0, value),
                "reasoning" => add("reasoning", Field::Reasoning, 0, value),
                "reasoning_details" => details(value, &mut |inner, key, value| {
                    add(key, Field::Reasoning, inner, value);
                }),
                "audio" => transcript(value).into_iter().for_each(|text| {
                    add("transcript", Field::Transcript, 0, text);
                }),
                _ => {}
            }
        }
    }

    /// Some servers repeat, beside each delta, the message as far as it has come (Perplexity): no client needs that, and
    /// what is kept back would stand in it.
    fn hide_repetition(&self, splices: &mut Splices) {
        if let (Some(_), Some(message)) = (self.choice.some("delta"), self.choice.some("message")) {
            splices.replace(message, "null".to_owned());
        }
    }

    /// The event without this choice's calls.
    fn hide_calls(&self, splices: &mut Splices) {
        let Some(delta) = &self.delta else { return };
        for key in ["tool_calls", "function_call"] {
            delta.some(key).into_iter().for_each(|calls| splices.replace(calls, "null".to_owned()));
        }
    }

    /// The event with this choice's calls and nothing else.
    fn calls_alone(&self, read: &Read<'_, '_>) -> Bytes {
        let calls = ["tool_calls", "function_call"].map(|key| {
            let calls = self.delta.as_ref().and_then(|delta| delta.some(key));
            calls.map(|calls| format!("\"{key}\":{}", raw(calls)))
        });
        let calls: Vec<String> = calls.into_iter().flatten().collect();
        let delta = format!("\"delta\":{{{}}},\"finish_reason\":null", calls.join(","));
        alone(read, self.index, &delta)
    }
}

fn parts<'a>(object: &Object<'a>) -> SmallVec<[Part<'a>; 1]> {
    let part = |choice: Object<'a>| Part {
        index: number(&choice, "index"),
        delta: choice.some("delta").or_else(|| choice.some("message")).and_then(|delta| delta.as_object()),
        ends: choice.some("finish_reason").is_some(),
        choice,
    };
    object.objects("choices").map(part).collect()
}

/// Whether an event of one choice brings nothing but fragments of calls: it may wait as it is.
fn says_nothing_else(read: &Read<'_, '_>, pieces: &Pieces<'_>) -> bool {
    pieces.iter().all(|piece| piece.value.text_len() == 0) && read.object.some("usage").is_none()
}

/// A text, or a list of parts, some of which are thoughts (Mistral).
fn content<'a>(value: Value<'a>, add: &mut impl FnMut(&'static str, Field, Value<'a>)) {
    if value.is_string() {
        return add("content", Field::Text, value);
    }
    for part in value.objects() {
        part.get("text").into_iter().for_each(|text| add("content", Field::Text, text));
        part.get("refusal").into_iter().for_each(|text| add("refusal", Field::Refusal, text));
        let Some(thinking) = part.get("thinking") else { continue };
        let nested = thinking.elements().filter_map(|part| part.as_object()?.get("text"));
        std::iter::once(thinking).chain(nested).for_each(|text| add("thinking", Field::Reasoning, text));
    }
}

/// Reasoning in typed pieces (`OpenRouter`), which repeat what stands under `reasoning`.
fn details<'a>(value: Value<'a>, add: &mut impl FnMut(u64, &'static str, Value<'a>)) {
    for (at, detail) in value.elements().enumerate() {
        let Some(detail) = detail.as_object() else { continue };
        let at = detail.get("index").and_then(|index| index.as_u64()).or_else(|| u64::try_from(at).ok());
        for key in ["text", "summary"] {
            detail.get(key).into_iter().for_each(|text| add(at.unwrap_or(0), key, text));
        }
    }
}

fn transcript(audio: Value<'_>) -> Option<Value<'_>> {
    audio.as_object()?.get("transcript")
}

fn raw(value: Value<'_>) -> &str {
    std::str::from_utf8(value.raw()).unwrap_or("null")
}

/// The event with nothing in it but `members` of one choice, and without its usage, which it tells itself.
fn alone(read: &Read<'_, '_>, index: u64, members: &str) -> Bytes {
    let mut splices = Splices::default();
    if let Some(choices) = read.object.get("choices") {
        splices.replace(choices, format!("[{{\"index\":{index},{members}}}]"));
    }
    if let Some(usage) = read.object.some("usage") {
        splices.replace(usage, "null".to_owned());
    }
    read.with(splices)
}

/// An event that says one thing.
fn saying(read: &Read<'_, '_>, index: u64, key: &str, words: &str) -> Bytes {
    let words = quoted(words);
    // Completions have texts in their choices, chats in deltas.
    let is_chat =
        !parts(read.object).iter().all(|part| part.delta.is_none() && part.choice.get("text").is_some());
    let delta = match key {
        "text" if !is_chat => format!("\"text\":{words},\"logprobs\":null"),
        "text" | "summary" => {
            format!(
                "\"delta\":{{\"reasoning_details\":[{{\"type\":\"reasoning.{key}\",\"{key}\":{words}}}]}}"
            )
        }
        "transcript" => format!("\"delta\":{{\"audio\":{{\"transcript\":{words}}}}}"),
        "thinking" => format!(
            "\"delta\":{{\"content\":[{{\"type\":\"thinking\",\"thinking\":[{{\"type\":\"text\",\"text\":{words}}}]}}]}}"
        ),
        key => format!("\"delta\":{{\"{key}\":{words}}}"),
    };
    alone(read, index, &format!("{delta},\"finish_reason\":null"))
}

/// What was kept of a text, as an event.
fn flushed(kept: &Kept) -> Option<Bytes> {
    let data = kept.event.data();
    let object = Object::parse(&data, ANSWER_DEPTH).ok()?;
    let read = Read { event: &kept.event, data: &data, object: &object };
    Some(saying(&read, kept.channel.outer, kept.channel.key, &kept.text))
}

/// Screens an answer in one piece.
pub(super) fn whole<J: Judge>(core: &mut Core<J>, object: &Object<'_>, splices: &mut Splices) {
    for choice in object.objects("choices") {
        let message = choice.get("message").and_then(|message| message.as_object());
        let part = Part { index: 0, delta: message, ends: true, choice };
        let words = part.judge_whole_calls(core, splices);
        let mut pieces = Pieces::new();
        part.pieces(&mut pieces);
        let mut changed = false;
        for piece in &pieces {
            let is_content =
                piece.channel.key == "content" && Some(piece.value.span()) == part.content_span();
            changed |= match words.as_deref().filter(|_| is_content) {
                Some(words) => core.whole_and(piece.channel.field, piece.value, words, splices),
                None => core.whole(piece.channel.field, piece.value, splices),
            };
        }
        if let Some(logprobs) = part.choice.some("logprobs").filter(|_| changed) {
            splices.replace(logprobs, "null".to_owned());
        }
    }
}

impl Part<'_> {
    /// Judges the calls of a whole message. Gives what is to be said at the end of its content, where that is a text;
    /// elsewhere it is put into the content here.
    fn judge_whole_calls<J: Judge>(&self, core: &mut Core<J>, splices: &mut Splices) -> Option<String> {
        let message = self.delta.as_ref()?;
        let found = fragments(message);
        let mut calls = Calls::of_whole();
        let (here, _) = calls.add(&found, true).ok().filter(|_| !found.is_empty())?;
        calls.judge(&mut core.judge);
        if !calls.is_changed() {
            return None;
        }
        calls.edit(message, &here, splices);
        let words = calls.words().concat();
        if words.is_empty() {
            return None;
        }
        if calls.are_all_refused()
            && let Some(reason) = self.choice.some("finish_reason")
        {
            splices.replace(reason, "\"stop\"".to_owned());
        }
        match message.get("content") {
            Some(content) if content.is_string() => return Some(words),
            Some(parts) if parts.elements().next().is_some() => {
                let end = parts.span().end - 1;
                splices.put(end..end, format!(",{{\"type\":\"text\",\"text\":{}}}", quoted(&words)));
            }
            Some(nothing) => splices.say(nothing, &words),
            None => {
                let end = message.close_offset();
                splices.put(end..end, format!(",\"content\":{}", quoted(&words)));
            }
        }
        None
    }

    fn content_span(&self) -> Option<std::ops::Range<usize>> {
        self.delta.as_ref()?.get("content").map(|content| content.span())
    }
}
