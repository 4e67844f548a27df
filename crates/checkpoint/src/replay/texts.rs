//! What text rules say about recorded texts, also where what they look for was taken out before it was written down.

use seawall_detect::{Kind, PiiKind, TextDetector};
use seawall_policy::TextRules;
use seawall_types::{Code, Finding, Verdict};
use serde_json::Value;

/// How every mark begins that stands for something that was taken out.
const MARK: &str = "[REDACTED:";

/// What is found in texts.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) would: Verdict,
    pub(super) findings: Vec<Finding>,
}

/// Whether anything was taken out of a value.
pub(super) fn is_redacted(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains(MARK),
        Value::Array(items) => items.iter().any(is_redacted),
        Value::Object(fields) => fields.iter().any(|(name, value)| name.contains(MARK) || is_redacted(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

impl Findings {
    /// Looks at every text of a value: what is in it, and what was.
    pub(super) fn look(&mut self, rules: &TextRules, section: &str, value: &Value) {
        if let Some(detector) = rules.detector() {
            self.value(rules, detector, section, ("", value));
        }
    }

    /// A value, with the name that it stands under.
    fn value(
        &mut self,
        rules: &TextRules,
        detector: &TextDetector,
        section: &str,
        (name, value): (&str, &Value),
    ) {
        match value {
            Value::String(text) => {
                detector.scan_member(name, text, |found| self.found(rules, found.kind, section));
                self.marks(rules, section, text);
            }
            Value::Array(items) => {
                items.iter().for_each(|item| self.value(rules, detector, section, (name, item)));
            }
            Value::Object(fields) => {
                let each =
                    |(name, field): (&String, &Value)| self.value(rules, detector, section, (name, field));
                fields.iter().for_each(each);
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// Only what was taken out: for values whose texts have been judged otherwise.
    pub(super) fn look_at_marks(&mut self, rules: &TextRules, section: &str, value: &Value) {
        match value {
            Value::String(text) => self.marks(rules, section, text),
            Value::Array(items) => items.iter().for_each(|item| self.look_at_marks(rules, section, item)),
            Value::Object(fields) => {
                fields.values().for_each(|field| self.look_at_marks(rules, section, field));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn marks(&mut self, rules: &TextRules, section: &str, text: &str) {
        if text.contains(MARK) {
            let were_there = Kind::ALL.iter().filter(|kind| text.contains(kind.mark()));
            were_there.for_each(|kind| self.found(rules, *kind, section));
        }
    }

    /// Tells a kind once for each section.
    fn found(&mut self, rules: &TextRules, kind: Kind, section: &str) {
        let selection = rules.selection();
        let is_looked_for = match kind.code() {
            Code::SecretFound => selection.secrets,
            Code::PiiFound => PiiKind::parse(kind.label()).is_some_and(|kind| selection.pii.has(kind)),
            _ => selection.injection,
        };
        if !is_looked_for {
            return;
        }
        self.would = self.would.max(rules.verdict(kind));
        let found = kind.found();
        if self.findings.iter().any(|known| known.message == found.message && known.location == section) {
            return;
        }
        let rule = match found.code {
            Code::SecretFound => "secrets",
            Code::PiiFound => "pii",
            _ => "injection",
        };
        self.findings.push(Finding {
            rule: rule.to_owned(),
            code: found.code,
            severity: found.severity,
            message: found.message,
            location: section.to_owned(),
            remedy: found.remedy,
        });
    }
}
