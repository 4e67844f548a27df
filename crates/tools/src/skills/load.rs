//! `skills`: which there are, and what one of them says.

use std::time::Duration;

use seawall_engine::EffectClass;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Skills, folder};
use crate::builtin::{described, read, spec};
use crate::{BoxFuture, Call, Description, Failure, Outcome, Tool};

const TIME: Duration = Duration::from_secs(30);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    action: Action,
    skill_name: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Action {
    List,
    Load,
}

/// Shows skills.
#[derive(Debug)]
pub(super) struct LoadSkill {
    description: Description,
    skills: Skills,
}

impl LoadSkill {
    pub(super) fn new(skills: Skills) -> Self {
        let parameters = json!({
            "type": "object",
            "properties": {
                "action": { "type": "string", "enum": ["list", "load"], "description": "list: which skills there are; load: what one of them says" },
                "skill_name": { "type": "string", "description": "The skill to load" },
            },
            "required": ["action"],
            "additionalProperties": false,
        });
        let description = "Shows what others have written down about how to do something. Load a skill when its description \
            fits what you are doing. Gives content, scripts (run them with execute_script) and other files.";
        let spec = spec(EffectClass::Pure, false, TIME);
        Self { description: described("skills", description, parameters, spec), skills }
    }

    fn perform(&self, arguments: &Value) -> Result<Value, Failure> {
        let Arguments { action, skill_name } = read(arguments)?;
        match (action, skill_name) {
            (Action::List, _) => {
                let told = |(name, skill): (&String, &super::Skill)| json!({ "name": name, "description": skill.description });
                Ok(json!({ "skills": self.skills.known.iter().map(told).collect::<Vec<_>>() }))
            }
            (Action::Load, Some(name)) => {
                let skill = self.skills.get(&name)?;
                let content = folder::instructions(&skill.folder).map_err(Failure::new)?;
                Ok(json!({
                    "name": name, "content": content, "folder": skill.folder,
                    "scripts": skill.scripts, "files": skill.others,
                }))
            }
            (Action::Load, None) => Err(Failure::new("load which skill? Give skill_name")),
        }
    }
}

impl Tool for LoadSkill {
    fn description(&self) -> &Description {
        &self.description
    }

    fn call<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Outcome> {
        Box::pin(std::future::ready(self.perform(call.arguments).into()))
    }
}
