//! The compiled policy: every rule that holds, immutable.
use std::path::PathBuf;
use std::time::Duration;

use seawall_detect::commands::CommandRules;
use seawall_detect::network::NetworkRules;
use seawall_detect::paths::FileRules;
use seawall_types::{Code, Finding, Mode, Pattern, Severity, Tokens, Usd, Verdict};

use crate::drift::DriftRule;
use crate::flow::FlowRule;
use crate::place::Place;
use crate::tool::ToolRule;
use crate::{Judgement, TextRules};

/// A compiled policy: immutable, shared by reference, swapped on reload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Its name.
    pub name: String,
    /// Where it stands: the path of its file, or what else tells it from the others. Its places are counted by it.
    pub source: String,
    /// Whether findings refuse.
    pub mode: Mode,
    /// Models that may be called. `None`: any; empty: none.
    pub models: Option<Vec<Pattern>>,
    /// The most tokens that one answer may have.
    pub max_output_tokens: Option<Tokens>,
    /// Limits of resources.
    pub limits: PolicyLimits,
    /// The folder that paths are under, also where no rules are about files.
    pub(crate) root: PathBuf,
    pub(crate) files: Option<FileRules>,
    pub(crate) network: Option<NetworkRules>,
    pub(crate) commands: Option<CommandRules>,
    pub(crate) tools: Vec<ToolRule>,
    pub(crate) flow: Vec<FlowRule>,
    pub(crate) sensitive: Vec<Place>,
    pub(crate) sinks: Vec<Place>,
    pub(crate) drift: Option<DriftRule>,
    pub(crate) towards: TextRules,
    pub(crate) back: TextRules,
}

/// What a run may use under a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PolicyLimits {
    /// Money, in total.
    pub usd: Option<Usd>,
    /// Money in any sixty seconds.
    pub usd_per_minute: Option<Usd>,
    /// Tokens, in total.
    pub tokens: Option<Tokens>,
    /// Actions at the same time.
    pub concurrent: Option<usize>,
    /// How long one tool may take.
    pub tool_time: Option<Duration>,
    /// The most bytes that one tool may give.
    pub output_bytes: Option<u64>,
}

impl Policy {
    /// The policy that asks nothing.
    #[must_use]
    pub fn off(mode: Mode) -> Self {
        Self {
            name: "off".to_owned(),
            source: "off".to_owned(),
            mode,
            models: None,
            max_output_tokens: None,
            limits: PolicyLimits::default(),
            root: PathBuf::new(),
            files: None,
            network: None,
            commands: None,
            tools: Vec::new(),
            flow: Vec::new(),
            sensitive: Vec::new(),
            sinks: Vec::new(),
            drift: None,
            towards: TextRules::off(),
            back: TextRules::off(),
        }
    }

    /// What is looked for in texts that go to a model: prompts, and results of tools in them.
    #[must_use]
    pub fn text_towards_model(&self) -> &TextRules {
        &self.towards
    }

    /// What is looked for in texts that a model gives: answers, reasoning, refusals, arguments of tool calls.
    #[must_use]
    pub fn text_from_model(&self) -> &TextRules {
        &self.back
    }

    /// What is looked for in the arguments of a tool that we run.
    #[must_use]
    pub fn text_towards_tool(&self) -> &TextRules {
        &self.towards
    }

    /// What is looked for in what a tool gives.
    #[must_use]
    pub fn text_from_tool(&self) -> &TextRules {
        &self.back
    }

    /// Whether rules are about the order of a run's actions, so that judging a call and taking note of it must be one step.
    #[must_use]
    pub fn follows_order(&self) -> bool {
        !self.flow.is_empty()
    }

    /// The rules about files, where there are any: for whoever opens files itself.
    #[must_use]
    pub fn files(&self) -> Option<&FileRules> {
        self.files.as_ref()
    }

    /// The rules about hosts, where there are any: for whoever resolves and connects.
    #[must_use]
    pub fn network(&self) -> Option<&NetworkRules> {
        self.network.as_ref()
    }

    /// The rules about commands, where there are any.
    #[must_use]
    pub fn commands(&self) -> Option<&CommandRules> {
        self.commands.as_ref()
    }

    /// The verdict that holds in this policy's mode: at most a warning where findings don't refuse.
    #[must_use]
    pub fn in_mode(&self, strict: Verdict) -> Verdict {
        match self.mode {
            Mode::Strict => strict,
            Mode::Warn => strict.min(Verdict::Warn),
        }
    }

    /// What is to be said against calling this model.
    #[must_use]
    pub fn judge_model(&self, model: &str) -> Judgement {
        let mut judgement = Judgement::default();
        match &self.models {
            Some(allowed) if !allowed.iter().any(|pattern| pattern.matches(model)) => judgement.add(
                Verdict::Deny,
                Finding {
                    rule: "models.allow".to_owned(),
                    code: Code::ModelNotAllowed,
                    severity: Severity::High,
                    message: format!("policy {:?} does not allow the model {model:?}", self.name),
                    location: "/model".to_owned(),
                    remedy: format!("use one of: {}; or add it to models.allow", listed(allowed)),
                },
            ),
            _ => {}
        }
        judgement
    }
}

fn listed(patterns: &[Pattern]) -> String {
    patterns.iter().map(Pattern::as_str).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(mode: Mode, models: Option<&[&str]>) -> Policy {
        let models = models.map(|names| names.iter().map(|name| name.parse().unwrap()).collect());
        Policy { models, ..Policy::off(mode) }
    }

    #[test]
    fn an_absent_list_allows_every_model_and_an_empty_one_none() {
        assert!(policy(Mode::Strict, None).judge_model("gpt-4o").is_empty());
        assert_eq!(policy(Mode::Strict, Some(&[])).judge_model("gpt-4o").findings().len(), 1);
        let some = policy(Mode::Strict, Some(&["gpt-*", "o3"]));
        assert!(some.judge_model("gpt-4o").is_empty());
        assert_eq!(
            some.judge_model("o3-mini").findings()[0].remedy,
            "use one of: gpt-*, o3; or add it to models.allow"
        );
    }

    #[test]
    fn findings_refuse_in_strict_mode_alone() {
        let would = policy(Mode::Warn, Some(&[])).judge_model("x").would();
        assert_eq!(policy(Mode::Warn, None).in_mode(would), Verdict::Warn);
        assert_eq!(policy(Mode::Strict, None).in_mode(would), Verdict::Deny);
        assert_eq!(policy(Mode::Strict, None).in_mode(Verdict::Allow), Verdict::Allow);
    }
}
