//! Skills: folders with a `SKILL.md` that says what somebody who knows would do, and with scripts that do parts of it.
//!
//! They are the operator's: found once, when an agent's tools are made, and named by what was found. A name that a model
//! gives is looked up, never put together to a path.

mod execute;
mod folder;
mod load;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;
use std::sync::Arc;

use seawall_config::nearest;

use crate::{Failure, Tool};

/// Every skill that was found, by its name.
#[derive(Debug, Clone, Default)]
pub struct Skills {
    known: Arc<BTreeMap<String, Skill>>,
    refused: Arc<[SkillError]>,
}

/// A skill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Skill {
    /// What it is for.
    description: String,
    /// Its folder, without links.
    folder: PathBuf,
    /// Files below the folder that are for running, and all others.
    scripts: Vec<String>,
    others: Vec<String>,
}

/// A folder that is no skill.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the skill in {} can't be used: {reason}", folder.display())]
pub struct SkillError {
    /// The folder.
    pub folder: PathBuf,
    /// What is wrong, and what to do.
    pub reason: String,
}

impl Skills {
    /// The skills in these folders: each folder in one of them that has a `SKILL.md`. Of two with one name the first counts.
    /// A folder that is not there has none.
    #[must_use]
    pub fn find(folders: &[PathBuf]) -> Self {
        let (mut known, mut refused) = (BTreeMap::new(), Vec::new());
        for folder in folders.iter().flat_map(|folder| folder::below(folder)) {
            match folder::read(&folder) {
                Ok((name, skill)) => {
                    known.entry(name).or_insert(skill);
                }
                Err(reason) => refused.push(SkillError { folder, reason }),
            }
        }
        Self { known: Arc::new(known), refused: refused.into() }
    }

    /// Only those that are named.
    ///
    /// # Errors
    /// The name that no skill has.
    pub fn only<S: AsRef<str>>(&self, names: impl IntoIterator<Item = S>) -> Result<Self, Failure> {
        let mut known = BTreeMap::new();
        for name in names {
            let skill = self.get(name.as_ref())?;
            known.insert(name.as_ref().to_owned(), skill.clone());
        }
        Ok(Self { known: Arc::new(known), refused: Arc::clone(&self.refused) })
    }

    /// Folders that look like skills and are none, for the operator.
    #[must_use]
    pub fn refused(&self) -> &[SkillError] {
        &self.refused
    }

    /// Names and descriptions of all, for a system prompt; empty where there are none.
    #[must_use]
    pub fn prompt(&self) -> String {
        let mut text = String::new();
        for (name, skill) in self.known.iter() {
            let heading = if text.is_empty() { "### Skills\n\n" } else { "" };
            let _never_fails = writeln!(text, "{heading}- **{name}**: {}", skill.description);
        }
        text
    }

    /// `skills` and `execute_script`.
    #[must_use]
    pub fn tools(&self) -> [Arc<dyn Tool>; 2] {
        [Arc::new(load::LoadSkill::new(self.clone())), Arc::new(execute::ExecuteScript::new(self.clone()))]
    }

    fn get(&self, name: &str) -> Result<&Skill, Failure> {
        self.known.get(name).ok_or_else(|| {
            let names = || self.known.keys().map(String::as_str);
            let meant = nearest(name, names()).map(|nearest| format!("; did you mean {nearest}?"));
            let all = || format!("; there are: {}", names().collect::<Vec<_>>().join(", "));
            Failure::new(format!("there is no skill {name:?}{}", meant.unwrap_or_else(all)))
        })
    }
}
