//! Drift: what a call does that the runs of a baseline did not do.
//!
//! The baseline is a [`Profile`], made of recorded runs with the same reading of arguments by which calls are judged. New
//! tools, hosts and folders show in one call, so they are part of its judgement; how often a run calls a tool is for
//! whoever keeps the run to count, with a [`Pace`] a tool, and for [`Policy::judge_pace`] to compare.
//!
//! It tells a change, not a fault: what is new may be meant.

mod footprint;
mod pace;
mod profile;

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use seawall_config::Reader;
use seawall_types::{Code, Finding, Severity, Verdict};
use serde::Serialize;

pub(crate) use footprint::Footprint;
pub use pace::Pace;
pub use profile::{Profile, ProfileBuilder, ProfileError};

use crate::{Decision, Policy};

/// How many times the baseline's rate is too much where the policy says nothing.
const USUAL_RATE: u64 = 10;

/// So many bytes of a name are told of what is new. Tools, hosts and folders can be called anything, at any length, and
/// what was told is remembered for as long as the run lasts.
const MOST_OF_A_NAME: usize = 256;

/// What drift can lead to.
const VERDICTS: [(&str, Verdict); 3] =
    [("warn", Verdict::Warn), ("ask", Verdict::Ask), ("deny", Verdict::Deny)];

/// What is new about a call.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Novelty {
    /// In which respect.
    pub kind: NoveltyKind,
    /// The tool, the host or the folder; of a long name the beginning.
    pub value: String,
}

/// In which respect a call is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum NoveltyKind {
    /// No run of the baseline called the tool.
    Tool,
    /// None talked to the host.
    Host,
    /// None touched anything in the folder.
    Path,
    /// None called the tool nearly so often.
    Rate,
}

impl NoveltyKind {
    const fn rule(self) -> &'static str {
        match self {
            Self::Tool => "drift.tool",
            Self::Host => "drift.host",
            Self::Path => "drift.path",
            Self::Rate => "drift.rate",
        }
    }
}

/// `drift` of a policy file, with the profile that it names once that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DriftRule {
    baseline: PathBuf,
    verdict: Verdict,
    rate: u64,
    /// Until the file is read nothing is known, so everything is new.
    profile: Arc<Profile>,
}

impl DriftRule {
    pub(crate) fn declare(reader: &mut Reader<'_>) -> Self {
        let baseline = "The profile of the runs that are usual, as `seawall trace profile` makes it, relative to this file.";
        Self {
            baseline: reader.required_text("baseline", baseline).into(),
            verdict: reader.choice("verdict", "What drift leads to.", Verdict::Warn, &VERDICTS),
            rate: reader.integer(
                "rate",
                "So many times the most calls of a tool in a minute are usual; more is drift.",
                USUAL_RATE,
                1..=1_000_000,
            ),
            profile: Arc::default(),
        }
    }

    pub(crate) fn baseline(&self) -> &Path {
        &self.baseline
    }

    pub(crate) const fn verdict(&self) -> Verdict {
        self.verdict
    }

    pub(crate) fn compared_with(self, profile: Profile) -> Self {
        Self { profile: Arc::new(profile), ..self }
    }

    /// Everything about a call that the baseline does not know.
    pub(crate) fn judge(&self, tool: &str, footprint: Footprint, mut tell: impl FnMut(Novelty, Finding)) {
        let mut new = |kind, value: &str, location: String| {
            let value = told(value);
            let finding = self.finding(kind, &value, location, "");
            tell(Novelty { kind, value: value.into_owned() }, finding);
        };
        if !tool.is_empty() && self.profile.most_calls_a_minute(tool).is_none() {
            new(NoveltyKind::Tool, tool, String::new());
        }
        for (host, location) in footprint.hosts {
            if !self.profile.has_host(&host) {
                new(NoveltyKind::Host, &host, location);
            }
        }
        for (folder, location) in footprint.folders {
            if !self.profile.has_folder(&folder) {
                new(NoveltyKind::Path, &folder, location);
            }
        }
    }

    fn finding(&self, kind: NoveltyKind, value: &str, location: String, more: &str) -> Finding {
        let what = match kind {
            NoveltyKind::Tool => "the run calls a tool that the baseline does not know",
            NoveltyKind::Host => "the run leads to a host that the baseline does not know",
            NoveltyKind::Path => "the run touches a folder that the baseline does not know",
            NoveltyKind::Rate => "the run calls a tool far more often than the baseline",
        };
        let baseline = self.baseline.display();
        Finding {
            rule: kind.rule().to_owned(),
            code: Code::Drift,
            severity: if self.verdict == Verdict::Warn { Severity::Low } else { Severity::High },
            message: format!("{what} ({baseline}): {value}{more}"),
            location,
            remedy: "if the change is meant, take a new baseline with `seawall trace profile`, or allow it by drift.verdict: warn"
                .to_owned(),
        }
    }
}

/// The beginning of a long name.
fn told(name: &str) -> Cow<'_, str> {
    match name.get(..name.floor_char_boundary(MOST_OF_A_NAME)) {
        Some(beginning) if beginning.len() < name.len() => Cow::Owned(format!("{beginning}…")),
        _ => Cow::Borrowed(name),
    }
}

impl Policy {
    /// Whether calls of this tool are to be counted, for [`judge_pace`](Self::judge_pace). One that the baseline does not
    /// know is new, however often it is called.
    #[must_use]
    pub fn counts_calls_of(&self, tool: &str) -> bool {
        self.drift.as_ref().is_some_and(|drift| drift.profile.most_calls_a_minute(tool).is_some())
    }

    /// The file of the baseline that calls are compared with, as the policy names it.
    #[must_use]
    pub fn baseline(&self) -> Option<&Path> {
        self.drift.as_ref().map(DriftRule::baseline)
    }

    /// Adds to the judgement of a call of which only the tool's name is known what the baseline says of the tool.
    pub fn judge_new_tool(&self, tool: &str, decision: &mut Decision) {
        let Some(drift) = &self.drift else { return };
        drift.judge(tool, Footprint::default(), |novelty, finding| {
            decision.findings.push(finding);
            decision.novelties.push(novelty);
            decision.would = decision.would.max(drift.verdict);
        });
        decision.verdict = self.in_mode(decision.would);
    }

    /// Adds to the judgement of a call what there is to say of its tool being called `calls` times within a minute.
    pub fn judge_pace(&self, tool: &str, calls: u64, decision: &mut Decision) {
        let Some(drift) = &self.drift else { return };
        let Some(usual) = drift.profile.most_calls_a_minute(tool) else { return };
        if calls <= usual.saturating_mul(drift.rate) {
            return;
        }
        // The count stays out of the message: each call more would else be another finding.
        let more = format!(", more than {} times its {usual} calls a minute", drift.rate);
        let finding = drift.finding(NoveltyKind::Rate, tool, String::new(), &more);
        decision.findings.push(finding);
        decision.novelties.push(Novelty { kind: NoveltyKind::Rate, value: tool.to_owned() });
        decision.would = decision.would.max(drift.verdict);
        decision.verdict = self.in_mode(decision.would);
    }
}
