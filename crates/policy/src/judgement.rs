//! What was found in something that is not one call of a tool: a request, an answer.

use seawall_types::{Finding, Verdict};

/// The most findings of one judgement. What they lead to is decided by all of them, also by those that are not told.
const MOST: usize = 64;

/// Findings, and what strict mode makes of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Judgement {
    would: Verdict,
    findings: Vec<Finding>,
    /// How many of the first ones led to the verdict.
    gravest: usize,
}

impl Judgement {
    /// Takes note of one finding and of what strict mode makes of it. The same thing at the same place is told once.
    pub fn add(&mut self, verdict: Verdict, finding: Finding) {
        let is_graver = verdict > self.would;
        self.would = self.would.max(verdict);
        let is_same = |known: &Finding| {
            known.code == finding.code
                && known.location == finding.location
                && known.message == finding.message
        };
        if self.findings.iter().any(is_same) {
            return;
        }
        if is_graver {
            self.gravest = 0;
        }
        if verdict == self.would {
            // The gravest speak for all: they come first, and are never left out for lighter ones.
            self.findings.insert(self.gravest, finding);
            self.gravest += 1;
        } else {
            self.findings.push(finding);
        }
        self.findings.truncate(MOST);
        self.gravest = self.gravest.min(MOST);
    }

    /// Takes in another one.
    pub fn join(&mut self, other: Self) {
        let Self { would, findings, gravest } = other;
        for (index, finding) in findings.into_iter().enumerate() {
            // Of the lighter ones it is not known how grave each was; none is graver than a warning's worth here.
            let verdict = if index < gravest { would } else { would.min(Verdict::Warn) };
            self.add(verdict, finding);
        }
        self.would = self.would.max(would);
    }

    /// What strict mode makes of it.
    #[must_use]
    pub fn would(&self) -> Verdict {
        self.would
    }

    /// The findings, those first that led to the verdict.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// The findings alone.
    #[must_use]
    pub fn into_findings(self) -> Vec<Finding> {
        self.findings
    }

    /// Whether nothing was found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.findings.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use seawall_types::{Code, Severity};

    use super::*;

    fn finding(code: Code, at: usize) -> Finding {
        Finding {
            rule: String::new(),
            code,
            severity: Severity::Low,
            message: String::new(),
            location: format!("/{at}"),
            remedy: String::new(),
        }
    }

    #[test]
    fn the_gravest_finding_decides_and_stands_first() {
        let mut judgement = Judgement::default();
        judgement.add(Verdict::Warn, finding(Code::PiiFound, 0));
        judgement.add(Verdict::Deny, finding(Code::SecretFound, 1));
        judgement.add(Verdict::Warn, finding(Code::PiiFound, 2));
        judgement.add(Verdict::Deny, finding(Code::SecretFound, 3));
        judgement.add(Verdict::Deny, finding(Code::SecretFound, 3));
        let places: Vec<&str> = judgement.findings().iter().map(|found| found.location.as_str()).collect();
        assert_eq!((judgement.would(), places), (Verdict::Deny, vec!["/1", "/3", "/0", "/2"]));
    }

    #[test]
    fn many_light_findings_leave_room_for_a_grave_one() {
        let mut judgement = Judgement::default();
        (0..1_000).for_each(|at| judgement.add(Verdict::Warn, finding(Code::PiiFound, at)));
        judgement.add(Verdict::Deny, finding(Code::SecretFound, 0));
        assert_eq!((judgement.findings().len(), judgement.findings()[0].code), (MOST, Code::SecretFound));
        let mut all = Judgement::default();
        all.join(judgement);
        assert_eq!((all.would(), all.findings()[0].code), (Verdict::Deny, Code::SecretFound));
    }
}
