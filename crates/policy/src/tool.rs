//! Rules about tools by their names, with a condition where one is given.

use std::borrow::Cow;

use seawall_config::Reader;
use seawall_types::{Actor, Code, Finding, Pattern, Severity, Verdict};
use serde_json::Value;

use crate::when::{Condition, Facts};

/// One rule about tools.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ToolRule {
    name: Option<Pattern>,
    verdict: Verdict,
    when: Option<Condition>,
    reason: Option<String>,
}

/// What a rule can lead to. The gravest of all rules wins, so one that allows would change nothing.
const VERDICTS: [(&str, Verdict); 3] =
    [("warn", Verdict::Warn), ("ask", Verdict::Ask), ("deny", Verdict::Deny)];

impl ToolRule {
    pub(crate) fn declare(reader: &mut Reader<'_>) -> Self {
        let doc = "What a call leads to. To except a tool, exclude it in `when`: the gravest rule wins.";
        Self {
            name: reader.required_parsed("name", "The tool's name; one `*` stands for any text."),
            // Where the verdict can't be read the file is refused; until then the rule is taken at its gravest.
            verdict: reader.required_choice("verdict", doc, Verdict::Deny, &VERDICTS),
            when: reader.optional_parsed(
                "when",
                "A condition in CEL over tool, args, effects, actor and run; one that can't be decided counts as true.",
            ),
            reason: reader.optional_text("reason", "Why, in words for whoever calls the tool."),
        }
    }

    pub(crate) const fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// What the rule says about every call of this tool, whatever its arguments.
    pub(crate) fn judge_name(&self, tool: &str) -> Option<(Verdict, Finding)> {
        let facts = Facts { tool, args: &Value::Null, effects: &[], actor: &Actor::default(), run: "" };
        if self.when.is_none() { self.judge(&facts) } else { None }
    }

    /// What the rule says about a call, if anything.
    pub(crate) fn judge(&self, facts: &Facts<'_>) -> Option<(Verdict, Finding)> {
        let name = self.name.as_ref().filter(|name| name.matches(facts.tool))?;
        let undecided = match self.when.as_ref().map(|when| when.holds(facts)) {
            Some(Ok(false)) => return None,
            Some(Err(error)) => Some(error),
            Some(Ok(true)) | None => None,
        };
        let mut message = format!("{} {:?}", self.says(), facts.tool);
        if let Some(when) = &self.when {
            message.push_str(&format!(" when {when}"));
        }
        if let Some(error) = undecided {
            message.push_str(&format!(" (that could not be decided, which counts as true: {error})"));
        }
        if let Some(reason) = &self.reason {
            message.push_str(&format!(": {reason}"));
        }
        Some((
            self.verdict,
            Finding {
                rule: format!("tools[{name}]"),
                code: self.code(),
                severity: self.severity(),
                message,
                location: String::new(),
                remedy: self.remedy().into_owned(),
            },
        ))
    }

    fn says(&self) -> &'static str {
        match self.verdict {
            Verdict::Ask => "a person must approve the tool",
            Verdict::Warn => "the policy warns of the tool",
            Verdict::Deny | Verdict::Redact | Verdict::Allow => "the policy refuses the tool",
        }
    }

    fn code(&self) -> Code {
        if self.verdict == Verdict::Ask { Code::ApprovalRequired } else { Code::ToolNotAllowed }
    }

    fn severity(&self) -> Severity {
        match self.verdict {
            Verdict::Deny => Severity::High,
            Verdict::Ask | Verdict::Redact => Severity::Medium,
            Verdict::Warn | Verdict::Allow => Severity::Low,
        }
    }

    fn remedy(&self) -> Cow<'static, str> {
        match (self.verdict, &self.when) {
            (Verdict::Ask, _) => "have a person approve the call, or use another tool".into(),
            (_, Some(when)) => {
                format!("call it so that this does not hold: {when}; or change the rule in tools").into()
            }
            (_, None) => "use another tool, or change the rule in tools".into(),
        }
    }
}
