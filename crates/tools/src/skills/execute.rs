//! `execute_script`: a script of a skill, held like any command of the agent. Its arguments reach it one by one; no shell
//! reads them.

use std::time::Duration;

use seawall_engine::EffectClass;
use seawall_sandbox::Command;
use serde::Deserialize;
use serde_json::json;

use super::Skills;
use crate::builtin::{attended, described, read, spec};
use crate::{BoxFuture, Call, Description, Failure, Outcome, Tool};

const TIME: Duration = Duration::from_mins(2);
const LONGEST: Duration = Duration::from_mins(10);
/// How long it takes at most to start one, and to end one with all that it has started.
const AROUND: Duration = Duration::from_secs(15);

/// What runs a script that does not say it itself by being executable.
const INTERPRETERS: [(&str, &str); 4] = [("py", "python3"), ("sh", "bash"), ("js", "node"), ("mjs", "node")];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    skill_name: String,
    script_name: String,
    #[serde(default)]
    args: Vec<String>,
    timeout_ms: Option<u64>,
}

/// Runs scripts of skills.
#[derive(Debug)]
pub(super) struct ExecuteScript {
    description: Description,
    skills: Skills,
}

impl ExecuteScript {
    pub(super) fn new(skills: Skills) -> Self {
        let parameters = json!({
            "type": "object",
            "properties": {
                "skill_name": { "type": "string", "description": "The skill" },
                "script_name": { "type": "string", "description": "One of the scripts that skills names" },
                "args": {
                    "type": "array", "items": { "type": "string" }, "maxItems": 256,
                    "description": "Its arguments, one by one, without quoting"
                },
                "timeout_ms": {
                    "type": "integer", "minimum": 1,
                    "description": "After so many milliseconds it is ended (default: 120000, at most 600000)"
                },
            },
            "required": ["skill_name", "script_name"],
            "additionalProperties": false,
        });
        let description =
            "Runs a script of a skill in the working folder, held like bash_run. Gives code and output.";
        let spec = spec(EffectClass::Unsafe, true, LONGEST + AROUND);
        Self { description: described("execute_script", description, parameters, spec), skills }
    }

    async fn perform(&self, call: Call<'_>) -> Result<Outcome, Failure> {
        let Arguments { skill_name, script_name, args, timeout_ms } = read(call.arguments)?;
        let skill = self.skills.get(&skill_name)?;
        let is_meant = |script: &&String| {
            **script == script_name || script.strip_prefix("scripts/") == Some(&script_name)
        };
        let Some(script) = skill.scripts.iter().find(is_meant) else {
            return Err(Failure::new(format!(
                "{skill_name} has no script {script_name:?}; it has: {}",
                skill.scripts.join(", ")
            )));
        };
        let path = skill.folder.join(script);
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        let command = match INTERPRETERS.iter().find(|(known, _)| *known == ending) {
            Some((_, interpreter)) => Command::new(*interpreter).arg(path),
            None => Command::new(path),
        };
        let limit = timeout_ms.map_or(TIME, Duration::from_millis).min(LONGEST);
        // What the agent could change anyway needs no grant, and one for reading only would take the writing away.
        let is_in_place = skill.folder.starts_with(call.place.root());
        let readable = if is_in_place { Vec::new() } else { vec![skill.folder.clone()] };
        Ok(attended(call, command.args(args), limit, readable).await)
    }
}

impl Tool for ExecuteScript {
    fn description(&self) -> &Description {
        &self.description
    }

    fn call<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Outcome> {
        Box::pin(async move { self.perform(call).await.unwrap_or_else(Outcome::from) })
    }
}
