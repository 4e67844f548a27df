//! What a policy says about texts: which detectors read them, and what a finding leads to.
//!
//! Arguments of tools are read when a call is judged. All other texts are scanned by whoever has them, since most arrive piece
//! by piece.

use std::sync::Arc;

use seawall_detect::{Found, Kind, PiiKinds, Selection, TextDetector};
use seawall_types::{Code, Finding, Mode, Severity, Verdict};

/// What is looked for in texts that go one way. Two are equal when they look for the same and lead to the same.
#[derive(Debug, Clone)]
pub struct TextRules {
    way: Way,
    secrets: Verdict,
    pii: Verdict,
    injection: Verdict,
    /// All that is looked for. Each is compiled once, and absent where there is nothing to look for.
    detector: Option<Arc<TextDetector>>,
    /// Without attempts to instruct the model, which only what comes from outside can hold.
    plain: Option<Arc<TextDetector>>,
    /// What strict mode takes out or refuses.
    acting: Option<Arc<TextDetector>>,
    /// What strict mode takes note of.
    noting: Option<Arc<TextDetector>>,
}

/// Which way a text goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// To a model or a tool.
    In,
    /// Back from one.
    Out,
}

impl Way {
    const fn as_str(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Out => "out",
        }
    }
}

/// What was made of one text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TextDecision {
    /// What strict mode makes of it.
    pub would: Verdict,
    /// What takes the text's place; `None`: it stays as it is.
    pub text: Option<String>,
}

impl TextRules {
    /// Nothing is looked for.
    #[must_use]
    pub fn off() -> Self {
        Self::new(Way::In, Verdict::Allow, Verdict::Allow, PiiKinds::none(), Verdict::Allow)
    }

    pub(crate) fn new(way: Way, secrets: Verdict, pii: Verdict, kinds: PiiKinds, injection: Verdict) -> Self {
        let of = |wanted: fn(Verdict) -> bool, with_injection: bool| {
            compiled(Selection {
                secrets: wanted(secrets),
                pii: if wanted(pii) { kinds } else { PiiKinds::none() },
                injection: with_injection && wanted(injection),
            })
        };
        let any = |verdict| verdict != Verdict::Allow;
        Self {
            way,
            secrets,
            pii,
            injection,
            detector: of(any, true),
            plain: of(any, false),
            acting: of(|verdict| verdict >= Verdict::Redact, false),
            noting: of(|verdict| verdict == Verdict::Warn, false),
        }
    }

    /// The detector of what is looked for, compiled; `None` where nothing is.
    #[must_use]
    pub fn detector(&self) -> Option<&Arc<TextDetector>> {
        self.detector.as_ref()
    }

    /// The detector of what is taken out or refused in `mode`, for texts that come in pieces.
    #[must_use]
    pub fn acting(&self, mode: Mode) -> Option<&Arc<TextDetector>> {
        self.acting.as_ref().filter(|_| mode == Mode::Strict)
    }

    /// The detector of what is only taken note of in `mode`, for texts that come in pieces.
    #[must_use]
    pub fn noting(&self, mode: Mode) -> Option<&Arc<TextDetector>> {
        match mode {
            Mode::Strict => self.noting.as_ref(),
            Mode::Warn => self.plain.as_ref(),
        }
    }

    /// Reads a whole text and tells each kind of thing found in it, with what strict mode makes of that. `from_outside`: it
    /// is what a tool brought back, which may try to instruct the model. In `mode`, what is to be taken out is.
    pub fn read(
        &self,
        mode: Mode,
        text: &str,
        from_outside: bool,
        tell: impl FnMut(Kind, Verdict),
    ) -> TextDecision {
        self.read_member(mode, "", text, from_outside, tell)
    }

    /// The same of a text that stands under a name, which may make all of it a secret.
    pub fn read_member(
        &self,
        mode: Mode,
        name: &str,
        text: &str,
        from_outside: bool,
        mut tell: impl FnMut(Kind, Verdict),
    ) -> TextDecision {
        let detector = if from_outside { &self.detector } else { &self.plain };
        let Some(detector) = detector else { return TextDecision::default() };
        let mut decision = TextDecision::default();
        let (mut without, mut copied) = (String::new(), 0);
        detector.scan_member(name, text, |found| {
            let verdict = self.verdict(found.kind);
            decision.would = decision.would.max(verdict);
            tell(found.kind, verdict);
            if mode == Mode::Strict && verdict == Verdict::Redact && found.range.start >= copied {
                without.push_str(text.get(copied..found.range.start).unwrap_or_default());
                without.push_str(found.kind.mark());
                copied = found.range.end;
            }
        });
        if copied > 0 {
            without.push_str(text.get(copied..).unwrap_or_default());
            decision.text = Some(without);
        }
        decision
    }

    /// What is told of one kind of thing that was found at `location`, a JSON pointer.
    #[must_use]
    pub fn finding(&self, kind: Kind, location: String) -> Finding {
        let Found { code, severity, message, remedy } = kind.found();
        // By convention what only warns is of low severity.
        let severity = if self.verdict(kind) == Verdict::Warn { Severity::Low } else { severity };
        let rule = match code {
            Code::SecretFound => format!("secrets.{}", self.way.as_str()),
            Code::PiiFound => format!("pii.{}", self.way.as_str()),
            _ => "injection".to_owned(),
        };
        Finding { rule, code, severity, message, location, remedy }
    }

    /// What is looked for.
    #[must_use]
    pub fn selection(&self) -> Selection {
        self.detector.as_ref().map(|detector| detector.selection()).unwrap_or_default()
    }

    /// What anything that is found can lead to, in strict mode.
    pub(crate) fn verdicts(&self) -> impl Iterator<Item = Verdict> + use<> {
        [self.secrets, self.pii, self.injection].into_iter()
    }

    /// What finding one of these leads to, in strict mode.
    #[must_use]
    pub fn verdict(&self, kind: Kind) -> Verdict {
        match kind.code() {
            Code::SecretFound => self.secrets,
            Code::PiiFound => self.pii,
            Code::InjectionSuspected => self.injection,
            _ => Verdict::Deny,
        }
    }
}

fn compiled(selection: Selection) -> Option<Arc<TextDetector>> {
    (selection != Selection::default()).then(|| Arc::new(TextDetector::new(selection)))
}

impl PartialEq for TextRules {
    fn eq(&self, other: &Self) -> bool {
        let verdicts = |rules: &Self| (rules.secrets, rules.pii, rules.injection);
        verdicts(self) == verdicts(other) && self.selection() == other.selection()
    }
}

impl Eq for TextRules {}
