//! The calls of one choice of a chat: which fragment belongs to which, and how they look once they are judged.

use smallvec::SmallVec;

use super::super::call::Pending;
use super::super::core::MAX_OPEN;
use super::super::event::text;
use super::super::{CallVerdict, Judge, Stopped, are_all_ready};
use crate::json::{Object, Value};
use crate::splice::{Splices, quoted};

/// A call, or the next piece of one, as it stands in a delta.
pub(super) struct Fragment<'a> {
    value: Value<'a>,
    /// The object with name and arguments, and the key of the arguments.
    function: Option<(Object<'a>, &'static str)>,
    id: Option<String>,
    index: Option<Value<'a>>,
    /// The single call of the API before tools.
    is_old: bool,
}

pub(super) type Fragments<'a> = SmallVec<[Fragment<'a>; 1]>;

/// The fragments of a delta, or the calls of a message, in their order.
pub(super) fn fragments<'a>(message: &Object<'a>) -> Fragments<'a> {
    let calls = message.get("tool_calls").into_iter().flat_map(|calls| calls.elements());
    let mut found: Fragments<'a> = calls.filter_map(fragment).collect();
    if let Some(value) = message.some("function_call") {
        let function = value.as_object().map(|function| (function, "arguments"));
        found.push(Fragment { value, function, id: None, index: None, is_old: true });
    }
    found
}

fn fragment(value: Value<'_>) -> Option<Fragment<'_>> {
    let call = value.as_object()?;
    let inner = |key| call.some(key).and_then(|inner| inner.as_object());
    let function = inner("function").map(|function| (function, "arguments"));
    let function = function.or_else(|| inner("custom").map(|custom| (custom, "input")));
    let id = text(&call, "id").map(std::borrow::Cow::into_owned);
    Some(Fragment { value, function, id, index: call.some("index"), is_old: false })
}

impl<'a> Fragment<'a> {
    fn name(&self) -> Option<String> {
        let (function, _) = self.function.as_ref()?;
        text(function, "name").map(std::borrow::Cow::into_owned)
    }

    fn arguments(&self) -> Option<Value<'a>> {
        let (function, key) = self.function.as_ref()?;
        function.some(key)
    }
}

#[derive(Debug, Clone)]
struct Known {
    index: Option<u64>,
    is_old: bool,
    pending: Pending,
    verdict: CallVerdict,
    /// The new arguments have gone with an earlier fragment.
    is_told: bool,
}

/// The calls of one choice.
#[derive(Debug, Default, Clone)]
pub(super) struct Calls {
    known: Vec<Known>,
    /// Every fragment is a call of its own.
    is_whole: bool,
    /// The choice has said something, from which what is said in place of a call stands apart.
    pub(super) is_after_text: bool,
}

impl Calls {
    /// For a message in one piece.
    pub(super) fn of_whole() -> Self {
        Self { is_whole: true, ..Self::default() }
    }

    /// Takes fragments: to which call each belongs, and whether they are to be kept until it is judged. Without room
    /// their calls are too large, and will be refused whatever they are.
    pub(super) fn add(
        &mut self,
        found: &Fragments<'_>,
        has_room: bool,
    ) -> Result<(SmallVec<[usize; 1]>, bool), Stopped> {
        let mut calls = SmallVec::new();
        let mut is_kept = false;
        for fragment in found {
            let (at, is_new) = self.call_of(fragment)?;
            calls.push(at);
            let Some(known) = self.known.get_mut(at) else { continue };
            known.pending.is_too_large |= !has_room;
            if let Some(arguments) = fragment.arguments().and_then(|arguments| arguments.as_str()) {
                known.pending.add(&arguments);
            }
            // The first one shows where the call stood.
            is_kept |= is_new || !known.pending.is_too_large;
        }
        Ok((calls, is_kept))
    }

    /// Its index may have gaps, be missing, or be the same for all calls, each of which some server does: another id is
    /// another call. A name comes whole, or in pieces that clients join; a repeated one is no piece.
    fn call_of(&mut self, fragment: &Fragment<'_>) -> Result<(usize, bool), Stopped> {
        let index = fragment.index.and_then(|index| index.as_u64());
        let name = fragment.name();
        let is_old = fragment.is_old;
        let same_kind = |known: &Known| known.is_old == is_old;
        let at = match index {
            _ if self.is_whole => None,
            Some(_) => self.known.iter().rposition(|known| same_kind(known) && known.index == index),
            None if is_old || name.is_none() => self.known.iter().rposition(same_kind),
            None => None,
        };
        let of_same_id = |known: &&mut Known| {
            fragment.id.is_none() || known.pending.id.is_none() || known.pending.id == fragment.id
        };
        if let Some(at) = at
            && let Some(known) = self.known.get_mut(at).filter(of_same_id)
        {
            known.pending.id = known.pending.id.take().or_else(|| fragment.id.clone());
            if let Some(name) = name.filter(|name| *name != known.pending.name) {
                known.pending.name.push_str(&name);
            }
            return Ok((at, false));
        }
        if self.known.len() >= MAX_OPEN {
            return Err(Stopped::TooManyParts);
        }
        let is_free_text = fragment.function.as_ref().is_some_and(|(_, key)| *key == "input");
        let pending = Pending::new(fragment.id.clone(), name.unwrap_or_default(), is_free_text);
        let verdict = CallVerdict::Pass;
        self.known.push(Known { index, is_old, pending, verdict, is_told: false });
        Ok((self.known.len() - 1, true))
    }

    /// Asks about each call.
    pub(super) fn judge<J: Judge>(&mut self, judge: &mut J) {
        for known in &mut self.known {
            known.verdict = known.pending.judge(judge);
        }
    }

    /// Whether each of them can be decided on.
    pub(super) fn are_ready<J: Judge>(&self, judge: &mut J) -> bool {
        are_all_ready(self.known.iter().map(|known| known.pending.is_ready(judge)))
    }

    /// Whether a call does not go on as it came.
    pub(super) fn is_changed(&self) -> bool {
        self.known.iter().any(|known| known.verdict != CallVerdict::Pass)
    }

    /// Whether there were calls and none is left.
    pub(super) fn are_all_refused(&self) -> bool {
        !self.known.is_empty() && self.known.iter().all(Known::is_refused)
    }

    /// What is said in place of the calls that are refused, in their order.
    pub(super) fn words(&self) -> Vec<String> {
        let refused = self.known.iter().filter_map(|known| match &known.verdict {
            CallVerdict::Refuse(words) => Some(words),
            CallVerdict::Pass | CallVerdict::Arguments(_) => None,
        });
        let gap = |at| if self.is_after_text || at > 0 { "\n\n" } else { "" };
        refused.enumerate().map(|(at, words)| format!("{}{words}", gap(at))).collect()
    }

    /// Puts the judged calls in the place of those in `message`, whose fragments belong to `calls`; whether one is left.
    pub(super) fn edit(&mut self, message: &Object<'_>, calls: &[usize], splices: &mut Splices) -> bool {
        let mut left: Vec<String> = Vec::new();
        let mut is_any_left = false;
        for (fragment, at) in fragments(message).iter().zip(calls) {
            let edited = self.edited(fragment, *at);
            is_any_left |= edited.is_some();
            match edited {
                edited if fragment.is_old => {
                    splices.replace(fragment.value, edited.unwrap_or_else(|| "null".to_owned()));
                }
                edited => left.extend(edited),
            }
        }
        if let Some(all) = message.some("tool_calls") {
            let list = if left.is_empty() { "null".to_owned() } else { format!("[{}]", left.join(",")) };
            splices.replace(all, list);
        }
        is_any_left
    }

    /// A fragment as it goes on; `None` when its call is refused. The first fragment of a call with new arguments has
    /// them all, the others none. Where a call is missing, the later ones move up: SDKs take the index for the place.
    fn edited(&mut self, fragment: &Fragment<'_>, at: usize) -> Option<String> {
        let is_one_refused = self.known.iter().any(Known::is_refused);
        let place = self.known.iter().take(at).filter(|known| !known.is_refused() && !known.is_old).count();
        let known = self.known.get_mut(at).filter(|known| !known.is_refused())?;
        let start = fragment.value.span().start;
        let inside = |value: Value<'_>| value.span().start - start..value.span().end - start;
        let mut splices = Splices::default();
        if let (CallVerdict::Arguments(new), Some(arguments)) = (&known.verdict, fragment.arguments()) {
            let is_told = std::mem::replace(&mut known.is_told, true);
            splices.put(inside(arguments), quoted(if is_told { "" } else { new }));
        }
        if let Some(index) = fragment.index.filter(|_| is_one_refused) {
            splices.put(inside(index), place.to_string());
        }
        String::from_utf8(splices.apply(fragment.value.raw())).ok()
    }
}

impl Known {
    const fn is_refused(&self) -> bool {
        matches!(self.verdict, CallVerdict::Refuse(_))
    }
}
