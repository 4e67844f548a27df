//! Secrets and the like in the parameters of a call: in texts, in names, in numbers, and by the names of values.
//!
//! Where they are to be taken out, the text is replaced by one without them.

use seawall_detect::Kind;
use seawall_types::{Mode, Verdict};
use serde_json::Number;

use super::Judging;
use crate::pointer::Pointer;
use crate::{Performer, Replacement, TextRules};

/// Numbers with fewer digits are no account and name nobody by themselves: payment cards have 13 at least (ISO/IEC 7812).
const SHORTEST_NUMBER: usize = 13;

impl<'j> Judging<'j> {
    /// What texts are looked through for: towards a tool of ours, or from a model whose caller performs the call.
    fn texts(&self) -> &'j TextRules {
        match self.asked.performer {
            Performer::Us | Performer::Server => self.policy.text_towards_tool(),
            Performer::Client => self.policy.text_from_model(),
        }
    }

    /// A value under a name: all of it where the name makes it a secret, else what is found in it.
    pub(super) fn scan(&mut self, text: &str, name: &str, at: &Pointer<'_>) {
        if let Some(text) = self.scan_within(name, text, at) {
            self.decision.replacements.push(Replacement { location: at.to_string(), text });
        }
    }

    /// A name is a text like any other, but it stays: what would be called otherwise would be another argument.
    pub(super) fn scan_name(&mut self, name: &str, at: &Pointer<'_>) {
        let _stays = self.scan_within("", name, at);
    }

    /// Tells what is found in a text under a name. The text without it, where something is to be taken out.
    fn scan_within(&mut self, name: &str, text: &str, at: &Pointer<'_>) -> Option<String> {
        let detector = self.texts().detector()?;
        let mut without = String::new();
        let mut copied = 0;
        detector.scan_member(name, text, |found| {
            let goes = self.goes(found.kind, at);
            if goes && found.range.start >= copied {
                without.push_str(text.get(copied..found.range.start).unwrap_or_default());
                without.push_str(found.kind.mark());
                copied = found.range.end;
            }
        });
        (copied > 0).then(|| without + text.get(copied..).unwrap_or_default())
    }

    /// Tells one finding; whether it is to be taken out.
    fn goes(&mut self, kind: Kind, at: &Pointer<'_>) -> bool {
        let rules = self.texts();
        let verdict = rules.verdict(kind);
        let finding = rules.finding(kind, at.to_string());
        self.tell_once(verdict, finding);
        self.policy.mode == Mode::Strict && verdict == Verdict::Redact
    }

    /// Numbers name people and accounts too, once they are long enough.
    pub(super) fn number(&mut self, number: &Number, name: &str, at: &Pointer<'_>) {
        let digits = number.to_string();
        if digits.len() >= SHORTEST_NUMBER {
            self.scan(&digits, name, at);
        }
    }
}
