//! What a policy says about texts: which detectors read them, and what a finding leads to.
//!
//! Arguments of tools are read when a call is judged. All other texts are scanned by whoever has them, since most arrive piece
//! by piece.

use std::sync::Arc;

use seawall_detect::{Kind, PiiKinds, Selection, TextDetector};
use seawall_types::{Code, Verdict};

/// What is looked for in texts that go one way. Two are equal when they look for the same and lead to the same.
#[derive(Debug, Clone)]
pub struct TextRules {
    secrets: Verdict,
    pii: Verdict,
    injection: Verdict,
    /// Compiled once; absent where there is nothing to look for.
    detector: Option<Arc<TextDetector>>,
}

impl TextRules {
    /// Nothing is looked for.
    #[must_use]
    pub fn off() -> Self {
        Self { secrets: Verdict::Allow, pii: Verdict::Allow, injection: Verdict::Allow, detector: None }
    }

    pub(crate) fn new(secrets: Verdict, pii: Verdict, kinds: PiiKinds, injection: Verdict) -> Self {
        let selection = Selection {
            secrets: secrets != Verdict::Allow,
            pii: if pii == Verdict::Allow { PiiKinds::none() } else { kinds },
            injection: injection != Verdict::Allow,
        };
        let detector = (selection != Selection::default()).then(|| Arc::new(TextDetector::new(selection)));
        Self { secrets, pii, injection, detector }
    }

    /// The detector of what is looked for, compiled; `None` where nothing is.
    #[must_use]
    pub fn detector(&self) -> Option<&Arc<TextDetector>> {
        self.detector.as_ref()
    }

    /// What is looked for.
    #[must_use]
    pub fn selection(&self) -> Selection {
        self.detector.as_ref().map(|detector| detector.selection()).unwrap_or_default()
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

impl PartialEq for TextRules {
    fn eq(&self, other: &Self) -> bool {
        let verdicts = |rules: &Self| (rules.secrets, rules.pii, rules.injection);
        verdicts(self) == verdicts(other) && self.selection() == other.selection()
    }
}

impl Eq for TextRules {}
