//! Finds secrets, personal data and attempts to instruct the model in a text, in one pass for all selected kinds.
//!
//! The scan runs from one anchor to the next (`anchors`); at each a small validator says whether a match is there, and
//! exactly where it begins and ends. Validators look at a bounded number of bytes or consume what they looked at, so the
//! whole is linear whatever the text. There is no regular expression in it.
//!
//! What it is not: a proof. A secret without a form and without a name beside it is a word like any other.

pub(crate) mod alphabet;
mod anchors;
pub(crate) mod kind;
mod members;
pub(crate) mod places;
pub(crate) mod window;

use std::ops::Range;

use alphabet::Alphabet;
use anchors::Anchors;
pub(crate) use anchors::Cursor;
pub use kind::Kind;
use window::{Hit, Judged, LOOK_BACK, Wait, Window};

use crate::injection::InjectionDetector;
use crate::pii::{self, PiiKind, PiiKinds};
use crate::secrets;

/// What is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Selection {
    /// Keys, tokens, private keys, passwords.
    pub secrets: bool,
    /// Personal data of these kinds.
    pub pii: PiiKinds,
    /// Attempts to instruct the model. They are told by [`TextDetector::scan`] only: the redactor takes nothing out for them.
    pub injection: bool,
}

impl Selection {
    /// Everything.
    #[must_use]
    pub fn all() -> Self {
        Self { secrets: true, pii: PiiKinds::all(), injection: true }
    }
}

/// One thing that was found in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    /// Where it stands, in bytes.
    pub range: Range<usize>,
    /// What it is.
    pub kind: Kind,
}

/// The detectors of a selection of kinds, compiled. Made once for a policy and shared.
#[derive(Debug)]
pub struct TextDetector {
    selection: Selection,
    anchors: Anchors,
    prefixes: secrets::Prefixes,
    injection: Option<InjectionDetector>,
}

/// What the scan came to.
pub(crate) enum Step {
    /// The next match.
    Hit(Hit),
    /// A place that more of the text must come for: the anchor, where the match would begin, what to wait for.
    Open { anchor: usize, from: usize, wait: Option<Wait> },
    /// The end of what there is.
    Done,
}

impl TextDetector {
    /// The detector of these kinds.
    #[must_use]
    pub fn new(selection: Selection) -> Self {
        Self {
            selection,
            anchors: Anchors::new(selection),
            prefixes: secrets::Prefixes::new(),
            injection: selection.injection.then(InjectionDetector::new),
        }
    }

    /// What it looks for.
    #[must_use]
    pub fn selection(&self) -> Selection {
        self.selection
    }

    /// What a value is as a whole, when the name that it stands under, apart from it, says that it is a secret: a member of an
    /// object, an argument. What is in the value whatever its name is, [`TextDetector::scan`] finds.
    #[must_use]
    pub fn named(&self, name: &str, value: &str) -> Option<Kind> {
        if self.selection.secrets { secrets::named(name, value) } else { None }
    }

    /// Whether the name promises a secret, so that its value may be one.
    #[must_use]
    pub fn names_a_secret(&self, name: &str) -> bool {
        self.selection.secrets && secrets::is_secret_name(name)
    }

    /// Tells every match, in the order of the text and without overlaps; attempts to instruct the model come after all
    /// others. Takes time linear in the length of the text.
    pub fn scan(&self, text: &str, mut each: impl FnMut(Match)) {
        let mut window = Window { bytes: text.as_bytes(), floor: 0, complete: true };
        let mut cursor = Cursor::at(0);
        while let Step::Hit(hit) = self.step(&window, &mut cursor) {
            let (end, _) = hit.tail.extend(&window, hit.end);
            each(Match { range: hit.start..end, kind: hit.kind });
            window.floor = end;
            cursor.skip_to(end);
        }
        if let Some(injection) = &self.injection {
            injection.scan(text, |range| each(Match { range, kind: Kind::Injection }));
        }
    }

    /// The first match whose anchor is not before the cursor.
    pub(crate) fn step(&self, window: &Window<'_>, cursor: &mut Cursor) -> Step {
        while let Some(anchor) = self.anchors.next(window, cursor) {
            match self.judge(window, anchor) {
                Ok(Some(hit)) if hit.start >= window.floor && hit.end > anchor => return Step::Hit(hit),
                Ok(_) => {}
                Err(open) => {
                    return Step::Open { anchor, from: open.from.unwrap_or(anchor), wait: open.wait };
                }
            }
        }
        Step::Done
    }

    fn judge(&self, window: &Window<'_>, at: usize) -> Judged {
        match window.peek(at)? {
            Some(b'@') => pii::email(window, at),
            Some(b'0'..=b'9') => self.judge_number(window, at),
            Some(b':') => self.judge_colon(window, at),
            Some(b'=') => secrets::assignment(&self.prefixes, window, at),
            Some(b'J') => secrets::jwt(window, at),
            Some(b'-') => match secrets::pem(window, at)? {
                None => self.prefixes.judge(window, at),
                found => Ok(found),
            },
            _ => self.prefixes.judge(window, at),
        }
    }

    /// A number is judged by its first digit. Within a word it is a hash or an identifier, which logs are full of.
    fn judge_number(&self, window: &Window<'_>, at: usize) -> Judged {
        match window.before(at) {
            Some(b'0'..=b'9') => return Ok(None),
            Some(b'a'..=b'z') => {
                if self.selection.secrets
                    && let Some(hit) = secrets::databricks::judge(window, at)?
                {
                    return Ok(Some(hit));
                }
                if !window.starts_word(at) {
                    return Ok(None);
                }
            }
            _ => {}
        }
        self.judge_free_number(window, at)
    }

    fn judge_free_number(&self, window: &Window<'_>, at: usize) -> Judged {
        if !has_numbers(self.selection.pii) {
            return Ok(None);
        }
        pii::number(self.selection.pii, window, at)
    }

    fn judge_colon(&self, window: &Window<'_>, at: usize) -> Judged {
        if self.selection.pii.has(PiiKind::Ip)
            && let Some(hit) = pii::ip_v6(window, at)?
        {
            return Ok(Some(hit));
        }
        if !self.selection.secrets {
            return Ok(None);
        }
        match secrets::url(window, at)? {
            None => secrets::assignment(&self.prefixes, window, at),
            found => Ok(found),
        }
    }

    /// Where the earliest match could begin whose anchor stands at `at` or later.
    ///
    /// Every kind that begins before its anchor has its line here; the others need none.
    pub(crate) fn earliest(&self, window: &Window<'_>, at: usize) -> usize {
        if !window.before(at).is_some_and(|last| Alphabet::MATCH_BEGUN.has(last)) {
            return at;
        }
        let mut earliest = at;
        let mut reach = |start: usize| earliest = earliest.min(start);
        let back = |alphabet: Alphabet, most: usize| at - alphabet.run_back(window.left(at, most));
        if self.selection.pii.has(PiiKind::Email) {
            reach(back(Alphabet::LOCAL_PART, pii::LONGEST_LOCAL));
        }
        if self.selection.pii.has(PiiKind::Phone) && matches!(window.before(at), Some(b'+' | b'(')) {
            reach(at - 1);
        }
        if self.selection.pii.has(PiiKind::Iban) {
            reach(back(Alphabet::UPPER_ALPHANUMERIC, 2));
        }
        if self.selection.pii.has(PiiKind::Ip) {
            reach(back(Alphabet::HEX, 4));
        }
        if self.selection.secrets {
            reach(self.prefixes.begun(window, at));
            reach(secrets::databricks::reach(window, at));
            reach(secrets::jwt_begun(window, at));
        }
        earliest.max(window.floor)
    }
}

/// Whether any of the kinds is found from the first digit of a number.
fn has_numbers(kinds: PiiKinds) -> bool {
    PiiKind::ALL.iter().any(|kind| *kind != PiiKind::Email && kinds.has(*kind))
}

const _: () = assert!(pii::LONGEST_LOCAL <= LOOK_BACK);
