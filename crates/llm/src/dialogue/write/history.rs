//! A conversation in the order that every provider demands: speakers take turns, a person begins, each call of a tool has one
//! result at the beginning of the message after it, and nothing is empty.

use std::borrow::Cow;

use super::media::described;
use crate::dialogue::{Ask, Part, Reasoning, Role, ToolResult, ToolUse};

/// What one speaker says, all of it.
pub(super) struct Message<'a> {
    pub(super) role: Role,
    /// The results of the calls before, in the calls' order. Only a user's message has any.
    pub(super) results: Vec<&'a ToolResult<'a>>,
    pub(super) pieces: Vec<Piece<'a>>,
}

/// A piece of a message.
pub(super) enum Piece<'a> {
    Text(Cow<'a, str>),
    Call(&'a ToolUse<'a>),
    Thought(&'a Reasoning<'a>),
    Media(&'a Part<'a>),
}

/// Which thoughts a provider wants to see again.
#[derive(Clone, Copy)]
pub(super) struct Thoughts {
    /// Whether it is one of them.
    pub(super) keeps: fn(&Reasoning<'_>) -> bool,
    /// Whether a message may end with one.
    pub(super) may_end: bool,
}

/// The conversation of `ask`.
pub(super) fn messages<'a>(ask: &Ask<'a>, thoughts: Thoughts) -> Vec<Message<'a>> {
    let mut messages = Vec::new();
    for turn in ask.messages {
        let ends_at =
            turn.blocks.iter().rposition(|part| !matches!(part, Part::Reasoning(_)) && !is_empty(part));
        let last = if thoughts.may_end { turn.blocks.len() } else { ends_at.map_or(0, |last| last + 1) };
        for part in turn.blocks.iter().take(last) {
            take(&mut messages, turn.role, part, thoughts);
        }
    }
    pair(&mut messages);
    if messages.first().is_some_and(|first| first.role == Role::Assistant) {
        let begins = vec![Piece::Text(Cow::Borrowed("(The conversation goes on.)"))];
        messages.insert(0, Message { role: Role::User, results: Vec::new(), pieces: begins });
    }
    messages
}

fn take<'a>(messages: &mut Vec<Message<'a>>, role: Role, part: &'a Part<'a>, thoughts: Thoughts) {
    let piece = match part {
        part if is_empty(part) => return,
        Part::Reasoning(thought) if role == Role::User || !(thoughts.keeps)(thought) => return,
        Part::Text(text) => Piece::Text(Cow::Borrowed(text)),
        Part::Reasoning(thought) => Piece::Thought(thought),
        Part::ToolUse(call) if role == Role::Assistant => Piece::Call(call),
        Part::ToolUse(call) => Piece::Text(unanswered(call)),
        Part::ToolResult(result) if role == Role::User => {
            return message(messages, role).results.push(result);
        }
        Part::ToolResult(result) => Piece::Text(unasked(result)),
        Part::Image(_) | Part::Audio(_) | Part::File(_) if role == Role::User => Piece::Media(part),
        // What models show they may not be shown as their own: no provider but one takes it.
        Part::Image(_) | Part::Audio(_) | Part::File(_) => Piece::Text(described(part)),
    };
    message(messages, role).pieces.push(piece);
}

fn is_empty(part: &Part<'_>) -> bool {
    matches!(part, Part::Text(text) if text.trim().is_empty())
}

/// The message that this speaker is at.
fn message<'m, 'a>(messages: &'m mut Vec<Message<'a>>, role: Role) -> &'m mut Message<'a> {
    let goes_on = messages.last().is_some_and(|last| last.role == role);
    if !goes_on {
        messages.push(Message { role, results: Vec::new(), pieces: Vec::new() });
    }
    let last = messages.len() - 1;
    #[expect(clippy::indexing_slicing, reason = "one was pushed where there was none")]
    &mut messages[last]
}

/// Brings calls and results together; what has no counterpart becomes text, since providers refuse it.
fn pair(messages: &mut [Message<'_>]) {
    for at in 0..messages.len() {
        let (before, rest) = messages.split_at_mut(at);
        let Some((message, after)) = rest.split_first_mut() else { continue };
        if message.role == Role::User {
            sort_results(before.last(), message);
        } else {
            let results = after.first().map_or(&[][..], |next| next.results.as_slice());
            answer_calls(message, results);
        }
    }
}

fn answer_calls(message: &mut Message<'_>, results: &[&ToolResult<'_>]) {
    let mut seen: Vec<&str> = Vec::new();
    for piece in &mut message.pieces {
        let Piece::Call(call) = piece else { continue };
        let is_answered = results.iter().any(|result| result.id == call.id) && !seen.contains(&call.id);
        seen.push(call.id);
        if !is_answered {
            *piece = Piece::Text(unanswered(call));
        }
    }
}

fn sort_results<'a>(before: Option<&Message<'a>>, message: &mut Message<'a>) {
    let calls: Vec<&str> = before.into_iter().flat_map(|before| &before.pieces).filter_map(id_of).collect();
    let place = |result: &ToolResult<'_>| calls.iter().position(|id| *id == result.id);
    let mut results: Vec<&'a ToolResult<'a>> = Vec::new();
    let mut others = Vec::new();
    for result in std::mem::take(&mut message.results) {
        let is_new = results.iter().all(|known| known.id != result.id);
        if is_new && place(result).is_some() {
            results.push(result);
        } else {
            others.push(Piece::Text(unasked(result)));
        }
    }
    results.sort_by_key(|result| place(result));
    message.results = results;
    message.pieces.splice(0..0, others);
}

fn id_of<'a>(piece: &Piece<'a>) -> Option<&'a str> {
    match piece {
        Piece::Call(call) => Some(call.id),
        Piece::Text(_) | Piece::Thought(_) | Piece::Media(_) => None,
    }
}

fn unanswered<'a>(call: &ToolUse<'_>) -> Cow<'a, str> {
    Cow::Owned(format!(
        "[The tool {} was called with {}; its result is not part of this conversation.]",
        call.name, call.input
    ))
}

fn unasked<'a>(result: &ToolResult<'_>) -> Cow<'a, str> {
    Cow::Owned(format!(
        "[The result of a tool, whose call is not part of this conversation:]\n{}",
        words(result, Telling::ALONE)
    ))
}

/// How a result is put into words.
#[derive(Clone, Copy)]
pub(super) struct Telling {
    /// Which of its media come later, outside of it, so that they are announced.
    pub(super) shows: fn(&Part<'_>) -> bool,
    /// Whether nothing but the words tells that it is a failure.
    pub(super) marks_errors: bool,
}

impl Telling {
    /// Words are all there is.
    pub(super) const ALONE: Self = Self { shows: |_| false, marks_errors: true };
}

/// A result in words. What can't be put into words is said to be missing, or to come later.
pub(super) fn words<'a>(result: &ToolResult<'a>, telling: Telling) -> Cow<'a, str> {
    let text = match result.content.as_slice() {
        [Part::Text(text)] => Cow::Borrowed(*text),
        parts => {
            let words = parts.iter().map(|part| part_words(part, telling));
            Cow::Owned(words.collect::<Vec<_>>().join("\n"))
        }
    };
    let is_told = text.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("error"));
    match (result.is_error && telling.marks_errors, text.trim().is_empty()) {
        (true, true) => Cow::Borrowed("Error"),
        (false, true) => Cow::Borrowed("(no output)"),
        (true, false) if !is_told => Cow::Owned(format!("Error: {text}")),
        _ => text,
    }
}

fn part_words<'a>(part: &Part<'a>, telling: Telling) -> Cow<'a, str> {
    match part {
        Part::Text(text) | Part::Reasoning(Reasoning { text, .. }) => Cow::Borrowed(text),
        Part::ToolUse(call) => unanswered(call),
        Part::ToolResult(result) => words(result, Telling::ALONE),
        Part::Image(media) | Part::Audio(media) | Part::File(media) if (telling.shows)(part) => {
            Cow::Owned(format!("[{}: shown after the results]", media.mime_type))
        }
        Part::Image(_) | Part::Audio(_) | Part::File(_) => described(part),
    }
}
