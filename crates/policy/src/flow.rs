//! Rules about the order of a run's actions: after one thing was done, another may not be done any more.
//!
//! The rules are part of the policy and immutable; what has happened in a run is its [`FlowState`], which whoever keeps the
//! run keeps. It remembers what was done by the words of the rules, so it stays right when the policy is read again.

use std::collections::BTreeSet;
use std::sync::Arc;

use seawall_config::Reader;
use seawall_detect::network::HostPattern;
use seawall_types::{Code, Effect, Finding, Pattern, Severity, Verdict};

use crate::place::{PathPattern, Place, Touch};

/// One rule: after this, not that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FlowRule {
    after: Place,
    /// `after` in words, by which a run remembers that it happened.
    step: Arc<str>,
    verdict: Verdict,
    then: Place,
    unless: Exceptions,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Exceptions {
    hosts: Vec<HostPattern>,
    paths: Vec<PathPattern>,
    tools: Vec<Pattern>,
}

/// What of the flow rules has happened in one run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FlowState(BTreeSet<Arc<str>>);

impl FlowState {
    /// Takes note of an action that was performed, by the steps in its decision.
    pub fn advance(&mut self, steps: &[Arc<str>]) {
        self.0.extend(steps.iter().cloned());
    }

    /// Whether nothing has happened that a rule is about.
    #[must_use]
    pub fn is_fresh(&self) -> bool {
        self.0.is_empty()
    }
}

/// What a rule leads to, by the key of its second half.
const VERDICTS: [(&str, Verdict); 3] =
    [("deny", Verdict::Deny), ("ask", Verdict::Ask), ("warn", Verdict::Warn)];

impl FlowRule {
    pub(crate) const fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// Reads one rule; `None` when it has no second half, which is then an error.
    pub(crate) fn declare(reader: &mut Reader<'_>) -> Option<Self> {
        let after = reader.section("after", "What must have been done in the run.", Place::declare);
        let mut halves = Vec::new();
        for (key, verdict) in VERDICTS {
            let doc = "What leads to this verdict from then on.";
            let half = reader.optional_section(key, doc, |then| {
                let place = Place::declare(then);
                (place, then.section("unless", "What is excepted.", Exceptions::declare))
            });
            halves.extend(half.map(|half| (verdict, half)));
        }
        if halves.len() != 1 {
            reader.error(
                "",
                "a flow rule needs one of deny, ask and warn",
                "for example: deny: { effect: net }",
            );
        }
        let (verdict, (then, unless)) = halves.pop()?;
        let step = after.to_string().into();
        Some(Self { after, step, verdict, then, unless })
    }

    /// The step that an action takes, if it is one that this rule begins with.
    pub(crate) fn step(&self, tool: &str, touched: &[Touch]) -> Option<&Arc<str>> {
        self.after.matches(tool, touched).then_some(&self.step)
    }

    /// What the rule says about an action, with the touch that it is about.
    pub(crate) fn judge<'t>(
        &self,
        state: &FlowState,
        tool: &str,
        touched: &'t [Touch],
    ) -> Option<(Verdict, Option<&'t Touch>)> {
        let excepted_tool = self.unless.tools.iter().any(|pattern| pattern.matches(tool));
        if !state.0.contains(&self.step) || excepted_tool || !self.then.matches(tool, touched) {
            return None;
        }
        // By its tool alone, and it touches nothing that could be excepted.
        if touched.is_empty() {
            return Some((self.verdict, None));
        }
        let about = |touch: &&Touch| self.then.is_about(touch) && !self.unless.covers(touch);
        touched.iter().find(about).map(|touch| (self.verdict, Some(touch)))
    }

    /// What is told when the rule holds.
    pub(crate) fn finding(&self, verdict: Verdict, tool: &str, touch: Option<&Touch>) -> Finding {
        let done =
            touch.map_or_else(|| format!("the tool {tool:?}"), |touch| touch.effect.as_str().to_owned());
        let step = &self.step;
        Finding {
            rule: "flow".to_owned(),
            code: if verdict == Verdict::Ask { Code::ApprovalRequired } else { code_of(touch) },
            severity: if verdict == Verdict::Warn { Severity::Low } else { Severity::High },
            message: format!("after {step} the run may not do this any more: {done}"),
            location: touch.map(|touch| touch.location.clone()).unwrap_or_default(),
            remedy: format!(
                "do this before {step}, in a run of its own, or except it in the flow rule's unless"
            ),
        }
    }
}

/// The code that says most plainly what is not allowed.
fn code_of(touch: Option<&Touch>) -> Code {
    match touch.map(|touch| touch.effect) {
        Some(Effect::Net) => Code::NetHostNotAllowed,
        Some(Effect::Exec) => Code::CmdNotAllowed,
        Some(Effect::FsRead | Effect::FsWrite | Effect::FsDelete) => Code::FsOutsideRoot,
        None => Code::ToolNotAllowed,
    }
}

impl Exceptions {
    fn declare(reader: &mut Reader<'_>) -> Self {
        Self {
            hosts: reader.parsed_list("hosts", "Hosts, as in network.hosts."),
            paths: reader.parsed_list("paths", "Paths, as in `path`."),
            tools: reader.parsed_list("tools", "Tools; one `*` stands for any text."),
        }
    }

    fn covers(&self, touch: &Touch) -> bool {
        let host = touch.target.as_ref().is_some_and(|target| {
            self.hosts.iter().any(|pattern| pattern.matches(&target.host, target.literal))
        });
        let excepted = |path: &String| self.paths.iter().any(|pattern| pattern.matches(path));
        host || !touch.paths.is_empty() && touch.paths.iter().all(excepted)
    }
}
