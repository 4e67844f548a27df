//! Texts that try to instruct the model: a score out of signals, each with points, and a threshold.
//!
//! This is a heuristic over words and hidden characters, and says so: who knows the list writes around it, and a text
//! about such attacks looks like one. It is there to notice and to warn. What protects is that a tool call is judged by
//! the policy whoever asked for it. The answers of models and the text of users are not what it is made for; results of
//! tools and pages of the web are.

mod disguise;
mod hidden;
mod image;
mod lexicon;
mod terms;

use std::ops::Range;

use lexicon::{Lexicon, Seen};
use terms::Role;

/// From how many points on a text is suspected.
pub const THRESHOLD: u32 = 50;

/// How far apart, in bytes, the words of one order stand at most.
const ORDER_WITHIN: usize = 96;
/// "Ignore all previous instructions": what to do, to which, with what.
const WHOLE_ORDER: u32 = 60;
/// "Ignore the instructions" may be good advice, so it does not suffice.
const HALF_ORDER: u32 = 20;

/// Whoever encodes an order means it.
const DISGUISED: u32 = 60;

/// One reason to suspect a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signal {
    /// Where it stands, in bytes.
    pub range: Range<usize>,
    /// What it adds to the score.
    pub points: u32,
    /// What it is.
    pub what: &'static str,
}

/// Scores texts. Compiled once and shared.
#[derive(Debug)]
pub struct InjectionDetector {
    lexicon: Lexicon,
}

impl Default for InjectionDetector {
    fn default() -> Self {
        Self::new()
    }
}

impl InjectionDetector {
    /// Compiles the table of terms.
    #[must_use]
    pub fn new() -> Self {
        Self { lexicon: Lexicon::new() }
    }

    /// The signals in a text, each kind once. Takes time linear in the length of the text.
    #[must_use]
    pub fn signals(&self, text: &str) -> Vec<Signal> {
        let mut signals = Signals::default();
        let mut looked_at = 0;
        self.plain(text, &mut signals, |signals, dressed| {
            let (Seen::Long(at) | Seen::Apart(at)) = dressed else { return };
            if at < looked_at {
                return;
            }
            let range = if matches!(dressed, Seen::Long(_)) {
                let (range, said) = disguise::decoded(text.as_bytes(), at);
                self.judge_undressed(range.clone(), said.as_deref(), signals);
                range
            } else {
                let (range, is_order) = disguise::letters_apart(text.as_bytes(), at);
                if is_order {
                    signals.add(range.clone(), DISGUISED, "an order in letters that stand apart");
                }
                range
            };
            looked_at = range.end;
        });
        disguise::unescaped(text, |range, said| self.judge_undressed(range, Some(&said), &mut signals));
        signals.0
    }

    /// The signals of what a text says as it stands.
    fn plain(&self, text: &str, signals: &mut Signals, mut dressed: impl FnMut(&mut Signals, Seen)) {
        let mut order = Order::default();
        self.lexicon.search(text.as_bytes(), |seen| match seen {
            Seen::Term(found) => match found.term.role {
                Role::Alone(points, what) => signals.add(found.range, points, what),
                Role::Image => image::signals(text, found.range, signals),
                role => order.take(role, found.range, signals),
            },
            seen => dressed(signals, seen),
        });
        hidden::signals(text, signals);
    }

    /// What was written in disguise counts if it would be suspected by itself.
    fn judge_undressed(&self, range: Range<usize>, said: Option<&str>, signals: &mut Signals) {
        let Some(said) = said else { return };
        let mut own = Signals::default();
        self.plain(said, &mut own, |_, _| {});
        if Self::score(&own.0) >= THRESHOLD {
            signals.add(range, DISGUISED, "an order that is encoded");
        }
    }

    /// The sum of the signals' points.
    #[must_use]
    pub fn score(signals: &[Signal]) -> u32 {
        signals.iter().fold(0, |score, signal| score.saturating_add(signal.points))
    }

    /// Tells the places that make a text suspected; none if it stays below the threshold.
    pub(crate) fn scan(&self, text: &str, mut each: impl FnMut(Range<usize>)) {
        let signals = self.signals(text);
        if Self::score(&signals) >= THRESHOLD {
            signals.into_iter().for_each(|signal| each(signal.range));
        }
    }
}

/// The signals so far; each kind counts once, by its gravest, so that length alone makes nothing suspected.
#[derive(Debug, Default)]
struct Signals(Vec<Signal>);

impl Signals {
    fn add(&mut self, range: Range<usize>, points: u32, what: &'static str) {
        let signal = Signal { range, points, what };
        match self.0.iter_mut().find(|known| known.what == what) {
            Some(known) if known.points < points => *known = signal,
            Some(_) => {}
            None => self.0.push(signal),
        }
    }
}

/// The last words of an order that were seen, in whatever sequence the language puts them.
#[derive(Debug, Default)]
struct Order {
    verb: Option<Range<usize>>,
    scope: Option<Range<usize>>,
    object: Option<Range<usize>>,
}

impl Order {
    fn take(&mut self, role: Role, range: Range<usize>, signals: &mut Signals) {
        let near = range.start.saturating_sub(ORDER_WITHIN);
        match role {
            Role::Verb => self.verb = Some(range.clone()),
            Role::Scope => self.scope = Some(range.clone()),
            Role::Owned => {
                self.scope = Some(range.clone());
                self.object = Some(range.clone());
            }
            _ => self.object = Some(range.clone()),
        }
        let within =
            |word: &Option<Range<usize>>| word.as_ref().map(|word| word.start).filter(|start| *start >= near);
        let (Some(verb), Some(object)) = (within(&self.verb), within(&self.object)) else { return };
        let scope = within(&self.scope);
        let start = verb.min(object).min(scope.unwrap_or(verb));
        match scope {
            Some(_) => signals.add(start..range.end, WHOLE_ORDER, "an order to drop what was said before"),
            None => signals.add(start..range.end, HALF_ORDER, "an order against instructions"),
        }
    }
}
