//! Screens Gemini's GenerateContentResponse: an answer is one of them, a stream several.
//!
//! A call comes whole in one part, so nothing ever waits for it. Where the client asked for arguments in pieces
//! (`streamFunctionCallArguments`), each piece is judged alone, as one that is not whole.

use bytes::Bytes;
use smallvec::SmallVec;

use super::call::MAX_ARGUMENTS;
use super::core::{Channel, Core, Kept, MAX_OPEN, Piece};
use super::event::{Read, number, rebuilt, text};
use super::{Call, CallVerdict, Field, Judge, Progress, Stopped};
use crate::json::{ANSWER_DEPTH, Object, Value};
use crate::splice::{Splices, quoted};

/// What a stream has to remember.
#[derive(Debug, Default)]
pub(super) struct Generate {
    candidates: SmallVec<[Candidate; 1]>,
    /// Nothing comes after what is read: every candidate ends.
    is_whole: bool,
}

#[derive(Debug)]
struct Candidate {
    index: u64,
    /// It has said something.
    is_spoken: bool,
    /// The tool whose arguments are coming in pieces.
    calling: Option<String>,
}

/// What a candidate says, in the order in which it does.
enum Said<'a> {
    Text(Piece<'a>),
    /// A call, and the part that it is.
    Call {
        candidate: u64,
        part: Value<'a>,
        call: Value<'a>,
    },
}

impl Generate {
    pub(super) fn event<J: Judge>(
        &mut self,
        core: &mut Core<J>,
        read: &Read<'_, '_>,
        out: &mut Vec<Bytes>,
    ) -> Result<Progress, Stopped> {
        if core.judge.may_wait() && !is_ready(&mut core.judge, read.object) {
            return Ok(Progress::Waits);
        }
        let mut splices = Splices::default();
        let ended = self.read(core, read, &mut splices)?;
        let is_blocked = read.object.some("promptFeedback").is_some();
        let kept = core.end(|channel| is_blocked || ended.contains(&channel.outer));
        out.extend(kept.iter().filter_map(flushed));
        out.push(read.with(splices));
        Ok(Progress::Done)
    }

    pub(super) fn finish<J: Judge>(&mut self, core: &mut Core<J>, out: &mut Vec<Bytes>) {
        out.extend(core.end(|_| true).iter().filter_map(flushed));
        self.candidates.clear();
    }

    /// Screens one object; gives the candidates that end with it.
    fn read<J: Judge>(
        &mut self,
        core: &mut Core<J>,
        read: &Read<'_, '_>,
        splices: &mut Splices,
    ) -> Result<SmallVec<[u64; 1]>, Stopped> {
        let candidates: SmallVec<[Object<'_>; 1]> = read.object.objects("candidates").collect();
        let ends = |candidate: &&Object<'_>| self.is_whole || candidate.some("finishReason").is_some();
        let ended: SmallVec<[u64; 1]> =
            candidates.iter().filter(ends).map(|candidate| number(candidate, "index")).collect();
        let said: SmallVec<[Said<'_>; 4]> = candidates.iter().flat_map(says).collect();
        for (at, one) in said.iter().enumerate() {
            match one {
                Said::Text(piece) => {
                    let is_same =
                        |later: &Said<'_>| matches!(later, Said::Text(p) if p.channel == piece.channel);
                    let is_last =
                        ended.contains(&piece.channel.outer) && !said.iter().skip(at + 1).any(is_same);
                    core.piece(read.event, piece, is_last, splices)?;
                    self.note_spoken(piece)?;
                }
                Said::Call { candidate, part, call } => {
                    self.call(core, (*candidate, *part), *call, splices)?;
                }
            }
        }
        Ok(ended)
    }

    fn candidate(&mut self, index: u64) -> Result<Option<&mut Candidate>, Stopped> {
        if let Some(at) = self.candidates.iter().position(|candidate| candidate.index == index) {
            return Ok(self.candidates.get_mut(at));
        }
        if self.candidates.len() >= MAX_OPEN {
            return Err(Stopped::TooManyParts);
        }
        self.candidates.push(Candidate { index, is_spoken: false, calling: None });
        Ok(self.candidates.last_mut())
    }

    fn note_spoken(&mut self, piece: &Piece<'_>) -> Result<(), Stopped> {
        if piece.channel.field == Field::Text
            && piece.value.text_len() > 0
            && let Some(candidate) = self.candidate(piece.channel.outer)?
        {
            candidate.is_spoken = true;
        }
        Ok(())
    }

    fn call<J: Judge>(
        &mut self,
        core: &mut Core<J>,
        (index, part): (u64, Value<'_>),
        call: Value<'_>,
        splices: &mut Splices,
    ) -> Result<(), Stopped> {
        let Some(object) = call.as_object() else { return Ok(()) };
        let Some(candidate) = self.candidate(index)? else { return Ok(()) };
        let named = text(&object, "name").map(std::borrow::Cow::into_owned);
        let more = object.get("willContinue").and_then(|more| more.as_bool()) == Some(true);
        let is_whole = is_whole(&object);
        let name = named.or_else(|| candidate.calling.clone()).unwrap_or_default();
        candidate.calling = more.then(|| name.clone());
        let arguments = object.some("args").or_else(|| object.some("partialArgs"));
        let verdict = judge(core, (text(&object, "id").as_deref(), &name), arguments, is_whole);
        match verdict {
            CallVerdict::Pass => {}
            CallVerdict::Arguments(new) => match arguments {
                Some(arguments) => splices.replace(arguments, new),
                None => {
                    let (end, comma) = (object.close_offset(), if object.is_empty() { "" } else { "," });
                    splices.put(end..end, format!("{comma}\"args\":{new}"));
                }
            },
            CallVerdict::Refuse(words) => {
                let channel = channel(index, "text");
                let kept = core.end(|open| *open == channel).into_iter().map(|kept| kept.text);
                let gap = if candidate.is_spoken { "\n\n" } else { "" };
                candidate.is_spoken = true;
                let words = kept.collect::<String>() + gap + &words;
                splices.replace(part, format!("{{\"text\":{}}}", quoted(&words)));
            }
        }
        Ok(())
    }
}

fn judge<J: Judge>(
    core: &mut Core<J>,
    (id, name): (Option<&str>, &str),
    arguments: Option<Value<'_>>,
    is_whole: bool,
) -> CallVerdict {
    let arguments = raw_arguments(arguments);
    if arguments.len() > MAX_ARGUMENTS {
        return CallVerdict::Refuse(core.judge.too_large(name, MAX_ARGUMENTS));
    }
    core.judge.call(&Call { id, name, arguments, is_whole })
}

/// Whether the calls of an event can be decided on. Pieces of arguments are decided on at once: nobody can say yes to a part.
fn is_ready<J: Judge>(judge: &mut J, object: &Object<'_>) -> bool {
    let candidates = object.get("candidates").into_iter().flat_map(|list| list.elements());
    let said =
        candidates.filter_map(|candidate| candidate.as_object()).flat_map(|candidate| says(&candidate));
    let mut all = true;
    for said in said {
        let Said::Call { call, .. } = said else { continue };
        let Some(call) = call.as_object().filter(is_whole) else { continue };
        let arguments = raw_arguments(call.some("args"));
        if arguments.len() <= MAX_ARGUMENTS {
            let (id, name) = (text(&call, "id"), text(&call, "name").unwrap_or_default());
            all &= judge.is_ready(&Call { id: id.as_deref(), name: &name, arguments, is_whole: true });
        }
    }
    all
}

fn is_whole(call: &Object<'_>) -> bool {
    let more = call.get("willContinue").and_then(|more| more.as_bool()) == Some(true);
    !more && text(call, "name").is_some() && call.some("partialArgs").is_none()
}

fn raw_arguments<'a>(arguments: Option<Value<'a>>) -> &'a str {
    arguments.map_or("{}", |value| std::str::from_utf8(value.raw()).unwrap_or("{}"))
}

fn says<'a>(candidate: &Object<'a>) -> SmallVec<[Said<'a>; 2]> {
    let index = number(candidate, "index");
    let aside = candidate.some("logprobsResult").map(|value| (value.span(), "null"));
    let content = candidate.get("content").and_then(|content| content.as_object());
    let parts = content.and_then(|content| content.get("parts"));
    let mut said = SmallVec::new();
    for part in parts.into_iter().flat_map(|parts| parts.elements()) {
        let Some(object) = part.as_object() else { continue };
        match object.some("functionCall") {
            Some(call) => said.push(Said::Call { candidate: index, part, call }),
            None => said.extend(texts(index, &object, aside.as_ref())),
        }
    }
    said
}

const fn channel(candidate: u64, key: &'static str) -> Channel {
    let field = match key.as_bytes() {
        b"thought" => Field::Reasoning,
        b"code" => Field::Arguments,
        _ => Field::Text,
    };
    Channel { outer: candidate, inner: 0, key, field }
}

/// The texts of a part.
fn texts<'a>(
    candidate: u64,
    part: &Object<'a>,
    aside: Option<&(std::ops::Range<usize>, &'static str)>,
) -> impl Iterator<Item = Said<'a>> {
    let is_thought = part.get("thought").and_then(|thought| thought.as_bool()) == Some(true);
    let text = part.get("text").map(|text| (if is_thought { "thought" } else { "text" }, text));
    let code = part.some("executableCode").and_then(|code| code.as_object()?.get("code"));
    let said = move |(key, value)| {
        let channel = channel(candidate, key);
        Said::Text(Piece { channel, value, aside: aside.cloned() })
    };
    text.into_iter().chain(code.map(|code| ("code", code))).map(said)
}

/// What was kept of a text, as an event.
fn flushed(kept: &Kept) -> Option<Bytes> {
    let data = kept.event.data();
    let object = Object::parse(&data, ANSWER_DEPTH).ok()?;
    let words = quoted(&kept.text);
    let part = match kept.channel.key {
        "thought" => format!("{{\"text\":{words},\"thought\":true}}"),
        "code" => format!("{{\"executableCode\":{{\"language\":\"PYTHON\",\"code\":{words}}}}}"),
        _ => format!("{{\"text\":{words}}}"),
    };
    let index = kept.channel.outer;
    let candidate = format!("[{{\"content\":{{\"parts\":[{part}],\"role\":\"model\"}},\"index\":{index}}}]");
    let mut splices = Splices::default();
    splices.replace(object.get("candidates")?, candidate);
    Some(rebuilt(&kept.event, &data, splices))
}

/// Screens an answer in one piece: an event that is the first and the last.
pub(super) fn whole<J: Judge>(
    core: &mut Core<J>,
    object: &Object<'_>,
    splices: &mut Splices,
) -> Result<(), Stopped> {
    let event = crate::sse::RawEvent::new(Bytes::new());
    let read = Read { event: &event, data: &[], object };
    let mut generate = Generate { is_whole: true, ..Generate::default() };
    generate.read(core, &read, splices).map(|_| ())
}
