//! A judge of one word: it stands in for detectors and policies.

use seawall_llm::screen::{Call, CallVerdict, Field, Judge};

/// It has a quote, which JSON escapes, and a character outside the basic plane, which some escape as two halves.
pub(super) const WORD: &str = "k\"\u{1F600}ey";
pub(super) const COVER: &str = "[REDACTED:word]";

/// Covers the word in texts and arguments, and refuses calls of tools whose names begin with `bad`.
#[derive(Debug, Default)]
pub(super) struct Word {
    pub(super) stops: bool,
    /// The calls that it was asked about.
    pub(super) asked: Vec<String>,
    pub(super) found: bool,
    /// It takes its time: a verdict is there once it was [told](Word::answer) to be.
    pub(super) is_slow: bool,
    pub(super) wanted: Vec<String>,
    pub(super) known: Vec<String>,
}

impl Word {
    pub(super) fn slow() -> Self {
        Self { is_slow: true, ..Self::default() }
    }

    /// Knows what to say about the calls that it was asked about until now; how many these are.
    pub(super) fn answer(&mut self) -> usize {
        let answered = self.wanted.len();
        self.known.append(&mut self.wanted);
        answered
    }
}

fn shown(call: &Call<'_>) -> String {
    format!("{} {} {}", call.id.unwrap_or("-"), call.name, call.arguments)
}

/// What a tool may be given.
pub(super) fn verdict(name: &str, arguments: &str) -> CallVerdict {
    if name.starts_with("bad") {
        return CallVerdict::Refuse(format!("[seawall] denied {name}"));
    }
    match arguments.replace("leak", COVER) {
        same if same == arguments => CallVerdict::Pass,
        covered => CallVerdict::Arguments(covered),
    }
}

impl Judge for Word {
    type Filter = String;

    fn begin(&mut self, _field: Field) -> String {
        String::new()
    }

    fn push(&mut self, kept: &mut String, piece: &str, out: &mut String) {
        kept.push_str(piece);
        while let Some(at) = kept.find(WORD) {
            self.found = true;
            out.push_str(&kept[..at]);
            out.push_str(COVER);
            kept.drain(..at + WORD.len());
        }
        let is_beginning = |at: &usize| WORD.starts_with(&kept[*at..]);
        let live = kept.char_indices().map(|(at, _)| at).find(is_beginning).unwrap_or(kept.len());
        out.push_str(&kept[..live]);
        kept.drain(..live);
    }

    fn finish(&mut self, kept: &mut String, out: &mut String) {
        out.push_str(&std::mem::take(kept));
    }

    fn is_holding(&self, kept: &String) -> bool {
        !kept.is_empty()
    }

    fn call(&mut self, call: &Call<'_>) -> CallVerdict {
        let shown = shown(call);
        assert!(!self.is_slow || !call.is_whole || self.known.contains(&shown), "{shown} is not decided on");
        self.asked.push(shown);
        verdict(call.name, call.arguments)
    }

    fn may_wait(&self) -> bool {
        self.is_slow
    }

    fn is_ready(&mut self, call: &Call<'_>) -> bool {
        let shown = shown(call);
        let is_known = self.known.contains(&shown);
        if !is_known && !self.wanted.contains(&shown) {
            self.wanted.push(shown);
        }
        is_known
    }

    fn too_large(&mut self, name: &str, limit: usize) -> String {
        format!("[seawall] denied OUTPUT_TOO_LARGE: {name} {limit}")
    }

    fn must_stop(&self) -> bool {
        self.stops && self.found
    }
}
