//! Looking through what a tool gave.

use std::io;

use seawall_detect::{Kind, TextDetector};
use seawall_policy::{Policy, TextRules};
use seawall_types::{Finding, Mode, Verdict};
use serde_json::{Map, Value};

use crate::Denial;

/// So many findings of one result are told; the rest lead to the same.
const MOST_FINDINGS: usize = 100;
/// Numbers with fewer digits are no account and name nobody by themselves: payment cards have 13 at least (ISO/IEC 7812).
const SHORTEST_NUMBER: usize = 13;

/// What looking through it came to.
#[derive(Debug, Default)]
pub struct Inspected {
    /// Everything that was found, as far as it does not refuse.
    pub findings: Vec<Finding>,
    /// Whether parts were taken out.
    pub redacted: bool,
    /// Why it must not go on.
    pub refused: Option<Denial>,
}

/// How many bytes a value has as compact JSON; a text without its quotes and escapes.
pub(super) fn size(value: &Value) -> u64 {
    struct Counter(u64);
    impl io::Write for Counter {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 = self.0.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    if let Value::String(text) = value {
        return u64::try_from(text.len()).unwrap_or(u64::MAX);
    }
    let mut counter = Counter(0);
    // A counter takes everything; should writing fail all the same, too much is the safe answer.
    serde_json::to_writer(&mut counter, value).map_or(u64::MAX, |()| counter.0)
}

/// Looks for what the policy says of texts from tools, and takes out in place what it wants taken out. What a call gave is
/// looked through when it is [settled](super::ToolPermit::settle); this is for what comes without one.
#[must_use]
pub fn inspect(policy: &Policy, value: &mut Value) -> Inspected {
    let rules = policy.text_from_tool();
    let Some(detector) = rules.detector() else { return Inspected::default() };
    let mut looking = Looking {
        rules,
        detector,
        strict: policy.mode == Mode::Strict,
        gravest: Verdict::Allow,
        told: Inspected::default(),
    };
    looking.value(value, "", &mut String::new());
    let Looking { gravest, mut told, strict, .. } = looking;
    // Nobody can be asked about what has happened already.
    if strict && gravest >= Verdict::Ask {
        told.refused = Some(Denial::by_policy(std::mem::take(&mut told.findings)));
    }
    told
}

struct Looking<'l> {
    rules: &'l TextRules,
    detector: &'l TextDetector,
    strict: bool,
    gravest: Verdict,
    told: Inspected,
}

impl Looking<'_> {
    /// A value, and the name that it stands under.
    fn value(&mut self, value: &mut Value, name: &str, at: &mut String) {
        let without = match value {
            Value::String(text) => self.named(name, text, at),
            Value::Number(number) => {
                let digits = number.to_string();
                (digits.len() >= SHORTEST_NUMBER).then(|| self.named(name, &digits, at)).flatten()
            }
            Value::Array(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    self.below(&index.to_string(), at, |looking, at| looking.value(item, name, at));
                }
                None
            }
            Value::Object(fields) => {
                self.fields(fields, at);
                None
            }
            Value::Null | Value::Bool(_) => None,
        };
        if let Some(without) = without {
            *value = Value::String(without);
        }
    }

    fn fields(&mut self, fields: &mut Map<String, Value>, at: &mut String) {
        let mut renamed = false;
        for (name, value) in fields.iter_mut() {
            self.below(name, at, |looking, at| {
                renamed |= looking.named("", name, at).is_some();
                looking.value(value, name, at);
            });
        }
        // A name is a text like any other; taking something out of one makes the object anew.
        if renamed {
            *fields = std::mem::take(fields)
                .into_iter()
                .map(|(name, value)| (self.detector.redact(&name).unwrap_or(name), value))
                .collect();
        }
    }

    /// Goes one step down the JSON pointer (RFC 6901).
    fn below(&mut self, name: &str, at: &mut String, look: impl FnOnce(&mut Self, &mut String)) {
        let length = at.len();
        at.push('/');
        at.push_str(&name.replace('~', "~0").replace('/', "~1"));
        look(self, at);
        at.truncate(length);
    }

    /// What is to stand in the place of a value, if something is to be taken out: of all of it where its name makes it a
    /// secret.
    fn named(&mut self, name: &str, text: &str, at: &str) -> Option<String> {
        let (mut without, mut copied) = (String::new(), 0);
        let detector = self.detector;
        detector.scan_member(name, text, |found| {
            if self.found(found.kind, at) && found.range.start >= copied {
                without.push_str(text.get(copied..found.range.start).unwrap_or_default());
                without.push_str(found.kind.mark());
                copied = found.range.end;
            }
        });
        if copied == 0 {
            return None;
        }
        self.told.redacted = true;
        without.push_str(text.get(copied..).unwrap_or_default());
        Some(without)
    }

    /// Tells one finding; whether it is to be taken out.
    fn found(&mut self, kind: Kind, at: &str) -> bool {
        let verdict = self.rules.verdict(kind);
        if verdict == Verdict::Allow {
            return false;
        }
        self.gravest = self.gravest.max(verdict);
        tell(&mut self.told.findings, kind, at);
        self.strict && verdict == Verdict::Redact
    }
}

fn tell(findings: &mut Vec<Finding>, kind: Kind, at: &str) {
    let found = kind.found();
    let known = |finding: &Finding| finding.message == found.message && finding.location == at;
    if findings.len() >= MOST_FINDINGS || findings.iter().any(known) {
        return;
    }
    let rule = match found.code {
        seawall_types::Code::SecretFound => "secrets.out",
        seawall_types::Code::PiiFound => "pii.out",
        _ => "injection",
    };
    findings.push(Finding {
        rule: rule.to_owned(),
        code: found.code,
        severity: found.severity,
        message: found.message,
        location: at.to_owned(),
        remedy: found.remedy,
    });
}
